"""Public lines of training memory under a layout."""

# SPDX-License-Identifier: Apache-2.0
LINES = {
    "memory": (
        ("memory.worst.CLASS", "B", "Bytes of the fullest pipeline rank, by class."),
        ("memory.worst.allocated", "B", "Peak bytes allocated by tensors on the fullest rank."),
        (
            "memory.worst.reserved",
            "B",
            "Bytes reserved by the allocator at that peak: allocated plus fragmentation.",
        ),
        (
            "memory.worst.device",
            "B",
            "Device memory of the process at that peak: reserved, context and communication.",
        ),
        (
            "memory.worst.rank",
            "1",
            "Index of the fullest pipeline rank, the lowest if several are equal.",
        ),
        ("memory.usable", "B", "Bytes of the device that a process can allocate."),
        ("memory.free", "B", "Usable bytes minus the total of the fullest rank."),
        ("memory.fits", "1", "1 if the fullest rank fits on the device, else 0."),
        ("memory.rank.N.CLASS", "B", "Bytes of a GPU of one pipeline rank, by class."),
        ("memory.rank.N.allocated", "B", "Peak bytes allocated by tensors on one rank."),
        (
            "memory.rank.N.reserved",
            "B",
            "Bytes reserved by the allocator of one rank at that peak.",
        ),
        ("memory.rank.N.chunk.N.stage", "1", "The pipeline stage of a chunk of a rank."),
        ("memory.rank.N.chunk.N.activations", "B", "Activations of one micro-batch in one chunk."),
        (
            "memory.rank.N.at_work.N",
            "B",
            "Temporary buffers while one layer of a layer group runs.",
        ),
        ("memory.rank.N.largest_layer", "B", "Temporary buffers of the largest layer of a rank."),
        ("memory.rank.N.embeddings", "1", "Number of embeddings on a rank."),
        (
            "memory.rank.N.logits",
            "B",
            "Logits in flight on a rank at its peak, those of the loss included.",
        ),
        ("memory.layer.GROUP.STATE", "B", "Bytes of one layer on a GPU, by class."),
        ("memory.embedding.STATE", "B", "Bytes of the embedding on a GPU, by class."),
        ("memory.head.STATE", "B", "Bytes of the output head on a GPU, by class."),
        ("memory.buffers.driver_context", "B", "Driver context on a device."),
        ("memory.buffers.communication", "B", "Buffers of the communication library."),
        (
            "memory.buffers.GROUP.at_work",
            "B",
            "Temporary buffers while one layer of a layer group runs.",
        ),
        (
            "memory.buffers.logits_of_micro_batch",
            "B",
            "Logits saved per micro-batch between the forward and the backward pass of the loss.",
        ),
        ("memory.buffers.loss_and_head", "B", "Peak memory of the loss and the output head."),
        ("memory.buffers.pipeline.payload", "B", "Bytes that a stage sends to the next one."),
        ("memory.fewest_gpus", "1", "Smallest number of GPUs on which the fullest rank fits."),
        ("memory.fewest_gpus.AXIS", "1", "A degree of the layout with the fewest GPUs."),
        (
            "memory.fewest_gpus.total",
            "B",
            "Memory of the fullest rank of the layout with the fewest GPUs.",
        ),
        ("memory.given.gpus", "1", "GPUs of the given layout."),
        ("memory.given.total", "B", "Memory of the fullest rank of the given layout."),
        ("memory.given.fits", "1", "1 if the given layout fits, else 0."),
        ("megatron.STATE", "B", "Bytes of one class in Megatron-LM's memory report."),
        ("megatron.activations", "B", "Bytes of activations in Megatron-LM's memory report."),
        ("megatron.total", "B", "Total of Megatron-LM's memory report."),
        ("megatron.difference.CLASS", "B", "Our fullest rank minus the figure of Megatron-LM."),
        ("megatron.SP.activations", "B", "Activations by one of Megatron-LM's two formulas."),
        ("megatron.SP.total", "B", "Total by one of Megatron-LM's two formulas."),
    ),
}
"""Commands -> name, unit and meaning of the lines that they give."""
