"""How tokens are drafted, as queries give it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.errors import UsageError
from dsv3calc.studies.checked import number, positive

if TYPE_CHECKING:
    from dsv3calc.accounting.speculation import Speculation
    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.schema.model import Model

MOST_DRAFTS = 64


def speculation_of(
    model: Preset[Model],
    draft_tokens: int | None,
    acceptance: float | None,
    draft: Preset[Model] | None = None,
) -> Speculation | None:
    """Return how tokens are drafted; None where they are not.

    Raises
    ------
    UsageError
        If an option is wrong, or nothing can draft.
    """
    if draft_tokens is None:
        given = {"--acceptance": acceptance, "--draft-model": draft}
        flags = [flag for flag, value in given.items() if value is not None]
        if flags:
            raise UsageError(
                f"{', '.join(flags)}: no token is drafted", "--draft-tokens 1 --acceptance 0.85"
            )
        return None
    from dsv3calc.accounting.speculation import Speculation

    drafts = positive("--draft-tokens", draft_tokens, 1, most=MOST_DRAFTS)
    if draft is None and model.value.mtp is None:
        raise UsageError(
            f"--draft-tokens: {model.name} has no MTP module in its preset or file, and no other "
            "draft model is counted",
            "leave out --draft-tokens, or take --draft-model in flops and kv",
        )
    if acceptance is not None:
        acceptance = number("--acceptance", acceptance, 0, most=1)
        if acceptance >= 1:
            raise UsageError("--acceptance 1: expected a share below 1", "--acceptance 0.99")
    return Speculation(
        draft_tokens=drafts, acceptance=acceptance, draft=None if draft is None else draft.value
    )
