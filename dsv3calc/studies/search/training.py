"""Searches over layouts of training: what a query asks for, and its winners one by one."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.memory.activations import dropping_modules
from dsv3calc.catalogue.search_path import listing
from dsv3calc.errors import UsageError
from dsv3calc.model.architecture import architecture_of, experts_of
from dsv3calc.model.saved import BF16
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.queries.base import as_dict
from dsv3calc.queries.command_line import query_text
from dsv3calc.queries.memory import MemoryQuery
from dsv3calc.queries.traffic import TrafficQuery
from dsv3calc.queries.train import TrainQuery
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.layout.choose import chosen_layout, sequence_of
from dsv3calc.studies.layout.expert_degrees import etp_of, rule_of, setup_rule
from dsv3calc.studies.memory.inputs import Inputs
from dsv3calc.studies.preset_loader import PresetLoader
from dsv3calc.studies.search.axes import (
    categories_together,
    category_axes,
    degree_axes,
    derived_columns,
)
from dsv3calc.studies.search.conditions import read_condition
from dsv3calc.studies.search.counted import TrainingBlock
from dsv3calc.studies.search.layouts import Held, sent_between_domains
from dsv3calc.studies.search.recording import Recording
from dsv3calc.studies.search.request import (
    DEGREES,
    OBJECTIVES,
    PLAIN,
    TIMED,
    TRAINING_AXES,
    UNITS,
    WORDS,
    check_experts,
    is_compiled,
    read_objectives,
    read_pins,
)
from dsv3calc.studies.search.rules import (
    Rule,
    filled,
    keeps_every_micro_batch,
    pinned,
    sameness,
    training_rules,
)
from dsv3calc.studies.search.run import Search
from dsv3calc.studies.search.space import constants_of
from dsv3calc.studies.search.winner import Winner, answered
from dsv3calc.studies.times.train import Used, presets_of, setting_of, step_overlap_problems

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.queries.search import SearchQuery
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.memory import Recompute
    from dsv3calc.schema.model import Model
    from dsv3calc.studies.search.space import Derived

SEQUENCE = 4096
_SHARED = (
    "model", "hardware", "sequence", "global_batch", "setup", "precision", "recipe", "imbalance",
    "dispatch", "combine", "with_mtp", "set", "preset_path", "ignore_keys", "design",
)  # fmt: skip
_TIMED_ALONE = ("train_tokens", "oversubscription")


class TrainingSearch:
    """A search over training layouts, for one query."""

    def __init__(self, query: SearchQuery) -> None:
        self.query = query
        self.axes, self.units = TRAINING_AXES, UNITS
        self.last: Search | None = None
        self.pins = read_pins(query.pin, "--pin", TRAINING_AXES)
        default = "step_time" if query.global_batch is not None else "memory"
        self.objectives = read_objectives(query.objective, default)
        known = ("gpus", *TRAINING_AXES, "edp", "micro_batches", *OBJECTIVES)
        self.conditions = [read_condition(text, known) for text in query.where]
        read = {name for each in self.conditions for name in each.needs}
        self.results = [name for name in OBJECTIVES if name in self.objectives or name in read]
        self.timed = any(name in TIMED for name in self.results)
        self._check_objectives()
        alone = dict.fromkeys(("tp", "cp", "pp", "dp", "ep", "etp"), 1)
        self.train = self._asked(TrainQuery, {**alone, "micro_batch": 1})
        self.loader = PresetLoader(query)
        self.model: Preset[Model] = self.loader.model(query.model)
        self.hardware = self.loader.hardware(query.hardware)
        check_experts(self.model, self.pins, "--pin")
        self.usable = self._usable()
        told = Answer("search", {})
        self.base: Layout = chosen_layout(self.train, self.loader, told, self.model.value)
        self.sequence = sequence_of(self.train, self.base, told, SEQUENCE)
        self.used: Used = presets_of(
            self.train, self.loader, told, self.model, self.hardware, self.base
        )
        self.held = self._held(told)
        self._recordings: dict[Any, Recording] = {}
        self.loader.check_overrides()

    def _check_objectives(self) -> None:
        query = self.query
        needs = [name for name in self.results if name in (*TIMED, "traffic")]
        if needs and query.global_batch is None:
            raise UsageError(
                f"{', '.join(needs)}: the sequences of a step are not given",
                "give --global-batch, or --objective memory",
            )
        if "dollars" in self.results and query.train_tokens is None:
            raise UsageError("dollars: the tokens of a run are not given", "--train-tokens 14.8T")

    def _usable(self) -> int:
        usable = self.hardware.value.memory.usable
        if usable is None:
            raise UsageError(
                f"{self.hardware.name} does not say how many bytes a process can use",
                "--set hardware.memory.usable=79GiB",
            )
        if "dollars" in self.results and self.hardware.value.dollars_per_hour is None:
            raise UsageError(
                f"{self.hardware.name} has no price", "--set hardware.dollars_per_hour=2"
            )
        return usable

    def _asked(self, kind: type[Any], layout: Mapping[str, Any]) -> Any:
        """Return a query of one layout with what this query says of all of them."""
        fields = {*kind.__struct_fields__}
        shared = {
            name: getattr(self.query, name) for name in (*_SHARED, *_TIMED_ALONE) if name in fields
        }
        return kind(**{**shared, **layout})

    def _held(self, told: Answer) -> Held:
        trainings, policies = {}, {}
        seen: set[Any] = set()
        for name in self._policies():
            memory = self._asked(MemoryQuery, {"tp": 1, "dp": 1, "recompute": name})
            inputs = Inputs(memory, self.loader, told, self.model, self.base, self.hardware.value)
            policy = inputs.recompute.value
            effect = self._effect(policy)
            if "recompute" in self.pins or (effect not in seen and self._is_choice(policy)):
                trainings[name], policies[name] = inputs.training, policy
                seen.add(effect)
        return Held(
            self.base,
            self.sequence,
            self.model.value,
            setting_of(self.train, told, self.used, self.base, self.sequence),
            trainings,
            policies,
            with_mtp=self.query.with_mtp,
            usable=self.usable,
            train_tokens=self.query.train_tokens,
            together=categories_together(category_axes(self.pins, [*trainings])),
        )

    def _policies(self) -> list[str]:
        """Name the policies of recomputation: those pinned, or all that are shipped."""
        shipped = listing("recompute", self.query.preset_path)
        return self.pins.get("recompute", sorted(shipped, key=lambda name: name != "none"))

    def _is_choice(self, policy: Recompute) -> bool:
        """Tell whether a policy is one to choose.

        One that says how a paper counts the routing weights is not, nor one that keeps inputs of
        products in FP8 where the precision computes in 16 bits.
        """
        precision = self.used.precision.value
        wide = precision.formats[precision.activations].bits >= BF16.value
        inputs = wide and "linear_input" in policy.formats
        return not (inputs or "routing_weights" in policy.formats)

    def _effect(self, policy: Recompute) -> Any:
        """Return what a policy does to this model: two of the same effect are one."""
        views = architecture_of(self.model.value).groups
        there = {"full", *dropping_modules(views, self.base)}
        fields = msgspec.to_builtins(policy)
        alike = {"name", "title", "sources", "provenance", "modules"}
        rest = {name: value for name, value in fields.items() if name not in alike}
        return (frozenset(there & {*policy.modules}), msgspec.json.encode(rest, order="sorted"))

    @property
    def described(self) -> dict[str, Any]:
        """What holds for all layouts, for the answer."""
        return {"sequence": self.sequence, "precision": self.used.precision.name}

    # --- the search

    def search(self, gpus: Sequence[int], *, most: int) -> Search:
        """Return the search over layouts of some numbers of GPUs."""
        model, batch = self.model.value, self.query.global_batch
        exchanged = "traffic" in self.results or (self.timed and self.query.setup is not None)
        degrees = degree_axes(model, gpus, self.pins, batch, exchanged=exchanged)
        axes = {"gpus": list(gpus), **degrees}
        derived = derived_columns(batch)
        recording = self._recording(axes, derived)
        return Search(
            self.base,
            axes,
            derived,
            category_axes(self.pins, [*self.held.policies]),
            self.rules(),
            self.conditions,
            lambda columns: TrainingBlock(self.held, recording, columns),
            self.objectives,
            most=most,
            whole=self.query.whole,
        )

    def _recording(
        self, axes: Mapping[str, Sequence[int]], derived: Mapping[str, Derived]
    ) -> Recording:
        """Return the recording of layouts with such axes: one for all searches that have them."""
        constants = constants_of(axes, derived)
        named = [name for name in (*axes, *derived) if name != "gpus"]  # no count reads it
        constants.pop("gpus", None)
        key = tuple(constants.items())
        if key not in self._recordings:
            self._recordings[key] = Recording(
                self.held, named, constants, compiled=is_compiled(self.query)
            )
        return self._recordings[key]

    def rules(self) -> list[Rule]:
        """List the rules of this search."""
        model, batch = self.model.value, self.query.global_batch
        rules = [
            *training_rules(model, self.sequence, stepped=batch is not None),
            *sameness(
                model,
                mtp=self.query.with_mtp,
                splits=self.pins.get("layer_split", WORDS["layer_split"]),
            ),
        ]
        if "dp" in self.pins:
            rules.insert(1, pinned("dp", self.pins["dp"]))
        if (rule := self.answer_rule()) is not None:
            rules.insert(1, rule)
        if batch is None:
            rules.append(keeps_every_micro_batch())
        if self.timed or "traffic" in self.results:
            rules.append(filled(self.hardware.value))
        if self.timed:
            words = "passes that overlap, which the set-up hides communication behind"
            rules.append(
                Rule(
                    "untimed",
                    words,
                    ("schedule",),
                    lambda layout, _: step_overlap_problems(self.held.setting.setup, layout),
                )
            )
        return rules

    def answer_rule(self) -> Rule | None:
        """Return the rule of the set-up for etp, where it names one and no pin says more."""
        setup = None if self.used.setup is None else self.used.setup.value
        experts = None if setup is None else setup.experts
        if experts is None or experts.rule != "megatron" or "etp" in self.pins:
            return None
        if not self._has_experts():
            return None
        return Rule(
            "setup",
            "etp as the set-up divides experts",
            ("tp", "etp"),
            lambda layout, _: (
                [("etp is not tp", "the rule of Megatron-Core, etp = tp")]
                * (layout.etp != layout.tp)
            ),
        )

    # --- winners

    def ask(self, axes: Mapping[str, Any]) -> Winner:
        """Ask about one layout by itself."""
        layout = self.options(axes)
        answers = {"memory": answered(self._asked(MemoryQuery, layout))}
        results = {"memory": answers["memory"].columns[0].ledger["memory.worst.total"]}
        if self.timed:
            train = answers["train"] = answered(self._asked(TrainQuery, layout))
            values = train.columns[0].ledger.values
            results["step_time"] = values.get("train.step.estimate", values["train.step.floor"])
            results["tokens_per_second_per_gpu"] = values["train.tokens_per_second"] / axes["gpus"]
            more = {"step_walk": "train.step.walk", "dollars": "train.dollars"}
            results |= {name: values[line] for name, line in more.items() if line in values}
        if "traffic" in self.results:
            query = self._asked(TrafficQuery, self._of_traffic(layout))
            found = answers["traffic"] = answered(query)
            results["traffic"] = sent_between_domains(found.columns[0].ledger.values)
        return Winner(dict(axes), results, answers)

    def _of_traffic(self, layout: Mapping[str, Any]) -> dict[str, Any]:
        """Return a layout as options of ``traffic``; what it has none for is set."""
        fields = {*TrafficQuery.__struct_fields__}
        edits = [
            f"layout.{name}={str(layout[name]).lower()}"
            for name in ("schedule", "virtual_pipeline", "sequence_parallel")
            if layout[name] != PLAIN[name]
        ]
        named = {name: value for name, value in layout.items() if name in fields}
        return {**named, "set": (*self.query.set, *edits)}

    def options(self, axes: Mapping[str, Any]) -> dict[str, Any]:
        """Return a layout as options of a query about it."""
        split = axes["layer_split"]
        found = {name: axes[name] for name in TRAINING_AXES if name in axes}
        if axes["ep"] == axes["etp"] == 1 and not self._has_experts():
            del found["ep"], found["etp"]
        found["layer_split"] = split if isinstance(split, str) else ",".join(map(str, split))
        return found

    def axes_of(self, pins: Mapping[str, Any], gpus: int) -> dict[str, Any]:
        """Return the axes of one layout by those that are named; the replicas follow.

        Raises
        ------
        UsageError
            If the degrees do not multiply out.
        """
        axes = {**PLAIN, "gpus": gpus, **pins}
        shared = axes["tp"] * axes["cp"] * axes["pp"]
        dp = axes.get("dp", max(1, gpus // shared))
        if "dp" in pins and shared * dp != gpus:
            raise UsageError(
                f"--why: tp x cp x pp x dp = {shared * dp:,} are not {gpus:,} GPUs",
                "leave out dp, or give degrees that multiply out",
            )
        batch = self.query.global_batch
        micro_batches = 2 * axes["pp"] if batch is None else batch // (dp * axes["micro_batch"])
        edp = axes["tp"] * axes["cp"] * dp // (axes["ep"] * axes["etp"])
        return {**axes, "dp": dp, "edp": edp, "micro_batches": micro_batches}

    def settled(self, axes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the axes of a layout that no rule refuses: as they are."""
        return dict(axes)

    def lacks(self, winner: Winner) -> list[str]:
        """Say what a device lacks for a layout asked about by itself."""
        excess = winner.results["memory"] - self.usable
        if excess <= 0:
            return []
        shown = format_quantity(excess, "B")
        return [f"memory: {shown} more than {self.hardware.name} has for a process"]

    def how(self, axis: str) -> str:
        """Say how an axis came about."""
        if axis in ("dp", "edp", "micro_batches"):
            return "follows from the others"
        return "pinned" if axis in self.pins or axis == "gpus" else "searched"

    def told(self, axes: Mapping[str, Any]) -> str:
        """Name a layout by the axes that are not at their plainest."""
        shown = [f"{name} {axes[name]}" for name in ("tp", "cp", "pp", "dp", "ep", "etp")]
        shown = [each for each in shown if not each.endswith(" 1")]
        shown += [f"micro-batch {axes['micro_batch']}", f"ZeRO {axes['zero']}", axes["schedule"]]
        if axes["virtual_pipeline"] > 1:
            shown.append(f"{axes['virtual_pipeline']} chunks a rank")
        shown += ["balanced stages"] * (axes["layer_split"] == "balanced")
        if axes["recompute"] != "none":
            shown.append(f"recompute {axes['recompute']}")
        if axes["sequence_parallel"]:
            shown.append("sequence parallel")
        return ", ".join(shown)

    def command(self, axes: Mapping[str, Any], *, traffic: bool = False) -> str:
        """Return the command that asks about one layout by itself, or about its traffic."""
        kind: Any = TrafficQuery if traffic else TrainQuery if self.timed else MemoryQuery
        options = self._of_traffic(self.options(axes)) if traffic else self.options(axes)
        told = {name: each for name, each in options.items() if each != PLAIN.get(name)}
        if options.get("etp", 1) != self._followed_etp(told):
            told["etp"] = options["etp"]
        if not {*DEGREES} & told.keys():
            told["tp"] = options["tp"]  # one degree says that the layout is that of the options
        query = {**as_dict(self._asked(kind, told)), "by": None}
        return f"dsv3calc {query_text({'command': kind.command, **query})}"

    def _followed_etp(self, stated: Mapping[str, Any]) -> int:
        """Return the etp that a query with these options has."""
        if "etp" in stated or not self._has_experts():
            return int(stated.get("etp", 1))
        setup = None if self.used.setup is None else self.used.setup.value
        of_setup, _ = setup_rule(setup, serving=False)
        rule = rule_of(stated, serving=False, of_setup=of_setup)
        return int(etp_of(rule, tp=stated.get("tp", 1), dp=1, ep=1))

    def _has_experts(self) -> bool:
        return bool(experts_of(self.model.value))
