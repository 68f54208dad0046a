"""What a family's table holds: how to read it, and which keys may be absent, ignored or fixed."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Computed(msgspec.Struct, frozen=True):
    """A default that no configuration class states; ``rule`` says in words where it comes from.

    Without a ``value``, the reader of the key computes it from other keys.
    """

    rule: str
    value: Any = None


KV_HEADS_AS_HEADS = Computed("num_attention_heads, as in the modelling code")
HEAD_DIM_FROM_HEADS = Computed("hidden_size / num_attention_heads, as in the modelling code")
NO_CHOICE = "transformers' code always does this"
MAIN_MODEL_ALONE = Computed("the file describes the main model alone")

Mtp = tuple[int, bool]
"""Multi-token-prediction modules, and whether each is stored with embedding and head."""


class Architecture(msgspec.Struct, kw_only=True):
    """What a family's ``read`` returns: the widths, and the parts of each layer, first to last.

    Equal layers share one dict, so that a deep model costs a list of references; a part that a
    layer lacks is None. ``block_norms`` is a number, or one for each layer. ``mtp_layer`` is the
    layer of a multi-token-prediction module where it is not of the last one's kind; ``mtp_stored``
    says whether files hold the modules where that does not follow from the copies.
    """

    hidden_size: int
    vocab_size: int
    attention: Sequence[dict[str, Any] | None]
    feed_forward: Sequence[dict[str, Any] | None]
    mixer: Sequence[dict[str, Any] | None] = ()
    block_norms: int | Sequence[int] = 2
    tie_word_embeddings: bool = False
    head_bias: bool = False
    norm: str = "rms"
    norm_bias: bool = False
    max_position_embeddings: int | None = None
    additions: list[dict[str, Any]] = []
    mtp: Mtp | None = None
    mtp_layer: dict[str, Any] | None = None
    mtp_stored: bool | None = None


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """The table of one ``model_type``.

    ``configuration`` is the class that reads the file, ``defaults`` what it takes for an absent
    switch, option or derived width; an absent size is a problem, so no size stands there unless
    published files omit it. ``ignored`` are the keys that change no count, besides the common
    ones; ``fixed`` the keys that may only hold the listed values, because anything else would be
    another architecture; ``fields`` the config keys behind schema fields of another name; ``fp8``
    the precision preset of the type's own FP8 files, ``by_experts`` that of files whose experts
    are in another format, by its name. A ``text`` family nests the language model
    as ``text_config`` of that ``model_type``, or of one of ``other_texts``; where both hold
    tie_word_embeddings and differ, the inner one counts under ``inner_tie``, the outer one under
    ``outer_tie``, and else that is a problem; an object ``inside`` the file may hold it, with other
    models ``beside``. A ``vision`` tower is
    counted by the function of that name in ``towers``.
    """

    architectures: tuple[str, ...]
    configuration: str = ""
    read: Callable[[Any], Architecture] | None = None  # of a Reader, which knows this class
    text: str = ""
    other_texts: tuple[str, ...] = ()
    inside: str = ""
    beside: tuple[str, ...] = ()
    inner_tie: bool = False
    outer_tie: bool = False
    vision: str = ""
    defaults: dict[str, Any] = {}
    ignored: frozenset[str] = frozenset()
    fixed: dict[str, tuple[Any, ...]] = {}
    fields: dict[str, str] = {}
    fp8: str = ""
    by_experts: dict[str, str] = {}
