"""Reads printed arithmetic back: what is shown must give what it is shown for."""

import ast
import re

from dsv3calc.numbers import ops

_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_LETTERS = {
    "\N{MINUS SIGN}": "-", "·": "*", "⌊": "floor_(", "⌋": ")", "⌈": "ceil_(", "⌉": ")",
    ", else ": " else ", "≤": "<=", "≥": ">=", "^": "**",
}  # fmt: skip
_CALLS = {"C": ops.binomial}
_OPERATIONS = {
    ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b,
    ast.Div: ops.ratio, ast.Pow: lambda a, b: a**b,
    ast.Lt: lambda a, b: a < b, ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b, ast.GtE: lambda a, b: a >= b,
}  # fmt: skip
_AT_LARGEST = re.compile(r"of \((.*)\) the one where \((.*)\) is largest")


def value_of(text, names=None):
    """Compute a right-hand side as it is printed, names replaced by their values."""
    found = _AT_LARGEST.fullmatch(text)
    if found:
        values, keys = (
            [value_of(each, names) for each in part.split(", ")] for part in found.groups()
        )
        return values[keys.index(max(keys))]
    return _Reader(names or {}).visit(ast.parse(python_of(text), mode="eval").body)


def python_of(text):
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = re.sub(f"[{_SUPERSCRIPTS}]+", lambda found: "**" + "".join(
        str(_SUPERSCRIPTS.index(letter)) for letter in found[0]), text)  # fmt: skip
    for letter, python in _LETTERS.items():
        text = text.replace(letter, python)
    return text.strip()


class _Reader(ast.NodeVisitor):
    def __init__(self, names):
        self.names = names

    def visit_Constant(self, node):
        return node.value

    def visit_Name(self, node):
        return self.names[node.id]

    def visit_UnaryOp(self, node):
        assert isinstance(node.op, ast.USub)
        return -self.visit(node.operand)

    def visit_BinOp(self, node):
        return _OPERATIONS[type(node.op)](self.visit(node.left), self.visit(node.right))

    def visit_Compare(self, node):
        (operation,), (right,) = node.ops, node.comparators
        return _OPERATIONS[type(operation)](self.visit(node.left), self.visit(right))

    def visit_IfExp(self, node):
        return self.visit(node.body) if self.visit(node.test) else self.visit(node.orelse)

    def visit_Call(self, node):
        name = node.func.id
        if name in ("floor_", "ceil_"):
            (inner,) = node.args
            assert isinstance(inner, ast.BinOp)
            assert isinstance(inner.op, ast.Div)
            helper = ops.floor_div if name == "floor_" else ops.ceil_div
            return helper(self.visit(inner.left), self.visit(inner.right))
        values = [self.visit(each) for each in node.args]
        if name in ("max", "min"):
            return max(values) if name == "max" else min(values)
        return _CALLS[name](*values)

    def generic_visit(self, node):
        raise AssertionError(f"{type(node).__name__} is not printed")


def values_of_equations(equations, values):
    """Compute printed equations one after the other; return the value of each by its name.

    ``equations`` are pairs of a name and a printed right-hand side, ``values`` those of symbols.
    """
    known = dict(values)
    for name, text in equations:
        placeholders, spelt = {}, text
        for number, each in enumerate(sorted(known, key=len, reverse=True)):
            whole = rf"(?<![\w.\]]){re.escape(each)}(?![A-Za-z0-9_.\[′])"
            spelt = re.sub(whole, f"v_{number}_", spelt)
            placeholders[f"v_{number}_"] = known[each]
        known[name] = value_of(spelt, placeholders)
    return known
