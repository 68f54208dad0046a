"""Number formats, what a model stores in which of them, and what its GEMMs compute in."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

import msgspec

from dsv3calc.schema.fields import PEAK_DTYPES, Name, Natural, Text
from dsv3calc.schema.provenance import Source, provenance_problems

Bits = Annotated[int, msgspec.Meta(ge=1, le=64)]

_EntryBytes = Annotated[int, msgspec.Meta(ge=0, le=2**20, extra={"dimension": "bytes"})]

WEIGHT_CLASSES = (
    "embedding",
    "head",
    "attention",
    "dense_ffn",
    "routed_experts",
    "shared_experts",
    "router",
    "routing_bias",
    "routing_table",
    "norms",
    "biases",
    "indexer",
    "indexer_weights",
    "compressor",
    "hyper_connections",
    "latent_projections",
    "mixer",
    "mixer_rates",
    "mixer_vectors",
    "convolutions",
    "mtp_projection",
)
"""Every tensor belongs to one of these; a precision says which format each is stored in."""

COMPUTE_CLASSES = (
    "head",
    "attention_projections",
    "attention_core",
    "dense_ffn",
    "routed_experts",
    "shared_experts",
    "router",
    "indexer",
    "latent_projections",
    "mixer_projections",
    "mixer_core",
    "mtp_projection",
)
"""Every matrix product belongs to one of these; a precision says which peak each runs against."""


_TENSOR = r"(?:groups\.\d{1,4}\.|mtp\.|model\.)?([a-z_]+)(?:\.\w+)?"
"""A class of weights with a layer group before it, and a tensor after it."""


class Scale(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One scale for each block of ``rows`` (output features) by ``columns`` (input features).

    ``zero_point_bits`` is stored beside each scale by asymmetric formats. ``count`` values are
    stored for a block, where they are no scale but a code book or a shape.
    """

    rows: Annotated[int, msgspec.Meta(ge=1, le=2**30)]
    columns: Annotated[int, msgspec.Meta(ge=1, le=2**30)]
    dtype: Text
    bits: Bits
    zero_point_bits: Natural = 0
    count: Annotated[int, msgspec.Meta(ge=1, le=2**16)] = 1


class Format(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one element is stored, ``bits`` each, and the scales stored with them.

    ``more_scales`` are what else is stored with a matrix: a second level of scales, one of its
    inputs, an index of its columns.
    """

    dtype: Text
    bits: Bits
    scale: Scale | None = None
    more_scales: list[Scale] = msgspec.field(default_factory=list)

    @property
    def scales(self) -> list[Scale]:
        """All that is stored with a matrix."""
        return [*filter(None, [self.scale]), *self.more_scales]

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield scales of a format that has no first one."""
        if self.more_scales and self.scale is None:
            yield ("more_scales",), "more_scales without a scale", "scale is the first of them"


class Precision(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which format each class of weights is stored in, and which peak each GEMM runs against.

    ``weights`` and ``compute`` name a ``default`` and the exceptions: classes, and in ``weights``
    tensors of a class (``attention.kv_b_proj``) and those of one layer group or of the
    multi-token-prediction modules (``groups.0.attention``, ``mtp.attention``). A ``compute`` value
    lists peaks in order of preference: the first that the hardware has is used. ``activations`` is
    the format that GEMM inputs and dispatched tokens are cast to. ``recipe`` names the preset of
    what training keeps beside the weights.
    """

    name: Name
    title: Text
    aliases: list[Name] = msgspec.field(default_factory=list)
    formats: dict[str, Format]
    weights: dict[str, str]
    compute: dict[str, list[str]]
    activations: str
    recipe: Name = "megatron-bf16"
    sources: dict[str, Source]
    provenance: dict[str, str]

    @property
    def by_tensor(self) -> bool:
        """Whether tensors of one class are stored in several formats."""
        return any("." in name for name in self.weights)

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield classes and formats that do not exist, and missing defaults."""
        for field, known in (("weights", WEIGHT_CLASSES), ("compute", COMPUTE_CLASSES)):
            table = getattr(self, field)
            if "default" not in table:
                yield (field,), f"{field} needs a default", "classes not listed take it"
            for name in table:
                if name == "default" or name in known:
                    continue
                own = re.fullmatch(_TENSOR, name) if field == "weights" else None
                if own is None or own[1] not in known:
                    yield (
                        (field, name),
                        f"'{name}' is no class of {field}",
                        f"classes: default, {', '.join(known)}",
                    )
        for name, choice in [*self.weights.items(), ("activations", self.activations)]:
            if choice not in self.formats:
                path = ("activations",) if name == "activations" else ("weights", name)
                yield (
                    path,
                    f"'{choice}' is not among formats",
                    f"formats: {', '.join(self.formats)}",
                )
        yield from self._compute_problems()
        yield from provenance_problems(self.sources, self.provenance)

    def _compute_problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        for name, wishes in self.compute.items():
            if not wishes:
                yield ("compute", name), "an empty list of data types", "name at least one"
            for number, wish in enumerate(wishes):
                if wish not in PEAK_DTYPES:
                    yield (
                        ("compute", name, number),
                        f"'{wish}' is no data type of a peak",
                        f"data types: {', '.join(PEAK_DTYPES)}",
                    )


class KVFormat(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a KV cache stores one token of one layer.

    Elements take ``bits`` each; every ``group_size`` of them along a head (or the latent) share
    ``scale_bits`` (a zero point included), 0 where the scale is per tensor and not stored per
    token. ``rope_bits`` is the width of MLA's rotary part where it differs, and ``indexer_bits``
    that of the keys of DSA's indexer. Keys and values of a token take a multiple of
    ``entry_multiple`` bytes, 0 where nothing is padded. ``only`` limits the format to one kind of
    attention.
    """

    name: Name
    title: Text
    aliases: list[Name] = msgspec.field(default_factory=list)
    bits: Bits
    group_size: Natural = 0
    scale_bits: Natural = 0
    rope_bits: Natural = 0
    indexer_bits: Natural = 0
    indexer_group_size: Natural = 0
    indexer_scale_bits: Natural = 0
    entry_multiple: _EntryBytes = 0
    only: str = ""
    sources: dict[str, Source]
    provenance: dict[str, str]

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield a scale without its group and sources that are not listed."""
        for scale, group in (
            ("scale_bits", "group_size"),
            ("indexer_scale_bits", "indexer_group_size"),
        ):
            if bool(getattr(self, scale)) != bool(getattr(self, group)):
                yield (scale,), f"{scale} and {group} go together", "a scale covers a group"
        yield from provenance_problems(self.sources, self.provenance)
