"""What outputs, notes and errors say: the right reason, the right unit, something to try."""

import pytest

from dsv3calc.exit_status import ExitStatus

V3 = ("deepseek-v3", "--hardware", "h200")


def test_training_memory_that_does_not_fit_is_told_from_serving(program):
    """Both lines of the comparison are in GiB; 1,157 GiB are 1.13 TiB."""
    found = program.ok("memory", *V3, "--tp", "8").out
    assert "DeepSeek-V3: training memory of one GPU on" in found
    rows = {line.split("  ")[0].strip(): line.split() for line in found.splitlines() if line}
    assert rows["total"][1:] == ["1,156.6", "GiB"]
    assert rows["over by"][2:] == ["1,016.8", "GiB"]
    note = "this is a training step: --serve counts an inference server"
    assert note in program.json("memory", *V3, "--tp", "8").data["notes"]
    served = program.ok("memory", *V3, "--tp", "8", "--serve")
    assert "DeepSeek-V3: serving memory of one GPU on" in served.out
    assert note not in served.err


@pytest.mark.parametrize(
    "asked",
    [
        ("memory", *V3, "--serve"),
        ("formula", "solve", "serving.weights<=99GiB", "memory", *V3, "--serve", "--for", "tp"),
    ],
)
def test_serving_without_degrees_is_told_what_serves(program, asked):
    err = program.refused(ExitStatus.USAGE, *asked).err
    assert "give --tp 8, or a layout for serving: --layout v3-decode-ep320" in err
    assert "v3-pretrain" not in err


def test_the_scale_up_link_is_named_where_its_domain_may_hold_the_experts(program):
    """Dispatch and combine of nine experts: 120.96 us at 50 GB/s are 6.72 us at 900 GB/s.

    arXiv:2505.09343 section 2.3.2 has these; with the scales of FP8, 58 layers and two micro-
    batches a token takes 806.5 us.
    """
    asked = ("limits", "ep", "deepseek-v3", "--hardware")
    told = program.json(*asked, "gb200-nvl72").data["notes"]
    assert any("joins 72 devices" in text and "gives 806.5 µs per token" in text for text in told)
    link = program.json(*asked, "gb200-nvl72", "--link", "scale-up")
    assert link.values["limits.ep.tpot"] == pytest.approx(806.5e-6, rel=1e-4)
    assert not any("--link scale-up" in text for text in link.data["notes"])
    assert not any("--link" in text for text in program.json(*asked, "h800").data["notes"])


def test_memory_that_holds_not_one_token(program):
    found = program.ok("kv", "deepseek-v3", "--fit", "40")
    assert "sequences that fit in 40 B" in found.out
    assert "not one token fits in --fit 40 B" in found.err + found.out
    assert "write 40GiB" in found.err + found.out
    enough = program.ok("kv", "deepseek-v3", "--fit", "40GiB")
    assert "longest context that fits in 40 GiB" in enough.out
    assert "not one token" not in enough.err + enough.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("kv llama-4", "did you mean 'llama-4-maverick'?"),
        ("kv qwen3-235b", "did you mean 'qwen3-235b-a22b'?"),
        ("limits ep deepseek-v3 --hardware h800 --mtp-acceptance 85", "try: --mtp-acceptance 85%"),
        (
            "memory deepseek-v3 --serve --tp 8 --hardware h200 --memory-fraction 90",
            "try: --memory-fraction 90%",
        ),
        ("memory deepseek-v3 --tp 0 --hardware h100", "--tp is 0: expected a whole number of at"),
        ("kv deepseek-v3 --batch 1.5", "--batch '1.5' is not a whole number (expected a count)"),
        ("snapshot", "error: Missing argument QUERY\n"),
        ("explain", "error: Missing argument COMMAND [OPTIONS]\n"),
    ],
)
def test_errors_of_the_command_line(program, arguments, words):
    assert words in program.refused(ExitStatus.USAGE, *arguments.split()).err


def test_a_name_that_is_far_from_any_is_none_of_them(program):
    err = program.refused(ExitStatus.USAGE, "presets", "show", "nope").err
    assert "did you mean" not in err
    assert (
        "did you mean 'none'" in program.refused(ExitStatus.USAGE, "presets", "show", "nonee").err
    )


@pytest.mark.parametrize(
    ("arguments", "what", "hint"),
    [
        ("kv Qwen/Qwen3-33B", "no such file", "(presets of its family: qwen3-32b,"),
        ("kv Some/Model", "no such file", "try: download its config.json and name that file"),
        (
            "import https://huggingface.co/Qwen/Qwen3-32B",
            "no address is contacted",
            "download its config.json",
        ),
    ],
)
def test_models_that_are_elsewhere(program, arguments, what, hint):
    err = program.refused(ExitStatus.INVALID_INPUT, *arguments.split()).err
    assert f"error: {what}" in err
    assert hint in err


def test_a_missing_file_of_a_folder_is_no_model_of_a_hub(program, file):
    file("models/mine/config.json", "{}")
    err = program.refused(ExitStatus.INVALID_INPUT, "kv", "models/other").err
    assert "download" not in err


def test_key_value_heads_that_more_gpus_share(program):
    """Llama 3.1 70B has 8 KV heads."""
    asked = ("memory", "llama-3.1-70b", "--serve", "--hardware", "h100", "--tp")
    notes = program.json(*asked, "16").data["notes"]
    assert any(
        "8 KV heads on tp 16: each KV head is replicated on 2 GPUs" in text
        and "adds no KV capacity" in text
        for text in notes
    )
    assert not any("replicated" in text for text in program.json(*asked, "8").data["notes"])


def test_a_config_that_is_no_object(program, file):
    err = program.refused(ExitStatus.INVALID_INPUT, "kv", file("config.json", "[1]")).err
    assert "config.json must be a JSON object" in err


def test_the_new_token_of_decoding_is_told_apart(program):
    """Llama 2 was made for 4,096 tokens; the default cache holds as many."""
    found = program.json("flops", "llama-2-70b", "--phase", "decode")
    words = "4,096 cached and 1 new token are more than its max_position_embeddings 4,096"
    assert any(words in text for text in found.data["warnings"])
