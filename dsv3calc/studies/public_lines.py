"""The lines that users may rely on: their names and units do not change.

Every other line of a ledger shows how these are made, and may change with the accounting.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACEHOLDERS = {
    "N": ("#",),
    "GROUP": ("groups.#", "mtp"),
    "COMPONENT": ("*",),
    "TOWER": ("*",),
    "TENSOR": ("*", "*.bias", "*.scales", "*.column_wise", "*.column_wise.scales", "*.bf16"),
    "DTYPE": ("*",),
    "PRECISION": ("**",),
    "COUNT": ("causal", "full", "half"),
    "WORK": ("train", "decode"),
    "PHASE": ("prefill", "decode"),
    "CLASS": ("weights", "gradients", "optimizer", "activations", "buffers", "total"),
    "STATE": ("weights", "gradients", "optimizer"),
    "AREA": ("*", "*.*"),
    "AXIS": ("tp", "cp", "pp", "dp", "ep", "etp", "dcp"),
    "CHOICE": (
        "gpus", "edp", "batch", "redundant_experts", "micro_batch", "micro_batches", "schedule",
        "virtual_pipeline", "sequence_parallel", "layer_split", "recompute", "zero",
    ),
    "LINK": ("scale_up", "scale_out"),
    "WAY": ("dispatch", "combine", "backward.dispatch", "backward.combine"),
    "KIND": ("*",),
    "CALL": ("*.*", "*.*.*", "*.mtp.*", "*.mtp.*.*", "*.groups.#.*", "*.groups.#.*.*"),
    "CONVENTION": ("isca25", "as_configured"),
    "SP": ("with_sp", "without_sp"),
    "TIME": ("bound", "floor", "estimate"),
    "PLACE": ("groups.#", "mtp", "model"),
    "KERNEL": ("*", "*.*"),
    "LINE": ("**",),
}  # fmt: skip
"""Word in capitals in a pattern -> what stands for it.

``#`` is a number, ``*`` one word of a name, ``**`` one or more.
"""

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
    "AREA": "an area of measurements, such as `kernel_gemm`, or one kind in it after a point",
    "AXIS": "a degree of parallelism: `tp`, `cp`, `pp`, `dp`, `ep`, `etp`, `dcp`",
    "CHOICE": "`gpus`, `edp`, or an axis of a search that is no degree, such as `schedule`",
    "LINK": "`scale_up` or `scale_out`",
    "WAY": "`dispatch` or `combine`, after `backward.` those of the backward pass",
    "KIND": "a kind of collective, such as `tensor_parallel`",
    "CALL": "a collective: its kind, its layer group if it has one, what it sends, its primitive",
    "CONVENTION": "another way to count the limit: `isca25` or `as_configured`",
    "SP": "`with_sp` or `without_sp`: with or without sequence parallelism",
    "TIME": "`bound` at peaks, `floor` at measured rates, or `estimate` with a set-up",
    "PLACE": "a layer group, `mtp`, or `model` for what stands outside of layers",
    "KERNEL": "a kernel: an operator, or the operators that run as one, such as `experts`",
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
        ("weights.training_with_adam", "B", "What accelerate says that training takes."),
    ),
    *_declared(
        "flops",
        ("flops.total", "FLOP", "FLOPs of the whole workload."),
        ("flops.per_token", "FLOP/token", "FLOPs over the tokens that are processed."),
        ("flops.tokens", "tokens", "Tokens that are processed: batch times new tokens."),
        ("flops.components.COMPONENT", "FLOP", "FLOPs of one component."),
        ("flops.by_attention.COUNT", "FLOP", "The total under one way to count attention."),
        ("flops.drafts", "FLOP", "FLOPs of drafting the tokens that a decode step verifies."),
        ("flops.step", "FLOP", "A decode step with its drafts."),
        ("flops.tokens_per_step", "1", "Tokens that a step yields for each sequence."),
        ("flops.per_output_token", "FLOP/token", "FLOPs of the step over the tokens it yields."),
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
        ("roofline.PHASE.weight_bytes", "B", "Weights that a pass reads."),
        ("roofline.PHASE.cache_bytes", "B", "Cache and state that a pass reads and writes."),
        ("roofline.PHASE.expert_weights.GROUP", "B", "Routed experts of a group that it reads."),
        ("roofline.PHASE.cache.COMPONENT.GROUP", "B", "Cache of one kind of a group of layers."),
        (
            "roofline.PHASE.tokens_per_gpu_second",
            "tokens/s",
            "Tokens that one device processes in a second, at most.",
        ),
        ("ratio_to_baseline.LINE", "ratio", "A column's line over that of the baseline."),
    ),
    *_declared(
        "kv, compare",
        ("kv_cache.bytes_per_token", "B/token", "Cache that one token adds, all layers together."),
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
        (
            "kv_cache.window_bytes_per_sequence",
            "B",
            "Cache of one sequence in the layers with a window, when it is full.",
        ),
        (
            "state.bytes_per_sequence",
            "B",
            "State of mixers and compressors that a sequence keeps, of any length.",
        ),
        ("kv_cache.bytes_per_sequence", "B", "Cache and state of one sequence."),
        ("kv_cache.bytes", "B", "Cache and state of the batch."),
        ("kv_cache.bytes.COMPONENT.GROUP", "B", "Cache of the batch in one layer group."),
        ("kv_cache.entry.GROUP.COMPONENT", "B", "One part of a token's entry in one layer."),
    ),
    *_declared(
        "kv",
        (
            "kv_cache.step.bytes",
            "B",
            "Cache and state of the batch while drafted tokens are verified.",
        ),
        ("kv_cache.step.verified", "B", "The model's part, with the drafted tokens."),
        ("kv_cache.step.state_copies", "B", "A state of mixers for each drafted token."),
        ("kv_cache.step.drafts", "B", "Cache of what drafts: MTP modules or a draft model."),
        ("kv_cache.fit.sequences", "1", "Sequences of the given length that fit."),
        ("state.copies_bytes_per_sequence", "B", "Copies of the state, with --state-interval."),
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
        ("which.host_bytes", "B", "Routed experts in the memory of the host (--offload)."),
        ("which.host_free", "B", "What that memory has left."),
        ("which.gpus", "1", "Devices that share the model by tensor parallelism."),
    ),
    *_declared(
        "memory",
        ("memory.worst.CLASS", "B", "Bytes of the fullest pipeline rank, by class."),
        (
            "memory.worst.allocated",
            "B",
            "Bytes that tensors of the fullest rank have of the allocator, at its peak.",
        ),
        ("memory.worst.reserved", "B", "What the allocator then holds: allocated, and gaps."),
        (
            "memory.worst.device",
            "B",
            "What the process then has of the device: reserved, driver and collectives.",
        ),
        ("memory.worst.rank", "1", "The fullest pipeline rank, the first of several."),
        ("memory.usable", "B", "Bytes of the device that a process can allocate."),
        ("memory.free", "B", "Usable bytes minus the total of the fullest rank."),
        ("memory.fits", "1", "1 if the fullest rank fits on the device, else 0."),
        ("memory.rank.N.CLASS", "B", "Bytes of a GPU of one pipeline rank, by class."),
        ("memory.rank.N.allocated", "B", "Bytes that tensors of a rank have, at its peak."),
        ("memory.rank.N.reserved", "B", "What the allocator of a rank then holds."),
        ("memory.rank.N.chunk.N.stage", "1", "The pipeline stage of a chunk of a rank."),
        ("memory.rank.N.chunk.N.activations", "B", "Activations of a micro-batch in a chunk."),
        ("memory.rank.N.at_work.N", "B", "Buffers of a layer group while one layer runs."),
        ("memory.rank.N.largest_layer", "B", "Buffers of the largest layer that a rank holds."),
        ("memory.rank.N.embeddings", "1", "Embeddings that a rank holds."),
        (
            "memory.rank.N.logits",
            "B",
            "Logits in flight on a rank at its peak, and those of the loss.",
        ),
        ("memory.layer.GROUP.STATE", "B", "Bytes of one layer on a GPU, by class."),
        ("memory.embedding.STATE", "B", "Bytes of the embedding on a GPU, by class."),
        ("memory.head.STATE", "B", "Bytes of the output head on a GPU, by class."),
        ("memory.buffers.driver_context", "B", "Context of the driver on a device."),
        ("memory.buffers.communication", "B", "Buffers of the communication library."),
        ("memory.buffers.GROUP.at_work", "B", "Buffers while one layer of a group runs."),
        (
            "memory.buffers.logits_of_micro_batch",
            "B",
            "Logits that a micro-batch keeps from the forward to the backward pass of its loss.",
        ),
        ("memory.buffers.loss_and_head", "B", "What the loss and the head take at their peak."),
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
        "search",
        ("search.space", "1", "Every combination of the axes of a search."),
        ("search.candidates", "1", "Layouts that no rule refuses."),
        ("search.refused", "1", "Layouts that a rule, memory or a condition refuses."),
        ("search.refused.COMPONENT", "1", "Layouts that one rule refuses, by its name."),
        ("search.fitting", "1", "Layouts that were counted, and fit."),
        ("search.pruned", "1", "Layouts that were not counted: none can be among the best."),
        ("search.excess", "B", "Bytes too many at the median of layouts that do not fit."),
        ("search.layouts_per_second", "1/s", "Layouts looked at in a second; with --timing."),
        ("search.best.N.AXIS", "1", "A degree of one of the best layouts."),
        ("search.best.N.CHOICE", "1", "What one of the best layouts has of another axis."),
        ("search.best.N.memory", "B", "The fullest GPU of one of the best layouts."),
        ("search.best.N.traffic", "B", "Bytes that a GPU of it sends between domains in a step."),
        ("search.best.N.step_time", "s", "Its time of a training step."),
        ("search.best.N.tpot", "s", "Its time per output token."),
        ("search.best.N.ttft", "s", "Its time to the first token."),
        ("search.best.N.tokens_per_second_per_gpu", "tokens/s", "Its tokens a second of a GPU."),
        ("search.best.N.dollars", "USD", "Its price: of a run, or a million output tokens."),
        ("search.why.refused", "1", "Reasons that refuse the layout of --why."),
        ("search.why.memory", "B", "The fullest GPU of that layout."),
        ("search.why.traffic", "B", "Bytes that a GPU of it sends between domains in a step."),
        ("search.why.step_time", "s", "Its time of a training step."),
        ("search.why.tpot", "s", "Its time per output token."),
        ("search.why.ttft", "s", "Its time to the first token."),
        ("search.why.tokens_per_second_per_gpu", "tokens/s", "Its tokens a second of a GPU."),
        ("search.why.dollars", "USD", "Its price: of a run, or a million output tokens."),
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
        ("serving.budget", "B", "Bytes of the device that the server may take."),
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
        ("serving.host_bytes", "B", "Routed experts in the memory of the host (--offload)."),
        ("serving.host_free", "B", "What that memory has left."),
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
        ("traffic.in_network_share", "ratio", "Scale-out bytes with in-network work over without."),
        ("traffic.plane_changes_per_token", "1", "Copies that change planes inside a node."),
        ("traffic.plane_change_bytes_per_token", "B/token", "Bytes of these in one layer."),
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
        ("traffic.collectives.pipeline.payload", "B", "Bytes that a stage sends to the next one."),
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
        "time",
        ("time.optimizer.flops", "FLOP", "FLOPs of Newton-Schulz steps on a GPU, under Muon."),
        ("time.optimizer.flops.KIND", "FLOP", "Those of a component."),
        ("time.optimizer.gathered_bytes", "B", "What a GPU receives for them, not in the time."),
        ("time.TIME", "s", "Time of a pass on the GPUs of a layout."),
        ("time.p10", "s", "A tenth of the measurements are shorter than this for the estimate."),
        ("time.p90", "s", "A tenth of the measurements are longer than this for the estimate."),
        ("time.compute_time", "s", "Time of all FLOPs of a GPU at their peaks."),
        ("time.memory_time", "s", "Time of reading weights and cache once."),
        ("time.bandwidth", "B/s", "Nominal memory bandwidth of the device."),
        ("time.peak.DTYPE", "FLOP/s", "A peak of the device that kernels run against."),
        ("time.kernels.TIME", "s", "The kernels of a GPU, one after the other."),
        ("time.kernels.flops", "FLOP", "FLOPs of all kernels of a GPU."),
        ("time.kernels.moved", "B", "Bytes of weights, cache and activations of all kernels."),
        ("time.tokens_per_second.TIME", "tokens/s", "Tokens of a pass over its time."),
        (
            "time.tokens_per_second_per_gpu.TIME",
            "tokens/s",
            "The same for each GPU, all pipeline stages at work.",
        ),
        ("time.components.COMPONENT.TIME", "s", "Kernels of a component, in all layers."),
        ("time.components.COMPONENT.flops", "FLOP", "FLOPs of a component on a GPU."),
        ("time.components.COMPONENT.moved", "B", "Bytes of a component on a GPU."),
        ("time.PLACE.TIME", "s", "Kernels of a layer group, in all of its layers."),
        ("time.PLACE.flops", "FLOP", "FLOPs of a layer group on a GPU."),
        ("time.PLACE.moved", "B", "Bytes of a layer group on a GPU."),
        ("time.PLACE.layer.TIME", "s", "Kernels of one layer."),
        ("time.PLACE.KERNEL.moved", "B", "Bytes of a kernel in one layer on a GPU."),
        ("time.PLACE.KERNEL.intensity", "FLOP/B", "FLOPs of a kernel over its bytes."),
        ("time.PLACE.KERNEL.rows", "tokens", "Rows of a kernel's first product."),
        ("time.PLACE.KERNEL.columns", "elements", "Columns of its result."),
        ("time.PLACE.KERNEL.depth", "elements", "What it sums over."),
        ("time.PLACE.KERNEL.copies", "1", "How many equal products stand side by side."),
    ),
    *_declared(
        "time, traffic",
        ("time.communication.TIME", "s", "Exchanges; of an estimate what is not hidden."),
        ("time.communication.AXIS", "s", "Exchanges among the GPUs of one axis, measured rates."),
    ),
    *_declared(
        "time, train",
        (
            "time.multiprocessors",
            "ratio",
            "Multiprocessors of a device over those that communication leaves.",
        ),
        ("time.optimizer.TIME", "s", "A step of the optimizer."),
        ("time.PLACE.KERNEL.TIME", "s", "One kernel in one layer, with its backward passes."),
        ("time.PLACE.KERNEL.flops", "FLOP", "FLOPs of a kernel in one layer on a GPU."),
        ("time.PLACE.KERNEL.compute_time", "s", "FLOPs of a kernel in one layer at their peak."),
        ("time.PLACE.KERNEL.launch", "s", "Time of a kernel that no work shortens."),
    ),
    *_declared(
        "train",
        ("train.step.TIME", "s", "Time of a training step."),
        ("train.step.p10", "s", "A tenth of the measurements are shorter for this estimate."),
        ("train.step.p90", "s", "A tenth of the measurements are longer for this estimate."),
        ("train.step.walk", "s", "The same, pass by pass: each rank with its own stages."),
        ("train.phase.1f1b", "s", "Passes of the slowest rank in overlapped pairs in a step."),
        ("train.phase.1f", "s", "Its forward passes, those in pairs left out."),
        ("train.phase.1b", "s", "Its gradients of inputs, with what is recomputed."),
        ("train.phase.1w", "s", "Its gradients of weights."),
        ("train.phase.KIND", "s", "Bubble, optimizer, and exchanges that are not hidden."),
        ("train.tokens_per_second", "tokens/s", "Tokens of a step over its time."),
        ("train.gpus", "1", "GPUs of the job."),
        ("train.tokens_per_day", "tokens/d", "Tokens that are trained in a day."),
        ("train.peak", "FLOP/s", "Dense BF16 peak of a GPU, which utilisation is of."),
        ("train.flops_per_second_per_gpu.COUNT", "FLOP/s", "FLOPs of the model, of a GPU."),
        ("train.mfu.COUNT", "ratio", "FLOPs of the model over those of the BF16 peak."),
        ("train.hfu", "ratio", "The same, causal, with FLOPs that are recomputed."),
        ("train.hfu.full", "ratio", "The same with all of attention's FLOPs."),
        ("train.memory.worst.total", "B", "Memory of the fullest GPU."),
        ("train.memory.usable", "B", "Bytes of the device that a process can allocate."),
        ("train.memory.free", "B", "Usable bytes minus those of the fullest GPU."),
        ("train.memory.fits", "1", "1 where the layout fits, else 0."),
        ("train.gpu_hours", "1", "GPU-hours of a run of --train-tokens."),
        ("train.dollars", "USD", "Price of that run at the device's price."),
        ("train.energy", "Wh", "Energy of the run, devices at their power limit."),
        ("train.energy_per_step", "J", "The same of a step."),
        ("train.energy_per_token", "J", "The same of a trained token."),
    ),
    *_declared(
        "failures",
        ("failures.gpu_hours_per_interruption", "1", "GPU-hours between two interruptions."),
        ("failures.mtbf", "s", "Mean time between interruptions of the job."),
        ("failures.checkpoint_bytes", "B", "Bytes of a checkpoint."),
        ("failures.checkpoint_seconds", "s", "Time to write it, at least."),
        ("failures.best_interval", "s", "Best time from one checkpoint to the next."),
        ("failures.interval", "s", "The time that is counted with."),
        ("failures.useful_share", "ratio", "Share of the time that is not lost to failures."),
        ("failures.gpu_hours", "1", "GPU-hours of the run without failures."),
        ("failures.gpu_hours_with_failures", "1", "GPU-hours of the run with them."),
        ("failures.interruptions", "1", "Interruptions of the run, expected."),
        ("failures.silent_corruptions", "1", "Of them by silent corruptions that are noticed."),
        ("failures.gpu_time_per_silent_corruption", "s", "GPU time between two of these."),
    ),
    *_declared(
        "serve",
        ("serve.tpot.TIME", "s", "Time per output token."),
        ("serve.tpot.serial", "s", "The same: kernels, then all exchanges."),
        ("serve.tpot.overlapped", "s", "The same: two half batches take turns."),
        ("serve.tpot.p10", "s", "A tenth of the measurements are shorter for this estimate."),
        ("serve.tpot.p90", "s", "A tenth of the measurements are longer for this estimate."),
        ("serve.step.TIME", "s", "Time of a decode step."),
        ("serve.step.serial", "s", "The same: kernels, then all exchanges."),
        ("serve.step.overlapped", "s", "The same: two half batches take turns."),
        ("serve.tokens_per_step", "1", "Tokens that a sequence gains in a step."),
        ("serve.concurrency", "1", "Sequences of the whole instance."),
        ("serve.batch", "1", "Sequences of one attention replica."),
        ("serve.balancedness", "ratio", "Mean load of GPUs' experts over that of the busiest."),
        ("serve.slo.batch", "1", "The largest batch that meets the limits of --slo."),
        ("serve.fewest_gpus", "1", "The fewest GPUs that hold the sequences and meet the limits."),
        ("serve.fewest_gpus.AXIS", "1", "A degree of the layout with the fewest GPUs."),
        ("serve.max_batch", "1", "Sequences of a replica that the memory holds."),
        ("serve.fits", "1", "Whether the batch fits: 1 or 0."),
        ("serve.held", "B", "Memory that the batch takes of a GPU, with weights and buffers."),
        ("serve.host_bytes", "B", "Routed experts in the memory of the host (--offload)."),
        ("serve.host_free", "B", "What that memory has left."),
        ("serve.host_seconds.TIME", "s", "Routed experts of a step by the CPUs of the host."),
        ("serve.tokens_per_second_per_gpu.decode", "tokens/s", "Output tokens of a GPU a second."),
        ("serve.tokens_per_second_per_gpu.prefill", "tokens/s", "Tokens that a GPU prefills."),
        ("serve.prefill.TIME", "s", "Time of a prefill pass."),
        ("serve.prefill.new_tokens", "tokens", "Tokens of a prompt that are computed."),
        ("serve.prefill.token_seconds", "s", "Prefill time of a replica for one token."),
        ("serve.transfer.bytes", "B", "Cache of a prompt that goes to the GPUs that decode."),
        ("serve.transfer.seconds", "s", "Time of that transfer."),
        ("serve.transfer.wait", "s", "What it adds to prefill."),
        ("serve.ttft", "s", "Time to the first token of a server without load."),
        ("serve.energy_per_token", "J", "Energy of an output token, GPUs at their power limit."),
        ("serve.answer.first_token", "s", "Time to the first token of a response."),
        ("serve.answer.decoding", "s", "Time of its other tokens, each with a longer context."),
        ("serve.answer.seconds", "s", "Time of a whole response."),
        ("serve.answer.average_context", "tokens", "Tokens before one of its tokens, on average."),
        ("serve.answer.final_context", "tokens", "Tokens before its last one."),
        ("serve.answer.average_cache_bytes", "B", "Cache of the average context."),
        ("serve.answer.final_cache_bytes", "B", "Cache at the end of the response."),
        ("serve.answer.gpu_seconds", "s", "GPU time of a response."),
        ("serve.answer.dollars", "USD", "Price of that GPU time."),
        ("serve.answer.energy", "J", "Energy of that GPU time."),
        ("serve.rl.longest_seconds", "s", "Time of the longest response of a step of RL."),
        ("serve.rl.longest_over_mean", "ratio", "The same over that of the average response."),
        ("serve.rl.waves", "1", "How often all sequences of the instance are replaced."),
        ("serve.rl.rollout_seconds", "s", "Time of all responses of a step."),
        ("serve.rl.rollout_flops", "FLOP", "FLOPs of all responses, a prompt counted once."),
        ("serve.rl.log_probability_flops", "FLOP", "Of one pass of one model over them."),
        ("serve.rl.training_flops", "FLOP", "Of training on them."),
        ("serve.rl.weight_sync_seconds", "s", "Time of new weights to the instance, at least."),
        ("serve.dollars_per_million.output", "USD", "Price of a million output tokens."),
        ("serve.dollars_per_million.input", "USD", "Of a million input tokens as computed."),
        ("serve.dollars_per_million.input_billed", "USD", "Of a million, found ones among them."),
        ("serve.prefill_gpus_per_decode_gpu", "ratio", "Prefill GPUs that feed a decode GPU."),
        ("serve.aggregated.interference", "s", "Prefill between two decode steps, on average."),
        ("serve.aggregated.tpot", "s", "Time per output token with that prefill."),
        ("serve.aggregated.tokens_per_second_per_gpu", "tokens/s", "Output of GPUs that do both."),
        (
            "serve.disaggregated.tokens_per_second_per_gpu",
            "tokens/s",
            "Output tokens of a second over the GPUs of prefill and decoding.",
        ),
        ("serve.tokens_per_second_per_user", "tokens/s", "Tokens of a second of a sequence."),
        ("serve.tokens_per_second", "tokens/s", "Tokens of a second of the instance."),
    ),
    *_declared(
        "host",
        ("host.experts.bytes", "B", "Routed experts in the host's memory."),
        ("host.experts.host_left", "B", "Memory that the host has left; below 0 too small."),
        ("host.experts.resident_bytes", "B", "All else: weights and cache on one device."),
        ("host.experts.device_left", "B", "Memory that the device has left."),
        ("host.experts.bytes_per_token", "B", "Experts that one token reads."),
        ("host.experts.host_seconds", "s", "Time to read them at the host's bandwidth."),
        ("host.experts.device_seconds", "s", "Time to read all else at the device's bandwidth."),
        ("host.experts.tpot.TIME", "s", "Time per output token; the estimate is fitted."),
        ("host.experts.tokens_per_second.TIME", "tokens/s", "Output tokens of a second."),
        (
            "host.experts.prefill_tokens_per_second.DTYPE",
            "tokens/s",
            "Tokens that the CPUs prefill at a peak of theirs.",
        ),
        ("host.cache.bytes_per_token", "B/token", "Cache of a token of the context."),
        ("host.cache.break_even_bandwidth", "B/s", "Bandwidth from which reloading pays."),
        ("host.cache.recompute_seconds", "s", "Time of a node to compute the context again."),
        ("host.cache.reload_seconds.KIND", "s", "Time to reload it from dram or storage."),
        ("host.cache.speed_up.KIND", "ratio", "Computing again over reloading."),
        ("host.cache.prefill_nodes_share", "ratio", "Prefill nodes over those without a cache."),
        ("host.cache.reload_bandwidth", "B/s", "What a busy node reloads."),
        ("host.cache.retained_bytes", "B", "Capacity that keeps a node's caches for a time."),
        ("host.states.optimizer.bytes", "B", "Optimizer states of the fullest device."),
        ("host.states.average.bytes", "B", "Average of the weights of the fullest device."),
        ("host.states.activations.held", "B", "Activations of the fullest device at its peak."),
        ("host.states.activations.bytes", "B", "Those moved in a step, each way."),
        ("host.states.KIND.seconds", "s", "Time to move states to the host, each way."),
        ("host.states.KIND.exposed", "s", "Of it what nothing hides."),
        ("host.states.host_bytes", "B", "States in the memory of one host, at most."),
    ),
    *_declared(
        "limits ep",
        ("limits.ep.all_to_all_time", "s", "Time of dispatch and combine of one layer."),
        ("limits.ep.time_per_layer", "s", "Time of a layer, two micro-batches alternating."),
        ("limits.ep.tpot", "s", "Time per output token, at least."),
        ("limits.ep.tokens_per_second", "tokens/s", "Tokens of one request in a second, at most."),
        ("limits.ep.messages_per_second", "1", "Messages that a device sends in a second."),
        ("limits.ep.messages_per_second_of_a_node", "1", "The same of all devices of a node."),
        ("limits.ep.proxy_seconds", "s", "Time for one of them where one thread posts all."),
        ("limits.ep.nic_bandwidth", "B/s", "What other traffic of the host's link leaves."),
        (
            "limits.ep.in_network_share",
            "ratio",
            "Bytes with in-network work over without.",
        ),
        ("limits.ep.in_network_tpot", "s", "Time per output token with them, at least."),
        ("limits.ep.transfer_ratio", "ratio", "Bytes of a combined copy over those in BF16."),
        ("limits.ep.codec_ratio", "ratio", "Bytes of combine in BF16, over those of the code."),
        ("limits.ep.codec_factor", "ratio", "Time of combine with the coder, over BF16."),
        ("limits.ep.codec_break_even", "ratio", "Overhead of the coder below which it pays."),
        ("limits.ep.compute_time", "s", "Kernels of a layer and micro-batch at peaks."),
        ("limits.ep.compute_over_exchange", "ratio", "Above 1 computation binds."),
        (
            "limits.ep.time_per_layer_with_computation",
            "s",
            "Time of a layer by the longer of computation and exchange.",
        ),
        ("limits.ep.tpot_with_computation", "s", "Time per output token with that, at least."),
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
        ("network.ecmp_slowest_share", "ratio", "Share that the slowest of these flows gets."),
        ("network.ecmp_time_factor", "ratio", "Time until it ends, over sprayed packets."),
        ("network.latency", "s", "A small message between the endpoints farthest apart."),
        ("network.exchange_time", "s", "Time of an exchange, with what the network loses."),
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
    *_declared(
        "validate",
        ("validate.AREA.rows", "1", "Rows that were predicted and that no fit saw."),
        ("validate.AREA.groups", "1", "Groups of rows that would give each other away."),
        ("validate.AREA.points", "1", "Single times of these rows."),
        ("validate.AREA.median_abs_error", "ratio", "Median of the unsigned relative errors."),
        ("validate.AREA.median_low", "ratio", "Lower end of its 90 % interval, by groups."),
        ("validate.AREA.median_high", "ratio", "Upper end of its 90 % interval, by groups."),
        ("validate.AREA.bias", "ratio", "Median signed error: above 0 is predicted too long."),
        ("validate.AREA.within_10", "ratio", "Share of times predicted within 10 %."),
        ("validate.AREA.within_20", "ratio", "Share of times predicted within 20 %."),
        ("validate.AREA.within_50", "ratio", "Share of times predicted within 50 %."),
        ("validate.AREA.roofline_error", "ratio", "Median unsigned error of the peak roofline."),
        (
            "validate.AREA.mfu_40_error",
            "ratio",
            "Median unsigned error of training steps at 40 % of the peak.",
        ),
    ),
    *_declared(
        "calibrate",
        ("calibrate.entries", "1", "Entries that were fitted."),
        ("calibrate.rows", "1", "Rows that were measured on this device."),
        ("calibrate.seconds", "s", "How long measuring took."),
    ),
)
"""In the order of the reference page."""


_PLACEHOLDER = re.compile(r"[A-Z]{2,}|\bN\b")


@cache
def _by_section() -> dict[str, list[PublicLine]]:
    """Return the declarations by the first word of their names."""
    found: dict[str, list[PublicLine]] = {}
    for line in PUBLIC_LINES:
        found.setdefault(line.pattern.partition(".")[0], []).append(line)
    return found


def _spelled(pattern: str) -> Iterator[str]:
    """Yield a pattern with everything that its placeholders stand for.

    >>> list(_spelled("traffic.N.LINK_time"))
    ['traffic.#.scale_up_time', 'traffic.#.scale_out_time']
    """
    placeholder = _PLACEHOLDER.search(pattern)
    if placeholder is None:
        yield pattern
        return
    before, after = pattern[: placeholder.start()], pattern[placeholder.end() :]
    for text in PLACEHOLDERS[placeholder[0]]:
        yield from _spelled(f"{before}{text}{after}")


@cache
def _tree(section: str) -> dict[str, Any]:
    """Return the declarations of a section as a tree of words; ``""`` holds what ends there."""
    tree: dict[str, Any] = {}
    for line in _by_section().get(section, ()):
        for spelled in _spelled(line.pattern):
            branch = tree
            for word in spelled.split("."):
                branch = branch.setdefault(word, {})
            branch.setdefault("", line)
    return tree


def _found(branch: dict[str, Any], words: tuple[str, ...], at: int) -> PublicLine | None:
    """Follow words from a branch: what is spelled out goes before what stands for any word."""
    if at == len(words):
        return branch.get("")
    for key in (words[at], "*") if words[at] else ():
        found = _found(branch[key], words, at + 1) if key in branch else None
        if found is not None:
            return found
    rest = branch.get("**", {})
    ends = range(at + 1, len(words) + 1) if rest else ()
    return next((found for end in ends if (found := _found(rest, words, end))), None)


def public_line(name: str) -> PublicLine | None:
    """Return the declaration of a line by its name; None where it is not public.

    >>> public_line("memory.rank.3.total").pattern
    'memory.rank.N.CLASS'
    >>> public_line("memory.rank.3.has_layers.0") is None
    True
    """
    return _declaration(tuple(["#" if word.isdecimal() else word for word in name.split(".")]))


@cache
def _declaration(words: tuple[str, ...]) -> PublicLine | None:
    """Return the declaration of the lines that differ in numbers alone."""
    return _found(_tree(words[0]), words, 0)
