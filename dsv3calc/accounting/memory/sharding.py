"""How many GPUs a tensor of a layer is divided among: as weight, gradient, optimizer state.

Tensor parallelism divides matrices but not norms, routers, indexers, MLA's down-projections and
biases of row-parallel matrices; keys and values are divided no further than they have heads.
Shared experts and dense feed-forwards are whole on every GPU where the layout replicates them. The
routed experts are divided over ep and etp. ZeRO divides what remains among the replicas: dense
tensors over dp x cp, experts over their own replicas.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.formulas import memory, stages
from dsv3calc.ledger.line import Line, combined, computed, given
from dsv3calc.model.operator import ONE, Tensor

if TYPE_CHECKING:
    from dsv3calc.model.layer import GroupView
    from dsv3calc.schema.layout import Layout

CLASSES = ("weights", "gradients", "optimizer")
_SHARDED_FROM = {"optimizer": 1, "gradients": 2, "weights": 3}
"""Class -> the ZeRO stage from which the replicas share it."""

_VOCABULARY_MULTIPLE = 128
_EXPERT_BLOCK = {"routed_experts", "shared_experts", "router"}


def several(name: str, count: Line) -> Line:
    """Return 1 where a group has more than one GPU, 0 where it is alone: nothing is sent then."""
    others = combined(f"{name}.others", "difference", (count, ONE))
    return computed(name, stages.any_of, amount_here=others)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Where papers and libraries divide differently.

    ``replicated_query_rope`` keeps the rotary part of MLA's query up-projection whole on every
    tensor-parallel GPU; ``experts_block_over_edp`` shards router and shared experts over the
    experts' replicas too; ``no_routing_bias`` leaves that buffer out; ``padded`` counts whole
    elements on every GPU, and a padded vocabulary.
    """

    replicated_query_rope: bool = False
    experts_block_over_edp: bool = False
    no_routing_bias: bool = False
    padded: bool = False


class Sharding:
    """The divisors of a layout, as lines made once."""

    def __init__(self, layout: Layout, rules: Rules) -> None:
        self.layout = layout
        self.rules = rules
        self._known: dict[tuple[str, str], Line] = {}
        mirrored = layout.schedule == "dualpipe" and layout.mirror_optimizer
        pair = given("dualpipe.copies", 2, "1", "both ranks that hold a stage share its states")
        also = [pair] if mirrored else []
        data = [degree(layout, "dp"), degree(layout, "cp"), *also]
        self.replicas = {
            "data": combined("sharding.replicas.data", "product", data, unit="1"),
            "edp": combined(
                "sharding.replicas.experts", "product", [degree(layout, "edp"), *also], unit="1"
            ),
        }

    def shards(self, tensor: Tensor, view: GroupView | None) -> tuple[str, Line]:
        """Return how a tensor is divided within a stage: a name, and the number of parts."""
        division = tensor.division
        if view is None:
            split = division == "vocabulary" and self.layout.vocabulary_parallel
            return ("split", self._once("split")) if split else ("whole", ONE)
        if self.layout.is_replicated(tensor.component):
            division = "replicated"
        elif division == "split" and self.layout.spans_instance(tensor.component):
            division = "instance"
        if division == "key_value":
            return f"key_value.{view.prefix}", self.key_value(view)
        if division == "groups":
            return f"groups.{view.prefix}", self.groups(view)
        return division, self._once(division)

    def _once(self, place: str) -> Line:
        key = (place, "")
        if key not in self._known:
            if place == "experts":
                parts = [degree(self.layout, "ep"), degree(self.layout, "etp")]
                self._known[key] = combined("sharding.experts", "product", parts, unit="1")
            elif place == "instance":
                parts = [degree(self.layout, "tp"), degree(self.layout, "dp")]
                self._known[key] = combined("sharding.instance", "product", parts, unit="1")
            else:
                self._known[key] = {"replicated": ONE, "split": degree(self.layout, "tp")}[place]
        return self._known[key]

    def key_value(self, view: GroupView) -> Line:
        """Return the parts that a layer's keys and values are divided into."""
        heads = view.attention.key_value_heads
        if heads is None:
            raise view.attention.refusal("key-value heads divided over tp")
        return self._shared_heads("key_value", view, heads)

    def groups(self, view: GroupView) -> Line:
        """Return the parts that what a mixer's groups of heads share is divided into."""
        groups = view.mixer.groups
        if groups is None:
            raise view.mixer.refusal("groups of heads divided over tp")
        return self._shared_heads("groups", view, groups)

    def _shared_heads(self, division: str, view: GroupView, heads: Line) -> Line:
        key = (division, view.prefix)
        if key not in self._known:
            self._known[key] = computed(
                f"sharding.{division}.{view.prefix}",
                memory.key_value_shards,
                num_key_value_heads=heads,
                tp=degree(self.layout, "tp"),
            )
        return self._known[key]

    def group(self, tensor: Tensor) -> str:
        """Return the name in :attr:`replicas` of those that hold the same part of a tensor."""
        expert = tensor.division == "experts" or (
            self.rules.experts_block_over_edp and tensor.component in _EXPERT_BLOCK
        )
        return "edp" if expert else "data"

    def is_shared(self, group: str) -> Line:
        """Return 1 where a group of replicas has more than one, 0 where none is there to share."""
        key = ("is_shared", group)
        if key not in self._known:
            self._known[key] = several(f"sharding.is_shared.{group}", self.replicas[group])
        return self._known[key]

    def divisor(self, tensor: Tensor, view: GroupView | None, what: str) -> Line:
        """Return the GPUs that a tensor's weights, gradients or optimizer states are divided among.

        ``what`` is one of :data:`CLASSES`.
        """
        place, parts = self.shards(tensor, view)
        if self.layout.zero < _SHARDED_FROM[what]:
            return parts
        group = self.group(tensor)
        key = (place, group)
        if key not in self._known:
            self._known[key] = combined(
                f"sharding.{place}.over_{group}", "product", (parts, self.replicas[group]), unit="1"
            )
        return self._known[key]


def padded(tensor: Tensor, layout: Layout) -> Tensor:
    """Return an embedding or head with as many rows as are held when its vocabulary is padded."""
    multiple = given("vocabulary.multiple", _VOCABULARY_MULTIPLE, "1", "rows of one GPU")
    rows = computed(
        f"memory.{tensor.name}.padded_vocabulary",
        memory.padded_vocabulary,
        vocab_size=tensor.out_features,
        multiple=multiple,
        tp=degree(layout, "tp"),
    )
    return tensor.changed(out_features=rows)
