"""The table of commands: all that the program knows of one is its row here.

A row names modules and functions as texts, so that reading the table imports none of them.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dsv3calc.queries.base import Query

GROUPS = {
    "limits": "Bounds that a design sets by itself, such as the speed of expert parallelism.",
    "formula": "The formulas by name; any line as a closed form, solved, or its sensitivities.",
    "presets": "List, show, find, compare and validate presets.",
    "conventions": "What can be counted in several ways, and the named bundles.",
}
"""First word of commands of two words -> what they are about."""


class Command:
    """A command. One that asks a query needs every part; of another the file in ``commands``.

    Parameters
    ----------
    words
        What is typed for it.
    help
        Its line in the help of the program: the first of its docstring.
    query
        The struct of its query: ``base:KVQuery`` in ``dsv3calc.queries``.
    answer
        The function that answers the query: ``kv:answer_kv`` in ``dsv3calc.studies``.
    views
        View of an answer -> the module of ``dsv3calc.output.views`` that makes its tables.
    headlines
        The line that an answer is asked for: the first of these names that it has, which may be
        patterns.
    lines
        What the names of lines begin with that this command answers.
    needs_device
        Whether ``--hardware`` must be given. Where a line does not depend on it, another device is
        used.
    several
        Whether an answer has several columns.
    picture
        The module of ``dsv3calc.output.pictures`` that makes a picture of an answer.
    """

    __slots__ = (
        "answer",
        "headlines",
        "help",
        "lines",
        "needs_device",
        "picture",
        "query",
        "several",
        "views",
        "words",
    )

    def __init__(
        self,
        words: str,
        help: str,  # noqa: A002 - as in typer
        *,
        query: str = "",
        answer: str = "",
        views: Mapping[str, str] | None = None,
        headlines: tuple[str, ...] = (),
        lines: tuple[str, ...] = (),
        needs_device: bool = False,
        several: bool = False,
        picture: str = "",
    ) -> None:
        if query and not (answer and views and headlines):
            raise ValueError(f"{words}: a query needs an answer, views and headlines")
        self.words = words
        self.help = help
        self.query = query
        self.answer = answer
        self.views = views or {}
        self.headlines = headlines
        self.lines = lines
        self.needs_device = needs_device
        self.several = several
        self.picture = picture

    @property
    def group(self) -> str:
        """The group that it belongs to; empty for a command of one word."""
        return self.words.rpartition(" ")[0]

    @property
    def name(self) -> str:
        """The last of its words."""
        return self.words.rpartition(" ")[2]

    @property
    def identifier(self) -> str:
        """Its words as a name of Python: of a file, of a function."""
        return self.words.replace(" ", "_")


PIPELINE = "pipeline"
"""The picture of what has a trace too."""

_COMMANDS = (
    Command(
        "compare",
        "Compare designs side by side, with ratios to the first.",
        query="base:CompareQuery",
        answer="compare.answer:answer_compare",
        views={"compare": "compare"},
        headlines=("parameters.total",),
        several=True,
    ),
    Command(
        "params",
        "Parameters of a model, total and active, and the bytes of its weights.",
        query="base:ParamsQuery",
        answer="params:answer_params",
        views={
            "params-component": "params",
            "params-tensor": "params",
            "params-layer": "params",
        },
        headlines=("parameters.total",),
        lines=("parameters", "weights"),
    ),
    Command(
        "flops",
        "FLOPs of a training step, a prefill or a decode step, by component.",
        query="base:FlopsQuery",
        answer="flops:answer_flops",
        views={"flops": "flops"},
        headlines=("flops.total",),
        lines=("flops",),
    ),
    Command(
        "kv",
        "KV cache of a model: per token, sequence and batch, and what fits.",
        query="base:KVQuery",
        answer="kv:answer_kv",
        views={"kv": "kv"},
        headlines=("kv_cache.bytes",),
        lines=("kv_cache",),
    ),
    Command(
        "memory",
        "Memory of a layout's GPUs by class, and whether it fits: training or serving.",
        query="memory:MemoryQuery",
        answer="memory.answer:answer_memory",
        views={
            "memory": "memory",
            "memory-tensor": "memory_tensors",
            "memory-megatron": "memory_megatron",
            "serving": "serving",
        },
        headlines=("memory.worst.total", "serving.total"),
        lines=("memory", "serving"),
        needs_device=True,
        picture="memory_bars",
    ),
    Command(
        "which",
        "Models that a device can serve, or devices that can serve a model, and the room left.",
        query="which:WhichQuery",
        answer="which:answer_which",
        views={"which": "which"},
        headlines=("which.free",),
        lines=("which",),
        several=True,
    ),
    Command(
        "traffic",
        "What the GPUs of a layout send over which link, and how long it takes.",
        query="traffic:TrafficQuery",
        answer="traffic.answer:answer_traffic",
        views={"traffic": "traffic"},
        headlines=("traffic.time_per_layer", "traffic.step.scale_out_bytes"),
        lines=("traffic",),
        needs_device=True,
        picture="traffic_bars",
    ),
    Command(
        "time",
        "Time of a pass by operator: at peaks, at measured rates, with a set-up.",
        query="time:TimeQuery",
        answer="times.answer:answer_time",
        views={"time": "time"},
        headlines=("time.floor", "time.bound"),
        lines=("time",),
        needs_device=True,
        picture="roofline",
    ),
    Command(
        "train",
        "Time of a training step, tokens per second, MFU, cost of a run.",
        query="train:TrainQuery",
        answer="times.train:answer_train",
        views={"train": "train"},
        headlines=("train.step.estimate", "train.step.floor"),
        lines=("train",),
        needs_device=True,
        picture=PIPELINE,
    ),
    Command(
        "failures",
        "Interruptions of a training run, its checkpoints, and the share of time that is lost.",
        query="failures:FailuresQuery",
        answer="failures:answer_failures",
        views={"failures": "failures"},
        headlines=("failures.useful_share",),
        lines=("failures",),
        needs_device=True,
    ),
    Command(
        "serve",
        "Time per output token of a server, tokens per second and GPU, sequences that fit.",
        query="serve:ServeQuery",
        answer="serve.answer:answer_serve",
        views={"serve": "serve", "serve-curve": "serve_curve"},
        headlines=("serve.tpot.estimate", "serve.tpot.floor"),
        lines=("serve",),
        needs_device=True,
        picture="serving_curve",
    ),
    Command(
        "host",
        "Experts, cached contexts and states of training in the memory of a node's host.",
        query="host:HostQuery",
        answer="host:answer_host",
        views={"host": "host"},
        headlines=(
            "host.experts.tokens_per_second.estimate",
            "host.experts.tokens_per_second.bound",
            "host.cache.break_even_bandwidth",
            "host.states.optimizer.exposed",
        ),
        lines=("host",),
        needs_device=True,
    ),
    Command(
        "search",
        "The best layouts of a model on a number of GPUs, and why others are excluded.",
        query="search:SearchQuery",
        answer="search.answer:answer_search",
        views={"search": "search"},
        headlines=("search.best.1.step_time", "search.best.1.memory", "search.why.refused"),
        lines=("search",),
        needs_device=True,
        several=True,
    ),
    Command(
        "limits ep",
        "The upper limit on decoding speed with expert parallelism, and what sets it.",
        query="traffic:LimitsEPQuery",
        answer="traffic.limits_ep:answer_limits_ep",
        views={"limits ep": "limits_ep"},
        headlines=("limits.ep.tokens_per_second", "limits.ep.tpot"),
        lines=("limits",),
        needs_device=True,
    ),
    Command(
        "network",
        "Network topologies: endpoints, switches, links, diameter, cost.",
        query="network:NetworkQuery",
        answer="network.answer:answer_network",
        views={"network": "network"},
        headlines=("network.endpoints",),
        lines=("network",),
        several=True,
    ),
    Command(
        "check", "Check golden files and fail when a number changed.", views={"check": "check"}
    ),
    Command(
        "reproduce",
        "Recompute the figures that papers print, and show which can be reproduced.",
        views={"reproduce": "reproduce"},
    ),
    Command(
        "validate",
        "Predict measured times and score the predictions.",
        views={"validate": "validate"},
    ),
    Command(
        "calibrate",
        "Measure this device, or fit what devices achieve to measured times.",
        views={"calibrate": "calibrate"},
    ),
    Command("snapshot", "Write the numbers of queries as a golden file."),
    Command(
        "diff",
        "Compare two results, two presets, or two revisions of one, ranked by effect.",
        views={"diff": "diff"},
    ),
    Command("explain", "Show how a result is derived, down to file and line of each input."),
    Command("formula list", "List the formulas, by subject."),
    Command(
        "formula show",
        "Show a formula: equation, symbols, units, when it holds, an example, its source.",
    ),
    Command(
        "formula derive",
        "Write a line of a query as an equation in variables that you choose.",
        views={"derive": "derive"},
    ),
    Command(
        "formula solve",
        "Find the values of an integer of a query at which a line satisfies a bound.",
        views={"solve": "solve"},
    ),
    Command(
        "formula sensitivity",
        "Rank the inputs of a line by their elasticity.",
        views={"sensitivity": "sensitivity"},
    ),
    Command(
        "formula eval",
        "Evaluate a formula.",
        query="formula:FormulaEvalQuery",
        answer="formulas.evaluate:answer_formula_eval",
        views={"formula eval": "formula_eval"},
        headlines=("formula.*",),
        lines=("formula",),
    ),
    Command(
        "presets list",
        "List the presets that can be named; models and devices with their figures.",
        views={"presets list": "presets_list"},
    ),
    Command("presets show", "Print a preset as the file has it."),
    Command("presets where", "Show the file a name resolves to, and the ones it shadows."),
    Command("presets diff", "Compare two presets field by field."),
    Command("presets new", "Print a file to start a preset of one's own from."),
    Command("presets validate", "Check preset files and report every problem."),
    Command("import", "Turn a Hugging Face config.json into a preset."),
    Command(
        "conventions list",
        "List conventions, their choices, and the bundles of them.",
        views={"conventions": "conventions"},
    ),
    Command("sweep", "Ask queries at every point of a study, and write a row for each."),
    Command("eval", "Answer many queries in one process, one line each."),
    Command("skill", "Print a skill file that teaches an assistant which query answers what."),
)

COMMANDS = {command.words: command for command in _COMMANDS}
"""Words -> the command, in the order of the help."""


def by_group(group: str) -> dict[str, str]:
    """Return the commands of a group, or those of the program and its groups, with their help."""
    found: dict[str, str] = {}
    for command in _COMMANDS:
        if command.group == group:
            found[command.name] = command.help
        elif not group:
            found.setdefault(command.group, GROUPS[command.group])
    return found


QUERIES = {words: command for words, command in COMMANDS.items() if command.query}
"""The commands that ask a query."""

VIEWS = {view: module for command in _COMMANDS for view, module in command.views.items()}
"""View of an answer -> module of ``dsv3calc.output.views``; others list their rows as they are."""

PICTURES = {command.words: command.picture for command in _COMMANDS if command.picture}
"""Words of a command -> the module of ``dsv3calc.output.pictures`` that makes its picture."""

PREFIXES = {prefix: command for command in QUERIES.values() for prefix in command.lines}
"""What the name of a line begins with -> the command that answers with it."""


def struct_of(command: Command) -> type[Query]:
    """Return the struct of a command's query, importing its module."""
    from importlib import import_module

    module, _, name = command.query.partition(":")
    found: type[Query] = getattr(import_module(f"dsv3calc.queries.{module}"), name)
    if found.command != command.words:
        raise ValueError(f"{name}.command is {found.command!r}, not {command.words!r}")
    return found
