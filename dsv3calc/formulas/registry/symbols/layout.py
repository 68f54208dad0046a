"""Rows of the glossary: a layout and what its GPUs send."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.symbols.symbol import Symbol, real

BY_SUBJECT: dict[str, dict[str, Symbol]] = {
    "Layout": {
        "tp": Symbol("P_t", "1", "tensor-parallel GPUs"),
        "cp": Symbol("P_c", "1", "context-parallel GPUs"),
        "dcp": Symbol("P_{dc}", "1", "GPUs that share the tokens of a cache in decoding"),
        "pp": Symbol("P_p", "1", "pipeline stages"),
        "dp": Symbol("P_d", "1", "data-parallel replicas"),
        "ep": Symbol("P_e", "1", "expert-parallel GPUs"),
        "etp": Symbol("P_{et}", "1", "GPUs over which the matrices of an expert are divided"),
        "virtual_pipeline": Symbol("v", "1", "layer chunks per pipeline rank"),
        "zero": Symbol("Z", "1", "ZeRO stage: which states data parallelism shards", 0),
        "redundant_experts": Symbol(
            r"n_\mathrm{red}", "1", "additional replicas of routed experts", 0
        ),
        "micro_batch": Symbol(r"B_\mathrm{micro}", "1", "sequences per micro-batch"),
        "global_batch": Symbol(r"B_\mathrm{step}", "1", "sequences per training step"),
    },
    "Expert traffic": {
        "gpus": Symbol("G", "1", "GPUs of a communicating group"),
        "gpus_per_node": Symbol("G_n", "1", "GPUs of that group per node"),
        "rank_stride": Symbol(
            r"s_\mathrm{rank}", "1", "distance of neighbouring ranks of the group, in GPUs"
        ),
        "places": Symbol(r"n_\mathrm{place}", "1", "number of places: GPUs or nodes"),
        "members": Symbol(r"n_\mathrm{member}", "1", "members of an all-to-all group"),
        "token_copies": real("c_t", "1", "copies per token: to experts, GPUs or nodes"),
        "metadata_bytes": Symbol(
            r"B_\mathrm{meta}", "B", "bytes of metadata per copy of a hidden state", 0
        ),
        "reference_bits": Symbol(
            r"b_\mathrm{ref}", "bit", "width of an element of the format that is compared with"
        ),
        "link_bandwidth": real(
            r"\beta_\mathrm{dir}", "B/s", "bandwidth of a link in one direction"
        ),
        "imbalance": real(
            r"f_\mathrm{hot}", "ratio", "bytes of the busiest GPU divided by the mean"
        ),
        "rounds": Symbol(r"n_\mathrm{lat}", "1", "number of sequential latencies", 0),
        "latency": real(r"t_\mathrm{lat}", "s", "latency of a message"),
        "communication_seconds": real(
            r"t_\mathrm{comm}", "s", "time of a communication without overlap"
        ),
        "overlapped_seconds": real(
            r"t_\mathrm{over}", "s", "time of the computation that overlaps it"
        ),
        "layer_seconds": real(r"t_\ell", "s", "time of one layer"),
        "acceptance": real("p", "ratio", "share of drafted tokens that are accepted"),
        "mtp_cost": real(r"c_\mathrm{mtp}", "ratio", "cost of drafting as a share of a step"),
    },
    "Collectives": {
        "ranks": Symbol(r"n_\mathrm{rank}", "1", "ranks of a collective"),
        "nodes": Symbol(r"m_\mathrm{grp}", "1", "nodes that a group spans"),
        "phases": Symbol(
            r"n_\mathrm{ph}", "1", "1 for a reduce-scatter or all-gather, 2 for an all-reduce"
        ),
        "sharers": Symbol(r"n_\mathrm{part}", "1", "separately sent parts of a payload"),
        "payload": real(r"B_\mathrm{pay}", "B", "bytes of the whole tensor of a collective"),
        "split": Symbol(r"n_\mathrm{split}", "1", "GPUs over which tensors or tokens are divided"),
        "fewest": Symbol(
            r"n_\mathrm{min}", "1", "number of heads below which heads are replicated"
        ),
        "seconds": real(r"t_\mathrm{all}", "s", "time of a collective"),
    },
}
