import pytest

from dsv3calc.exit_status import ExitStatus

PRETRAIN = ("memory", "deepseek-v3", "--hardware", "h800", "--layout", "v3-pretrain")
LLAMA = ("--hardware", "h100", "--layout", "llama-3.1-405b-pretrain")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--micro-batch 7", "--micro-batch 7 with the layout v3-pretrain: a step of 15,360 "),
        ("--global-batch 100", "--global-batch 100 with the layout v3-pretrain: a step of 100 "),
        ("--micro-batch 7 --tp 2", "error: --micro-batch 7 with the layout"),
        ("--dp 4 --ep 2 --micro-batch 4096", "error: --dp 4 --micro-batch 4096 with the layout"),
        ("--pp 15", "--pp 15 with the layout v3-pretrain: DualPipe"),
        ("--dp 64 --ep 48", "--ep 48 with the layout v3-pretrain: ep 48"),
    ],
)
@pytest.mark.parametrize("command", ["memory", "traffic"])
def test_an_option_is_blamed_for_what_it_breaks(program, command, options, words):
    asked = (command, "deepseek-v3", "--hardware", "h800", "--layout", "v3-pretrain")
    err = program.refused(ExitStatus.USAGE, *asked, *options.split()).err
    assert words in err
    assert ".yaml" not in err
    assert "--set" not in err


def test_a_wrong_file_is_blamed_itself(program, file, preset_text):
    text = preset_text("layouts", "v3-pretrain").replace("15360", "15361")
    path = file("wrong.yaml", text)
    asked = ("memory", "deepseek-v3", "--hardware", "h800", "--layout", path, "--tp", "2")
    assert "wrong.yaml:13:" in program.refused(ExitStatus.INVALID_INPUT, *asked).err


@pytest.mark.parametrize("command", ["memory", "traffic"])
@pytest.mark.parametrize(
    ("model", "tp", "words"),
    [
        (
            "llama-3.1-8b --set intermediate_size=14340",
            8,
            "14,340 wide, does not divide among tp 8",
        ),
        ("deepseek-v3 --set intermediate_size=18436", 8, "take --tp 4\n"),
        ("deepseek-v3 --set moe_intermediate_size=2044", 8, "the shared experts' feed-forward"),
    ],
)
def test_widths_divide_among_tp(program, command, model, tp, words):
    asked = (command, *model.split(), "--hardware", "h800", "--tp", tp)
    assert words in program.refused(ExitStatus.USAGE, *asked).err


def test_whole_shared_experts_need_not_divide(program):
    changed = ("--set", "moe_intermediate_size=2044", "--tp", "8", "--ep", "8")
    program.ok(
        "memory", "deepseek-v3", "--hardware", "h800", *changed, "--shared-experts", "replicated"
    )


@pytest.mark.parametrize("command", ["memory", "traffic"])
def test_a_layout_says_how_long_sequences_are(program, command):
    found = program.json(command, "llama-3.1-405b", *LLAMA)
    same = program.json(command, "llama-3.1-405b", *LLAMA, "--seq", "8192")
    assert found.values == same.values
    assert any("8,192 tokens, of the layout" in text for text in found.data["notes"])
    assert not any("of the layout" in text for text in same.data["notes"])
    shorter = program.json(command, "llama-3.1-405b", *LLAMA, "--seq", "4096")
    assert shorter.values != found.values


def test_a_layout_says_what_it_trains_with(program):
    asked = ("memory", "deepseek-v3", "--hardware", "h100", "--layout", "v3-bridge-h100")
    found = program.json(*asked)
    given = ("--precision", "bf16", "--recipe", "bf16-gradients")
    same = program.json(*asked, *given)
    assert found.values == same.values
    assert found.data["query"]["recipe"] == "bf16-gradients"
    assert sum("of the layout v3-bridge-h100" in text for text in found.data["notes"]) == 2
    assert program.json(*asked, "--recipe", "megatron-bf16").values != found.values
    without = ("--set", "layout.precision=null", "--set", "layout.recipe=null")
    assert program.json(*asked, *without).data["query"]["precision"] == "fp8-deepseek-v3"


def test_a_set_changes_a_layout_made_of_options(program):
    asked = ("memory", "llama-3.1-8b", "--hardware", "h100")
    found = program.json(*asked, "--tp", "8", "--set", "layout.dp=4", "--set", "layout.zero=1")
    same = program.json(*asked, "--tp", "8", "--dp", "4", "--zero", "1")
    assert found.values == same.values
    assert "the layout: --set layout.zero=1" in found.data["assumptions"]
    assert not any("dp is" in text for text in found.data["assumptions"])
    alone = program.json(*asked, "--set", "layout.tp=8", "--set", "layout.pp=2")
    assert alone.values == program.json(*asked, "--tp", "8", "--pp", "2").values
    stage = program.json(*asked, "--pp", "4", "--set", "layout.head_stage=0").values
    assert stage != program.json(*asked, "--pp", "4").values


@pytest.mark.parametrize(
    ("option", "status", "words"),
    [
        ("layout.zero=9", ExitStatus.USAGE, "--set layout.zero=9"),
        ("layout.zeor=1", ExitStatus.USAGE, "did you mean: zero"),
        ("layout.dp=x", ExitStatus.USAGE, "--set layout.dp=x"),
        ("layout.micro_batch=7", ExitStatus.USAGE, "a step of 128 sequences does not divide"),
    ],
)
def test_a_wrong_set_of_a_layout_made_of_options(program, option, status, words):
    asked = ("memory", "llama-3.1-8b", "--hardware", "h100", "--tp", "8", "--global-batch", "128")
    assert words in program.refused(status, *asked, "--set", option).err


def test_an_unknown_field_of_a_set_lists_all_fields(program):
    wrong = ("--set", "precision.foo=1")
    err = program.refused(ExitStatus.USAGE, *PRETRAIN, *wrong).err
    told = program(*PRETRAIN, *wrong, "--json").errors[0]["valid"]
    assert "unknown field 'foo'" in err
    for name in ("formats", "weights", "compute", "activations", "recipe"):
        assert name in told


def test_an_explanation_shows_the_line_of_the_layout(program):
    line = ("--line", "memory.buffers.pipeline.payload")
    asked = ("explain", "memory", "llama-3.1-405b", *LLAMA, *line)
    assert "sequence = 8,192 tokens  llama-3.1-405b-pretrain.yaml:15" in program.ok(*asked).out
    assert "pretrain.yaml:15" not in program.ok(*asked, "--seq", "8192").out


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ((), "v3-pretrain"),
        (("--tp", "1"), "v3-pretrain"),  # as the preset has it
        (("--tp", "4"), "v3-pretrain with tp 4"),
        (("--ep", "32", "--dp", "64"), "v3-pretrain with dp 64, ep 32"),
        (("--set", "layout.tp=4"), "v3-pretrain with tp 4"),
        (("--layer-split", "4*15,1"), "v3-pretrain with another layer split"),
    ],
)
@pytest.mark.parametrize("asked", [("memory",), ("traffic",), ("memory", "--serve")])
def test_a_heading_names_the_degrees_that_were_changed(program, asked, options, name):
    found = program.ok(*asked, *PRETRAIN[1:], *options)
    assert f" on {name}, h800\n" in found.out


@pytest.mark.parametrize(
    ("layout", "phase"), [("v3-decode-ep320", "decoding"), ("v3-prefill-ep32", "prefill")]
)
def test_a_layout_for_serving_serves(program, layout, phase):
    asked = ("memory", "deepseek-v3", "--hardware", "h800", "--layout", layout)
    found = program.json(*asked)
    assert found.data["query"]["serve"] is True
    assert f"the layout is for {phase}: counted with --serve" in found.data["notes"]
    assert found.values == program.json(*asked, "--serve").values
    refused = program.refused(ExitStatus.USAGE, *asked, "--zero", "1")
    assert f"--zero: not with --serve, and the layout is for {phase}" in refused.err
    trained = program.json(*asked, "--set", "layout.phase=train").values
    assert "memory.worst.optimizer" in trained


def test_traffic_of_a_layout_for_serving_has_no_training_step(program):
    asked = ("traffic", "deepseek-v3", "--hardware", "h800", "--layout", "v3-decode-ep320")
    found = program.json(*asked)
    assert "the layout is for decoding: counted with --serve" in found.data["notes"]
    assert found.data["query"]["tokens"] == 32  # one pass of decoding, not 4,096-token sequences
    assert found.values["traffic.group_tokens"] == 320 * 32
    refused = program.refused(ExitStatus.USAGE, *asked, "--global-batch", "80")
    assert "the layout is for decoding" in refused.err
    assert "layout.phase=train" in refused.err


def test_traffic_serves_a_training_layout_on_demand(program):
    asked = ("traffic", "deepseek-v3", "--hardware", "h800", "--layout", "v3-pretrain")
    values = program.json(*asked, "--serve", "--etp", "1").values
    assert "traffic.step.scale_out_bytes" not in values
    trained = program.json(*asked).values
    assert 2 * values["traffic.micro_batch.scale_out_bytes"] == pytest.approx(
        trained["traffic.micro_batch.scale_out_bytes"]
    )


def test_a_phase_may_be_set_without_a_preset(program):
    asked = ("memory", "deepseek-v3", "--hardware", "h200", "--tp", "8")
    values = program.json(*asked, "--set", "layout.phase=decode").values
    assert values["serving.weights"] == program.json(*asked, "--serve").values["serving.weights"]


def assumed_of(program, command, options):
    asked = (command, "deepseek-v3", "--layout", "v3-pretrain", "--hardware", "h800", *options)
    return "\n".join(program.json(*asked).data["assumptions"])


@pytest.mark.parametrize("command", ["memory", "traffic"])
@pytest.mark.parametrize("split", ["4*15,1", "0*15,61"])
def test_the_assumption_of_an_overridden_field_is_dropped(program, command, split):
    assert "v3-pretrain: layer_split:" in assumed_of(program, command, ())
    told = assumed_of(program, command, ("--layer-split", split))
    assert "v3-pretrain: layer_split:" not in told
    assert "split evenly over the stages" not in told
    assert "v3-pretrain: micro_batch:" in told
    given = assumed_of(program, command, ("--set", "layout.micro_batch=2"))
    assert "v3-pretrain: micro_batch:" not in given


@pytest.mark.parametrize("command", ["memory", "traffic"])
@pytest.mark.parametrize(
    ("options", "gone"),
    [(("--pp", "8"), "16 stages"), (("--dp", "64", "--ep", "32"), "128 replicas")],
)
def test_assumptions_say_nothing_of_degrees_that_were_changed(program, command, options, gone):
    told = assumed_of(program, command, options)
    assert gone not in told
    assert "13 stages" not in told


def test_what_a_schedule_leaves_without_effect_is_not_assumed(program):
    assert "mirror_optimizer" in assumed_of(program, "memory", ())
    assert "mirror_optimizer" not in assumed_of(program, "memory", ("--schedule", "1f1b"))


def test_the_assumption_of_a_replaced_degree_is_dropped(program):
    asked = ("memory", "llama-3.1-70b", "--layout", "dense-tp8", "--hardware", "h100")
    assert "eight GPUs" in "".join(program.json(*asked).data["assumptions"])
    assert "eight GPUs" not in "".join(program.json(*asked, "--tp", "4").data["assumptions"])
