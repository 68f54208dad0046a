"""Answer ``failures``: how often a training run stops, its checkpoints, what share is lost."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.failures import checkpoint_line, failure_lines
from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Ledger, Line, field, given
from dsv3calc.queries.train import TrainQuery
from dsv3calc.studies.answer import Answer, Column, add_new
from dsv3calc.studies.checked import number
from dsv3calc.studies.layout.choose import chosen_layout, named_by
from dsv3calc.studies.preset_loader import PresetLoader, warn_inapplicable
from dsv3calc.studies.times.train import answer_train
from dsv3calc.studies.traffic.exchanges import asked

if TYPE_CHECKING:
    from dsv3calc.queries.failures import FailuresQuery
    from dsv3calc.schema.hardware import Hardware

DEFAULT_FAILURES = "llama-3-54-days"
LONGEST = 10**9
LARGEST_BANDWIDTH = 10**18
LARGEST_RUN = 10**15


def answer_failures(query: FailuresQuery) -> Answer:
    """Give what failures cost a run.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong, or no bandwidth to the storage is known.
    """
    answer = Answer("failures", asked(query))
    answer.notes += query.notes
    loader = PresetLoader(query)
    model = loader.model(query.model)
    hardware = loader.hardware(query.hardware)
    counts = loader.failures(query.failures or DEFAULT_FAILURES)
    layout = chosen_layout(query, loader, answer, model.value)
    precision = loader.precision(named_by(query, layout, answer, "precision"), model)
    recipe = loader.recipe(named_by(query, layout, answer, "recipe") or precision.value.recipe)
    storage = _storage(query, hardware.value)
    if hardware.value.node_size is None:
        raise UsageError(
            f"{hardware.name} does not say how many devices a node has",
            "--set hardware.node_size=8",
        )
    gpu_hours = _gpu_hours(query, answer, loader)
    if gpu_hours is None:
        loader.check_overrides()
    answer.cite(model, recipe, counts)
    answer.cite(hardware, used=("host.storage", "node_size"))
    answer.query |= {"failures": counts.name, "recipe": recipe.name, "precision": precision.name}
    warn_inapplicable(answer, model.name, model.value, with_mtp=query.with_mtp or None)
    found = failure_lines(
        counts.value,
        layout,
        hardware.value,
        checkpoint_line(model.value, recipe.value, precision.value, mtp=query.with_mtp),
        storage_bandwidth=storage,
        restart=number("--restart", query.restart, 0, most=LONGEST),
        interval=_interval(query),
        gpu_hours=gpu_hours,
    )
    if found.useful_share.value <= 0:
        raise UsageError(
            f"a run that stops every {found.mtbf.value:,.0f} s and takes "
            f"{found.checkpoint_seconds.value:,.3g} s for a checkpoint makes no progress",
            "shorten --restart or --interval, or raise --storage-bandwidth",
        )
    answer.assumptions.append(
        f"devices fail as often as those of {counts.value.title} (--failures)"
    )
    if query.restart is None:
        answer.assumptions.append(
            "a restart takes no longer than loading the checkpoint (--restart)"
        )
    ledger = Ledger(model.value.title, found.lines)
    answer.columns.append(Column(model.name, model.value.title, ledger))
    return answer


def _interval(query: FailuresQuery) -> float | None:
    if query.interval is None:
        return None
    found = number("--interval", query.interval, 0, most=LONGEST)
    if found == 0:
        raise UsageError("--interval 0: expected a time above 0", "leave it out for the best one")
    return found


def _storage(query: FailuresQuery, hardware: Hardware) -> Line:
    """Return the bandwidth of a node to the storage: given, or that of the device's host."""
    if query.storage_bandwidth is not None:
        name = "--storage-bandwidth"
        value = number(name, query.storage_bandwidth, 0, least=1, most=LARGEST_BANDWIDTH)
        return given(name, value, "B/s")
    storage = None if hardware.host is None else hardware.host.storage
    if storage is None or storage.bandwidth is None:
        raise UsageError(
            f"{hardware.name} has no bandwidth of a node to the storage",
            "give one with --storage-bandwidth 50GB/s",
        )
    return field(("hardware.host.storage", storage), "bandwidth", "B/s")


def _gpu_hours(query: FailuresQuery, answer: Answer, loader: PresetLoader) -> Line | None:
    """Return the GPU-hours of a run without failures: given, or what ``train`` answers."""
    if query.gpu_hours is not None:
        if query.train_tokens is not None:
            raise UsageError(
                "--gpu-hours and --train-tokens both say how long a run is", "give one"
            )
        hours = number("--gpu-hours", query.gpu_hours, 0, most=LARGEST_RUN)
        return given("--gpu-hours", hours, "1")
    if query.train_tokens is None:
        return None
    mine = {name: getattr(query, name) for name in TrainQuery.__struct_fields__}
    mine["set"] = tuple(each.text for each in loader.overrides if each.kind != "failures")
    trained = answer_train(TrainQuery(**mine))
    add_new(answer.assumptions, trained.assumptions)
    add_new(answer.warnings, trained.warnings)
    answer.brief |= trained.brief
    return trained.columns[0].ledger.named()["train.gpu_hours"]
