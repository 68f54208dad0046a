"""Software: what a framework or engine takes of a device, how it divides, and how fast it runs."""

# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from dsv3calc.schema.fields import Name, Natural, Size, Text
from dsv3calc.schema.network import Seconds
from dsv3calc.schema.provenance import Source, provenance_problems

_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Bytes = Annotated[int, msgspec.Meta(ge=0, le=2**60, extra={"dimension": "bytes"})]
"""Bytes of something that software may do without."""

_Factor = Annotated[float, msgspec.Meta(gt=0, le=100)]

Loss = Literal["fp32-logits", "eager", "vocab-parallel", "fused", "chunked"]
GradientBuffers = Literal["none", "fused-accumulation"]
Pool = Literal["device", "free"]
ExpertRule = Literal["megatron", "vllm", "sglang", "trtllm"]
Undivided = Literal["refuse", "pad", "load"]


class PassTokens(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Tokens of a prefill pass on devices with at least so much memory, as they are sold."""

    device_memory: _Bytes
    tokens: Size


class SetupMemory(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What software takes of a device beside tensors, and which tensors it keeps.

    ``driver_context`` is the driver's, ``workspace`` the matrix library's, ``communication`` that
    of collectives. ``bucket`` is the number of gradients that are reduced at once where they are
    sharded. ``fragmentation`` is lost of what is allocated dynamically, as a share of it;
    ``allowance`` is reserved beyond what is allocated, as a share of that.

    In training, ``loss`` says how the loss is computed: ``chunked`` over ``loss_chunk`` tokens.
    ``gradient_buffers`` are those of ``fused-accumulation``: one for each shape of weight.

    A server takes ``memory_fraction`` of the ``device`` in all, or, where the ``pool`` is one of
    what is ``free``, that share of what weights and buffers leave for its cache. The cache has
    pages of ``page_size`` tokens. ``graphs`` are bytes of captured graphs, ``prefill`` the tokens
    of a prefill pass, by the memory of the device. ``repacked`` gives, by data type of weights,
    what a copy in the kernels' order takes beside them, as a share of their bytes.
    ``batched_windows`` tells that layers with a window keep the tokens of a pass beside it.
    """

    driver_context: _Bytes
    workspace: _Bytes
    communication: _Bytes
    bucket: Natural
    fragmentation: _Share = 0.0
    allowance: _Share = 0.0
    loss: Loss = "fp32-logits"
    loss_chunk: Size | None = None
    gradient_buffers: GradientBuffers = "none"
    memory_fraction: _Share
    pool: Pool = "device"
    page_size: Size
    graphs: _Bytes = 0
    prefill: list[PassTokens] = msgspec.field(default_factory=list)
    repacked: dict[str, _Share] = msgspec.field(default_factory=dict)
    batched_windows: bool = False


class SetupExperts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How experts are divided where etp is not given: the ``rule`` of a framework or engine.

    ``expert_parallel`` tells whether an engine that is not told an ep divides experts over GPUs
    whole. ``moe_dp`` is the data parallelism of experts under the rule of SGLang.
    """

    rule: ExpertRule
    expert_parallel: bool = False
    moe_dp: Size = 1


class SetupBlocks(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What happens where blocks of a quantised weight do not divide by the layout.

    The weight is refused, padded to whole blocks, or loaded with a scale of its own for the rest.
    ``release`` is the version in which this was read.
    """

    undivided: Undivided = "refuse"
    release: Text | None = None


class SetupOverlap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Share of communication that computation hides, by the axis that sends it; null: not stated.

    ``two_batch`` tells that two halves of a batch take turns at computing and sending.
    """

    tp: _Share | None = None
    ep: _Share | None = None
    dp: _Share | None = None
    cp: _Share | None = None
    pp: _Share | None = None
    two_batch: bool = False


class SetupTime(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What software makes of the rates of kernels.

    ``sustained`` multiplies the time of matrix products and attention, by chip family.
    ``host_gap`` is time of the host for each kernel, ``launch_factor`` multiplies the kernels' own
    launch times. ``communication_sms`` are multiprocessors that send instead of compute.
    """

    sustained: dict[str, _Factor] = msgspec.field(default_factory=dict)
    host_gap: Seconds | None = None
    launch_factor: _Factor | None = None
    communication_sms: Natural | None = None
    overlap: SetupOverlap = msgspec.field(default_factory=SetupOverlap)
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
                f"loss {memory.loss} with loss_chunk {memory.loss_chunk}",
                "a chunked loss has a loss_chunk, and no other has",
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
