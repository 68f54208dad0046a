"""Searches over layouts of a server: what a query asks for, and its winners one by one."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from math import lcm
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.placement.expert_slots import slots_of_layers
from dsv3calc.errors import UsageError
from dsv3calc.formulas import served_batches
from dsv3calc.model.architecture import experts_of
from dsv3calc.queries.base import as_dict
from dsv3calc.queries.command_line import query_text
from dsv3calc.queries.memory import MemoryQuery
from dsv3calc.queries.serve import ServeQuery
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.layout.expert_degrees import etp_of, rule_of, setup_rule
from dsv3calc.studies.memory.serving import asked_of
from dsv3calc.studies.search import beside
from dsv3calc.studies.search.axes import serving_axes
from dsv3calc.studies.search.conditions import read_condition
from dsv3calc.studies.search.request import (
    BATCHES,
    MOST,
    SERVED_OBJECTIVES,
    SERVING_AXES,
    SPLITS,
    UNITS,
    check_experts,
    numbered_splits,
    read_objectives,
    read_pins,
)
from dsv3calc.studies.search.run import Search
from dsv3calc.studies.search.served import (
    Kinds,
    Limit,
    Served,
    ServingBlock,
    largest_batches,
    line_of,
)
from dsv3calc.studies.search.served_rules import CONDITIONS, LAYOUT, Rules
from dsv3calc.studies.search.space import Constraint, Derived
from dsv3calc.studies.search.winner import Winner, answered
from dsv3calc.studies.serve.server import Server
from dsv3calc.studies.serve.slo import Objective

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dsv3calc.queries.search import SearchQuery
    from dsv3calc.schema.layout import Layout
    from dsv3calc.studies.search.rules import Rule
    from dsv3calc.studies.search.space import Columns

SAME = (
    "model", "hardware", "setup", "precision", "kv_dtype", "imbalance", "dispatch", "combine",
    "oversubscription", "past", "concurrency", "prompt_tokens", "response_tokens", "hit_rate",
    "prefill_layout", "memory_fraction", "draft_tokens", "acceptance", "with_mtp", "set",
    "preset_path", "ignore_keys", "design",
)  # fmt: skip
"""Fields that a search and ``serve`` share."""


class ServingSearch:
    """A search over serving layouts, for one query."""

    def __init__(self, query: SearchQuery) -> None:
        self.query = query
        self.axes, self.units = SERVING_AXES, UNITS
        self.last: Search | None = None
        self.pins = read_pins(query.pin, "--pin", SERVING_AXES)
        if query.concurrency is not None:
            if "batch" in self.pins:
                raise UsageError(
                    "--concurrency gives the batch, and so does --pin batch", "leave one"
                )
            self.pins["batch"] = [MOST]
        numbered_splits(self.pins, "--pin")
        beside.check(query, self.pins)
        self.objectives = read_objectives(
            query.objective, "tokens_per_second_per_gpu", SERVED_OBJECTIVES
        )
        self.limits = [Objective(text) for text in query.slo]
        known = ("gpus", *CONDITIONS, *SERVED_OBJECTIVES)
        self.conditions = [
            *(read_condition(text, known) for text in query.where),
            *map(Limit, self.limits),
        ]
        read = {name for each in self.conditions for name in each.needs}
        self.results = [
            name for name in SERVED_OBJECTIVES if name in {*self.objectives, *read, "tpot"}
        ]
        self.server = self._server()
        self.base: Layout = self.server.inputs.layout
        self.model, self.hardware = self.server.inputs.model, self.server.inputs.hardware
        check_experts(self.model, self.pins, "--pin")
        self._check_results()
        asked = asked_of(self._asked(MemoryQuery, imbalance=None, **self._memory()), Answer("", {}))
        self.asked = asked._replace(
            serving=msgspec.structs.replace(asked.serving, imbalance=query.imbalance or 1)
        )
        setup = self.server.inputs.setup
        of_setup, _ = setup_rule(None if setup is None else setup.value, serving=True)
        self.rule = rule_of({"etp"} & self.pins.keys(), serving=True, of_setup=of_setup)
        self._rules = Rules(query, self.server, self.asked, self.rule, self.query_of)
        self.kinds = Kinds(
            Served(self.base, self.server, self.asked, self.limits, prefill=self._needs_prefill())
        )

    def _server(self) -> Server:
        """Return the server on one GPU, from which those on other layouts are made."""
        alone = self._asked(ServeQuery, imbalance=None, tp=1, dp=1)
        server = Server.asked(alone)
        server.inputs.loader.check_overrides()
        server.inputs.query = msgspec.structs.replace(alone, imbalance=self.query.imbalance)
        return server

    def _memory(self) -> dict[str, Any]:
        inputs = self.server.inputs
        return {
            "tp": 1, "dp": 1, "serve": True, "context": inputs.context,
            "with_mtp": inputs.speculation is not None, "concurrency": None,
        }  # fmt: skip

    def _asked(self, kind: type[Any], **more: Any) -> Any:
        """Return a query with what this query says of all layouts."""
        fields = {*kind.__struct_fields__}
        same = {name: getattr(self.query, name) for name in SAME if name in fields}
        return kind(**{**same, **more})

    def _needs_prefill(self) -> bool:
        shared = self.query.response_tokens is not None
        return shared or "ttft" in self.results

    def _check_results(self) -> None:
        """Refuse results that no layout has.

        Raises
        ------
        UsageError
            If there is one.
        """
        lines = self.server.times(self.server.least)
        for limit in self.limits:
            limit.line(lines)
        for name in self.results:
            if name == "memory" or line_of(name, lines) is not None:
                continue
            if name == "dollars":
                raise UsageError(
                    f"{self.hardware.name} has no price", "--set hardware.dollars_per_hour=2"
                )
            asking = [f"--objective {name}"] if name in self.objectives else []
            asking += [each.asked for each in self.conditions if name in each.needs]
            Objective(f"{name}<=1s", asking[0]).line(lines)  # it says what is missing

    @property
    def described(self) -> dict[str, Any]:
        """What holds for all layouts, for the answer."""
        inputs = self.server.inputs
        return {
            "context": inputs.context,
            "precision": inputs.precision.name,
            "kv_dtype": inputs.kv_format.name,
        }

    # --- the search

    def search(self, gpus: Sequence[int], *, most: int) -> Search:
        """Return the search over layouts of some numbers of GPUs."""
        return self._search(gpus, self.objectives, most=most)

    def search_fewest(self, gpus: Sequence[int], after: Search | None) -> Search:
        """Return the search for the fewest GPUs, ``after`` one that found none of fewer GPUs."""
        objectives = ("gpus", "tokens_per_second_per_gpu")
        refusals = None if after is None else after.refusals
        return self._search(gpus, objectives, most=1, fewest=True, refusals=refusals)

    def _search(self, gpus: Sequence[int], objectives: Sequence[str], **more: Any) -> Search:
        axes = serving_axes(self.model.value, gpus, self.pins)
        asked = axes.pop("asked")
        return Search(
            self.base,
            {**axes, **beside.axes_of(self.model.value, self.pins), "asked": asked},
            self._derived(),
            {},
            self.rules(),
            self.conditions,
            lambda columns: ServingBlock(self.kinds, columns),
            objectives,
            whole=True,
            more=self._batch_constraints(),
            **more,
        )

    def _derived(self) -> dict[str, Derived]:
        found = {
            "dp": Derived(
                ("gpus", "prefill_gpus", "tp", "pp"),
                lambda columns: (
                    (columns["gpus"] - columns["prefill_gpus"]) // (columns["tp"] * columns["pp"])
                ),
            )
        }
        if "redundant_experts" not in self.pins:
            found["redundant_experts"] = Derived(("tp", "dp", "ep"), self._redundant)
        if "etp" not in self.pins:
            found["etp"] = Derived(("tp", "dp", "ep"), self._etp)
        found |= beside.derived(self._etp)
        found["batch"] = Derived((*LAYOUT, *beside.COLUMNS, "asked"), self._batches)
        return found

    def _redundant(self, columns: Columns) -> Any:
        """Return the additional experts: the fewest that fill the GPUs, where ep is all of them.

        Each GPU then has as many, and each group of experts that routing is limited to.
        """
        import numpy as np

        moes = experts_of(self.model.value)
        slots = slots_of_layers(self.model.value, self.base)
        if len(slots) != 1:
            return 0 * columns["ep"]
        filling = -slots[0] % np.lcm(columns["ep"], lcm(*(moe.n_group for moe in moes)))
        return np.where(columns["ep"] == columns["tp"] * columns["dp"], filling, 0)

    def _etp(self, columns: Columns) -> Any:
        one = columns["tp"] // columns["tp"]
        if not experts_of(self.model.value):
            return one
        if self.rule.divides:
            return columns["tp"] * columns["dp"] // (columns["ep"] * self.rule.moe_dp)
        return one * etp_of(self.rule, tp=columns["tp"], dp=columns["dp"], ep=1)

    def _batches(self, columns: Columns) -> Any:
        """Return the batch of each layout: as it is asked for, or the largest."""
        import numpy as np

        if self.query.concurrency is not None:
            found = served_batches.fullest_part(self.query.concurrency, columns["dp"])
            return np.asarray(found, dtype=np.int64)
        asked = columns["asked"]
        (which,) = np.nonzero(asked == MOST)
        found = asked.copy()
        if len(which):
            part = {name: each[which] for name, each in columns.items() if name != "asked"}
            found[which] = largest_batches(self.kinds, part)
        return found

    def _batch_constraints(self) -> list[Constraint]:
        """List what refuses batches: none that nothing limits, and none by two names."""
        import numpy as np

        if self.query.concurrency is not None:
            return [
                Constraint(
                    "small",
                    lambda columns: columns["batch"] >= self.server.least,
                    ("batch",),
                    "the set-up decodes the batch of a replica",
                )
            ]
        listed = [each for each in self.pins.get("batch", BATCHES) if each != MOST]
        return [
            Constraint(
                "unlimited",
                lambda columns: columns["batch"] > 0,
                ("batch",),
                "something limits the batch",
            ),
            Constraint(
                "same",
                lambda columns: ~((columns["asked"] == MOST) & np.isin(columns["batch"], listed)),
                ("asked", "batch"),
                "the largest batch is none of the others",
            ),
        ]

    def rules(self) -> list[Rule]:
        """List the rules of this search."""
        return self._rules.all(self.pins)

    # --- winners

    def query_of(self, axes: Mapping[str, Any], batch: int | None) -> ServeQuery:
        """Return the query about one layout by itself."""
        if self.query.concurrency is not None:
            batch = None
        found: ServeQuery = self._asked(ServeQuery, **self.options(axes), batch=batch)
        return found

    def options(self, axes: Mapping[str, Any]) -> dict[str, Any]:
        """Return a layout as options of a query about it."""
        found = {name: axes[name] for name in ("tp", "dp", "pp")}
        if experts_of(self.model.value):
            found["ep"] = axes["ep"]
            if "etp" in self.pins:
                found["etp"] = axes["etp"]
            if axes["redundant_experts"]:
                found["redundant_experts"] = axes["redundant_experts"]
        if axes["dcp"] > 1:
            found["dcp"] = axes["dcp"]
        if split_of(axes) != SPLITS[0]:
            found["layer_split"] = split_of(axes)
        if axes.get("prefill_gpus"):
            experts = bool(experts_of(self.model.value))
            found["prefill_layout"] = beside.option_of(axes, experts=experts)
        return found

    def ask(self, axes: Mapping[str, Any]) -> Winner:
        """Ask about one layout by itself."""
        found, results = answered(self.query_of(axes, batch=axes["batch"])), {}
        lines = {line.name: line for line in found.columns[0].ledger.lines}
        for name in SERVED_OBJECTIVES:
            line = line_of(name, lines, apart=axes["prefill_gpus"] > 0)
            if line is not None:
                results[name] = line.value
        hidden = ("asked",) if axes["prefill_gpus"] else ("asked", *beside.COLUMNS)
        shown = {name: each for name, each in axes.items() if name not in hidden}
        return Winner({**shown, "layer_split": split_of(axes)}, results, {"serve": found})

    def axes_of(self, pins: Mapping[str, Any], gpus: int) -> dict[str, Any]:
        """Return the axes of one layout by those that are named.

        Raises
        ------
        UsageError
            If the degrees do not multiply out.
        """
        plain = {"tp": 1, "pp": 1, "layer_split": 0, "ep": 1, "dcp": 1, "batch": MOST}
        plain |= {"prefill_gpus": 0, "prefill_tp": 1, "prefill_ep": 1}
        axes = {**plain, "gpus": gpus, **pins}
        named = {"layer_split": [pins["layer_split"]]} if "layer_split" in pins else {}
        numbered_splits(named, "--why")
        axes |= {name: each[0] for name, each in named.items()}
        width, left = axes["tp"] * axes["pp"], gpus - axes["prefill_gpus"]
        if left < 1:
            raise UsageError(f"--why: no GPU of {gpus:,} is left to decode", "fewer prefill_gpus")
        dp = axes.get("dp", max(1, left // width))
        if "dp" in pins and width * dp != left:
            raise UsageError(
                f"--why: tp x pp x dp = {width * dp:,} are not {left:,} GPUs",
                "leave out dp, or give degrees that multiply out",
            )
        axes |= {"dp": dp, "asked": axes["batch"]}
        for name, each in self._derived().items():
            if name not in axes and name != "batch":
                axes[name] = max(0 if name == "redundant_experts" else 1, int(each.of(axes)))
        return axes

    def settled(self, axes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the axes of a layout that no rule refuses with its batch as a number."""
        if axes["asked"] != MOST:
            return dict(axes)
        import numpy as np

        columns = {name: np.array([each]) for name, each in axes.items()}
        return {**axes, "batch": max(1, int(self._batches(columns)[0]))}

    def lacks(self, winner: Winner) -> list[str]:
        """Say why a layout asked about by itself is not to be used."""
        answer = winner.answers["serve"]
        return [] if answer.columns[0].ledger["serve.fits"] else [*answer.warnings[:1]]

    def how(self, axis: str) -> str:
        """Say how an axis came about."""
        following = ("dp", "etp", "redundant_experts", "prefill_dp", "prefill_etp")
        if axis in following and axis not in self.pins:
            return "follows from the others"
        return "pinned" if axis in self.pins or axis == "gpus" else "searched"

    def told(self, axes: Mapping[str, Any]) -> str:
        """Name a layout by the axes that are not at their plainest."""
        shown = [f"{name} {axes[name]}" for name in ("tp", "dp", "pp", "ep", "etp", "dcp")]
        shown = [each for each in shown if not each.endswith(" 1")] or ["1 GPU"]
        if split_of(axes) != SPLITS[0]:
            shown.append(f"{split_of(axes)} stages")
        if axes["redundant_experts"]:
            shown.append(f"{axes['redundant_experts']:,} redundant experts")
        if axes.get("prefill_gpus"):
            shown.append(beside.told(axes))
        batch = "the largest batch" if axes["batch"] == MOST else f"batch {axes['batch']:,}"
        return ", ".join([*shown, batch])

    def command(self, axes: Mapping[str, Any], slo: tuple[str, ...] = ()) -> str:
        """Return the command that asks about one layout by itself; ``slo`` finds the batch."""
        batch = axes["batch"] if axes["batch"] != MOST and not slo else None
        query = as_dict(msgspec.structs.replace(self.query_of(axes, batch), slo=slo))
        return f"dsv3calc {query_text({'command': 'serve', **query})}"


def split_of(axes: Mapping[str, Any]) -> str:
    """Return how layers are split over stages, in words; axes may have the number of the split."""
    split = axes["layer_split"]
    return split if isinstance(split, str) else SPLITS[split]
