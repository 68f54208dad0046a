"""Operations over rows as machine code: one loop for all of them, eight rows at a time.

They are written as LLVM's intermediate code, each operation as one instruction on vectors, and
compiled by llvmlite. No operation is joined with another or reordered (no fast-math, no fused
multiply-add), so each row gets what numpy gives, to the last bit. Compiled code is kept in memory.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ctypes
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from dsv3calc.numbers.program import BLOCK, by_numpy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.numbers.program import Flat, Input

_WIDTH = 8
_VECTOR = f"<{_WIDTH} x double>"
_ARITHMETIC = {"add": "fadd", "subtract": "fsub", "multiply": "fmul", "divide": "fdiv"}
_COMPARISONS = {"greater": "ogt", "greater_equal": "oge", "less": "olt", "less_equal": "ole"}
_EXTREMES = {"maximum": "ogt", "minimum": "olt"}
_ROUNDED = ("floor", "ceil")

COMPILED = frozenset({*_ARITHMETIC, *_COMPARISONS, *_EXTREMES, *_ROUNDED, "negative", "where"})
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
    kind = ctypes.CFUNCTYPE(None, ctypes.c_int64, *[ctypes.c_void_p] * pointers)
    return kind(engine.get_function_address("run")), engine


def by_llvm(flat: Flat, inputs: Sequence[Input], rows: int) -> list[Any]:
    """Compute operations over rows by compiled code; by numpy where there are few rows."""
    if rows < _LEAST_ROWS or not flat.results:
        return by_numpy(flat, inputs, rows)
    function, _engine = _function(_code(flat, len(inputs)), len(inputs) + len(flat.results))
    found = [np.empty(rows + _WIDTH) for _ in flat.results]
    buffers = [np.zeros(BLOCK) for _ in inputs]
    places = [each.ctypes.data for each in buffers]
    for start in range(0, rows, BLOCK):
        count = min(BLOCK, rows - start)
        for buffer, (values, which) in zip(buffers, inputs, strict=True):
            part = slice(start, start + count)
            buffer[:count] = values[part] if which is None else values[which[part]]
        into = [each.ctypes.data + start * each.itemsize for each in found]
        function(count, *places, *into)
    return [each[:rows] for each in found]


def _code(flat: Flat, inputs: int) -> str:
    """Write operations as a loop over rows, :data:`_WIDTH` of them at a time."""
    lines: list[str] = []
    there: dict[int, str] = {}
    for slot in range(inputs):
        lines.append(f"%at{slot} = getelementptr double, ptr %in{slot}, i64 %row")
        lines.append(f"%i{slot} = load {_VECTOR}, ptr %at{slot}, align 8")
        there[slot] = f"%i{slot}"
    for number, value in enumerate(flat.constants):
        bits = int.from_bytes(struct.pack(">d", value), "big")
        each = ", ".join([f"double 0x{bits:016X}"] * _WIDTH)
        there[inputs + number] = f"<{each}>"
    for number, (operation, parts, slot) in enumerate(flat.steps):
        values = [there[part] for part in parts]
        there[slot] = f"%s{number}"
        lines += _instructions(operation.name, there[slot], values)
    for number, slot in enumerate(flat.results):
        lines.append(f"%to{number} = getelementptr double, ptr %out{number}, i64 %row")
        lines.append(f"store {_VECTOR} {there[slot]}, ptr %to{number}, align 8")
    arguments = [f"ptr noalias %in{slot}" for slot in range(inputs)]
    arguments += [f"ptr noalias %out{number}" for number in range(len(flat.results))]
    body = "\n  ".join(lines)
    declared = "\n".join(
        f"declare {_VECTOR} @llvm.{name}.v{_WIDTH}f64({_VECTOR})" for name in _ROUNDED
    )
    return f"""{declared}
define void @run(i64 %rows, {", ".join(arguments)}) {{
entry:
  br label %loop
loop:
  %row = phi i64 [0, %entry], [%next, %loop]
  {body}
  %next = add i64 %row, {_WIDTH}
  %more = icmp slt i64 %next, %rows
  br i1 %more, label %loop, label %done
done:
  ret void
}}
"""


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
