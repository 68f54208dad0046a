"""LaTeX symbols as plain text."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

GREEK = {
    "ell": "ℓ", "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε",
    "zeta": "ζ", "eta": "η", "theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ",
    "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "upsilon": "υ",
    "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ",
    "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ",
    "Omega": "Ω",
}  # fmt: skip
"""Command of LaTeX -> its letter."""


def plain(symbol: str) -> str:
    r"""Return a LaTeX symbol as plain text.

    >>> plain(r"T_\mathrm{kv}"), plain(r"\ell"), plain("d_c'"), plain(r"\eta_\mathrm{hit}")
    ('T_kv', 'ℓ', 'd_c′', 'η_hit')
    """
    symbol = re.sub(r"\\([A-Za-z]+)", lambda found: GREEK.get(found[1], found[0]), symbol)
    symbol = re.sub(r"\^\{?2\}?", "²", symbol).replace("'", "′")
    return re.sub(r"\\mathrm|[{}]", "", symbol)
