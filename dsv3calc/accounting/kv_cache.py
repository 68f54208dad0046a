"""The KV cache: what a token appends, what a batch of sequences holds, what fits.

What mixers keep of a sequence, however long it is, counts to what a sequence holds.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.state import state_lines, with_copies
from dsv3calc.formulas import cached_tokens, compression, kv_cache
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.ledger.tags import Tags
from dsv3calc.model.architecture import architecture_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dsv3calc.model.block import CacheEntry, CachePart
    from dsv3calc.model.layer import GroupView
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import KVFormat
    from dsv3calc.schema.workload import Conventions


MOST_TOKENS = 2**60
"""Where the search for the longest sequence that fits ends: the cache does not grow."""

PER_LAYER = "bytes_per_token_per_layer"
"""The quantity of a line on one layer of a group."""


def cached_views(model: Model, conventions: Conventions) -> list[GroupView]:
    """List the layer groups that keep something; the MTP layers too where they are counted."""
    arch = architecture_of(model)
    views = list(arch.groups)
    if conventions.mtp == "in" and arch.mtp is not None:
        views.append(arch.mtp)
    return views


def has_own_index_keys(kv_format: KVFormat, conventions: Conventions) -> bool:
    """Tell whether index keys are stored in another way than the other keys."""
    return conventions.index_keys == "format" and kv_format.indexer_bits > 0


def entry_lines(
    view: GroupView, kv_format: KVFormat, conventions: Conventions
) -> list[tuple[CacheEntry, Line]]:
    """Give the bytes of each entry of one token in one layer."""
    key = (
        "entry",
        view.prefix,
        kv_format.name,
        conventions.mla,
        conventions.index_keys,
        conventions.state,
    )
    return view.cached(
        key,
        kv_format,
        lambda: [
            (entry, _entry_line(view, entry, kv_format, conventions))
            for entry in entries_of(view, conventions)
        ],
    )


def entries_of(view: GroupView, conventions: Conventions) -> list[CacheEntry]:
    """List what a layer caches, and what transformers keeps beside it where that is counted."""
    entries = view.attention.cache(conventions.mla)
    if conventions.state == "as-transformers":
        return entries + view.attention.kept_by_library()
    return entries


def _entry_line(
    view: GroupView, entry: CacheEntry, kv_format: KVFormat, conventions: Conventions
) -> Line:
    name = f"kv_cache.entry.{view.prefix}"
    parts = [
        _part_line(f"{name}.{part.name}", part, kv_format, conventions) for part in entry.parts
    ]
    line = parts[0] if len(parts) == 1 else total(f"{name}.{entry.kind}_bytes", parts)
    if not kv_format.entry_multiple or entry.kind == "indexer":
        return line
    return computed(
        f"{name}.{entry.kind}_bytes_padded",
        compression.padded_entry_bytes,
        ("kv_format", kv_format),
        token_bytes=line,
    )


def _part_line(name: str, part: CachePart, kv_format: KVFormat, conventions: Conventions) -> Line:
    """Give the bytes of vectors as a format stores them, some parts in widths of their own."""
    scope, width = ("kv_format", kv_format), part.width
    size: dict[str, Any] = {"vectors": part.vectors, "width": width}
    if part.stored == "rope" and kv_format.rope_bits:
        return computed(
            name,
            kv_cache.entry_bytes,
            bits=field(scope, "rope_bits", "bit"),
            group_size=width,
            scale_bits=given("unscaled", 0, "bit"),
            **size,
        )
    if part.stored == "fp32":
        fp32 = given("kept.fp32_bits", 32, "bit", "in any format of the cache")
        unscaled = given("unscaled", 0, "bit")
        return computed(
            name,
            kv_cache.entry_bytes,
            bits=fp32,
            group_size=width,
            scale_bits=unscaled,
            **size,
        )
    if part.stored == "indexer" and has_own_index_keys(kv_format, conventions):
        group = kv_format.indexer_group_size
        return computed(
            name,
            kv_cache.entry_bytes,
            bits=field(scope, "indexer_bits", "bit"),
            group_size=field(scope, "indexer_group_size") if group else width,
            scale_bits=field(scope, "indexer_scale_bits", "bit"),
            **size,
        )
    group_size = field(scope, "group_size") if kv_format.group_size else width
    return computed(name, kv_cache.entry_bytes, scope, group_size=group_size, **size)


def tokens_line(
    name: str,
    tokens: Line,
    entry: CacheEntry,
    conventions: Conventions,
    page_size: Any = None,
    batched: Line | None = None,
) -> Line:
    """Count the tokens that one layer keeps for a sequence, in whole pages.

    A layer of limited span keeps the tokens of a pass too where an engine has ``batched`` them.
    Where an entry stands for several tokens, its entries are counted.
    """
    kept = tokens
    bound = entry.bound
    if bound is not None:
        if conventions.window_cache == "window-minus-one":
            bound = computed(f"{name}.window_kept", cached_tokens.window_kept, window=bound)
        if batched is not None:
            bound = computed(
                f"{name}.window_with_pass",
                cached_tokens.window_with_pass,
                window=bound,
                pass_tokens=batched,
                page_size=given("page_size", page_size, "tokens"),
            )
        kept = computed(f"{name}.kept", cached_tokens.retained_tokens, tokens=tokens, window=bound)
    if page_size is not None:
        pages = given("page_size", page_size, "tokens")
        kept = computed(f"{name}.paged", cached_tokens.paged_tokens, tokens=kept, page_size=pages)
    if entry.ratio is None:
        return kept
    return computed(
        f"{name}.entries",
        entry.rows or compression.compressed_tokens,
        tokens=kept,
        compress_ratio=entry.ratio,
    )


def token_line(name: str, entry: CacheEntry, line: Line) -> Line:
    """Give what one token adds to the cache: a part of an entry that stands for several."""
    if entry.ratio is None:
        return line
    return computed(
        name,
        compression.compressed_token_bytes,
        token_bytes=line,
        compress_ratio=entry.ratio,
    )


def kept_entries(
    name: str,
    tokens: Line,
    view: GroupView,
    kv_format: KVFormat,
    conventions: Conventions,
    page_size: Any = None,
    batched: Line | None = None,
) -> Iterator[tuple[CacheEntry, Line, Line]]:
    """Yield each entry of a layer, its bytes for one token, and the tokens that are kept of it.

    Entries of one bound and ratio share the line of their tokens.
    """
    known: dict[tuple[Line | None, Line | None, Any], Line] = {}
    for entry, line in entry_lines(view, kv_format, conventions):
        key = (entry.bound, entry.ratio, entry.rows)
        if key not in known:
            place = f"{name}.{entry.kind}" if entry.ratio is not None else name
            known[key] = tokens_line(place, tokens, entry, conventions, page_size, batched)
        yield entry, line, known[key]


def bytes_line(
    name: str,
    views: Iterable[GroupView],
    batch: Line,
    tokens: Line,
    kv_format: KVFormat,
    conventions: Conventions,
    page_size: Any = None,
    state_interval: Any = None,
) -> Line:
    """Count the bytes of cache and state of ``batch`` sequences of ``tokens`` each."""
    parts = []
    views = list(views)
    for view in views:
        place = f"{name}.tokens.{view.prefix}"
        entries = kept_entries(place, tokens, view, kv_format, conventions, page_size)
        parts += [
            computed(
                f"{name}.{entry.kind}.{view.prefix}",
                kv_cache.cache_bytes,
                batch=batch,
                layers=view.layers,
                tokens=kept,
                token_bytes=line,
            )
            for entry, line, kept in entries
        ]
    states = with_copies(name, batch, tokens, state_interval)
    parts += state_lines(f"{name}.state", views, states, conventions)
    return total(name, parts, unit="B", convention=f"{kv_format.name}")


class KVCacheLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``kv_cache.*``: ``bytes_per_token`` [B/token], ``bytes`` of the batch [B] and so on.

    ``per_layer`` is one line where all layers that cache have as much, else one for each layer
    group. ``growing`` is ``growing_bytes_per_token``, of the entries that a sequence never lets go
    of. ``state`` is ``state.bytes_per_sequence`` [B], of mixers, and ``windows`` is
    ``kv_cache.window_bytes_per_sequence`` [B] of what it lets go of, when full. ``copies`` is
    ``state.copies_bytes_per_sequence`` [B], None where no state is copied.
    """

    bytes_per_token: Line
    growing: Line
    state: Line
    windows: Line
    copies: Line | None
    per_layer: tuple[Line, ...]
    bytes_per_sequence: Line
    bytes: Line


def kv_lines(
    model: Model,
    kv_format: KVFormat,
    conventions: Conventions,
    *,
    batch: Any,
    tokens: Any,
    page_size: Any = None,
    state_interval: Any = None,
) -> KVCacheLines:
    """Count the KV cache.

    Parameters
    ----------
    model, kv_format, conventions
        The architecture, how an element is stored, and how to count.
    batch, tokens
        Sequences, and tokens of each.
    page_size
        Tokens of a page; None where the cache has none.
    state_interval
        Tokens from one copy of a state to the next; None where none is copied.
    """
    one = given("one", 1, "1")
    views = cached_views(model, conventions)
    appended = []
    growing = []
    per_layer: list[Line] = []
    for view in views:
        name = f"kv_cache.bytes_per_token_per_layer.{view.prefix}"
        kept = [
            (entry, token_line(f"{name}.{entry.kind}", entry, line))
            for entry, line in entry_lines(view, kv_format, conventions)
            if entry.rows is None
        ]
        if not kept:
            continue
        growing += [
            computed(
                f"kv_cache.growing_bytes_per_token.{entry.kind}.{view.prefix}",
                kv_cache.token_bytes_in_layers,
                unit="B/token",
                layers=view.layers,
                token_bytes=line,
            )
            for entry, line in kept
            if entry.bound is None
        ]
        entries = [line for _, line in kept]
        tags = Tags(quantity=PER_LAYER, group=view.prefix)
        entry = total(name, entries, unit="B/token", tags=tags)
        per_layer.append(entry)
        appended.append(
            computed(
                f"kv_cache.bytes_per_token.{view.prefix}",
                kv_cache.token_bytes_in_layers,
                unit="B/token",
                layers=view.layers,
                token_bytes=entry,
            )
        )
    if per_layer and all(
        line.value is per_layer[0].value or line.value == per_layer[0].value for line in per_layer
    ):
        per_layer = [total("kv_cache.bytes_per_token_per_layer", per_layer[:1])]
    length = given("workload.tokens", tokens, "tokens")
    sequences = given("workload.batch", batch, "1")

    def held(name: str, count: Line) -> Line:
        return bytes_line(
            name, views, count, length, kv_format, conventions, page_size, state_interval
        )

    state = total(
        "state.bytes_per_sequence",
        state_lines("state.bytes_per_sequence", views, one, conventions),
        unit="B",
    )
    return KVCacheLines(
        bytes_per_token=total(
            "kv_cache.bytes_per_token", appended, unit="B/token", convention=kv_format.name
        ),
        growing=total(
            "kv_cache.growing_bytes_per_token",
            growing,
            unit="B/token",
            convention=f"{kv_format.name}; layers without a window alone",
        ),
        state=state,
        windows=_windows(views, kv_format, conventions, page_size),
        copies=_copies(state, length, state_interval),
        per_layer=tuple(per_layer),
        bytes_per_sequence=held("kv_cache.bytes_per_sequence", one),
        bytes=held("kv_cache.bytes", sequences),
    )


def _windows(
    views: Iterable[GroupView], kv_format: KVFormat, conventions: Conventions, page_size: Any
) -> Line:
    """Count the bytes of a sequence in the entries that it lets go of, when they are full."""
    name = "kv_cache.window_bytes_per_sequence"
    endless, one = given("endless", MOST_TOKENS, "tokens"), given("one", 1, "1")
    lines = [
        computed(
            f"{name}.{entry.kind}.{view.prefix}",
            kv_cache.cache_bytes,
            batch=one,
            layers=view.layers,
            tokens=kept,
            token_bytes=line,
        )
        for view in views
        for entry, line, kept in kept_entries(
            f"{name}.tokens.{view.prefix}", endless, view, kv_format, conventions, page_size
        )
        if entry.bound is not None
    ]
    return total(name, lines, unit="B", convention=f"{kv_format.name}; when full")


def _copies(state: Line, tokens: Line, state_interval: Any) -> Line | None:
    """Count the bytes of the copies of a sequence's state."""
    if state_interval is None:
        return None
    name = "state.copies_bytes_per_sequence"
    states = with_copies(name, given("one", 1, "1"), tokens, state_interval)
    every = combined(f"{name}.all", "product", (state, states), unit="B")
    return combined(name, "difference", (every, state), unit="B")
