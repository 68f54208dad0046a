"""Nemotron NAS (DeciLM): Llama's layers, each with heads and a width of its own, or without them.

Read in the repositories' modeling_decilm.py and block_config.py: n_heads_in_group queries share a
key-value head; a feed-forward is 2/3 ffn_mult hidden_size wide, rounded up to a multiple of 256; a
part that is a no_op has no weights and no norm.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers import parts
from dsv3calc.importers.family import HEAD_DIM_FROM_HEADS, Architecture, Family
from dsv3calc.importers.keys import Reader
from dsv3calc.reading.diagnostics import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

_MULTIPLE = 256
_LARGEST_FACTOR = 1e6
_SINKS = (
    "num_sink_tokens",
    "sparsify",
    "unshifted_sink",
    "use_prefill_window_in_sink_attention",
    "llama4",
)


def _blocks(reader: Reader, depth: int) -> Iterator[tuple[Reader, Reader]]:
    """Yield readers of the attention and the feed-forward of each block."""
    _, given = reader.find(("block_configs",), None)
    if not isinstance(given, list) or len(given) != depth:
        if reader.sound("block_configs", "num_hidden_layers"):
            what = f"{len(given)} blocks" if isinstance(given, list) else quote(given)
            valid = f"a list of {depth} blocks"
            reader.refuse("block_configs", f"block_configs is {what}", valid=valid)
        return
    for layer, block in enumerate(given):
        path: tuple[Any, ...] = (*reader.path, "block_configs", layer)
        if not isinstance(block, dict):
            what = f"block_configs holds {quote(block)}"
            reader.findings.refuse(path, what, valid="an object of attention and ffn")
            return
        one = Reader(reader.findings, reader.family, block, path)
        reader.parts.append(one)
        yield one.part("attention"), one.part("ffn")


def _left_out(part: Reader) -> bool:
    """Tell whether a part of a block does nothing; refuse one that is replaced."""
    if part.has("replace_with_linear") and part.flag("replace_with_linear"):
        what = "a linear layer in place of it"
        part.refuse("replace_with_linear", what, valid="false")
    part.skip("replace_with_linear")
    gone = part.has("no_op") and part.flag("no_op")
    part.skip("no_op")
    return gone


def _attention(part: Reader, heads: int, width: int, *, bias: bool) -> dict[str, Any] | None:
    if _left_out(part):
        part.skip("n_heads_in_group", "window_length", *_SINKS)
        return None
    for name in _SINKS:
        part.skip(name)
        if part.has(name) and part.data[name] is not False:
            part.refuse(name, f"{name} {quote(part.data[name])} is not counted", valid="null")
    group = part.size("n_heads_in_group")
    if heads % group and part.sound("n_heads_in_group", "num_attention_heads"):
        part.refuse("n_heads_in_group", f"{group} does not divide {heads} heads")
    window = part.optional_size("window_length")
    return parts.gqa(
        heads,
        max(heads // group, 1),
        width,
        sliding_window=window,
        attention_bias=bias,
        output_bias=bias,
    )


def _feed_forward(part: Reader, hidden_size: int, *, bias: bool) -> dict[str, Any] | None:
    if _left_out(part):
        part.skip("ffn_mult", "sparsify", "moe", "intermediate_size")
        return None
    for name in ("sparsify", "moe"):
        part.skip(name)
        if part.has(name):
            part.refuse(name, f"{name} {quote(part.data[name])} is not counted", valid="null")
    if part.has("intermediate_size"):
        part.skip("ffn_mult")
        return parts.dense(part.size("intermediate_size"), mlp_bias=bias)
    part.skip("intermediate_size")
    _, factor = part.find(("ffn_mult",), None)
    number = isinstance(factor, int | float) and not isinstance(factor, bool)
    if not number or not 0 < factor < _LARGEST_FACTOR:
        if part.sound("ffn_mult"):
            part.refuse("ffn_mult", f"ffn_mult is {quote(factor)}", valid="a number above 0")
        return parts.dense(1)
    width = int(2 * factor * hidden_size / 3)
    return parts.dense(-(-width // _MULTIPLE) * _MULTIPLE, mlp_bias=bias)


def _nemotron_nas(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    heads = reader.size("num_attention_heads")
    width = reader.quotient(hidden_size, "hidden_size", heads, "num_attention_heads")
    if reader.has("head_dim"):
        width = reader.size("head_dim")
    reader.skip("head_dim", "intermediate_size", "num_key_value_heads")
    bias, mlp_bias = reader.flag("attention_bias"), reader.flag("mlp_bias")
    reader.activation("hidden_act")
    pairs = [
        (_attention(one, heads, width, bias=bias), _feed_forward(two, hidden_size, bias=mlp_bias))
        for one, two in _blocks(reader, depth)
    ]
    same: dict[str, dict[str, Any]] = {}
    kept = [tuple(part and same.setdefault(str(part), part) for part in pair) for pair in pairs]
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[attention for attention, _ in kept],
        feed_forward=[feed for _, feed in kept],
        block_norms=[sum(part is not None for part in pair) for pair in kept],
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


FAMILIES = {
    "nemotron-nas": Family(
        architectures=("DeciLMForCausalLM",),
        configuration="Nemotron's DeciLMConfig",
        read=_nemotron_nas,
        defaults={
            "attention_bias": False,
            "head_dim": HEAD_DIM_FROM_HEADS,
            "mlp_bias": False,
            "tie_word_embeddings": False,
            "attention.window_length": None,
            "window_length": None,
        },
        ignored=frozenset(["block_configs"]),
    )
}
