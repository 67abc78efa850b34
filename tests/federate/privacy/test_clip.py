"""Lengths that are bounded, to the last bit."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.federate.privacy.clip import clipped, inflated, length, rounded, whole
from selvedge.federate.privacy.gaussian_sum import Lattice
from selvedge.federate.privacy.randomness import Keystream, derived

VECTORS = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=40).map(lambda v: np.array(v, np.float32))
BOUNDS = st.floats(1e-3, 1e3)


@given(VECTORS, BOUNDS)
def test_a_change_is_cut_to_its_bound_and_keeps_its_direction(vector: Any, bound: float) -> None:
    cut, factor = clipped(vector, bound)
    norm = float(np.linalg.norm(vector.astype(float)))
    assert cut.dtype == vector.dtype
    assert np.linalg.norm(cut.astype(float)) <= bound * (1 + 1e-6)
    assert factor == pytest.approx(min(1.0, bound / norm) if norm else 1.0)
    if norm <= bound * (1 - 1e-9):
        np.testing.assert_array_equal(cut, vector)


@given(VECTORS, BOUNDS, st.integers(-4, 12))
def test_in_whole_steps_the_bound_is_kept_exactly(vector: Any, bound: float, bits: int) -> None:
    step = 2.0**-bits
    wide = vector.astype(float)
    made = whole(wide, bound, step)
    np.testing.assert_array_equal(wide, vector)
    assert sum(int(v) ** 2 for v in made) <= (Fraction(bound) / Fraction(step)) ** 2
    near = clipped(vector.astype(float), bound)[0]
    assert np.abs(made * step - near).max() <= step * (1 + 1e-6)


def test_the_largest_numbers_have_a_length() -> None:
    cut, _ = clipped(np.array([1e300, -1e300]), 1.0)
    np.testing.assert_allclose(cut, [0.5**0.5, -(0.5**0.5)])
    assert clipped(np.zeros(3), 1.0)[1] == 1.0
    for bad in (np.nan, np.inf):
        with pytest.raises(InvalidInput, match="change"):
            clipped(np.array([1.0, bad]), 1.0)
    with pytest.raises(InvalidInput, match="clip"):
        clipped(np.ones(3), 0.0)


@settings(max_examples=30, deadline=None)
@given(VECTORS, st.integers(0, 1000))
def test_rounding_by_lot_keeps_the_inflated_length(vector: Any, seed: int) -> None:
    made = rounded(vector, 10.0, 1.0, Keystream(derived(b"r", seed)))
    assert length(made) <= inflated(10.0, len(vector)) <= 10 + len(vector) ** 0.5
    assert np.abs(made - clipped(vector.astype(float), 10.0)[0]).max() <= 1


def test_rounding_by_lot_is_right_on_the_mean() -> None:
    source, vector = Keystream(derived(b"mean")), np.array([0.3, -0.3, 2.7, 0.0])
    found = np.mean([rounded(vector, 100.0, 1.0, source) for _ in range(4000)], axis=0)
    np.testing.assert_allclose(found, vector, atol=0.04)


@pytest.mark.parametrize(("clip", "noise"), [(1.0, 1.0), (1e-4, 0.3), (300.0, 20.0)])
def test_steps_are_fine_beside_the_noise(clip: float, noise: float) -> None:
    lattice = Lattice(clip, noise)
    assert 2**19 <= clip * noise / lattice.step <= 2**20
    told = lattice.released(lattice.of(np.full(4000, clip / 100)), Keystream(derived(b"l")))
    assert told.std() == pytest.approx(clip * noise, rel=0.05)
