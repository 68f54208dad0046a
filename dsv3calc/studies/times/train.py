"""Answer ``train``: how long a training step takes, what share of the peak, what a run costs."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dsv3calc.accounting.conventions import choose_conventions
from dsv3calc.accounting.flops import flops_lines
from dsv3calc.accounting.placement.walk import MOST_PASSES
from dsv3calc.accounting.times.fold import Fold
from dsv3calc.accounting.times.setting import Setting
from dsv3calc.accounting.times.step import StepLines, step_lines
from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Ledger
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.schema.layout import PAIRED
from dsv3calc.schema.workload import DEFAULT_SEQUENCE, Workload
from dsv3calc.studies.answer import Answer, Column, add_new
from dsv3calc.studies.checked import number, positive
from dsv3calc.studies.layout.build import Problem, check_grouping, refuse, training_problems
from dsv3calc.studies.layout.check import feed_forward_problems
from dsv3calc.studies.layout.choose import chosen_layout, named_by, sequence_of
from dsv3calc.studies.memory.answer import micro_batches_of
from dsv3calc.studies.memory.inputs import recompute_of
from dsv3calc.studies.memory.options import check_imbalance
from dsv3calc.studies.power import site_factor
from dsv3calc.studies.preset_loader import (
    DEFAULT_KV_FORMAT,
    PresetLoader,
    warn_context,
    warn_inapplicable,
    warn_units,
)
from dsv3calc.studies.setups import TRAINING, overlap_problems, refuse_other
from dsv3calc.studies.times.answer import LARGEST_OVERSUBSCRIPTION, exchange_of
from dsv3calc.studies.times.memory import memory_lines
from dsv3calc.studies.times.remarks import rate_remarks, warn_idle_overlaps
from dsv3calc.studies.traffic.exchanges import LARGEST_IMBALANCE, asked, imbalance_text

if TYPE_CHECKING:
    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.queries.train import TrainQuery
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.memory import Recipe
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import Precision
    from dsv3calc.schema.setup import Setup


def answer_train(query: TrainQuery) -> Answer:
    """Give the time of a training step, and whether the layout fits.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong, or a step has no global batch.
    """
    answer = answer_step(query)
    column = answer.columns[0]
    lines = [*column.ledger.lines, *memory_lines(query, answer)]
    column.ledger = Ledger(column.ledger.title, lines)
    return answer


def answer_step(query: TrainQuery, *, by_the_clock: bool = True) -> Answer:
    """Give the time of a training step alone, with the exact walk unless it is not wanted.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong, or a step has no global batch.
    """
    answer = Answer("train", asked(query))
    answer.notes += query.notes
    loader = PresetLoader(query)
    model = loader.model(query.model)
    hardware = loader.hardware(query.hardware)
    layout = chosen_layout(query, loader, answer, model.value)
    if layout.global_batch is None:
        raise UsageError(
            "train needs the sequences of a step, and the layout has no global_batch",
            f"give --global-batch, a multiple of dp {layout.dp:,} x micro-batch "
            f"{layout.micro_batch:,}",
        )
    sequence = sequence_of(query, layout, answer, DEFAULT_SEQUENCE["train"])
    check_grouping(
        model.value,
        layout,
        sequence,
        hint=loader.degree_hint,
        more=feed_forward_problems(model.value, layout),
    )
    refuse([*training_problems(model.value, layout, micro_batches_of(layout, answer))])
    check_imbalance(model.value, layout, query.imbalance)
    used = presets_of(query, loader, answer, model, hardware, layout)
    recompute = recompute_of(query, loader, layout)
    refuse_other(used.setup, TRAINING, query.preset_path)
    refuse(step_overlap_problems(None if used.setup is None else used.setup.value, layout))
    setting = setting_of(query, answer, used, layout, sequence)
    fold = Fold(setting)
    pue = site_factor(query.pue, hardware.value)
    run = None if query.train_tokens is None else positive("--train-tokens", query.train_tokens, 1)
    loader.check_overrides()
    for preset in (model, used.precision, used.recipe, recompute):
        answer.cite(preset)
    answer.cite(
        hardware,
        used=(
            "peaks",
            "memory.bandwidth",
            "scale_up",
            "scale_out",
            "achieved",
            "dollars_per_hour",
            "power",
        ),
    )
    answer.cite(used.setup, used=("time",))
    counted = flops_lines(model.value, setting.workload, setting.conventions)
    lines, answer.walk = step_lines(
        fold, recompute.value, counted, run, pue, by_the_clock=by_the_clock
    )
    answer.query |= {"sequence": sequence, "precision": used.precision.name, "phase": "train"}
    warn_inapplicable(answer, model.name, model.value, with_mtp=query.with_mtp or None)
    warn_context(answer, model.name, model.value, sequence)
    warn_units(answer, fold.setting.precision, fold.setting.hardware, trains=True)
    rate_remarks(answer, fold)
    warn_idle_overlaps(answer, fold, loader)
    _remarks(answer, fold, layout)
    _warn_hidden(answer, lines)
    ledger = Ledger(model.value.title, lines.lines)
    answer.columns.append(Column(model.name, model.value.title, ledger))
    return answer


class Used(NamedTuple):
    """The presets that the setting of a step is made of."""

    model: Preset[Model]
    hardware: Preset[Hardware]
    precision: Preset[Precision]
    recipe: Preset[Recipe]
    setup: Preset[Setup] | None
    loader: PresetLoader


def presets_of(
    query: TrainQuery,
    loader: PresetLoader,
    answer: Answer,
    model: Preset[Model],
    hardware: Preset[Hardware],
    layout: Layout,
) -> Used:
    """Load the presets of a step beside the model, the device and the policy of recomputation."""
    precision = loader.precision(named_by(query, layout, answer, "precision"), model)
    recipe = loader.recipe(named_by(query, layout, answer, "recipe") or precision.value.recipe)
    setup = None if query.setup is None else loader.setup(query.setup)
    return Used(model, hardware, precision, recipe, setup, loader)


def setting_of(
    query: TrainQuery, answer: Answer, used: Used, layout: Layout, sequence: int
) -> Setting:
    """Return the setting of a step on a layout."""
    loader = used.loader
    like = loader.like(used.hardware)
    return Setting(
        model=used.model.value,
        layout=layout,
        workload=Workload(phase="train", batch=layout.micro_batch, sequence=sequence, past=0),
        conventions=choose_conventions({"mtp": "in" if query.with_mtp else None}),
        hardware=used.hardware.value,
        precision=used.precision.value,
        kv_format=loader.kv_format(DEFAULT_KV_FORMAT).value,
        exchange=exchange_of(query, answer, used.precision, layout, "train"),
        setup=None if used.setup is None else used.setup.value,
        recipe=used.recipe.value,
        achieved=loader.achieved().value.achieved,
        like=None if like is None else like.value,
        imbalance=number("--imbalance", query.imbalance, 1, least=1, most=LARGEST_IMBALANCE),
        oversubscription=number(
            "--oversubscription", query.oversubscription, 1, least=1, most=LARGEST_OVERSUBSCRIPTION
        ),
        in_network=query.in_network,
    )


def _remarks(answer: Answer, fold: Fold, layout: Layout) -> None:
    """Tell what the numbers take for granted."""
    if layout.ep > 1:
        factor = float(fold.setting.imbalance)
        words = "the busiest GPU has {} times the mean rows of experts"
        add_new(answer.assumptions, [imbalance_text(factor, words)])
    if layout.pp > 1:
        answer.notes.append(
            "the slowest pipeline rank determines the step; the optimizer time is the mean over "
            "ranks"
        )
    if answer.walk is None:
        answer.notes.append(
            f"no simulation pass by pass: the ranks have more than {MOST_PASSES:,} passes"
        )
    _tell_absent(answer, fold)
    if fold.software is None:
        answer.notes.append(
            "no estimate without a set-up (--setup): the floor hides all communication"
        )
        return
    name, times = fold.software.setup.name, fold.software.times
    if times.residual is not None:
        answer.notes.append(f"residual of {name}, which the estimate leaves out: {times.residual}")
    if "train" not in times.bands:
        answer.notes.append(f"no band: the estimates of {name} were scored on too few measurements")


def _warn_hidden(answer: Answer, lines: StepLines) -> None:
    """Warn of reductions that are longer than the passes which the set-up hides them behind."""
    phase = lines.phases.get("data_parallel")
    if phase is None or phase.parts[0].rule != "maximum":
        return
    share, more = phase.parts[0].parts
    if more.value > share.value:
        sent, passes = more.parts
        answer.warn(
            f"data parallelism exchanges for {format_quantity(sent.value, 's')} a step, longer "
            f"than the {format_quantity(passes.value, 's')} of passes that the set-up hides it "
            "behind (a lower --zero, or more tp or pp, sends less)"
        )


def step_overlap_problems(setup: Setup | None, layout: Layout) -> list[Problem]:
    """List what a set-up overlaps that the passes of a training step do not, and what to take."""
    lacks = {"two_batch": ("a training step has no half batches", "another set-up")}
    if layout.schedule not in PAIRED:
        remedy = f"take --schedule {' or '.join(PAIRED)}, another set-up"
        lacks["paired"] = (f"schedule {layout.schedule} overlaps none", remedy)
    return overlap_problems(setup, lacks)


def _tell_absent(answer: Answer, fold: Fold) -> None:
    """Note which lines the answer lacks, and what would give them."""
    if fold.software is None:
        words = "an estimate is for a set-up: give --setup; dsv3calc presets list setup"
        answer.absent |= {f"train.step.{what}": words for what in ("estimate", "p10", "p90")}
    elif "train" not in fold.software.times.bands:
        words = f"the set-up {fold.software.setup.name} has no band of training steps"
        answer.absent |= {f"train.step.{what}": words for what in ("p10", "p90")}
    run = "a run has a number of tokens: give --train-tokens 14.8T"
    answer.absent |= dict.fromkeys(("train.gpu_hours", "train.dollars"), run)
    if fold.setting.hardware.dollars_per_hour is None:
        answer.absent["train.dollars"] = (
            f"{fold.setting.hardware.name} has no price: --set hardware.dollars_per_hour=2"
        )
    if answer.walk is None:
        answer.absent["train.step.walk"] = (
            "give a smaller --global-batch, so that fewer passes are simulated"
        )
