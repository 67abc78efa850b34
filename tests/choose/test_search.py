"""The knapsack against trying every set, and the search round it against a planner that is a formula."""

from __future__ import annotations

import os
from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.choose.knapsack import Item, Room, solve
from selvedge.choose.search import Candidate, Cost, search

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "25"))
NAMES = "abcdef"


def subsets(names: str) -> list[frozenset[str]]:
    return [frozenset(c) for k in range(1, len(names) + 1) for c in combinations(names, k)]


@st.composite
def knapsacks(draw: st.DrawFn) -> tuple[list[Item], list[Room]]:
    count = draw(st.integers(2, 6))
    keys = [f"k{i}" for i in range(3)]
    items = [
        Item(
            n, draw(st.integers(0, 9)), draw(st.integers(1, 9)), dict.fromkeys(draw(st.sets(st.sampled_from(keys))), 4)
        )
        for n in NAMES[:count]
    ]
    rooms = [
        Room(draw(st.sampled_from(subsets(NAMES[:count]))), draw(st.integers(-1, 20)))
        for _ in range(draw(st.integers(0, 5)))
    ]
    return items, rooms


@given(knapsacks())
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_knapsack_finds_the_best_set_of_all(case: tuple[list[Item], list[Room]]) -> None:
    items, rooms = case
    own = {i.name: i for i in items}

    def obeys(names: frozenset[str]) -> bool:
        size = sum(own[n].bytes for n in names)
        return all(not r.when <= names or 0 <= size <= r.bytes for r in rooms)

    fitting = [s for s in subsets("".join(own)) if obeys(s)]
    found = solve(items, rooms)
    if not fitting:
        assert found is None
        return
    best = max((sum(own[n].score for n in s), -sum(own[n].bytes for n in s)) for s in fitting)
    assert found is not None
    assert obeys(found.names)
    assert (found.score, -sum(own[n].bytes for n in found.names)) == best
    assert found.bound == found.score
    assert solve(items, rooms) == found
    assert solve(items, rooms, above=found.score) is None


class Formula:
    """A net of layers: what is taken of layer i needs the signs of all layers behind it; what "w" is taken also saves
    its layer's input. The peak is the larger of the forward pass and all that is saved."""

    def __init__(self, ram: int, inputs: list[int], forward: int) -> None:
        self.ram, self.inputs, self.forward, self.planned = ram, inputs, forward, 0

    def __call__(self, names: frozenset[str]) -> Cost:
        self.planned += 1
        own = sum(self.bytes(n) for n in names)
        deepest = min(int(n[1:]) for n in names)
        signs = sum(self.inputs[deepest + 1 :]) // 2
        kept = signs + sum(self.inputs[int(n[1:])] for n in names if n[0] == "w")
        transient = max(self.forward, kept)
        return Cost(own + transient <= self.ram, own, transient, True)

    def bytes(self, name: str) -> int:
        return 4 if name[0] == "b" else 16

    def candidates(self, scores: dict[str, int]) -> list[Candidate]:
        saved = {n: {f"x{n[1:]}": self.inputs[int(n[1:])]} if n[0] == "w" else {} for n in scores}
        return [Candidate(n, s, self.bytes(n), saved[n]) for n, s in scores.items()]


@given(
    st.lists(st.integers(4, 40), min_size=3, max_size=4),
    st.integers(10, 60),
    st.data(),
)
@settings(max_examples=max(5, EXAMPLES // 2), deadline=None)
def test_what_is_found_fits_is_bounded_and_never_falls_as_ram_grows(
    inputs: list[int], forward: int, data: st.DataObject
) -> None:
    names = [f"{kind}{i}" for i in range(len(inputs)) for kind in "wb"]
    scores = {n: data.draw(st.integers(0, 50)) for n in names}
    shares = []
    for ram in range(forward, forward + 160, 40):
        planner = Formula(ram, inputs, forward)
        found = search(planner.candidates(scores), ram, planner)
        fitting = [
            sum(scores[n] for n in s)
            for k in range(1, len(names) + 1)
            for s in map(frozenset, combinations(names, k))
            if planner(s).fits
        ]
        if found is None:
            assert max(fitting, default=0) <= 0 or sum(scores.values()) == 0
            shares.append(0.0)
            continue
        assert planner(found.names).fits
        best = max(fitting) / sum(scores.values())
        assert found.share <= best + 1e-5 <= found.bound + 2e-5
        if found.proven:
            assert abs(found.share - best) < 1e-5
            shares.append(found.share)
        again = Formula(ram, inputs, forward)
        assert search(again.candidates(scores), ram, again) == found
    assert all(b >= a - 1e-5 for a, b in pairwise(shares))


def test_what_a_person_fixed_stays() -> None:
    planner = Formula(400, [10, 20, 30], 30)
    given = planner.candidates({"w0": 9, "b0": 1, "w1": 5, "b2": 2})
    fixed = [Candidate(c.name, c.score, c.bytes, c.saved, {"w0": False, "b2": True}.get(c.name)) for c in given]
    found = search(fixed, 400, planner)
    assert found is not None
    assert found.names == {"b0", "w1", "b2"}


def test_time_and_energy_at_their_end_rule_out_every_larger_set() -> None:
    def planner(names: frozenset[str]) -> Cost:
        slow = {"a", "b"} <= names
        return Cost(not slow, 4 * len(names), 0, not slow)

    found = search([Candidate(n, 1 + i, 4, {}) for i, n in enumerate("abc")], 1000, planner)
    assert found is not None
    assert found.names == {"b", "c"}
    assert found.proven


def test_nothing_that_contributes_is_nothing_found() -> None:
    assert search([], 100, Formula(100, [1, 1], 1)) is None
    assert search([Candidate("w0", 0.0, 4, {})], 100, Formula(100, [1, 1], 1)) is None


@st.composite
def with_parts(draw: st.DrawFn) -> tuple[list[Item], list[Room]]:
    """Tensors a, b and c, each with up to two parts."""
    items = []
    for of in "abc":
        score, size = draw(st.integers(0, 9)), draw(st.integers(3, 9))
        items.append(Item(of, score, size, {}))
        items += [
            Item(f"{of}{n}", draw(st.integers(0, score)), draw(st.integers(1, size)), {}, None, of, n)
            for n in range(1, draw(st.integers(1, 3)))
        ]
    names = [i.name for i in items]
    rooms = [
        Room(frozenset(draw(st.sets(st.sampled_from(names), min_size=1, max_size=2))), draw(st.integers(-1, 20)), more)
        for more in draw(st.lists(st.booleans(), max_size=5))
    ]
    return items, rooms


def at_least(names: frozenset[str], wanted: str) -> bool:
    """Is ``wanted`` taken, or more of its tensor? "b" is the whole of "b1" and "b2"."""
    same = [n for n in names if n[0] == wanted[0]]
    return any(len(n) == 1 or (len(wanted) > 1 and n[1] >= wanted[1]) for n in same)


@given(with_parts())
@settings(max_examples=EXAMPLES, deadline=None)
def test_of_a_tensor_the_whole_or_one_part_is_taken(case: tuple[list[Item], list[Room]]) -> None:
    items, rooms = case
    own = {i.name: i for i in items}

    def obeys(names: frozenset[str]) -> bool:
        size = sum(own[n].bytes for n in names)
        met = [r for r in rooms if (all(at_least(names, w) for w in r.when) if r.more else r.when <= names)]
        return all(0 <= size <= r.bytes for r in met)

    sets = [frozenset(c) for k in range(1, 4) for c in combinations(own, k) if len({n[0] for n in c}) == k]
    fitting = [s for s in sets if obeys(s)]
    found = solve(items, rooms)
    if not fitting:
        assert found is None
        return
    best = max((sum(own[n].score for n in s), -sum(own[n].bytes for n in s)) for s in fitting)
    assert found is not None
    assert obeys(found.names)
    assert found.names in sets
    assert (found.score, -sum(own[n].bytes for n in found.names)) == best
    assert found.bound == found.score


class Sliced(Formula):
    """A part of "w" saves that much of its input, as a copy that the forward pass holds beside the input itself."""

    def __call__(self, names: frozenset[str]) -> Cost:
        self.planned += 1
        own = sum(self.bytes(n[:2]) - (0 if n == n[:2] else 4) for n in names)
        deepest = min(int(n[1]) for n in names)
        signs = sum(self.inputs[deepest + 1 :]) // 2
        kept, copies = signs, 0
        for n in names:
            if n[0] == "w":
                size = self.inputs[int(n[1])]
                kept += size if n == n[:2] else size * int(n[3]) // 4
                copies += 0 if n == n[:2] else size * int(n[3]) // 4
        transient = max(self.forward + copies, kept)
        return Cost(own + transient <= self.ram, own, transient, True)

    def parts(self, scores: dict[str, int], shares: dict[str, list[int]]) -> list[Candidate]:
        made = self.candidates(scores)
        for n, held in shares.items():
            size = self.inputs[int(n[1])]
            for count, tenths in zip((1, 2), held, strict=True):
                cut = size * count // 4
                score = scores[n] * tenths / 10
                made.append(Candidate(f"{n}:{count}", score, 12, {f"x{n[1]}:{count}": cut}, None, n, count, cut))
        return made


@given(st.lists(st.integers(4, 40), min_size=2, max_size=3), st.integers(10, 60), st.data())
@settings(max_examples=max(5, EXAMPLES // 2), deadline=None)
def test_with_parts_what_is_found_fits_and_the_bound_is_one(
    inputs: list[int], forward: int, data: st.DataObject
) -> None:
    names = [f"{kind}{i}" for i in range(len(inputs)) for kind in "wb"]
    scores = {n: data.draw(st.integers(0, 50)) for n in names}
    shares = {n: sorted(data.draw(st.lists(st.integers(0, 10), min_size=2, max_size=2))) for n in names if n[0] == "w"}
    for ram in range(forward, forward + 160, 40):
        planner = Sliced(ram, inputs, forward)
        candidates = planner.parts(scores, shares)
        found = search(candidates, ram, planner)
        worth = {c.name: c.score for c in candidates}
        fitting = [
            sum(worth[n] for n in s)
            for k in range(1, len(names) + 1)
            for s in map(frozenset, combinations(worth, k))
            if len({n[:2] for n in s}) == k and planner(s).fits
        ]
        if found is None:
            assert max(fitting, default=0) <= 1e-4 * max(1, sum(scores.values())) or sum(scores.values()) == 0
            continue
        assert planner(found.names).fits
        best = max(fitting) / sum(scores.values())
        assert found.share <= best + 1e-4
        assert best <= found.bound + 1e-4
        again = Sliced(ram, inputs, forward)
        assert search(again.parts(scores, shares), ram, again) == found
