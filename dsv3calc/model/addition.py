"""What a model has beside attention and feed-forwards: what each kind says of itself, once.

A kind is a class ``Kind`` in ``additions/TAG.py``, where TAG is the tag of its struct in the
schema. It may stand before the layers, in each of them, and after them.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dsv3calc.ledger.line import Line, Scope, field
from dsv3calc.model.block import Block, kind_of
from dsv3calc.model.operator import ONE, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dsv3calc.model.block import Place
    from dsv3calc.model.operator import Operator
    from dsv3calc.schema.model import Model


class InLayer(Block):
    """The part of an addition that stands in the layers of a group."""

    part = "addition"

    def before(self, site: str) -> Iterable[Operator]:
        """List what runs before the norm of a site: ``attention`` or ``feed_forward``."""
        return ()

    def after(self, site: str) -> Iterable[Operator]:
        """List what runs after a site, before its output is added to the residual stream."""
        return ()

    def residual(self, site: str) -> Iterable[Operator] | None:
        """List what adds a site's output to the residual streams, None where nothing special."""
        return None

    def last(self) -> Iterable[Operator]:
        """List what runs at the end of a layer."""
        return ()


class Addition:
    """An addition of a model: what it has outside of the layers, and how it builds the rest.

    ``in_mtp`` says that an MTP module repeats what stands after the layers.
    """

    layer: type[InLayer] | None = None
    in_mtp = False

    def __init__(self, model: Model, scope: Scope) -> None:
        self.model = model
        self.scope = scope
        self.hidden = field(("model", model), "hidden_size")

    def field(self, name: str, unit: str = "elements") -> Line:
        """Return a field of its struct."""
        return field(self.scope, name, unit)

    def tensor(
        self,
        name: str,
        component: str,
        out_features: Line,
        in_features: Line | None = None,
        **options: Any,
    ) -> Tensor:
        """Return a tensor outside of the layers."""
        return Tensor(name, component, out_features, in_features, **options)

    @property
    def streams(self) -> Line | None:
        """How many hidden states a token has between layers, None where it is one."""
        return None

    def entry_tensors(self) -> Iterable[Tensor]:
        """List the tensors between the embedding and the first layer."""
        return ()

    def entry(self, tensors: tuple[Tensor, ...]) -> Iterable[Operator]:
        """List the operators between the embedding and the first layer, given its tensors."""
        return ()

    def exit_tensors(self, modules: Line = ONE) -> Iterable[Tensor]:
        """List the tensors between the last layer and the final norm, of so many modules."""
        return ()

    def exit(self, tensors: tuple[Tensor, ...]) -> Iterable[Operator]:
        """List the operators between the last layer and the final norm, given its tensors."""
        return ()

    def in_layer(self, place: Place) -> InLayer | None:
        """Return what stands in the layers of a group."""
        return None if self.layer is None else self.layer(place)


def additions_of(model: Model) -> list[Addition]:
    """Return the additions of a model, by the tags of their structs."""
    return [
        import_module(f"dsv3calc.model.additions.{kind_of(spec)}").Kind(
            model, (f"model.additions.{index}", spec)
        )
        for index, spec in enumerate(model.additions)
    ]
