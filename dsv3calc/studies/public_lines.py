"""The lines that users may rely on: their names and units do not change.

Every other line of a ledger shows how these are made, and may change with the accounting.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

PLACEHOLDERS = {
    "N": r"\d+",
    "GROUP": r"(?:groups\.\d+|mtp)",
    "COMPONENT": r"[a-z0-9_]+",
    "TOWER": r"[a-z0-9_]+",
    "TENSOR": r"[a-z0-9_]+(?:\.(?:bias|scales|column_wise|bf16))*",
    "DTYPE": r"[a-z0-9_]+",
    "PRECISION": r"[A-Za-z0-9._-]+",
    "COUNT": r"(?:causal|full|half)",
    "WORK": r"(?:train|decode)",
    "PHASE": r"(?:prefill|decode)",
    "CLASS": r"(?:weights|gradients|optimizer|activations|buffers|total)",
    "STATE": r"(?:weights|gradients|optimizer)",
    "AXIS": r"(?:tp|cp|pp|dp|ep|etp)",
    "LINK": r"(?:scale_up|scale_out)",
    "WAY": r"(?:backward\.)?(?:dispatch|combine)",
    "KIND": r"[a-z_]+",
    "CALL": r"[a-z_]+(?:\.(?:groups\.\d+|mtp))?(?:\.[a-z_]+)?\.[a-z-]+",
    "CONVENTION": r"(?:isca25|as_configured)",
    "SP": r"(?:with_sp|without_sp)",
    "LINE": r".+",
}
"""What stands in a pattern in capitals -> what it stands for."""

PLACEHOLDER_WORDS = {
    "N": "a number from 0: of a pipeline rank, a chunk, a stage",
    "GROUP": "a layer group: `groups.0`, `groups.1`, ..., or `mtp`",
    "COMPONENT": "a component of the model, such as `routed_experts`",
    "TOWER": "a tower, such as `vision`",
    "TENSOR": "a tensor, such as `q_a_proj`",
    "DTYPE": "a data type, such as `bfloat16`",
    "PRECISION": "a precision by name, such as `bf16`",
    "COUNT": "how attention is counted: `causal`, `full`, `half`",
    "WORK": "`train` or `decode`",
    "PHASE": "`prefill` or `decode`",
    "CLASS": "`weights`, `gradients`, `optimizer`, `activations`, `buffers` or `total`",
    "STATE": "`weights`, `gradients` or `optimizer`",
    "AXIS": "a degree of parallelism: `tp`, `cp`, `pp`, `dp`, `ep`, `etp`",
    "LINK": "`scale_up` or `scale_out`",
    "WAY": "`dispatch` or `combine`, after `backward.` those of the backward pass",
    "KIND": "a kind of collective, such as `tensor_parallel`",
    "CALL": "a collective: its kind, its layer group if it has one, what it sends, its primitive",
    "CONVENTION": "another way to count the limit: `isca25` or `as_configured`",
    "SP": "`with_sp` or `without_sp`: with or without sequence parallelism",
    "LINE": "the name of another line",
}
"""The placeholders in words."""


class PublicLine(NamedTuple):
    """A line, or the lines of a pattern: the unit, the meaning, the commands that give it."""

    pattern: str
    unit: str
    meaning: str
    commands: tuple[str, ...]


def _declared(commands: str, *rows: tuple[str, str, str]) -> list[PublicLine]:
    names = tuple(commands.split(", "))
    return [PublicLine(pattern, unit, meaning, names) for pattern, unit, meaning in rows]


PUBLIC_LINES = (
    *_declared(
        "params, compare",
        ("parameters.total", "elements", "Parameters that the variant counts."),
        ("parameters.active", "elements", "Parameters that one token passes through."),
        (
            "parameters.active_without_embedding",
            "elements",
            "Active parameters without the input embedding.",
        ),
        ("parameters.mtp", "elements", "Parameters of the multi-token-prediction modules."),
        ("parameters.mtp.COMPONENT.TENSOR", "elements", "One tensor of all MTP modules."),
        ("parameters.towers", "elements", "Parameters of towers beside the language model."),
        ("parameters.towers.TOWER", "elements", "Parameters of one of them, by its name."),
        ("parameters.whole", "elements", "Language model and towers, as the variant counts."),
        ("parameters.components.COMPONENT", "elements", "Parameters of one component."),
        ("parameters.inactive.GROUP", "elements", "Routed experts that a token does not use."),
        ("weights.bytes", "B", "Bytes of the weights as the precision stores them, with scales."),
        ("weights.elements", "elements", "Stored elements, scales included."),
        ("weights.bytes_by_dtype.DTYPE", "B", "Bytes of the elements of one data type."),
        ("weights.elements_by_dtype.DTYPE", "elements", "Stored elements of one data type."),
    ),
    *_declared(
        "params",
        ("parameters.per_layer.GROUP.COMPONENT", "elements", "Parameters of one layer."),
    ),
    *_declared(
        "flops",
        ("flops.total", "FLOP", "FLOPs of the whole workload."),
        ("flops.per_token", "FLOP/token", "FLOPs over the tokens that are processed."),
        ("flops.tokens", "tokens", "Tokens that are processed: batch times new tokens."),
        ("flops.components.COMPONENT", "FLOP", "FLOPs of one component."),
        ("flops.by_attention.COUNT", "FLOP", "The total under one way to count attention."),
    ),
    *_declared(
        "compare",
        ("parameters.active_share", "ratio", "Active parameters over all parameters."),
        ("weights.in.PRECISION.bytes", "B", "Bytes of the weights in another precision."),
        ("flops.WORK.total", "FLOP", "FLOPs of the whole workload."),
        ("flops.WORK.per_token", "FLOP/token", "FLOPs over the tokens that are processed."),
        ("flops.WORK.tokens", "tokens", "Tokens that are processed."),
        ("flops.WORK.components.COMPONENT", "FLOP", "FLOPs of one component."),
        ("flops.WORK.by_attention.COUNT", "FLOP", "The total under one way to count attention."),
        (
            "flops.train.per_token_by_attention.COUNT",
            "FLOP/token",
            "Training FLOPs of a token under one way to count attention.",
        ),
        ("roofline.PHASE.compute_time", "s", "Time of a token's FLOPs at peak, on one device."),
        ("roofline.PHASE.memory_time", "s", "Time of a token's bytes at the memory bandwidth."),
        ("roofline.PHASE.time", "s", "The larger of the compute time and the memory time."),
        ("roofline.PHASE.intensity", "FLOP/B", "FLOPs over bytes moved."),
        ("roofline.PHASE.ridge", "FLOP/B", "The intensity at which both times are equal."),
        (
            "roofline.PHASE.tokens_per_gpu_second",
            "tokens/s",
            "Tokens that one device processes in a second, at most.",
        ),
        ("ratio_to_baseline.LINE", "ratio", "A column's line over that of the baseline."),
    ),
    *_declared(
        "kv, compare",
        ("kv_cache.bytes_per_token", "B/token", "Cache that one token adds, in all layers."),
        ("kv_cache.bytes_per_token.GROUP", "B/token", "Cache that one token adds in a group."),
        (
            "kv_cache.bytes_per_token_per_layer",
            "B/token",
            "Cache that one token adds in one layer, where all layers have the same.",
        ),
        (
            "kv_cache.bytes_per_token_per_layer.GROUP",
            "B/token",
            "Cache that one token adds in one layer of a group, where layers differ.",
        ),
        (
            "kv_cache.growing_bytes_per_token",
            "B/token",
            "Cache that one token adds in the layers that keep every token.",
        ),
        ("state.bytes_per_sequence", "B", "State of mixers that a sequence keeps, of any length."),
        ("kv_cache.bytes_per_sequence", "B", "Cache and state of one sequence."),
        ("kv_cache.bytes", "B", "Cache and state of the batch."),
        ("kv_cache.bytes.COMPONENT.GROUP", "B", "Cache of the batch in one layer group."),
        ("kv_cache.entry.GROUP.COMPONENT", "B", "One part of a token's entry in one layer."),
    ),
    *_declared(
        "kv",
        ("kv_cache.fit.sequences", "1", "Sequences of the given length that fit."),
        ("kv_cache.fit.tokens", "tokens", "The longest sequences of the batch that fit."),
    ),
    *_declared(
        "which",
        ("which.weights", "B", "Weights on each device."),
        ("which.buffers", "B", "Buffers on each device, driver context included."),
        ("which.kv_bytes", "B", "Cache of the batch on each device."),
        ("which.total", "B", "Weights, buffers and cache of the batch on each device."),
        ("which.budget", "B", "Bytes of a device that the server takes."),
        ("which.free", "B", "Room left on each device: the budget minus the total."),
        ("which.fits", "1", "1 if the total is within the budget, else 0."),
        ("which.max_sequences", "1", "Sequences of the given context that fit."),
        ("which.gpus", "1", "Devices that share the model by tensor parallelism."),
    ),
    *_declared(
        "memory",
        ("memory.worst.CLASS", "B", "Bytes of the fullest pipeline rank, by class."),
        ("memory.worst.rank", "1", "The fullest pipeline rank, the first of several."),
        ("memory.usable", "B", "Bytes of the device that a process can allocate."),
        ("memory.free", "B", "Usable bytes minus the total of the fullest rank."),
        ("memory.fits", "1", "1 if the fullest rank fits on the device, else 0."),
        ("memory.rank.N.CLASS", "B", "Bytes of a GPU of one pipeline rank, by class."),
        ("memory.rank.N.chunk.N.stage", "1", "The pipeline stage of a chunk of a rank."),
        ("memory.rank.N.chunk.N.activations", "B", "Activations of a micro-batch in a chunk."),
        ("memory.rank.N.at_work.N", "B", "Buffers of a layer group while one layer runs."),
        ("memory.rank.N.embeddings", "1", "Embeddings that a rank holds."),
        ("memory.rank.N.logits", "B", "Logits of the micro-batches in flight on a rank."),
        ("memory.layer.GROUP.STATE", "B", "Bytes of one layer on a GPU, by class."),
        ("memory.embedding.STATE", "B", "Bytes of the embedding on a GPU, by class."),
        ("memory.head.STATE", "B", "Bytes of the output head on a GPU, by class."),
        ("memory.buffers.driver_context", "B", "Context of the driver on a device."),
        ("memory.buffers.communication", "B", "Buffers of the communication library."),
        ("memory.buffers.pipeline.payload", "B", "Bytes that a stage sends to the next one."),
        ("memory.fewest_gpus", "1", "The fewest GPUs whose fullest rank fits."),
        ("memory.fewest_gpus.AXIS", "1", "A degree of the layout with the fewest GPUs."),
        ("memory.fewest_gpus.total", "B", "The fullest rank of the layout with the fewest GPUs."),
        ("memory.given.gpus", "1", "GPUs of the layout that was named."),
        ("memory.given.total", "B", "The fullest rank of the layout that was named."),
        ("memory.given.fits", "1", "1 if the layout that was named fits, else 0."),
        ("megatron.STATE", "B", "What Megatron-LM's memory report gives for a class."),
        ("megatron.activations", "B", "What Megatron-LM's memory report gives for activations."),
        ("megatron.total", "B", "The sum in Megatron-LM's memory report."),
        ("megatron.difference.CLASS", "B", "Our fullest rank minus Megatron-LM's figure."),
        ("megatron.SP.activations", "B", "Activations by one of Megatron-LM's two formulas."),
        ("megatron.SP.total", "B", "Megatron-LM's sum with one of its two formulas."),
    ),
    *_declared(
        "memory --serve",
        ("serving.activations", "B", "Activations of a pass on a GPU of that rank."),
        ("serving.workspace", "B", "Workspace of the library of matrix products."),
        ("serving.driver_context", "B", "Context of the driver on a device."),
        ("serving.rank", "1", "The pipeline rank whose cache pool is spent first."),
        ("serving.weights", "B", "Weights on a GPU of that rank."),
        ("serving.buffers", "B", "Activations and buffers on a GPU of that rank."),
        ("serving.exchange", "B", "Buffers of the experts' dispatch and combine."),
        ("serving.communication", "B", "Buffers of the communication library."),
        ("serving.layer.GROUP.weights.COMPONENT.TENSOR", "B", "One tensor of a layer on a GPU."),
        ("serving.budget", "B", "Bytes of the device that the server takes in all."),
        ("serving.kv_pool", "B", "Bytes that are left for the cache."),
        ("serving.kv_bytes_per_token", "B", "Cache of one token on a GPU."),
        ("serving.kv_bytes_per_sequence", "B", "Cache and state of one sequence on a GPU."),
        ("serving.state_bytes_per_sequence", "B", "State of one sequence on a GPU."),
        ("serving.kv_bytes", "B", "Cache and state of the batch on a GPU."),
        ("serving.kv_tokens", "tokens", "Tokens that the pool holds, in whole pages."),
        ("serving.max_sequences", "1", "Sequences of the given length that the pool holds."),
        ("serving.sequence_tokens", "tokens", "The tokens of those sequences."),
        ("serving.longest_context", "tokens", "The longest sequences of the batch that fit."),
        ("serving.total", "B", "Weights, buffers and the cache of the batch."),
        ("serving.free", "B", "The budget minus the total."),
        ("serving.loadable", "1", "1 if no weight is refused for parts of blocks, else 0."),
        ("serving.fits", "1", "1 if the total is within the budget, else 0."),
        ("serving.rank.N.weights", "B", "Weights on a GPU of one pipeline rank."),
        ("serving.rank.N.buffers", "B", "Activations and buffers of one pipeline rank."),
        ("serving.rank.N.kv_pool", "B", "Bytes left for the cache on one pipeline rank."),
        ("serving.rank.N.kv_tokens", "tokens", "Tokens that the pool of one rank holds."),
        ("serving.rank.N.max_sequences", "1", "Sequences that the pool of one rank holds."),
        ("serving.rank.N.total", "B", "Weights, buffers and cache of one pipeline rank."),
    ),
    *_declared(
        "traffic",
        ("traffic.copies_per_token.COMPONENT", "1", "Copies of a token to experts, GPUs, nodes."),
        (
            "traffic.remote_copies_per_token.COMPONENT",
            "1",
            "Copies of a token to other GPUs or other nodes.",
        ),
        ("traffic.copies_on_link.LINK", "1", "Copies of a token that cross a link."),
        ("traffic.WAY.LINK_bytes_per_token", "B/token", "Bytes of one token in one layer."),
        ("traffic.WAY.copy_bytes", "B", "Bytes of one copy of a token."),
        ("traffic.WAY.ratio_to_bf16", "ratio", "Bytes of a copy over those in BF16."),
        ("traffic.WAY.LINK_time", "s", "Time of one direction on one link, in one layer."),
        ("traffic.crossing_share", "ratio", "Share of a GPU's group that is on other nodes."),
        ("traffic.group_tokens", "tokens", "Tokens of the expert-parallel group, per layer."),
        ("traffic.tokens_per_expert", "tokens", "Mean tokens of an expert."),
        ("traffic.distinct_experts", "1", "Expected experts that get at least one token."),
        ("traffic.distinct_experts_per_gpu", "1", "The same for the slots of one GPU."),
        ("traffic.imbalance", "ratio", "Load of the busiest GPU over the mean, as assumed."),
        ("traffic.random_routing.imbalance", "1", "The same as expected of random routing."),
        ("traffic.time_per_layer", "s", "Time of dispatch and combine of one layer."),
        ("traffic.hidden_share", "ratio", "Share of that time that computation hides."),
        ("traffic.exposed_time_per_layer", "s", "The time that computation does not hide."),
        ("traffic.achieved.time_per_layer", "s", "The time at the measured bandwidth."),
        ("traffic.achieved.hidden_share", "ratio", "The hidden share at that bandwidth."),
        ("traffic.achieved.exposed_time_per_layer", "s", "The exposed time at that bandwidth."),
        ("traffic.layer.LINK_bytes", "B", "Bytes that a GPU sends in one layer, forward."),
        ("traffic.micro_batch.LINK_bytes", "B", "Bytes that a GPU sends in a micro-batch."),
        ("traffic.stage.N.moe_layers", "1", "Layers with experts on one pipeline stage."),
        ("traffic.stage.N.micro_batch.LINK_bytes", "B", "Bytes of a micro-batch on a stage."),
        ("traffic.busiest.moe_layers", "1", "Layers with experts on the busiest rank."),
        ("traffic.busiest.micro_batch.LINK_bytes", "B", "Bytes of a micro-batch on that rank."),
        ("traffic.busiest.step.LINK_bytes", "B", "Bytes of a training step on that rank."),
        ("traffic.step.LINK_bytes", "B", "Bytes that a GPU sends in a training step."),
        (
            "traffic.collectives.KIND.LINK_bytes",
            "B",
            "Bytes that a GPU sends in the collectives of a kind, per training step.",
        ),
        ("traffic.collectives.KIND.messages", "1", "Their messages, per training step."),
        ("traffic.collectives.KIND.time", "s", "Their time at the nominal bandwidth."),
        ("traffic.collectives.KIND.achieved.time", "s", "Their time at the measured bandwidth."),
        (
            "traffic.busiest.collectives.KIND.rank",
            "1",
            "The pipeline rank that sends most in the collectives of a kind.",
        ),
        (
            "traffic.busiest.collectives.KIND.LINK_bytes",
            "B",
            "Bytes that a GPU of that rank sends in them, per training step.",
        ),
        ("traffic.busiest.collectives.KIND.messages", "1", "The messages of that rank."),
        ("traffic.busiest.collectives.KIND.time", "s", "The time of that rank."),
        (
            "traffic.busiest.collectives.KIND.achieved.time",
            "s",
            "The time of that rank at the measured bandwidth.",
        ),
        ("traffic.collectives.CALL.payload_bytes", "B", "The whole tensor of one call."),
        ("traffic.collectives.CALL.calls_per_gpu", "1", "Calls of a GPU in a training step."),
        (
            "traffic.collectives.CALL.call.algorithm_bandwidth",
            "B/s",
            "Payload over the time of one call.",
        ),
        (
            "traffic.collectives.CALL.call.bus_bandwidth",
            "B/s",
            "The bus bandwidth of one call, as nccl-tests defines it.",
        ),
        (
            "traffic.collectives.CALL.call.achieved.algorithm_bandwidth",
            "B/s",
            "The algorithm bandwidth at the measured bandwidth of the links.",
        ),
        (
            "traffic.collectives.CALL.call.achieved.bus_bandwidth",
            "B/s",
            "The bus bandwidth at the measured bandwidth of the links.",
        ),
    ),
    *_declared(
        "limits ep",
        ("limits.ep.all_to_all_time", "s", "Time of dispatch and combine of one layer."),
        ("limits.ep.time_per_layer", "s", "Time of a layer, two micro-batches alternating."),
        ("limits.ep.tpot", "s", "Time per output token, at least."),
        ("limits.ep.tokens_per_second", "tokens/s", "Tokens of one request in a second, at most."),
        ("limits.ep.mtp_gain", "ratio", "Speed-up by multi-token prediction."),
        ("limits.ep.tokens_per_second_with_mtp", "tokens/s", "The rate with that speed-up."),
        ("limits.ep.CONVENTION.all_to_all_time", "s", "The same as another convention counts."),
        ("limits.ep.CONVENTION.time_per_layer", "s", "The same as another convention counts."),
        ("limits.ep.CONVENTION.tpot", "s", "The same as another convention counts."),
        (
            "limits.ep.CONVENTION.tokens_per_second",
            "tokens/s",
            "The same as another convention counts.",
        ),
    ),
    *_declared(
        "network",
        ("network.radix", "1", "Ports of a switch."),
        ("network.planes", "1", "Separate planes."),
        ("network.q", "1", "The order q of a Slim Fly."),
        ("network.groups", "1", "Groups of a Dragonfly."),
        ("network.switches_per_group", "1", "Switches of a group of a Dragonfly."),
        ("network.global_ports", "1", "Ports of a switch to other groups of a Dragonfly."),
        ("network.network_radix", "1", "Ports of a switch to other switches of a Slim Fly."),
        ("network.endpoints_per_switch", "1", "Endpoints of a switch."),
        ("network.endpoints", "1", "Endpoints of the network."),
        ("network.leaf_ports", "1", "Ports of a leaf switch that face endpoints."),
        ("network.leaf_uplinks", "1", "Ports of a leaf switch that face other switches."),
        ("network.oversubscription", "ratio", "Ports of a leaf down over ports up."),
        ("network.reach", "1", "Endpoints that a tree of such switches can have at most."),
        ("network.lost_plane_factor", "ratio", "Time of bytes with planes down, over without."),
        ("network.ecmp_mean_share", "ratio", "Share of its rate that a hashed flow gets."),
        ("network.switches", "1", "Switches of the network."),
        ("network.links", "1", "Links between switches."),
        ("network.diameter", "1", "Links between switches on the longest shortest path."),
        ("network.bisection_links", "1", "Links that cross the bisection."),
        ("network.bisection_share", "ratio", "The bisection over half of the endpoints."),
        ("network.cost", "USD", "Price of the switches and of the links between them."),
        ("network.cost_per_endpoint", "USD", "The price over the endpoints."),
    ),
    *_declared(
        "reproduce",
        ("reproduce.closed_form_rows", "1", "Rows that have a closed form."),
        ("reproduce.derived_rows", "1", "Rows derived from a model, a layout or a device."),
        ("reproduce.identity_rows", "1", "Rows that are identities between printed numbers."),
        ("reproduce.form_rows", "1", "Rows that put numbers into a printed form."),
        ("reproduce.fitted_rows", "1", "Rows for which an input was fitted."),
        ("reproduce.exact", "1", "Rows that are exact, or so to the printed digit."),
        ("reproduce.within", "1", "Rows within a stated tolerance."),
        ("reproduce.explained", "1", "Rows that do not follow, with the reason."),
        ("reproduce.failing", "1", "Rows that should follow and do not."),
        ("reproduce.derived_figures", "1", "Derived figures, each counted once."),
        ("reproduce.derived.COMPONENT", "1", "Derived figures of one verdict."),
        ("reproduce.measured", "1", "Figures that were measured."),
        ("reproduce.settings", "1", "Figures that were chosen."),
        ("reproduce.not_covered", "1", "Figures that no formula covers."),
    ),
)
"""In the order of the reference page."""


@cache
def _regex(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"([A-Z]{2,}|\bN\b)", pattern)
    return re.compile("".join(PLACEHOLDERS.get(part) or re.escape(part) for part in parts))


def public_line(name: str) -> PublicLine | None:
    """Return the declaration of a line by its name; None where it is not public.

    >>> public_line("memory.rank.3.total").pattern
    'memory.rank.N.CLASS'
    >>> public_line("memory.rank.3.has_layers.0") is None
    True
    """
    return next((line for line in PUBLIC_LINES if _regex(line.pattern).fullmatch(name)), None)
