"""The rules of serving layouts: those of degrees, and what an engine or ``serve`` refuses."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.traffic.exchange import copies_of, group_on
from dsv3calc.errors import Infeasible, UsageError
from dsv3calc.model.architecture import architecture_of, experts_of
from dsv3calc.studies.layout.expert_degrees import STATED, divides
from dsv3calc.studies.memory.options import check_imbalance
from dsv3calc.studies.search import beside
from dsv3calc.studies.search.request import MOST
from dsv3calc.studies.search.rules import Rule, pinned, serving_rules, split_rule
from dsv3calc.studies.serve.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dsv3calc.queries.search import SearchQuery
    from dsv3calc.queries.serve import ServeQuery
    from dsv3calc.schema.layout import Layout
    from dsv3calc.studies.layout.build import Problem
    from dsv3calc.studies.layout.expert_degrees import Rule as ExpertRule
    from dsv3calc.studies.memory.serving import Asked

LAYOUT = ("tp", "dp", "pp", "layer_split", "ep", "etp", "dcp", "redundant_experts")
"""The columns of a layout that decodes."""

CONDITIONS = ("batch", *(name for name in LAYOUT if name != "layer_split"), *beside.COLUMNS)
"""Axes that conditions may name: columns, but for the split, which columns have by number."""

_FLAGS = ("tp", "dp", "pp", "dcp")


class Rules:
    """The rules of a search over serving layouts.

    Parameters
    ----------
    query
        What is asked for.
    server, asked
        ``serve`` and ``memory --serve`` on the layout that all others are made from.
    rule
        What etp follows from.
    query_of
        Returns the query about one layout by itself.
    """

    def __init__(
        self,
        query: SearchQuery,
        server: Server,
        asked: Asked,
        rule: ExpertRule,
        query_of: Callable[[Mapping[str, Any], int | None], ServeQuery],
    ) -> None:
        self.query = query
        self.server = server
        self.asked = asked
        self.rule = rule
        self.query_of = query_of
        self._known: dict[tuple[bool, ...], list[Problem]] = {}

    def all(self, pins: Mapping[str, Sequence[int]]) -> list[Rule]:
        """List the rules of a search with some pins."""
        asked, model = self.asked, self.asked.model.value
        of_degrees = [
            *serving_rules(model, asked.hardware.value, self._undivided),
            Rule(
                "exchange",
                "groups of experts hold as many redundant ones",
                ("tp", "pp", "dp", "ep", "etp", "redundant_experts"),
                self._unsent,
            ),
        ]
        rules = list(of_degrees)
        if "dp" in pins:
            rules.insert(1, pinned("dp", pins["dp"]))
        if len(pins.get("layer_split", ())) > 1:
            words, needs = "balanced stages differ from even ones", ("pp", "layer_split")
            rules.append(split_rule("split", words, needs, model, mtp=asked.serving.mtp))
        imbalance = self.query.imbalance
        if imbalance is not None:
            rules.append(
                Rule(
                    "imbalance",
                    "the load of the fullest GPU can be",
                    ("ep", "redundant_experts"),
                    lambda layout, _: _raised(lambda: check_imbalance(model, layout, imbalance)),
                )
            )
        base, prompt = self.server.inputs.layout, self.server.requests.prompt
        return [
            *rules,
            beside.rule_of(of_degrees, base, asked, prompt),
            Rule(
                "loads",
                "the engine loads the weights",
                ("tp", "dp", "etp") if _spans_instance(base) else ("tp", "etp"),
                lambda layout, _: beside.unloaded(layout, asked),
            ),
            Rule("serves", "serve times such a layout", (*LAYOUT, *beside.COLUMNS), self._unserved),
            Rule("batch", "the set-up decodes the batch", ("asked",), self._small),
        ]

    def _undivided(self, layout: Layout, _: Mapping[str, Any]) -> Iterable[Problem]:
        rule = self.rule
        if rule is STATED or not experts_of(self.asked.model.value) or divides(layout, rule):
            return
        yield (
            f"tp {layout.tp:,} x dp {layout.dp:,} do not divide by ep {layout.ep:,}"
            if not rule.whole
            else f"ep {layout.ep:,} is neither 1 nor tp x dp",
            rule.words,
        )

    def _unsent(self, layout: Layout, _: Mapping[str, Any]) -> Iterable[Problem]:
        """Yield what keeps tokens from being routed: groups with unequal numbers of experts."""
        views = architecture_of(self.asked.model.value).groups
        hardware, exchange = self.asked.hardware.value, self.asked.serving.exchange

        def ask() -> None:
            for view in views:
                if layout.ep > 1 and view.experts is not None:
                    copies_of(view, layout, group_on(hardware, layout), exchange)

        return _raised(ask)

    def _unserved(self, _: Layout, values: Mapping[str, Any]) -> Iterable[Problem]:
        """Yield what ``serve`` says against a layout of this kind: one of each is asked about."""
        known, flags = self._known, [values[name] > 1 for name in _FLAGS]
        key = (*flags, values["prefill_gpus"] > 0)  # serve refuses by these alone
        if key not in known:

            def ask() -> None:
                server = Server.asked(self.query_of(values, None))
                server.times(server.least)

            known[key] = _raised(ask)
        return known[key]

    def _small(self, _: Layout, values: Mapping[str, Any]) -> Iterable[Problem]:
        least = self.server.least
        if MOST < values["asked"] < least:
            yield f"a batch of {values['asked']:,}", f"the least is {least:,}"


def _spans_instance(layout: Layout) -> bool:
    """Tell whether the replicas of an instance divide some of the weights among them."""
    return "instance" in (layout.shared_experts, layout.dense_feed_forward)


def _raised(ask: Callable[[], object]) -> list[Problem]:
    """Return what asking raises, as a problem."""
    try:
        ask()
    except (UsageError, Infeasible) as error:
        return [(error.message, error.hint or "asked by itself")]
    return []
