"""Laws of independent routing scores, in quantiles."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable


class Law(msgspec.Struct, frozen=True):
    """A law of scores: ``partner(t, u)`` is the quantile of the score t - q(u)."""

    partner: Callable[[float, float], float]
    quantile: Callable[[float], float]


def _uniform_partner(t: float, u: float) -> float:
    return min(1.0, max(0.0, t - u))


def _exponential_partner(t: float, u: float) -> float:
    return max(0.0, 1 - math.exp(-t) / (1 - u)) if u < 1 else 0.0


_CENTRE = (
    2.506628277459239, -3.066479806614716e1, 1.383577518672690e2, -2.759285104469687e2,
    2.209460984245205e2, -3.969683028665376e1,
)  # fmt: skip
_CENTRE_BELOW = (
    1.0, -1.328068155288572e1, 6.680131188771972e1, -1.556989798598866e2, 1.615858368580409e2,
    -5.447609879822406e1,
)  # fmt: skip
_TAIL = (
    2.938163982698783, 4.374664141464968, -2.549732539343734, -2.400758277161838,
    -3.223964580411365e-1, -7.784894002430293e-3,
)  # fmt: skip
_TAIL_BELOW = (
    1.0, 3.754408661907416, 2.445134137142996, 3.224671290700398e-1, 7.784695709041462e-3,
)  # fmt: skip
_TAIL_BEGINS = 0.02425
_HALF = 0.5


def _polynomial(coefficients: tuple[float, ...], x: float) -> float:
    value = 0.0
    for each in reversed(coefficients):
        value = value * x + each
    return value


def _normal_quantile(u: float) -> float:
    """Invert the normal distribution: Acklam's rational approximation, to 1.2e-9."""
    if u > _HALF:
        return -_normal_quantile(1 - u)
    if u < _TAIL_BEGINS:
        s = math.sqrt(-2 * math.log(u))
        return _polynomial(_TAIL, s) / _polynomial(_TAIL_BELOW, s)
    s = (u - _HALF) ** 2
    return (u - _HALF) * _polynomial(_CENTRE, s) / _polynomial(_CENTRE_BELOW, s)


def _sigmoid_quantile(u: float) -> float:
    if u <= 0 or u >= 1:
        return float(u >= 1)
    return 1 / (1 + math.exp(-_normal_quantile(u)))


def _sigmoid_partner(t: float, u: float) -> float:
    score = t - _sigmoid_quantile(u)
    if score <= 0 or score >= 1:
        return float(score >= 1)
    return 0.5 * math.erfc(-math.log(score / (1 - score)) / math.sqrt(2))


SCORE_LAWS = {
    "uniform": Law(_uniform_partner, lambda u: u),
    "sigmoid-normal": Law(_sigmoid_partner, _sigmoid_quantile),
    "exponential": Law(_exponential_partner, lambda u: -math.log1p(-u)),
}
LAWS = tuple(SCORE_LAWS)
"""Laws of independent scores; ``sigmoid-normal`` is the sigmoid of a standard normal."""
