"""The matrices of a layer, and what published files call the modules that hold them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_BLOCKS = {
    "attention": ("self_attn", "attn", "attention", "mixer"),
    "feed_forward": ("mlp", "block_sparse_moe", "feed_forward", "ffn", "mixer"),
    "mixer": ("linear_attn", "mixer", "mamba", "self_attn"),
    "mamba2": ("mixer", "mamba"),
    "gated_delta_net": ("linear_attn",),
    "experts_beside": ("experts.0", "moe.experts.0", "experts", "moe.experts"),
}
"""Part of a layer, or kind of it -> what published files call it; Nemotron-H has mixers.

Experts beside a dense feed-forward, as of Gemma 4, are a module of the layer and not of ``mlp``.
"""
STEMS = ("model.layers", "backbone.layers")

_LEAVES = {
    "q_proj": ("q_proj", "qkv_proj", "c_attn", "Wqkv"),
    "k_proj": ("k_proj", "qkv_proj", "c_attn", "Wqkv"),
    "v_proj": ("v_proj", "qkv_proj", "c_attn", "Wqkv"),
    "o_proj": ("o_proj", "out_proj", "c_proj"),
    "gate_proj": ("gate_proj", "w1", "gate_up_proj"),
    "up_proj": ("up_proj", "w3", "gate_up_proj"),
    "down_proj": ("down_proj", "w2"),
    "in_proj_zx": ("in_proj",),
    "in_proj_bc": ("in_proj",),
    "in_proj_dt": ("in_proj",),
    "in_proj_qk": ("in_proj_qkvz", "in_proj_qkv"),
    "in_proj_vz": ("in_proj_qkvz", "in_proj_qkv", "in_proj_z"),
    "in_proj_ba": ("in_proj_ba", "in_proj_b", "in_proj_a"),
    "latent_down": ("fc1_latent_proj",),
    "latent_up": ("fc2_latent_proj",),
}
"""Tensor -> the last part of its module's name, where that is not the tensor's own."""


class Matrix(NamedTuple):
    """A matrix of a layer: its class, its tensor, and where it lies below the layer."""

    weight_class: str
    tensor: str
    places: tuple[str, ...]

    def modules(self, layer: int, stems: tuple[str, ...] = STEMS) -> list[str]:
        """Return the names that its module may have in a layer."""
        return [f"{stem}.{layer}.{place}" for stem in stems for place in self.places]


UNNAMED = "*"
"""Tensor that stands for all matrices of a part whose names are not known here."""


def matrices_of(group: dict[str, Any]) -> list[Matrix]:
    """List the matrices of a layer that may be quantised.

    Of a part that is not known one stands for all, which can be left out and not be quantised.
    """
    kinds: dict[str, dict[str, Callable[[dict[str, Any]], Iterable[Matrix]]]] = {
        "attention": {"gqa": _gqa, "mla": _mla},
        "feed_forward": {"dense": _dense, "moe": _moe, "moe_beside_dense": _moe_beside_dense},
        "mixer": {"mamba2": _mamba2, "gated_delta_net": _gated_delta_net},
    }
    found: list[Matrix] = []
    for name, known in kinds.items():
        part = group.get(name)
        if part is None:
            continue
        if part.get("type") in known:
            found += known[part["type"]](part)
        else:
            places = tuple(f"{block}.{UNNAMED}" for block in _BLOCKS[name])
            found.append(Matrix(f"{name}.{UNNAMED}", UNNAMED, places))
    return found


def _gqa(_: dict[str, Any]) -> Iterator[Matrix]:
    for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
        yield _matrix("attention", name, "attention")


def _mla(part: dict[str, Any]) -> Iterator[Matrix]:
    queries = ("q_a_proj", "q_b_proj") if part.get("q_lora_rank") else ("q_proj",)
    for name in (*queries, "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"):
        yield _matrix("attention", name, "attention")
    if part.get("indexer"):
        for name in ("wq_b", "wk"):
            yield _matrix("indexer", name, "attention", "indexer.")


def _mamba2(_: dict[str, Any]) -> Iterator[Matrix]:
    for name in ("in_proj_zx", "in_proj_bc", "out_proj"):
        yield _matrix("mixer", name, "mamba2")
    yield _matrix("mixer_rates", "in_proj_dt", "mamba2")


def _gated_delta_net(_: dict[str, Any]) -> Iterator[Matrix]:
    for name in ("in_proj_qk", "in_proj_vz", "out_proj"):
        yield _matrix("mixer", name, "gated_delta_net")
    yield _matrix("mixer_rates", "in_proj_ba", "gated_delta_net")


def _dense(part: dict[str, Any]) -> Iterator[Matrix]:
    yield from _feed("dense_ffn", part, "")


def _moe(part: dict[str, Any]) -> Iterator[Matrix]:
    yield from _feed("routed_experts", part, "experts.0.", "experts.")
    if part.get("n_shared_experts"):
        yield from _feed("shared_experts", part, "shared_experts.", "shared_expert.")
    if part.get("moe_latent_size"):
        for name in ("latent_down", "latent_up"):
            yield _matrix("latent_projections", name, "feed_forward")


def _moe_beside_dense(part: dict[str, Any]) -> Iterator[Matrix]:
    yield from _feed("dense_ffn", part, "")
    yield from _feed("routed_experts", part, "", block="experts_beside")


def _feed(
    weight_class: str, part: dict[str, Any], *inside: str, block: str = "feed_forward"
) -> Iterator[Matrix]:
    gated = ("gate_proj",) if part.get("gated", True) else ()
    for name in (*gated, "up_proj", "down_proj"):
        yield _matrix(weight_class, name, block, *inside)


def _matrix(weight_class: str, name: str, block: str, *inside: str) -> Matrix:
    leaves = _LEAVES.get(name, (name,))
    places = tuple(
        f"{outer}.{inner}{leaf}"
        for outer in _BLOCKS[block]
        for inner in inside or ("",)
        for leaf in leaves
    )
    return Matrix(weight_class, name, places)
