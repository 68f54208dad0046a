"""The cache of a prompt on its way from the GPUs that prefill to those that decode."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.kv_cache import bytes_line, cached_views
from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.formulas import served_batches, serving_times
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.model.operator import ONE

if TYPE_CHECKING:
    from dsv3calc.accounting.times.fold import Fold
    from dsv3calc.schema.layout import Layout


class Handover(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """How GPUs for decoding get caches: their layout, what they have of a prompt, and when.

    ``by_layer`` says that each layer is sent when it is computed, else all are at the end.
    """

    layout: Layout
    hit_rate: Any = 0
    by_layer: bool = True


def transfer_lines(
    fold: Fold, handover: Handover, prompt: Line, prefill: Line, sending_gpus: Line
) -> dict[str, Line]:
    """Give the bytes of a prompt's cache that are handed over, their time, and what it adds.

    Returns
    -------
    Lines ``serve.transfer.{bytes,seconds,wait}``; nothing for a device without a link between
    nodes. ``wait`` is the time that ``prefill`` does not hide.
    """
    setting = fold.setting
    link = setting.hardware.scale_out
    if link is None:
        return {}
    found = computed(
        "serve.transfer.found_tokens",
        serving_times.cached_prompt_tokens,
        prompt_tokens=prompt,
        hit_rate=given("decode_hit_rate", handover.hit_rate, "ratio"),
    )
    lacking = combined("serve.transfer.tokens", "difference", (prompt, found), unit="tokens")
    moved = bytes_line(
        "serve.transfer.bytes",
        cached_views(setting.model, setting.conventions),
        ONE,
        lacking,
        setting.kv_format,
        setting.conventions,
    )
    rate = "nominal" if link.achieved is None else "achieved"
    parts = (
        field(("hardware.scale_out", link), rate, "B/s"),
        given("time.oversubscription", setting.oversubscription, "ratio", "between domains"),
    )
    axes = [degree(handover.layout, axis) for axis in ("tp", "cp")]
    seconds = computed(
        "serve.transfer.seconds",
        served_batches.handover_time,
        convention="every byte once, also where several GPUs hold the same bytes",
        moved=moved,
        sending_gpus=sending_gpus,
        receiving_gpus=combined("serve.gpus_that_receive", "product", axes),
        link_bandwidth=combined("serve.transfer.bandwidth", "ratio", parts, unit="B/s"),
    )
    if not handover.by_layer:
        wait = total("serve.transfer.wait", (seconds,), convention="sent after prefill")
        return {"bytes": moved, "seconds": seconds, "wait": wait}
    wait = computed(
        "serve.transfer.wait",
        served_batches.handover_wait,
        convention="each layer sent when it is computed",
        transfer_seconds=seconds,
        prefill_seconds=prefill,
        num_hidden_layers=field(("model", setting.model), "num_hidden_layers", "1"),
    )
    return {"bytes": moved, "seconds": seconds, "wait": wait}
