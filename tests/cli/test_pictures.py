"""Pictures and pages of answers: what they show is what the answer says, and nothing runs."""

import re
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from small_study import STUDY

from dsv3calc.api import answer
from dsv3calc.exit_status import ExitStatus
from dsv3calc.output.pictures.of_answer import picture_of

MEMORY = ("memory", "deepseek-v3", "--layout", "v3-pretrain", "--hardware", "h800")
SERVING = ("memory", "llama-3.1-8b", "--hardware", "h100", "--tp", "2", "--serve", "--batch", "8")
TRAFFIC = ("traffic", "deepseek-v3", "--layout", "v3-pretrain", "--hardware", "h800")
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</title><script>alert(1)</script>\u202e&"


def _ends(picture):
    return {lane.label: max(bar.end for bar in lane.bars) for lane in picture.lanes}


def test_the_bars_of_memory_end_at_its_totals():
    found = answer(" ".join(MEMORY))
    values = {line.name: line.value for line in found.columns[0].ledger.lines}
    picture = picture_of(found)
    ends = _ends(picture)
    assert ends["ranks 3-12 *"] == values["memory.rank.7.total"]
    assert ends["rank 0"] == values["memory.rank.0.total"]
    assert picture.marks[0].value == values["memory.usable"]
    pool = picture_of(answer(" ".join(SERVING)))
    assert set(_ends(pool)) == {"rank 0"}
    assert [kind.label for kind in pool.used()] == ["weights", "cache of the batch", "buffers"]


@pytest.mark.parametrize("planes", [(), ("--planes", "8", "--forwarding", "per-gpu")])
def test_the_bars_of_traffic_end_at_its_totals(planes):
    found = answer(" ".join((*TRAFFIC, *planes)))
    values = {line.name: line.value for line in found.columns[0].ledger.lines}
    ends = _ends(picture_of(found))
    for link in ("up", "out"):
        whole = values[f"traffic.step.scale_{link}_bytes"]
        assert ends[f"experts, scale-{link}"] == pytest.approx(whole)
    assert ends["pipeline, scale-out"] == values["traffic.collectives.pipeline.scale_out_bytes"]


def test_a_picture_is_named_described_and_inert(program):
    text = program.ok(*MEMORY, "--format", "svg").out
    root = ET.fromstring(text)  # noqa: S314 - our own output
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text.startswith("DeepSeek-V3: training memory")
    assert "rank 0: weights 9.761 GiB, gradients 19.52 GiB" in root.find(f"{SVG}desc").text
    words = [each.text for each in root.iter(f"{SVG}text")]
    assert "memory of a GPU [B]" in words
    assert {each.tag.removeprefix(SVG) for each in root.iter()} == {
        "svg", "title", "desc", "rect", "path", "text"
    }  # fmt: skip


def test_a_hostile_name_is_shown_as_text(program, tmp_path):
    text = program.ok("presets", "show", "llama-3.1-8b").out
    file = tmp_path / "mine.yaml"
    file.write_text(re.sub(r"(?m)^title: .*$", f"title: '{HOSTILE}'", text), "utf-8")
    for form in ("svg", "html"):
        shown = program.ok("memory", file, *SERVING[2:], "--format", form).out
        assert "&lt;script&gt;" in shown
        assert "<script" not in shown
        assert "\u202e" not in shown


class _Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.tags = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            assert name != "src"
            assert not name.startswith("on")
            if name == "id":
                self.ids.append(value)
            if name == "href":
                self.links.append(value)


def test_a_page_has_picture_table_assumptions_derivations_and_sources(program):
    text = program.ok(*SERVING, "--format", "html").out
    page = _Page(text)
    inner = [link for link in page.links if not link.startswith("https://")]
    assert len(inner) > 20
    assert {link.removeprefix("#") for link in inner} <= {*page.ids}
    assert len(page.ids) == len({*page.ids})
    assert {"svg", "table", "details"} <= page.tags
    assert "script" not in page.tags
    for title in ("What to know", "Derivations", "Sources"):
        assert f"<h2>{title}</h2>" in text
    asked = re.search(r"<code>dsv3calc (.*?)</code>", text)[1]
    assert program.ok(*asked.split(), "--json").out == program.ok(*SERVING, "--json").out


def test_a_page_of_several_columns_keeps_them_apart(program):
    page = _Page(program.ok("compare", "llama-3.1-8b", "mistral-7b", "--format", "html").out)
    assert {"llama-3.1-8b:parameters.total", "mistral-7b:parameters.total"} <= {*page.ids}
    assert {link.removeprefix("#") for link in page.links if link.startswith("#")} <= {*page.ids}


def test_png_needs_its_package(program, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    file = tmp_path / "memory.png"
    assert (
        "resvg_py" in program.refused(ExitStatus.USAGE, *SERVING, "--format", "png", "-o", file).err
    )
    assert not file.exists()


def test_png_is_drawn_by_it(program, tmp_path):
    pytest.importorskip("resvg_py")
    file = tmp_path / "memory.png"
    program.ok(*SERVING, "-o", file)
    assert file.read_bytes().startswith(b"\x89PNG\r\n")


FRONT = STUDY.replace(
    "queries: [kv deepseek-v3 --context 8192]", "queries: [kv deepseek-v3]"
).replace(
    "outputs: {cache: kv_cache.bytes}",
    "  - {name: context, option: context, values: [1024, 4096, 8192]}\n"
    "outputs: {cache: kv_cache.bytes, token: kv_cache.bytes_per_token}",
)


@pytest.mark.parametrize(
    ("study", "words"),
    [
        (STUDY, {"cache [B]", "batch", "Caches of two batches"}),
        (FRONT, {"cache [B], darker is larger", "1,024", "8,192", "32", "8.578 GiB"}),
        (f"{FRONT}front: [cache, token]\n", {"on the front", "1, 1,024", "token [B/token]"}),
    ],
)
def test_the_picture_of_a_sweep(program, tmp_path, study, words):
    file = tmp_path / "study.yaml"
    file.write_text(study)
    program.ok("sweep", file, "-o", tmp_path / "map.svg")
    root = ET.parse(tmp_path / "map.svg").getroot()  # noqa: S314 - our own output
    assert words <= {each.text for each in root.iter(f"{SVG}text")}
    assert not (tmp_path / "map.svg.partial").exists()


def test_a_sweep_of_three_things_has_no_picture(program, tmp_path):
    file = tmp_path / "study.yaml"
    more = "  - {name: dtype, option: kv-dtype, values: [bf16, fp8]}\noutputs"
    file.write_text(FRONT.replace("outputs", more))
    svg = ("--format", "svg", "-o", tmp_path / "map.svg")
    err = program.refused(ExitStatus.USAGE, "sweep", file, *svg).err
    assert "at most two axes" in err
