"""``dsv3calc formula sensitivity``."""

import pytest

from dsv3calc.exit_status import ExitStatus

RANK = ("formula", "sensitivity")
LAYOUT = ("deepseek-v3", "--layout", "v3-pretrain")


def rows(program, *arguments):
    return {row["input"]: row for row in program.json(*RANK, *arguments).data["rows"]}


def test_a_cache(program):
    found = rows(program, "kv_cache.bytes", "deepseek-v3")
    assert found["tokens"]["elasticity"] == 1
    assert found["tokens"]["method"] == "derivative"
    assert found["batch"]["elasticity"] == 1
    assert found["kv_lora_rank"]["elasticity"] == pytest.approx(512 / 576)
    assert found["kv_lora_rank"]["kind"] == "datasheet"
    assert found["qk_rope_head_dim"]["elasticity"] == pytest.approx(64 / 576)
    assert list(found)[-1] == "qk_rope_head_dim"


def test_pages_are_stepped_over_whole(program):
    found = rows(program, "kv_cache.bytes", "deepseek-v3", "--page-size", "64")
    assert found["tokens"]["method"] == "step of 64"
    assert found["tokens"]["elasticity"] == 1


def test_sequences_of_a_pass(program):
    found = rows(program, "flops.total", "deepseek-v3", "--top", "50")
    slope = found["sequence"]["elasticity"]
    linear, square = 219_755_077_632 * 4096, 7_495_680 * 4096**2
    assert slope == pytest.approx((linear + 2 * square) / (linear + square))


def test_memory(program, schema):
    data = program.json(*RANK, "memory.worst.total", *LAYOUT, "--top", "5").data
    schema("answer").validate(data)
    sizes = [abs(row["elasticity"]) for row in data["rows"]]
    assert len(sizes) == 5
    assert sizes == sorted(sizes, reverse=True)
    assert any("inputs of smaller elasticity are hidden" in note for note in data["notes"])


def test_what_is_multiplied_by_0_has_no_steps(program):
    """Activations of a rank are linear in the experts of a token: one more gives the slope."""
    worst = "memory.worst.activations"
    found = rows(program, worst, *LAYOUT)["num_experts_per_tok"]
    query = ("memory", *LAYOUT, "--hardware", "h800", "--set")
    eight, nine = (
        program.json(*query, f"num_experts_per_tok={experts}").data for experts in (8, 9)
    )
    rank = eight["columns"][0]["values"]["memory.worst.rank"]
    here, there = (
        each["columns"][0]["values"][f"memory.rank.{rank}.activations"] for each in (eight, nine)
    )
    assert found["method"] == "derivative"
    assert found["elasticity"] == pytest.approx(8 * (there - here) / here)


def test_devices_and_what_only_queries_know(program):
    found = rows(program, "traffic.time_per_layer", *LAYOUT, "--hardware", "h800", "--top", "20")
    assert found["hardware.scale_out.nominal"]["elasticity"] == -1
    assert found["hidden_size"]["elasticity"] == pytest.approx(1)
    assert found["ep"]["method"].startswith("query at ")


def test_the_table_has_bars(program):
    text = program.ok(*RANK, "kv_cache.bytes", "deepseek-v3").out
    assert "+" * 20 in text
    assert "what moves kv_cache.bytes = 274.5 MiB" in text


@pytest.mark.parametrize("form", ["csv", "markdown"])
def test_other_formats(program, form):
    assert (
        "kv_lora_rank" in program.ok(*RANK, "kv_cache.bytes", "deepseek-v3", "--format", form).out
    )


def test_bad_input(program):
    refused = program.refused
    assert (
        "--top"
        in refused(ExitStatus.USAGE, *RANK, "kv_cache.bytes", "deepseek-v3", "--top", "0").err
    )
    assert "did you mean" in refused(ExitStatus.USAGE, *RANK, "kv_cache.byte", "deepseek-v3").err
    nothing = ("memory.rank.0.chunk.0.stage", *LAYOUT)
    assert "is 0" in refused(ExitStatus.INFEASIBLE, *RANK, *nothing).err
