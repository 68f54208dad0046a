"""A command line that is read without typer is read as typer reads it."""

import io
import shlex
from contextlib import redirect_stdout

import pytest
from drawn import examples
from hypothesis import example, given
from hypothesis import strategies as st

from dsv3calc.cli import load_command
from dsv3calc.commands.plain_query import read_plain
from dsv3calc.commands.tree import build_group
from dsv3calc.errors import UsageError
from dsv3calc.queries.fields import fields_of
from dsv3calc.queries.output import QueryOutputArguments
from dsv3calc.queries.table import QUERIES, struct_of

VALUES = (
    "deepseek-v3", "4096", "128k", "0", "1.5", "", "-", "-1", "--", "fp8", "h800", "a=b", "x,y",
    "--json", "-o", "-o=x", "-ox", "-h", "--help", "--version", "--unknown", "--set", "ep", "kv",
)  # fmt: skip


def options_of(words):
    """Return the options of a command, old ones and those of the output among them."""
    structs = (struct_of(QUERIES[words]), QueryOutputArguments)
    fields = [field for struct in structs for field in fields_of(struct).values()]
    return sorted({
        option for field in fields for option in (field.flag, field.option.short, *field.option.old)
    } - {""})  # fmt: skip


OPTIONS = {words: options_of(words) for words in QUERIES}


@st.composite
def command_lines(draw):
    """Draw a command with words that it has, and some that it has not."""
    words = draw(st.sampled_from(sorted(QUERIES)))
    option = st.sampled_from(OPTIONS[words])
    value = st.sampled_from(VALUES)
    piece = st.one_of(
        st.tuples(value),
        st.tuples(option),
        st.tuples(option, value),
        st.builds(lambda name, text: (f"{name}={text}",), option, value),
    )
    pieces = draw(st.lists(piece, max_size=5))
    before = draw(st.sampled_from(([], ["explain"])))
    model = draw(st.sampled_from(([], ["deepseek-v3"])))
    return [*before, *words.split(), *model, *(word for each in pieces for word in each)]


def outcome(read):
    """Return the request that was read in comparable parts, or the words of the refusal."""
    try:
        found = read()
    except UsageError as error:
        return error.message, error.hint
    except Exception as error:
        if hasattr(error, "format_message"):
            return "refused by typer"
        raise
    if found is None or isinstance(found, int):
        return found
    return found.query, found.output, found.source is None


def by_typer(arguments):
    return build_group(load_command).main(
        args=arguments, prog_name="dsv3calc", standalone_mode=False
    )


@examples(600)
@given(command_lines())
@example(["kv", "deepseek-v3", "--tokens", "4096", "--context", "4096"])
@example(["kv", "deepseek-v3", "--context", "1", "--tokens", "2"])
@example(["limits", "ep", "a", "--model", "b", "--hardware", "h800"])
@example(["compare", "a", "--vary", "b", "c", "--vary=d", "--", "--json"])
@example(["formula", "eval", "stored_bytes", "bits=8", "--format=json"])
def test_both_read_alike(arguments):
    plain = outcome(lambda: read_plain(arguments, load_command))
    if plain is not None:
        with redirect_stdout(io.StringIO()):  # where typer reads a --help
            assert plain == outcome(lambda: by_typer(arguments))


@pytest.mark.parametrize(
    "line",
    [
        "kv deepseek-v3",
        "kv deepseek-v3 --context 128k --batch=32 --json",
        "flops deepseek-v3 --phase decode --past 8192 -o x.json --force",
        "memory deepseek-v3 --layout v3-pretrain --hardware h800 --set a=b --set c=d",
        "limits ep --model deepseek-v3 --hardware h800",
        "compare a b c --rows flops,kv_cache",
        "explain kv deepseek-v3 --line kv_cache.bytes",
        "formula eval stored_bytes bits=8 elements=1",
    ],
)
def test_what_is_plain_does_not_need_typer(line):
    assert read_plain(shlex.split(line), load_command) is not None


@pytest.mark.parametrize(
    "line",
    [
        "", "--version", "kv", "kv --help", "kv deepseek-v3 --json=1", "kv a b", "presets list",
        "kv deepseek-v3 --unknown 1", "kv deepseek-v3 --batch 1 --batch 2", "kv a --context",
        "limits", "limits ep deepseek-v3", "explain", "explain presets list", "kv a -ox",
    ],
)  # fmt: skip
def test_the_rest_is_left_to_typer(line):
    assert read_plain(shlex.split(line), load_command) is None


def test_completion_is_left_to_typer(monkeypatch):
    monkeypatch.setenv("_DSV3CALC_COMPLETE", "complete_bash")
    assert read_plain(["kv", "deepseek-v3"], load_command) is None
