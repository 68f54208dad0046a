r"""Escaping of text from files and command lines for each output syntax.

Titles, notes, paths and queries come from files that may be hostile. Each syntax has one function
here, and every output uses it: ``escape`` and ``inert`` (plain text), ``csv_cell``, ``markdown``,
``markdown_code`` and ``markdown_link``, ``html``, ``xml_document``, ``json_document``,
``sarif_message`` and ``github_command``. What passes through them has

- no character that a terminal or an editor interprets (control characters, separators of lines,
  marks of writing direction): it is shown as an escape such as ``\u202e``;
- no command to a CI runner: ``::error::`` at the start of a line, ``##[error]`` and ``##vso[...]``
  anywhere in it;
- nothing that the syntax itself gives a meaning to.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# patterns are compiled where they are first used: most queries use none
_LINE_COMMAND = r"(?m)^((?:[ \t]|\x1b\[[0-9;]*m)*):(?=:)"
_HASH_COMMAND = r"##(?=\w*\[)"
_MARKDOWN = (
    r"([\\`*\[\]|~$@#]"  # code, emphasis, links, images, tables, strikethrough, math, mentions
    r"|(?<![^\W_])_|_(?![^\W_])"  # emphasis; inside of a word it is none
    r"|:(?=[/:]|\w+:)"  # addresses, emoji
    r"|(?<=[wW]{3})\.)"  # addresses without a scheme
)
_MARKDOWN_HTML = r"<|&(?=[#\w])"
_HTML_OF = {"<": "&lt;", "&": "&amp;"}
_FORMULA = "=+-@＝＋－＠"
"""Characters that start a formula in a spreadsheet, wide ones included."""


# --- plain text ------------------------------------------------------------------------------


def escape(text: str) -> str:
    r"""Return the text as one line: what a terminal may interpret is written as an escape.

    Examples
    --------
    >>> print(escape("red \x1b[31m"))
    red \x1b[31m
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def inert(text: str) -> str:
    r"""Return finished lines of plain text without commands to a CI runner.

    Examples
    --------
    >>> print(inert("  ::error::no ##[error]no\nA::B"))
      \x3a:error::no #\x23[error]no
    A::B
    """
    if "::" in text:
        text = re.sub(_LINE_COMMAND, r"\1\\x3a", text)
    return re.sub(_HASH_COMMAND, r"#\\x23", text) if "##" in text else text


def escape_lines(text: str) -> str:
    """Return a text of several lines, such as a file's, each of them escaped; tabs stay."""
    lines = ("\t".join(map(escape, line.split("\t"))) for line in text.split("\n"))
    return inert("\n".join(lines))


def csv_cell(value: Any) -> Any:
    """Return a value as a cell of CSV; a text that a spreadsheet would run gets an apostrophe."""
    if isinstance(value, list):
        value = " ".join(map(str, value))
    if isinstance(value, str) and value:
        text = escape(value)
        return f"'{text}" if text[0] in _FORMULA else text
    return "" if value is None else value


# --- markup ----------------------------------------------------------------------------------


def markdown(text: str) -> str:
    r"""Return the text as Markdown that shows it letter for letter, on one line.

    Examples
    --------
    >>> print(markdown("[a](http://b) <b> kv_cache | note: 1"))
    \[a\](http\://b) &lt;b> kv_cache \| note: 1
    """
    safe = re.sub(_MARKDOWN, r"\\\1", escape(text))
    return re.sub(_MARKDOWN_HTML, lambda found: _HTML_OF[found[0]], safe)


def markdown_code(text: str) -> str:
    """Return the text as code of Markdown, on one line."""
    return f"`{inert(escape(text)).replace('`', chr(39))}`"


def markdown_link(address: str) -> str:
    """Return an address as a link of Markdown; as mere text where it is no web address."""
    if not address.startswith("https://"):
        return markdown(address)
    return f"<{re.sub(r'[ <>]', lambda found: f'%{ord(found[0]):02X}', escape(address))}>"


def html(text: str) -> str:
    """Return the text for HTML, between tags or inside of an attribute."""
    from html import escape as escape_html

    return re.sub(_HASH_COMMAND, "#&#35;", escape_html(escape(text)))


def xml_document(root: Element) -> str:
    """Write a document in ASCII; its texts must have passed through ``escape``."""
    from xml.etree import ElementTree as ET

    text = ET.tostring(root, encoding="us-ascii", xml_declaration=False).decode("ascii")
    text = re.sub(_HASH_COMMAND, "#&#35;", re.sub(_LINE_COMMAND, r"\1&#58;", text))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


# --- machines --------------------------------------------------------------------------------


def json_document(data: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    r"""Write a JSON document, integers of any size as they are: compact, or with an indent.

    An indent of 0 gives one line with spaces.

    Characters that a terminal may interpret are written ``\uXXXX``, and all that are not ASCII
    where ``ascii_only`` says so.
    """
    import msgspec

    try:
        encoded = msgspec.json.encode(data)
    except UnicodeEncodeError:
        encoded = msgspec.json.encode(_as_utf8(msgspec.to_builtins(data)))
    if indent is not None:
        encoded = msgspec.json.format(encoded, indent=indent)
    text = encoded.decode()
    if not (text.isascii() if ascii_only else text.isprintable()):
        hidden = {
            letter
            for letter in set(text)
            if not letter.isprintable() or (ascii_only and not letter.isascii())
        }
        codes = {ord(letter): _json_escape(letter) for letter in hidden if letter != "\n"}
        text = text.translate(codes)
    return re.sub(_HASH_COMMAND, "#\\\\u0023", text) if "##" in text else text


def _as_utf8(data: Any) -> Any:
    """Write the bytes of file names that are not UTF-8 as escapes: JSON cannot hold them."""
    if isinstance(data, str):
        return data.encode("utf-8", "backslashreplace").decode()
    if isinstance(data, dict):
        return {_as_utf8(key): _as_utf8(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_as_utf8(each) for each in data]
    return data


def _json_escape(letter: str) -> str:
    units = letter.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def sarif_message(text: str) -> str:
    """Return a message of SARIF, where ``[text](target)`` would be a link."""
    return text.replace("](", "\\](")


def github_command(kind: str, message: str, **properties: str) -> str:
    """Write a workflow command of GitHub; it shows the line breaks of ``message``."""
    told = ",".join(f"{name}={_github_property(value)}" for name, value in properties.items())
    data = _github_data("\n".join(escape(line) for line in message.split("\n")))
    return f"::{kind} {told}::{data}" if told else f"::{kind}::{data}"


def _github_data(text: str) -> str:
    return text.replace("%", "%25").replace("\n", "%0A")


def _github_property(text: str) -> str:
    return _github_data(escape(text)).replace(":", "%3A").replace(",", "%2C")
