"""Memory of one GPU that serves a model: weights, buffers, and what is left for the KV cache.

Attention runs in ``dp`` replicas of ``tp`` GPUs each. MLA's latent is replicated on every GPU of a
replica; keys and values of other attention are divided over it, no further than they have heads.
Experts are divided over ``ep``, redundant ones among them.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.kv_cache import entry_lines, kept_entries, token_line
from dsv3calc.accounting.memory.activations import NOTHING_RECOMPUTED, Activations
from dsv3calc.accounting.memory.blocks import Undivided, undivided
from dsv3calc.accounting.memory.passes import Passes
from dsv3calc.accounting.memory.pools import Pool
from dsv3calc.accounting.memory.served_weights import served_weights
from dsv3calc.accounting.memory.sharding import Rules, Sharding
from dsv3calc.accounting.memory.states import States, layer_tensors
from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.accounting.placement.stages import Stages
from dsv3calc.accounting.state import state_lines, with_copies
from dsv3calc.formulas import kv_cache, server, stages
from dsv3calc.ledger.line import Line, combined, computed, given, total
from dsv3calc.ledger.tags import Tags
from dsv3calc.model.architecture import architecture_of
from dsv3calc.model.operator import ONE
from dsv3calc.numbers import ops

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dsv3calc.accounting.memory.served import Serving
    from dsv3calc.model.block import CacheEntry, StatePart
    from dsv3calc.model.layer import GroupView
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model


class Server:
    """The memory of each pipeline rank of a serving layout."""

    def __init__(self, model: Model, layout: Layout, hardware: Hardware, serving: Serving) -> None:
        # a forward pass knows no schedule: each rank has one stage
        self.layout = layout = msgspec.structs.replace(
            layout, schedule="1f1b", virtual_pipeline=1, micro_batch=1, zero=0
        )
        arch = architecture_of(model)
        self.model = model
        self.hardware = hardware
        self.serving = serving
        self.stages = Stages("serving.split", model, layout, mtp=serving.mtp)
        self.views = [*arch.groups]
        mtp = arch.mtp if serving.mtp else None
        if mtp is not None:
            self.views.append(mtp)
        self.sharding = sharding = Sharding(layout, Rules())
        states = States(sharding, None, serving.precision)
        self.weights = []
        self._tensors = {view: [*layer_tensors(view, layout, Rules())] for view in self.views}
        if mtp is not None:
            self._tensors[mtp] += arch.mtp_tensors
        if serving.experts_on_host:
            self._tensors = {
                view: [each for each in tensors if each.division != "experts"]
                for view, tensors in self._tensors.items()
            }
        for view, tensors in self._tensors.items():
            name = f"serving.layer.{view.prefix}"
            self.weights.append(served_weights(name, states, tensors, view, serving))
        outer = {tensor.name: tensor for tensor in arch.outer}
        first = [outer.pop("embedding"), *arch.entry_tensors]
        self.embedding = states.of("serving.embedding", first, None)["weights"]
        self.tied = model.tie_word_embeddings
        if self.tied:
            del outer["head"]
        self.after = states.of("serving.after", list(outer.values()), None)["weights"]
        self.activations = Activations(
            model,
            layout,
            sharding,
            NOTHING_RECOMPUTED,
            sequence=serving.tokens,
            imbalance=serving.imbalance,
            waiting=False,
        )
        self.passes = Passes(model, layout, serving, self.views, self.activations)
        self.pool = Pool(
            serving.software, hardware, layout, serving.memory_share, self.activations.sequence
        )
        limited = any(
            entry.bound is not None
            for view in self.views
            for entry in view.attention.cache(serving.conventions.mla)
        )
        batched = serving.software.batched_windows
        self._batched = self.activations.sequence if batched else None
        self._kept_words = UNTIL_LET_GO if limited else "every layer keeps every token"

    @cached_property
    def undivided(self) -> list[Undivided]:
        """The weights that the layout divides within blocks."""
        precision = self.serving.precision
        return [
            each
            for view, tensors in self._tensors.items()
            for each in undivided(view, tensors, self.sharding, precision)
        ]

    def refused(self) -> list[Undivided]:
        """List those that the engine does not load."""
        policy = self.serving.blocks.policy
        return [each for each in self.undivided if policy(each.key) == "refuse"]

    def loadable(self) -> Line:
        """Tell whether the engine loads the weights as the layout divides them."""
        number = len(self.refused())
        return computed(
            "serving.loadable",
            server.loadable,
            undivided=given("serving.undivided", number, "1", "tensors that are refused"),
        )

    def _cache(self, name: str, layers: Sequence[Line], batch: Line, tokens: Line | None) -> Line:
        """Count the bytes on a GPU: cache and state of sequences, or one token in every layer."""
        serving, parts = self.serving, []
        for view, count in zip(self.views, layers, strict=True):
            place = f"{name}.{view.prefix}"
            formats = (view, serving.kv_format, serving.conventions)
            entries: Iterable[tuple[CacheEntry, Line, Line]] = (
                (
                    (entry, token_line(f"{place}.{entry.kind}_token", entry, line), ONE)
                    for entry, line in entry_lines(*formats)
                    if entry.rows is None
                )
                if tokens is None
                else kept_entries(
                    f"{place}.tokens", tokens, *formats, serving.page_size, self._batched
                )
            )
            parts += [
                computed(
                    f"{place}.{entry.kind}",
                    kv_cache.cache_bytes,
                    batch=batch,
                    layers=count,
                    tokens=kept,
                    token_bytes=self._share(f"{place}.{entry.kind}_entry", view, entry, line),
                )
                for entry, line, kept in entries
            ]
        if tokens is not None:
            states = with_copies(name, batch, tokens, serving.state_interval)
            parts += self._states(f"{name}.state", layers, states)
        return total(name, parts, unit="B", convention=serving.kv_format.name)

    def _states(self, name: str, layers: Sequence[Line], batch: Line) -> list[Line]:
        """Count the bytes on a GPU of the states of sequences."""
        counts = dict(zip(self.views, layers, strict=True))
        conventions, share = self.serving.conventions, self._state_share
        return state_lines(name, self.views, batch, conventions, counts.__getitem__, share)

    def _state_share(self, name: str, view: GroupView, part: StatePart) -> Line:
        """Return the elements that a GPU of an attention replica keeps of a layer's state."""
        if part.division == "replicated":
            return part.elements
        groups = part.division == "groups"
        parts = self.sharding.groups(view) if groups else degree(self.layout, "tp")
        return combined(name, "ratio", (part.elements, parts), unit="elements")

    def _share(self, name: str, view: GroupView, entry: CacheEntry, line: Line) -> Line:
        """Return what a GPU of an attention replica keeps of one token of a layer."""
        parts = [degree(self.layout, "cp"), degree(self.layout, "dcp")]
        if entry.division == "key_value":
            parts.append(self.sharding.key_value(view))
        elif entry.division == "split":
            parts.append(degree(self.layout, "tp"))
        divisor = combined(f"{name}_divisor", "product", parts, unit="1")
        return combined(name, "ratio", (line, divisor), unit="B")

    def rank(self, name: str, rank: Line) -> dict[str, Line]:
        """Give the memory of one pipeline rank.

        Returns
        -------
        Lines ``NAME.{weights,buffers,kv_pool,kv_bytes_per_token,kv_bytes_per_sequence,kv_bytes}``
        and ``NAME.state_bytes_per_sequence`` [B]; ``NAME.kv_tokens``, which it holds beside the
        states of the batch as long as none is let go of, and ``NAME.sequence_tokens``, those of the
        sequences that fit [tokens]; ``NAME.max_sequences`` and ``NAME.fits`` [1]. Of a rank without
        a cache, no layer standing on it, the tokens and sequences are left out: it limits none,
        unless it does not fit and they are 0. So are the tokens where only states are kept.
        """
        taken = self.taken(name, rank)
        return taken | self.limits(name, taken)

    def taken(self, name: str, rank: Line) -> dict[str, Line]:
        """Give the bytes of one pipeline rank, and whether they fit."""
        serving = self.serving
        layers = self.stages.layers(name, rank)
        head = self.stages.has(f"{name}.has_head", rank, self.stages.head_stage)
        needs = [self.stages.has(f"{name}.has_embedding", rank, self.stages.embedding_stage)]
        needs += [layers[-1]] if self.stages.mtp is not None else []
        needs += [head] if self.tied else []
        embedding = needs[0]
        if len(needs) > 1:
            every = total(f"{name}.embedding_needed", needs, unit="1")
            embedding = computed(f"{name}.embeddings", stages.any_of, amount_here=every)
        pairs = [*zip(layers, self.weights, strict=True), (embedding, self.embedding)]
        pairs.append((head, self.after))
        weights = combined(
            f"{name}.weights",
            "sum_of_products",
            [part for pair in pairs for part in pair],
            unit="B",
            convention=f"as {serving.precision.name} stores them",
            tags=Tags(quantity="weights", rank=rank.value),
        )
        batch = serving.sequences(self.layout)
        first, *rest = self.passes.pass_and_logits(name, head)
        tags = Tags(quantity="buffers", rank=rank.value)
        buffers = total(f"{name}.buffers", [first, *self.passes.shared, *rest], unit="B", tags=tags)
        pool = self.pool.of_rank(name, rank, weights, buffers)
        token = self._cache(f"{name}.kv_bytes_per_token", layers, ONE, None)
        context = given("workload.context", serving.context, "tokens")
        sequence = self._cache(f"{name}.kv_bytes_per_sequence", layers, ONE, context)
        states = self._states(f"{name}.state_bytes_per_sequence", layers, ONE)
        state = total(f"{name}.state_bytes_per_sequence", states, unit="B")
        cache = combined(f"{name}.kv_bytes", "product", (sequence, batch), unit="B")
        tags = Tags(quantity="total", rank=rank.value)
        used = total(f"{name}.total", [weights, buffers, cache], tags=tags)
        return {
            "weights": weights,
            "buffers": buffers,
            "kv_pool": pool,
            "kv_bytes_per_token": token,
            "kv_bytes_per_sequence": sequence,
            "state_bytes_per_sequence": state,
            "kv_bytes": cache,
            "total": used,
            "fits": self.pool.fits(name, used, cache, pool),
        }

    def limits(self, name: str, taken: dict[str, Line]) -> dict[str, Line]:
        """Give the tokens and sequences that a rank holds beside what it takes."""
        serving, found = self.serving, {}
        rank, sequence = taken["total"].tags.rank, taken["kv_bytes_per_sequence"]
        token, pool = taken["kv_bytes_per_token"], taken["kv_pool"]
        state = taken["state_bytes_per_sequence"]
        context = given("workload.context", serving.context, "tokens")
        if not ops.is_nothing(sequence.value):
            if state.parts:
                batch = serving.sequences(self.layout)
                kept = with_copies(name, batch, context, serving.state_interval)
                held = combined(f"{name}.state_bytes", "product", (state, kept), unit="B")
                pool = computed(
                    f"{name}.kv_token_pool",
                    server.cache_pool,
                    convention="beside the states of the batch",
                    budget=pool,
                    weight_bytes=held,
                    buffer_bytes=given("serving.not_counted", 0, "B", "counted in the pool"),
                )
            if not ops.is_nothing(token.value):
                found["kv_tokens"] = computed(
                    f"{name}.kv_tokens",
                    server.pool_tokens,
                    convention=self._kept_words,
                    tags=Tags(quantity="kv_tokens", rank=rank),
                    pool=pool,
                    token_bytes=token,
                    page_size=given("serving.page_size", serving.page_size, "tokens"),
                )
            fitting = computed(
                f"{name}.max_sequences",
                kv_cache.sequences_that_fit,
                tags=Tags(quantity="max_sequences", rank=rank),
                available=taken["kv_pool"],
                sequence_bytes=sequence,
            )
        elif taken["fits"].value:
            return found
        else:
            found["kv_tokens"] = given(f"{name}.kv_tokens", 0, "tokens", _SHORT_WITHOUT_CACHE)
            fitting = given(f"{name}.max_sequences", 0, "1", _SHORT_WITHOUT_CACHE)
        held = combined(f"{name}.sequence_tokens", "product", (fitting, context), unit="tokens")
        return found | {"max_sequences": fitting, "sequence_tokens": held}

    def cache_of(self, name: str, layers: Sequence[Line], tokens: int) -> Line:
        """Count the bytes of the batch's cache when every sequence has that many tokens."""
        batch = self.serving.sequences(self.layout)
        return self._cache(name, layers, batch, given(f"{name}.tokens", tokens, "tokens"))


UNTIL_LET_GO = "as long as no layer frees tokens outside its window"
"""What a pool's tokens are counted under where layers have a limited span."""

_SHORT_WITHOUT_CACHE = "the rank has no cache, and does not fit"
