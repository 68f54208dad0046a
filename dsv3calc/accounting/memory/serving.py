"""Memory of one GPU that serves a model: weights, buffers, and what is left for the KV cache.

Attention runs in ``dp`` replicas of ``tp`` GPUs each. MLA's latent is replicated on every GPU of a
replica; keys and values of other attention are divided over it, no further than they have heads.
Experts are divided over ``ep``, redundant ones among them.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.kv_cache import entry_lines, kept_entries
from dsv3calc.accounting.memory.activations import NOTHING_RECOMPUTED, Activations
from dsv3calc.accounting.memory.buffers import software_buffers
from dsv3calc.accounting.memory.sharding import Rules, Sharding, several
from dsv3calc.accounting.memory.states import States, layer_tensors
from dsv3calc.accounting.parameters import tensor_elements
from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.accounting.placement.stages import Stages
from dsv3calc.accounting.state import state_lines
from dsv3calc.accounting.traffic.exchange import Exchange, copy_bytes, experts_width
from dsv3calc.accounting.traffic.transfer_formats import TransferFormat
from dsv3calc.formulas import kv_cache, memory, server, stages
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.tags import Tags, about
from dsv3calc.model.architecture import architecture_of
from dsv3calc.model.operator import ONE, Tensor
from dsv3calc.model.saved import BF16, FP32

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dsv3calc.model.block import CacheEntry
    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.mixer import StatePart
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import KVFormat, Precision
    from dsv3calc.schema.setup import SetupMemory
    from dsv3calc.schema.workload import Conventions

LOW_LATENCY = TransferFormat(
    name="low-latency",
    title="rows of DeepEP's low-latency kernels: BF16, and two BF16 numbers for each 128",
    bits=16,
    group_size=128,
    scale_bits=32,
    kind="paper",
    citation="deepseek-ai/DeepEP, csrc/legacy/config.hpp at dd758caf, struct LowLatencyLayout: "
    "buffers are sized for combining in BF16 with a smallest and a largest value for 128 channels",
    url="https://github.com/deepseek-ai/DeepEP",
    read="2026-11-25",
)


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """What is served, and how: presets and the numbers of the workload.

    ``batch`` sequences of ``context`` tokens are those of one attention replica, ``tokens`` what a
    pass of it computes. ``memory_share`` is in millionths of what the device can allocate.
    ``absorbed`` keeps a BF16 copy of MLA's ``kv_b_proj`` beside the weights.
    """

    precision: Precision
    kv_format: KVFormat
    software: SetupMemory
    conventions: Conventions
    exchange: Exchange
    context: Any
    batch: Any
    tokens: Any
    memory_share: Any
    page_size: Any
    absorbed: bool = False
    low_latency: bool = False
    mtp: bool = False
    imbalance: Any = 1


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
        for view in self.views:
            name = f"serving.layer.{view.prefix}"
            tensors = [*layer_tensors(view, layout, Rules())]
            if view is mtp:
                tensors += arch.mtp_tensors
            self.weights.append(self._layer_weights(name, states, tensors, view))
        outer = {tensor.name: tensor for tensor in arch.outer}
        self.embedding = states.of("serving.embedding", [outer.pop("embedding")], None)["weights"]
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
        self.shared_buffers = self._buffers()
        limited = any(
            entry.bound is not None
            for view in self.views
            for entry in view.attention.cache(serving.conventions.mla)
        )
        self._kept_words = UNTIL_LET_GO if limited else "every layer keeps every token"

    def _layer_weights(
        self, name: str, states: States, tensors: Sequence[Tensor], view: GroupView
    ) -> Line:
        weights = states.of(name, tensors, view)["weights"]
        up = view.attention.expansion
        if not self.serving.absorbed or up is None:
            return weights
        copy = computed(
            f"{name}.absorbed_kv_b_proj",
            memory.shard_bytes,
            convention="a copy in BF16, for attention against the latent",
            elements=tensor_elements(f"{name}.elements.absorbed", up, ONE),
            bits=BF16,
            divisor=self.sharding.divisor(up, view, "weights"),
        )
        return total(f"{name}.all_weights", [weights, copy])

    def _buffers(self) -> list[Line]:
        """Give what every rank needs beside weights and cache."""
        layers = [
            self.activations.of_layer(f"serving.layer.{view.prefix}", view).kept
            for view in self.views
        ]
        return [
            combined(
                "serving.activations",
                "maximum",
                layers,
                convention="of one pass in one layer, the largest; none freed within it",
                tags=about("activations"),
            ),
            *self._exchange(),
            *software_buffers("serving", self.serving.software, self.layout),
        ]

    def _exchange(self) -> list[Line]:
        """Give the buffers that experts' rows pass through."""
        views = [view for view in self.views if view.experts is not None]
        if not views:
            return []
        exchanged = several("serving.is_exchanged", degree(self.layout, "ep"))
        found = []
        for view in views:
            name, width = f"serving.exchange.{view.prefix}", experts_width(view)
            if self.serving.low_latency:
                sent = combined(
                    f"{name}.tokens",
                    "ratio",
                    (self.activations.tokens, self.activations.divisors["split"]),
                    unit="tokens",
                )
                buffer = computed(
                    f"{name}.low_latency_buffer",
                    memory.low_latency_buffer,
                    convention=LOW_LATENCY.title,
                    slots=self._slots(view),
                    tokens=sent,
                    copy_bytes=copy_bytes(f"{name}.copy_bytes", self.model, LOW_LATENCY, **width),
                )
                found.append(combined(name, "product", (buffer, exchanged), unit="B"))
                continue
            exchange = self.serving.exchange
            copies = [
                copy_bytes(f"{name}.{phase}.copy_bytes", self.model, form, **width)
                for phase, form in (("dispatch", exchange.dispatch), ("combine", exchange.combine))
            ]
            row = total(f"{name}.row_bytes", copies, unit="B")
            rows = self.activations.rows(view)
            found.append(combined(name, "product", (rows, row, exchanged), unit="B"))
        return [combined("serving.exchange", "maximum", found, tags=about("exchange"))]

    def _slots(self, view: GroupView) -> Line:
        """Return the places for experts of a layer, which its weights are counted from."""
        tensors = layer_tensors(view, self.layout, Rules())
        return next(tensor.copies for tensor in tensors if tensor.division == "experts")

    def _cache(self, name: str, layers: Sequence[Line], batch: Line, tokens: Line | None) -> Line:
        """Count the bytes on a GPU: cache and state of sequences, or one token in every layer."""
        serving, parts = self.serving, []
        for view, count in zip(self.views, layers, strict=True):
            place = f"{name}.{view.prefix}"
            formats = (view, serving.kv_format, serving.conventions)
            entries: Iterable[tuple[CacheEntry, Line, Line]] = (
                ((entry, line, ONE) for entry, line in entry_lines(*formats))
                if tokens is None
                else kept_entries(f"{place}.tokens", tokens, *formats, serving.page_size)
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
            parts += self._states(f"{name}.state", layers, batch)
        return total(name, parts, unit="B", convention=serving.kv_format.name)

    def _states(self, name: str, layers: Sequence[Line], batch: Line) -> list[Line]:
        """Count the bytes on a GPU of the states of sequences."""
        counts = dict(zip(self.views, layers, strict=True))
        conventions, share = self.serving.conventions, self._state_share
        return state_lines(name, self.views, batch, conventions, counts.__getitem__, share)

    def _state_share(self, name: str, view: GroupView, part: StatePart) -> Line:
        """Return the elements that a GPU of an attention replica keeps of a layer's state."""
        groups = part.division == "groups"
        parts = self.sharding.groups(view) if groups else degree(self.layout, "tp")
        return combined(name, "ratio", (part.elements, parts), unit="elements")

    def _share(self, name: str, view: GroupView, entry: CacheEntry, line: Line) -> Line:
        """Return what a GPU of an attention replica keeps of one token of a layer."""
        parts = [degree(self.layout, "cp")]
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
        batch = given("workload.batch", serving.batch, "1", "sequences of one attention replica")
        logits = computed(
            "serving.logits",
            memory.activation_bytes,
            convention="FP32, one position of each sequence",
            tokens=batch,
            width=field(("model", self.model), "vocab_size"),
            bits=FP32,
            group_size=ONE,
            scale_bits=given("logits.scale_bits", 0, "bit"),
            divisor=degree(self.layout, "tp") if self.layout.vocabulary_parallel else ONE,
        )
        tags = about("logits")
        own = combined(f"{name}.logits", "product", (head, logits), unit="B", tags=tags)
        tags = Tags(quantity="buffers", rank=rank.value)
        buffers = total(f"{name}.buffers", [*self.shared_buffers, own], unit="B", tags=tags)
        budget = self.budget()
        pool = computed(
            f"{name}.kv_pool",
            server.cache_pool,
            tags=Tags(quantity="kv_pool", rank=rank.value),
            budget=budget,
            weight_bytes=weights,
            buffer_bytes=buffers,
        )
        token = self._cache(f"{name}.kv_bytes_per_token", layers, ONE, None)
        context = given("workload.context", serving.context, "tokens")
        sequence = self._cache(f"{name}.kv_bytes_per_sequence", layers, ONE, context)
        states = self._states(f"{name}.state_bytes_per_sequence", layers, ONE)
        state = total(f"{name}.state_bytes_per_sequence", states, unit="B")
        cache = combined(f"{name}.kv_bytes", "product", (sequence, batch), unit="B")
        tags = Tags(quantity="total", rank=rank.value)
        used = total(f"{name}.total", [weights, buffers, cache], tags=tags)
        found = {
            "weights": weights,
            "buffers": buffers,
            "kv_pool": pool,
            "kv_bytes_per_token": token,
            "kv_bytes_per_sequence": sequence,
            "state_bytes_per_sequence": state,
            "kv_bytes": cache,
            "total": used,
            "fits": computed(f"{name}.fits", memory.fits, total_bytes=used, usable=budget),
        }
        if sequence.value:
            if states:
                held = combined(f"{name}.state_bytes", "product", (state, batch), unit="B")
                pool = computed(
                    f"{name}.kv_token_pool",
                    server.cache_pool,
                    convention="beside the states of the batch",
                    budget=budget,
                    weight_bytes=weights,
                    buffer_bytes=total(f"{name}.buffers_and_states", [buffers, held]),
                )
            if token.value:
                found["kv_tokens"] = computed(
                    f"{name}.kv_tokens",
                    server.pool_tokens,
                    convention=self._kept_words,
                    tags=Tags(quantity="kv_tokens", rank=rank.value),
                    pool=pool,
                    token_bytes=token,
                    page_size=given("serving.page_size", serving.page_size, "tokens"),
                )
            fitting = computed(
                f"{name}.max_sequences",
                kv_cache.sequences_that_fit,
                tags=Tags(quantity="max_sequences", rank=rank.value),
                available=found["kv_pool"],
                sequence_bytes=sequence,
            )
        elif found["fits"].value:
            return found
        else:
            found["kv_tokens"] = given(f"{name}.kv_tokens", 0, "tokens", _SHORT_WITHOUT_CACHE)
            fitting = given(f"{name}.max_sequences", 0, "1", _SHORT_WITHOUT_CACHE)
        held = combined(f"{name}.sequence_tokens", "product", (fitting, context), unit="tokens")
        return found | {"max_sequences": fitting, "sequence_tokens": held}

    def budget(self) -> Line:
        """Return the bytes of a device that the server takes in all."""
        return computed(
            "serving.budget",
            server.server_budget,
            ("hardware.memory", self.hardware.memory),
            memory_share=given(
                "setup.memory.memory_fraction", self.serving.memory_share, "1", "in millionths"
            ),
        )

    def cache_of(self, name: str, layers: Sequence[Line], tokens: int) -> Line:
        """Count the bytes of the batch's cache when every sequence has that many tokens."""
        batch = given("workload.batch", self.serving.batch, "1")
        return self._cache(name, layers, batch, given(f"{name}.tokens", tokens, "tokens"))


UNTIL_LET_GO = "as long as no layer lets go of a token that has left its window"
"""What a pool's tokens are counted under where layers have a limited span."""

_SHORT_WITHOUT_CACHE = "the rank has no cache, and does not fit"
