"""Sweeps: the rows are those of asking each point, whatever interrupts them."""

import csv
import errno
import importlib.util
import json
from pathlib import Path

import pytest

import dsv3calc
from dsv3calc.api import parse_query
from dsv3calc.errors import Dsv3calcError, InvalidInput, OutputError, UsageError
from dsv3calc.schema.study import Axis
from dsv3calc.studies.sweep import answer as sweeps
from dsv3calc.studies.sweep import chunks
from dsv3calc.studies.sweep import run as runs
from dsv3calc.studies.sweep import write as writers

SHIPPED = Path(__file__).parents[3] / "examples/studies/mla-and-experts.yaml"
STUDY = """
name: cache
title: The cache of MLA
queries: [kv deepseek-v3 --context 1000]
axes:
  - {name: rank, set: [groups.0.attention.kv_lora_rank, groups.1.attention.kv_lora_rank],
     values: [256, 512]}
  - {name: batch, option: batch, grid: [1, 9, 2]}
  - zip:
      - {name: context, option: context, log: [10, 1000, 3]}
      - {name: kv, option: kv-dtype, values: [bf16, fp8, nope]}
outputs: {bytes: kv_cache.bytes}
where: ["batch != 3", "kv != 'bf16' or bytes < 100000000"]
front: [bytes]
within: [batch]
"""


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(STUDY.replace("--context 1000", ""))
    return str(path)


def ask(text):
    return dsv3calc.answer(text)


def sweep(study, output, form="csv", asked=ask, **options):
    return sweeps.run_study(study, str(output), form, ask=asked, parse=parse_query, **options)


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_row_is_what_the_query_answers(study, tmp_path):
    answer = sweep(study, tmp_path / "out.csv")
    rows = rows_of(tmp_path / "out.csv")
    assert [(int(row["rank"]), int(row["batch"])) for row in rows[::3]] == [
        (rank, batch) for rank in (256, 512) for batch in (1, 5, 7, 9)
    ]
    for row in rows:
        if row["kv"] == "nope":
            assert "nope" in row["refused"]
            assert row["bytes"] == ""
            continue
        edits = [f"groups.{group}.attention.kv_lora_rank={row['rank']}" for group in (0, 1)]
        found = dsv3calc.kv(
            "deepseek-v3", set=edits, batch=row["batch"], context=row["context"], kv_dtype=row["kv"]
        )
        assert int(row["bytes"]) == found["kv_cache.bytes"]
        same = [
            int(each["bytes"]) for each in rows if each["batch"] == row["batch"] and each["bytes"]
        ]
        assert (row["front"] == "true") == (int(row["bytes"]) == min(same))
    assert answer.rows[0]["points"] == 30
    assert answer.rows[0]["rows"] == len(rows) == 24
    assert answer.rows[0]["refused"] == 8
    assert not (tmp_path / "out.csv.partial").exists()


def interrupted_at(number, asked=ask):
    """Return what asks so many times, and then is interrupted."""
    times = []

    def asking(text):
        times.append(text)
        if len(times) > number:
            raise KeyboardInterrupt
        return asked(text)

    return asking


@pytest.mark.parametrize("form", ["csv", "json"])
def test_an_interrupted_sweep_keeps_every_point_and_goes_on_to_the_same_bytes(
    study, tmp_path, monkeypatch, form
):
    monkeypatch.setattr(chunks, "chunk_size", lambda _: 7)
    whole, other = tmp_path / f"whole.{form}", tmp_path / f"other.{form}"
    sweep(study, whole, form)
    for kept in (1, 2, 10, 24):  # the first point is asked once more before all else
        with pytest.raises(KeyboardInterrupt):
            sweep(study, other, form, interrupted_at(kept))
        assert not other.exists()
        with pytest.raises(UsageError, match="unfinished"):
            sweep(study, other, form)
        with pytest.raises(KeyboardInterrupt):
            sweep(study, other, form, interrupted_at(24 - kept), resume=True)
        sweep(study, other, form, interrupted_at(1), resume=True)
        assert other.read_bytes() == whole.read_bytes()
        other.unlink()
    if form == "json":
        assert len(json.loads(whole.read_text())) == 24


def test_a_chunk_goes_on_after_its_last_whole_line(study, tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "chunk_size", lambda _: 7)
    sweep(study, tmp_path / "whole.csv")
    with pytest.raises(KeyboardInterrupt):
        sweep(study, tmp_path / "out.csv", asked=interrupted_at(20))
    first, second, third = sorted(tmp_path.glob("out.csv.partial/*.jsonl"))[:3]
    first.write_bytes(first.read_bytes()[:-10])
    second.write_bytes(second.read_bytes().replace(b"{", b"{{", 1) + b"0\n" * 9)
    third.write_bytes(b"\xff")
    sweep(study, tmp_path / "out.csv", resume=True)
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_two_sweeps_do_not_write_one_file(study, tmp_path):
    def another(text):
        if not (tmp_path / "out.csv.partial").exists():
            return ask(text)  # what is wrong at every point is refused before
        with pytest.raises(UsageError, match="another sweep is writing it"):
            sweep(study, tmp_path / "out.csv", resume=True)
        (tmp_path / "out.csv").write_text("made by somebody else")
        return ask(text)

    with pytest.raises(UsageError, match="exists by now"):
        sweep(study, tmp_path / "out.csv", asked=another)
    assert (tmp_path / "out.csv").read_text() == "made by somebody else"
    sweep(study, tmp_path / "out.csv", resume=True, force=True, asked=None)
    assert len(rows_of(tmp_path / "out.csv")) == 24
    folder = tmp_path / "mine.csv.partial"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="is no unfinished sweep"):
        sweep(study, tmp_path / "mine.csv", resume=True)


def test_another_study_does_not_go_on_with_the_chunks(study, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        sweep(study, tmp_path / "out.csv", asked=interrupted_at(2))
    Path(study).write_text(Path(study).read_text().replace("[256, 512]", "[256, 1024]"))
    with pytest.raises(UsageError, match="another study"):
        sweep(study, tmp_path / "out.csv", resume=True)
    (tmp_path / "out.csv.partial/manifest.json").write_text("{")
    with pytest.raises(UsageError, match="manifest"):
        sweep(study, tmp_path / "out.csv", resume=True)


def test_a_full_disk_says_what_is_kept(study, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sweeps, "writer_of", lambda _: full)
    with pytest.raises(OutputError, match="No space left") as error:
        sweep(study, tmp_path / "out.csv")
    assert "30 of 30 points are kept" in error.value.hint
    monkeypatch.undo()
    sweep(study, tmp_path / "out.csv", asked=None, resume=True)
    assert len(rows_of(tmp_path / "out.csv")) == 24


def test_what_is_set_of_a_device_goes_to_queries_that_have_one(study, tmp_path):
    text = Path(study).read_text()
    text = text.replace("[kv deepseek-v3 ]", "[kv deepseek-v3, time deepseek-v3 --phase decode]")
    text = text.replace("option: batch, grid: [1, 9, 2]", "set: hardware.power, values: [700 W]")
    text = text.replace("values: [bf16, fp8, nope]", "values: [bf16, bf16, bf16]")
    text = text.replace("option: kv-dtype", "option: precision").replace("batch != 3", "rank < 500")
    text = text.replace("decode", "decode --hardware h800 --tp 1 --dp 64 --ep 64")
    Path(study).write_text(text)
    sweep(study, tmp_path / "out.csv")
    assert [row["refused"] for row in rows_of(tmp_path / "out.csv")] == [""] * 3


def test_points_without_numbers_are_warned_of(study, tmp_path):
    Path(study).write_text(Path(study).read_text().replace("batch != 3", "batch > 99"))
    answer = sweep(study, tmp_path / "none.csv")
    assert answer.warnings == ["30 points are left out by where 'batch > 99'"]
    Path(study).write_text(Path(study).read_text().replace("batch > 99", "kv == 'nope'"))
    answer = sweep(study, tmp_path / "refused.csv")
    assert "no row has numbers; the first reason: there is no kv format" in answer.warnings[0]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("option: batch", "option: batches", "no query has the option"),
        ("queries: [kv", "queries: [kw", "is no query"),
        ("--context 1000", "--contxt 1000", "No such option"),
        ("grid: [1, 9, 2]", "grid: [1, 9, 0]", "a step above 0"),
        ("log: [10, 1000, 3]", "log: [10, 1000, 1]", "how many points"),
        ("values: [bf16, fp8, nope]", "values: [bf16, fp8]", "different lengths"),
        ("name: batch", "name: rank", "stands twice"),
        ("front: [bytes]", "front: [speed]", "is no output"),
        ("bytes: kv_cache.bytes", "=b: kv_cache.bytes", "a word of letters"),
        ("batch != 3", "bach != 3", "did you mean 'batch'"),
        ("grid: [1, 9, 2]}", "grid: [1, 9, 2], values: [1]}", "has 2 of values"),
    ],
)
def test_a_wrong_study_is_refused_before_any_work(tmp_path, old, new, words):
    path = tmp_path / "study.yaml"
    assert old in STUDY
    path.write_text(STUDY.replace(old, new))
    with pytest.raises(Dsv3calcError) as error:
        sweep(str(path), tmp_path / "out.csv", asked=None)
    told = error.value
    said = str(told) + getattr(told, "hint", "")
    if isinstance(told, InvalidInput):
        said += "".join(each.why for each in told.problems)
        assert all(each.line is not None for each in told.problems)
    assert words in said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("groups.0.attention.kv_lora_rank", "groups.0.attention.kv_lora_rnk", "kv_lora_rank"),
        ("groups.0.attention.kv_lora_rank", "groups.7.attention.kv_lora_rank", "no element 7"),
        ("groups.0.attention.kv_lora_rank", "kv_lora_rnk", "did you mean 'kv_lora_rank'"),
        ("groups.0.attention.kv_lora_rank", "kv_format.nothing", "unknown field 'nothing'"),
    ],
)
def test_a_field_that_there_is_not_is_refused_before_any_row(study, tmp_path, old, new, words):
    Path(study).write_text(Path(study).read_text().replace(old, new))
    with pytest.raises(InvalidInput, match=words) as error:
        sweep(study, tmp_path / "out.csv")
    assert error.value.problems[0].line == 6
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]


def test_models_are_an_axis_and_conditions_hold_of_words(study, tmp_path):
    text = Path(study).read_text().replace("kv deepseek-v3", "kv").replace("batch != 3", "NOT")
    fields = "set: [groups.0.attention.kv_lora_rank, groups.1.attention.kv_lora_rank]"
    text = text.replace(fields, "option: model").replace("[256, 512]", "[qwen2.5-7b, deepseek-v3]")
    condition = "not (rank == 'deepseek-v3' and batch > 5 or kv == 'nope')"
    Path(study).write_text(text.replace("NOT", condition))
    answer = sweep(study, tmp_path / "out.csv")
    rows = rows_of(tmp_path / "out.csv")
    assert [(row["rank"], int(row["batch"])) for row in rows[::2]] == [
        *(("qwen2.5-7b", batch) for batch in (1, 3, 5, 7, 9)),
        *(("deepseek-v3", batch) for batch in (1, 3, 5)),
    ]
    assert int(rows[0]["bytes"]) == dsv3calc.kv("qwen2.5-7b", context=10)["kv_cache.bytes"]
    assert answer.notes[0].startswith("14 points are left out by where")


def test_a_link_is_followed_and_the_rows_are_kept_beside_its_file(study, tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "out.csv"
    link.symlink_to(tmp_path / "real/there.csv")
    with pytest.raises(KeyboardInterrupt):
        sweep(study, link, asked=interrupted_at(2), force=True)
    assert (tmp_path / "real/there.csv.partial").is_dir()
    sweep(study, link, force=True, resume=True)
    assert link.is_symlink()
    assert len(rows_of(tmp_path / "real/there.csv")) == 24


def test_an_output_that_no_query_has_is_refused_after_the_first_point(study, tmp_path):
    Path(study).write_text(Path(study).read_text().replace("kv_cache.bytes", "kv_cache.byts"))
    with pytest.raises(InvalidInput, match=r"study.yaml:12:18: error: no answer has .*\n.*\n.*\^"):
        sweep(study, tmp_path / "out.csv", asked=interrupted_at(1))
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]


def test_steps_are_decimal():
    assert Axis(name="a", option="a", grid=[0.1, 0.5, 0.1]).candidates == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert Axis(name="a", option="a", log=[0.1, 0.7, 3]).candidates[-1] == 0.7


def test_what_cannot_be_held_is_refused_before_any_work(study, tmp_path, monkeypatch):
    with pytest.raises(OutputError, match="cannot be written"):
        sweep(study, tmp_path / "nowhere/out.csv", asked=None)
    text = Path(study).read_text().replace("grid: [1, 9, 2]", "grid: [1, 900000, 1]")
    many = text.replace("[256, 512]", f"[{', '.join(map(str, range(1, 100)))}]")
    Path(study).write_text(many)
    with pytest.raises(UsageError, match="267,300,000 points") as error:
        sweep(study, tmp_path / "out.csv", asked=None)
    assert "--yes-points 267300000" in error.value.hint
    monkeypatch.setattr(runs.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10**6}))
    with pytest.raises(OutputError, match="are free"):
        sweep(study, tmp_path / "out.csv", asked=None, yes_points=267_300_000)
    with pytest.raises(UsageError, match="sweep writes"):
        sweep(study, tmp_path / "out.md", "markdown", asked=None)


def test_parquet_without_its_package_is_refused(study, tmp_path):
    if importlib.util.find_spec("pyarrow") is None:
        with pytest.raises(UsageError, match="pyarrow"):
            sweep(study, tmp_path / "out.parquet", "parquet", asked=None)


def test_parquet_holds_what_json_holds(study, tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(writers, "_ROWS_AT_ONCE", 7)  # the first rows have no kv but bf16
    sweep(study, tmp_path / "out.parquet", "parquet")
    sweep(study, tmp_path / "out.json", "json")
    found = parquet.read_table(tmp_path / "out.parquet")
    assert found.to_pylist() == json.loads((tmp_path / "out.json").read_text())
    assert str(found.schema.field("bytes").type) == "int64"
    Path(study).write_text(Path(study).read_text().replace("batch != 3", "batch > 99"))
    sweep(study, tmp_path / "none.parquet", "parquet")
    assert parquet.read_table(tmp_path / "none.parquet").num_rows == 0


def test_the_designs_of_the_shipped_study_have_the_parameters_of_deepseek_v3(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(SHIPPED.read_text().replace("[h800, gb200-nvl72]", "[h800]"))
    sweep(str(path), tmp_path / "out.csv")
    rows = rows_of(tmp_path / "out.csv")
    assert [row["refused"] for row in rows] == [""] * 12
    assert len({(row["kv_lora_rank"], row["n_routed_experts"]) for row in rows}) == 12
    for row in rows:
        assert int(row["n_routed_experts"]) == 32 * int(row["num_experts_per_tok"])
        assert int(row["total"]) == pytest.approx(671_026_419_200, rel=1e-6)
        assert int(row["active"]) == pytest.approx(37_552_297_472, rel=2e-5)
    plain = next(row for row in rows if int(row["total"]) == 671_026_419_200)
    assert int(plain["cache"]) == 32 * 8192 * 61 * (512 + 64) * 2
    time = dsv3calc.time(
        "deepseek-v3", hardware="h800", phase="decode", tp=1, dp=64, ep=64, batch=32, context=8192
    )
    assert float(plain["time"]) == time["time.floor"]
