"""What the words in capitals in the names of public lines stand for."""

# SPDX-License-Identifier: Apache-2.0
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
