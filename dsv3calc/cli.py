"""The command line: a static table of commands, each imported when it is called."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cache
from importlib import import_module
from inspect import cleandoc
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from dsv3calc import __version__
from dsv3calc.errors import UsageError
from dsv3calc.exit_status import ExitStatus
from dsv3calc.queries.fields import SECTIONS
from dsv3calc.queries.table import COMMANDS as TABLE
from dsv3calc.queries.table import GROUPS, struct_of
from dsv3calc.reading.diagnostics import quote, suggest

if TYPE_CHECKING:
    from dsv3calc.commands.request import Request


def _table() -> dict[str, dict[str, str]]:
    """Return group -> command -> one-line help, from the table of commands."""
    found: dict[str, dict[str, str]] = {"": {}, **{group: {} for group in GROUPS}}
    for command in TABLE.values():
        if command.group:
            found[""].setdefault(command.group, GROUPS[command.group])
        found[command.group][command.name] = command.help
    return found


COMMANDS = _table()
"""Group -> command -> one-line help, in the order of the help."""

WELCOME = """\
dsv3calc: what a transformer design costs, from closed forms you can read.

  dsv3calc compare deepseek-v3 qwen2.5-72b llama-3.1-405b --hardware h800
  dsv3calc flops deepseek-v3 --phase decode --context 8192
  dsv3calc kv deepseek-v3 --context 128k --batch 32 --kv-dtype fp8-mla

dsv3calc --help lists the commands, dsv3calc presets list the models."""


class Command(TyperCommand):
    """A command whose options, unless they are repeatable, are given once."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse an option of one value that is given several, then parse as usual."""
        try:
            _, _, order = self.make_parser(ctx).parse_args([*args])
        except Exception as error:
            if hasattr(error, "option_name") and hasattr(error, "possibilities"):
                raise self._unknown(ctx, error.option_name) from None
            raise
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

    def _unknown(self, ctx: Any, option: str) -> UsageError:
        """Say of an option that is none of this command what it is called here, or whose it is."""
        own, program = options_of(self), ctx.command_path
        words = program.removeprefix("dsv3calc ")
        others = {
            name: options
            for name, row in TABLE.items()
            if option in (options := options_of(load_command(row.group, row.name)))
        }
        here = next((found[option] for found in others.values() if found[option] in own), None)
        close = suggest(option, own)
        what, hint = f"No such option: {option}", ""
        if here is not None:
            what, hint = f"{what}; {words} calls it {here}", f"use {here}; "
        elif others:
            have = "have" if len(others) > 1 else "has"
            what = f"{what}; {words} has none, {' and '.join(others)} {have} it"
        elif close:
            now = f", now called {own[close]}" if own[close] != close else ""
            hint = f"did you mean {close}{now}? "
        return UsageError(what, f"{hint}{program} --help")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then the options in the sections that their fields name."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                sections.setdefault(_section(param), []).append(record)
        for title, rows in sorted(sections.items(), key=lambda each: SECTIONS.get(each[0], 0)):
            with formatter.section(title):
                formatter.write_dl(rows)

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


def _section(param: Any) -> str:
    """Return the title of the section of a help in which a parameter stands."""
    if param.param_type_name == "argument":
        return "Arguments"
    title: str = getattr(param, "rich_help_panel", None) or "Options"
    return "Output" if "--help" in param.opts else title


def options_of(command: Any) -> dict[str, str]:
    """Return the options that a command reads, each with the name that it has today."""
    return {
        option: getattr(param, "today", option)
        for param in command.params
        for option in param.opts
        if option.startswith("--")
    }


@cache
def load_command(group: str, name: str) -> Any:
    """Import what a command is made from and build it, once."""
    row = TABLE[f"{group} {name}".strip()]
    if row.query:
        struct = struct_of(row)
        asked = import_module("dsv3calc.commands.query_command").QueryCommand(struct)
        return Command(
            name,
            params=[*asked.parameters],
            callback=asked,
            help=cleandoc(struct.__doc__ or ""),
            context_settings=dict(_CONTEXT),
            rich_markup_mode=None,
        )
    module = import_module(f"dsv3calc.commands.{'import_' if name == 'import' else row.identifier}")
    function = getattr(module, module.__name__.rpartition(".")[2])
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, cls=Command, context_settings=_CONTEXT | getattr(module, "CONTEXT", {}))(
        function
    )
    command = typer.main.get_command(app)
    command.name = name
    command.params += getattr(function, "parameters", [])
    return command


_CONTEXT = {"help_option_names": ["-h", "--help"]}


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
            raise UsageError(error.format_message()) from None
        raise
    return None if found is None or isinstance(found, int) else found
