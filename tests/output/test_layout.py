"""Tables on terminals of any width: nothing is cut, and every number stays beside its label."""

import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_study import STUDY

from dsv3calc import cli
from dsv3calc.output import explanation, layout, table
from dsv3calc.output.layout import GAP, in_ascii, lines_of, wrap
from dsv3calc.output.options import OutputOptions
from dsv3calc.output.terminal import paint
from dsv3calc.output.view import Table, View, build
from dsv3calc.reading.diagnostics import text_width

CONFIG = Path(__file__).parents[1] / "importers" / "configs" / "qwen2.json"
LAYOUT = ["--layout", "v3-pretrain", "--hardware", "h800"]
MODELS = ["deepseek-v3", "gpt-oss-120b", "qwen2.5-72b", "llama-3.1-405b", "kimi-k2", "gemma-3-27b"]
MEMORY = ["memory", "deepseek-v3", *LAYOUT]
COMMANDS = {
    "compare": ["compare", *MODELS, "--hardware", "h800", "--batch", "8"],
    "params": ["params", "deepseek-v3", "--by", "layer"],
    "flops": ["flops", "deepseek-v3.2", "--phase", "decode", "--exact"],
    "kv": ["kv", "gemma-3-27b", "--fit", "40GiB"],
    "time": ["time", "deepseek-v3", "--hardware", "h800", "--batch", "64"],
    "train": ["train", "deepseek-v3", *LAYOUT, "--setup", "deepseek-dualpipe"],
    "memory": [*MEMORY, "--rank", "3"],
    "memory by tensor": [*MEMORY, "--by", "tensor"],
    "memory served": ["memory", "deepseek-v3", "--layout", "v3-prefill-ep32", "--hardware", "h800",
                      "--serve"],
    "memory as Megatron": [*MEMORY, "--as", "megatron"],
    "memory exact": [*MEMORY, "--exact"],
    "traffic": ["traffic", "deepseek-v3", *LAYOUT],
    "which": ["which", "--model", "qwen2.5-7b"],
    "search": ["search", "qwen2.5-7b", "--hardware", "h100", "--gpus", "8", "--pin",
               "schedule=1f1b,cp=1,mb=1"],
    "sweep": ["sweep", "study.yaml", "-o", "front.csv"],
    "host": ["host", "deepseek-v3", "--hardware", "rtx-4090", "--precision", "q4-k"],
    "failures": ["failures", "deepseek-v3", *LAYOUT, "--gpu-hours", "2.664M"],
    "validate": ["validate", "--area", "kernel_gemm", "--hardware", "b200"],
    "calibrate": ["calibrate", "--rows", "shipped", "--hardware", "h100", "--area",
                  "collective_other"],
    "limits ep": ["limits", "ep", "--model", "deepseek-v3", "--hardware", "h800"],
    "network": ["network", "ft3", "slim-fly", "dragonfly", "mpft", "--radix", "64"],
    "check": ["check", "numbers/kv.yaml"],
    "reproduce": ["reproduce", "isca25", "deepseek-v2"],
    "snapshot": ["snapshot", "kv deepseek-v3"],
    "diff": ["diff", "deepseek-v3", "kimi-k2"],
    "explain": ["explain", "params", "deepseek-v3"],
    "formula list": ["formula", "list"],
    "formula show": ["formula", "show", "cache_bytes"],
    "formula derive": ["formula", "derive", "memory.worst.total", "deepseek-v3", *LAYOUT,
                       "--free", "ep,tp"],
    "formula solve": ["formula", "solve", "kv_cache.bytes <= 1GiB", "gemma-3-27b", "--for",
                      "batch"],
    "formula sensitivity": ["formula", "sensitivity", "kv_cache.bytes", "gemma-3-27b"],
    "formula eval": ["formula", "eval", "unit_gpus", "unit_nodes=4", "gpus_per_node=8"],
    "presets list": ["presets", "list"],
    "presets show": ["presets", "show", "h800"],
    "presets where": ["presets", "where", "deepseek-v3"],
    "presets diff": ["presets", "diff", "deepseek-v3", "kimi-k2"],
    "presets new": ["presets", "new", "hardware", "ours"],
    "presets validate": ["presets", "validate", "numbers/kv.yaml"],
    "serve": ["serve", "llama-3.1-8b", "--hardware", "h100", "--tp", "1"],
    "import": ["import", str(CONFIG)],
    "conventions list": ["conventions", "list"],
    "eval": ["eval", "queries.txt"],
    "skill": ["skill"],
}  # fmt: skip
"""A command line for each command; a word after the command tells another view of it."""

NARROWEST, WIDEST = 40, 250
RULE = re.compile("[─│├└…]+")


def test_every_command_is_tried():
    commands = {
        f"{group} {name}".strip()
        for group, names in cli.COMMANDS.items()
        for name in names
        if group or name not in cli.GROUPS
    }
    assert commands <= COMMANDS.keys()


def widths_of(name):
    """Draw widths for a command, the same in every run, both ends among them."""
    between = random.Random(name).sample(range(NARROWEST + 1, WIDEST), 13)  # noqa: S311
    return sorted([NARROWEST, *between, WIDEST])


def words_of(text):
    return Counter(word for word in text.split() if not RULE.fullmatch(word))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_terminal_shows_all_that_a_file_has(name, golden_file, tmp_path, monkeypatch):
    golden_file = tmp_path / golden_file
    if name == "presets validate":
        golden_file.write_text(golden_file.read_text().replace("'<= 60KB'", "70272\n    id: b"))
    (tmp_path / "study.yaml").write_text(STUDY, "utf-8")
    (tmp_path / "queries.txt").write_text("kv deepseek-v3\ncompare deepseek-v3 kimi-k2\n")
    request = cli.parse(COMMANDS[name])
    found = request.answer()
    output = msgspec.structs.replace(request.output, notes="all")
    for answer in found if isinstance(found, Iterator) else [found]:
        plain = rendered(answer, output, None, monkeypatch)
        for width in widths_of(name):
            text = rendered(answer, output, width, monkeypatch)
            assert not words_of(plain) - words_of(text)
            if answer.view in ("explain", "derive") or answer.text:
                continue
            lines = text.splitlines()
            view = build(answer, exact=request.output.exact)
            for each in view.tables:
                for row in each.rows:
                    numbers = [row[i] for i in range(len(row)) if i not in each.left]
                    assert all(any(number in line for line in lines) for number in numbers)
            assert max(map(text_width, lines)) <= max(width, narrowest(view, width))


def rendered(answer, options, width, monkeypatch):
    for module in (table, explanation):
        monkeypatch.setattr(module, "terminal_width", lambda _: width)
    return table.render(answer, options, color=False)


def narrowest(view, width):
    """Return what the widest of the tables needs: its labels' longest words, and one column."""
    needed = [0]
    for each in view.tables:
        columns = list(zip(each.headings, *(row for row in each.rows if len(row) > 1), strict=True))
        words = [max(map(text_width, " ".join(cells).split())) for cells in columns]
        natural = [max(map(text_width, cells)) for cells in columns]
        labels = [
            min(most, max(word + 4, width // 6))
            for word, most in zip(words, natural[: each.labels], strict=False)
        ]
        others = [
            min(natural[i], max(words[i] + 12, width // 8)) if i in each.left else natural[i]
            for i in range(each.labels, len(columns))
        ]
        needed.append(1 + sum(labels) + GAP * len(labels) + max(others, default=0))
        needed += [2 + text_width(word) for row in each.rows for word in row[0].split()]
    return max(needed)


# --- tables of any kind ----------------------------------------------------------------------

LABELS = st.lists(st.text("abc", min_size=1, max_size=12), min_size=1, max_size=5).map(" ".join)


@st.composite
def tables(draw):
    columns = draw(st.integers(1, 8))
    headings = [f"h{column}" + "x" * draw(st.integers(0, 20)) for column in range(columns)]
    rows = [
        [f"n{number}.{column}" + "0" * draw(st.integers(0, 20)) for column in range(columns)]
        for number in range(draw(st.integers(1, 5)))
    ]
    labels = [draw(LABELS) for _ in rows]
    return Table(
        "", ["label", *headings], [[label, *row] for label, row in zip(labels, rows, strict=True)]
    )


def lines(drawn, width, told=()):
    return [line.text for line in lines_of(View([], [drawn]), list(told), width=width)]


@given(tables(), st.integers(30, 250))
def test_each_number_stands_on_the_line_of_its_label_under_its_heading(drawn, width):
    blocks = "\n".join(lines(drawn, width)).strip("\n").split("\n\n")
    found = {number: [] for number in range(len(drawn.rows))}
    headings = []
    for block in blocks:
        head, rule, *rest = block.split("\n")
        assert set(rule.strip()) == {"─"}
        shown = head.split()[1:]
        headings += shown
        ends = [re.search(rf"{heading}(?!\S)", head).end() for heading in shown]
        numbered = [line for line in rest if re.search(r"n\d\.\d", line)]
        assert len(numbered) == len(drawn.rows)
        for number, line in enumerate(numbered):
            cells = re.findall(r"n\d\.\d0*", line)
            found[number] += cells
            assert [line.index(cell) + len(cell) for cell in cells] == ends
            assert line.split()[0] == drawn.rows[number][0].split()[0]
        words = " ".join(re.sub(r"n\d\.\d0*", "", line) for line in rest).split()
        assert words == " ".join(row[0] for row in drawn.rows).split()
    assert headings == drawn.headings[1:]
    assert [found[number] for number in sorted(found)] == [row[1:] for row in drawn.rows]


@given(tables(), st.integers(20, 250))
def test_a_table_is_no_wider_than_it_must_be(drawn, width):
    label = max(text_width(word) for row in drawn.rows for word in ["label", *row[0].split()])
    cells = [cell for row in [drawn.headings, *drawn.rows] for cell in row[1:]]
    least = 1 + max(label + 2, width // 6) + GAP + max(map(len, cells))
    assert max(map(len, lines(drawn, width))) <= max(width, least)


def test_where_there_is_no_terminal_a_table_is_as_wide_as_it_is():
    drawn = Table("", ["what", *["number"] * 40], [["a long label", *["1,234,567 GiB"] * 40]])
    assert max(map(len, lines(drawn, None))) == 1 + 12 + 40 * (GAP + 13)
    assert len(lines(drawn, None)) == 5


def test_blocks_repeat_sections_and_tell_remarks_once():
    drawn = Table(
        "",
        ["what", "first", "second"],
        [["kept in mind"], ["  a", "1" * 20, "2" * 20], ["  b [x]", "3", "4"],
         ["  said once, of both", "", ""]],
    )  # fmt: skip
    assert lines(drawn, 40) == [
        "",
        " what                          first",
        " ───────────────────────────────────",
        " kept in mind",
        "   a            11111111111111111111",
        "   b [x]                           3",
        "   said once, of both",
        "",
        " what                         second",
        " ───────────────────────────────────",
        " kept in mind",
        "   a            22222222222222222222",
        "   b [x]                           4",
        "",
    ]


def test_long_labels_stand_on_lines_of_their_own():
    drawn = Table(
        "", ["quantity", "in", "old", "new", "ratio"],
        [["kv_cache.bytes_per_token", "kv", "68.62 KiB", "34.31 KiB", "0.5x"],
         ["parameters.total", "params", "671.03 B", "1.0264 T", ""]],
        left=(1,), labels=2,
    )  # fmt: skip
    assert lines(drawn, 50) == [
        "",
        " quantity  in",
        "         old         new   ratio",
        "   ─────────────────────────────",
        " kv_cache.bytes_per_token  kv",
        "   68.62 KiB   34.31 KiB    0.5x",
        " parameters.total  params",
        "    671.03 B    1.0264 T",
        "",
    ]
    assert lines(drawn, 66)[1].split() == ["quantity", "in", "old", "new", "ratio"]


def test_words_wrap_and_headings_stand_on_their_last_line():
    drawn = Table("", ["name", "a long heading", "words"],
                  [["x", "1", "some words that need more room"]], left=(2,))  # fmt: skip
    assert lines(drawn, 32) == [
        "",
        "         a long",
        " name   heading   words",
        " ───────────────────────────",
        " x            1   some words",
        "                  that need",
        "                  more room",
        "",
    ]


@given(st.text("ab 1,%", max_size=80), st.integers(1, 40), st.integers(0, 4))
def test_wrapping_loses_nothing(text, width, hang):
    assert " ".join(wrap(text, width, hang)).split() == text.split()


def test_a_number_stays_with_its_unit():
    assert wrap("it takes 80 GiB of 5 %", 10) == ["it takes", "80 GiB of", "5 %"]


def test_what_is_told_wraps_below_its_first_line():
    told = [("note", "brackets [x] and [/bold] stay as they are")]
    assert lines(Table("", ["a"], [["1"]]), 24, told)[-3:] == [
        "note: brackets [x] and",
        "  [/bold] stay as they",
        "  are",
    ]


def test_colours_change_no_letter():
    drawn = Table("", ["[red]a", "b :smile:"], [["[/red]"], ["[x] 1", "2"]])
    told = [("warning", "[bold]w"), ("note", "n"), ("assumed", "a" * 300)]
    found = list(lines_of(View("[h]", [drawn]), told, width=40))
    painted = paint(found)
    assert "\x1b[33mwarning:\x1b[0m [bold]w\n" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == "".join(f"{line.text}\n" for line in found)


def test_symbols_in_ascii():
    assert in_ascii("ℓ_stage · β² − η_hit ≥ d_c′") == "ell_stage * beta^2 - eta_hit >= d_c'"
    assert in_ascii("⌈x¹² / σ⌉") == "ceil(x^12 / sigma)"


def test_letters_that_are_not_ascii_are_replaced_before_columns_are_set():
    drawn = Table("", ["±", "µ"], [["S²/2", "1 µs"], ["x…", "12 µs"]])
    found = [line.text for line in lines_of(View("×", [drawn]), [], width=None, ascii_only=True)]
    assert found[0] == "x"
    assert found[2:6] == [
        " +-          u",
        " -------------",
        " S^2/2    1 us",
        " x...    12 us",
    ]


@pytest.mark.parametrize(("columns", "width"), [("77", 77), ("", 80)])
def test_the_width_is_the_terminals(columns, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    assert layout.terminal_width(OutputOptions(file="x")) is None
    assert layout.terminal_width(OutputOptions()) is None
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("sys.__stdout__", None)
    assert layout.terminal_width(OutputOptions()) == width
