"""How group-limited routing shares a token's experts among groups: a stated quadrature.

The rule: experts have independent scores of one law; a group's score is the sum of its one or two
best; the M best of G groups are chosen, then the k best experts inside them. Everything is written
in quantiles u of the score, q(u) being the score itself, so an expert's u is uniform on (0, 1).

1. The best rejected group is as good as a fraction b of all groups, and b has the density
   (G - M) C(G, M) b^(G-M-1) (1 - b)^M. Given b, the M chosen groups are independent: each is a
   group whose score S is above t, where P(S <= t) = b.
2. The worst chosen expert stands at a quantile tau. For one group, f[n] is the probability that
   S > t and n experts are above tau, r[n] the density with which the n-th passes tau and S > t.
3. A way to share k over M groups, n_1 ... n_M, then has the probability
   (G - M) C(G, M) integral b^(G-M-1) db dtau sum_i r[n_i] prod_(j != i) f[n_j].

With y the second best of a group's m experts, h(y) = m (m - 1) (1 - max(y, F(t - q(y)))) and
u* the middle, 2 q(u*) = t:

- r[2] = tau^(m-2) h(tau), and r[1] = m (tau^(m-1) - F(t - q(tau))^(m-1)) above u*, else 0;
- f[0] and f[0] + f[1] are the integrals of r[1] and r[2] up to tau;
- f[n] = C(m-2, n-2) tau^(m-n) times the integral of (y - tau)^(n-2) h(y) above tau, for n >= 2;
- r[n] = f[n-1] (m - n + 1) / tau for n >= 3: the others are uniform below tau.

Gauss-Legendre on each smooth piece, in both variables; the probabilities must add up to 1, and
the order doubles until they do. They are exact in everything else: the experts of all groups
together are always k.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.routing.known_shares import KNOWN
from dsv3calc.accounting.routing.quadrature import graded_to_one, points
from dsv3calc.accounting.routing.score_laws import SCORE_LAWS
from dsv3calc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.accounting.routing.score_laws import Law

Shares = dict[tuple[int, ...], float]
"""Experts in each chosen group, in falling order -> probability, over all orders of groups."""

ORDER = 14
"""Points of the quadrature in each piece, to start with."""
TOLERANCE = 1e-5
"""How far from 1 the probabilities may add up before the order is doubled."""
REFUSED = 1e-4
"""How far they may be from 1 at the highest order; the probabilities are scaled to add up to 1."""
_MOST_ORDER = 56
_MOST_SHARES = 400
_NEGLIGIBLE = 1e-11
_SOLVED = 1e-10


def shares_of(k: int, groups: int, size: int) -> Iterator[tuple[int, ...]]:
    """Yield the ways to share k experts among groups of one size, each in falling order."""

    def parts(left: int, places: int, most: int) -> Iterator[tuple[int, ...]]:
        if not places:
            if not left:
                yield ()
            return
        for first in range(min(left, most), -(-left // places) - 1, -1):
            for others in parts(left - first, places - 1, first):
                yield (first, *others)

    return parts(k, groups, size)


def orders_of(share: tuple[int, ...]) -> int:
    """Count the distinct orders of the groups of a share."""
    count = math.factorial(len(share))
    for each in set(share):
        count //= math.factorial(share.count(each))
    return count


@lru_cache(maxsize=64)
def random_groups(groups: int, size: int, k: int) -> Shares:
    """Return how k experts drawn without preference are shared among groups: exactly."""
    every = math.comb(groups * size, k)
    found = {}
    for share in shares_of(k, groups, size):
        ways = orders_of(share) * math.prod(math.comb(size, each) for each in share)
        found[share] = ways / every
    return found


@lru_cache(maxsize=64)
def group_limited(
    n_group: int, topk_group: int, size: int, k: int, best: int = 2, law: str = "uniform"
) -> Shares:
    """Return how the rule shares a token's k experts among the chosen groups.

    The rules of ``known_shares`` are not integrated again.

    Parameters
    ----------
    n_group, topk_group, size
        Groups, how many of them are chosen, and the experts of each.
    best
        How many of its best experts a group's score sums: 1 or 2.
    law
        Law of the scores; the best one alone (a maximum) does not depend on it.

    Raises
    ------
    UsageError
        If there are too many ways to share the experts, or the probabilities do not add up to 1.
    """
    if topk_group == n_group:
        return random_groups(n_group, size, k)
    known = KNOWN.get((n_group, topk_group, size, k, best, law if best > 1 else "uniform"))
    if known is not None:
        return dict(zip(shares_of(k, topk_group, size), known, strict=True))
    return integrated(n_group, topk_group, size, k, best, law)


def integrated(
    n_group: int, topk_group: int, size: int, k: int, best: int = 2, law: str = "uniform"
) -> Shares:
    """Return what :func:`group_limited` does, by the quadrature."""
    ways = []
    for share in shares_of(k, topk_group, size):
        ways.append((share, float(orders_of(share))))
        if len(ways) > _MOST_SHARES:
            raise _past_quadrature(k, topk_group)
    if len(ways) == 1:
        return {ways[0][0]: 1.0}
    chosen = min(best, size)
    order = ORDER
    while True:
        try:
            rule = _Rule(n_group, topk_group, size, k, chosen, SCORE_LAWS[law], order)
            found = _integrals(rule, ways)
        except OverflowError:
            raise _past_quadrature(k, topk_group) from None
        mass = sum(found)
        if abs(mass - 1) < TOLERANCE or order >= _MOST_ORDER:
            break
        order *= 2
    if abs(mass - 1) > REFUSED:
        raise UsageError(
            f"the quadrature of top-{k} in {topk_group} of {n_group} groups does not converge",
            "use --policy random-groups or unrestricted",
        )
    return {share: each / mass for (share, _), each in zip(ways, found, strict=True)}


def _past_quadrature(k: int, topk_group: int) -> UsageError:
    return UsageError(
        f"top-{k} in {topk_group} groups is beyond the range of the quadrature of group-limited "
        "routing",
        "use --policy random-groups or unrestricted",
    )


def _integrals(rule: _Rule, ways: list[tuple[tuple[int, ...], float]]) -> list[float]:
    """Return the probability of each share, times its number of orders."""
    found = [0.0] * len(ways)
    for weight, f, r in rule.nodes():
        for number, (share, orders) in enumerate(ways):
            together, passing = 1.0, 0.0
            for each in share:
                passing = passing * f[each] + together * r[each]
                together *= f[each]
            found[number] += weight * orders * passing
    return found


class _Rule:
    """The nodes of the quadrature, with f and r of one group at each."""

    def __init__(
        self, n_group: int, topk_group: int, size: int, k: int, best: int, law: Law, order: int
    ) -> None:
        self.rejected = n_group - topk_group
        self.chosen = topk_group
        self.size = size
        self.k = k
        self.best = best
        self.law = law
        self.order = order
        self.lowest = self._lowest()

    def nodes(self) -> Iterator[tuple[float, list[float], list[float]]]:
        """Yield weight, f and r for each pair of b and tau."""
        low, high = self._range_of_b()
        a, m = self.rejected, self.chosen
        scale = a * math.comb(a + m, m)
        inside = self._of_one if self.best == 1 else self._of_two
        for b, width in points(self.order, low, high):
            weight = width * scale * b ** (a - 1)
            for inner, f, r in inside(b):
                yield weight * inner, f, r

    def _range_of_b(self) -> tuple[float, float]:
        """Cut the beta density of b where nothing is left: nine deviations from its mean."""
        a, c = self.rejected, self.chosen + 1
        mean = a / (a + c)
        reach = 9 * math.sqrt(mean * (1 - mean) / (a + c + 1))
        return max(0.0, mean - reach), min(1.0, mean + reach)

    def _lowest(self) -> float:
        """Return a tau below which the worst chosen expert is never found.

        The experts of the chosen groups are better than those of random ones.
        """
        experts = self.size * self.chosen
        low, high = 0.0, 1.0
        for _ in range(40):
            tau = (low + high) / 2
            fewer = sum(
                math.comb(experts, n) * (1 - tau) ** n * tau ** (experts - n) for n in range(self.k)
            )
            low, high = (tau, high) if fewer < _NEGLIGIBLE else (low, tau)
        return low

    def _of_one(self, b: float) -> Iterator[tuple[float, list[float], list[float]]]:
        """Yield weight, f and r where the best expert alone is the group's score."""
        m, top = self.size, range(1, self.k + 1)
        t = b ** (1 / m)
        pieces = [(max(t, self.lowest), 1.0)]
        if self.lowest < t:
            pieces.append((self.lowest, t))
        for low, high in pieces:
            for tau, weight in points(self.order, low, high):
                under = max(0.0, t - tau)
                f = [max(0.0, tau**m - b)]
                f += [
                    math.comb(m, n) * tau ** max(0, m - n) * ((1 - tau) ** n - under**n)
                    for n in top
                ]
                r = [0.0, m * tau ** (m - 1) * (tau > t)]
                r += [f[n - 1] * max(0, m - n + 1) / tau for n in top[1:]]
                yield weight, f, r

    def _middle(self, b: float) -> float:
        """Solve P(S <= 2 q(u*)) = b for u*."""
        low, high = 0.0, math.pow(b, 1 / self.size)
        below, above = -b, self._at_most(high) - b
        for _ in range(60):
            guess = (low * above - high * below) / (above - below)
            value = self._at_most(guess) - b
            if abs(value) < _SOLVED:
                break
            if value > 0:
                high, above, below = guess, value, below / 2
            else:
                low, below, above = guess, value, above / 2
        return guess

    def _at_most(self, middle: float) -> float:
        """Return P(S <= t): the best is below the middle, or its partner keeps all others down."""
        m, t, partner = self.size, 2 * self.law.quantile(middle), self.law.partner
        under = 0.0
        for u, weight in graded_to_one(16, middle):
            under += weight * m * partner(t, u) ** (m - 1)
        return math.pow(middle, m) + under

    def _of_two(self, b: float) -> Iterator[tuple[float, list[float], list[float]]]:
        """Yield weight, f and r where the two best experts are the group's score."""
        m, partner, middle = self.size, self.law.partner, self._middle(b)
        t = 2 * self.law.quantile(middle)
        start = partner(t, 1.0)  # no second best is lower
        edges = sorted({self.lowest, *(e for e in (start, middle, 1.0) if e > self.lowest)})
        marks = [(start, 0.0), (middle, 0.0), (1.0, 0.0)]
        for low, high in pairwise(edges):
            marks += points(self.order, low, high)
        marks.sort()
        steps = self._upwards(marks, start, middle, t)
        moments = [0.0] * self.k
        above = 1.0
        for number in range(len(marks) - 1, -1, -1):
            tau, weight = marks[number]
            moments = self._moments(tau, above, moments, middle, steps[number].ahead)
            above = tau
            if weight:
                first, second = steps[number].first, steps[number].second
                f = [first, second - first]
                f += [
                    math.comb(m - 2, n - 2) * tau ** max(0, m - n) * moments[n - 2]
                    for n in range(2, self.k + 1)
                ]
                other = partner(t, tau)
                r = [0.0, m * (tau ** (m - 1) - other ** (m - 1)) if tau > middle else 0.0]
                r.append(tau ** (m - 2) * m * (m - 1) * (1 - max(tau, other)))
                r += [f[n - 1] * max(0, m - n + 1) / tau for n in range(3, self.k + 1)]
                yield weight, f[: self.k + 1], r[: self.k + 1]

    def _upwards(
        self, marks: list[tuple[float, float]], start: float, middle: float, t: float
    ) -> list[_Step]:
        """Return at each mark the chance that the best, and the second best, is below it."""
        m, partner = self.size, self.law.partner
        first = second = 0.0
        found = []
        for number, (low, _) in enumerate(marks):
            ahead: list[tuple[float, float]] = []
            found.append(_Step(first, second, ahead))
            high = marks[number + 1][0] if number + 1 < len(marks) else low
            if low == high or high <= start:
                continue
            order = 4 if marks[number][1] and marks[number + 1][1] else 12
            if low >= middle:
                whole = high**m - low**m
                second += m * (high ** (m - 1) - low ** (m - 1)) - (m - 1) * whole
                first += whole - sum(
                    weight * m * partner(t, u) ** (m - 1) for u, weight in points(order, low, high)
                )
            else:
                for u, weight in points(order, low, high):
                    ahead.append((u, weight * m * (m - 1) * (1 - partner(t, u))))
                second += sum(u ** (m - 2) * each for u, each in ahead)
        return found

    def _moments(
        self,
        tau: float,
        above: float,
        moments: list[float],
        middle: float,
        ahead: list[tuple[float, float]],
    ) -> list[float]:
        """Return the integrals of (y - tau)^j h(y) above tau from those above the next mark."""
        powers = range(self.k - 1)
        if tau >= middle:
            pairs = self.size * (self.size - 1)
            return [pairs * (1 - tau) ** (j + 2) / ((j + 1) * (j + 2)) for j in powers]
        step = above - tau
        found = [
            sum(math.comb(j, i) * step ** (j - i) * moments[i] for i in range(j + 1))
            for j in powers
        ]
        for y, weight in ahead:
            term, far = weight, y - tau
            for j in powers:
                found[j] += term
                term *= far
        return found


class _Step(msgspec.Struct, frozen=True):
    """Chances at a mark, and points and weights of h from it to the next."""

    first: float
    second: float
    ahead: list[tuple[float, float]]
