"""What ``serve`` reads of a query: presets, layouts, the settings of its passes."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.conventions import choose_conventions
from dsv3calc.accounting.times.setting import Setting
from dsv3calc.errors import UsageError
from dsv3calc.model.architecture import experts_of
from dsv3calc.queries.fields import flag_of
from dsv3calc.schema.workload import DEFAULT_PAST
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.checked import number, one_of, positive
from dsv3calc.studies.hosted import experts_on_host
from dsv3calc.studies.kv_formats import cite_kv_format
from dsv3calc.studies.layout.build import DEGREES, check_grouping, stage_problems
from dsv3calc.studies.layout.check import decode_problems, feed_forward_problems
from dsv3calc.studies.layout.choose import chosen_layout, named_by
from dsv3calc.studies.memory.options import check_imbalance
from dsv3calc.studies.power import site_factor
from dsv3calc.studies.preset_loader import PresetLoader, beside_layers, check_kv_format
from dsv3calc.studies.setups import SERVING, refuse_other
from dsv3calc.studies.speculation import speculation_of
from dsv3calc.studies.times.answer import LARGEST_OVERSUBSCRIPTION, exchange_of
from dsv3calc.studies.traffic.exchanges import LARGEST_IMBALANCE

if TYPE_CHECKING:
    from dsv3calc.accounting.speculation import Speculation
    from dsv3calc.queries.serve import ServeQuery
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.workload import Workload

USED = (
    *DEGREES, "sequence_parallel", "redundant_experts", "shared_experts", "vocabulary_parallel",
    "dense_feed_forward", "rank_order", "precision", "dcp", "layer_split",
)  # fmt: skip
"""Fields of a layout that serving depends on."""

GATHERED = "gather"
EXCHANGES = ("all-to-all", GATHERED)
"""How experts get the tokens of other attention replicas."""

_TRAINING = ("zero", "micro_batch", "global_batch")
"""Options of layouts that mean nothing here."""


class Inputs:
    """The presets of a query, its layout for decoding, and the numbers of its passes.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    """

    def __init__(self, query: ServeQuery, answer: Answer) -> None:
        self.query = query
        self.answer = answer
        given = [flag_of(query, name) for name in _TRAINING if getattr(query, name) is not None]
        if given:
            raise UsageError(f"serve has no use for {', '.join(given)}", "leave it out")
        self.loader = loader = PresetLoader(query)
        self.model = loader.model(query.model)
        self.hardware = loader.hardware(query.hardware)
        self.setup = None if query.setup is None else loader.setup(query.setup)
        refuse_other(self.setup, SERVING, query.preset_path)
        self.layout = self._layout(query, answer)
        self.precision = loader.precision(
            named_by(query, self.layout, answer, "precision"), self.model
        )
        self.kv_format = loader.kv_format(query.kv_dtype)
        self.like = loader.like(self.hardware)
        self.achieved = loader.achieved()
        self.conventions = choose_conventions({})
        check_kv_format(self.model.name, self.model.value, self.kv_format, self.conventions)
        check_imbalance(self.model.value, self.layout, query.imbalance)
        self.context = positive("--context", query.past, DEFAULT_PAST["decode"])
        self.hosted = self._hosted(query)
        self.pue = site_factor(query.pue, self.hardware.value)
        self.beside: Layout | None = None
        """The layout of other GPUs that prefill, once it is known."""
        self.speculation = self._speculation(query)
        self.gathered = self._gathered(query)

    def on(self, layout: Layout, beside: Layout | None = None) -> Inputs:
        """Return the same inputs on another layout, of which nothing is checked or told.

        Its degrees may be recorded, and those of other GPUs ``beside`` it that prefill.
        """
        found = copy(self)
        found.layout, found.answer = layout, Answer("", {})
        found.beside = beside or self.beside
        return found

    def _layout(self, query: ServeQuery, answer: Answer) -> Layout:
        """Return the layout of a query, which serve can time."""
        model = self.model.value
        layout = chosen_layout(query, self.loader, answer, model, used=USED, serving=True)
        check_grouping(
            model,
            layout,
            None,
            hint=self.loader.degree_hint,
            more=(
                *feed_forward_problems(model, layout),
                *decode_problems(model, layout),
                *stage_problems(model, layout, layout.pp),
            ),
        )
        if layout.phase == "prefill":
            raise UsageError(
                f"the layout {layout.name} is for prefill, and serve decodes",
                "give it as --prefill-layout, and another --layout",
            )
        return msgspec.structs.replace(layout, schedule="1f1b", virtual_pipeline=1)

    def _hosted(self, query: ServeQuery) -> bool:
        """Tell whether the host holds and computes the routed experts."""
        if not experts_on_host(query, self.layout):
            return False
        for name in ("setup", "draft_tokens", "prefill_layout"):
            if getattr(query, name) is not None:
                raise UsageError(
                    f"--offload {query.offload} with {flag_of(query, name)}: not counted",
                    "leave one of them out",
                )
        if self.layout.tp > 1:
            raise UsageError(
                f"--offload {query.offload}: times are those of one device, and tp is "
                f"{self.layout.tp:,}",
                "leave out --tp; memory --serve counts with it",
            )
        return True

    def _gathered(self, query: ServeQuery) -> bool:
        """Tell whether experts get their tokens by gathering those of all replicas."""
        kind = one_of("--expert-exchange", query.expert_exchange, EXCHANGES, EXCHANGES[0])
        if query.expert_exchange is not None and (
            self.layout.ep == 1 or not experts_of(self.model.value)
        ):
            raise UsageError(
                f"--expert-exchange {kind}: no tokens are sent to experts, ep is "
                f"{self.layout.ep:,}",
                "give --ep too, or leave it out",
            )
        return kind == GATHERED

    def _speculation(self, query: ServeQuery) -> Speculation | None:
        """Return how tokens are drafted; None where they are not."""
        if query.draft_tokens is None and query.with_mtp:
            raise UsageError(
                "--with-mtp: no token is drafted", "--draft-tokens 1 --acceptance 0.85"
            )
        found = speculation_of(self.model, query.draft_tokens, query.acceptance)
        if found is not None and found.acceptance is None:
            raise UsageError(
                "--draft-tokens needs the chance that a drafted token is accepted",
                "--acceptance 0.85",
            )
        if found is not None and self.layout.pp > 1:
            raise UsageError(
                "--draft-tokens: which pipeline stage drafts is not known, and not counted",
                "leave out --draft-tokens, or take --pp 1",
            )
        return found

    @property
    def new_tokens(self) -> int:
        """Tokens of each sequence that a step verifies: the drafted ones and one more."""
        return 1 if self.speculation is None else 1 + int(self.speculation.draft_tokens)

    def setting(self, workload: Workload, layout: Layout, answer: Answer) -> Setting:
        """Return the setting of a pass on a layout; how tokens are sent is told to ``answer``."""
        query = self.query
        return Setting(
            model=self.model.value,
            layout=layout,
            workload=workload,
            conventions=self.conventions,
            hardware=self.hardware.value,
            precision=self.precision.value,
            kv_format=self.kv_format.value,
            exchange=exchange_of(query, answer, self.precision, layout, workload.phase),
            setup=None if self.setup is None else self.setup.value,
            achieved=self.achieved.value.achieved,
            like=None if self.like is None else self.like.value,
            gathered=self.gathered,
            experts_on_host=self.hosted,
            in_network=query.in_network,
            imbalance=number("--imbalance", query.imbalance, 1, least=1, most=LARGEST_IMBALANCE),
            oversubscription=number(
                "--oversubscription",
                query.oversubscription,
                1,
                least=1,
                most=LARGEST_OVERSUBSCRIPTION,
            ),
        )

    def cite(self) -> None:
        """Take over the sources of the presets into the answer."""
        answer = self.answer
        answer.cite(self.model, unused=beside_layers(self.speculation is not None))
        answer.cite(
            self.hardware,
            used=(
                "peaks",
                "memory",
                "scale_up",
                "scale_out",
                "achieved",
                "dollars_per_hour",
                *(["host"] if self.hosted else []),
            ),
        )
        answer.cite(self.precision)
        answer.cite(self.setup, used=("time",))
        cite_kv_format(answer, self.kv_format, [self.model.value], self.conventions)
