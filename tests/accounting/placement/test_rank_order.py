"""Groups on nodes, against numbering every GPU of many small layouts."""

import itertools
import random

import msgspec
import numpy as np
import pytest
import sympy

from dsv3calc.accounting.placement.rank_order import check_pipeline, gpus_per_node, placement_of
from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import given
from dsv3calc.schema.layout import Layout
from dsv3calc.schema.provenance import Source

DEFAULT_ORDER = ["tp", "cp", "ep", "dp", "pp"]


def layout_of(**degrees):
    return Layout(
        name="drawn",
        title="Drawn",
        sources={"test": Source(kind="assumed", citation="drawn")},
        provenance={"default": "test"},
        **degrees,
    )


def groups_of(layout, axes, numbering):
    """Number all GPUs, first axis fastest, and collect those that differ in ``axes`` alone."""
    order = [(name, numbering[name]) for name in layout.rank_order if name in numbering]
    sizes = [size for _, size in order]
    groups = {}
    for rank, coordinates in enumerate(itertools.product(*(range(n) for n in reversed(sizes)))):
        place = dict(zip([name for name, _ in order], reversed(coordinates), strict=True))
        key = tuple(at for name, at in place.items() if name not in axes)
        groups.setdefault(key, []).append(rank)
    return list(groups.values())


def every_group(layout):
    attention = {"tp": layout.tp, "cp": layout.cp, "dp": layout.dp, "pp": layout.pp}
    experts = {"tp": layout.etp, "ep": layout.ep, "dp": layout.edp, "pp": layout.pp}
    yield from ((axis, groups_of(layout, {axis}, attention)) for axis in attention)
    yield "data", groups_of(layout, {"dp", "cp"}, attention)
    yield "etp", groups_of(layout, {"tp"}, experts)
    yield "ep", groups_of(layout, {"ep"}, experts)
    yield "edp", groups_of(layout, {"dp"}, experts)


def spans(groups, size):
    """Return (members in a node, nodes) of groups that all lie in the same way, else None."""
    found = set()
    for group in groups:
        nodes = [rank // size for rank in group]
        counts = {nodes.count(node) for node in nodes}
        found.add((tuple(sorted(counts)), len(set(nodes))))
    if len(found) != 1:
        return None
    counts, nodes = found.pop()
    return (counts[0], nodes) if len(counts) == 1 else None


def group_span(layout, axis, size):
    """Return (members of a group in one node, nodes that it is on)."""
    found = placement_of("span", layout, axis, given("gpus_per_node", size, "1"))
    return found.members.value, found.nodes.value


def drawn_layouts(count, sizes):
    dice = random.Random(20_250_514)  # noqa: S311 - a fixed seed, not a secret
    while count:
        tp, cp, dp, pp = (dice.choice(sizes) for _ in range(4))
        stage = tp * cp * dp
        ep = dice.choice([n for n in range(1, stage + 1) if stage % n == 0])
        etp = dice.choice([n for n in range(1, stage // ep + 1) if stage // ep % n == 0])
        order = DEFAULT_ORDER if dice.random() < 0.5 else dice.sample(DEFAULT_ORDER, 5)
        if stage * pp <= 400:
            count -= 1
            yield layout_of(tp=tp, cp=cp, dp=dp, pp=pp, ep=ep, etp=etp, rank_order=order)


@pytest.mark.parametrize("sizes", [(1, 2, 4, 8), (1, 2, 3, 4, 6)], ids=["powers", "others"])
def test_spans_equal_those_of_numbered_gpus(sizes):
    for layout in drawn_layouts(60, sizes):
        for domain in (1, 2, 4, 6, 8, 72):
            size = gpus_per_node(layout, domain)
            assert 1 <= size <= domain
            for axis, groups in every_group(layout):
                assert group_span(layout, axis, size) == spans(groups, size), (layout, axis, size)


def test_no_larger_node_would_be_filled_evenly():
    for layout in drawn_layouts(40, (1, 2, 3, 4, 6)):
        size = gpus_per_node(layout, 8)
        for larger in range(size + 1, min(8, layout.gpus) + 1):
            # data joins axes that are even apart
            apart = [
                spans(groups, larger) for axis, groups in every_group(layout) if axis != "data"
            ]
            assert None in apart, (layout, larger)


def test_groups_of_all_gpus_and_of_one():
    layout = layout_of(tp=8, dp=4)
    assert gpus_per_node(layout, None) == 32
    assert group_span(layout, "dp", 32) == (4, 1)
    assert group_span(layout, "cp", 8) == (1, 1)


def test_deepseek_v3_on_h800_and_on_nvl72():
    layout = layout_of(pp=16, dp=128, ep=64)
    assert gpus_per_node(layout, 8) == 8
    assert group_span(layout, "ep", 8) == (8, 8)
    assert group_span(layout, "edp", 8) == (1, 2)
    assert group_span(layout, "dp", 8) == (8, 16)
    assert group_span(layout, "pp", 8) == (1, 16)
    assert gpus_per_node(layout, 72) == 64
    assert group_span(layout, "ep", 64) == (64, 1)


def test_arrays_leave_the_gpus_idle_that_one_layout_leaves():
    drawn = [
        layout_of(tp=tp, cp=cp, pp=pp, dp=ep * edp, ep=ep)
        for tp, cp, pp, ep, edp in itertools.product((1, 2, 3), (1, 2), (1, 3), (1, 4), (1, 3))
    ]
    names = ("tp", "cp", "pp", "dp", "ep")
    arrays = {name: np.array([float(getattr(each, name)) for each in drawn]) for name in names}
    every = msgspec.structs.replace(drawn[0], **arrays)
    for domain, experts in itertools.product((8, 72), (False, True)):
        expected = [gpus_per_node(each, domain, experts=experts) for each in drawn]
        assert len({*expected}) > 4
        assert gpus_per_node(every, domain, experts=experts).tolist() == expected


def test_a_pipeline_is_one_for_attention_and_experts():
    agreeing = layout_of(tp=4, pp=2, dp=2, ep=8, rank_order=DEFAULT_ORDER)
    check_pipeline(agreeing)
    between = msgspec.structs.replace(agreeing, rank_order=["tp", "cp", "pp", "ep", "dp"])
    with pytest.raises(UsageError, match="4 GPUs apart for attention and 1 for experts"):
        check_pipeline(between)
    check_pipeline(msgspec.structs.replace(between, etp=4, ep=2))
    check_pipeline(msgspec.structs.replace(between, pp=1))
    check_pipeline(between, experts=False)


def test_experts_groups_are_none_of_a_dense_models():
    layout = layout_of(tp=2, dp=12, etp=3)  # 3 do not fill 8
    assert gpus_per_node(layout, 8) < 8
    assert gpus_per_node(layout, 8, experts=False) == 8


def test_arrays_and_symbols_give_what_integers_give():
    chosen = [layout_of(tp=2**a, cp=2**b, dp=2**c, pp=2) for a in range(3) for b in range(2)
              for c in range(4)]  # fmt: skip
    arrays = msgspec.structs.replace(
        chosen[0],
        **{name: np.array([float(getattr(each, name)) for each in chosen])
           for name in ("tp", "cp", "dp", "pp")},
    )  # fmt: skip
    tp, cp, dp = sympy.symbols("tp cp dp", integer=True, positive=True)
    symbolic = msgspec.structs.replace(chosen[0], tp=tp, cp=cp, dp=dp)
    for axis in ("tp", "cp", "dp", "pp", "data", "edp"):
        members, nodes = group_span(arrays, axis, 8)
        closed = group_span(symbolic, axis, 8)
        for row, layout in enumerate(chosen):
            exact = group_span(layout, axis, 8)
            found = [np.broadcast_to(value, len(chosen))[row] for value in (members, nodes)]
            assert tuple(found) == exact
            values = {tp: layout.tp, cp: layout.cp, dp: layout.dp}
            assert tuple(sympy.sympify(each).subs(values) for each in closed) == exact
