"""Pieces of augmentation: what they do, that seeds tell all of it, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import selvedge as sv
from selvedge.learn.draws import Draws

PIECES = {
    "shift": sv.Shift(3),
    "shift around": sv.Shift(2, axis=0, fill="around"),
    "crop": sv.Crop(0.6),
    "gain": sv.Gain(0.5, 1.5),
    "gain of channels": sv.Gain(0.5, 1.5, channels=True),
    "noise": sv.Noise(0.3),
    "mix": sv.Mix(0.4),
    "mix others": sv.Mix(0.4, np.ones((4, 6, 20), np.float32)),
    "stretch": sv.Stretch(0.3),
    "mask": sv.Mask(5),
    "rotate": sv.Rotate(40, half_turns=True),
}
every = pytest.mark.parametrize("name", PIECES)


def samples(n: int = 8, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (n, *(shape or (6, 20)))).astype(np.float32)


@every
def test_a_seed_tells_all_and_what_was_given_is_left_as_it_is(name: str) -> None:
    piece, x = PIECES[name], samples()
    kept = x.copy()
    made = [piece(x, draws) for draws in (Draws(5), Draws(5), Draws(6))]
    assert np.array_equal(x, kept)
    assert (made[0].shape, made[0].dtype) == (x.shape, np.float32)
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    assert not np.array_equal(made[0], x)
    assert np.isfinite(made[0]).all()


@every
def test_the_count_of_draws_tells_where_to_go_on(name: str) -> None:
    piece, x, draws = PIECES[name], samples(), Draws(5)
    piece(x, draws)
    later = Draws(5, draws.count)
    assert np.array_equal(piece(x, draws), piece(x, later))


def test_a_chain_is_its_pieces_one_after_another() -> None:
    x, ours = samples(), Draws(3)
    made = sv.Augment(sv.Shift(2), sv.Noise(0.1))(x, Draws(3))
    assert np.array_equal(made, sv.Noise(0.1)(sv.Shift(2)(x, ours), ours))
    assert np.array_equal(sv.Augment()(x, Draws(0)), x)


@given(by=st.integers(1, 9), axis=st.sampled_from([0, 1, -1, -2]), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_shift_moves_every_sample_by_so_much(by: int, axis: int, seed: int) -> None:
    x = samples(5, 4, 6)
    later = Draws(seed).below(2 * by + 1, 5) - by
    around = sv.Shift(by, axis, "around")(x, Draws(seed))
    edge = sv.Shift(by, axis)(x, Draws(seed))
    at = axis % 2
    for i, n in enumerate(later):
        assert np.array_equal(around[i], np.roll(x[i], n, at))
        padded = np.pad(x[i], [(by, by) if a == at else (0, 0) for a in range(2)], "edge")
        assert np.array_equal(edge[i], np.take(padded, np.arange(x.shape[at + 1]) + by - n, at))


@given(axis=st.sampled_from([0, 1, 2]), seed=st.integers(0, 99), length=st.integers(2, 30))
@settings(max_examples=40, deadline=None)
def test_a_crop_and_a_stretch_are_numpys_interpolation(axis: int, seed: int, length: int) -> None:
    shape = [3, 2, 4]
    shape[axis] = length
    x, at = samples(4, *shape), np.arange(length)
    crop, stretch = sv.Crop(0.5, axis)(x, Draws(seed)), sv.Stretch(0.4, axis)(x, Draws(seed))
    draws, last = Draws(seed), length - 1
    shortest = max(2, length // 2)
    window = shortest + draws.below(length - shortest + 1, 4)
    begin = (draws.uniform(4).astype(np.float64) * (length - window + 1)).astype(int)
    assert (begin + window <= length).all()
    reach = int(0.4 * last)
    factor = (last + Draws(seed).below(2 * reach + 1, 4) - reach) / last
    for i in range(4):
        lines, cropped, stretched = (np.moveaxis(a[i], axis, -1).reshape(-1, length) for a in (x, crop, stretch))
        for line, c, s in zip(lines, cropped, stretched, strict=True):
            assert c == pytest.approx(np.interp(begin[i] + at * (window[i] - 1) / last, at, line), abs=1e-5)
            assert s == pytest.approx(np.interp(last / 2 + (at - last / 2) * factor[i], at, line), abs=1e-5)


def test_noise_is_nearly_normal() -> None:
    noise = sv.Noise(2.0)(np.zeros((4, 50_000), np.float32), Draws(1)).astype(np.float64) / 2
    n = noise.size
    assert abs(noise.mean()) < 4 / np.sqrt(n)
    assert abs(noise.var() - 1) < 4 * np.sqrt(2 / n)
    assert abs(noise).max() <= 2 * np.sqrt(3)
    assert (noise**4).mean() == pytest.approx(2.7, abs=0.05)
    assert abs(np.corrcoef(noise.ravel()[:-1], noise.ravel()[1:])[0, 1]) < 4 / np.sqrt(n)


def test_gains_lie_where_they_should_and_are_of_a_sample_or_a_channel() -> None:
    x = np.ones((2000, 3, 4), np.float32)
    whole, channels = sv.Gain(0.5, 1.5)(x, Draws(0)), sv.Gain(0.5, 1.5, channels=True)(x, Draws(0))
    assert np.ptp(whole, (1, 2)).max() == 0
    assert np.ptp(channels, 2).max() == 0
    assert np.ptp(channels, 1).min() > 0
    for made in (whole, channels):
        assert 0.5 <= made.min() < 0.51
        assert 1.49 < made.max() < 1.5
        assert made.mean() == pytest.approx(1, abs=0.02)


def test_a_mix_is_mostly_the_sample_and_never_of_itself() -> None:
    x = np.eye(6, dtype=np.float32)
    for seed in range(50):
        made = sv.Mix(0.3)(x, Draws(seed))
        assert made.sum(1) == pytest.approx(np.ones(6), abs=1e-6)
        assert (made.argmax(1) == np.arange(6)).all()
        assert (np.diag(made) >= 0.7 - 1e-6).all()
        assert ((made > 0).sum(1) <= 2).all()
    assert np.array_equal(sv.Mix(0.3)(x[:1], Draws(0)), x[:1])
    others = np.full((3, 6), 7, np.float32)
    share = (sv.Mix(0.3, others)(np.zeros((500, 6), np.float32), Draws(0)) / 7)[:, 0]
    assert 0 <= share.min() < 0.01
    assert 0.29 < share.max() < 0.3


def test_a_mask_hides_neighbours_of_one_axis() -> None:
    widths, x = [], np.ones((400, 3, 10), np.float32)
    for made in sv.Mask(4, fill=-1)(x, Draws(0)):
        hidden = made == -1
        assert (hidden == hidden[0]).all()
        at = np.flatnonzero(hidden[0])
        assert not len(at) or (np.diff(at) == 1).all()
        widths.append(len(at))
    assert set(widths) == {0, 1, 2, 3, 4}
    frames = sv.Mask(30, axis=0)(x, Draws(0))
    assert set(np.unique(frames)) == {0.0, 1.0}
    assert (np.ptp(frames, 2) == 0).all()


def test_a_rotation_keeps_lengths_and_angles_of_all_sensors() -> None:
    x = samples(300, 6, 7)
    made = sv.Rotate(180, half_turns=True)(x, Draws(0))
    for a, b in ((0, 0), (0, 3), (3, 3)):
        before, after = ((y[:, a : a + 3] * y[:, b : b + 3]).sum(1) for y in (x, made))
        assert after == pytest.approx(before, abs=1e-4)
    little = sv.Rotate(10)(x, Draws(0))
    length = np.linalg.norm(x[:, :3], axis=1)
    cosine = (little[:, :3] * x[:, :3]).sum(1) / length**2
    assert np.cos(np.deg2rad(10)) - 1e-4 <= cosine.min() < 0.995
    up = np.tile(np.float32([[0], [0], [1]]), (4000, 1, 1))
    turned = sv.Rotate(0, half_turns=True)(up, Draws(0))[:, 2, 0]
    assert set(np.unique(turned)) == {-1.0, 1.0}
    assert abs(turned.mean()) < 4 / np.sqrt(4000)
    right_handed = np.linalg.det(
        sv.Rotate(90, half_turns=True)(np.tile(np.eye(3, dtype=np.float32), (50, 1, 1)), Draws(2))
    )
    assert right_handed == pytest.approx(np.ones(50), abs=1e-4)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: sv.Shift(0), "shift by is 0: give a whole number of 1 to"),
        (lambda: sv.Shift(1, fill="zero"), "shift fill is zero: give edge or around"),
        (lambda: sv.Shift(1, axis="a"), "shift axis is a: give a whole number"),  # type: ignore[arg-type]
        (lambda: sv.Crop(0.5, axis=1.5), "crop axis is 1.5: give a whole number"),  # type: ignore[arg-type]
        (lambda: sv.Stretch(0.1, axis=None), "stretch axis is None: give a whole number"),  # type: ignore[arg-type]
        (lambda: sv.Mask(1, axis="a"), "mask axis is a: give a whole number"),  # type: ignore[arg-type]
        (lambda: sv.Gain(2, 1), "gain high is 1: give 2 or more: low is that"),
        (lambda: sv.Gain(float("nan"), 1), "gain low is nan: give a number of"),
        (lambda: sv.Noise(-1), "noise deviation is -1: give a number of 0 to"),
        (lambda: sv.Mix(0.5), "mix most is 0.5: give a number between 0 and 0.5"),
        (lambda: sv.Mix(0.2, np.zeros((0, 2), np.float32)), "mix others is no samples: give one or more"),
        (lambda: sv.Mix(0.2, [1]), "mix others samples is of type list: give float32"),
        (lambda: sv.Crop(1), "crop least is 1: give a fraction of the axis, as 0.8"),
        (lambda: sv.Stretch(0), "stretch most is 0: give a fraction, as 0.1"),
        (lambda: sv.Mask(0), "mask most is 0: give a whole number of 1"),
        (lambda: sv.Rotate(181), "rotate degrees is 181: give a number of 0 to 180"),
        (lambda: sv.Augment(1), "augment piece 0 is 1: give pieces as sv.Shift"),  # type: ignore[arg-type]
    ],
)
def test_settings_that_cannot_be_are_one_line(make: Any, says: str) -> None:
    with pytest.raises(sv.InvalidInput, match=says):
        make()


@pytest.mark.parametrize(
    ("piece", "x", "says"),
    [
        (
            sv.Augment(),
            samples().astype(np.float64),
            r"augment samples is float64\[8, 6, 20\]: give float32 \[n, ...\]",
        ),
        (sv.Shift(1, axis=2), samples(), "shift axis is 2: samples have 2 axes: give -2 to 1"),
        (sv.Crop(0.5), samples(2, 6, 1), "crop axis is -1: it has one value: give another axis"),
        (sv.Stretch(0.5), samples(2, 6, 1), "stretch axis is -1: it has one value"),
        (sv.Rotate(5), samples(2, 4, 5), "rotate samples is .*: give a multiple of three channels"),
        (PIECES["mix others"], samples(2, 5), r"mix samples is \[5\]: the others are \[6, 20\]"),
        (sv.Noise(1), [1.0], "noise samples is of type list: give float32"),
    ],
)
def test_samples_that_cannot_be_are_one_line(piece: Any, x: Any, says: str) -> None:
    with pytest.raises(sv.InvalidInput, match=says):
        piece(x, Draws(0))
