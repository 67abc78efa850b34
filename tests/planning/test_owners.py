"""Stretches of bytes know what a note on every byte would know."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.planning.owners import Owners

SIZE = 24
spans = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)).map(lambda s: (min(s), max(s)))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(spans, st.integers(0, 3)), max_size=12), spans)
def test_a_stretch_belongs_to_whoever_claimed_all_of_it_last(
    claims: list[tuple[tuple[int, int], int]], asked: tuple[int, int]
) -> None:
    owners, noted = Owners(SIZE), np.full(SIZE, -1)
    for (low, high), owner in claims:
        assert owners.untouched(low, high) == bool((noted[low:high] == -1).all())
        owners.claim(low, high, owner)
        noted[low:high] = owner
    low, high = asked
    for owner in range(4):
        assert owners.belongs(low, high, owner) == bool((noted[low:high] == owner).all())
    assert owners.untouched(low, high) == bool((noted[low:high] == -1).all())
    assert len(owners) == SIZE
