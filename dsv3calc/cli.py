"""The command line: a static table of commands, each imported when it is called."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from dsv3calc import __version__
from dsv3calc.errors import UsageError, complaint
from dsv3calc.exit_status import ExitStatus
from dsv3calc.reading.diagnostics import quote, suggest

if TYPE_CHECKING:
    from dsv3calc.commands.request import Request

COMMANDS: dict[str, dict[str, str]] = {
    "": {
        "compare": "Compare designs side by side, with ratios to the first.",
        "params": "Parameters of a model, total and active, and the bytes of its weights.",
        "flops": "FLOPs of a training step, a prefill or a decode step, by component.",
        "kv": "KV cache of a model: per token, sequence and batch, and what fits.",
        "memory": "Memory of a layout's GPUs by class, and whether it fits: training or serving.",
        "traffic": "What the GPUs of a layout send over which link, and how long it takes.",
        "limits": "Bounds that a design sets by itself, such as the speed of expert parallelism.",
        "network": "Network topologies: endpoints, switches, links, diameter, cost.",
        "check": "Check golden files and fail when a number changed.",
        "reproduce": "Compute the figures that papers print, and say which of them follow.",
        "snapshot": "Write the numbers of queries as a golden file.",
        "diff": "Compare two results, two presets, or two revisions of one, ranked by effect.",
        "explain": "Show how a result is derived, down to file and line of each input.",
        "formula": "The formulas by name; any line as a closed form, solved, or its sensitivities.",
        "presets": "List, show, find, compare and validate presets.",
        "import": "Turn a Hugging Face config.json into a preset.",
        "conventions": "What can be counted in several ways, and the named bundles.",
        "eval": "Answer many queries in one process, one line each.",
    },
    "presets": {
        "list": "List the presets that can be named.",
        "show": "Print a preset as the file has it.",
        "where": "Show the file a name resolves to, and the ones it shadows.",
        "diff": "Compare two presets field by field.",
        "validate": "Check preset files and report every problem.",
    },
    "limits": {
        "ep": "The speed limit of inference with expert parallelism, and what sets it.",
    },
    "formula": {
        "list": "List the formulas that numbers are made with.",
        "show": "Show a formula: equation, symbols, units, when it holds, an example, its source.",
        "derive": "Write a line of a query as an equation in variables that you choose.",
        "solve": "Find the values of an integer of a query at which a line satisfies a bound.",
        "sensitivity": "Rank the inputs of a line by their elasticity.",
        "eval": "Evaluate a formula.",
    },
    "conventions": {
        "list": "List conventions, their choices, and the bundles of them.",
    },
}
"""Group -> command -> one-line help; a test holds the lines equal to the docstrings."""

GROUPS = ("presets", "limits", "formula", "conventions")

WELCOME = """\
dsv3calc: what a transformer design costs, from closed forms you can read.

  dsv3calc compare deepseek-v3 qwen2.5-72b llama-3.1-405b --hardware h800
  dsv3calc flops deepseek-v3 --phase decode --past 8192
  dsv3calc kv deepseek-v3 --tokens 128k --batch 32 --kv-dtype fp8-mla

dsv3calc --help lists the commands, dsv3calc presets list the models."""


class Command(TyperCommand):
    """A command whose options, unless they are repeatable, are given once."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse an option of one value that is given several, then parse as usual."""
        _, _, order = self.make_parser(ctx).parse_args([*args])
        given = [param for param in order if getattr(param, "multiple", None) is False]
        again = [param for param in dict.fromkeys(given) if given.count(param) > 1]
        for param in again:
            values = self._every_value(ctx, args, param)
            if len(values) > 1:
                option = max(param.opts, key=len)
                raise UsageError(
                    f"{option} is given twice with different values: "
                    + " and ".join(map(quote, values)),
                    "it takes one value: leave out the others",
                )
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed

    def _every_value(self, ctx: Any, args: list[str], param: Any) -> list[str]:
        """Return the different values that an option is given, in their order."""
        if param.is_flag:
            return []
        param.multiple = True  # the parser then collects them
        try:
            found, _, _ = self.make_parser(ctx).parse_args([*args])
        finally:
            param.multiple = False
        return [*dict.fromkeys(found[param.name])]


@cache
def load_command(group: str, name: str) -> Any:
    """Import a command's module and build the command, once."""
    stem = f"{group}_{name}" if group else name
    module = import_module(f"dsv3calc.commands.{'import_' if stem == 'import' else stem}")
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    settings = {"help_option_names": ["-h", "--help"], **getattr(module, "CONTEXT", {})}
    app.command(name, cls=Command, context_settings=settings)(
        getattr(module, module.__name__.rpartition(".")[2])
    )
    command = typer.main.get_command(app)
    command.name = name
    return command


class LazyGroup(TyperGroup):
    """A group that knows its commands' names and help lines before their modules."""

    table = ""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """Return the commands in the order of the table."""
        return list(COMMANDS[self.table])

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's signature
        """Import one command, or build one group."""
        if cmd_name not in COMMANDS[self.table]:
            return None
        if not self.table and cmd_name in GROUPS:
            return build_group(cmd_name)
        return load_command(self.table, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, or refuse with the nearest name."""
        name = args[0]
        if name not in COMMANDS[self.table]:
            known = COMMANDS[self.table]
            close = suggest(name, known)
            raise UsageError(
                f"there is no command {quote(f'{self.table} {name}'.strip())}",
                f"did you mean 'dsv3calc {f'{self.table} {close}'.strip()}'?"
                if close
                else f"commands: {', '.join(known)}",
            )
        return name, self.get_command(ctx, name), args[1:]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - as above
        """Write the help lines of the table, importing no command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS[self.table].items()))


@cache
def build_group(name: str) -> Any:
    """Build the group of a table: the whole program for the empty name."""
    kind = type(f"Group_{name}", (LazyGroup,), {"table": name})
    app = typer.Typer(
        cls=kind,
        add_completion=not name,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    if name:
        app.callback(help=COMMANDS[""][name], invoke_without_command=True)(_describe_group(name))
    else:
        app.callback(invoke_without_command=True)(root)
    group = typer.main.get_command(app)
    group.name = name or "dsv3calc"
    return group


def _describe_group(name: str) -> Any:
    def describe(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            raise UsageError(
                f"dsv3calc {name} needs a command",
                f"commands: {', '.join(COMMANDS[name])}",
            )

    describe.__annotations__ = {"context": typer.Context, "return": None}
    return describe


def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Tell what a transformer design costs, from closed forms you can read."""
    if version:
        print(f"dsv3calc {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(WELCOME)


def parse(arguments: list[str]) -> Request | int | None:
    """Parse a command line into a request; help and version print and give a status instead.

    Raises
    ------
    KeyboardInterrupt
        If parsing is interrupted: typer makes a status of it, which would look like help.
    """
    group = build_group("")
    parsed: Request | int | None = group.main(
        args=arguments, prog_name="dsv3calc", standalone_mode=False
    )
    if parsed == ExitStatus.INTERRUPTED:
        raise KeyboardInterrupt
    return parsed


def parse_request(arguments: list[str]) -> Request | None:
    """Parse a command line that must be a request; None where it asks for help instead.

    Raises
    ------
    UsageError
        For whatever is wrong with it, also where typer found the fault.
    """
    if not {"-h", "--help", "--version"}.isdisjoint(arguments):
        return None
    try:
        found = parse(arguments)
    except Exception as error:
        if hasattr(error, "format_message"):
            raise UsageError(complaint(error)) from None
        raise
    return None if found is None or isinstance(found, int) else found
