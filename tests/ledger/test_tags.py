"""Tags: what they say of lines, and that nothing else takes names of lines apart."""

import ast
from pathlib import Path

import pytest

import dsv3calc
from dsv3calc.ledger.line import combined, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.ledger.tags import UNTAGGED, Tags

PACKAGE = Path(dsv3calc.__file__).parent
ROOMS = ("accounting", "ledger", "model", "output", "studies", "symbolic")

NAMES = {"name", "names", "prefix", "full", "whole"}
STRING_METHODS = {
    "partition", "rpartition", "removeprefix", "removesuffix", "startswith", "endswith", "split",
    "rsplit", "count", "find", "index",
}  # fmt: skip
MATCHING = {"match", "fullmatch", "search", "sub", "findall", "finditer", "fnmatch", "fnmatchcase"}

ALLOWED = {
    # what a user typed is compared with the names of lines
    ("studies/explain/tree.py", "_check_names"),
    ("studies/explain/tree.py", "_chosen"),
    ("studies/goldens/snapshot.py", "_chosen"),
    ("studies/goldens/verdict.py", "_matches"),
    # the declaration of a public line is found by its pattern
    ("studies/public_lines/table.py", "public_line"),
    # names of equations and their symbols are made from names of lines and of inputs
    ("studies/lines/derive.py", "_renaming"),
    ("studies/lines/derive.py", "_plain"),
    ("studies/lines/derive.py", "symbol_of"),
    ("studies/lines/derive.py", "python_of"),
    ("symbolic/algebra.py", "symbol"),
    # names of other things: an input, a number of a query, a formula, a preset, a field, a tensor
    ("studies/goldens/fingerprint.py", "made_from"),
    ("studies/lines/quantity.py", "field"),
    ("studies/formulas/show.py", "formula_named"),
    ("studies/presets/importing.py", "import_preset"),
    ("studies/presets/diff.py", "_compare_presets"),
    ("model/block.py", "weights"),
    # names of measurements, of their files and series, and of the areas that they are scored by
    ("studies/measurements/rows.py", "shipped_files"),
    ("studies/measurements/links.py", "_ways"),
    ("studies/measurements/attention.py", "attention"),
    ("studies/measurements/predict.py", "_names"),
    ("studies/measurements/servers.py", "prefilling"),
    # files of an unfinished sweep
    ("studies/sweep/chunks.py", "begun"),
    # the name that a measured preset is given
    ("studies/measuring/answer.py", "_check"),
    ("output/views/validate.py", "score_cells"),
}
"""(module, function) that may take a name apart."""


def is_a_name(node):
    return any(
        getattr(each, "attr", "") == "name" or getattr(each, "id", "") in NAMES
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute | ast.Name)
    )


def takes_apart(node):
    """Tell whether an expression looks inside a name: by a string method, a pattern or ``in``."""
    if isinstance(node, ast.Compare):
        inside = [value for op, value in zip(node.ops, node.comparators, strict=True)
                  if isinstance(op, ast.In | ast.NotIn)]  # fmt: skip
        return any(getattr(value, "attr", "") == "name" for value in inside)
    if not isinstance(node, ast.Call):
        return False
    called = getattr(node.func, "attr", "") or getattr(node.func, "id", "")
    if called in MATCHING:
        return any(map(is_a_name, node.args))
    return called in STRING_METHODS and hasattr(node.func, "value") and is_a_name(node.func.value)


def places_that_take_apart(tree, module):
    waiting = [(tree, "")]
    while waiting:
        node, function = waiting.pop()
        if takes_apart(node):
            yield module, function
        inside = node.name if isinstance(node, ast.FunctionDef) else function
        waiting.extend((child, inside) for child in ast.iter_child_nodes(node))


def test_nothing_takes_the_name_of_a_line_apart():
    found = {
        place
        for room in ROOMS
        for path in (PACKAGE / room).rglob("*.py")
        for place in places_that_take_apart(
            ast.parse(path.read_text("utf-8")), path.relative_to(PACKAGE).as_posix()
        )
    }
    assert found == ALLOWED


@pytest.mark.parametrize(
    "source",
    [
        'line.name.rpartition(".")[2]',
        'line.name.startswith("memory.")',
        're.sub("x", "", line.name)',
        "_RANK.fullmatch(part.name)",
        '"scales" in line.name',
        'name.removeprefix(f"{rank}.").removeprefix("serving.")',
    ],
)
def test_such_places_are_found(source):
    assert list(places_that_take_apart(ast.parse(source), "x")), source


@pytest.mark.parametrize("source", ['line.name == "x"', "name in named", "f'{line.name}.total'"])
def test_comparing_and_building_names_is_allowed(source):
    assert not list(places_that_take_apart(ast.parse(source), "x")), source


def values_of(query):
    return dsv3calc.answer(query).columns[0].ledger


def test_flops_are_tagged_by_component():
    parts = values_of("flops deepseek-v3").lines[0].parts
    assert [line.tags.component for line in parts] == [
        "attention_projections", "attention_core", "dense_ffn", "routed_experts",
        "shared_experts", "router", "head",
    ]  # fmt: skip


def test_elements_are_tagged_by_tensor_and_group():
    wanted = Tags(component="attention", tensor="q_a_proj", group="groups.1")
    found = [line for line in values_of("params deepseek-v3").walk() if line.tags == wanted]
    assert {line.value for line in found} == {58 * 1536 * 7168}


def test_memory_of_a_rank_is_tagged_by_rank_and_class():
    named = values_of("memory deepseek-v3 --layout v3-pretrain --hardware h800").named()
    assert named["memory.rank.3.weights"].tags == Tags(quantity="weights", rank=3)
    assert named["memory.layer.groups.1.weights"].tags == Tags(quantity="weights", group="groups.1")


def test_a_name_changes_and_the_tags_stay():
    line = given("a", 1, "B", tags=Tags(component="head"))
    assert line.renamed("b").tags == Tags(component="head")
    assert given("a", 1, "B").tags is UNTAGGED


class Some(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines of each form that a field may have."""

    first: object
    many: tuple
    by_name: dict
    other: object
    none: object = None


def test_lines_of_a_result_stand_in_the_order_of_its_fields():
    lines = [given(name, number, "1") for number, name in enumerate("abcdef")]
    a, b, c, d, e, f = lines
    inner = Some(first=e, many=(), by_name={}, other=f)
    found = Some(first=a, many=(b, c), by_name={"x": d}, other=inner)
    assert found.lines == [*found] == lines
    assert combined("sum", "sum", found.lines).value == total("all", [*found]).value == 15
