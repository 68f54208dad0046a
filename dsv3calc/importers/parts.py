"""Parts of a layer as the schema's plain data, without the options that are at their defaults."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value not in (False, None, "none")}


def gqa(
    num_attention_heads: int,
    num_key_value_heads: int,
    head_dim: int,
    *,
    attention_bias: bool = False,
    output_bias: bool = False,
    qk_norm: str = "none",
    attention_sinks: bool = False,
    output_gate: str = "none",
    sliding_window: int | None = None,
    attention_chunk_size: int | None = None,
    v_head_dim: int | None = None,
    key_values: str | None = None,
    indexer: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return grouped-query attention; the span follows from a window or a chunk size."""
    return {
        "type": "gqa",
        "num_attention_heads": num_attention_heads,
        "num_key_value_heads": num_key_value_heads,
        "head_dim": head_dim,
    } | _given(
        attention_bias=attention_bias,
        output_bias=output_bias,
        qk_norm=qk_norm,
        attention_sinks=attention_sinks,
        output_gate=output_gate,
        span="sliding" if sliding_window else "chunked" if attention_chunk_size else None,
        sliding_window=sliding_window,
        attention_chunk_size=attention_chunk_size,
        v_head_dim=None if v_head_dim == head_dim else v_head_dim,
        key_values=key_values,
        indexer=indexer,
    )


def dense(
    intermediate_size: int, *, gated: bool = True, mlp_bias: bool = False, learned: int = 0
) -> dict[str, Any]:
    """Return a feed-forward of three matrices, or of two where it is not gated.

    ``learned`` counts the numbers that its activation function learns.
    """
    plain = {"type": "dense", "intermediate_size": intermediate_size}
    ungated = {} if gated else {"gated": False}
    return plain | ungated | _given(mlp_bias=mlp_bias, activation_parameters=learned or None)


def moe(
    n_routed_experts: int,
    num_experts_per_tok: int,
    moe_intermediate_size: int,
    *,
    n_shared_experts: int = 0,
    groups: tuple[int, int] = (1, 1),
    routing_bias: bool = False,
    router_bias: bool = False,
    expert_bias: bool = False,
    beside: int | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return a mixture of gated experts; ``groups`` is (n_group, topk_group).

    ``beside`` is the width of a dense feed-forward that tokens pass too; ``more`` are further
    fields of the struct, left out where false or None.
    """
    limited = {"n_group": groups[0], "topk_group": groups[1]} if groups != (1, 1) else {}
    return (
        {
            "type": "moe" if beside is None else "moe_beside_dense",
            "n_routed_experts": n_routed_experts,
            "num_experts_per_tok": num_experts_per_tok,
            "moe_intermediate_size": moe_intermediate_size,
            "n_shared_experts": n_shared_experts,
        }
        | limited
        | _given(
            routing_bias=routing_bias,
            router_bias=router_bias,
            expert_bias=expert_bias,
            intermediate_size=beside,
            **more,
        )
    )


def state_dtype(reader: Reader, name: str) -> dict[str, Any]:
    """Return the data type of a recurrent state where it is not FP32."""
    dtype = reader.choice(name, "float32", "bfloat16", "float16")
    return {} if dtype == "float32" else {"state_dtype": dtype}


def spread(kinds: dict[str, dict[str, Any]], layer_types: list[str]) -> list[dict[str, Any]]:
    """Return the part of each layer, by the name of its type."""
    return [kinds[name] for name in layer_types]
