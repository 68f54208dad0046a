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
from dsv3calc.accounting.traffic.exchange import Exchange, copy_bytes
from dsv3calc.accounting.traffic.transfer_formats import TransferFormat
from dsv3calc.formulas import kv_cache, memory, server, stages
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.ledger.tags import Tags, about
from dsv3calc.model.architecture import architecture_of
from dsv3calc.model.operator import ONE, Tensor
from dsv3calc.model.saved import BF16, FP32

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dsv3calc.model.block import CacheEntry
    from dsv3calc.model.layer import GroupView
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
            name = f"serving.exchange.{view.prefix}"
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
                    copy_bytes=copy_bytes(f"{name}.copy_bytes", self.model, LOW_LATENCY),
                )
                found.append(combined(name, "product", (buffer, exchanged), unit="B"))
                continue
            exchange = self.serving.exchange
            copies = [
                copy_bytes(f"{name}.{phase}.copy_bytes", self.model, form)
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
        """Count the bytes of the cache on a GPU: of sequences, or of one token in every layer."""
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
        return total(name, parts, unit="B", convention=serving.kv_format.name)

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
        [B]; ``NAME.kv_tokens``, which it holds as long as none is let go of, and
        ``NAME.sequence_tokens``, those of the sequences that fit [tokens]; ``NAME.max_sequences``
        and ``NAME.fits`` [1]. Of a rank without a cache, no layer standing on it, the tokens and
        sequences are left out: it limits none, unless it does not fit and they are 0.
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
        cache = combined(f"{name}.kv_bytes", "product", (sequence, batch), unit="B")
        tags = Tags(quantity="total", rank=rank.value)
        used = total(f"{name}.total", [weights, buffers, cache], tags=tags)
        found = {
            "weights": weights,
            "buffers": buffers,
            "kv_pool": pool,
            "kv_bytes_per_token": token,
            "kv_bytes_per_sequence": sequence,
            "kv_bytes": cache,
            "total": used,
            "fits": computed(f"{name}.fits", memory.fits, total_bytes=used, usable=budget),
        }
        if sequence.value:
            tokens = computed(
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
                available=pool,
                sequence_bytes=sequence,
            )
        elif found["fits"].value:
            return found
        else:
            tokens = given(f"{name}.kv_tokens", 0, "tokens", _SHORT_WITHOUT_CACHE)
            fitting = given(f"{name}.max_sequences", 0, "1", _SHORT_WITHOUT_CACHE)
        held = combined(f"{name}.sequence_tokens", "product", (fitting, context), unit="tokens")
        return found | {"kv_tokens": tokens, "max_sequences": fitting, "sequence_tokens": held}

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

_LONGEST = 2**50
"""Tokens at which the search for the longest context ends: the cache does not grow."""


class ServingLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``serving.*`` of the pipeline rank whose pool is spent first, and of every rank.

    ``tightest`` are those of :meth:`Server.rank` under their own names, ``ranks`` the
    ``serving.rank.N.*``. ``longest_context`` [tokens] is None where a longer one takes no more.
    """

    rank: Line
    tightest: dict[str, Line]
    budget: Line
    ranks: tuple[Line, ...]
    free: Line
    longest_context: Line | None


def serving_lines(server: Server, pp: int) -> ServingLines:
    """Give the memory of a serving layout, of the pipeline rank whose pool is spent first."""
    names = [f"serving.rank.{number}" for number in range(pp)]
    numbers = [given(f"{name}.number", rank, "1") for rank, name in enumerate(names)]
    ranks = [server.rank(name, number) for name, number in zip(names, numbers, strict=True)]
    tightest = min(
        (rank for rank in range(pp) if "max_sequences" in ranks[rank]),
        key=lambda rank: (ranks[rank]["max_sequences"].value, ranks[rank]["kv_tokens"].value),
    )
    held, budget = ranks[tightest], server.budget()
    return ServingLines(
        rank=total("serving.rank", [numbers[tightest]], convention="its pool is spent first"),
        tightest={what: total(f"serving.{what}", [line]) for what, line in held.items()},
        budget=budget,
        ranks=tuple(
            rank[what]
            for rank in ranks
            for what in ("weights", "buffers", "kv_pool", "kv_tokens", "max_sequences", "total")
            if what in rank
        ),
        free=combined("serving.free", "difference", [budget, held["total"]], unit="B"),
        longest_context=_longest_context(server, names[tightest], numbers[tightest], held),
    )


def _longest_context(server: Server, name: str, number: Line, rank: dict[str, Line]) -> Line | None:
    """Search for the longest context of the batch's sequences whose caches the pool holds."""
    layers = server.stages.layers(name, number)
    pool = rank["kv_pool"]

    def held(tokens: int) -> Line:
        return server.cache_of("serving.longest_context.bytes", layers, tokens)

    low, high = 0, _LONGEST
    if held(high).value <= pool.value:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if held(middle).value <= pool.value else (low, middle)
    return Line(
        "serving.longest_context",
        low,
        "tokens",
        "search",
        convention="the most tokens of each sequence of the batch whose cache the pool holds",
        parts=(held(low), pool),
    )
