"""The typer program: groups and commands, with their help, their errors and completion."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cache
from inspect import cleandoc
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from dsv3calc import __version__
from dsv3calc.commands.parameters import Parameters
from dsv3calc.commands.query_command import QueryCommand
from dsv3calc.errors import UsageError
from dsv3calc.queries.fields import SECTIONS
from dsv3calc.queries.table import COMMANDS, GROUPS, by_group
from dsv3calc.reading.diagnostics import quote, suggest

if TYPE_CHECKING:
    from collections.abc import Callable

    Load = Callable[[str, str], Any]

WELCOME = """\
dsv3calc: what a transformer design costs, from closed forms you can read.

  dsv3calc compare deepseek-v3 qwen2.5-72b llama-3.1-405b --hardware h800
  dsv3calc flops deepseek-v3 --phase decode --context 8192
  dsv3calc kv deepseek-v3 --context 128k --batch 32 --kv-dtype fp8-mla

dsv3calc --help lists the commands, dsv3calc presets list the models."""


class Command(TyperCommand):
    """A command whose options, unless they are repeatable, are given once."""

    load: Load

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse an option of one value that is given several, then parse as usual."""
        try:
            _, extra, order = self.make_parser(ctx).parse_args([*args])
        except Exception as error:
            if hasattr(error, "option_name"):
                if hasattr(error, "possibilities"):
                    raise self._unknown(ctx, error.option_name) from None
                error.ctx = ctx  # type: ignore[attr-defined] # so that the help named is this one
            raise
        if extra and not ctx.resilient_parsing:
            self._refuse_names(extra)
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
            for name, row in COMMANDS.items()
            if option in (options := options_of(command_of(self.load, row.group, row.name)))
        }
        here = next((found[option] for found in others.values() if found[option] in own), None)
        close = suggest(option, own)
        what, hint = f"No such option: {option}", ""
        if here is not None:
            what, hint = f"{what}; {words} calls it {here}", f"use {here}; "
        elif others:
            have = "have" if len(others) > 1 else "has"
            *first, last = others
            listed = f"{', '.join(first)} and {last}" if first else last
            what = f"{what}; {words} has none, {listed} {have} it"
            if words == "compare" and _is_of_column(option):
                hint = f"give it to a column: MODEL:{option[2:].replace('-', '_')}=VALUE; "
        elif close:
            now = f", now called {own[close]}" if own[close] != close else ""
            hint = f"did you mean {close}{now}? "
        return UsageError(what, f"{hint}{program} --help")

    def _refuse_names(self, extra: list[str]) -> None:
        """Refuse what follows the arguments where it names a preset that an option takes.

        Raises
        ------
        UsageError
            With the option.
        """
        from dsv3calc.catalogue.references import kinds_with

        own = options_of(self)
        for name in extra:
            for option in (f"--{kind}" for kind in kinds_with(name)):
                if option in own:
                    raise UsageError(
                        f"{quote(name)} stands without an option", f"give it as {option} {name}"
                    )

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


def _is_of_column(option: str) -> bool:
    """Tell whether a column of a comparison can be given an option."""
    from dsv3calc.studies.compare.entries import options

    return option[2:].replace("-", "_") in options()


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
def command_of(load: Load, group: str, name: str) -> Any:
    """Build a command of what ``load`` imports for it, once."""
    loaded = load(group, name)
    if isinstance(loaded, QueryCommand):
        own, output = (Parameters(struct) for struct in loaded.structs)

        def ask(**values: Any) -> Any:
            return loaded.request(own.taken_from(values), output.taken_from(values))

        command = Command(
            name,
            params=[*own.all, *output.all],
            callback=ask,
            help=cleandoc(loaded.__doc__ or ""),
            context_settings=dict(_CONTEXT),
            rich_markup_mode=None,
        )
    else:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        settings = _CONTEXT | loaded.context
        app.command(name, cls=Command, context_settings=settings)(loaded.function)
        command = cast("Command", typer.main.get_command(app))
        command.name = name
        command.params += getattr(loaded.function, "parameters", [])
    command.load = load
    return command


_CONTEXT = {"help_option_names": ["-h", "--help"]}


class LazyGroup(TyperGroup):
    """A group that knows its commands' names and help lines before their modules."""

    table = ""
    load: Load

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """Return the commands in the order of the table."""
        return list(by_group(self.table))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's signature
        """Import one command, or build one group."""
        if cmd_name not in by_group(self.table):
            return None
        if not self.table and cmd_name in GROUPS:
            return build_group(self.load, cmd_name)
        return command_of(self.load, self.table, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, or refuse with the nearest name."""
        name = args[0]
        if name not in by_group(self.table):
            known = by_group(self.table)
            close = suggest(name, known)
            meant = [close] if close else []
            if self.table and len(known) == 1:  # its name was left out
                meant = [*known, *args]
            raise UsageError(
                f"there is no command {quote(f'{self.table} {name}'.strip())}",
                f"did you mean {quote(' '.join(filter(None, ['dsv3calc', self.table, *meant])))}?"
                if meant
                else f"commands: {', '.join(known)}",
            )
        return name, self.get_command(ctx, name), args[1:]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - as above
        """Write the help lines of the table, importing no command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(by_group(self.table).items()))


@cache
def build_group(load: Load, name: str = "") -> Any:
    """Build the group of a table: the whole program for the empty name."""
    kind = type(f"Group_{name}", (LazyGroup,), {"table": name, "load": staticmethod(load)})
    app = typer.Typer(
        cls=kind,
        add_completion=not name,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    if name:
        app.callback(help=GROUPS[name], invoke_without_command=True)(_describe_group(name))
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
                f"commands: {', '.join(by_group(name))}",
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
