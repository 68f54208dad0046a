"""The closed forms of networks against graphs built switch by switch."""

from collections import deque
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.accounting.network import (
    dragonfly_lines,
    fat_tree_lines,
    slim_fly_lines,
)
from dsv3calc.accounting.slim_fly_orders import is_slim_fly_order, largest_order, neighbours
from dsv3calc.formulas import dragonfly, fat_tree, network, slim_fly


def join(graph, one, other):
    assert one != other
    graph.setdefault(one, []).append(other)
    graph.setdefault(other, []).append(one)


def links(graph):
    return sum(map(len, graph.values())) // 2


def eccentricity(graph, start):
    distance = {start: 0}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        for there in graph[here]:
            if there not in distance:
                distance[there] = distance[here] + 1
                queue.append(there)
    assert len(distance) == len(graph), "in one piece"
    return max(distance.values())


def diameter(graph):
    return max(eccentricity(graph, start) for start in graph)


def crossing(graph, half):
    return sum(1 for one in half for other in graph[one] if other not in half)


def values(lines):
    return {line.name.removeprefix("network."): line.value for line in lines}


# --- fat trees ----------------------------------------------------------------------------------


def two_layers(radix):
    """Return a leaf-spine graph and the endpoints of each leaf."""
    graph = {}
    for leaf, spine in product(range(radix), range(radix // 2)):
        join(graph, ("leaf", leaf), ("spine", spine))
    return graph, {("leaf", leaf): radix // 2 for leaf in range(radix)}


def three_layers(radix):
    """Return a k-ary fat tree of pods and the endpoints of each edge switch."""
    graph, half = {}, radix // 2
    for pod, up in product(range(radix), range(half)):
        for down in range(half):
            join(graph, ("up", pod, up), ("edge", pod, down))
        for core in range(half):
            join(graph, ("up", pod, up), ("core", up, core))
    return graph, {("edge", pod, n): half for pod in range(radix) for n in range(half)}


@pytest.mark.parametrize("radix", [2, 4, 6, 8])
@pytest.mark.parametrize(("tiers", "build"), [(2, two_layers), (3, three_layers)])
def test_fat_trees_as_built(radix, tiers, build):
    graph, attached = build(radix)
    found = values(fat_tree_lines(radix, tiers))
    for switch, neighbors in graph.items():
        assert len(neighbors) + attached.get(switch, 0) == radix, "every port is used"
    assert found["endpoints"] == sum(attached.values())
    assert found["switches"] == len(graph)
    assert found["links"] == links(graph)
    assert found["diameter"] == max(eccentricity(graph, leaf) for leaf in attached)
    assert found["diameter"] == diameter(graph)


@pytest.mark.parametrize("radix", [2, 4])
def test_no_cut_of_a_two_layer_tree_is_smaller_than_the_bisection(radix):
    """Every half of the leaves, every side of each spine: an endpoint's cable counts as a link."""
    graph, _ = two_layers(radix)
    leaves = [switch for switch in graph if switch[0] == "leaf"]
    spines = [switch for switch in graph if switch[0] == "spine"]
    smallest = min(
        crossing(graph, {*half, *some})
        for half in combinations(leaves, radix // 2)
        for count in range(len(spines) + 1)
        for some in combinations(spines, count)
    )
    assert smallest == fat_tree.fat_tree_bisection(radix, 2, 1)


@pytest.mark.parametrize("radix", [4, 6])
def test_pods_halve_a_three_layer_tree(radix):
    graph, _ = three_layers(radix)
    half = {s for s in graph if s[0] != "core" and s[1] < radix // 2}
    assert crossing(graph, half) == fat_tree.fat_tree_bisection(radix, 3, 1)


@given(half=st.integers(1, 500), planes=st.integers(1, 16))
def test_the_trees_of_the_papers(half, planes):
    k = 2 * half
    ft2, ft3, mpft = (
        [count(k, tiers, n) for count in COUNTS] for tiers, n in ((2, 1), (3, 1), (2, planes))
    )
    assert ft2 == [k * k // 2, 3 * k // 2, k * k // 2]
    assert ft3 == [k**3 // 4, 5 * k * k // 4, k**3 // 2]
    assert mpft == [planes * each for each in ft2]


COUNTS = (fat_tree.fat_tree_endpoints, fat_tree.fat_tree_switches, fat_tree.fat_tree_links)


# --- Dragonfly ----------------------------------------------------------------------------------


def built_dragonfly(global_ports, groups):
    """Build it: the group that lies n on is reached by port n - 1 of the group, in turns."""
    per_group = 2 * global_ports
    graph = {}
    for group in range(groups):
        for one, other in combinations(range(per_group), 2):
            join(graph, (group, one), (group, other))
    used = dict.fromkeys(range(groups), 0)
    for step in range(1, groups):
        for group in range(groups - step):
            switches = [used[side] // global_ports for side in (group, group + step)]
            join(graph, (group, switches[0]), (group + step, switches[1]))
            used[group] += 1
            used[group + step] += 1
    return graph


@pytest.mark.parametrize("radix", [3, 7, 8, 11])
def test_the_largest_dragonfly_as_built(radix):
    ports = (radix + 1) // 4
    found = values(dragonfly_lines(radix))
    graph = built_dragonfly(ports, found["groups"])
    each = found["endpoints_per_switch"]
    assert all(len(near) + each <= radix for near in graph.values())
    assert all(len(near) == 2 * ports - 1 + ports for near in graph.values())
    assert found["switches"] == len(graph)
    assert found["endpoints"] == each * len(graph)
    assert found["links"] == links(graph)
    assert found["diameter"] == diameter(graph)
    half = {switch for switch in graph if switch[0] < found["groups"] // 2}
    assert found["bisection_links"] == crossing(graph, half)


def test_the_smallest_dragonfly_is_a_ring():
    graph = built_dragonfly(1, 3)
    assert {len(near) for near in graph.values()} == {2}
    found = values(dragonfly_lines(3))
    assert diameter(graph) == found["diameter"] == 3
    halves = combinations(graph, 3)
    assert min(crossing(graph, set(half)) for half in halves) == found["bisection_links"] == 2


@given(ports=st.integers(1, 10**6))
def test_a_balanced_dragonfly_takes_4h_minus_1_ports(ports):
    assert dragonfly.dragonfly_global_ports(4 * ports - 1) == ports
    assert dragonfly.dragonfly_global_ports(4 * ports + 2) == ports
    groups = dragonfly.dragonfly_groups(2 * ports, ports)
    assert dragonfly.dragonfly_global_links(2 * ports, ports, groups) == groups * (groups - 1) // 2
    assert dragonfly.dragonfly_bisection(2 * ports, ports, groups) == (groups**2 - 1) // 4


# --- Slim Fly -----------------------------------------------------------------------------------


class Field:
    """A small finite field: elements are 0 .. q-1, digits of polynomials over the prime."""

    def __init__(self, prime, degree=1, modulus=()):
        self.q = prime**degree
        self.prime, self.degree, self.modulus = prime, degree, modulus

    def digits(self, element):
        found = []
        for _ in range(self.degree):
            found.append(element % self.prime)
            element //= self.prime
        return found

    def number(self, digits):
        return sum(digit % self.prime * self.prime**n for n, digit in enumerate(digits))

    def add(self, a, b):
        return self.number([x + y for x, y in zip(self.digits(a), self.digits(b), strict=True)])

    def subtract(self, a, b):
        return self.number([x - y for x, y in zip(self.digits(a), self.digits(b), strict=True)])

    def multiply(self, a, b):
        product_ = [0] * (2 * self.degree - 1)
        for i, x in enumerate(self.digits(a)):
            for j, y in enumerate(self.digits(b)):
                product_[i + j] += x * y
        for n in range(len(product_) - 1, self.degree - 1, -1):  # x^degree = -modulus
            for low, coefficient in enumerate(self.modulus):
                product_[n - self.degree + low] -= product_[n] * coefficient
        return self.number(product_[: self.degree])

    def powers(self):
        """Return the powers of a generator of the multiplicative group."""
        for candidate in range(1, self.q):
            found, element = [1], candidate
            while element != 1:
                found.append(element)
                element = self.multiply(element, candidate)
            if len(found) == self.q - 1:
                return found
        raise AssertionError


FIELDS = {
    3: Field(3),
    4: Field(2, 2, (1, 1)),
    5: Field(5),
    7: Field(7),
    8: Field(2, 3, (1, 1, 0)),
    9: Field(3, 2, (1, 0)),
    11: Field(11),
    13: Field(13),
}


def built_slim_fly(field):
    """Build the graph of McKay, Miller and Siran as arXiv:1912.08968 tells it."""
    q, powers = field.q, field.powers()
    quarter, delta = (q + 1) // 4, (q + 1) % 4 - 1
    if delta == -1:
        near = [*range(0, 2 * quarter - 1, 2), *range(2 * quarter - 1, 4 * quarter - 2, 2)]
        far = [*range(1, 2 * quarter, 2), *range(2 * quarter, 4 * quarter - 1, 2)]
    else:
        near, far = range(0, q - 1, 2), range(1, q if delta == 0 else q - 1, 2)
    generators = [{powers[n % (q - 1)] for n in exponents} for exponents in (near, far)]
    graph = {}
    for side, group in product((0, 1), range(q)):
        for one, other in combinations(range(q), 2):
            if field.subtract(one, other) in generators[side]:
                assert field.subtract(other, one) in generators[side]
                join(graph, (side, group, one), (side, group, other))
    for x, m, c in product(range(q), repeat=3):
        join(graph, (0, x, field.add(field.multiply(m, x), c)), (1, m, c))
    return graph


@pytest.mark.parametrize("q", FIELDS)
def test_slim_fly_as_built(q):
    graph = built_slim_fly(FIELDS[q])
    found = values(slim_fly_lines(64, q))
    assert {len(near) for near in graph.values()} == {found["network_radix"]}
    assert found["switches"] == len(graph)
    assert found["links"] == links(graph)
    assert found["diameter"] == diameter(graph) == 2


@pytest.mark.parametrize("q", FIELDS)
def test_the_bisection_of_slim_fly_lies_between_its_bounds(q):
    """The cut can be drawn; the eigenvalues allow none smaller than q^3 / 2."""
    graph = built_slim_fly(FIELDS[q])
    half = {s for s in graph if (s[1] < q - q // 2 if s[0] == 0 else s[1] < q // 2)}
    bound = slim_fly.slim_fly_bisection_bound(q)
    assert 2 * len(half) == len(graph)
    assert crossing(graph, half) == bound
    place = {switch: number for number, switch in enumerate(graph)}
    matrix = np.zeros((len(graph), len(graph)))
    for one, near in graph.items():
        for other in near:
            matrix[place[one], place[other]] = 1
    first, second = np.linalg.eigvalsh(matrix)[[-1, -2]]
    connectivity = first - second
    assert connectivity == pytest.approx(q)
    assert connectivity * len(graph) / 4 <= bound + 1e-6
    assert 0 <= bound - q**3 / 2 <= q / 2


@given(q=st.integers(3, 10**6))
def test_the_network_radix_is_that_of_the_literature(q):
    delta = {0: 0, 1: 1, 3: -1}.get(q % 4)
    if delta is not None:
        assert 2 * slim_fly.slim_fly_network_radix(q) == 3 * q - delta


def test_orders_are_prime_powers():
    def prime(n):
        return n > 1 and all(n % d for d in range(2, n))

    known = {p**n for p in range(2, 300) if prime(p) for n in range(1, 9) if p**n < 300} - {2}
    assert {q for q in range(-2, 300) if is_slim_fly_order(q)} == known


def test_neighbours_of_what_is_no_order():
    assert neighbours(28) == (27, 29)
    assert neighbours(1) == (3,)
    assert neighbours(6) == (5, 7)
    assert neighbours(120) == (113, 121)


def test_the_largest_order_that_fits():
    def fits(q, radix):
        degree = slim_fly.slim_fly_network_radix(q)
        return is_slim_fly_order(q) and degree + degree // 2 <= radix

    for radix in range(1, 7):
        assert largest_order(radix) is None
    for radix in range(7, 200):
        assert largest_order(radix) == max(q for q in range(3, radix) if fits(q, radix))


def test_the_slim_flies_next_to_the_published_one():
    for q, radix, sizes in (
        (27, 62, (30_618, 1_458, 29_889)),
        (29, 64, (35_322, 1_682, 36_163)),
    ):
        found = values(slim_fly_lines(radix, q))
        assert tuple(found[name] for name in ("endpoints", "switches", "links")) == sizes
        assert found["endpoints_per_switch"] == 21


# --- measured bandwidths ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("logical", "ranks", "physical"),
    [(43, 16, 21.5), (58, 32, 43.5), (51, 64, 44.6), (90, 16, 45.0), (61, 32, 45.8)],
)
def test_logical_bandwidth_counts_the_own_node(logical, ranks, physical):
    nodes = ranks // 8
    one_share = logical * 10**9 / nodes  # every node gets as much, the own one too
    found = network.physical_bandwidth(logical * 10**9, 8, ranks)
    assert found == pytest.approx(one_share * (nodes - 1))
    assert found / 10**9 == pytest.approx(physical, abs=0.051)


# --- one composition for arrays and symbols -----------------------------------------------------


def test_compositions_take_arrays():
    radices = np.array([4.0, 8.0, 64.0])
    for lines in (lambda k: fat_tree_lines(k, 3), dragonfly_lines, lambda k: slim_fly_lines(k, 5)):
        found = values(lines(radices))
        for number, radix in enumerate((4, 8, 64)):
            for name, value in values(lines(radix)).items():
                assert np.broadcast_to(found[name], 3)[number] == value, name


def test_compositions_take_symbols():
    import sympy

    k, n = sympy.symbols("k n", positive=True, integer=True)
    found = values(fat_tree_lines(k, 2, n))
    assert sympy.simplify(found["endpoints"] - n * k**2 / 2) == 0
    assert sympy.simplify(found["switches"] - n * 3 * k / 2) == 0
    exact = {name: sympy.sympify(v).subs(k, 64) for name, v in values(dragonfly_lines(k)).items()}
    assert exact == values(dragonfly_lines(64))
