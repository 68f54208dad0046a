"""Schedules' closed forms against the published orders of passes, run rank by rank."""

import pytest
from pipeline_orders import SCHEDULES, held, run, stages_of

from dsv3calc.accounting.placement.orders import order_of
from dsv3calc.formulas import bubbles, dualpipe, interleaving, pipeline

RANKS = range(2, 9)
CHUNKS = {"interleaved": (2, 3, 4), "zbv": (2,), "dualpipe": (2,), "dualpipev": (2,)}
EQUAL = {"F": 1, "B": 2, "I": 1, "W": 1, "BF": 3}
"""Seconds of each pass: a whole backward pass is its two halves, and overlap gains nothing."""


def cases(schedule, ranks=RANKS):
    """Yield (pp, chunks, micro-batches) that a schedule can run."""
    for pp in ranks:
        for chunks in CHUNKS.get(schedule, (1,)):
            if schedule == "interleaved":
                counts = [pp, 2 * pp, 3 * pp, 5 * pp]
            elif schedule in ("gpipe", "1f1b", "zb1p"):
                counts = sorted({1, max(pp - 1, 1), pp, pp + 1, 2 * pp + 3})
            elif schedule == "dualpipe":
                counts = [2 * pp, 2 * pp + 2, 4 * pp] if pp % 2 == 0 else []
            else:
                counts = [2 * pp, 2 * pp + 1, 4 * pp + 1]
                counts += [2 * pp - 1] * (schedule == "zbv")
            yield from ((pp, chunks, count) for count in counts)


def walk(schedule, rank, pp, chunks, micro_batches):
    return list(held(order_of(schedule, rank, pp, chunks, micro_batches), chunks))


def most(states):
    """Return the most that each chunk, and all together, have in flight."""
    each = tuple(max(column) for column in zip(*(state for state, _ in states), strict=True))
    return each, max(sum(state) for state, _ in states)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_orders_can_be_executed(schedule):
    for case in cases(schedule):
        assert min(run(schedule, *case, EQUAL)) >= 0


def test_stages_of_chunks():
    for pp in RANKS:
        for rank in range(pp):
            for chunks in (2, 3):
                assert stages_of("interleaved", rank, pp, chunks) == [
                    pipeline.looped_stage(pp, rank, chunk) for chunk in range(chunks)
                ]
            folded = [rank, pipeline.folded_stage(pp, rank)]
            assert stages_of("zbv", rank, pp, 2) == folded
            assert stages_of("dualpipev", rank, pp, 2) == folded
            assert stages_of("dualpipe", rank, pp, 2) == [rank, pipeline.mirrored_stage(pp, rank)]


def test_gpipe_holds_every_micro_batch():
    for pp, _, count in cases("gpipe"):
        for rank in range(pp):
            found = most(walk("gpipe", rank, pp, 1, count))[1]
            assert found == pipeline.gpipe_in_flight(count)


def test_1f1b_holds_one_micro_batch_for_each_stage_to_come():
    for pp, _, count in cases("1f1b"):
        for rank in range(pp):
            found = most(walk("1f1b", rank, pp, 1, count))[1]
            assert found == pipeline.one_forward_one_backward_in_flight(count, pp, rank)


def test_zb1p_owes_weight_gradients_while_it_holds_the_most():
    for pp, _, count in cases("zb1p"):
        for rank in range(pp):
            states = walk("zb1p", rank, pp, 1, count)
            in_flight = pipeline.one_forward_one_backward_in_flight(count, pp, rank)
            pending = pipeline.zb1p_pending(count, pp, rank)
            assert most(states)[1] == in_flight
            assert max(owed for (held,), (owed,) in states if held == in_flight) == pending
            assert max(held + owed for (held,), (owed,) in states) == in_flight + pending
            assert in_flight + pending == min(count, pp)


def test_interleaved_counts_at_every_step():
    for pp, chunks, count in cases("interleaved", (2, 3, 4, 5)):
        for rank in range(pp):
            steps = order_of("interleaved", rank, pp, chunks, count)
            states = list(held(steps, chunks))
            forwards = backwards = 0
            for ((kind, _, _),), (in_flight, _) in zip(steps, states, strict=True):
                forwards += kind == "F"
                backwards += kind == "B"
                assert in_flight == tuple(
                    interleaving.interleaved_in_flight(pp, chunks, chunk, forwards, backwards)
                    for chunk in range(chunks)
                )
            warm_up = interleaving.interleaved_warm_up(count, pp, chunks, rank)
            assert most(states)[1] == warm_up
            assert [kind for ((kind, _, _),) in steps].index("B") == warm_up


def test_turns_are_where_the_chunk_changes():
    for pp, chunks, count in cases("interleaved", (2, 3, 4, 5)):
        for rank in range(pp):
            steps = [each for (each,) in order_of("interleaved", rank, pp, chunks, count)]
            warm_up = interleaving.interleaved_warm_up(count, pp, chunks, rank)
            pairs = steps[warm_up - 1 :][: 2 * (count * chunks - warm_up) + 1]
            forwards = [chunk for kind, chunk, _ in pairs if kind == "F"]
            backwards = [chunk for kind, chunk, _ in pairs if kind == "B"]
            changes = [n for n in range(1, len(forwards) - 1) if forwards[n] != forwards[n + 1]]
            found = [
                interleaving.backwards_at_forward_turn(count, pp, chunks, rank, warm_up, turn)
                for turn in range(-1, count * chunks // pp)
            ]
            assert {n for n in found if 0 < n < len(forwards) - 1} == set(changes)
            changes = [n for n in range(1, len(backwards)) if backwards[n - 1] != backwards[n]]
            found = [
                interleaving.backwards_at_backward_turn(count, pp, chunks, warm_up, turn)
                for turn in range(count * chunks // pp)
            ]
            assert {n for n in found if 0 < n < len(backwards)} == set(changes)


def test_zbv_holds_two_chunks_for_each_rank():
    for pp, _, count in cases("zbv"):
        for rank in range(pp):
            states = walk("zbv", rank, pp, 2, count)
            stages = stages_of("zbv", rank, pp, 2)
            peaks = [
                tuple(pipeline.zbv_in_flight(count, pp, stage, behind) for stage, behind in pair)
                for pair in (zip(stages, (0, 1), strict=True), zip(stages, (1, 0), strict=True))
            ]
            assert most(states)[1] == max(map(sum, peaks)) == 2 * pp
            assert most(states)[0] == tuple(map(max, zip(*peaks, strict=True)))
            assert {(peak, (0, 0)) for peak in peaks} <= set(states)


@pytest.mark.parametrize(
    ("schedule", "function", "total"),
    [
        ("dualpipe", dualpipe.dualpipe_in_flight, lambda pp: pp + 1),
        ("dualpipev", dualpipe.dualpipev_in_flight, lambda pp: 2 * pp + 1),
    ],
)
def test_dualpipe_fills_both_stages_at_once(schedule, function, total):
    for pp, _, count in cases(schedule):
        for rank in range(pp):
            states = walk(schedule, rank, pp, 2, count)
            peak = tuple(function(pp, stage) for stage in stages_of(schedule, rank, pp, 2))
            assert most(states) == (peak, total(pp))
            assert (peak, (0, 0)) in states


def test_peak_activations_of_dualpipe():
    for pp in (2, 4, 8):
        dual = most(walk("dualpipe", 0, pp, 2, 4 * pp))[1]
        plain = most(walk("1f1b", 0, pp, 1, 4 * pp))[1]
        assert dual / plain == dualpipe.dualpipe_activation_ratio(pp)


@pytest.mark.parametrize("seconds", [{"F": 1, "B": 2}, {"F": 3, "B": 2}, {"F": 5, "B": 11}])
def test_idle_time_of_whole_backward_passes(seconds):
    forward, backward = seconds["F"], seconds["B"]
    for schedule in ("gpipe", "1f1b"):
        for pp, _, count in cases(schedule):
            assert (
                run(schedule, pp, 1, count, seconds)
                == [bubbles.bubble_1f1b(pp, forward, backward)] * pp
            )
    for pp, chunks, count in cases("interleaved"):
        assert (
            run("interleaved", pp, chunks, count, seconds)
            == [bubbles.bubble_interleaved(pp, chunks, chunks * forward, chunks * backward)] * pp
        )


def test_idle_time_of_split_backward_passes():
    for pp in RANKS:
        idle = bubbles.bubble_zb1p(pp, 1, 2, 1)
        assert run("zb1p", pp, 1, 3 * pp, EQUAL) == [idle] * pp


def test_idle_time_of_dualpipe():
    for pp, chunks, count in cases("dualpipe"):
        assert (
            run("dualpipe", pp, chunks, count, EQUAL) == [bubbles.bubble_dualpipe(pp, 3, 2, 1)] * pp
        )
    for pp, chunks, count in cases("dualpipev"):
        assert (
            run("dualpipev", pp, chunks, count, EQUAL)
            == [bubbles.bubble_dualpipe(2 * pp, 3, 2, 1)] * pp
        )


def test_idle_time_of_dualpipev():
    for pp, chunks, count in cases("dualpipev"):
        idle = bubbles.bubble_dualpipev(pp, 6, 4, 2)
        assert run("dualpipev", pp, chunks, count, EQUAL) == [idle] * pp


ORDERED = [(4, 4, 4), (4, 3, 3), (5, 4, 2), (7, 3, 3), (10, 5, 4), (5, 5, 2)]
"""Seconds of passes for inputs, forward and for weights: none longer than the one before."""


@pytest.mark.parametrize(("inputs", "forward", "weights"), ORDERED)
def test_idle_time_where_passes_differ(inputs, forward, weights):
    """ZB-V's is exact; DualPipe's is never exceeded, and an eighth to a quarter less at most."""
    whole = inputs + weights
    seconds = {"F": forward, "B": whole, "I": inputs, "W": weights, "BF": forward + whole}
    for pp, chunks, count in cases("zbv", (2, 3, 5)):
        idle = bubbles.bubble_zbv(pp, 2 * whole, 2 * weights)
        assert run("zbv", pp, chunks, count, seconds) == [idle] * pp
    for schedule in ("dualpipe", "dualpipev"):
        for pp, chunks, count in cases(schedule, (2, 4)):
            pair = (forward + whole, whole, weights)
            most = bubbles.bubble_dualpipe(pp, *pair) if schedule == "dualpipe" else (
                bubbles.bubble_dualpipev(pp, *(2 * each for each in pair))
            )  # fmt: skip
            for idle in run(schedule, pp, chunks, count, seconds):
                assert 0.7 * most <= idle <= most


def test_pairs_that_overlap():
    for schedule, function in (
        ("dualpipe", dualpipe.dualpipe_pairs),
        ("dualpipev", dualpipe.dualpipev_pairs),
    ):
        for pp, chunks, count in cases(schedule):
            for rank in range(pp):
                steps = order_of(schedule, rank, pp, chunks, count)
                assert sum(len(step) > 1 for step in steps) == function(count, pp, rank)


def test_zbv_is_never_idle_but_at_its_ends():
    """The first rank works without a pause; the others wait only for the first micro-batch."""
    for pp in RANKS:
        idle = run("zbv", pp, 2, 3 * pp, EQUAL)
        assert idle == [pp - 1] * pp


def test_published_counts_by_hand():
    """The example of DualPipe's README: 8 ranks; figure 3 of arXiv:2401.10241: 4 ranks."""
    assert [dualpipe.dualpipe_in_flight(8, rank) for rank in range(8)] == [8, 7, 6, 5, 4, 3, 2, 1]
    assert [pipeline.one_forward_one_backward_in_flight(8, 4, rank) for rank in range(4)] == [
        4, 3, 2, 1,
    ]  # fmt: skip
    assert bubbles.bubble_1f1b(16, 1, 2) == 45
    assert bubbles.bubble_zb1p(16, 1, 2, 1) == 15
    assert bubbles.bubble_dualpipe(16, 3, 2, 1) == 14
    assert dualpipe.dualpipe_activation_ratio(16) - 1 == 1 / 16
