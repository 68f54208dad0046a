"""What was counted of the failures of a training run."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dsv3calc.schema.fields import Name, Natural, Size, Text
from dsv3calc.schema.provenance import Source, provenance_problems


class Failures(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Events of one job in an observed time.

    ``interruptions`` are those that nobody planned and that stopped the job;
    ``silent_corruptions`` those among them that were traced to wrong results of a device (null
    where they were not counted). ``days`` is the observed time.
    """

    name: Name
    title: Text
    job_gpus: Size
    days: Size
    interruptions: Size
    silent_corruptions: Natural | None = None
    sources: dict[str, Source]
    provenance: dict[str, str]

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield more silent corruptions than interruptions, and sources that are not listed."""
        if (self.silent_corruptions or 0) > self.interruptions:
            yield (
                ("silent_corruptions",),
                "more silent corruptions than interruptions",
                "they are counted among the interruptions",
            )
        yield from provenance_problems(self.sources, self.provenance)
