"""Loading what a query names, and filling in what it leaves open."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.parameters import INCLUSIONS, PARAMETER_VARIANTS
from dsv3calc.catalogue import presets
from dsv3calc.catalogue.overrides import Override, UnknownField, describe, parse_overrides
from dsv3calc.errors import InvalidInput, UsageError
from dsv3calc.model.architecture import architecture_of
from dsv3calc.queries.fields import fields_of, flag_of
from dsv3calc.reading.diagnostics import did_you_mean, quote
from dsv3calc.schema.workload import DEFAULT_BATCH, DEFAULT_PAST, DEFAULT_SEQUENCE, Workload
from dsv3calc.studies.checked import one_of, positive

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.queries.base import Query
    from dsv3calc.schema.achieved import AchievedDefaults
    from dsv3calc.schema.failures import Failures
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.memory import Recipe, Recompute
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.network import Network
    from dsv3calc.schema.precision import KVFormat, Precision
    from dsv3calc.schema.setup import Setup
    from dsv3calc.schema.workload import Conventions
    from dsv3calc.studies.answer import Answer

DEFAULT_KV_FORMAT = "bf16"
DEFAULT_ACHIEVED = "default"
DEFAULT_SETUP = "pytorch"


class PresetLoader:
    """Loads the presets of one query, each with the overrides meant for it.

    ``degree_hint`` names degrees that would do, by the tokens of a sequence: once the query's
    layout is chosen.
    """

    __slots__ = ("applied", "degree_hint", "overrides", "query", "skipped", "used")

    def __init__(self, query: Query) -> None:
        self.query = query
        self.applied: set[Override] = set()
        self.skipped: list[UnknownField] = []
        self.overrides = parse_overrides(query.set) if query.set else ()
        self.used: set[str] = set()
        self.degree_hint: Callable[[int | None], str] = lambda _sequence: ""

    def _load(self, kind: str, reference: str, overrides: tuple[Override, ...] = ()) -> Preset[Any]:
        self.used.add(kind)
        mine = tuple(each for each in self.overrides if each.kind == kind) + overrides
        return presets.load(
            kind,
            reference,
            preset_path=self.query.preset_path,
            overrides=mine,
            ignore_keys=self.query.ignore_keys,
        )

    def model(self, reference: str, overrides: tuple[Override, ...] = ()) -> Preset[Model]:
        """Load a model, or take the design that the query is asked of."""
        if self.query.design is not None:
            self.used.add("model")
            given: Preset[Model] = self.query.design
            return given
        return self._load("model", reference, overrides)

    def beside(self, overrides: tuple[Override, ...]) -> PresetLoader:
        """Return a loader that has more overrides and notes with this one what was used."""
        other = PresetLoader(self.query)
        other.overrides = self.overrides + overrides
        other.applied, other.skipped, other.used = self.applied, self.skipped, self.used
        return other

    def one_of_several(self, reference: str, overrides: tuple[Override, ...] = ()) -> Preset[Model]:
        """Load a model of a comparison: ``--set`` changes those models that have the field.

        What a model does not have is noted in ``skipped``; :meth:`check_overrides` refuses an
        override that no model took.
        """
        everything = self.overrides
        try:
            while True:
                try:
                    preset = self._load("model", reference, overrides)
                except UnknownField as error:
                    if error.override in overrides:
                        raise
                    self.skipped.append(error)
                    self.overrides = tuple(
                        each for each in self.overrides if each != error.override
                    )
                else:
                    self.applied.update(self.overrides)
                    return preset
        finally:
            self.overrides = everything

    def hardware(self, reference: str) -> Preset[Hardware]:
        """Load a device."""
        return self._load("hardware", reference)

    def precision(self, reference: str | None, model: Preset[Model]) -> Preset[Precision]:
        """Load the precision asked for, or else the model's own."""
        own = reference or model.value.precision
        if not isinstance(own, str):
            self.used.add("precision")
            mine = tuple(each for each in self.overrides if each.kind == "precision")
            return presets.inside(model, "precision", own, mine)
        try:
            return self._load("precision", own)
        except UsageError as error:
            if reference is not None or any(each.path == "precision" for each in self.overrides):
                raise
            place = model.source.position(("precision",))  # the model's file names it
            problem = model.source.problem(place, error.message, next=error.hint)
            raise InvalidInput([problem]) from None

    def kv_format(self, reference: str | None, model: Model | None = None) -> Preset[KVFormat]:
        """Load the cache format asked for, or that of the model's files, or BF16."""
        own = model.kv_format if model is not None else None
        return self._load("kv_format", reference or own or DEFAULT_KV_FORMAT)

    def layout(self, reference: str, overrides: tuple[Override, ...] = ()) -> Preset[Layout]:
        """Load a parallelism layout.

        ``overrides`` are options: where they do not go with the file, they are what is wrong.
        """
        try:
            return self._load("layout", reference, overrides)
        except InvalidInput as error:
            if not overrides:
                raise
            problems = error.problems
        self._load("layout", reference)  # the file alone may be wrong: then it is to blame
        blamed = self._blamed(reference, overrides, {problem.what for problem in problems})
        options = " ".join(
            f"{flag_of(self.query, each.path)} {describe(each.value)}" for each in blamed
        )
        raise UsageError(
            f"{options} with the layout {describe(reference)}: "
            + "; ".join(problem.what for problem in problems),
            "; ".join(problem.why for problem in problems if problem.why),
        )

    def _blamed(
        self, reference: str, overrides: tuple[Override, ...], problems: set[str]
    ) -> tuple[Override, ...]:
        """Return the one or two of several options that bring the same problems, else all."""
        for number in (1, 2):
            for tried in combinations(overrides, number):
                try:
                    self._load("layout", reference, tried)
                except InvalidInput as error:
                    if problems <= {problem.what for problem in error.problems}:
                        return tried
        return overrides

    def recipe(self, reference: str, overrides: tuple[Override, ...] = ()) -> Preset[Recipe]:
        """Load what training keeps beside the weights."""
        return self._load("recipe", reference, overrides)

    def recompute(self, reference: str, overrides: tuple[Override, ...] = ()) -> Preset[Recompute]:
        """Load a policy of recomputation."""
        return self._load("recompute", reference, overrides)

    def setup(self, reference: str | None) -> Preset[Setup]:
        """Load a set-up of software; without a name PyTorch's own overheads."""
        return self._load("setup", DEFAULT_SETUP if reference is None else reference)

    def failures(self, reference: str) -> Preset[Failures]:
        """Load what was counted of the failures of a run."""
        return self._load("failures", reference)

    def achieved(self) -> Preset[AchievedDefaults]:
        """Load the rates that hold for a device whose own are not known."""
        return self._load("achieved", DEFAULT_ACHIEVED)

    def like(self, hardware: Preset[Hardware]) -> Preset[Hardware] | None:
        """Load the device whose rates stand in for those that a device lacks; None for none."""
        achieved = hardware.value.achieved
        if achieved is None or achieved.like is None:
            return None
        found: Preset[Hardware] = presets.load(
            "hardware", achieved.like, preset_path=self.query.preset_path
        )
        return found

    def network(self, reference: str) -> Preset[Network]:
        """Load a network technology."""
        return self._load("network", reference)

    def check_overrides(self) -> None:
        """Refuse an override of a preset that the query does not use, or that none took."""
        for error in self.skipped:
            if error.override not in self.applied:
                raise error
        for override in self.overrides:
            if override.kind not in self.used:
                raise UsageError(
                    f"--set {quote(override.text)}: this query uses no {override.kind}",
                    self._way_to(override.kind),
                )

    def _way_to(self, kind: str) -> str:
        """Return which option gives a preset of a kind to the query; nothing where none does."""
        fields = fields_of(type(self.query)).values()
        flag = next((field.flag for field in fields if field.option.preset == kind), "")
        training = kind == "kv_format" and getattr(self.query, "serve", True) is False
        return f"give one with {'--serve ' if training else ''}{flag}" if flag else ""


def workload_of(
    phase: str, batch: int | None, sequence: int | None, past: int | None, *, last_logit: bool
) -> Workload:
    """Fill in the default workload of a phase."""
    one_of("--phase", phase, DEFAULT_SEQUENCE, "")
    if phase == "train" and past:
        raise UsageError("--context: training has no cache", "use --phase prefill or decode")
    if phase == "train" and last_logit:
        raise UsageError("--last-logit: training needs the logits of every position")
    return Workload(
        phase=phase,  # type: ignore[arg-type] # checked above
        batch=positive("--batch", batch, DEFAULT_BATCH),
        sequence=positive("--seq", sequence, DEFAULT_SEQUENCE[phase]),
        past=positive("--context", past, DEFAULT_PAST[phase], least=0),
        logits="last" if last_logit else "all",
    )


def inclusions_of(
    variant: str, include: tuple[str, ...], exclude: tuple[str, ...]
) -> tuple[frozenset[str], str]:
    """Return what a parameter count includes, and its name for the lines."""
    one_of("--variant", variant, PARAMETER_VARIANTS, "")
    for option, names in (("--include", include), ("--exclude", exclude)):
        for name in names:
            if name not in INCLUSIONS:
                raise UsageError(
                    f"{option} {quote(name)}: choose among {', '.join(INCLUSIONS)}",
                    did_you_mean(name, INCLUSIONS),
                )
    both = set(include) & set(exclude)
    if both:
        raise UsageError(f"{', '.join(sorted(both))} is both included and excluded")
    chosen = (PARAMETER_VARIANTS[variant][0] | set(include)) - set(exclude)
    label = variant
    label += "".join(f" + {name}" for name in include)
    label += "".join(f" - {name}" for name in exclude)
    return chosen, label


def beside_layers(with_mtp: bool) -> tuple[str, ...]:  # noqa: FBT001 - as a query has it
    """Return the parts of a model that a count of its layers alone does not use."""
    return ("towers",) if with_mtp else ("towers", "mtp")


def interval_of(state_interval: int | None) -> int | None:
    """Return the tokens from one copy of a state to the next, None where none is copied."""
    if state_interval is None:
        return None
    return positive("--state-interval", state_interval, 1)


def warn_inapplicable(answer: Answer, name: str, model: Model, **options: object) -> None:
    """Warn of options that mean nothing for a model, or for a pass of one token."""
    views = architecture_of(model).groups
    latent = any(view.attention.forms for view in views)
    if options.get("mla") and not latent:
        answer.warn(f"{name}: --mla {options['mla']} has no effect: no layer has MLA")
    if options.get("scan") and not any(view.mixer.present for view in views):
        answer.warn(f"{name}: --scan {options['scan']} has no effect: no layer has a mixer")
    if options.get("state_interval") and not any(view.mixer.present for view in views):
        answer.warn(f"{name}: --state-interval has no effect: no layer has a mixer")
    if options.get("with_mtp") and model.mtp is None:
        answer.warn(
            f"{name}: --with-mtp has no effect: the model has no MTP module in its preset or file"
        )
    if options.get("router") == "out" and all(view.experts is None for view in views):
        answer.warn(f"{name}: --router out has no effect: no layer has a router")
    if options.get("last_logit"):
        answer.warn("--last-logit has no effect: one new token has one logit")


def warn_context(answer: Answer, name: str, model: Model, tokens: int, *, cached: int = 0) -> None:
    """Warn of a context, of which ``cached`` are in a cache, that the model was not made for."""
    limit = model.max_position_embeddings
    if limit is not None and tokens > limit:
        new = tokens - cached
        words = f"{tokens:,} tokens are"
        if cached:
            words = f"{cached:,} cached and {new:,} new token{'s' if new > 1 else ''} are"
        answer.warn(f"{name}: {words} more than its max_position_embeddings {limit:,}")


def widened_types(precision: Precision, hardware: Hardware) -> dict[str, str]:
    """Return data types of a precision that a device has no peak for, and what is taken instead."""
    found = {}
    for wishes in precision.compute.values():
        used = next((each for each in wishes if each in hardware.peaks), None)
        if used not in (None, wishes[0]):
            found[wishes[0]] = used
    return found


def warn_units(
    answer: Answer, precision: Precision, hardware: Hardware, *, trains: bool = False
) -> None:
    """Warn where weights are widened on a device without a peak for their data type."""
    for wish, used in widened_types(precision, hardware).items():
        words = (
            f"{hardware.name} has no {wish} peak: {precision.name} is weight-only there, its "
            f"weights are widened and multiplied at the {used} peak"
        )
        if trains and used == "bf16":
            words += "; --precision bf16 counts a run in BF16"
        answer.warn(words)


def check_kv_format(
    name: str, model: Model, kv_format: Preset[KVFormat], conventions: Conventions
) -> None:
    """Refuse a cache format made for another kind of attention, or for another form of MLA."""
    if kv_format.value.only == "mla" and conventions.mla == "naive":
        raise UsageError(
            f"the KV format {kv_format.name} stores MLA's latent, and --mla naive caches keys and "
            "values expanded from it",
            "leave out --mla naive, or choose another --kv-dtype",
        )
    only = kv_format.value.only
    views = architecture_of(model).groups
    kinds = {view.attention.kind for view in views if view.attention.present}
    if only and kinds != {only}:
        words = {
            kind: f"{kind} attention" if len(kind) > len("mla") else kind.upper()
            for kind in (only, *kinds)
        }
        raise UsageError(
            f"the KV format {kv_format.name} is for {words[only]} alone; "
            f"{name} has {', '.join(words[kind] for kind in sorted(kinds))} layers",
            "dsv3calc presets list kv_formats",
        )
