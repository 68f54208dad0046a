import json

import pytest

from dsv3calc.exit_status import ExitStatus

BUNDLES = (["--as", "transformers"], ["--convention", "isca25-table2"])


def test_the_default_workload_is_told(program):
    data = program.json("flops", "deepseek-v3").data
    assert data["query"] | {"phase": "train", "batch": 1, "sequence": 4096} == data["query"]
    text = program.ok("flops", "deepseek-v3").out
    assert "train, batch 1" in text
    assert "4,096" in text


def test_components_sum_to_the_total(program):
    for phase in ("train", "prefill", "decode"):
        values = program.json("flops", "deepseek-v3", "--phase", phase).values
        parts = [
            value
            for name, value in values.items()
            if name.startswith("flops.components.") and name.count(".") == 2
        ]
        assert sum(parts) == values["flops.total"]


def test_the_three_counts_of_attention_are_shown(program):
    values = program.json("flops", "deepseek-v3", "--seq", "1024").values
    counts = [values[f"flops.by_attention.{name}"] for name in ("half", "causal", "full")]
    assert counts == sorted(counts)
    assert values["flops.total"] == counts[1]


def test_decode_defaults(program):
    query = program.json("flops", "deepseek-v3", "--phase", "decode").data["query"]
    assert (query["batch"], query["sequence"], query["past"]) == (1, 1, 4096)


def test_suffixes_and_the_other_reading(program):
    for text in ("8k", "8e3", "8,000", "8_000", "8K"):
        data = program.json("flops", "deepseek-v3", "--seq", text).data
        assert data["query"]["sequence"] == 8000
    assert any("8Ki would be 8,192" in note for note in data["notes"])
    exact = program.json("flops", "deepseek-v3", "--seq", "8Ki").data
    assert exact["query"]["sequence"] == 8192
    assert not exact["notes"]


def test_huge_workloads_are_exact_integers(program):
    values = program.json(
        "flops", "deepseek-v3", "--phase", "prefill", "--seq", "1e15", "--batch", "1e15"
    ).values
    assert isinstance(values["flops.total"], int)
    assert values["flops.total"] > 10**50


def test_options_that_do_not_apply_are_warnings(program):
    data = program.json("flops", "llama-2-70b", "--mla", "absorbed", "--router", "out").data
    assert any("--mla" in text for text in data["warnings"])
    assert any("--router" in text for text in data["warnings"])


@pytest.mark.parametrize("option", [["--mla", "absorbed"], ["--attention", "half"]], ids=" ".join)
def test_options_that_a_counting_ignores_are_warnings(program, option):
    plain = program.json("flops", "deepseek-v3", "--counting", "six-n")
    found = program.json("flops", "deepseek-v3", "--counting", "six-n", *option)
    if found.values["flops.total"] == plain.values["flops.total"]:
        assert any(option[0] in text for text in found.data["warnings"])


@pytest.mark.parametrize("bundle", BUNDLES, ids=" ".join)
@pytest.mark.parametrize("option", [["--attention", "causal"], ["--head", "out"]], ids=" ".join)
def test_a_bundle_rejects_what_it_fixes(program, bundle, option):
    found = program("flops", "deepseek-v3", *bundle, *option, "--json")
    fixed = program.json("conventions", "list").data["rows"]
    name = bundle[1]
    fixes = [row for row in fixed if name in str(row.values())]
    assert fixes
    if found.status == ExitStatus.OK:
        assert option[1] not in found.data["query"]["attention"]
    else:
        assert found.status == ExitStatus.USAGE
        assert f"{bundle[0]} {name} fixes" in found.errors[0]["what"]


def test_two_bundles_contradict_each_other(program):
    program.refused(ExitStatus.USAGE, "flops", "deepseek-v3", *BUNDLES[0], *BUNDLES[1])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--phase", "trian"], "did you mean 'train'"),
        (["--phase", "train", "--past", "1"], "--phase prefill or decode"),
        (["--last-logit"], "every position"),
        (["--counting", "sixn"], "did you mean 'six-n'"),
        (["--attention", "causel"], "did you mean 'causal'"),
        (["--mla", "absorved"], "did you mean 'absorbed'"),
        (["--head", "maybe"], "in, out"),
        (["--convention", "isca"], "isca25-table2"),
        (["--seq", "0"], "--seq"),
        (["--seq", "80 GB"], "not a unit of tokens"),
        (["--seq", "1e16"], "10^15"),
        (["--seq", "-4"], "--seq"),
        (["--seq", "nan"], "does not start with a number"),
        (["--seq", "1.5"], "whole number"),
        (["--seq", "1e400"], "1e400"),
        (["--seq", "9" * 5000], "characters"),
        (["--batch", "٣"], "--batch"),
        (["--past", "x"], "--past"),
    ],
)
def test_wrong_options(program, options, words):
    found = program.refused(ExitStatus.USAGE, "flops", "deepseek-v3", *options)
    assert words in found.err


QWEN3_30B = {
    "model_type": "qwen3_moe", "hidden_size": 2048, "intermediate_size": 6144, "head_dim": 128,
    "num_hidden_layers": 48, "num_attention_heads": 32, "num_key_value_heads": 4,
    "vocab_size": 151936, "moe_intermediate_size": 768, "num_experts": 128,
    "num_experts_per_tok": 8, "tie_word_embeddings": False, "attention_bias": False,
    "decoder_sparse_step": 1, "mlp_only_layers": [], "torch_dtype": "bfloat16",
}  # fmt: skip


def test_as_torchtitan_is_the_value_that_it_logs(program, tmp_path):
    """pytorch/torchtitan pull request 4300: Qwen3-30B-A3B at 8,192 tokens."""
    path = tmp_path / "qwen3-30b-a3b.json"
    path.write_text(json.dumps(QWEN3_30B))
    values = program.json("flops", path, "--seq", "8192", "--as", "torchtitan").values
    assert values["flops.per_token"] == 37_578_559_488


@pytest.mark.parametrize(
    ("library", "per_token"), [("nanogpt", 455_534_493_696), ("torchtitan", 449_230_454_784)]
)
def test_six_n_and_twelve_lhqt(program, library, per_token):
    """70B parameters: 6 N + 12 x 80 x 64 x 128 x 4,096, N with and without 128,256 x 8,192."""
    values = program.json("flops", "llama-3.1-70b", "--as", library).values
    assert values["flops.per_token"] == per_token
    scores = 12 * 80 * 64 * 128 * 4096
    n = 70_553_706_496 - (128_256 * 8192 if library == "torchtitan" else 0)
    assert per_token == 6 * n + scores


def test_pairs_of_mla_have_channels_of_their_own(program):
    """torchtitan: 6 L H (qk + v) T, here 192 and 128 channels of 128 heads in 61 layers."""
    values = program.json("flops", "deepseek-v3", "--as", "torchtitan").values
    core = values["flops.components.attention_core"]
    assert core == 4096 * 6 * 61 * 128 * (192 + 128) * 4096


def test_full_recomputation_is_a_second_forward_pass(program):
    """Korthikanti et al., arXiv:2205.05198: 4 passes instead of 3; and 8 N instead of 6 N."""
    for more in ((), ("--counting", "six-n"), ("--as", "torchtitan"), ("--with-mtp",)):
        once, again = (
            program.json("flops", "deepseek-v3", *more, *options).values["flops.total"]
            for options in ((), ("--recompute", "full"))
        )
        assert 3 * again == 4 * once
    found = program.refused(ExitStatus.USAGE, "flops", "deepseek-v3", "--phase", "prefill",
                            "--recompute", "full")  # fmt: skip
    assert "only training" in found.err


@pytest.mark.parametrize("attention", ["causal", "full", "half"])
def test_a_packed_batch_is_the_sum_of_its_sequences(program, attention):
    options = ("--attention", attention)
    packed = program.json("flops", "gemma-3-27b", "--seq", "512,1024,2048", *options).values
    alone = [
        program.json("flops", "gemma-3-27b", "--seq", str(length), *options).values
        for length in (512, 1024, 2048)
    ]
    for name in ("flops.total", "flops.tokens", "flops.components.attention_core"):
        assert packed[name] == sum(values[name] for values in alone)
    assert packed["flops.per_token"] == packed["flops.total"] / 3584
    twice = program.json("flops", "gemma-3-27b", "--seq", "512+512", *options).values
    assert twice["flops.total"] == 2 * alone[0]["flops.total"]


def test_a_comma_between_thousands_is_none_between_sequences(program):
    one, other = (
        program.json("flops", "llama-3.1-8b", "--seq", text).values for text in ("1,024", "1024")
    )
    assert one == other
    assert (
        "packed sequences of 512, 1,024 tokens"
        in program.ok("flops", "llama-3.1-8b", "--seq", "512,1024").out
    )
    program.refused(ExitStatus.USAGE, "flops", "llama-3.1-8b", "--seq", "512,,1024")
    program.refused(ExitStatus.USAGE, "flops", "llama-3.1-8b", "--seq", "512,0")
    err = program.refused(ExitStatus.USAGE, "flops", "llama-3.1-8b", "--seq", "512,512").err
    assert "512512 for the number, 512+512 for the list" in err
    err = program.refused(
        ExitStatus.USAGE, "flops", "llama-3.1-8b", "--phase", "decode", "--seq", "512,1024"
    ).err
    assert "a decode step has the same number of new tokens" in err
