"""Layouts of queries: a preset with options put in, or options alone, and whether a model fits one.

What does not divide is refused with the rule, the reason and the nearest valid values:
see :mod:`dsv3calc.studies.layout.degrees`.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from dsv3calc.accounting.placement.schedule_problems import schedule_problems
from dsv3calc.accounting.placement.schedules import virtual_stages
from dsv3calc.catalogue.overrides import Override
from dsv3calc.errors import UsageError
from dsv3calc.model.architecture import architecture_of
from dsv3calc.queries.fields import flag_of
from dsv3calc.reading.diagnostics import quote
from dsv3calc.schema.fields import LARGEST_COUNT
from dsv3calc.schema.layout import Layout, Schedule, SharedExperts
from dsv3calc.schema.provenance import Source
from dsv3calc.studies.checked import one_of, positive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.queries.base import Query
    from dsv3calc.schema.model import Model
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.preset_loader import PresetLoader

DEGREES = ("tp", "cp", "pp", "dp", "ep", "etp")
LARGEST_DEGREE = 2**20
LARGEST_PIPELINE = 4096
LARGEST_INTERLEAVED = 2**15
"""Of pp v v: each of a rank's v moments has v chunks."""
_NUMBERS = {
    **dict.fromkeys((*DEGREES, "dcp", "virtual_pipeline"), (1, LARGEST_DEGREE)),
    **dict.fromkeys(("micro_batch", "global_batch"), (1, LARGEST_COUNT)),
    "redundant_experts": (0, LARGEST_DEGREE),
    "zero": (0, 3),
}
"""Field of a layout -> the least and the largest that an option may give."""
_CHOICES = {"schedule": get_args(Schedule), "shared_experts": get_args(SharedExperts)}
_FLAGS = ("sequence_parallel", "mirror_optimizer")
_SPLIT = r"[0-9]{1,6}(\*[0-9]{1,4})?(,[0-9]{1,6}(\*[0-9]{1,4})?){0,9999}"

Problem = tuple[str, str]
"""What is wrong, and why."""


class WrongDegrees(UsageError):
    """A layout of a query whose degrees do not multiply out."""

    def __init__(self, message: str, hint: str, layout: Layout) -> None:
        super().__init__(message, hint)
        self.layout = layout


def fields_given(query: Query) -> dict[str, Any]:
    """Return the fields of a layout that a query's options give, checked."""
    found: dict[str, Any] = {}

    def take(name: str) -> Any:
        return getattr(query, name, None)

    for name, (least, most) in _NUMBERS.items():
        if (value := take(name)) is not None:
            found[name] = positive(flag_of(query, name), value, least, least=least, most=most)
    for name, choices in _CHOICES.items():
        if (value := take(name)) is not None:
            found[name] = one_of(flag_of(query, name), value, choices, "")
    for name in _FLAGS:
        if (flag := take(name)) is not None:
            found[name] = flag
    if (split := take("layer_split")) is not None:
        found["layer_split"] = layer_split(split)
    return found


def layer_split(text: str) -> str | list[int]:
    """Read ``even``, ``balanced`` or the layers of each stage, separated by commas."""
    if text in ("even", "balanced"):
        return text
    if not re.fullmatch(_SPLIT, text):
        raise UsageError(
            f"--layer-split {quote(text)}: expected even, balanced or the layers of each stage",
            "such as --layer-split 4,4,4,3, or 4*15,1 for fifteen stages of four layers and one",
        )
    found: list[int] = []
    for part in text.split(","):
        layers, _, stages = part.partition("*")
        found += [int(layers)] * int(stages or 1)
    return found


def layout_preset(query: Query, loader: PresetLoader) -> Preset[Layout] | None:
    """Return the preset that a query names, with its options put in; None where it names none."""
    reference = getattr(query, "layout", None)
    if reference is None:
        return None
    edits = tuple(
        Override("layout", name, _as_yaml(value), f"layout.{name}={_as_yaml(value)}")
        for name, value in fields_given(query).items()
    )
    if not edits:
        return loader.layout(reference)
    stated = loader.layout(reference).value
    try:
        return loader.layout(reference, edits)
    except UsageError as error:
        layout = msgspec.structs.replace(stated, **fields_given(query))
        raise WrongDegrees(error.message, error.hint, layout) from None


def default_dp(layout: Layout) -> int:
    """Return the dp of a layout that states none: enough for one expert-parallel group."""
    return -(-layout.ep * layout.etp // (layout.tp * layout.cp))


def layout_of(
    query: Query, loader: PresetLoader, answer: Answer, used: tuple[str, ...] = ()
) -> Layout:
    """Return the layout of a query: a preset with its options put in, or the options alone.

    ``used`` names the fields whose assumptions matter to the answer: all where none is named.

    Raises
    ------
    UsageError
        If there is no such preset or no degree is given.
    WrongDegrees
        If they do not multiply out.
    """
    preset = layout_preset(query, loader)
    if preset is not None:
        answer.cite(preset, used=used or _with_effect(preset.value))
        return preset.value
    given = fields_given(query)
    if not given.keys() & set(DEGREES) and getattr(query, "alone", False):
        given |= dict.fromkeys(DEGREES, 1)
    if not given.keys() & set(DEGREES):
        raise UsageError(
            f"{query.command} needs to know how GPUs share the work",
            "give --tp 8, or a layout for serving: --layout v3-decode-ep320 for DeepSeek-V3 "
            "(dsv3calc presets list layouts)"
            if getattr(query, "serve", False)
            else "give --layout v3-pretrain (dsv3calc presets list layouts), or --tp, --pp, --dp, "
            "--ep",
        )
    layout = Layout(
        name="options",
        title="options of the query",
        sources={"options": Source(kind="assumed", citation="the options of the query")},
        provenance={"default": "options"},
        **given,
    )
    if "dp" not in given:
        layout = msgspec.structs.replace(layout, dp=default_dp(layout))
        grouped = ": one expert-parallel group" if given.keys() & {"ep", "etp"} else ""
        answer.assumptions.append(f"dp is {layout.dp:,}{grouped}, since --dp is not given")
    try:
        refuse([(what, why) for _, what, why in layout.problems()])
    except UsageError as error:
        raise WrongDegrees(error.message, error.hint, layout) from None
    return layout


def _with_effect(layout: Layout) -> tuple[str, ...]:
    """Return the fields of a layout that its schedule does not leave without effect."""
    idle = () if layout.schedule == "dualpipe" else ("mirror_optimizer",)
    return tuple(name for name in (*layout.__struct_fields__, "default") if name not in idle)


def _as_yaml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def refuse(problems: list[Problem], hint: Callable[[], str] = lambda: "") -> None:
    """Raise all problems at once, with what would do; nothing where there are none."""

    def reasons_and_hint() -> str:
        reasons = "; ".join(dict.fromkeys(why for _, why in problems))
        found = hint()
        return f"{reasons}: {found}" if found else reasons

    if problems:
        raise UsageError("; ".join(dict.fromkeys(what for what, _ in problems)), reasons_and_hint)


def divided_widths(model: Model, layout: Layout) -> Iterator[tuple[str, int, bool]]:
    """Yield widths of feed-forwards that tp divides, whose they are, and whether dp does too."""
    found: dict[tuple[str, int, bool], None] = {}
    for view in architecture_of(model).groups:
        for tensor in view.feed_forward.tensors:
            shared = tensor.component == "shared_experts"
            whole = layout.is_replicated(tensor.component)
            if whole or (shared and layout.shared_experts == "routed"):
                continue
            if tensor.division == "split" and tensor.in_features is view.hidden:
                whose = "the shared experts'" if shared else f"a {view.feed_forward.kind}"
                spans = layout.spans_instance(tensor.component)
                found[whose, tensor.out_features.value, spans] = None
    yield from found


def model_problems(model: Model, layout: Layout) -> Iterator[Problem]:
    """Yield degrees that the model's layers or heads do not divide into."""
    yield from pipeline_problems(model, layout)
    yield from head_problems(model, layout)


def pipeline_problems(model: Model, layout: Layout) -> Iterator[Problem]:
    """Yield a pipeline with more stages than the model has layers."""
    if layout.pp > model.num_hidden_layers:
        yield (
            f"{layout.pp:,} pipeline stages for {model.num_hidden_layers:,} layers",
            f"every stage has a layer, so pp is at most {model.num_hidden_layers:,}",
        )


def head_problems(model: Model, layout: Layout) -> Iterator[Problem]:
    """Yield heads that tp does not divide."""
    for view in architecture_of(model).groups:
        for block in view.mixing:
            heads, shared = block.heads.value, block.shared_heads
            if heads % layout.tp:
                yield (
                    f"{heads:,} {block.part} heads do not divide among tp {layout.tp:,}",
                    "tensor parallelism divides whole heads",
                )
            elif shared is not None and shared.value % layout.tp and layout.tp % shared.value:
                words = block.shared_words
                yield (
                    f"{shared.value:,} {words} and tp {layout.tp:,}: neither divides the other",
                    f"each GPU has whole {words}, or as many GPUs share each of them",
                )


def sequence_problems(layout: Layout, sequence: int) -> Iterator[Problem]:
    """Yield a sequence that does not divide among the GPUs that share it."""
    parts, words = layout.cp, f"cp {layout.cp:,}"
    if layout.sequence_parallel:
        parts, words = parts * layout.tp, f"{words} x tp {layout.tp:,}"
    if sequence % parts:
        above = -(-sequence // parts) * parts
        yield (
            f"a sequence of {sequence:,} tokens does not divide among {words}",
            f"choose another --seq or --cp: {above:,} tokens would divide",
        )


def stage_problems(model: Model, layout: Layout, stages: int) -> Iterator[Problem]:
    """Yield a list of layers that is not the model's, and places that are no stage."""
    split = layout.layer_split
    if isinstance(split, list):
        if len(split) != stages:
            ranks, rest = divmod(len(split) * layout.pp, stages)
            there = f"pp is {layout.pp:,}"
            if stages != layout.pp:
                there = (
                    f"schedule {layout.schedule} with pp {layout.pp:,} has {stages:,} virtual ones"
                )
            yield (
                f"layer_split lists {len(split):,} stages, but {there}",
                f"list {stages:,}" if rest or ranks < 1 else f"--pp {ranks}",
            )
        if sum(split) != model.num_hidden_layers:
            yield (
                (
                    f"layer_split has {sum(split):,} layers, and {model.name} has "
                    f"{model.num_hidden_layers:,}"
                ),
                "every layer must be on exactly one stage",
            )
    for name in ("embedding_stage", "head_stage", "mtp_stage"):
        place = getattr(layout, name)
        if not -stages <= place < stages:
            yield (
                f"{name} {place:,} of {stages:,} stages",
                f"stages are numbered 0 to {stages - 1}, or -1 for the last",
            )


def check_grouping(
    model: Model,
    layout: Layout,
    sequence: int | None,
    *,
    hint: Callable[[int | None], str],
    more: Iterable[Problem] = (),
) -> None:
    """Refuse degrees that the model's layers, heads or tokens do not divide into.

    Raises
    ------
    UsageError
        With all that does not divide, the problems of ``more``, and what ``hint`` says would do
        with a sequence.
    """
    problems = list(model_problems(model, layout))
    if sequence is not None:
        problems += sequence_problems(layout, sequence)
    problems += more
    refuse(problems, lambda: hint(sequence))


def placement_problems(layout: Layout) -> Iterator[Problem]:
    """Yield feed-forwards that attention replicas share, where there is no server."""
    for name in ("shared_experts", "dense_feed_forward"):
        if getattr(layout, name) == "instance":
            yield f"{name} instance in training", "attention replicas share them in serving alone"


def training_problems(model: Model, layout: Layout, micro_batches: int) -> Iterator[Problem]:
    """Yield what keeps a schedule from running, and options that the schedule has no use for."""
    yield from placement_problems(layout)
    for _, what, why in schedule_problems(layout, micro_batches):
        yield what, why
    if layout.mirror_optimizer and layout.schedule != "dualpipe":
        yield (
            f"mirror_optimizer with schedule {layout.schedule}",
            "only DualPipe keeps a stage on two pipeline ranks",
        )
    stages = virtual_stages(layout).value
    yield from _size_problems(model, layout, stages)
    yield from stage_problems(model, layout, stages)


def _size_problems(model: Model, layout: Layout, stages: int) -> Iterator[Problem]:
    """Yield virtual stages that nothing stands on, and pipelines too long to be listed."""
    if layout.pp > LARGEST_PIPELINE:
        yield (
            f"{layout.pp:,} pipeline ranks: no more than {LARGEST_PIPELINE:,} are listed",
            f"take --pp {LARGEST_PIPELINE} or fewer",
        )
    most = model.num_hidden_layers + len(("embedding", "head"))
    if model.mtp is not None:
        most += model.mtp.num_nextn_predict_layers
    if stages > most and not isinstance(layout.layer_split, list):
        fewer = "a smaller --virtual-pipeline" if layout.virtual_pipeline > 1 else "a smaller --pp"
        yield (
            f"{stages:,} virtual stages for {model.num_hidden_layers:,} layers",
            f"some of them would be empty: take {fewer}",
        )
    elif layout.pp * layout.virtual_pipeline**2 > LARGEST_INTERLEAVED:
        yield (
            (
                f"{layout.pp:,} pipeline ranks that interleave {layout.virtual_pipeline:,} chunks "
                "each are more than can be listed"
            ),
            f"pp x virtual_pipeline^2 is up to {LARGEST_INTERLEAVED:,}: take fewer chunks",
        )
