"""``dsv3calc explain`` and ``--explain``."""

import csv
import io
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from printed import value_of

from dsv3calc.exit_status import ExitStatus
from dsv3calc.reading.diagnostics import text_width

MEMORY = ("memory", "deepseek-v3", "--layout", "v3-pretrain", "--hardware", "h800")
LIMITS = ("limits", "ep", "--model", "deepseek-v3", "--hardware", "h800")


def test_the_command_and_the_option_say_the_same(program):
    query = ("kv", "deepseek-v3", "--tokens", "4096")
    text = program.ok("explain", *query).out
    assert text == program.ok(*query, "--explain").out
    assert "kv_cache.bytes = 287,834,112 B = 274.5 MiB  [bf16]" in text
    assert "B_kv = B·ℓ·T·B_entry" in text
    assert "= 1·3·4,096·1,152" in text
    assert "deepseek-v3.yaml:8 datasheet [1]" in text
    assert "[1] datasheet: deepseek-ai/DeepSeek-V3 on Hugging Face, config.json" in text


@pytest.mark.parametrize("more", [(), ("--depth", "0"), ("--depth", "100"), ("--exact",)])
@pytest.mark.parametrize("query", [MEMORY, ("kv", "deepseek-v3"), ("params", "gpt-oss-120b")])
def test_text_fits_eighty_columns(program, query, more):
    text = program.ok("explain", *query, *more, "--color", "never").out
    for line in text.splitlines():
        words = line.split()
        long_word = max((text_width(word) for word in words), default=0)
        assert text_width(line) <= 80 or long_word > 45, line  # a URL or a name is not broken
    assert "\x1b" not in text


def test_depth(program):
    sizes = [
        len(program.ok("explain", *MEMORY, "--depth", depth).out.splitlines())
        for depth in ("0", "1", "2", "3")
    ]
    assert sizes == sorted(set(sizes))
    tree = program.ok("explain", *MEMORY).out.partition("\n\n")[0].splitlines()
    assert 10 < len(tree) < 90
    whole = program.ok("explain", *MEMORY, "--depth", "50").out
    assert "not shown" not in whole
    assert "(as above)" in whole
    assert "ASSUMED" in whole


def test_of_a_maximum_the_largest_part_is_taken_apart(program):
    text = program.ok("explain", *MEMORY).out
    assert "├─ memory.rank.3.weights" in text
    assert "memory.rank.0.weights" not in text


def test_one_line(program):
    text = program.ok("explain", *MEMORY, "--line", "memory.worst.activations").out
    assert text.splitlines()[1].startswith("memory.worst.activations = ")
    found = program.refused(ExitStatus.USAGE, *MEMORY, "--explain", "--line", "memory.worst.totl")
    assert "did you mean 'memory.worst.total'" in found.err


def test_what_the_tree_shows_can_be_asked_for(program):
    """Also what stands inside a formula, and is in no list of values."""
    text = program.ok("kv", "deepseek-v3", "--explain", "--line", "kv_cache.entry.groups.1.latent")
    assert text.out.splitlines()[1] == "kv_cache.entry.groups.1.latent = 1,024 B = 1 KiB"


def test_several_lines_by_a_pattern(program):
    data = program.json("explain", "kv", "deepseek-v3", "--line", "kv_cache.bytes_per_*").data
    names = [each["line"]["name"] for each in data["explanations"]]
    assert "kv_cache.bytes_per_token" in names
    assert "kv_cache.bytes_per_sequence" in names


@pytest.mark.parametrize("query", [MEMORY, ("kv", "deepseek-v3"), LIMITS])
def test_json_is_whole_and_valid(program, schema, query):
    data = program.json("explain", *query).data
    schema("answer").validate(data)
    assert data["command"] == "explain"

    def walk(line):
        if "numbers" in line:
            assert value_of(line["numbers"]) == line["value"]
        assert "repeated" in line or line["rule"] != "given" or line["origin"]["kind"]
        for each in line.get("inputs", []):
            walk(each["line"])

    walk(data["explanations"][0]["line"])


def test_csv(program):
    text = program.ok("explain", "kv", "deepseek-v3", "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0]["name"] == "kv_cache.bytes"
    assert {row["kind"] for row in rows} >= {"computed", "datasheet", "query"}


def test_markdown(program):
    text = program.ok("explain", "kv", "deepseek-v3", "--format", "markdown").out
    assert "**DeepSeek-V3: `kv_cache.bytes`**" in text
    assert "`= 1·3·4,096·1,152`" in text
    assert "`model.groups.0.attention.kv_lora_rank` = 512" in text


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []
        self.seen = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_html_is_one_page_without_scripts(program, file):
    hostile = "<script>alert(1)</script>"
    program.ok("explain", *MEMORY, "-o", "page.html")
    with open("page.html", encoding="utf-8") as page:
        text = page.read()
    parser = Page()
    parser.feed(text)
    assert parser.open == []
    tags = {tag for tag, _ in parser.seen}
    assert "details" in tags
    assert not tags & {"script", "link", "img", "iframe", "object"}
    for tag, attributes in parser.seen:
        assert not {name for name in attributes if name.startswith("on") or name == "src"}
        assert tag == "a" or "href" not in attributes
    program.ok("presets", "show", "deepseek-v3", "--kind", "model", "-o", "mine.yaml")
    with open("mine.yaml", encoding="utf-8") as model:
        changed = model.read().replace("title: DeepSeek-V3", f"title: '{hostile}'", 1)
    file("mine.yaml", changed)
    text = program.ok("explain", "kv", "./mine.yaml", "--format", "html").out
    assert hostile not in text
    assert "&lt;script&gt;" in text


def test_html_is_for_queries_alone(program):
    found = program.refused(ExitStatus.USAGE, "presets", "list", "--format", "html")
    assert "compare, params" in found.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("explain", "kvv", "deepseek-v3"), "did you mean 'kv'"),
        (("explain", "presets"), "queries start with"),
        (("explain",), "Missing argument"),
        (("explain", "kv"), "Missing argument"),
        (("kv", "deepseek-v3", "--line", "kv_cache.bytes"), "add --explain"),
        (("kv", "deepseek-v3", "--depth", "2"), "add --explain"),
        (("explain", "kv", "deepseek-v3", "--depth", "-1"), "number of levels"),
        (("explain", "kv", "deepseek-v9"), "presets of its family"),
    ],
)
def test_bad_input(program, arguments, words):
    assert words in program.refused(ExitStatus.USAGE, *arguments).err


def test_help_of_a_query_within_explain(program):
    assert "KV cache of a model" in program.ok("explain", "kv", "--help").out


def test_a_query_in_a_file_has_no_explanation(program, file):
    path = file("queries.txt", "kv deepseek-v3 --explain\n")
    assert "--explain" in program.refused(ExitStatus.INVALID_INPUT, "eval", path).err


def test_color(program):
    text = program.ok("explain", "kv", "deepseek-v3", "--color", "always").out
    assert "\x1b[1mkv_cache.bytes\x1b[0m" in text


def test_a_poor_terminal_gets_plain_letters(process_environment):
    run = subprocess.run(
        [sys.executable, "-m", "dsv3calc", "explain", "kv", "deepseek-v3"], check=True,
        env=process_environment | {"PYTHONIOENCODING": "ascii"}, capture_output=True, text=True,
    )  # fmt: skip
    assert run.stdout.isascii()
    assert "|-" in run.stdout


@pytest.mark.parametrize(
    ("query", "line"),
    [
        (("memory", "deepseek-v3", "--serve", "--tp", "8", "--hardware", "h200"), "serving.total"),
        (("network", "ft3"), "network.endpoints"),
    ],
)
def test_the_headline_of_a_query(program, query, line):
    (found,) = program.json("explain", *query).data["explanations"]
    assert found["line"]["name"] == line
