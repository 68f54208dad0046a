"""Answer ``flops``: what a forward pass or a training step computes."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.conventions import BUNDLES, choose_conventions
from dsv3calc.accounting.flops import flops_lines
from dsv3calc.accounting.packed import packed_lines
from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Ledger
from dsv3calc.model.architecture import architecture_of
from dsv3calc.queries.base import FlopsQuery, as_dict
from dsv3calc.studies.answer import Answer, Column
from dsv3calc.studies.conventions.estimates import check_estimate
from dsv3calc.studies.preset_loader import (
    PresetLoader,
    beside_layers,
    warn_context,
    warn_inapplicable,
    workload_of,
)
from dsv3calc.studies.speculation import speculation_of

if TYPE_CHECKING:
    from dsv3calc.accounting.conventions import Bundle
    from dsv3calc.accounting.speculation import Speculation
    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.workload import Conventions, Workload


def _speculation(
    query: FlopsQuery,
    preset: Preset[Model],
    workload: Workload,
    conventions: Conventions,
    loader: PresetLoader,
    answer: Answer,
) -> tuple[Speculation | None, Workload]:
    """Return how tokens are drafted, and the workload of the step that verifies them."""
    draft = None if query.draft_model is None else loader.model(query.draft_model)
    found = speculation_of(preset, query.draft_tokens, query.acceptance, draft)
    if found is None:
        return None, workload
    if draft is not None:
        answer.cite(draft)
    wrong = {
        f"--phase {workload.phase}": workload.phase != "decode",
        "--seq": query.sequence is not None,
        "--with-mtp": query.with_mtp,
        f"--counting {conventions.counting}": conventions.counting != "matmul",
    }
    for option, given in wrong.items():
        if given:
            raise UsageError(
                f"{option} beside --draft-tokens: a decode step verifies the drafted tokens and "
                "one more, and drafts are counted apart",
                "--phase decode --draft-tokens 2 --acceptance 0.8",
            )
    verified = 1 + int(found.draft_tokens)
    answer.notes.append(
        f"speculation: {verified:,} tokens of a sequence are verified together, after "
        f"{found.draft_tokens:,} draft passes"
    )
    return found, msgspec.structs.replace(workload, sequence=verified)


def _has_last_logit(bundle: Bundle | None, phase: str) -> bool:
    """Tell whether a library computes the head for the last token alone."""
    return bundle is not None and bundle.last_logit and phase != "train"


def _warn_rule_of_thumb(query: FlopsQuery, counting: str, answer: Answer) -> None:
    """Tell which options change nothing where FLOPs are not counted product by product."""
    for option, value in (
        ("--attention", query.attention),
        ("--mla", query.mla if counting != "six-n-attention" else None),
        ("--scan", query.scan),
        ("--head", query.head),
        ("--router", query.router),
        ("--last-logit", "" if query.last_logit else None),
    ):
        if value is not None:
            answer.warn(
                f"{option} {value}".rstrip()
                + f" has no effect: --counting {counting} is a rule of thumb"
            )
    if query.with_mtp and counting == "twelve-l-h2":
        answer.warn("--with-mtp has no effect: --counting twelve-l-h2 is a rule of thumb")


def answer_flops(query: FlopsQuery) -> Answer:
    """Count the FLOPs of a workload.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    """
    conventions = choose_conventions(
        {
            "counting": query.counting,
            "attention": query.attention,
            "scan": query.scan,
            "mla": query.mla,
            "head": query.head,
            "router": query.router,
            "recompute": query.recompute,
            "mtp": "in" if query.with_mtp else None,
        },
        convention=query.convention,
        library=query.library,
    )
    if query.recompute == "full" and query.phase != "train":
        raise UsageError("--recompute full: only training keeps and recomputes activations")
    packed = query.sequence if isinstance(query.sequence, tuple) else ()
    if packed and query.phase == "decode":
        raise UsageError(
            "--seq with several lengths: sequences are packed in training and in prefill, and a "
            "decode step has the same number of new tokens of each",
            "--phase prefill, or one length",
        )
    longest = max(packed) if isinstance(query.sequence, tuple) else query.sequence
    bundle = BUNDLES.get(query.library or "")
    last = query.last_logit or _has_last_logit(bundle, query.phase)
    workload = workload_of(query.phase, query.batch, longest, query.past, last_logit=last)
    loader = PresetLoader(query)
    preset = loader.model(query.model)
    check_estimate(bundle, preset.value, workload.phase, conventions)
    answer = Answer("flops", as_dict(query))
    speculation, workload = _speculation(query, preset, workload, conventions, loader, answer)
    loader.check_overrides()
    answer.query |= {
        "phase": workload.phase,
        "batch": workload.batch,
        "sequence": list(packed) if packed else workload.sequence,
        "past": workload.past,
    }
    if not (query.convention or query.library):
        answer.query |= {"counting": conventions.counting, "attention": conventions.attention}
    answer.cite(preset, unused=beside_layers(query.with_mtp or speculation is not None))
    answer.notes += query.notes
    warn_inapplicable(
        answer,
        preset.name,
        preset.value,
        mla=query.mla,
        scan=query.scan,
        with_mtp=query.with_mtp or None,
        router=query.router,
        last_logit=query.last_logit and workload.sequence == 1,
    )
    warn_context(
        answer,
        preset.name,
        preset.value,
        workload.past + workload.sequence,
        cached=workload.past,
    )
    if conventions.counting != "matmul":
        _warn_rule_of_thumb(query, conventions.counting, answer)
    elif workload.phase == "train" and any(
        view.attention.indexer is not None for view in architecture_of(preset.value).groups
    ):
        answer.assumptions.append(
            f"{preset.name}: only the forward pass of the indexer is counted: no gradient of the "
            "language-model loss reaches it, and its own loss is not counted"
        )
    count = flops_lines(preset.value, workload, conventions)
    if packed:
        count = packed_lines(preset.value, workload, conventions, packed)
    lines = count.lines
    if speculation is not None:
        from dsv3calc.accounting.speculation import step_lines

        lines += step_lines(count.total, preset.value, workload, conventions, speculation).lines
    ledger = Ledger(preset.value.title, lines)
    answer.columns.append(Column(preset.name, preset.value.title, ledger))
    return answer
