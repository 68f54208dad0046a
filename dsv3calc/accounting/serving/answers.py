"""Whole answers of a server in seconds, and steps of reinforcement learning that wait for them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.flops import flops_lines
from dsv3calc.accounting.kv_cache import bytes_line, cached_views
from dsv3calc.accounting.parameters import PARAMETER_VARIANTS
from dsv3calc.accounting.weights import weight_lines
from dsv3calc.formulas import answers
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.ledger.substitution import Substitution
from dsv3calc.model.operator import ONE
from dsv3calc.schema.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.accounting.serving.decode import DecodeLines
    from dsv3calc.accounting.serving.prefill import PrefillLines
    from dsv3calc.accounting.times.setting import Setting

AFFINE = 1e-4
"""A middle step whose time is so near to the mean of both ends says that times are affine."""


class AnswerLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``serve.answer.*`` [s, tokens, B] of a response of given length."""

    first: Line
    decoding: Line
    seconds: Line
    average_context: Line
    final_context: Line
    average_bytes: Line
    final_bytes: Line
    gpu_seconds: Line


def step_ranges(step: Callable[[int], Line], first: int, last: int) -> list[tuple[int, int]]:
    """Divide contexts into ranges over which the time of a step is affine, or nearly."""
    middle = (first + last) // 2
    chord = (step(first).value + step(last).value) / 2
    if last - first <= 1 or abs(step(middle).value - chord) <= AFFINE * chord:
        return [(first, last)]
    return [*step_ranges(step, first, middle), *step_ranges(step, middle + 1, last)]


def decode_line(name: str, step: Callable[[int], Line], prompt: int, response: int) -> Line:
    """Give the time of a response after its first token: each step has one more token cached."""
    if response == 1:
        return given(name, 0, "s", "the prompt's pass gives the only token")
    parts = [
        computed(
            f"{name}.{first}_to_{last}",
            answers.growing_steps_time,
            decode_steps=given(f"{name}.{first}_to_{last}.steps", last - first + 1, "1"),
            first_step_seconds=step(first),
            last_step_seconds=step(last),
        )
        for first, last in step_ranges(step, prompt, prompt + response - 2)
    ]
    return total(
        name,
        parts,
        unit="s",
        convention="every sequence of the batch at the same token; sums of affine pieces",
    )


def answer_lines(
    setting: Setting,
    decoded: DecodeLines,
    prefilled: PrefillLines,
    step: Callable[[int], Line],
    *,
    prompt: int,
    response: int,
) -> AnswerLines:
    """Give the time of a response of so many tokens, its cache and the GPU time that it takes."""
    lengths: dict[str, Any] = {
        "prompt_tokens": given("prompt_tokens", prompt, "tokens"),
        "response_tokens": given("response_tokens", response, "tokens"),
    }
    first = prefilled.first_token or list(prefilled.times.values())[-1]
    words = "without load" if prefilled.first_token else "the prefill pass, without host time"
    first = total("serve.answer.first_token", (first,), convention=words)
    decoding = decode_line("serve.answer.decoding", step, prompt, response)
    tokens = combined(
        "serve.answer.later_tokens", "difference", (lengths["response_tokens"], ONE), unit="tokens"
    )
    final = total(
        "serve.answer.final_context",
        (lengths["prompt_tokens"], tokens),
        unit="tokens",
        convention="the last token is never read",
    )
    average = computed(
        "serve.answer.average_context", answers.average_context, unit="tokens", **lengths
    )
    gpus = combined("serve.answer.gpus", "ratio", (decoded.whole, decoded.per_gpu), unit="1")
    share = combined("serve.answer.gpu_share", "ratio", (gpus, decoded.concurrency), unit="1")
    busy = combined("serve.answer.decode_gpu_seconds", "product", (decoding, share), unit="s")
    computing = combined(
        "serve.answer.prefill_gpu_seconds",
        "ratio",
        (prefilled.new_tokens, prefilled.per_gpu),
        unit="s",
    )
    return AnswerLines(
        first=first,
        decoding=decoding,
        seconds=total("serve.answer.seconds", (first, decoding), unit="s"),
        average_context=average,
        final_context=final,
        average_bytes=_cache(setting, "average", average),
        final_bytes=_cache(setting, "final", final),
        gpu_seconds=total("serve.answer.gpu_seconds", (computing, busy), unit="s"),
    )


def _cache(setting: Setting, what: str, tokens: Line) -> Line:
    """Give the cache of a sequence of so many tokens in all its layers."""
    views = cached_views(setting.model, setting.conventions)
    name = f"serve.answer.{what}_cache_bytes"
    return bytes_line(name, views, ONE, tokens, setting.kv_format, setting.conventions)


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """A step of reinforcement learning: prompts, responses to each, and tokens of the longest."""

    prompts: int
    samples: int
    longest: int


class RolloutLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``serve.rl.*`` [s, FLOP] of a step of reinforcement learning."""

    longest: Line
    waves: Line
    seconds: Line
    over_mean: Line
    rollout_flops: Line
    log_probability_flops: Line
    training_flops: Line
    sync: Line | None


def rollout_lines(
    setting: Setting,
    answer: AnswerLines,
    decoded: DecodeLines,
    step: Callable[[int], Line],
    rollout: Rollout,
    *,
    prompt: int,
    response: int,
) -> RolloutLines:
    """Give how long the responses of a step take, FLOPs by task, and the time of new weights."""
    prompts = given("prompts", rollout.prompts, "1")
    samples = given("samples", rollout.samples, "1", "responses to each prompt")
    decoding = decode_line("serve.rl.decoding", step, prompt, rollout.longest)
    longest = total(
        "serve.rl.longest_seconds",
        (answer.first, decoding),
        unit="s",
        convention="the longest response: a wave ends with it",
    )
    waves = computed(
        "serve.rl.waves",
        answers.rollout_waves,
        prompts=prompts,
        samples=samples,
        concurrent=decoded.concurrency,
    )
    flops = _flops(setting, prompts, samples, prompt=prompt, response=response)
    return RolloutLines(
        longest=longest,
        waves=waves,
        seconds=combined("serve.rl.rollout_seconds", "product", (waves, longest), unit="s"),
        over_mean=combined(
            "serve.rl.longest_over_mean", "ratio", (longest, answer.seconds), unit="ratio"
        ),
        rollout_flops=flops[0],
        log_probability_flops=flops[1],
        training_flops=flops[2],
        sync=_sync(setting, decoded),
    )


def _flops(
    setting: Setting, prompts: Line, samples: Line, *, prompt: int, response: int
) -> tuple[Line, Line, Line]:
    """Give the FLOPs of responses, of their log-probabilities once, and of training on them."""
    sequences = combined("serve.rl.sequences", "product", (prompts, samples), unit="1")
    before = given("prompt_tokens", prompt, "tokens")
    after = given("response_tokens", response, "tokens")
    whole = total("serve.rl.sequence_tokens", (before, after), unit="tokens")
    later = combined("serve.rl.later_tokens", "difference", (after, ONE), unit="tokens")
    none = given("serve.rl.nothing_cached", 0, "tokens")
    passes = {
        "prompts": ("prefill", prompts, before, none),
        "responses": ("decode", sequences, later, before),
        "log_probabilities": ("prefill", sequences, whole, none),
        "training": ("train", sequences, whole, none),
    }
    found = {}
    for what, (phase, batch, sequence, past) in passes.items():
        workload = Workload(
            phase=phase,  # type: ignore[arg-type]
            batch=batch.value,
            sequence=max(sequence.value, 1),
            past=past.value,
            logits="last" if what == "prompts" else "all",
        )
        put = {"workload.batch": batch, "workload.sequence": sequence, "workload.past": past}
        counted = flops_lines(setting.model, workload, setting.conventions)
        found[what] = Substitution(f"serve.rl.{what}.", put).line(counted.total)
    rollout = [found["prompts"], *([found["responses"]] if response > 1 else [])]
    return (
        total(
            "serve.rl.rollout_flops",
            rollout,
            unit="FLOP",
            convention="each prompt once, its cache shared by its samples",
        ),
        total(
            "serve.rl.log_probability_flops",
            (found["log_probabilities"],),
            unit="FLOP",
            convention="one pass of one model",
        ),
        total("serve.rl.training_flops", (found["training"],), unit="FLOP"),
    )


def _sync(setting: Setting, decoded: DecodeLines) -> Line | None:
    """Give the time of new weights to the instance; None for a device without a scale-out link."""
    link = setting.hardware.scale_out
    if link is None:
        return None
    kept = PARAMETER_VARIANTS["default"][0]
    stored = weight_lines(setting.model, setting.precision, kept, "default").bytes
    return computed(
        "serve.rl.weight_sync_seconds",
        answers.weight_sync_time,
        convention="at the nominal bandwidth of a NIC for each GPU",
        weight_bytes=Substitution("serve.rl.", {}).line(stored),
        nics=combined("serve.rl.nics", "ratio", (decoded.whole, decoded.per_gpu), unit="1"),
        nic_bandwidth=field(("hardware.scale_out", link), "nominal", "B/s"),
    )
