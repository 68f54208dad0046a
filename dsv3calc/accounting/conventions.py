"""Everything the field counts in several ways: the named choices, and named bundles of them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.parameters import PARAMETER_VARIANTS
from dsv3calc.errors import UsageError
from dsv3calc.reading.diagnostics import did_you_mean, quote, suggest
from dsv3calc.schema.workload import Conventions

if TYPE_CHECKING:
    from collections.abc import Mapping

CHOICES: dict[str, tuple[str, dict[str, str]]] = {
    "counting": (
        "--counting",
        {
            "matmul": "every matrix product, 2 FLOP per multiply-add",
            "six-n": "6 (training) or 2 FLOP per token and active parameter (input embedding out, "
            "head, norms and biases in); no attention scores",
            "six-n-attention": "six-n, and every pair of query and key of each layer, masked ones "
            "too: 6 N + 12 L H Q T in training",
            "twelve-l-h2": "6 or 2 times 12 L h² + V h: a generic block, as papers count dense",
        },
    ),
    "attention": (
        "--attention",
        {
            "causal": "only unmasked query-key pairs: S past + S(S+1)/2; window sizes respected",
            "full": "masked pairs too: S (past + S); with a window S (min(past, W-1) + S), with "
            "DSA S min(past + S, k)",
            "half": "S past + S²/2, as most papers count: half of the diagonal",
            "clamped": "every new token counted like the last one: S (past + S); with a window "
            "S min(past + S, W)",
        },
    ),
    "mla": (
        "--mla",
        {
            "by-phase": "naive in training and prefill, absorbed in decode",
            "naive": "keys and values expanded from the latent, for new tokens only",
            "absorbed": "kv_b_proj folded into queries and outputs; scores against the latent",
            "latent": "the latent is cached and all of it expanded again in every pass",
        },
    ),
    "head": (
        "--head",
        {"in": "the output head is computed", "out": "the output head is left out"},
    ),
    "router": (
        "--router",
        {"in": "the routers' products are counted", "out": "they are left out"},
    ),
    "mtp": (
        "--with-mtp",
        {"out": "multi-token prediction is left out", "in": "its modules are counted"},
    ),
    "routed_experts": (
        "",
        {
            "chosen": "only the experts that a token is routed to are counted",
            "as-transformers": "experts as the library computes them (llama4: every expert); "
            "every chosen expert counts as one with weights",
        },
    ),
    "sparse_attention": (
        "",
        {
            "selected": "layers with an indexer attend to what it selects: keys, entries, blocks",
            "masked-dense": "they compute every pair and mask the rest",
        },
    ),
    "window_cache": (
        "",
        {
            "window": "a sliding or chunked layer keeps its whole window",
            "window-minus-one": "it keeps one token less, since the next token adds its own",
        },
    ),
    "index_keys": (
        "",
        {
            "format": "the keys of DSA's indexer are stored as the KV format says: the presets "
            "have FP8 with a scale, as engines do",
            "as-keys": "they are stored in the format of the latent",
        },
    ),
    "scan": (
        "--scan",
        {
            "recurrent": "recurrences are counted token by token, with the fewest FLOPs: 6 per "
            "element of the state for a delta rule, 4 for a state space and linear "
            "attention",
            "chunked": "in training and prefill the products of kernels that compute whole chunks "
            "of chunk_size tokens, the last one padded; recurrent in decode",
            "as-transformers": "the products that transformers' code computes: whole chunks in "
            "training and prefill, padded convolutions, no elementwise operations",
        },
    ),
    "state": (
        "",
        {
            "engines": "a mixer keeps its state in state_dtype and kernel - 1 inputs of its "
            "convolution; a compressor keeps the tokens of its blocks "
            "in FP32",
            "as-transformers": "it keeps as many convolution inputs as the kernel is wide, and "
            "its state in FP32 "
            "(lightning attention in the model's data type); a compressor keeps the tokens of the "
            "block that is not complete",
        },
    ),
    "recompute": (
        "--recompute",
        {
            "none": "nothing is recomputed: model FLOPs, as for MFU",
            "full": "in training the whole forward pass is recomputed: 4/3 of the model FLOPs, "
            "as for HFU",
        },
    ),
    "n_parameters": (
        "",
        {
            "without-embedding": "N of six-n excludes the input embedding",
            "all": "N includes every parameter, the input embedding too",
        },
    ),
    "parameters": (
        "--variant",
        {name: words for name, (_, words) in PARAMETER_VARIANTS.items()},
    ),
}
"""Convention -> its option and its choices in words; the default comes first."""


class Bundle(msgspec.Struct, frozen=True):
    """A named set of conventions that belong together, and where it comes from.

    ``commands`` are those whose counts its source defines. ``phases`` are the passes that it
    counts, ``components`` what a model may be made of there, ``spans`` what an attention may see:
    all where none is named. ``last_logit`` says that a prompt has one logit.
    """

    name: str
    option: str
    words: str
    source: str
    fixes: dict[str, str]
    commands: tuple[str, ...] = ("params", "flops", "kv", "compare")
    phases: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    spans: tuple[str, ...] = ()
    last_logit: bool = False


BUNDLES = {
    bundle.name: bundle
    for bundle in (
        Bundle(
            "isca25-table2",
            "--convention",
            "training cost per token as the MoE rows of Table 2 count it: head in, router out, "
            "half of the score matrix, naive MLA, no MTP",
            "arXiv:2505.09343 Table 2; inferred, corroborated by Table 4; equal to Megatron-LM at "
            "d98e8a64 for GQA, which for MLA adds 6 FLOPs an element of the latent norms",
            {
                "counting": "matmul",
                "attention": "half",
                "mla": "naive",
                "head": "in",
                "router": "out",
                "mtp": "out",
                "sparse_attention": "selected",
                "routed_experts": "chosen",
            },
        ),
        Bundle(
            "isca25-table2-dense",
            "--convention",
            "training cost per token as the dense rows of Table 2 count it: 6 (12 L h² + V h)",
            "arXiv:2505.09343 Table 2; inferred from its two dense rows",
            {"counting": "twelve-l-h2", "mtp": "out"},
        ),
        Bundle(
            "torchtitan",
            "--as",
            "training FLOPs as torchtitan logs them: 6 N + 12 L H Q T, N active parameters without "
            "the input embedding, every pair of query and key",
            "pytorch/torchtitan, num_flops_per_token of each model (pull request 4300 has the "
            "value of Qwen3-30B-A3B at 8,192 tokens); arXiv:2204.02311, appendix B",
            {
                "counting": "six-n-attention",
                "attention": "full",
                "mla": "naive",
                "head": "in",
                "router": "in",
                "mtp": "out",
                "n_parameters": "without-embedding",
            },
            commands=("flops", "compare"),
        ),
        Bundle(
            "nanogpt",
            "--as",
            "training FLOPs as nanoGPT's estimate_mfu counts them: 6 N + 12 L H Q T; N is every "
            "parameter except positions, input embedding included",
            "karpathy/nanoGPT, model.py, estimate_mfu; arXiv:2204.02311, appendix B",
            {
                "counting": "six-n-attention",
                "attention": "full",
                "mla": "naive",
                "head": "in",
                "router": "in",
                "mtp": "out",
                "n_parameters": "all",
            },
            commands=("flops", "compare"),
        ),
        Bundle(
            "vllm",
            "--as",
            "a pass as vLLM's --enable-mfu-metrics estimates it: projections, every new token with "
            "the whole context or its window, MLA expanded, experts chosen, one logit of a prompt; "
            "no router",
            "vllm-project/vllm, vllm/v1/metrics/perf.py at 00cee63e",
            {
                "counting": "matmul",
                "attention": "clamped",
                "mla": "naive",
                "head": "in",
                "router": "out",
                "mtp": "out",
                "routed_experts": "chosen",
                "sparse_attention": "selected",
            },
            commands=("flops",),
            phases=("prefill", "decode"),
            components=(
                "attention_projections",
                "attention_core",
                "dense_ffn",
                "shared_experts",
                "routed_experts",
                "router",
                "head",
            ),
            spans=("full", "sliding", "chunked"),
            last_logit=True,
        ),
        Bundle(
            "sglang",
            "--as",
            "a pass as SGLang's --enable-mfu-metrics estimates it: projections, feed-forward and "
            "unmasked pairs; no head",
            "sgl-project/sglang, srt/observability/scheduler_metrics_mixin.py (pull request 19395, "
            "issue 34298)",
            {
                "counting": "matmul",
                "attention": "causal",
                "mla": "naive",
                "head": "out",
                "router": "out",
                "mtp": "out",
            },
            commands=("flops",),
            phases=("prefill", "decode"),
            components=("attention_projections", "attention_core", "dense_ffn", "head"),
            spans=("full",),
        ),
        Bundle(
            "accelerate",
            "--as",
            "what accelerate estimate-memory adds up: parameters and buffers of the model without "
            "its head, and four times their bytes for training with Adam",
            "huggingface/accelerate, src/accelerate/commands/estimate.py at 00e4d264 (pull request "
            "1876)",
            {"parameters": "without-head"},
            commands=("params",),
        ),
        Bundle(
            "transformers",
            "--as",
            "what the transformers library computes and keeps: full attention, the latent expanded "
            "again in every pass, masked dense DSA, every expert in llama4, window-1 tokens "
            "cached, index keys in the cache's dtype, mixers as its code computes and keeps them",
            "transformers 5.23 and 5.24, counted on their modelling code",
            {
                "counting": "matmul",
                "attention": "full",
                "mla": "latent",
                "head": "in",
                "router": "in",
                "mtp": "out",
                "routed_experts": "as-transformers",
                "sparse_attention": "masked-dense",
                "window_cache": "window-minus-one",
                "index_keys": "as-keys",
                "scan": "as-transformers",
                "state": "as-transformers",
                "parameters": "trainable",
            },
        ),
    )
}
"""Named bundles of conventions."""

BUNDLE_NAMES = tuple(name for name, bundle in BUNDLES.items() if bundle.option == "--convention")
LIBRARY_NAMES = tuple(name for name, bundle in BUNDLES.items() if bundle.option == "--as")


def choose_conventions(
    given: Mapping[str, str | None],
    *,
    convention: str | None = None,
    library: str | None = None,
    command: str = "flops",
) -> Conventions:
    """Put the conventions of a query together.

    Parameters
    ----------
    given
        Conventions that the user chose; None where an option was not given.
    convention, library
        The bundles named by ``--convention`` and ``--as``.
    command
        The words of the command, whose counts a bundle may leave open.

    Raises
    ------
    UsageError
        For an unknown choice or bundle, two bundles, or an option that a bundle fixes.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    for name, value in chosen.items():
        option, choices = CHOICES[name]
        if value not in choices:
            raise UsageError(
                f"{option} {quote(value)}: choose one of {', '.join(choices)}",
                did_you_mean(value, choices, "dsv3calc conventions list"),
            )
    if convention and library:
        raise UsageError("--convention and --as both name a bundle of conventions", "give one")
    named = convention or library
    if not named:
        return Conventions(**chosen)  # type: ignore[arg-type] # checked against CHOICES above
    option = "--convention" if convention else "--as"
    bundle = BUNDLES.get(named)
    if bundle is None or bundle.option != option:
        fitting = [name for name, other in BUNDLES.items() if other.option == option]
        close = suggest(named, fitting)
        elsewhere = f"did you mean '{close}'? " if close else ""
        elsewhere += f"{bundle.option} {bundle.name} exists; " if bundle else ""
        raise UsageError(
            f"{option} {quote(named)}: choose one of {', '.join(fitting)}",
            f"{elsewhere}dsv3calc conventions list",
        )
    if command not in bundle.commands:
        raise UsageError(
            f"{option} {bundle.name} does not change what {command} counts: {bundle.words}",
            " or ".join(f"dsv3calc {name} {option} {bundle.name}" for name in bundle.commands),
        )
    clash = [name for name in chosen if name in bundle.fixes]
    if clash:
        options = ", ".join(
            CHOICES[name][0] if name == "mtp" else f"{CHOICES[name][0]} {chosen[name]}"
            for name in clash
        )
        fixed = ", ".join(f"{name}={bundle.fixes[name]}" for name in clash)
        raise UsageError(
            f"{option} {bundle.name} fixes {fixed}; it cannot go with {options}",
            f"leave out {option} {bundle.name} to choose each convention yourself",
        )
    return Conventions(**{**chosen, **bundle.fixes})  # type: ignore[arg-type] # from BUNDLES
