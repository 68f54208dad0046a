"""Conditions of ``--where``: an expression over public names, read with a list of what it may hold.

Nothing of the text is executed: its syntax tree is walked, and each node that is allowed has a
function of arrays here.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.numbers import quantity
from dsv3calc.reading.diagnostics import did_you_mean, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    Values = Mapping[str, Any]
    Reader = Callable[[Values], Any]

SHORT = {
    "vpp": "virtual_pipeline",
    "split": "layer_split",
    "sp": "sequence_parallel",
    "mb": "micro_batch",
}
"""Another name of an axis -> its name."""

DIMENSIONS = {"memory": "bytes", "traffic": "bytes", "step_time": "s", "tpot": "s", "ttft": "s"}
"""Result -> the dimension of a quantity that it is compared with, such as '60 GiB'."""

_LONGEST = 2000
_DEEPEST = 50
_ARITHMETIC: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ALLOWED = "comparisons, and, or, not, in, + - * / // %, numbers, names and quoted words"


class Condition:
    """A condition: its text, the names that it reads, and what it says of values by name.

    ``rule`` is the name under which layouts are counted whose results it refuses.
    """

    rule, option = "results", "--where"

    def __init__(self, text: str, needs: tuple[str, ...], reader: Reader) -> None:
        self.text = text
        self.needs = needs
        self._reader = reader

    @property
    def asked(self) -> str:
        """The option as it is typed."""
        return f"{self.option} {in_quotes(self.text)}"

    def holds(self, values: Values) -> Any:
        """Say whether it holds: of numbers, or of each row of arrays."""
        import numpy as np

        with np.errstate(all="ignore"):
            return np.asarray(self._reader(values), dtype=bool)

    def each(self, values: Values, number: int) -> list[bool]:
        """Say for each of so many rows whether it holds."""
        import numpy as np

        found: list[bool] = np.broadcast_to(self.holds(values), number).tolist()
        return found


def read_condition(
    text: str, known: Collection[str], dimensions: Mapping[str, str] = DIMENSIONS
) -> Condition:
    """Read a condition over names; ``dimensions`` are those of quantities by name.

    Raises
    ------
    UsageError
        If it is none, or has a name that is not ``known``.
    """
    shown = f"--where {in_quotes(text)}"
    if len(text) > _LONGEST:
        raise UsageError(f"--where: more than {_LONGEST:,} characters", "give a shorter one")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UsageError(
            f"{shown} is no expression", "such as --where 'tp <= 8 and ep >= 8'"
        ) from None
    compiler = _Compiler(shown, known, dimensions)
    if not isinstance(tree, ast.Compare | ast.BoolOp | ast.UnaryOp):
        raise UsageError(f"{shown} is no condition", "such as --where 'tp <= 8 and ep >= 8'")
    reader = compiler.condition(tree, 0)
    return Condition(text.strip(), tuple(compiler.names), reader)


def in_quotes(text: str) -> str:
    """Return a condition as it is typed: in double quotes where it has single ones.

    >>> print(in_quotes("tp <= 8"), in_quotes("schedule == '1f1b'"))
    'tp <= 8' "schedule == '1f1b'"
    """
    mark = '"' if "'" in text else "'"
    return f"{mark}{quote(text)[1:-1]}{mark}"


class _Compiler:
    """Makes functions of the nodes of a syntax tree; ``names`` are those that were met."""

    def __init__(self, shown: str, known: Collection[str], dimensions: Mapping[str, str]) -> None:
        self.shown = shown
        self.known = known
        self.dimensions = dimensions
        self.names: dict[str, None] = {}

    def _refuse(self, what: str) -> UsageError:
        return UsageError(f"{self.shown}: {what} is not allowed", f"it may have {_ALLOWED}")

    def condition(self, node: ast.AST, depth: int) -> Reader:
        """Return the function of a node that is true or false."""
        import numpy as np

        if depth > _DEEPEST:
            raise self._refuse(f"nesting deeper than {_DEEPEST}")
        if isinstance(node, ast.BoolOp):
            parts = [self.condition(each, depth + 1) for each in node.values]
            join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return lambda values: join.reduce(
                np.broadcast_arrays(*(each(values) for each in parts))
            )
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.condition(node.operand, depth + 1)
            return lambda values: np.logical_not(inner(values))
        if isinstance(node, ast.Compare):
            return self._comparison(node, depth)
        if isinstance(node, ast.Name) and node.id in {"sequence_parallel", "sp"}:
            return self._name(node)
        raise self._refuse("a number where a condition is expected")

    def _comparison(self, node: ast.Compare, depth: int) -> Reader:
        import numpy as np

        sides = [node.left, *node.comparators]
        parts = []
        for left, operation, right in zip(sides, node.ops, sides[1:], strict=False):
            if isinstance(operation, ast.In | ast.NotIn):
                parts.append(self._membership(left, right, depth, isinstance(operation, ast.In)))
                continue
            compare = _COMPARISONS.get(type(operation))
            if compare is None:
                raise self._refuse("'is'")
            dimension = self._dimension(left) or self._dimension(right)
            first = self._number(left, depth + 1, dimension)
            second = self._number(right, depth + 1, dimension)
            parts.append(self._compared(compare, first, second))
        return lambda values: np.logical_and.reduce(_broadcast(parts, values))

    def _membership(self, left: ast.AST, right: ast.AST, depth: int, wanted: bool) -> Reader:  # noqa: FBT001
        import numpy as np

        if not isinstance(right, ast.Tuple | ast.List):
            raise self._refuse("'in' without a list such as (1, 2)")
        first = self._number(left, depth + 1, "")
        several = [self._number(each, depth + 1, "") for each in right.elts]
        equal = [self._compared(operator.eq, first, each) for each in several]
        if not equal:
            raise self._refuse("an empty list")
        return lambda values: np.logical_or.reduce(_broadcast(equal, values)) == wanted

    def _compared(
        self, compare: Callable[[Any, Any], Any], first: Reader, second: Reader
    ) -> Reader:
        def compared(values: Values) -> Any:
            one, other = first(values), second(values)
            if isinstance(one, str) is isinstance(other, str):
                return compare(one, other)
            if compare in (operator.eq, operator.ne):
                return compare is operator.ne  # a word equals no number
            word = one if isinstance(one, str) else other
            raise UsageError(
                f"{self.shown}: the word {quote(word)} is not larger or smaller than a number",
                "a word is compared by == and != alone, a quantity with a number",
            )

        return compared

    def _dimension(self, node: ast.AST) -> str:
        return self.dimensions.get(node.id, "") if isinstance(node, ast.Name) else ""

    def _number(self, node: ast.AST, depth: int, dimension: str) -> Reader:
        """Return the function of a node that is a number or a word."""
        if depth > _DEEPEST:
            raise self._refuse(f"nesting deeper than {_DEEPEST}")
        if isinstance(node, ast.Constant):
            return self._constant(node.value, dimension)
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self._calculated(operator.neg, self._number(node.operand, depth + 1, dimension))
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            divides = isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod)
            if divides and isinstance(node.right, ast.Constant) and node.right.value == 0:
                raise self._refuse("a division by 0")
            one = self._number(node.left, depth + 1, dimension)
            other = self._number(node.right, depth + 1, dimension)
            return self._calculated(_ARITHMETIC[type(node.op)], one, other)
        raise self._refuse(type(node).__name__.lower())

    def _calculated(self, function: Callable[..., Any], *readers: Reader) -> Reader:
        def calculated(values: Values) -> Any:
            numbers = [each(values) for each in readers]
            word = next((each for each in numbers if isinstance(each, str)), None)
            if word is not None:
                raise UsageError(
                    f"{self.shown}: the word {quote(word)} is no number",
                    "a word is compared by == and != alone",
                )
            return function(*numbers)

        return calculated

    def _constant(self, value: Any, dimension: str) -> Reader:
        if isinstance(value, str) and dimension:
            try:
                value = quantity.parse(value, dimension)
            except UsageError as error:
                raise UsageError(f"{self.shown}: {error.message}", error.hint) from None
        if isinstance(value, str | bool):
            return lambda _: value
        if not isinstance(value, int | float):
            raise self._refuse(type(value).__name__)
        try:
            number = float(value)
        except OverflowError:
            raise self._refuse("a number of that size") from None
        return lambda _: number

    def _name(self, node: ast.Name) -> Reader:
        import numpy as np

        name = SHORT.get(node.id, node.id)
        if name not in self.known:
            raise UsageError(
                f"{self.shown}: there is no name {quote(node.id)}",
                did_you_mean(name, self.known, f"names: {', '.join(self.known)}"),
            )
        self.names[name] = None

        def value(values: Values) -> Any:
            found = values[name]
            if name == "layer_split" and isinstance(found, list):  # the layers of each stage
                return ",".join(map(str, found))
            return found if isinstance(found, str | bool) else np.asarray(found, dtype=np.float64)

        return value


def _broadcast(parts: list[Reader], values: Values) -> Any:
    import numpy as np

    return np.broadcast_arrays(*(each(values) for each in parts))
