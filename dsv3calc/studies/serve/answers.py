"""A whole response of a server, and a step of reinforcement learning that waits for responses."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from dsv3calc.accounting.energy import energy_line
from dsv3calc.accounting.serving.answers import Rollout, answer_lines, rollout_lines
from dsv3calc.errors import UsageError
from dsv3calc.formulas import economics
from dsv3calc.ledger.line import Line, computed, field
from dsv3calc.queries.fields import flag_of
from dsv3calc.studies.checked import positive

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.accounting.serving.answers import AnswerLines
    from dsv3calc.queries.serve import ServeQuery
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.serve.server import Served, Server

_OF_ROLLOUTS = ("prompts", "longest")


def check_rollout(query: ServeQuery) -> None:
    """Refuse options of a step of reinforcement learning without the others that it needs.

    Raises
    ------
    UsageError
        Naming what is missing.
    """
    for name, needed in (("samples", "response_tokens"), *((o, "samples") for o in _OF_ROLLOUTS)):
        if getattr(query, name) is not None and getattr(query, needed) is None:
            option, other = flag_of(query, name), flag_of(query, needed)
            raise UsageError(f"{option} means nothing without {other}", f"give {other} too")


def response_lines(server: Server, served: Served, answer: Answer) -> dict[str, Line]:
    """Give the lines of a response, and of a step of reinforcement learning where one is asked."""
    query, inputs, requests = server.query, server.inputs, server.requests
    if requests.response is None or server.prefilled is None:
        return {}
    step = cache(lambda tokens: server.step_at(served.batch, tokens))
    setting = served.fold.setting
    response: AnswerLines = answer_lines(
        setting,
        served.decoded,
        server.prefilled,
        step,
        prompt=requests.prompt,
        response=requests.response,
    )
    lines = [*response.lines]
    hardware = inputs.hardware.value
    if hardware.dollars_per_hour is not None:
        price = field(("hardware", hardware), "dollars_per_hour", "USD/h")
        lines.append(
            computed(
                "serve.answer.dollars",
                economics.gpu_cost,
                gpu_time=response.gpu_seconds,
                dollars_per_hour=price,
            )
        )
    energy = energy_line("serve.answer.energy", response.gpu_seconds, hardware, inputs.pue)
    lines += [] if energy is None else [energy]
    longest = requests.response
    if query.samples is not None:
        rollout = _rollout(query, requests.response)
        longest = rollout.longest
        lines += _step_of_learning(server, served, response, step, rollout)
    _tell(server, served, answer, longest)
    return {line.name: line for line in lines}


def _rollout(query: ServeQuery, response: int) -> Rollout:
    found = Rollout(
        prompts=positive("--prompts", query.prompts, 1),
        samples=positive("--samples", query.samples, 1),
        longest=positive("--longest", query.longest, response),
    )
    if found.longest < response:
        raise UsageError(
            f"--longest {found.longest:,}: a response has {response:,} tokens on average",
            "give at least as many, or fewer --response-tokens",
        )
    return found


def _step_of_learning(
    server: Server,
    served: Served,
    response: AnswerLines,
    step: Callable[[int], Line],
    rollout: Rollout,
) -> list[Line]:
    requests = server.requests
    assert requests.response is not None  # noqa: S101 - asked by the caller
    return rollout_lines(
        served.fold.setting,
        response,
        served.decoded,
        step,
        rollout,
        prompt=requests.prompt,
        response=requests.response,
    ).lines


def _tell(server: Server, served: Served, answer: Answer, longest: int) -> None:
    """Say whether the batch fits when every response is at its end, and what is left out."""
    final = server.requests.prompt + longest - 1
    if served.fits and not server.held(served.batch, final).fits:
        answer.warn(
            f"the batch does not fit at the end of a response: {served.batch:,} x {final:,} tokens"
        )
    answer.assumptions.append(
        "responses: every sequence of the batch is at the same token, and none leaves early"
    )
    if server.query.samples is not None:
        answer.notes.append(
            "a step of reinforcement learning: times of log-probabilities and of training are "
            "those of the trainers: dsv3calc train; each token of the average response is counted"
        )
