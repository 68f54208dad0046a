"""What an answer says of a KV format: its sources, and how index keys are stored."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.kv_cache import has_own_index_keys
from dsv3calc.model.architecture import architecture_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import KVFormat
    from dsv3calc.schema.workload import Conventions
    from dsv3calc.studies.answer import Answer


def cite_kv_format(
    answer: Answer,
    preset: Preset[KVFormat],
    models: Iterable[Model],
    conventions: Conventions,
) -> None:
    """Cite a KV format, and note how it stores index keys where a model has an indexer."""
    kv_format = preset.value
    indexed = has_own_index_keys(kv_format, conventions) and any(
        view.attention.indexer is not None
        for model in models
        for view in architecture_of(model).groups
    )
    answer.cite(preset, unused=() if indexed else ("indexer_",))
    if not indexed:
        return
    group = kv_format.indexer_group_size
    scale = f" and a {kv_format.indexer_scale_bits}-bit scale for each {group}" if group else ""
    answer.notes.append(
        f"index keys of sparse attention take {kv_format.indexer_bits} bits an element{scale}; "
        f"{preset.name} is the format of the rest"
    )
