"""A model on the GPUs of a layout: what an answer about a layout was given for."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model


class Placed:
    """What a query was answered for, in training or in serving.

    ``unused`` are the options of layouts that the query does not depend on.
    """

    __slots__ = ("layout", "model", "serving", "unused")

    def __init__(
        self, model: Model, layout: Layout, *, serving: bool, unused: tuple[str, ...] = ()
    ) -> None:
        self.model = model
        self.layout = layout
        self.serving = serving
        self.unused = unused
