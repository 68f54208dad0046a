"""What a family's table holds: how to read it, and which keys may be absent, ignored or fixed."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.importers.keys import Reader


class Computed(msgspec.Struct, frozen=True):
    """A default that the modelling code computes from other keys; ``rule`` says how in words."""

    rule: str


KV_HEADS_AS_HEADS = Computed("the modelling code takes num_attention_heads")
HEAD_DIM_FROM_HEADS = Computed("the modelling code takes hidden_size / num_attention_heads")

Mtp = tuple[int, bool]
"""Multi-token-prediction modules, and whether each is stored with embedding and head."""


class Architecture(msgspec.Struct, kw_only=True):
    """What a family's ``read`` returns: the widths, and the parts of each layer, first to last.

    Equal layers share one dict, so that a deep model costs a list of references.
    """

    hidden_size: int
    vocab_size: int
    attention: list[dict[str, Any]]
    feed_forward: list[dict[str, Any]]
    block_norms: int = 2
    tie_word_embeddings: bool = False
    head_bias: bool = False
    norm: str = "rms"
    norm_bias: bool = False
    max_position_embeddings: int | None = None
    mtp: Mtp | None = None


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """The table of one ``model_type``.

    ``defaults`` lists the keys that published files of the type omit, with what is taken then;
    ``ignored`` the keys that change no count, besides the common ones; ``fixed`` the keys that
    may only hold the listed values, because anything else would be another architecture;
    ``fields`` the config keys behind schema fields of another name. A ``text`` family nests the
    language model as ``text_config`` of that ``model_type``.
    """

    architectures: tuple[str, ...]
    read: Callable[[Reader], Architecture] | None = None
    text: str = ""
    defaults: dict[str, Any] = {}
    ignored: frozenset[str] = frozenset()
    fixed: dict[str, tuple[Any, ...]] = {}
    fields: dict[str, str] = {}
    own_fp8: bool = False
