"""``dsv3calc formula sensitivity``."""

from math import log2

import pytest

from dsv3calc.exit_status import ExitStatus

RANK = ("formula", "sensitivity")
LAYOUT = ("deepseek-v3", "--layout", "v3-pretrain")


def rows(program, *arguments):
    return {row["input"]: row for row in program.json(*RANK, *arguments).data["rows"]}


def test_a_cache(program):
    found = rows(program, "kv_cache.bytes", "deepseek-v3")
    assert found["tokens"]["elasticity"] == 1
    assert found["tokens"]["method"] == "doubled"
    assert found["batch"]["elasticity"] == 1
    assert found["kv_lora_rank"]["elasticity"] == pytest.approx(log2((2 * 512 + 64) / 576))
    assert found["kv_lora_rank"]["kind"] == "datasheet"
    assert found["qk_rope_head_dim"]["elasticity"] == pytest.approx(log2((512 + 2 * 64) / 576))
    assert list(found)[-1] == "qk_rope_head_dim"


def test_pages(program):
    found = rows(program, "kv_cache.bytes", "deepseek-v3", "--page-size", "64")
    assert found["tokens"]["elasticity"] == 1


def test_sequences_of_a_pass(program):
    found = rows(program, "flops.total", "deepseek-v3", "--top", "50")
    doubled = found["sequence"]["elasticity"]
    linear, square = 219_755_077_632 * 4096, 7_495_680 * 4096**2
    assert doubled == pytest.approx(log2((2 * linear + 4 * square) / (linear + square)))


def test_memory(program, schema):
    data = program.json(*RANK, "memory.worst.total", *LAYOUT, "--top", "5").data
    schema("answer").validate(data)
    sizes = [abs(row["elasticity"]) for row in data["rows"]]
    assert len(sizes) == 5
    assert sizes == sorted(sizes, reverse=True)
    assert any("inputs of smaller elasticity are hidden" in note for note in data["notes"])


def test_what_is_multiplied_by_0_does_not_matter(program):
    """Activations of the fullest rank are computed anew at twice the experts of a token."""
    worst = "memory.worst.activations"
    found = rows(program, worst, *LAYOUT)["num_experts_per_tok"]
    query = ("memory", *LAYOUT, "--hardware", "h800", "--set")
    eight, sixteen = (
        program.json(*query, f"num_experts_per_tok={experts}").values[worst] for experts in (8, 16)
    )
    assert found["method"] == "doubled"
    assert found["elasticity"] == pytest.approx(log2(sixteen / eight))


def test_devices_and_what_only_queries_know(program):
    found = rows(program, "traffic.time_per_layer", *LAYOUT, "--hardware", "h800", "--top", "20")
    assert found["hardware.scale_out.nominal"]["elasticity"] == -1
    assert found["hidden_size"]["elasticity"] == pytest.approx(1)
    assert found["ep"]["method"].startswith("query at ")


def test_the_table_has_bars(program):
    text = program.ok(*RANK, "kv_cache.bytes", "deepseek-v3").out
    assert "+" * 20 in text
    assert "sensitivities of kv_cache.bytes = 274.5 MiB" in text


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


def test_degrees_of_one_are_ranked_by_the_same_measure(program):
    """At tp 2 or pp 2 a GPU holds half of 32 layers: both are worth the same."""
    query = ("llama-3.1-8b", "--serve", "--hardware", "h100")
    found = rows(program, "serving.total", *query, "--tp", "1")

    def total(*degrees):
        return program.json("memory", *query, *degrees).values["serving.total"]

    for name, degrees in (("tp", ("--tp", "2")), ("pp", ("--tp", "1", "--pp", "2"))):
        expected = log2(total(*degrees) / total("--tp", "1"))
        assert found[name]["elasticity"] == pytest.approx(expected)
        assert found[name]["elasticity"] == pytest.approx(-0.788, abs=5e-4)  # 9.26 of 15.99 GiB


def test_an_etp_that_follows_is_not_varied(program):
    """Experts are 654,068,416,512 B of 626.9 GiB, split by etp = tp x dp / ep, or by ep."""
    query = ("serving.weights", "deepseek-v3", "--serve", "--tp", "1", "--hardware", "h100")
    data = program.json(*RANK, *query).data
    found = {row["input"]: row["elasticity"] for row in data["rows"]}
    assert "etp" not in found
    assert any(note.startswith("etp is not varied alone, it follows: ") for note in data["notes"])
    experts, others = 654_068_416_512, 19_082_195_296
    halved = log2((experts / 2 + others) / (experts + others))
    assert found["dp"] == pytest.approx(halved)
    assert found["ep"] == pytest.approx(halved)
    stated = rows(program, *query, "--etp", "1")
    assert "etp" in stated


def test_a_line_that_would_come_to_zero(program):
    """80 GB GPUs at tp 2 have 4.03 GiB beside the weights of a 70B model."""
    query = ("serving.kv_pool", "llama-3.1-70b", "--serve", "--tp", "2", "--hardware", "h100")
    data = program.json(*RANK, *query).data
    found = {row["input"]: row for row in data["rows"]}
    assert found["hidden_size"]["method"] == "halved"
    assert found["hidden_size"]["elasticity"] < -3
    assert any(note.startswith("halved: when the input doubles") for note in data["notes"])
