"""What training keeps beside the weights, and what it recomputes."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from dsv3calc.reading.diagnostics import did_you_mean, quote
from dsv3calc.schema.fields import Name, Text
from dsv3calc.schema.provenance import Source, provenance_problems

Width = Annotated[int, msgspec.Meta(ge=0, le=64)]
Steps = Annotated[int, msgspec.Meta(ge=1, le=100)]
ComputeCopy = Literal["stored", "stored-twice", "bf16", "gathered", "bf16-and-stored"]
Module = Literal[
    "full", "core_attn", "layernorm", "mla_up_proj", "mlp_act", "moe_act", "mlp", "moe",
    "shared_experts",
]  # fmt: skip
SavedOperation = Literal[
    "products", "alternate_products", "grouped_products", "attention", "reduce_scatter"
]
ACTIVATIONS = (
    "layer_input", "attention_input", "q_latent", "q_latent_normed", "kv_latent",
    "kv_latent_normed", "rope_key", "query_norm_input", "key_norm_input", "queries", "keys",
    "values", "index_queries", "index_keys", "index_weights", "selected_keys", "softmax",
    "softmax_mask", "softmax_dropped", "logsumexp", "attention_output", "context_output",
    "attention_mask",
    "feed_forward_norm_input", "post_norm_inputs", "feed_forward_input", "mlp_act_input",
    "mlp_act_gate", "mlp_act_output", "router_scores", "routing_weights", "routing_indices",
    "expert_input", "expert_act_input", "expert_act_gate", "expert_act_output", "expert_output",
    "shared_act_input", "shared_act_gate", "shared_act_output", "feed_forward_mask",
    "final_norm_input", "head_input", "mtp_norm_inputs", "mtp_projection_input",
    "mixer_input", "convolution_input", "recurrence_input", "recurrence_output", "output_gate",
    "gated_output", "mixer_output", "mixer_mask", "embedding_mask", "latent_output", "o_latent",
    "compressor_values",
    "compressor_weights", "indexer_compressor_values", "indexer_compressor_weights",
    "attention_streams", "feed_forward_streams", "head_streams", "attention_branch",
    "feed_forward_branch", "corrected_stream", "altup_projections_input",
    "altup_unembed_projections_input", "laurel_latent", "laurel_norm_input", "per_layer_inputs",
    "per_layer_gate_input", "per_layer_gate", "per_layer_projection_input",
    "per_layer_norm_input",
)  # fmt: skip
"""Every name that an activation may have: what a recompute preset may keep or give a format."""

FORMATTED = ("default", "linear_input", "output_gradients", *ACTIVATIONS)
"""What a recompute preset may give a format."""

ACTIVATION_FORMATS = ("bf16", "fp8", "e5m6", "logfmt-8", "logfmt-10")
"""Formats of numbers that are kept or sent: those of ``accounting.transfer_formats``."""


def _unknown(
    path: tuple[str | int, ...], place: str, name: str, known: tuple[str, ...]
) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Yield a name that is not among those known, with the one that was probably meant."""
    if name not in known:
        yield (
            path,
            f"{place} names {quote(name)}, which is unknown",
            did_you_mean(name, known, f"known: {', '.join(known)}"),
        )


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Bits that training keeps for each parameter: gradient, master weight, moments; 0 for none.

    ``compute_copy`` says which copy of the weights the forward pass reads: as the precision
    ``stored`` them, that ``stored-twice`` (row-wise and column-wise, where weights have scales),
    in ``bf16``, ``gathered`` (in BF16 and, under ZeRO-3, cast from the master weights as they are
    gathered), or ``bf16-and-stored``. ``matrix_optimizer`` says what updates the matrices of hidden
    layers: ``muon`` keeps the first moment of them alone, and orthogonalises each update in
    ``newton_schulz_steps``; embedding, head, vectors and convolutions stay with AdamW.
    """

    name: Name
    title: Text
    compute_copy: ComputeCopy = "stored"
    gradient_bits: Width
    master_bits: Width
    first_moment_bits: Width
    second_moment_bits: Width
    matrix_optimizer: Literal["adamw", "muon"] = "adamw"
    newton_schulz_steps: Steps = 5
    sources: dict[str, Source]
    provenance: dict[str, str]

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield sources that are not listed."""
        yield from provenance_problems(self.sources, self.provenance)


class Recompute(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which activations are kept between forward and backward, and how they are written.

    ``modules`` are recomputed, ``keep`` names activations that are kept all the same. Where
    ``saved_operations`` are listed instead, the outputs of those operations are kept beside the
    input of each layer: matrix products (``alternate_products`` leaves out every second one of a
    layer), products of routed experts, attention, reduce-scatters. ``formats``
    gives the format of an activation by name, of ``linear_input`` (whatever a matrix is multiplied
    with), of ``output_gradients`` that wait for a weight gradient, or of the ``default``.
    ``routing_weights`` are multiplied ``before`` or ``after`` the experts' down-projection.
    ``attention_kernel`` either is ``flash`` or keeps what an ``unfused`` one does; an ``unfused``
    activation function keeps its output beside the product.
    """

    name: Name
    title: Text
    modules: list[Module]
    saved_operations: list[SavedOperation] = []
    keep: list[str] = []
    formats: dict[str, str] = {}
    routing_weights: Literal["before", "after"] = "before"
    attention_kernel: Literal["flash", "unfused"] = "flash"
    activation_function: Literal["fused", "unfused"] = "fused"
    dropout: bool = False
    sources: dict[str, Source]
    provenance: dict[str, str]

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield unknown sources, activations and formats, and modules beside ``full``."""
        if "full" in self.modules and len(self.modules) > 1:
            yield ("modules",), "full and other modules", "full recomputes everything"
        if self.modules and self.saved_operations:
            yield (
                ("saved_operations",),
                "saved_operations beside modules",
                "a policy lists what is recomputed, or what is kept",
            )
        for number, name in enumerate(self.keep):
            yield from _unknown(("keep", number), "keep", name, ACTIVATIONS)
        for name, form in self.formats.items():
            yield from _unknown(("formats", name), "formats", name, FORMATTED)
            yield from _unknown(("formats", name), f"formats.{name}", form, ACTIVATION_FORMATS)
        yield from provenance_problems(self.sources, self.provenance)
