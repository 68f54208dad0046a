"""The order of each rank's passes under every pipeline schedule, and a clock that runs them.

Written from the published orders, pass by pass, and not from the package's closed forms.
"""

from collections import defaultdict, deque

SCHEDULES = ("gpipe", "1f1b", "interleaved", "zb1p", "zbv", "dualpipe", "dualpipev")
F, B, INPUTS, WEIGHTS = "F", "B", "I", "W"
"""Forward, whole backward, backward for the inputs, and for the weights."""


class Numbered:
    """Collects a rank's passes; those of a chunk take the micro-batches one after the other."""

    def __init__(self):
        self.steps = []
        self.counts = defaultdict(int)
        self.owed = deque()

    def do(self, *passes):
        """Append a step: a pass such as ``F0``, or a forward and a backward that overlap."""
        self.steps.append(tuple(self._numbered(each) for each in passes))

    def repeat(self, times, *passes):
        """Append passes that follow each other, all of them again and again."""
        for _ in range(times):
            for each in passes:
                self.do(each)

    def _numbered(self, name):
        if name == WEIGHTS:  # whichever has waited longest
            return (WEIGHTS, *self.owed.popleft())
        kind, chunk = name[0], int(name[1:])
        if kind == WEIGHTS:
            micro_batch = next(number for own, number in self.owed if own == chunk)
            self.owed.remove((chunk, micro_batch))
            return kind, chunk, micro_batch
        counter = (kind == F, chunk)
        micro_batch = self.counts[counter]
        self.counts[counter] += 1
        if kind == INPUTS:
            self.owed.append((chunk, micro_batch))
        return kind, chunk, micro_batch


def gpipe(order, _rank, _pp, _chunks, micro_batches):
    order.repeat(micro_batches, "F0")
    order.repeat(micro_batches, "B0")


def one_forward_one_backward(order, rank, pp, _chunks, micro_batches):
    ahead = 0
    for done in range(micro_batches):
        while ahead < micro_batches and ahead - done < pp - rank:
            order.do("F0")
            ahead += 1
        order.do("B0")


def interleaved(order, rank, pp, chunks, micro_batches):
    turns = [
        chunk
        for _ in range(micro_batches // pp)
        for chunk in range(chunks)
        for _ in range(pp)
    ]  # fmt: skip
    ahead = 0
    for done, chunk in enumerate(turns):
        while ahead < len(turns) and ahead - done <= 2 * (pp - rank - 1) + (chunks - 1) * pp:
            order.do(f"F{turns[ahead]}")
            ahead += 1
        order.do(f"B{chunks - 1 - chunk}")


def zb1p(order, rank, pp, _chunks, micro_batches):
    ahead = 0
    for done in range(micro_batches):
        while ahead < micro_batches and ahead - done < pp - rank:
            order.do("F0")
            ahead += 1
        order.do("I0")
        if len(order.owed) > rank:
            order.do("W0")
    while order.owed:
        order.do("W0")


def zbv(order, rank, pp, _chunks, micro_batches):
    below = pp - rank
    order.repeat(2 * below - 1, "F0")
    order.repeat(rank, "F1", "F0")
    order.repeat(below, "F1", "I1", "W1")
    both = micro_batches - 2 * pp + rank + 1
    order.repeat(both, "F0", "I0", "W0", "F1", "I1", "W1")
    order.repeat(micro_batches - pp - both, "I0", "W0", "F1", "I1", "W1")
    order.repeat(rank, "I0", "I1")
    order.repeat(below, "I0", "W0")
    order.repeat(rank, "W1")
    order.repeat(rank, "W0")


def dualpipev(order, rank, pp, _chunks, micro_batches):
    bidirectional(order, rank, pp, micro_batches, ("0", "1"))


def dualpipe(order, rank, pp, _chunks, micro_batches):
    """Ranks of the second half do the same with the directions exchanged."""
    half = min(rank, pp - 1 - rank)
    near, far = ("0", "1") if rank == half else ("1", "0")
    bidirectional(order, half, pp // 2, micro_batches // 2, (near, far))


def bidirectional(order, rank, ranks, micro_batches, chunks):
    """DualPipe's eight steps as seen from the outer end; ``micro_batches`` are those of a chunk."""
    near, far = chunks
    rest, own = ranks - rank - 1, rank + 1
    order.repeat(2 * rest, F + near)
    order.repeat(own, F + near, F + far)
    order.repeat(rest, INPUTS + far, WEIGHTS, F + far)
    for number in range(micro_batches - 2 * ranks + own):
        if number == 0 and not rest:
            order.repeat(1, F + near, B + far)
        else:
            order.do(F + near, B + far)
        order.do(F + far, B + near)
    for _ in range(rest):
        order.do(B + far)
        order.do(F + far, B + near)
    for number in range(2 * own):
        order.do((B if number < own else INPUTS) + (near if number % 2 else far))
    order.repeat(rest, WEIGHTS, INPUTS + near)
    order.repeat(own, WEIGHTS)


ORDERS = {
    "gpipe": gpipe,
    "1f1b": one_forward_one_backward,
    "interleaved": interleaved,
    "zb1p": zb1p,
    "zbv": zbv,
    "dualpipe": dualpipe,
    "dualpipev": dualpipev,
}


def order_of(schedule, rank, pp, chunks, micro_batches):
    """List a rank's steps: tuples of (pass, chunk, micro-batch)."""
    order = Numbered()
    ORDERS[schedule](order, rank, pp, chunks, micro_batches)
    assert not order.owed
    return order.steps


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
