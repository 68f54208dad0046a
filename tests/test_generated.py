"""What scripts write is what stands in the repository."""

import re

import pytest
from load_script import ROOT, load_script

from dsv3calc.formulas.registry.docstring import SECTIONS, Docstring
from dsv3calc.formulas.registry.glossary import INTERMEDIATE, SYMBOLS
from dsv3calc.formulas.registry.registry import SUBJECTS, all_formulas
from dsv3calc.symbolic.equations_of_formula import equations
from dsv3calc.symbolic.term import record

fresh = load_script("fresh")
docs = load_script("generate_docs")
schemas = load_script("generate_schemas")
update = load_script("update_equations")
FORMULAS = all_formulas()
PAGES = docs.files()


@pytest.mark.parametrize("path", sorted((ROOT / "dsv3calc/formulas").glob("*.py")), ids=str)
def test_equations_in_docstrings_are_fresh(path):
    text = path.read_text(encoding="utf-8")
    assert update.updated(text) == text, "run python scripts/update_equations.py"


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_fresh(name):
    assert not fresh.stale({name: PAGES[name]}), "run python scripts/generate_docs.py"


@pytest.mark.parametrize("name", schemas.files())
def test_schemas_are_fresh(name):
    text = schemas.files()[name]
    assert not fresh.stale({name: text}), "run python scripts/generate_schemas.py"


SOURCE = '''
@formula(r"B_\\mathrm{kv}")
def cache_bytes(batch: Count) -> Bytes:
    """Give the bytes.

    .. math:: @

    Parameters
    ----------
    """


def helper():
    """Left alone.

    .. math:: @
    """
'''


def test_an_equation_is_written_in_place():
    once = update.updated(SOURCE)
    assert '    r"""Give the bytes.\n\n    .. math:: B_\\mathrm{kv} = B \\ell T' in once
    assert "B_\\mathrm{entry}\n\n    Parameters\n" in once
    assert once.endswith('    .. math:: @\n    """\n')
    assert update.updated(once) == once


def test_an_old_equation_of_several_lines_is_replaced():
    old = SOURCE.replace(".. math:: @", ".. math::\n\n        x &= y \\\\\n        y &= 1", 1)
    assert update.updated(old) == update.updated(SOURCE)


def test_a_docstring_without_a_place_is_named():
    with pytest.raises(ValueError, match="cache_bytes has no"):
        update.updated(SOURCE.replace(".. math:: @", "", 1))


def test_long_equations_stay_within_the_page():
    block = update.math_block(["y = " + " + ".join(["a_b"] * 60)])
    assert block[:2] == ["    .. math::", ""]
    assert len(block) > 3
    assert max(map(len, block)) <= 100
    assert update.math_block(["a = b", "b = c"]) == [
        "    .. math::", "", r"        a &= b \\", "        b &= c",
    ]  # fmt: skip


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=str)
def test_docstrings_come_apart(formula):
    told = Docstring(formula.function.__doc__)
    assert re.fullmatch(r"[A-Z].*\.", told.summary)
    assert told.equation
    assert "@" not in told.equation
    assert [name for names, _ in told.parameters for name in names] == list(formula.parameters)
    assert all(words for _, words in told.parameters)
    assert all((told.returns, told.notes, told.source))
    assert ">>>" in told.examples


def test_a_docstring_by_example():
    told = Docstring(
        """Say one thing
        on two lines.

        More.

        .. math::

            a &= b \\\\
            b &= 1

        Less.

        Parameters
        ----------
        one, two
            Both,
            together.
        three
            Alone.

        Returns
        -------
        What is left.

        Examples
        --------
        With words:

        >>> 1
        1
        """
    )
    assert told.summary == "Say one thing on two lines."
    assert told.equation == ["a &= b \\\\", "b &= 1"]
    assert told.parameters == [(("one", "two"), "Both, together."), (("three",), "Alone.")]
    assert told.returns == "What is left."
    assert told.examples == "With words:\n\n>>> 1\n1"
    assert told.notes == told.source == ""
    assert Docstring("One line.").summary == "One line."
    assert SECTIONS[-1] == "Source"


def test_the_formula_page_has_every_formula_once():
    page = PAGES["docs/reference/formulas.md"]
    for name, formula in FORMULAS.items():
        assert page.count(f"\n### {name}\n") == 1
        assert equations(formula)[0].split(" = ", 1)[1] in page
    assert page.count("\n## ") == len(SUBJECTS) + 1  # and the use
    assert "``" not in page.replace("```", "")


def test_links_inside_the_pages_lead_somewhere():
    headings = set(re.findall(r"^### (\w+)$", PAGES["docs/reference/formulas.md"], re.MULTILINE))
    for page in PAGES.values():
        titles = re.findall(r"^## ([\w.-]+)$", page, re.MULTILINE)
        own = {title.replace(".", "") for title in titles}  # as GitHub makes its anchors
        assert set(re.findall(r"\((?:reference/formulas\.md)?#([\w.-]+)\)", page)) <= headings | own


def test_the_symbol_page_has_every_name_and_unit():
    page = PAGES["docs/symbols.md"]
    for name, symbol in (SYMBOLS | INTERMEDIATE).items():
        assert page.count(f"\n| `{name}` | ${symbol.latex}$ | `{symbol.unit}` |") == 1
    units = {symbol.unit for symbol in SYMBOLS.values()}
    units |= {formula.unit for formula in FORMULAS.values()}
    assert units <= set(docs.UNIT_WORDS)


def test_steps_are_explained_where_they_are_used():
    for formula in FORMULAS.values():
        steps = set(record(formula.function)[1])
        assert len(equations(formula)) == 1 + len(steps & set(INTERMEDIATE))


def test_check_writes_nothing(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(fresh, "ROOT", tmp_path)
    monkeypatch.setattr(fresh.sys, "argv", ["script", "--check"])
    assert fresh.write({"a/b.md": "text\n"}) == 1
    assert "a/b.md: stale" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(fresh.sys, "argv", ["script"])
    assert fresh.write({"a/b.md": "text\n"}) == 0
    assert (tmp_path / "a/b.md").read_text(encoding="utf-8") == "text\n"
    monkeypatch.setattr(fresh.sys, "argv", ["script", "--check"])
    assert fresh.write({"a/b.md": "text\n"}) == 0
