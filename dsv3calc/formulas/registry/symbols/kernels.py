"""Rows of the glossary: kernels, fits of their times, and number formats."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.symbols.symbol import Symbol, real

BY_SUBJECT: dict[str, dict[str, Symbol]] = {
    "Kernels": {
        "gemm_groups": Symbol(r"g_\mathrm{gemm}", "1", "equal matrix products in one kernel"),
        "gemm_rows": Symbol(r"m_\mathrm{gemm}", "elements", "rows of a product: M"),
        "gemm_columns": Symbol(r"n_\mathrm{gemm}", "elements", "columns of a product: N"),
        "gemm_depth": Symbol(r"k_\mathrm{gemm}", "elements", "inner dimension of a product: K"),
        "score_channels": Symbol("d_k", "elements", "channels of a cached key in absorbed MLA"),
        "value_channels": Symbol(r"d_u", "elements", "channels of it that serve as the value"),
        "clock": real(r"\nu", "Hz", "clock for which a peak is stated"),
        "throttled_clock": real(r"\nu_\mathrm{slow}", "Hz", "clock under load"),
        "multiprocessors": Symbol(r"n_\mathrm{mp}", "1", "multiprocessors of a device"),
        "cycle_flops": real(r"\pi_\mathrm{cycle}", "1", "FLOPs per multiprocessor and clock cycle"),
        "to_half_rate": Symbol(r"r_\mathrm{16}", "1", "FP8 to FP16 conversions per cycle"),
        "to_float_rate": Symbol(r"r_\mathrm{32}", "1", "FP16 to FP32 conversions per cycle"),
        "scale_rate": Symbol(r"r_\mathrm{mul}", "1", "FP32 multiplications per cycle"),
        "to_bf16_rate": Symbol(r"r_\mathrm{bf}", "1", "FP32 to BF16 conversions per cycle"),
        "masked_copies": Symbol(r"n_\mathrm{mask}", "1", "masked copies of tokens", 0),
    },
    "Times of kernels": {
        "compute_share": real(r"e_c", "ratio", "share of the dense peak that kernels reach"),
        "bandwidth_share": real(
            r"e_m", "ratio", "share of the memory bandwidth that kernels reach"
        ),
        "serial_steps": Symbol(r"n_\mathrm{serial}", "1", "sequential steps of a kernel", 0),
        "serial_latency": real(r"\tau_\mathrm{serial}", "s", "time of one sequential step"),
        "exponent": real(
            r"p_\mathrm{join}",
            "ratio",
            "exponent of the norm that combines compute and memory time",
        ),
        "launch": real(r"t_0", "s", "fixed launch overhead of a kernel"),
        "half_length": Symbol(
            r"L_\mathrm{half}",
            "tokens",
            "sequence length at which attention reaches half of its full rate",
            0,
        ),
        "activation_bits": Symbol(r"b_\mathrm{act}", "bit", "width of an activation"),
        "weight_bits": Symbol(r"b_\mathrm{w}", "bit", "width of a weight as the kernel reads it"),
        "result_bits": Symbol(r"b_\mathrm{out}", "bit", "width of an element of a result"),
        "expert_rows_here": real(r"n_\mathrm{row,gpu}", "1", "rows of the experts on one GPU"),
        "hit_here": real(r"E_\mathrm{here}", "1", "local experts with at least one token"),
        "rank_tokens": Symbol(
            r"T_\mathrm{rank}", "tokens", "tokens that an operator receives and returns", 0
        ),
        "link_share": real(
            r"e_\ell", "ratio", "share of a link's bandwidth that large messages reach"
        ),
        "latency_growth": real(
            r"g_\mathrm{lat}", "ratio", "additional latency per further GPU, as a share"
        ),
        "ring_base": real(
            r"t_\mathrm{base}", "s", "latency of a collective without its ring steps"
        ),
        "ring_step": real(r"t_\mathrm{hop}", "s", "latency per ring step"),
        "scale_up_share": real(
            r"e_\mathrm{up}", "ratio", "share of the bandwidth within a node that is reached"
        ),
        "scale_out_share": real(
            r"e_\mathrm{out}", "ratio", "share of the bandwidth between nodes that is reached"
        ),
        "scale_up_bytes": Symbol(
            r"Q_\mathrm{up}", "B", "bytes that a GPU sends within its node", 0
        ),
        "scale_out_bytes": Symbol(
            r"Q_\mathrm{out}", "B", "bytes that a GPU sends to other nodes", 0
        ),
        "rails": Symbol(r"n_\mathrm{rail}", "1", "network ports per node"),
        "oversubscription": real(
            r"f_\mathrm{over}", "ratio", "bandwidth below a leaf switch divided by that above it"
        ),
    },
    "Fits": {
        "points": Symbol(r"n_\mathrm{fit}", "1", "measured times to which values are fitted"),
        "median_error": real(r"\epsilon_{50}", "ratio", "median unsigned error of a fit"),
        "p10": real(r"\epsilon_{10}", "ratio", "10th percentile of the signed errors of a fit"),
        "p90": real(r"\epsilon_{90}", "ratio", "90th percentile of the signed errors of a fit"),
        "unseen_error": real(
            r"\epsilon_\mathrm{half}", "ratio", "median error on held-out measurements"
        ),
        "transfer_error": real(
            r"\epsilon_\mathrm{chip}", "ratio", "median error on held-out devices"
        ),
        "ranges": real(
            r"R_\mathrm{fit}", "1", "measured range of each quantity: smallest and largest"
        ),
        "pass_share": real(
            r"e_\mathrm{pass}",
            "ratio",
            "share of the bandwidth reached by memory-bound passes beside a kernel",
        ),
        "remote_latency": real(
            r"t_\mathrm{far}", "s", "latency of the smallest exchange that leaves a node"
        ),
    },
    "Multi-token prediction": {
        "mtp_elements": Symbol(r"N_\mathrm{mtp}", "elements", "parameters of the MTP modules"),
        "inactive_elements": Symbol(
            r"N_\mathrm{idle}",
            "elements",
            "parameters of the MTP modules that a token does not use",
            0,
        ),
    },
    "Number formats": {
        "exponent_bits": Symbol(r"b_\mathrm{exp}", "bit", "exponent bits of a float", 0),
        "mantissa_bits": Symbol(r"b_\mathrm{man}", "bit", "fraction bits of a float", 0),
        "code_bits": Symbol(r"b_\mathrm{code}", "bit", "bits of a LogFMT code, sign included"),
        "octaves": real("o", "1", "powers of two between the smallest and the largest magnitude"),
        "octave_step": real(
            r"o_\mathrm{log}", "1", "step between magnitudes, as a logarithm to base 2"
        ),
        "instructions": Symbol(r"n_\mathrm{inst}", "1", "instructions between promotions to FP32"),
        "quantised_bits": Symbol(r"b_\mathrm{quant}", "bit", "width of a quantised element"),
    },
}
