r"""The glossary: every number that has a name has one symbol, one unit and one meaning.

An argument of a formula and a field of a schema that have the same name are the same quantity. The
rows are in ``symbols``, by subject. A new formula takes its arguments from there, or adds a row:
``docs/symbols.md`` is generated from them, and a test checks formulas and schemas against them. No
two names share a symbol, so that a whole composition can be written as one expression.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.symbols import (
    hardware,
    kernels,
    layout,
    memory,
    model,
    networks,
    runs,
    workload,
)
from dsv3calc.formulas.registry.symbols.symbol import Symbol, real

BY_SUBJECT: dict[str, dict[str, Symbol]] = {
    **model.BY_SUBJECT,
    **workload.BY_SUBJECT,
    **hardware.BY_SUBJECT,
    **layout.BY_SUBJECT,
    **memory.BY_SUBJECT,
    **networks.BY_SUBJECT,
    **runs.BY_SUBJECT,
    **kernels.BY_SUBJECT,
}
"""Names by subject, as ``docs/symbols.md`` shows them."""

SYMBOLS: dict[str, Symbol] = {
    name: symbol for table in BY_SUBJECT.values() for name, symbol in table.items()
}
"""Name -> how it is written and what it is."""

INTERMEDIATE: dict[str, Symbol] = {
    "growing": Symbol("S_g", "tokens", "queries that see all earlier tokens", 0),
    "end": Symbol("S_e", "tokens", "sequence length after the pass", 0),
    "whole": Symbol("q", "1", "whole chunks before the end of the pass", 0),
    "whole_past": Symbol("q_P", "1", "whole chunks before the start of the pass", 0),
    "rest": Symbol("r", "tokens", "tokens of the last, incomplete chunk after the pass", 0),
    "rest_past": Symbol("r_P", "tokens", "tokens of the incomplete chunk before the pass", 0),
    "first": Symbol("j_0", "1", "first layer of a slice, limited to the depth", 0),
    "extreme": real(
        r"z_\mathrm{max}", "1", "expected maximum of D standard normal variables, approximately"
    ),
    "spread": real(r"v_\mathrm{load}", "1", "squared coefficient of variation of a load"),
    "last": Symbol("j_1", "1", "end of a slice, limited to the depth", 0),
    "full": Symbol(r"q_\mathrm{full}", "1", "finished rounds over all chunks of a rank", 0),
}
"""Names inside formulas: an equation says what they stand for below its first line."""


def latex(name: str) -> str:
    r"""Return the LaTeX symbol of a name.

    >>> latex("num_key_value_heads"), latex("layers")
    ('n_{kv}', '\\ell')
    """
    return (SYMBOLS.get(name) or INTERMEDIATE[name]).latex
