"""A clock that runs the order of each rank's passes, and what a rank holds after each of them."""

from dsv3calc.accounting.placement.orders import INPUTS, WEIGHTS, B, F, order_of

SCHEDULES = ("gpipe", "1f1b", "interleaved", "zb1p", "zbv", "dualpipe", "dualpipev")


def stages_of(schedule, rank, pp, chunks):
    """List the virtual stage of each chunk of a rank, by walking the depth."""
    walks = {
        "interleaved": [*range(pp)] * chunks,
        "zbv": [*range(pp), *reversed(range(pp))],
        "dualpipev": [*range(pp), *reversed(range(pp))],
    }
    walk = walks.get(schedule, [*range(pp)])
    found = [stage for stage, holder in enumerate(walk) if holder == rank]
    if schedule == "dualpipe":
        found.append([*reversed(range(pp))].index(rank))
    return found


def run(schedule, pp, chunks, micro_batches, seconds):
    """Run all ranks' orders by the clock; return how long each of them is idle until the end.

    A pass starts when its rank is free and what it needs has been made: the stage before it on the
    way forward, the stage behind it on the way back. Fails where ranks wait for each other.
    """
    orders = [order_of(schedule, rank, pp, chunks, micro_batches) for rank in range(pp)]
    stages = [stages_of(schedule, rank, pp, chunks) for rank in range(pp)]
    last = max(max(held) for held in stages)
    made = {}
    clocks = [0] * pp
    busy = [0] * pp
    at = [0] * pp
    while any(at[rank] < len(orders[rank]) for rank in range(pp)):
        moved = False
        for rank, order in enumerate(orders):
            while at[rank] < len(order):
                step = order[at[rank]]
                keys = [key_of(schedule, stages[rank], each) for each in step]
                needed = [need for key in keys for need in needs(key, last)]
                if any(need not in made for need in needed):
                    break
                length = seconds["".join(sorted(kind for kind, _, _ in step))]
                start = max([clocks[rank], *(made[need] for need in needed)])
                clocks[rank] = start + length
                busy[rank] += length
                for key in keys:
                    assert key not in made, "done twice"
                    made[key] = clocks[rank]
                at[rank] += 1
                moved = True
        assert moved, "ranks wait for each other"
    check_complete(schedule, made, last, micro_batches)
    return [max(clocks) - each for each in busy]


def key_of(schedule, stages, step):
    kind, chunk, micro_batch = step
    direction = chunk if schedule == "dualpipe" else 0
    return "B" if kind == INPUTS else kind, direction, stages[chunk], micro_batch


def needs(key, last):
    kind, direction, stage, micro_batch = key
    if kind == F:
        return [(F, direction, stage - 1, micro_batch)] if stage else []
    if kind == B:
        behind = (B, direction, stage + 1, micro_batch)
        return [(F, direction, stage, micro_batch), *([behind] if stage < last else [])]
    return [(B, direction, stage, micro_batch)]


def check_complete(schedule, made, last, micro_batches):
    directions = (0, 1) if schedule == "dualpipe" else (0,)
    assert {key for key in made if key[0] != WEIGHTS} == {
        (kind, direction, stage, number)
        for kind in (F, B)
        for direction in directions
        for stage in range(last + 1)
        for number in range(micro_batches // len(directions))
    }


def held(steps, chunks):
    """Yield what a rank holds after each pass: (in flight per chunk, pending per chunk)."""
    in_flight, pending = [0] * chunks, [0] * chunks
    for step in steps:
        for kind, chunk, _ in step:
            in_flight[chunk] += {F: 1, B: -1, INPUTS: -1, WEIGHTS: 0}[kind]
            pending[chunk] += {F: 0, B: 0, INPUTS: 1, WEIGHTS: -1}[kind]
            assert min(*in_flight, *pending) >= 0
            yield tuple(in_flight), tuple(pending)
    assert not any((*in_flight, *pending)), "something is kept after the step"
