"""What a query about memory trains or serves with: presets, options put into them, conventions."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.memory.conventions import LIBRARIES, Library
from dsv3calc.accounting.memory.footprint import Training
from dsv3calc.accounting.memory.sharding import Rules
from dsv3calc.accounting.memory.states import COMPUTE_COPIES
from dsv3calc.accounting.traffic.exchange import Exchange
from dsv3calc.accounting.traffic.transfer_formats import FORMATS
from dsv3calc.catalogue.overrides import Override
from dsv3calc.errors import UsageError
from dsv3calc.model.architecture import has_experts
from dsv3calc.model.saved import BF16, MODULES
from dsv3calc.reading.diagnostics import quote, suggest
from dsv3calc.studies.checked import number, one_of
from dsv3calc.studies.layout.choose import named_by
from dsv3calc.studies.memory.options import check_imbalance, typed
from dsv3calc.studies.traffic.exchanges import (
    LARGEST_IMBALANCE,
    cite_formats,
    dispatch_format,
    format_of,
    tell_imbalance,
)

if TYPE_CHECKING:
    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.queries.base import Query
    from dsv3calc.queries.memory import MemoryQuery
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.memory import Recipe, Recompute
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import Precision
    from dsv3calc.schema.setup import Setup
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.preset_loader import PresetLoader

_OF_TRAINING = (
    "bucket", "fragmentation", "allowance", "loss", "gradient_buffers", "frees_gradients",
    "whole_gradients", "keeps_outputs", "separate_context_output", "weight_copies",
)  # fmt: skip
"""The fields of a set-up's memory that training reads, whatever the layout."""

KERNELS = ("flash", "unfused")
ORDERS = ("before", "after")


def library_of(query: MemoryQuery) -> Library | None:
    """Return the library or paper whose way of counting a query asks for.

    Raises
    ------
    UsageError
        If there is none of that name, or an option contradicts what it fixes.
    """
    if query.library is None:
        return None
    name = one_of("--as", query.library, LIBRARIES, "")
    library = LIBRARIES[name]
    clash = [
        option
        for option in library.fixes
        if getattr(query, option) not in (None, False, library.fixes[option])
    ]
    if clash:
        fixed = ", ".join(f"{option}={library.fixes[option]}" for option in clash)
        options = ", ".join(map(typed, clash))
        raise UsageError(
            f"--as {name} fixes {fixed}; it cannot go with {options}",
            f"leave out --as {name} to choose each convention yourself",
        )
    return library


def setup_used(layout: Layout, setup: Setup, *more: str) -> tuple[str, ...]:
    """Return the fields of a set-up that a query needs: one GPU alone has no collectives."""
    axes = setup.memory.communication_axes
    used = ["driver_context", "workspace", *more]
    if any(getattr(layout, axis) > 1 for axis in axes):
        used.append("communication")
    elif layout.gpus > 1:
        used.append("communication_axes")
    return tuple(f"memory.{name}" for name in used)


def _edits(kind: str, values: dict[str, Any]) -> tuple[Override, ...]:
    """Return the options that were given as edits of a preset."""
    return tuple(
        Override(kind, name, str(value), f"{kind}.{name}={value}")
        for name, value in values.items()
        if value is not None
    )


def recompute_of(query: Query, loader: PresetLoader, layout: Layout) -> Preset[Recompute]:
    """Return the policy of a query: a preset by name, or modules separated by commas.

    The query may choose how a policy writes and keeps activations.

    Raises
    ------
    UsageError
        If it names neither.
    """
    own, kernel, order, dropout = (
        getattr(query, name, None)
        for name in ("recompute", "attention_kernel", "routing_weights", "dropout")
    )
    wanted: str = layout.recompute if own is None else own
    edits = _edits(
        "recompute",
        {
            "attention_kernel": kernel and one_of("--attention-kernel", kernel, KERNELS, ""),
            "routing_weights": order and one_of("--routing-weights", order, ORDERS, ""),
            "dropout": "true" if dropout else None,
        },
    )
    modules = [part.strip() for part in wanted.split(",")]
    if modules == [""]:
        raise UsageError(
            "--recompute '': expected a policy or modules",
            "--recompute none recomputes nothing; dsv3calc presets list recompute",
        )
    if "full" in modules and len(modules) > 1:
        raise UsageError(
            f"--recompute {quote(wanted)}: full cannot be combined, it recomputes everything",
            "leave out full, or the modules beside it",
        )
    if len(modules) > 1 or (modules[0] in MODULES and modules[0] != "full"):
        for module in modules:
            if module not in MODULES:
                close = suggest(module, MODULES)
                raise UsageError(
                    f"--recompute {quote(wanted)}: there is no module {quote(module)}",
                    f"did you mean '{close}'?"
                    if close
                    else f"modules: {', '.join(name for name in MODULES if name != 'full')}",
                )
        listed = Override("recompute", "modules", f"[{', '.join(modules)}]", f"modules={wanted}")
        return loader.recompute("none", (*edits, listed))
    try:
        return loader.recompute(wanted, edits)
    except UsageError as error:
        close = suggest(wanted, MODULES)
        if not close or "no recompute preset" not in error.message:
            raise
        raise UsageError(error.message, f"did you mean the module '{close}'?") from None


class Inputs:
    """The presets of one query, loaded and cited."""

    __slots__ = ("library", "precision", "recipe", "recompute", "setup", "training")

    def __init__(
        self,
        query: MemoryQuery,
        loader: PresetLoader,
        answer: Answer,
        model: Preset[Model],
        layout: Layout,
        hardware: Hardware,
    ) -> None:
        self.library = library_of(query)
        if self.library is not None:
            query = msgspec.structs.replace(query, **self.library.fixes)
        self.precision: Preset[Precision] = loader.precision(
            named_by(query, layout, answer, "precision"), model
        )
        copy = query.compute_copy and one_of(
            "--compute-copy", query.compute_copy, COMPUTE_COPIES, ""
        )
        self.recipe: Preset[Recipe] = loader.recipe(
            named_by(query, layout, answer, "recipe") or self.precision.value.recipe,
            _edits("recipe", {"compute_copy": copy}),
        )
        self.recompute = recompute_of(query, loader, layout)
        self.setup: Preset[Setup] = loader.setup(query.setup)
        answer.cite(self.precision, used=("weights", "activations", "formats"))
        experts = has_experts(model.value)
        answer.cite(self.recipe)
        answer.cite(
            self.recompute,
            used=("modules", "keep", "formats", "attention_kernel", "activation_function")
            + (("routing_weights",) if experts else ()),
        )
        memory = self.setup.value.memory
        answer.cite(self.setup, used=setup_used(layout, self.setup.value, *_OF_TRAINING))
        imbalance = number("--imbalance", query.imbalance, 1, least=1, most=LARGEST_IMBALANCE)
        check_imbalance(model.value, layout, query.imbalance)
        dispatch = dispatch_format(self.precision)
        exchange = Exchange(
            dispatch=format_of("--dispatch", query.dispatch, dispatch),
            combine=format_of("--combine", query.combine, FORMATS["bf16"]),
        )
        if experts:
            cite_formats(answer, exchange.dispatch, exchange.combine)
        cite_formats(answer, *(FORMATS[name] for name in self.recompute.value.formats.values()))
        rules = self.library.rules if self.library is not None else None
        if query.padded:
            rules = msgspec.structs.replace(rules or Rules(), padded=True)
        self.training = Training(
            self.precision.value,
            self.recipe.value,
            self.recompute.value,
            memory,
            exchange=exchange,
            rules=rules,
            imbalance=imbalance,
            twice=frozenset(
                each.format
                for each in memory.weight_copies
                if each.one_with is None or each.one_with not in hardware.peaks
            ),
        )
        answer.query |= {
            "precision": self.precision.name,
            "recipe": self.recipe.name,
            "recompute": query.recompute or layout.recompute,
            "setup": self.setup.name,
            "runtime": self.setup.name,
            "imbalance": imbalance,
        }
        self._tell(answer, imbalance if experts else None)

    def _tell(self, answer: Answer, imbalance: float | None) -> None:
        copy = self.recipe.value.compute_copy
        words = f"weights for the forward pass: {COMPUTE_COPIES[copy]}"
        twice = self.training.twice.intersection(self.precision.value.weights.values())
        if copy == "stored" and twice:
            words += f"; of matrices in {', '.join(sorted(twice))} two, as {self.setup.name} has it"
        answer.notes.append(words)
        stored = self.precision.value.formats[self.precision.value.activations]
        if stored.bits < BF16.value and not self.recompute.value.formats:
            answer.notes.append(
                f"activations are kept in BF16, though {self.precision.name} computes in "
                f"{stored.dtype}: --recompute fp8-caches keeps matrices' inputs in FP8"
            )
        if imbalance is not None:
            words = "the most loaded GPU's experts receive {} times the mean number of rows"
            tell_imbalance(answer, imbalance, words)
