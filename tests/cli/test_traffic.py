import re

import pytest

from dsv3calc.accounting.traffic.collectives import KINDS
from dsv3calc.exit_status import ExitStatus

ASK = ("traffic", "deepseek-v3", "--hardware", "h800")
REORDERED = (
    *("--layout", "v3-pretrain", "--tp", "4", "--dp", "32"),
    *("--set", "layout.rank_order=[tp,cp,pp,ep,dp]"),
)


def test_pretraining(program):
    found = program.json(*ASK, "--layout", "v3-pretrain")
    values = found.values
    assert values["traffic.copies_per_token.expert"] == 8
    assert values["traffic.copies_per_token.node"] == pytest.approx(3.95, abs=0.01)
    assert values["traffic.copies_per_token.gpu"] == pytest.approx(7.49, abs=0.01)
    for phase in ("dispatch", "combine"):
        for link in ("scale_up", "scale_out"):
            assert values[f"traffic.{phase}.{link}_bytes_per_token"] > 0
    assert values["traffic.step.scale_out_bytes"] > values["traffic.micro_batch.scale_out_bytes"]
    assert any("--imbalance" in text for text in found.data["assumptions"])


def test_options_and_overrides_change_a_preset(program):
    values = [
        program.json(*ASK, "--layout", "v3-pretrain", *more).values
        for more in (("--ep", "32"), ("--set", "layout.ep=32"))
    ]
    assert values[0] == values[1]
    assert values[0]["traffic.crossing_share"] == 0.75


def test_options_without_a_preset(program):
    preset = program.json(*ASK, "--layout", "v3-pretrain").values
    options = ("--ep", "64", "--tp", "1", "--pp", "16", "--dp", "128", "--global-batch", "15360")
    found = program.json(*ASK, *options).values
    of_experts = [name for name in preset if ".collectives." not in name]
    assert {name: found[name] for name in of_experts} == {name: preset[name] for name in of_experts}


@pytest.mark.parametrize(
    "name", ["v3-prefill-ep32", "v3-decode-ep320", "day6-prefill-ep32", "day6-decode-ep144"]
)
def test_layouts_for_inference(program, name):
    found = program.json(*ASK, "--layout", name, "--tokens", "128")
    assert found.values["traffic.time_per_layer"] > 0
    assert "traffic.step.scale_out_bytes" not in found.values


def test_unrestricted_and_random_groups(program):
    nodes = "traffic.copies_per_token.node"
    found = {
        policy: program.json(*ASK, "--ep", "64", "--policy", policy).values[nodes]
        for policy in ("unrestricted", "random-groups")
    }
    assert found["unrestricted"] == pytest.approx(5.295, abs=5e-4)
    assert found["random-groups"] == pytest.approx(3.629, abs=5e-4)


def test_what_computation_hides(program):
    found = program.json(*ASK, "--ep", "64", "--tokens", "4096", "--compute-time", "3ms").values
    whole = found["traffic.time_per_layer"]
    assert found["traffic.hidden_share"] == pytest.approx(0.003 / whole)
    assert found["traffic.exposed_time_per_layer"] == pytest.approx(whole - 0.003)
    slow = found["traffic.achieved.time_per_layer"]
    assert found["traffic.achieved.hidden_share"] == pytest.approx(0.003 / slow)
    assert found["traffic.achieved.exposed_time_per_layer"] == pytest.approx(slow - 0.003)


def test_a_dense_model_has_no_expert_traffic(program):
    found = program.json(
        "traffic", "llama-3.1-405b", "--layout", "llama-3.1-405b-pretrain", "--hardware", "h100"
    )
    assert found.values["traffic.step.scale_out_bytes"] == 0
    assert any("no routed experts" in text for text in found.data["warnings"])
    kinds = {name.split(".")[2] for name in found.values if name.startswith("traffic.collectives.")}
    assert kinds == set(KINDS)
    # 126 layers over 16 stages: 14 ranks have 8, their mean is 7.875
    name = "collectives.tensor_parallel.scale_up_bytes"
    share = found.values[f"traffic.{name}"] / found.values[f"traffic.busiest.{name}"]
    assert share == pytest.approx(7.875 / 8)


def test_a_busiest_rank_is_shown_where_it_differs_from_the_mean(program):
    ask = ("traffic", "llama-3.1-70b", "--hardware", "h800", "--pp", "2", "--dp", "8",
           "--global-batch", "8")  # fmt: skip
    uneven = program.ok(*ask, "--layer-split", "10,70").out
    assert re.search(r"^   busiest rank +397\.3 GiB", uneven, re.MULTILINE)
    assert "split evenly" not in uneven
    assert "busiest rank" not in program.ok(*ask, "--layer-split", "40,40").out


def test_the_other_collectives_of_a_step(program):
    ask = ("traffic", "llama-3.1-405b", "--layout", "llama-3.1-405b-pretrain", "--hardware", "h100")
    name = "traffic.collectives."
    ring = program.json(*ask, "--seq", "8192").values
    # Megatron: in both blocks of a layer 3 gathers and 2 scatters of a micro-batch's hidden
    # states, (t-1)/t of them each
    payload, calls = 8192 * 16384 * 2, 2 * 126 / 16 * 32
    assert ring[name + "tensor_parallel.scale_up_bytes"] == pytest.approx(
        payload * calls * 5 * 7 / 8
    )
    assert ring[name + "tensor_parallel.scale_out_bytes"] == 0
    tree = program.json(*ask, "--seq", "8192", "--algorithm", "tree").values
    assert tree[name + "tensor_parallel.time"] <= ring[name + "tensor_parallel.time"]
    assert "other collectives" in program.ok(*ask).out


def test_mla_passes_on_the_latent_or_what_it_expands_to(program):
    options = ("--cp", "8", "--dp", "8", "--ep", "8", "--global-batch", "8")
    sent = [
        program.json(*ASK, *options, "--mla-context", form).values[
            "traffic.collectives.context_parallel.scale_up_bytes"
        ]
        for form in ("latent", "expanded")
    ]
    assert sent[1] / sent[0] == pytest.approx(128 * (192 + 128) / 576)  # 71 times


def test_widths_of_what_other_collectives_send(program):
    ask = ("traffic", "llama-3.1-405b", "--layout", "llama-3.1-405b-pretrain", "--hardware", "h100")
    name = "traffic.collectives."
    found = program.json(*ask)
    half = program.json(
        *ask,
        *("--activation-dtype", "fp8", "--gradient-dtype", "bf16", "--parameter-dtype", "fp8"),
        *("--gradient-reduction", "step"),
    )
    told = " ".join(found.data["assumptions"])
    for words in ("BF16 (--activation-dtype)", "FP32 (--gradient-dtype)", "every micro-batch"):
        assert words in told
    tensor = name + "tensor_parallel.scale_up_bytes"
    assert found.values[tensor] == 2 * half.values[tensor]
    pipeline = name + "pipeline.scale_out_bytes"
    assert found.values[pipeline] == 2 * half.values[pipeline]
    data = name + "data_parallel.dense.reduce-scatter."
    assert found.values[data + "payload_bytes"] == 2 * half.values[data + "payload_bytes"]
    assert found.values[data + "calls_per_gpu"] == 32
    assert half.values[data + "calls_per_gpu"] == 1
    gathered = name + "data_parallel.dense.all-gather.payload_bytes"
    assert found.values[gathered] == 2 * half.values[gathered]


def test_bandwidths_of_the_other_collectives(program):
    degrees = ("--tp", "8", "--pp", "16", "--dp", "64", "--global-batch", "2048")
    ask = ("traffic", "llama-3.1-405b", *degrees, "--hardware", "h100")
    values = program.json(*ask).values
    one = "traffic.collectives.tensor_parallel.all-reduce.call."
    assert values[one + "bus_bandwidth"] == pytest.approx(450e9)
    assert values[one + "algorithm_bandwidth"] == pytest.approx(450e9 * 8 / 14)
    assert values[one + "achieved.bus_bandwidth"] == pytest.approx(315e9)
    out = program.ok(*ask).out
    assert "algorithm" in out
    assert "bus" in out
    assert max(map(len, out.split("warning:")[0].splitlines())) <= 80


def test_collectives_need_a_step_and_its_sequences(program):
    layouts = ("--layout", "v3-decode-ep320"), ("--layout", "v3-pretrain", "--tokens", "4096")
    for options in layouts:
        found = program.json(*ASK, *options)
        assert not any(".collectives." in name for name in found.values)
    assert any("--pass-tokens: left out" in text for text in found.data["notes"])


def test_a_table(program):
    out = program.ok(*ASK, "--layout", "v3-pretrain").out
    assert "bottleneck" in out
    assert "per training step" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--layout"),
        (["--layout", "v3-pretrian"], "did you mean 'v3-pretrain'"),
        (["--ep", "12"], "do not divide among ep 12"),
        (["--ep", "0"], "--ep"),
        (["--ep", "64", "--tp", "3"], "do not divide"),
        (["--ep", "64", "--dispatch", "fp9"], "did you mean 'fp8'"),
        (["--ep", "64", "--forwarding", "x"], "node-limited"),
        (["--ep", "64", "--imbalance", "0.5"], "from 1"),
        (["--layout", "v3-pretrain", "--algorithm", "rnig"], "did you mean 'ring'"),
        (["--ep", "64", "--mla-context", "x"], "latent, expanded"),
        (["--layout", "v3-pretrain", "--gradient-dtype", "fp23"], "--gradient-dtype"),
        (["--layout", "v3-pretrain", "--gradient-reduction", "x"], "step, micro-batch"),
        ([*REORDERED], "pp last"),
        (["--layout", "v3-pretrain", "--pp", "62"], "62 pipeline stages for 61 layers"),
        (["--layout", "v3-pretrain", "--tp", "3", "--dp", "64", "--global-batch", "64"], "heads"),
        (["--ep", "8", "--cp", "8", "--seq", "4"], "4 tokens does not divide"),
        (["--ep", "64", "--latency", "3GB"], "not a unit"),
        (["--ep", "64", "--set", "layout.ep=8"], "give the same field"),
        (["--ep", "64", "--shared-experts", "routed"], "1 routed shared one do not divide"),
        (["--ep", "64", "--set", "kv_format.bits=8"], "uses no kv_format"),
    ],
)
def test_wrong_options(program, arguments, words):
    assert words in program.refused(ExitStatus.USAGE, *ASK, *arguments).err


def test_a_dense_model_without_a_step_is_told_what_to_give(program):
    found = program.json("traffic", "llama-3.1-8b", "--tp", "8", "--hardware", "h100")
    assert any("--global-batch" in text for text in found.data["warnings"])
    assert "tensor parallel" in program.ok(
        *("traffic", "llama-3.1-8b", "--tp", "8", "--global-batch", "8", "--hardware", "h100")
    ).out  # fmt: skip


def test_exact_numbers_are_exact_everywhere(program):
    text = program.ok(*ASK, "--ep", "64", "--exact").out
    values = program.json(*ASK, "--ep", "64").values
    for name in ("copies_per_token.node", "copies_on_link.scale_up", "random_routing.imbalance"):
        assert str(values[f"traffic.{name}"]) in text


def test_the_zero_stage_of_a_step_is_an_option(program):
    ask = ("traffic", "llama-3.1-8b", "--hardware", "h100", "--dp", "16", "--global-batch", "32")
    plain, sharded = (program.json(*ask, *more) for more in ((), ("--zero", "2")))
    assert any("--zero 0" in text for text in plain.data["assumptions"])
    assert any("--zero 2" in text for text in sharded.data["assumptions"])
    assert plain.values != sharded.values


@pytest.mark.parametrize(
    ("arguments", "group", "expert"),
    [
        # 4,096 tokens x 8 of 256 experts: each of 8 GPUs dispatches 512, and all share an expert
        ("deepseek-v3 --tp 8 --serve --hardware h200", 4096, 128),
        # 2 sequences of 4,096, 2 of 8 experts
        ("mixtral-8x7b --tp 4 --dp 2 --ep 2 --etp 4 --global-batch 8 --hardware h200", 8192, 2048),
    ],
)
def test_an_expert_computes_the_tokens_that_its_gpus_gather(program, arguments, group, expert):
    values = program.json("traffic", *arguments.split()).values
    assert values["traffic.group_tokens"] == group
    assert values["traffic.tokens_per_expert"] == expert


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            "deepseek-v3 --tp 8 --serve",
            "tp 8 (all-reduces), etp 8 (gathers and scatters around experts) are not counted",
        ),
        ("llama-3.1-70b --tp 8 --serve", "tp 8 (all-reduces) are not counted: traffic counts"),
        ("deepseek-v3 --tp 8 --ep 8", "tp 8 (all-reduces) are not counted: give --global-batch"),
    ],
)
def test_collectives_that_are_not_counted_are_named(program, arguments, words):
    found = program.json("traffic", *arguments.split(), "--hardware", "h200")
    assert [words in text for text in found.data["warnings"]].count(True) == 1
    assert not ("--serve" in arguments and "--global-batch" in str(found.data["warnings"]))


def test_no_collective_is_named_where_there_is_none(program):
    found = program.json("traffic", "deepseek-v3", "--ep", "8", "--serve", "--hardware", "h200")
    assert found.data["warnings"] == []


def test_work_in_the_network_and_planes(program):
    """arXiv:2505.09343, section 6.5: 3.46 copies of a token over the scale-out link."""
    given = ("traffic", "deepseek-v3", "--layout", "v3-pretrain", "--hardware", "h800")
    values = program.json(*given, "--in-network").values
    copies = values["traffic.copies_on_link.scale_out"]
    assert copies == pytest.approx(3.46, abs=0.005)
    assert values["traffic.in_network_share"] == pytest.approx(
        (7392 + copies * 14336) / (copies * (7392 + 14336))
    )
    straight = (*given, "--forwarding", "per-gpu", "--planes", "8")
    values = program.json(*straight).values
    copies = values["traffic.copies_on_link.scale_out"]
    assert copies == pytest.approx(6.55, abs=0.005)
    assert values["traffic.plane_changes_per_token"] == pytest.approx(copies * 7 / 8)
    assert "same plane" in program.json(*given, "--planes", "8").data["warnings"][-1]
