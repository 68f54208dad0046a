"""Operations over rows as machine code: one loop for all of them, eight rows at a time.

They are written as LLVM's intermediate code, each operation as one instruction on vectors, and
compiled by llvmlite. Inputs are read where they are. No operation is joined with another or
reordered (no fast-math, no fused multiply-add), so each row gets what numpy gives, to the last bit.
Compiled code is kept in memory.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ctypes
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from dsv3calc.numbers.rows import by_numpy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.numbers.rows import Flat, Groups, Input, Step

_WIDTH = 8
_VECTOR = f"<{_WIDTH} x double>"
_PLACES = f"<{_WIDTH} x i64>"
_POINTERS = f"<{_WIDTH} x ptr>"
_FIRST = f"<{_WIDTH} x i32> zeroinitializer"
_ALL = f"<{_WIDTH} x i1> <{', '.join(['i1 1'] * _WIDTH)}>"
_LEAST = f"<{', '.join(['double 0xFFF0000000000000'] * _WIDTH)}>"
_ANY = f"{_VECTOR} poison"
_READ = f"i32 8, {_ALL}, {_ANY}"
_GATHER = f"@llvm.masked.gather.v{_WIDTH}f64.v{_WIDTH}p0"
_ARITHMETIC = {"add": "fadd", "subtract": "fsub", "multiply": "fmul", "divide": "fdiv"}
_COMPARISONS = {"greater": "ogt", "greater_equal": "oge", "less": "olt", "less_equal": "ole"}
_EXTREMES = {"maximum": "ogt", "minimum": "olt"}
_FUNCTIONS = ("floor", "ceil", "sqrt")

COMPILED = frozenset({*_ARITHMETIC, *_COMPARISONS, *_EXTREMES, *_FUNCTIONS, "negative", "where"})
"""Operations that are compiled; numpy does the others, and what they are done to."""

_LEAST_ROWS = 2**16
"""With fewer rows compiling takes longer than numpy does."""

_KEPT = 256
"""Programs whose code is kept."""


def is_there() -> bool:
    """Tell whether llvmlite is installed, and compiles for this machine."""
    try:
        _machine()
    except (ImportError, OSError, RuntimeError):
        return False
    return True


@lru_cache(maxsize=1)
def _machine() -> Any:
    """Return what compiles for this machine."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=1,
        jit=True,
    )


@lru_cache(maxsize=_KEPT)
def _function(text: str, pointers: int) -> tuple[Any, Any]:
    """Compile a loop; return the function, and what keeps its code in memory."""
    import llvmlite.binding as llvm

    machine = _machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(text), machine)
    engine.finalize_object()
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3, *[ctypes.c_void_p] * pointers)
    return kind(engine.get_function_address("run")), engine


def by_llvm(flat: Flat, inputs: Sequence[Input], groups: Groups, found: Sequence[Any]) -> None:
    """Compute operations over rows by compiled code; by numpy where there are few rows."""
    rows = sum(stop - start for start, stop in groups.slices)
    if not found:
        return
    if rows < _LEAST_ROWS:
        by_numpy(flat, inputs, groups, found)
        return
    values = [np.ascontiguousarray(each.values) for each in inputs]
    code, arrays = (
        _code(flat, inputs),
        [
            *values,
            *(np.array([each.shape[-1]]) for each in values),
            *(each.places for each in inputs),
        ],
    )
    read = [arrays[each] for each in code.arrays]
    outputs = [each.ctypes.data for each in found]
    first = [each.ctypes.data for each in read]
    step = [
        arrays[each].itemsize if each < len(inputs) and inputs[each].fixed else 0
        for each in code.arrays
    ]
    for group, (start, stop) in enumerate(groups.slices):
        if stop - start < _WIDTH:
            by_numpy(flat, inputs, groups.only(group), found)
            continue
        places = [at + group * size for at, size in zip(first, step, strict=True)]
        code.function(start, stop, groups.times(group), *places, *outputs)


def _code(flat: Flat, inputs: Sequence[Input]) -> _Code:
    """Return the code for inputs that are read in such ways."""
    places = [id(each.places) for each in inputs]
    ways = tuple(
        (each.in_turns, each.fixed, None if each.places is None else places.index(id(each.places)))
        for each in inputs
    )
    if ways not in flat.codes:
        flat.codes[ways] = _Code(flat, ways)
    found: _Code = flat.codes[ways]
    return found


class _Code:
    """A loop over the rows of a group, :data:`_WIDTH` of them at a time.

    The last ones are done together with some that were done before, so that nothing is read beyond
    the end. ``arrays`` are what the loop reads: the numbers of inputs for their values, then for
    how many of these a turn has, then for the places of rows.
    """

    def __init__(self, flat: Flat, ways: Sequence[tuple[bool, bool, int | None]]) -> None:
        self.arrays: list[int] = []
        self.there: dict[int, str] = {}
        self.once: list[str] = []
        self.each_row: list[str] = []
        self.each_turn: list[str] = []
        self._read(ways)
        for number, value in enumerate(flat.constants):
            bits = int.from_bytes(struct.pack(">d", value), "big")
            each = ", ".join([f"double 0x{bits:016X}"] * _WIDTH)
            self.there[len(ways) + number] = f"<{each}>"
        self._compute(flat.steps, "s", self.each_row)
        once = [self.there.get(slot) for slot in flat.results]
        self._compute(flat.turns, "t", self.each_turn)
        text = self._text(flat, once)
        self.function, self._engine = _function(text, len(self.arrays) + len(flat.results))

    def _array(self, number: int) -> str:
        """Return the name of an array that the loop reads."""
        if number not in self.arrays:
            self.arrays.append(number)
        return f"%in{self.arrays.index(number)}"

    def _read(self, ways: Sequence[tuple[bool, bool, int | None]]) -> None:
        """Write how inputs are read: once, for each row, or for each turn of a row."""
        indices: dict[str, str] = {}
        for slot, (in_turns, fixed, places) in enumerate(ways):
            base = self._array(slot)
            self.there[slot] = name = f"%i{slot}"
            lines = self.each_turn if in_turns else self.each_row
            if in_turns:
                width = self._array(len(ways) + slot)
                lines += [
                    f"{name}w = load i64, ptr {width}",
                    f"{name}o = mul i64 %turn, {name}w",
                    f"{name}b = getelementptr double, ptr {base}, i64 {name}o",
                ]
                base = f"{name}b"
            if fixed:
                lines = lines if in_turns else self.once
                lines += [
                    f"{name}v = load double, ptr {base}",
                    f"{name}e = insertelement {_ANY}, double {name}v, i32 0",
                    f"{name} = shufflevector {_VECTOR} {name}e, {_ANY}, {_FIRST}",
                ]
            elif places is None:
                lines.append(f"{name}p = getelementptr double, ptr {base}, i64 %row")
                lines.append(f"{name} = load {_VECTOR}, ptr {name}p, align 8")
            else:
                where = self._array(2 * len(ways) + places)
                if where not in indices:
                    indices[where] = f"%x{len(indices)}"
                    self.each_row += [
                        f"{indices[where]}p = getelementptr i64, ptr {where}, i64 %row",
                        f"{indices[where]} = load {_PLACES}, ptr {indices[where]}p, align 8",
                    ]
                lines += [
                    f"{name}p = getelementptr double, ptr {base}, {_PLACES} {indices[where]}",
                    f"{name} = call {_VECTOR} {_GATHER}({_POINTERS} {name}p, {_READ})",
                ]

    def _compute(self, steps: Sequence[Step], prefix: str, lines: list[str]) -> None:
        for number, (operation, parts, slot) in enumerate(steps):
            values = [self.there[part] for part in parts]
            self.there[slot] = f"%{prefix}{number}"
            lines += _instructions(operation.name, self.there[slot], values)

    def _text(self, flat: Flat, once: Sequence[str | None]) -> str:
        """Write the loop; ``once`` are results as they are before the turns."""
        largest, stores, taken = [], [], []
        for number, slot in enumerate(flat.results):
            value = once[number]
            if number in flat.largest:
                value = f"%most{number}"
                largest.append(f"%old{number} = phi {_VECTOR} [{_LEAST}, %rows], [{value}, %turns]")
                taken += _instructions("maximum", value, [f"%old{number}", self.there[slot]])
            stores.append(f"%to{number} = getelementptr double, ptr %out{number}, i64 %row")
            stores.append(f"store {_VECTOR} {value}, ptr %to{number}, align 8")
        arguments = [f"ptr noalias %in{number}" for number in range(len(self.arrays))]
        arguments += [f"ptr noalias %out{number}" for number in range(len(flat.results))]
        declared = "\n".join(
            f"declare {_VECTOR} @llvm.{name}.v{_WIDTH}f64({_VECTOR})" for name in _FUNCTIONS
        )
        turns = [
            "%turn = phi i64 [0, %rows], [%later, %turns]",
            *largest,
            *self.each_turn,
            *taken,
            "%later = add i64 %turn, 1",
            "%again = icmp slt i64 %later, %times",
            "br i1 %again, label %turns, label %done",
        ]
        return "\n".join(
            [
                declared,
                f"declare {_VECTOR} {_GATHER}({_POINTERS}, i32, <{_WIDTH} x i1>, {_VECTOR})",
                f"define void @run(i64 %start, i64 %stop, i64 %times, {', '.join(arguments)}) {{",
                "entry:",
                f"%last = sub i64 %stop, {_WIDTH}",
                *self.once,
                "br label %rows",
                "rows:",
                "%row = phi i64 [%start, %entry], [%next, %done]",
                *self.each_row,
                "br label %turns",
                "turns:",
                *turns,
                "done:",
                *stores,
                f"%ahead = add i64 %row, {_WIDTH}",
                "%beyond = icmp sgt i64 %ahead, %last",
                "%next = select i1 %beyond, i64 %last, i64 %ahead",
                "%more = icmp slt i64 %ahead, %stop",
                "br i1 %more, label %rows, label %end",
                "end:",
                "ret void",
                "}",
            ]
        )


def _instructions(name: str, result: str, values: Sequence[str]) -> list[str]:
    """Write one operation.

    As in numpy, the larger and the smaller of two are the first where that is no number.
    """
    a, *others = values
    if name in _ARITHMETIC:
        return [f"{result} = {_ARITHMETIC[name]} {_VECTOR} {a}, {others[0]}"]
    if name in _COMPARISONS:
        return [f"{result} = fcmp {_COMPARISONS[name]} {_VECTOR} {a}, {others[0]}"]
    if name in _EXTREMES:
        return [
            f"{result}c = fcmp {_EXTREMES[name]} {_VECTOR} {a}, {others[0]}",
            f"{result}n = fcmp uno {_VECTOR} {a}, {a}",
            f"{result}t = or <{_WIDTH} x i1> {result}c, {result}n",
            f"{result} = select <{_WIDTH} x i1> {result}t, {_VECTOR} {a}, {_VECTOR} {others[0]}",
        ]
    if name == "where":
        one, other = others
        return [f"{result} = select <{_WIDTH} x i1> {a}, {_VECTOR} {one}, {_VECTOR} {other}"]
    if name == "negative":
        return [f"{result} = fneg {_VECTOR} {a}"]
    return [f"{result} = call {_VECTOR} @llvm.{name}.v{_WIDTH}f64({_VECTOR} {a})"]
