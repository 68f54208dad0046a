"""A YAML text as events, by libyaml's parser, or PyYAML's own where that was built without libyaml.

PyYAML alone reads ``1e6`` as a text, ``1:30`` as 90, ``no`` as false and keeps the last of two
equal keys. So of PyYAML only the parser is used; what the events mean is for ``event_builder``.
Anchors, aliases, tags and further documents are refused here.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dsv3calc.reading.diagnostics import quote
from dsv3calc.reading.event_builder import (
    END,
    LIST,
    MAP,
    ONE_PLACE,
    PLAIN,
    SCALAR,
    Event,
    Stop,
    Trouble,
    line_column,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.reading.text import Text

_SURROGATE = re.compile("[\ud800-\udfff]")
_WRONG_ESCAPE = "not YAML: an escape in this text is no Unicode character"


def yaml_events(source: Text, trouble: Trouble) -> Iterator[Event]:
    """Yield the events of a YAML text."""
    import yaml

    libyaml = getattr(yaml, "CSafeLoader", None)
    parser = (libyaml or yaml.SafeLoader)(source.text)
    events = _translate(parser, yaml, trouble)
    try:
        yield from events if libyaml else _without_surrogates(events)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        line, column = _inside(source.text, line, column)
        why = f"{error.context} at line {error.context_mark.line + 1}" if error.context_mark else ""
        if source.line(line + 1)[column : column + 1] == "\t":
            why = "YAML is indented with spaces, never with tabs"
        raise Stop(line, column, f"not YAML: {error.problem or error.context}", why=why) from None
    except yaml.YAMLError as error:
        raise Stop(0, 0, f"not YAML: {str(error).splitlines()[0]}") from None
    except ValueError:  # PyYAML's own parser, at an escape beyond U+10FFFF
        mark = parser.get_mark()
        raise Stop(mark.line, mark.column, _WRONG_ESCAPE) from None
    finally:
        parser.dispose()


def _inside(text: str, line: int, column: int) -> tuple[int, int]:
    """Bring the place after the last line, where the parser missed something, into the text."""
    if line and line >= text.count("\n") + (not text.endswith("\n")):
        return line_column(text, len(text.rstrip("\n")))
    return line, column


def _translate(parser: Any, yaml: Any, trouble: Trouble) -> Iterator[Event]:
    """Turn the parser's events into those of this module, refusing what they may not hold."""
    scalar, mapping, sequence = yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent
    ends = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
    started = False
    while True:
        event = parser.get_event()
        kind = event.__class__
        mark = event.start_mark
        if kind is scalar or kind is mapping or kind is sequence:
            if event.anchor is not None or event.tag is not None:
                _refuse_extras(event, mark, trouble)
            if kind is scalar:
                yield SCALAR if event.style else PLAIN, event.value, mark.line, mark.column
            else:
                yield MAP if kind is mapping else LIST, None, mark.line, mark.column
        elif kind in ends:
            yield END, None, 0, 0
        elif kind is yaml.AliasEvent:
            what = f"the alias {quote('*' + event.anchor)} is not allowed"
            trouble.add(mark.line, mark.column, what, why=ONE_PLACE)
            yield SCALAR, f"*{event.anchor}", mark.line, mark.column
        elif kind is yaml.DocumentStartEvent:
            _check_document(event, mark, started=started)
            started = True
        elif kind is yaml.StreamEndEvent:
            if not started:
                raise Stop(0, 0, "the input holds no data, only comments")
            return


def _without_surrogates(events: Iterator[Event]) -> Iterator[Event]:
    r"""Refuse escapes such as ``\ud800``, which PyYAML's own parser takes and libyaml does not."""
    for event in events:
        _, value, line, column = event
        if value is not None and _SURROGATE.search(value):
            raise Stop(line, column, _WRONG_ESCAPE)
        yield event


def _check_document(event: Any, mark: Any, *, started: bool) -> None:
    if event.version not in (None, (1, 2)):
        what = "another version of YAML is asked for here"
        raise Stop(mark.line, mark.column, what, valid="YAML 1.2, or no directive")
    if started:
        raise Stop(mark.line, mark.column, "a second document begins here", valid="one document")


def _refuse_extras(event: Any, mark: Any, trouble: Trouble) -> None:
    if event.anchor is not None:
        what = f"the anchor {quote('&' + event.anchor)} is not allowed"
        trouble.add(mark.line, mark.column, what, why=ONE_PLACE)
    if event.tag is not None:
        what = f"the tag {quote(event.tag)} is not allowed"
        trouble.add(mark.line, mark.column, what, why="the schema alone says what a value is")
