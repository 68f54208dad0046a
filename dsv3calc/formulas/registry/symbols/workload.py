"""Rows of the glossary: a workload, its FLOPs and what is stored."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.symbols.symbol import Symbol, real

BY_SUBJECT: dict[str, dict[str, Symbol]] = {
    "Workload": {
        "batch": Symbol("B", "1", "sequences in the batch"),
        "sequence": Symbol("S", "tokens", "new tokens of each sequence"),
        "past": Symbol("P", "tokens", "cached tokens of each sequence", 0),
        "tokens": Symbol("T", "tokens", "tokens of a pass, of a sequence, or kept by a layer"),
        "context": Symbol(r"S_\mathrm{ctx}", "tokens", "context at which caches are compared"),
    },
    "FLOPs": {
        "flops": Symbol("F", "FLOP", "floating-point operations; a multiply-add counts as two", 0),
        "forward": Symbol(r"F_\mathrm{fwd}", "FLOP", "FLOPs of the forward pass", 0),
        "passes": Symbol(
            r"n_\mathrm{pass}", "1", "cost of a step in forward passes: 3 with both gradients"
        ),
        "flops_per_parameter": Symbol(
            "f", "1", "FLOPs per parameter and token: 2 forward, 6 in training"
        ),
        "active": Symbol(
            r"N_\mathrm{active}", "elements", "active parameters: those that one token uses"
        ),
        "reference_flops": Symbol(
            r"F_\mathrm{ref}", "FLOP", "FLOPs of the pass that is compared with", 0
        ),
        "amount": Symbol("X", "FLOP", "amount to divide by the number of tokens", 0),
    },
    "Storage and the KV cache": {
        "elements": Symbol("N", "elements", "elements of tensors", 0),
        "bits": Symbol("b", "bit", "width of an element"),
        "rows": Symbol("r_b", "elements", "output features that share a scale"),
        "columns": Symbol("c_b", "elements", "input features that share a scale"),
        "group_size": Symbol("g", "elements", "elements of a vector that share a scale", 0),
        "scale_bits": Symbol("b_s", "bit", "width of a scale; 0 if none is stored", 0),
        "zero_point_bits": Symbol("b_z", "bit", "width of a zero point", 0),
        "count": Symbol(r"n_\mathrm{code}", "1", "values in the code book of a block"),
        "rope_bits": Symbol("b_r", "bit", "width of MLA's rotary part, if it differs", 0),
        "indexer_bits": Symbol("b_I", "bit", "width of an element of the indexer's cache", 0),
        "indexer_group_size": Symbol(
            "g_I", "elements", "elements of the indexer's cache that share a scale", 0
        ),
        "indexer_scale_bits": Symbol("b_{Is}", "bit", "width of a scale of the indexer's cache", 0),
        "entry_multiple": Symbol(
            r"a_\mathrm{entry}",
            "B",
            "multiple of bytes to which a cache entry is padded; 0: no padding",
            0,
        ),
        "vectors": Symbol(r"n_\mathrm{vec}", "1", "vectors cached per token and layer"),
        "token_bytes": Symbol(r"B_\mathrm{entry}", "B", "cache bytes per token and layer", 0),
        "sequence_bytes": Symbol(r"B_\mathrm{seq}", "B", "cache bytes per sequence"),
        "growing_bytes_per_token": real(
            r"b_\mathrm{grow}", "B/token", "cache bytes per token in layers without a window"
        ),
        "reference_bytes_per_token": real(
            r"b_\mathrm{ref}'",
            "B/token",
            "cache bytes per token of the model that is compared with",
        ),
        "kept_bytes": Symbol(r"B_\mathrm{kept}", "B", "bytes of a cache"),
        "reference_bytes": Symbol(
            r"B_\mathrm{ref}", "B", "cache bytes of the model that is compared with"
        ),
        "available": Symbol(r"B_\mathrm{free}", "B", "bytes available for caches", 0),
        "page_size": Symbol("T_p", "tokens", "tokens per page of the paged cache"),
    },
}
