"""``which``: what fits on what, held against ``memory --serve`` and counts made by hand."""

# SPDX-License-Identifier: Apache-2.0
import pytest

import dsv3calc
from dsv3calc.catalogue import search_path
from dsv3calc.exit_status import ExitStatus
from dsv3calc.studies.presets.catalogue import list_presets


def found(**given):
    """Return the columns by (model, precision, device)."""
    answer = dsv3calc.which(**given)
    columns = {tuple(column.id.split("|")): column.ledger.named() for column in answer.columns}
    return answer, columns


def test_a_model_of_16_gib_fits_on_24_gb_beside_its_cache():
    _, columns = found(hardware="rtx-4090", model="llama-3.1-8b", context=32_000)
    lines = columns["llama-3.1-8b", "bf16", "rtx-4090"]
    assert lines["which.weights"].value == 2 * 8_030_261_248
    assert lines["which.kv_bytes"].value == 131_072 * 32_000
    budget = 24_000_000_000 * 9 // 10
    assert lines["which.budget"].value == budget
    assert lines["which.free"].value == budget - lines["which.total"].value > 0
    assert (lines["which.fits"].value, lines["which.gpus"].value) == (1, 1)


@pytest.mark.parametrize("precision", ["bf16", "int4"])
@pytest.mark.parametrize("gpus", [1, 4])
def test_a_pair_is_what_memory_answers(precision, gpus):
    given = {"model": "qwen3-32b", "hardware": "l40s", "precision": precision, "context": 8192}
    _, columns = found(**given, gpus=gpus)
    (lines,) = columns.values()
    served = dsv3calc.memory(**given, tp=gpus, serve=True).named()
    for name in ("weights", "total", "free", "fits", "max_sequences"):
        assert lines[f"which.{name}"].value == served[f"serving.{name}"].value


def test_the_fewest_devices_are_the_fewest():
    _, columns = found(model="deepseek-v3", hardware="h200")
    fp8 = columns["deepseek-v3", "fp8-deepseek-v3", "h200"]
    assert (fp8["which.gpus"].value, fp8["which.fits"].value) == (8, 1)
    half = dsv3calc.memory(model="deepseek-v3", hardware="h200", tp=4, serve=True)
    assert half.named()["serving.fits"].value == 0
    bf16 = columns["deepseek-v3", "bf16", "h200"]  # 1,250 GiB do not fit on eight of 139.8
    assert (bf16["which.gpus"].value, bf16["which.fits"].value) == (8, 0)


def test_every_pair_is_answered_or_told():
    answer, columns = found(hardware="l4")
    models = {model for model, *_ in columns} | {row["model"] for row in answer.rows}
    assert models == set(search_path.listing("model"))
    assert all(row["reason"] for row in answer.rows)
    for (model, precision, _), lines in columns.items():
        narrower = columns.get((model, "int4", "l4"))
        if precision == "bf16" and narrower:
            assert narrower["which.free"].value > lines["which.free"].value


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "which needs a device or a model"),
        (["--hardware", "h1000"], 2, "did you mean"),
        (["--model", "deepseek-v33"], 2, "deepseek-v3.1"),
        (["--model", "deepseek-v3", "--hardware", "l4"], 4, "nothing that was tried fits"),
        (["--model", "qwen3-32b", "--hardware", "l4", "--gpus", "7"], 2, "divide"),
        (["--hardware", "l4", "--gpus", "0"], 2, "--gpus"),
        (["--hardware", "l4", "--context", "-1"], 2, "--context"),
        (["--hardware", "l4", "--precision", "fp3"], 2, "fp3"),
    ],
)
def test_wrong_questions(program, arguments, code, words):
    result = program("which", *arguments)
    assert result.status == code
    assert words in result.out + result.err


def test_the_list_of_models_has_their_figures():
    rows = {row["name"]: row for row in list_presets("model", None).rows}
    v3 = rows["deepseek-v3"]
    assert v3["parameters"] == 671_026_419_200
    assert v3["kv_bytes_per_token"] == 61 * 576 * 2
    devices = {row["name"]: row for row in list_presets("hardware", None).rows}
    assert devices["h800"]["scale_up"] == 200e9
    assert devices["tpu-v7x"]["bandwidth"] is None


def test_a_broken_file_is_listed_without_figures(tmp_path):
    folder = tmp_path / "hardware"
    folder.mkdir()
    (folder / "own.yaml").write_text("name: own\n")
    rows = {row["name"]: row for row in list_presets("hardware", str(tmp_path)).rows}
    assert rows["own"]["bf16"] is None


def test_a_number_of_devices_that_does_not_divide_a_model(program):
    asked = ("which", "--model", "llama-3.1-8b", "--hardware", "h100", "--gpus", "3")
    err = program.refused(ExitStatus.USAGE, *asked).err
    assert "--gpus 3: 32 attention heads do not divide" in err
    assert "take --gpus 2 or 4" in err
    assert "--tp" not in err


def test_there_is_no_empty_table_where_nothing_fits(program):
    found = program("which", "--model", "deepseek-v3", "--hardware", "l4", "--gpus", "2")
    assert found.status == ExitStatus.INFEASIBLE
    assert "as published" not in found.out
    assert "needs" in found.out
