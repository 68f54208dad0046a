"""Software: what a framework or engine takes of a device, how it divides, and how fast it runs."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from dsv3calc.schema.fields import Name, Natural, Seconds, Size, Text
from dsv3calc.schema.provenance import Source, provenance_problems
from dsv3calc.schema.workload import Phase

_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Bytes = Annotated[int, msgspec.Meta(ge=0, le=2**60, extra={"dimension": "bytes"})]
"""Bytes of something that software may do without."""

_Deviation = Annotated[float, msgspec.Meta(gt=-1, le=100)]
_Factor = Annotated[float, msgspec.Meta(gt=0, le=100)]

Loss = Literal["fp32-logits", "eager", "vocab-parallel", "compiled", "fused", "chunked"]
GradientBuffers = Literal["none", "fused-accumulation", "fused-accumulation-stacked"]
CommunicationAxis = Literal["tp", "cp", "pp", "dp"]
Pool = Literal["device", "static", "free"]
ExpertRule = Literal["megatron", "vllm", "sglang", "trtllm"]
Undivided = Literal["refuse", "pad", "load"]


class PassTokens(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Tokens of a prefill pass on devices with at least so much memory, as they are sold."""

    device_memory: _Bytes
    tokens: Size


class WeightCopies(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """In training, two copies of weights in a format: of rows and of columns, as products read it.

    Devices with a dense peak in the data type ``one_with`` read one copy in both ways.
    """

    format: Text
    one_with: Text | None = None


class SetupMemory(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What software takes of a device beside tensors, and which tensors it keeps.

    ``driver_context`` is the driver's, ``workspace`` the matrix library's, ``communication`` that
    of collectives: it is counted where one of the ``communication_axes`` has more than one GPU, for
    an engine may not have communicators of all axes yet when it measures its pool. ``bucket`` is
    the number of gradients that are reduced at once where they are sharded. ``fragmentation`` is
    lost of what is allocated dynamically, as a share of it; ``allowance`` is reserved beyond what
    is allocated, as a share of that.

    In training, ``loss`` says how the loss is computed: ``chunked`` over ``loss_chunk`` tokens.
    ``gradient_buffers`` are those of ``fused-accumulation``: one for each shape of weight, of the
    head too; an expert is a weight, or with ``fused-accumulation-stacked`` all experts of a GPU.
    ``frees_gradients`` tells that they are freed after a step, until its first backward pass;
    ``whole_gradients`` that ZeRO-2 and 3 reduce them once for all micro-batches of a pipeline, and
    ``keeps_outputs`` that the last stage keeps the outputs of all of them.
    ``separate_context_output`` tells that attention keeps its output before the all-to-all of
    context parallelism beside the one after it. ``weight_copies`` lists the formats of weights of
    which there is a copy of columns beside that of rows.

    A server's ``pool`` follows its engine. ``memory_fraction`` is a share of the ``device`` that
    weights, buffers and cache take together; or the ``static`` share, of weights and cache alone;
    or the share for the cache of what weights and buffers leave ``free``. Instead of a share, a
    static pool may leave ``reserved`` bytes, and so many for each token of a prefill pass and
    for each GPU of a replica. The cache has pages of ``page_size`` tokens. ``prefill`` gives the
    tokens of a prefill pass by the memory of the device, ``graphs`` are bytes of captured graphs.
    Where a sampler is profiled, its ``sampled_sequences`` have ``logit_bits`` for each logit, and
    the larger of that and a pass counts. ``repacked`` gives, by the name of a format of weights,
    what kernels take beside the stored bytes, as a share of them. ``batched_windows`` tells that
    layers with a window keep the tokens of a pass beside it.
    """

    driver_context: _Bytes
    workspace: _Bytes
    communication: _Bytes
    communication_axes: list[CommunicationAxis] = msgspec.field(
        default_factory=lambda: ["tp", "cp", "pp", "dp"]
    )
    bucket: Natural
    fragmentation: _Share = 0.0
    allowance: _Share = 0.0
    loss: Loss = "fp32-logits"
    loss_chunk: Size | None = None
    gradient_buffers: GradientBuffers = "none"
    frees_gradients: bool = False
    whole_gradients: bool = False
    keeps_outputs: bool = False
    separate_context_output: bool = False
    weight_copies: list[WeightCopies] = msgspec.field(default_factory=list)
    memory_fraction: _Share | None = None
    pool: Pool = "device"
    page_size: Size
    reserved: _Bytes = 0
    reserved_per_token: _Bytes = 0
    reserved_per_gpu: _Bytes = 0
    graphs: _Bytes = 0
    sampled_sequences: Natural = 0
    logit_bits: Natural = 0
    prefill: list[PassTokens] = msgspec.field(default_factory=list)
    repacked: dict[str, _Share] = msgspec.field(default_factory=dict)
    batched_windows: bool = False


class SetupExperts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How experts are divided where etp is not given: the ``rule`` of a framework or engine.

    ``moe_dp`` is the data parallelism of experts under the rule of SGLang.
    """

    rule: ExpertRule
    moe_dp: Size = 1


class SetupBlocks(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What happens where blocks of a quantised weight do not divide by the layout.

    The weight is refused, padded to whole blocks, or loaded with a scale of its own for the rest.
    ``formats`` says it of formats by name, where it is another than ``undivided``. ``release`` is
    the version in which this was read.
    """

    undivided: Undivided = "refuse"
    formats: dict[str, Undivided] = msgspec.field(default_factory=dict)
    release: Text | None = None

    def policy(self, form: str) -> Undivided:
        """Return what happens to parts of blocks of a format."""
        return self.formats.get(form, self.undivided)


class SetupOverlap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Share of communication that computation hides, by the axis that sends it; null: not stated.

    ``two_batch`` tells that two halves of a batch take turns at computing and sending. ``paired``
    tells that in training each pass hides what the pass that overlaps it sends: only schedules with
    such pairs do.
    """

    tp: _Share | None = None
    ep: _Share | None = None
    dp: _Share | None = None
    cp: _Share | None = None
    pp: _Share | None = None
    two_batch: bool = False
    paired: bool = False


class SetupBand(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How estimates with a set-up deviate from measurements: 0.1 is 10 % too long.

    Of ``points`` measurements a tenth deviates less than ``p10`` and a tenth more than ``p90``.
    """

    p10: _Deviation
    p90: _Deviation
    points: Size


class SetupTime(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What software makes of the rates of kernels.

    ``sustained`` multiplies the time of matrix products and attention, by chip family, in the
    ``sustained_phases``; in all where none is listed. ``sustained_narrow`` is that of products in 8
    bits or fewer where it is another. ``weight_gradients`` is the rate of narrow
    products that make weight gradients over that of the forward ones. ``library`` names the kernels
    that are run where a device's rates tell them apart; ``expert_library`` names that of the
    products of experts whose rows a dispatch brings, in training and prefill: passes beside them
    are then apart. ``host_gap`` is time of the host for each kernel, ``first_token`` that before
    the first token of a request, beside the prefill pass. ``launch_factor`` multiplies the kernels'
    own launch times. ``communication_sms`` are multiprocessors that send instead of compute.
    ``bands`` say by phase how far estimates lie from measurements. ``residual`` says what
    measurements have beyond the estimate and what is believed to cause it; no factor stands for it.
    """

    sustained: dict[str, _Factor] = msgspec.field(default_factory=dict)
    sustained_narrow: dict[str, _Factor] = msgspec.field(default_factory=dict)
    sustained_phases: list[Phase] = msgspec.field(default_factory=list)
    weight_gradients: _Factor | None = None
    library: Name | None = None
    expert_library: Name | None = None
    bands: dict[Phase, SetupBand] = msgspec.field(default_factory=dict)
    host_gap: Seconds | None = None
    first_token: Seconds | None = None
    launch_factor: _Factor | None = None
    communication_sms: Natural | None = None
    overlap: SetupOverlap = msgspec.field(default_factory=SetupOverlap)
    residual: Text | None = None
    release: Text | None = None


class AppliesTo(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Measured rows that a set-up stands for: those that have every value that is given."""

    source: Text | None = None
    chip: Text | None = None
    platform: Text | None = None
    area: Text | None = None


class Setup(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A framework or engine: its memory, how it divides experts and blocks, and its times.

    A part that is null is not stated: what needs it is then answered as without a set-up, or
    refused. ``applies_to`` lists the measured rows that the set-up stands for.
    """

    name: Name
    title: Text
    aliases: list[Name] = msgspec.field(default_factory=list)
    release: Text | None = None
    memory: SetupMemory
    experts: SetupExperts | None = None
    blocks: SetupBlocks = msgspec.field(default_factory=SetupBlocks)
    time: SetupTime | None = None
    applies_to: list[AppliesTo] = msgspec.field(default_factory=list)
    sources: dict[str, Source]
    provenance: dict[str, str]

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield what contradicts itself, and sources that are not listed."""
        memory = self.memory
        if (memory.loss == "chunked") != (memory.loss_chunk is not None):
            yield (
                ("memory", "loss_chunk"),
                "loss chunked needs loss_chunk, the tokens of a chunk"
                if memory.loss == "chunked"
                else f"loss {memory.loss} has no loss_chunk",
                "a chunked loss computes the logits of so many tokens at a time, such as 1024",
            )
        reserves = memory.reserved + memory.reserved_per_token + memory.reserved_per_gpu
        if memory.memory_fraction is None and not (memory.pool == "static" and reserves):
            yield (
                ("memory", "memory_fraction"),
                f"a pool of kind {memory.pool} without memory_fraction",
                "a static pool may state what is reserved instead",
            )
        if bool(memory.sampled_sequences) != bool(memory.logit_bits):
            yield (
                ("memory", "logit_bits"),
                "one of sampled_sequences and logit_bits without the other",
                "a profiled sampler has both",
            )
        floors = [each.device_memory for each in memory.prefill]
        if floors != sorted(set(floors)) or (floors and floors[0]):
            yield (
                ("memory", "prefill"),
                "the entries are not in the order of device_memory, from 0 on",
                "a device takes the last entry whose device_memory it has",
            )
        for number, rows in enumerate(self.applies_to):
            if rows == AppliesTo():
                yield (
                    ("applies_to", number),
                    "an entry that names nothing",
                    "give source, chip, platform or area",
                )
        yield from provenance_problems(self.sources, self.provenance)
