"""Lengths that are bounded, to the last bit, and members' noise that never wraps."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.federate.privacy.clip import clipped, inflated, length, rounded, whole
from selvedge.federate.privacy.distributed import TooLarge, local_sigma, noised, release, room
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


def test_the_noise_of_any_few_members_is_what_was_counted() -> None:
    """Of ten members any six have the noise; five have less."""
    bound, noise = 50.0, 1.5
    sigma = local_sigma(noise, bound, 6)
    totals = np.zeros(20_000, np.int64)
    values = np.zeros(20_000, np.int64)
    for member in range(6):
        totals += noised(values, bound, sigma, 16, Keystream(derived(b"m", member)))
    assert totals.std() == pytest.approx(noise * bound, rel=0.03)
    told = release(noise, bound, 6, 20_000)
    assert (told.members, told.local, told.noise) == (6, sigma, noise)


@settings(max_examples=60, deadline=None)
@given(st.integers(6, 24), st.floats(0.5, 300.0), st.integers(-(1 << 24), 1 << 24), st.integers(0, 99))
def test_values_leave_a_member_whole_or_not_at_all(bits: int, sigma: float, value: int, seed: int) -> None:
    """Whether they do is known before the noise is drawn."""
    values = np.array([0, value])
    try:
        most = room(bits, sigma)
    except InvalidInput:
        assert 12 * sigma > (1 << (bits - 1)) - 3
        return
    if abs(value) > most:
        for again in range(3):
            with pytest.raises(TooLarge, match="room for noise"):
                noised(values, 1e9, sigma, bits, Keystream(derived(b"v", seed, again)))
        return
    made = noised(values, 1e9, sigma, bits, Keystream(derived(b"v", seed)))
    assert np.abs(made).max() < 1 << (bits - 1)
    assert abs(int(made[1]) - value) < 12 * sigma + 1


def test_a_change_longer_than_agreed_is_not_sent() -> None:
    with pytest.raises(TooLarge, match="agreed on"):
        noised(np.array([30, 41]), 50.0, 1.0, 16)
    noised(np.array([30, 40]), 50.0, 1.0, 16)


@pytest.mark.parametrize(("clip", "noise"), [(1.0, 1.0), (1e-4, 0.3), (300.0, 20.0)])
def test_steps_are_fine_beside_the_noise(clip: float, noise: float) -> None:
    lattice = Lattice(clip, noise)
    assert 2**19 <= clip * noise / lattice.step <= 2**20
    told = lattice.released(lattice.of(np.full(4000, clip / 100)), Keystream(derived(b"l")))
    assert told.std() == pytest.approx(clip * noise, rel=0.05)
