"""Mutated presets and configs: a valid answer or a refusal, never a traceback, a hang or a NaN."""

import contextlib
import io
import json
import signal
import string
import tempfile
from pathlib import Path

import pytest
from drawn import examples
from hypothesis import assume, given
from hypothesis import strategies as st

from dsv3calc.__main__ import run
from dsv3calc.catalogue.search_path import FOLDERS, packaged_presets
from dsv3calc.exit_status import ExitStatus

PRESETS = Path(packaged_presets())
CONFIGS = Path(__file__).parents[1] / "importers" / "configs"
LIMIT = 10  # seconds for one query, on a busy machine

MODELS = [path.read_text("utf-8") for path in sorted((PRESETS / "models").glob("*.yaml"))]
HARDWARE = [path.read_text("utf-8") for path in sorted((PRESETS / "hardware").glob("*.yaml"))]
OTHERS = [
    (kind, path.read_text("utf-8"))
    for kind in ("precision", "kv_format", "comparison")
    for path in sorted((PRESETS / FOLDERS[kind]).glob("*.yaml"))
]
JSON = [path.read_text("utf-8") for path in sorted(CONFIGS.glob("*.json"))]

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs alarms")

NASTY = st.sampled_from(
    [
        "-1", "0", "1", "2", "7", "7K", "1e400", "1e30", "1e15", "1000000", "9" * 39,
        "1" + "0" * 400,
        ".nan", ".inf", "NaN", "null", "true", "yes", "~", "''", '"x"', "[]", "{}", "[1]", "{a: 1}",
        '{"a": 1}', "&a x", "*a", "!!int 3", "1:30", "0o17", "0x1F", "1.5", "1e-300", "80 GB",
        "3.35 TB/s", "\x1b[31m", "\x00", "\u2028", "é", "../../etc/passwd", "/dev/zero", "-", ":",
        "::0", "0:99999", "rest", "%", "#", "\t", "'", '"', "\\", "<<: x",
    ]
)  # fmt: skip


@st.composite
def mutated(draw, texts):
    """Draw a text with up to four edits: of a value, of a line, of characters, or a cut."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(1, 4))):
        text = draw(EDITS)(draw, text)
    return text


def change_value(draw, text):
    """Put something nasty where a value stands."""
    lines = text.split("\n")
    number = draw(st.integers(0, len(lines) - 1))
    head, colon, tail = lines[number].partition(":")
    if colon:
        comma = "," if tail.rstrip().endswith(",") else ""
        lines[number] = f"{head}: {draw(NASTY)}{comma}"
    return "\n".join(lines)


def change_number(draw, text):
    """Put another number where one stands: the file often stays valid."""
    places = [i for i, letter in enumerate(text) if letter in string.digits]
    if not places:
        return text
    place = draw(st.sampled_from(places))
    return text[:place] + draw(st.sampled_from("0123456789")) + text[place + 1 :]


def move_line(draw, text):
    """Leave a line out, repeat it, or put it elsewhere."""
    lines = text.split("\n")
    line = lines.pop(draw(st.integers(0, len(lines) - 1)))
    for _ in range(draw(st.integers(0, 2))):
        lines.insert(draw(st.integers(0, len(lines))), line)
    return "\n".join(lines)


def change_characters(draw, text):
    """Put any characters anywhere."""
    place = draw(st.integers(0, len(text)))
    length = draw(st.integers(0, 5))
    return text[:place] + draw(st.text(max_size=5)) + text[place + length :]


def cut(draw, text):
    """Keep the beginning alone."""
    return text[: draw(st.integers(0, len(text)))]


EDITS = st.sampled_from(
    [change_value, change_value, change_number, move_line, change_characters, cut]
)


class HangError(Exception):
    """The query took too long."""


@contextlib.contextmanager
def limited():
    def late(_number, _frame):
        raise HangError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def numbers(value):
    """Yield every number of a document."""
    if isinstance(value, dict):
        for each in value.values():
            yield from numbers(each)
    elif isinstance(value, list):
        for each in value:
            yield from numbers(each)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def check(
    ending, text, *commands, statuses=(ExitStatus.OK, ExitStatus.INVALID_INPUT), lacking=("",)
):
    """Ask the commands about the text; ``{}`` stands for its file.

    ``lacking`` are the words of which a refusal of the query has some.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"mine{ending}")
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        found = [
            one([str(path) if word == "{}" else word for word in command], statuses, lacking)
            for command in commands
        ]
        assert [each.name for each in Path(folder).iterdir()] == [path.name]
    return found


def one(arguments, statuses, lacking=("",)):
    out, err = io.StringIO(), io.StringIO()
    with limited(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run([*arguments, "--json"])
    assert status in statuses, err.getvalue()
    if status == ExitStatus.OK:
        found = json.loads(out.getvalue(), parse_constant=pytest.fail)
        for column in found["columns"]:
            assert all(number >= 0 for number in column["values"].values())
            assert column["values"].get("parameters.total", 1) > 0
        assert all(number == number for number in numbers(found))  # noqa: PLR0124 - no NaN
    else:
        assert out.getvalue() == ""
        errors = json.loads(err.getvalue())["errors"]
        assert errors
        assert all(error["what"] for error in errors)
        if status == ExitStatus.USAGE:
            assert all(any(word in error["what"] for word in lacking) for error in errors)
        if status == ExitStatus.INVALID_INPUT:
            assert all(error["kind"] in ("invalid-input", "file") for error in errors)
    return status


# A preset names its precision: of an unknown one, the question is at fault.
MAY_NAME_OTHERS = (ExitStatus.OK, ExitStatus.INVALID_INPUT, ExitStatus.USAGE)


@given(text=mutated(MODELS))
@examples(120)
def test_models(text):
    one_, two = check(
        ".yaml", text, ["params", "{}"], ["kv", "{}", "--tokens", "1000"], statuses=MAY_NAME_OTHERS
    )
    if one_ == ExitStatus.OK:
        assert two == ExitStatus.OK
        check(".yaml", text, ["flops", "{}", "--phase", "decode"], ["presets", "show", "{}"])
    if ExitStatus.USAGE not in (one_, two):
        check(".yaml", text, ["presets", "validate", "{}"])


@given(text=mutated(JSON))
@examples(120)
def test_configs(text):
    (status,) = check(".json", text, ["params", "{}"])
    if status == ExitStatus.OK:
        check(".json", text, ["flops", "{}"], ["kv", "{}"], ["import", "{}"], statuses=(status,))


@given(text=mutated(HARDWARE))
@examples(60)
def test_hardware(text):
    """A preset may lack a bandwidth or a peak: then the query is refused, not the file."""
    command = ["compare", "deepseek-v3", "--hardware", "{}"]
    check(".yaml", text, command, statuses=MAY_NAME_OTHERS, lacking=("bandwidth of", "no peak for"))


@given(data=st.data())
@examples(60)
def test_the_other_kinds(data):
    kind, original = data.draw(st.sampled_from(OTHERS))
    text = data.draw(mutated([original]))
    commands = {
        "precision": ["params", "deepseek-v3", "--precision", "{}"],
        "kv_format": ["kv", "deepseek-v3", "--kv-dtype", "{}"],
        "comparison": ["compare", "{}"],
    }
    check(".yaml", text, commands[kind], statuses=MAY_NAME_OTHERS)


@given(text=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@examples(60)
def test_anything(text):
    with tempfile.TemporaryDirectory() as folder:
        for ending in (".yaml", ".json"):
            path = Path(folder, f"any{ending}")
            path.write_bytes(text)
            assert one(["params", str(path)], (ExitStatus.INVALID_INPUT,))


NAMES = st.sampled_from(
    [
        "hidden_size", "num_hidden_layers", "groups", "groups.0", "groups.1.attention",
        "groups.1.feed_forward.n_routed_experts", "attention.kv_lora_rank", "mtp", "precision",
        "name", "title", "sources", "provenance.default", "layers", "num_experts_per_tok", "x", "",
        "hardware.peaks.bf16", "hardware.memory.bandwidth", "precision.formats", "kv_format.bits",
    ]
) | st.text(max_size=12)  # fmt: skip


@given(
    name=NAMES, value=NASTY | st.integers().map(str) | st.floats().map(str) | st.text(max_size=9)
)
@examples(150)
def test_sets(name, value):
    arguments = ["compare", "deepseek-v3", "--hardware", "h800", "--set", f"{name}={value}"]
    one(arguments, MAY_NAME_OTHERS)


WORDS = st.sampled_from(
    [
        "params", "flops", "kv", "compare", "deepseek-v3", "llama-2-70b", "h800", "--by", "layer",
        "--phase", "decode", "train", "--seq", "--batch", "--past", "--tokens", "--fit", "--mla",
        "absorbed", "--as", "transformers", "--convention", "isca25-table2", "--with-mtp", "--vary",
        "deepseek-v3:attention=mqa", "--hardware", "--set", "vocab_size=7", "--rows", "kv_cache",
        "--baseline", "--exact", "--precision", "bf16", "int4", "--kv-dtype", "fp8", "--head",
        "out",
        "--counting", "six-n", "--attention", "half", "--last-logit", "--include", "mtp", "presets",
        "list", "conventions", "1", "128k", "1e15", "40GiB", "-1", "nan", "", "-", "--", "-h",
    ]
)  # fmt: skip


BEGINNINGS = st.sampled_from(
    [[], ["params", "deepseek-v3"], ["flops", "llama-2-70b"], ["kv", "gemma-3-27b"],
     ["compare", "deepseek-v3", "llama-2-70b"], ["presets"], ["conventions", "list"]]
)  # fmt: skip


@given(before=BEGINNINGS, after=st.lists(WORDS | st.text(max_size=6), max_size=6))
@examples(150)
def test_any_words(before, after):
    words = [*before, *after]
    assume(not any(word.startswith(("-o", "--output")) for word in words))
    out, err = io.StringIO(), io.StringIO()
    stdin = io.TextIOWrapper(io.BytesIO(b""))
    with (
        limited(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("sys.stdin", stdin)
        status = run(words)
    assert status in MAY_NAME_OTHERS, err.getvalue()
    assert bool(out.getvalue()) == (status == ExitStatus.OK)
