import pytest

from dsv3calc.exit_status import ExitStatus

DENSE = ("memory", "llama-3.1-8b", "--hardware", "h100", "--dp", "8")
MIXTRAL = ("memory", "mixtral-8x7b", "--hardware", "h100", "--dp", "8", "--ep", "8")
V3 = ("memory", "deepseek-v3", "--hardware", "h800", "--ep", "64")
PRETRAIN = ("memory", "deepseek-v3", "--hardware", "h800", "--layout", "v3-pretrain")


def totals(found):
    """Return what a GPU holds, by class."""
    return {
        name: value
        for name, value in found.values.items()
        if name.startswith(("memory.worst.", "serving."))
    }


@pytest.mark.parametrize(
    ("asked", "options", "words"),
    [
        (DENSE, "--imbalance 2", "no layer has routed experts"),
        (DENSE, "--routing-weights after", "no layer has routed experts"),
        (DENSE, "--dispatch bf16", "no layer has routed experts"),
        (DENSE, "--combine fp8", "no layer has routed experts"),
        (DENSE, "--shared-experts replicated", "no layer has routed experts"),
        (DENSE, "--redundant-experts 8", "no layer has routed experts"),
        (DENSE, "--ep 8", "no layer has routed experts"),
        (DENSE, "--etp 2", "no layer has routed experts"),
        (DENSE, "--recompute moe_act", "no layer has routed experts"),
        (DENSE, "--recompute moe", "no layer has routed experts"),
        (DENSE, "--recompute shared_experts", "shared expert"),
        (DENSE, "--recompute mla_up_proj", "no layer has MLA"),
        (DENSE, "--sequence-parallel", "tp is 1"),
        (DENSE, "--layer-split balanced", "pp is 1"),
        (DENSE, "--compute-copy stored-twice", "no scales"),
        (DENSE, "--compute-copy bf16-and-stored", "less than BF16"),
        (DENSE, "--compute-copy bf16", "16 bits already"),
        (("memory", "llama-3.1-8b", "--hardware", "h100", "--tp", "2"), "--zero 1", "one replica"),
        (("memory", "llama-3.1-8b", "--hardware", "h100", "--tp", "2"), "--zero 3", "one replica"),
        (MIXTRAL, "--recompute mla_up_proj", "no layer has MLA"),
        (MIXTRAL, "--recompute mlp", "dense feed-forward"),
        (MIXTRAL, "--recompute mlp_act", "dense feed-forward"),
        (MIXTRAL, "--recompute shared_experts", "shared expert"),
        (MIXTRAL, "--shared-experts replicated", "no layer has a shared expert"),
        (V3, "--shared-experts replicated", "with tp 1"),
        (("memory", "mixtral-8x7b", "--hardware", "h100", "--dp", "8"), "--dispatch fp8", "ep 1"),
        ((*PRETRAIN, "--zero", "0"), "--mirror-optimizer", "ZeRO 0"),
        ((*DENSE, "--serve"), "--imbalance 2", "no layer has routed experts"),
        ((*DENSE, "--serve"), "--sequence-parallel", "tp is 1"),
        ((*DENSE, "--serve"), "--layer-split even", "pp is 1"),
        ((*DENSE, "--serve"), "--low-latency", "not divided"),
        ((*DENSE, "--serve"), "--absorbed", "MLA"),
        ((*V3, "--serve", "--low-latency"), "--dispatch bf16", "one format"),
    ],
)
def test_an_option_that_changes_nothing_is_told(program, asked, options, words):
    plain, found = program.json(*asked), program.json(*asked, *options.split())
    assert totals(found) == totals(plain)
    said = [text for text in found.data["warnings"] if text not in plain.data["warnings"]]
    assert len(said) == 1
    assert said[0].startswith(options.split()[0])
    assert " has no effect: " in said[0]
    assert words in said[0]


@pytest.mark.parametrize(
    ("asked", "options"),
    [
        (V3, "--imbalance 2"),
        (V3, "--routing-weights after"),
        (V3, "--dispatch bf16"),
        (PRETRAIN, "--combine fp8"),  # its layers take more than the head
        (V3, "--redundant-experts 64"),
        (V3, "--recompute mla_up_proj"),
        (V3, "--recompute mlp_act"),
        (V3, "--recompute moe"),
        (V3, "--compute-copy stored-twice"),
        (V3, "--compute-copy bf16-and-stored"),
        (V3, "--zero 1"),
        (PRETRAIN, "--mirror-optimizer"),
        ((*V3, "--tp", "2"), "--sequence-parallel"),
        (DENSE, "--recompute mlp_act"),
        ((*DENSE, "--pp", "2"), "--layer-split 15,17"),
        (("memory", "mixtral-8x7b", "--hardware", "h100", "--tp", "8", "--ep", "1"), "--zero 1"),
        ((*V3, "--serve"), "--imbalance 2"),
        ((*V3, "--serve"), "--low-latency"),
    ],
)
def test_an_option_that_changes_something_is_not(program, asked, options):
    plain, found = program.json(*asked), program.json(*asked, *options.split())
    assert totals(found) != totals(plain)
    assert not [text for text in found.data["warnings"] if "no effect" in text]


def test_what_follows_from_ep_in_a_dense_model_is_told(program):
    found = program.json("memory", "llama-3.1-8b", "--hardware", "h100", "--ep", "8")
    assert any("dp follows from it" in text for text in found.data["warnings"])


def test_weights_that_a_recipe_does_not_expect(program):
    told = program.json(*DENSE, "--recipe", "all-fp32").data["warnings"]
    assert any("--precision fp32 too" in text for text in told)
    both = ("--recipe", "all-fp32", "--precision", "fp32")
    assert program.json(*DENSE, *both).data["warnings"] == []
    assert program.json(*DENSE, "--recipe", "pure-bf16").data["warnings"] == []


@pytest.mark.parametrize("serve", [(), ("--serve",)])
@pytest.mark.parametrize(
    ("layout", "most", "words"),
    [
        (("--ep", "1", "--dp", "8"), 1, "ep 1"),
        (("--ep", "8"), 8, "every row"),
        (("--ep", "64"), 32, "4 of 8 rows"),
        (("--ep", "256"), 32, "1 of 8 rows"),
        (("--ep", "64", "--redundant-experts", "64"), 40, "5 of 8 rows"),
    ],
)
def test_the_fullest_gpu_has_no_more_rows_than_there_are(program, serve, layout, most, words):
    asked = ("memory", "deepseek-v3", "--hardware", "h800", *layout, *serve)
    program.ok(*asked, "--imbalance", most)
    err = program.refused(ExitStatus.USAGE, *asked, "--imbalance", most + 0.01).err
    assert f"{most} at most" in err
    assert words in err


@pytest.mark.parametrize("option", [("--rank", "0"), ("--rank", "1"), ("--by", "tensor")])
def test_what_is_shown_of_training_is_not_served(program, option):
    err = program.refused(ExitStatus.USAGE, *PRETRAIN, "--serve", *option).err
    assert f"{option[0]}: not with --serve" in err


@pytest.mark.parametrize(("tp", "rows"), [(1, []), (4, ["o proj", "down proj"])])
def test_by_tensor_has_scattered_outputs_where_tensors_are_divided(program, tp, rows):
    """A reduce-scatter's output: 4,096 tokens times 4,096 over 4, in BF16."""
    asked = ("memory", "llama-3.1-8b", "--hardware", "h100", "--tp", tp, "--by", "tensor")
    out = program.ok(*asked, "--recompute", "alternate-products", "--sequence-parallel").out
    found = [line.strip() for line in out.splitlines() if ".scattered" in line]
    assert [line.partition(".")[0] for line in found] == rows
    assert all("  8 MiB  " in line for line in found)


@pytest.mark.parametrize(("device", "twice"), [("h100", True), ("b200", False)])
def test_a_note_tells_of_second_copies_of_fp8_weights(program, device, twice):
    asked = ("memory", "llama-3.1-8b", "--tp", "1", "--precision", "fp8-tensor")
    notes = program.json(*asked, "--hardware", device, "--setup", "megatron-dense").data["notes"]
    assert any("of matrices in fp8_tensor two" in text for text in notes) == twice
