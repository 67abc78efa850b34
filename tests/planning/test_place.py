"""Buffers that are live together never share a byte; where the optimum is known, it is found."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.ir import Spec
from selvedge.planning.greedy import greedy
from selvedge.planning.kernel import Instance, Kernel, Lowered
from selvedge.planning.place import Buffer, buffers, place

from .dags import lowereds, peak_of


@st.composite
def intervals(draw: st.DrawFn, unit: int = 4) -> list[Buffer]:
    """Up to 20 buffers of whole ``unit`` bytes."""
    found = []
    for i in range(draw(st.integers(1, 20))):
        start = draw(st.integers(-1, 15))
        stop = start + draw(st.integers(0, 6))
        found.append(Buffer((i,), unit * draw(st.integers(1, 30)), start, stop))
    return found


def live(found: list[Buffer]) -> int:
    """The largest sum of bytes at any one time."""
    times = range(min(b.start for b in found), max(b.stop for b in found) + 1)
    return max(sum(b.bytes for b in found if b.start <= t <= b.stop) for t in times)


def assert_apart(found: list[Buffer], offsets: dict[int, int], top: int) -> None:
    for n, a in enumerate(found):
        low = offsets[a.instances[0]]
        assert 0 <= low <= low + a.bytes <= top
        for b in found[:n]:
            if a.start <= b.stop and b.start <= a.stop:
                other = offsets[b.instances[0]]
                assert low + a.bytes <= other or other + b.bytes <= low, (a, b)
    assert max(offsets[b.instances[0]] + b.bytes for b in found) == top


@settings(max_examples=200, deadline=None)
@given(intervals(), st.sampled_from([4, 8, 16, 64]))
def test_buffers_that_live_together_lie_apart(found: list[Buffer], align: int) -> None:
    bound = live(found)
    offsets, top = place(found, align, 4, bound, tries=40)
    assert_apart(found, offsets, top)
    assert top >= bound
    for b in found:
        assert offsets[b.instances[0]] % (align if b.bytes % align == 0 else 4) == 0
    assert (offsets, top) == place(found, align, 4, bound, tries=40)


@settings(max_examples=60, deadline=None)
@given(intervals(), st.integers(1, 8))
def test_equal_buffers_meet_the_bound(found: list[Buffer], words: int) -> None:
    """Interval graphs are perfect: as many slots as buffers live at once are enough."""
    equal = [Buffer(b.instances, 4 * words, b.start, b.stop) for b in found]
    assert place(equal, 4, 4, live(equal))[1] == live(equal)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=16))
def test_nested_buffers_meet_the_bound(words: list[int]) -> None:
    """As a forward pass and its backward hold them: a stack."""
    nested = [Buffer((i,), 4 * n, i, 2 * len(words) - i) for i, n in enumerate(words)]
    assert place(nested, 4, 4, live(nested))[1] == live(nested) == 4 * sum(words)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=2, max_size=16))
def test_a_chain_of_neighbours_is_within_a_tenth_of_the_bound(words: list[int]) -> None:
    """Each is live with the one before it: alternating between two ends would meet the bound exactly."""
    chain = [Buffer((i,), 4 * n, i, i + 1) for i, n in enumerate(words)]
    assert place(chain, 4, 4, live(chain))[1] <= 1.1 * live(chain)


@settings(max_examples=80, deadline=None)
@given(lowereds(most=20))
def test_the_buffers_of_an_order_are_its_live_bytes(lowered: Lowered) -> None:
    _, order = greedy(lowered)
    found = buffers(lowered, order)
    scratches = {k.scratch for k in lowered.kernels}
    assert sorted(i for b in found for i in b.instances) == [i.id for i in lowered.instances]
    assert live(found) == peak_of(lowered, order)
    for b in found:
        assert all(lowered.instances[i].spec.bytes == b.bytes for i in b.instances)
        assert len(b.instances) == 1 or not scratches.intersection(b.instances)
    offsets, top = place(found, 16, 4, live(found))
    assert_apart(found, offsets, top)
    assert all(len({offsets[i] for i in b.instances}) == 1 for b in found)


def test_one_dying_operand_makes_room_for_one_result() -> None:
    """A kernel by rows of two results that may lie where its operand does: one does, the other has its own place."""
    x, y, z = (Instance(i, f"i{i}", Spec((16, 4), "float32")) for i in range(3))
    kernel = Kernel(0, "stream", (0,), (1, 2), inplace=((0, 0),), overlay=((1, 0, 64),))
    lowered = Lowered((kernel,), (x, y, z), {0: frozenset()}, {"x": 0}, {"y": 1, "z": 2}, {}, None, {})
    found = buffers(lowered, [0])
    assert [(b.instances, b.over) for b in found] == [((0, 1), None), ((2,), None)]
    offsets, top = place(found, 16, 4, live(found))
    assert_apart(found, offsets, top)
