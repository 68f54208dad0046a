import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, Literal, Optional

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from dsv3calc.errors import InvalidInput
from dsv3calc.reading.source import Source
from dsv3calc.reading.text import MOST_PROBLEMS
from dsv3calc.schema.convert import convert

Size = Annotated[int, Meta(ge=1, le=2**40)]
Bytes = Annotated[int, Meta(ge=1, extra={"dimension": "bytes"})]
RATE = Meta(gt=0, le=10**18, extra={"dimension": "bytes/s"})
Rate = Annotated[int, RATE] | Annotated[float, RATE]  # msgspec bounds no union of numbers as one
SECONDS = Meta(ge=0, extra={"dimension": "s"})
Seconds = Annotated[int, SECONDS] | Annotated[float, SECONDS]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class MLA(Part, frozen=True, tag="mla", tag_field="kind"):
    kv_lora_rank: Size
    qk_rope_head_dim: Size

    def problems(self):
        if self.qk_rope_head_dim > self.kv_lora_rank:
            yield ("qk_rope_head_dim",), "the rope part exceeds the latent", "it is a part of it"


class GQA(Part, frozen=True, tag="gqa", tag_field="kind"):
    num_key_value_heads: Size


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Memory(Part, frozen=True):
    marketed: Bytes
    bandwidth: Rate
    usable: Bytes | None = None


class Model(Part, frozen=True):
    name: Annotated[str, Meta(min_length=1, max_length=20, pattern="^[a-z0-9-]+$")]
    hidden_size: Annotated[int, Meta(ge=1, multiple_of=8, description="tensor cores need eights")]
    attention: MLA | GQA
    memory: Memory | None = None
    norm: Literal["rms", "layer"] = "rms"
    colour: Colour = Colour.RED
    ratio: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    tied: bool = False
    extra: Any = None
    layers: Annotated[list[Size], Meta(min_length=1, max_length=3)] = msgspec.field(
        default_factory=lambda: [1]
    )
    pair: tuple[int, float] = (1, 1.0)
    peaks: dict[str, Rate] = msgspec.field(default_factory=dict)
    seconds: Optional[Seconds] = None  # noqa: UP045 - people write both
    rows: Sequence[Mapping[str, Size]] = ()
    first: Literal[0, 1] | None = None
    children: list["Model"] = msgspec.field(default_factory=list)

    def problems(self):
        if self.tied and self.norm == "layer":
            yield (), "tied with layer", "a made-up rule"
            yield ("nowhere", 3), "not in the text", ""


GOOD = """\
name: v3
hidden_size: 7168
attention:
  kind: mla
  kv_lora_rank: 512
  qk_rope_head_dim: 64
"""


def read(text, type_=Model, **more):
    source = Source("a.yaml", text)
    return convert(source, source.data, type_, **more)


def problems(text, **more):
    with pytest.raises(InvalidInput) as caught:
        read(text, **more)
    assert str(caught.value)
    return caught.value.problems


def refused(text, **more):
    (problem,) = problems(text, **more)
    return problem


def test_what_is_right():
    model = read(GOOD)
    assert model == Model(
        name="v3", hidden_size=7168, attention=MLA(kv_lora_rank=512, qk_rope_head_dim=64)
    )


def test_quantities_in_words_and_integers_with_an_exponent():
    text = GOOD.replace("7168", "8e3") + (
        "memory: {marketed: 80 GiB, bandwidth: 3.35 TB/s, usable: 8.5e10}\n"
        "layers: [1e3, 2]\npair: [1e2, 3]\npeaks: {a: 400Gbps, b: 1e12, c: 2.5}\nseconds: 3.6us\n"
        "rows: [{x: 1e1}]\nchildren:\n- {name: a, hidden_size: 8e0, attention:"
        " {kind: gqa, num_key_value_heads: 1e1}}\n"
    )
    source = Source("a", text)
    before = json.dumps(source.data)
    model = convert(source, source.data, Model)
    assert json.dumps(source.data) == before
    assert model.hidden_size == 8000
    assert model.memory == Memory(
        marketed=80 * 2**30, bandwidth=3_350_000_000_000, usable=85_000_000_000
    )
    assert type(model.memory.bandwidth) is int
    assert model.layers == [1000, 2]
    assert model.pair == (100, 3.0)
    assert model.peaks == {"a": 5 * 10**10, "b": 10**12, "c": 2.5}
    assert type(model.peaks["b"]) is int
    assert model.seconds == 3.6e-6
    assert model.rows[0] == {"x": 10}
    assert model.children[0].attention.num_key_value_heads == 10


def test_quantity_types_that_are_no_structs():
    source = Source("a", "x: 1 us")
    seconds = Annotated[int | float, Meta(extra={"dimension": "s"})]
    assert convert(source, {"x": "1 us"}, dict[str, seconds]) == {"x": 1e-6}
    with pytest.raises(InvalidInput) as caught:
        convert(source, {"x": "1 parsec"}, dict[str, seconds])
    assert (caught.value.problems[0].line, caught.value.problems[0].column) == (1, 4)


ADD = GOOD.count("\n") + 1  # the line of what is added


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "path", "what", "valid", "suggestion"),
    [
        ("name", "nmae", None, None, None, None, None, None),
        ("hidden_size: 7168", "hidden_size: big", 2, 14, "hidden_size", "'big'", "integer", ""),
        ("7168", "'7_168'", 2, 14, "hidden_size", "'7_168'", "integer", "7168"),
        ("7168", "'7168.0'", 2, 14, "hidden_size", "'7168.0'", "integer", "7168"),
        ("7168", "7168.25", 2, 14, "hidden_size", "7168.25", "an integer", "7168"),
        ("7168", "0", 2, 14, "hidden_size", "0", "at least 1", ""),
        ("7168", "7169", 2, 14, "hidden_size", "no multiple", "a multiple of 8", ""),
        ("7168", "~", 2, 14, "hidden_size", "null", "an integer", ""),
        ("7168", "true", 2, 14, "hidden_size", "true", "an integer", ""),
        ("7168", "{}", 2, 14, "hidden_size", "a mapping", "an integer", ""),
        ("7168", "[1]", 2, 14, "hidden_size", "a list", "an integer", ""),
        ("v3", "''", 1, 7, "name", "0 characters", "at least 1 character", ""),
        ("v3", "V3", 1, 7, "name", "'V3'", "of the form", ""),
        ("v3", "3", 1, 7, "name", "3", "a text", '"3"'),
        ("mla", "mlaa", 4, 9, "attention.kind", "'mlaa'", "mla, gqa", "mla"),
        ("mla", "3", 4, 9, "attention.kind", "3", "mla, gqa", ""),
        ("  kind: mla\n", "", 3, 1, "attention.kind", "missing field 'kind'", "mla, gqa", ""),
        ("512", "2e12", 5, 17, "attention.kv_lora_rank", "outside", "1,099,511,627,776", ""),
        ("512", "1 GiB", 5, 17, "attention.kv_lora_rank", "'1 GiB'", "an integer", ""),
        ("$", "norm: rsm", ADD, 7, "norm", "'rsm'", "rms, layer", "rms"),
        ("$", "norm: 1", ADD, 7, "norm", "one of its values", "rms, layer", ""),
        ("$", "colour: green", ADD, 9, "colour", "'green'", "red, blue", ""),
        ("$", "ratio: 1.0", ADD, 8, "ratio", "outside", "less than 1", ""),
        ("$", "ratio: 0", ADD, 8, "ratio", "outside", "more than 0", ""),
        ("$", "tied: yes", ADD, 7, "tied", "'yes'", "true or false", "true"),
        ("$", "tied: Off", ADD, 7, "tied", "'Off'", "true or false", "false"),
        ("$", "tied: 1", ADD, 7, "tied", "1", "true or false", ""),
        ("$", "layers: []", ADD, 9, "layers", "0 items", "at least 1 item", ""),
        ("$", "layers: [1,2,3,4]", ADD, 9, "layers", "4 items", "at most 3 items", ""),
        ("$", "layers: [1, x]", ADD, 13, "layers[1]", "'x'", "an integer", ""),
        ("$", "layers: 3", ADD, 9, "layers", "3", "a list", ""),
        ("$", "pair: [1]", ADD, 7, "pair", "1 items, not 2", "a list of 2", ""),
        ("$", "pair: [1, x]", ADD, 11, "pair[1]", "'x'", "a number", ""),
        ("$", "peaks: {a: 3 GB}", ADD, 12, "peaks.a", "'GB'", "3.35TB/s", "3 GB/s"),
        ("$", "peaks: {a: -3 GB/s}", ADD, 12, "peaks.a", "outside", "more than 0", ""),
        ("$", "peaks: {a: ~}", ADD, 12, "peaks.a", "null", "a quantity such as", ""),
        ("$", "peaks: []", ADD, 8, "peaks", "a list", "a mapping", ""),
        ("$", "memory: {marketed: 1, bandwith: 3}", None, None, None, None, None, None),
        ("$", "memory: 80GiB", ADD, 9, "memory", "'80GiB'", "a mapping or null", ""),
        ("$", "rows: [{a: 1}, {b: 0}]", ADD, 20, "rows[1].b", "outside", "at least 1", ""),
        ("$", "first: 2", ADD, 8, "first", "2", "0, 1", ""),
        ("$", "first: true", ADD, 8, "first", "true", "0, 1", ""),
        ("$", "children: [{}]", None, None, None, None, None, None),
    ],
)
def test_single_faults(old, new, line, column, path, what, valid, suggestion):
    text = GOOD + new if old == "$" else GOOD.replace(old, new, 1)
    found = problems(text)
    if line is None:  # several faults: see below
        assert len(found) > 1
        return
    (problem,) = found
    assert (problem.line, problem.column, problem.path) == (line, column, path)
    assert what in problem.what
    assert valid in problem.valid
    assert problem.suggestion == suggestion
    assert problem.source_line == text.splitlines()[line - 1]


def test_the_reason_is_the_description_of_the_field():
    assert refused(GOOD.replace("7168", "7169")).why == "tensor cores need eights"


def test_all_problems_with_their_places():
    found = problems(
        "nmae: v3\nhidden_size: x\nattention:\n  kind: mla\n  kv_lora: 0\n"
        "  qk_rope_head_dim: 0\nunknown: 1\nlayers: [0, 1e1, y]\n"
    )
    assert [(p.line, p.column, p.path, p.suggestion) for p in found] == [
        (1, 1, "nmae", "name"),
        (1, 1, "name", ""),
        (2, 14, "hidden_size", ""),
        (3, 1, "attention.kv_lora_rank", ""),
        (5, 3, "attention.kv_lora", "kv_lora_rank"),
        (6, 21, "attention.qk_rope_head_dim", ""),
        (7, 1, "unknown", ""),
        (8, 10, "layers[0]", ""),
        (8, 18, "layers[2]", ""),
    ]
    assert "missing field 'name'" in found[1].what


@pytest.mark.parametrize("text", ["3", "[]", "text", "~"])
def test_what_is_no_mapping(text):
    problem = refused(text)
    assert "the input is" in problem.what
    assert problem.valid == "a mapping"
    assert (problem.line, problem.column) == (1, 1)


def test_the_sense_of_several_fields():
    found = problems(
        GOOD.replace("64", "640")
        + "tied: true\nnorm: layer\nchildren:\n- name: a\n  hidden_size: 8\n"
        "  attention: {kind: mla, kv_lora_rank: 1, qk_rope_head_dim: 2}\n"
    )
    assert [(p.line, p.column, p.path, p.what) for p in found] == [
        (1, 1, "", "tied with layer"),
        (1, 1, "nowhere[3]", "not in the text"),
        (6, 21, "attention.qk_rope_head_dim", "the rope part exceeds the latent"),
        (12, 61, "children[0].attention.qk_rope_head_dim", "the rope part exceeds the latent"),
    ]
    assert found[2].why == "it is a part of it"


def test_overrides_are_named_as_typed():
    source = Source("a.yaml", GOOD)
    data = source.data | {"hidden_size": "x", "memory": {"marketed": 1}, "name": "V3"}
    overrides = {("hidden_size",): "hidden_size=x", ("memory",): "--set memory.marketed=1"}
    with pytest.raises(InvalidInput) as caught:
        convert(source, data, Model, file_label="presets/a.yaml", overrides=overrides)
    assert [(p.file, p.line, p.path) for p in caught.value.problems] == [
        ("presets/a.yaml", 1, "name"),
        ("--set hidden_size=x", None, "hidden_size"),
        ("--set memory.marketed=1", None, "memory.bandwidth"),
    ]
    assert str(caught.value.problems[1]).startswith("--set hidden_size=x: error: hidden_size is")


def test_an_error_of_the_constructor_is_kept():
    class Odd(msgspec.Struct):
        number: int

        def __post_init__(self):
            if self.number % 2 == 0:
                raise ValueError("even")

    class Row(msgspec.Struct):
        row: list[Odd]

    text = "row:\n- number: 3\n- number: 4\n"
    for type_, path, line in ((Row, "row[1]", 3), (dict[str, list[Odd]], "", 1)):
        with pytest.raises(InvalidInput) as caught:
            read(text, type_)
        (problem,) = caught.value.problems
        assert (problem.what, problem.path, problem.line) == ("even", path, line)


def test_a_struct_with_a_tag_that_stands_alone():
    assert read("kind: gqa\nnum_key_value_heads: 8", GQA) == GQA(num_key_value_heads=8)
    assert read("num_key_value_heads: 8", GQA) == GQA(num_key_value_heads=8)
    with pytest.raises(InvalidInput, match="'mla', which is not known"):
        read("kind: mla\nnum_key_value_heads: 8", GQA)


def test_unknown_fields_where_they_are_allowed():
    class Open(msgspec.Struct):
        a: int = 0

    assert read("a: 1\nb: 2", Open) == Open(a=1)


def test_renamed_fields_go_by_their_names_in_the_file():
    class Renamed(msgspec.Struct, rename="camel"):
        hidden_size: Size

        def problems(self):
            if self.hidden_size == 7:
                yield ("hiddenSize",), "seven", ""

    assert read("hiddenSize: 1e3", Renamed).hidden_size == 1000
    for value, what in (("0", "outside"), ("7", "seven")):
        with pytest.raises(InvalidInput, match=what) as caught:
            read(f"hiddenSize: {value}", Renamed)
        assert caught.value.problems[0].column == 13


def test_problems_are_bounded():
    assert len(problems(GOOD + "peaks: {" + ", ".join(f"k{n}: x" for n in range(500)) + "}")) == (
        MOST_PROBLEMS
    )


def test_hostile_values_are_quoted_safely():
    found = problems(GOOD + f'"\\e[2J": 1\nnorm: "{"x" * 10**5}\\e[31m"\n')
    for problem in found:
        assert len(str(problem)) < 2000
        assert all(line.isprintable() for line in str(problem).split("\n"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["mla", "1 GB", ""]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*Model.__struct_fields__, "kind", "kv_lora_rank", "marketed"]), inner
        )
    ),
    max_leaves=15,
)


@given(VALUES)
def test_any_data_is_a_model_or_refused(data):
    source = Source("a.yaml", GOOD)
    try:
        model = convert(source, data, Model)
    except InvalidInput as error:
        assert error.problems  # noqa: PT017 - either way is right
    else:
        assert isinstance(model, Model)


@given(st.dictionaries(st.sampled_from(Model.__struct_fields__), VALUES, max_size=3))
def test_any_edit_is_a_model_or_refused(edit):
    source = Source("a.yaml", GOOD)
    edited = source.data | edit
    try:
        model = convert(source, edited, Model, overrides={(name,): f"{name}=…" for name in edit})
    except InvalidInput as error:
        assert all(p.file.startswith("--set") or p.what for p in error.problems)  # noqa: PT017
    else:
        assert msgspec.to_builtins(model)["attention"]["kind"] == "mla" or "attention" in edit
