"""What tokens cost by the seconds of GPUs, and how prefill and decoding share them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.formulas import serving_times
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.model.operator import ONE

if TYPE_CHECKING:
    from dsv3calc.accounting.serving.decode import DecodeLines
    from dsv3calc.accounting.serving.prefill import PrefillLines
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout


def cost_lines(
    hardware: Hardware, decoded: DecodeLines, prefilled: PrefillLines | None, hit_rate: Any
) -> dict[str, Line]:
    """Give the dollars of a million tokens: output, and input as computed and as billed.

    A device has a price.
    """
    price = field(("hardware", hardware), "dollars_per_hour", "USD/h")

    def cost(name: str, rate: Line) -> Line:
        return computed(
            f"serve.dollars_per_million.{name}",
            serving_times.million_token_cost,
            dollars_per_hour=price,
            gpu_rate=rate,
        )

    found = {"output": cost("output", decoded.per_gpu)}
    if prefilled is None:
        return found
    found["input"] = cost("input", prefilled.per_gpu)
    hit = given("hit_rate", hit_rate, "ratio")
    missed = combined("serve.missed_share", "difference", (ONE, hit), unit="ratio")
    found["input_billed"] = combined(
        "serve.dollars_per_million.input_billed",
        "product",
        (found["input"], missed),
        unit="USD",
        convention="tokens found in the cache cost nothing but are billed",
    )
    return found


def sharing_lines(
    decoded: DecodeLines,
    prefilled: PrefillLines,
    *,
    prompt_tokens: Any,
    hit_rate: Any,
    response_tokens: Any,
    batch: Any,
    layouts: tuple[Layout, Layout] | None,
) -> dict[str, Line]:
    """Give how GPUs are shared: those of prefill to those of decoding, or steps that wait.

    ``layouts`` are those of prefill and of decoding where each has GPUs of its own.
    """
    requests: dict[str, Any] = {
        "prompt_tokens": given("prompt_tokens", prompt_tokens, "tokens"),
        "hit_rate": given("hit_rate", hit_rate, "ratio"),
        "response_tokens": given("response_tokens", response_tokens, "tokens"),
    }
    if layouts is not None:
        ratio = computed(
            "serve.prefill_gpus_per_decode_gpu",
            serving_times.prefill_gpus_per_decode_gpu,
            prefill_rate=prefilled.per_gpu,
            decode_rate=decoded.per_gpu,
            **requests,
        )
        both = total("serve.gpus_per_decode_gpu", (ONE, ratio), unit="ratio")
        return {
            "ratio": ratio,
            "all": combined(
                "serve.disaggregated.tokens_per_second_per_gpu",
                "ratio",
                (decoded.per_gpu, both),
                unit="tokens/s",
                convention="output tokens divided by prefill and decode GPUs",
            ),
            "one_of_each": _one_of_each(*layouts, ratio, decoded.per_gpu),
        }
    waits = computed(
        "serve.aggregated.interference",
        serving_times.prefill_interference,
        batch=given("workload.batch", batch, "1"),
        token_seconds=prefilled.token_seconds,
        **requests,
    )
    tpot = total("serve.aggregated.tpot", (decoded.headline, waits), unit="s")
    share = combined("serve.decode_share", "ratio", (decoded.headline, tpot), unit="ratio")
    return {
        "interference": waits,
        "tpot": tpot,
        "all": combined(
            "serve.aggregated.tokens_per_second_per_gpu",
            "product",
            (decoded.per_gpu, share),
            unit="tokens/s",
            convention="output tokens per GPU, with prefill on the same GPUs",
        ),
    }


def _one_of_each(prefill: Layout, decode: Layout, ratio: Line, rate: Line) -> Line:
    """Give output tokens per second and GPU of one instance that prefills and one that decodes.

    The slower of the two determines it: a token takes 1 / GPUs that decode of the time that one of
    these needs, and ratio / GPUs that prefill, as so many are needed for one that decodes.
    """
    axes = ("tp", "cp", "pp", "dp")
    scopes = (("serve.prefill.layout", prefill), ("layout", decode))
    prefilling, decoding = (
        combined(
            f"serve.disaggregated.{what}_gpus",
            "product",
            [field(scope, axis, "1") for axis in axes],
        )
        for what, scope in zip(("prefill", "decode"), scopes, strict=True)
    )
    name = "serve.disaggregated"
    shares = (
        combined(f"{name}.prefill_share", "ratio", (ratio, prefilling), unit="ratio"),
        combined(f"{name}.decode_share", "ratio", (ONE, decoding), unit="ratio"),
    )
    slowest = combined(f"{name}.slowest_share", "maximum", shares, unit="ratio")
    gpus = total(f"{name}.gpus", (prefilling, decoding), unit="1")
    idle = combined(f"{name}.gpus_for_one", "product", (slowest, gpus), unit="ratio")
    return combined(
        f"{name}.one_of_each.tokens_per_second_per_gpu",
        "ratio",
        (rate, idle),
        unit="tokens/s",
        convention="one instance that prefills, one that decodes: the slower one determines it",
    )
