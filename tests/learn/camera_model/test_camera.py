"""The camera model against its formulae, and its bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.ndimage import gaussian_filter

from selvedge.errors import InvalidInput
from selvedge.learn.camera_model import rain
from selvedge.learn.camera_model.camera import Camera
from selvedge.learn.camera_model.course import Gradual, Recurring, Sudden
from selvedge.learn.camera_model.lens import blurred

STILL = {"full_well": 1e6, "read_noise": 0.0}  # hardly any noise


def grey(level: float, n: int = 1, side: int = 64) -> np.ndarray:
    return np.full((n, 1, side, side), level, np.float32)


def seen(camera: Camera, scenes: np.ndarray, seed: int = 0) -> np.ndarray:
    return camera.see(scenes, np.random.default_rng(seed))


@pytest.mark.parametrize("level", [0.1, 0.5])
@pytest.mark.parametrize(("exposure", "gain"), [(1.0, 1.0), (0.05, 20.0)])
def test_noise_is_that_of_the_photon_transfer_curve(level: float, exposure: float, gain: float) -> None:
    camera = Camera(exposure=exposure, gain=gain, full_well=4000, read_noise=8)
    values = seen(camera, grey(level, 20)).astype(float)
    electrons = exposure * level * 4000
    expected = (255 * gain / 4000) ** 2 * (electrons + 64) + 1 / 12
    assert values.mean() == pytest.approx(255 * gain * exposure * level, rel=0.01)
    assert values.var() == pytest.approx(expected, rel=0.04)


def test_a_full_well_is_white_however_much_light_there_is() -> None:
    assert set(seen(Camera(exposure=50, read_noise=0), grey(0.5)).ravel()) == {255}


def test_fog_leaves_koschmieders_contrast() -> None:
    """2 % of it at the meteorological range, where beta d is 3.912."""
    black, white = (seen(Camera(fog=3.912, rise=0, **STILL), grey(v, 30)).mean() for v in (0, 1))
    assert (white - black) / 255 == pytest.approx(0.02, abs=1e-3)
    assert black == pytest.approx(255 * 0.8 * 0.98, abs=0.3)
    deep = seen(Camera(fog=1, rise=0.5, **STILL), grey(0, 30)).mean((0, 1, 3))
    assert deep[[0, -1]] == pytest.approx([255 * 0.8 * (1 - np.exp(-d)) for d in (1.5, 0.5)], abs=0.5)


def test_blur_is_a_gaussian_as_scipy_has_it() -> None:
    light = np.random.default_rng(1).random((3, 2, 20, 17), np.float32)
    for sigma in (0.4, 1.0, 2.3):
        wanted = gaussian_filter(
            light, (0, 0, sigma, sigma), mode="nearest", radius=(0, 0, *[int(np.ceil(4 * sigma))] * 2)
        )
        assert np.abs(blurred(light, sigma) - wanted).max() < 1e-5


def test_light_from_the_right_and_through_a_dirty_pane() -> None:
    across = seen(Camera(slope=0.6, towards=0, **STILL), grey(0.5, 20)).mean((0, 1, 2))
    assert across[[0, -1]] == pytest.approx([255 * 0.5 * 0.4, 255 * 0.5 * 1.6], abs=0.5)
    low, high = (seen(Camera(contrast=0.3, veil=0.5, **STILL), grey(v)).mean() for v in (0, 1))
    assert (low, high) == pytest.approx((255 * 0.35, 255 * 0.65), abs=0.5)


def test_drops_are_as_many_as_large_and_as_fast_as_measured() -> None:
    slope = 4.1 * 20**-0.21
    assert rain.concentration(20) == pytest.approx(quad(lambda d: 8000 * np.exp(-slope * d), 0.5, 30)[0], rel=1e-6)
    assert rain.drops(20, 100_000, np.random.default_rng(0)).mean() == pytest.approx(0.5 + 1 / slope, rel=0.01)
    # Gunn & Kinzer, 1949: m/s of drops of 1, 2, 3 and 4 mm
    assert rain.speed(np.array([1.0, 2, 3, 4])) == pytest.approx([4.03, 6.49, 8.06, 8.83], rel=0.03)


def test_a_streak_takes_as_much_light_as_its_drop_is_large() -> None:
    """Whatever its length, the sum of what it covers is (D / pixel)^2: the drop's own area."""
    for diameter, wind in ((1.0, 0.0), (3.0, 20.0)):
        through = np.zeros((1, 128, 128), np.float32)
        one = [np.array([v]) for v in (0, diameter, 50.3, 40.7)]
        rain._streaks(through, *one, Camera(rain=10, wind=wind, shutter=0.01, pixel=2.0))
        assert (1 - np.exp(through)).sum() == pytest.approx((diameter / 2.0) ** 2, rel=0.01)


def test_rain_is_brighter_than_a_black_scene_and_another_one_every_time() -> None:
    first, second = seen(Camera(rain=80, **STILL), grey(0, 2))
    assert 1 < first.mean() < 80
    assert (first != second).mean() > 0.2


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 3), st.sampled_from([1, 3]), st.integers(1, 9), st.integers(1, 9), st.floats(0, 3),
    st.floats(0, 200), st.floats(0, 2), st.floats(0.01, 10), st.integers(0, 2**32),
)  # fmt: skip
def test_what_is_seen_are_bytes_of_the_same_shape_and_the_same_again(
    n: int, channels: int, high: int, wide: int, fog: float, rain: float, blur: float, exposure: float, seed: int
) -> None:
    camera = Camera(fog=fog, rain=rain, blur=blur, exposure=exposure)
    scenes = np.random.default_rng(seed).integers(0, 256, (n, channels, high, wide), np.uint8)
    once, again = seen(camera, scenes, seed), seen(camera, scenes, seed)
    assert once.shape == scenes.shape
    assert once.dtype == np.uint8
    assert np.array_equal(once, again)
    assert np.array_equal(once, seen(camera, np.float32(scenes) * np.float32(1 / 255), seed))


def test_the_way_between_two_cameras() -> None:
    day, dusk = Camera(), Camera(exposure=0.01, fog=2)
    assert day.nearing(dusk, 0) == day
    middle = day.nearing(dusk, 0.5)
    assert middle.exposure == pytest.approx(0.1)
    assert replace(middle, exposure=1.0) == replace(day, fog=1.0)
    assert day.nearing(dusk, 1) == dusk


def test_courses() -> None:
    a, b, c = Camera(), Camera(fog=1), Camera(rain=20)
    assert Gradual(a, b).at(0.25).fog == 0.25
    sudden = Sudden((a, b, c), (0.3, 0.6))
    assert [sudden.at(s) for s in (0, 0.29, 0.3, 0.59, 0.6, 1)] == [a, a, b, b, c, c]
    again = Recurring((a, b), 2)
    assert [again.at(s) for s in (0, 0.24, 0.25, 0.5, 0.75, 1)] == [a, a, b, a, b, b]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: Camera(exposure=0), "camera exposure"),
        (lambda: Camera(fog=float("nan")), "camera fog"),
        (lambda: Camera(rain=True), "camera rain"),
        (lambda: Camera(blur="1"), "camera blur"),
        (lambda: Camera().nearing(Camera(), 1.1), "share"),
        (lambda: seen(Camera(), np.zeros((28, 28), np.float32)), "scenes"),
        (lambda: seen(Camera(), np.full((1, 1, 4, 4), 255.0)), "scenes"),
        (lambda: seen(Camera(), np.full((1, 1, 4, 4), np.nan)), "scenes"),
        (lambda: Sudden((Camera(), Camera()), (1.5,)), "moments"),
        (lambda: Sudden((Camera(),), (0.5,)), "moments"),
        (lambda: Recurring((), 1), "times"),
        (lambda: Recurring((Camera(),), 1.5), "times is 1.5: give a whole number"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_is_refused_in_one_line(made: object, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as raised:
        made()  # type: ignore[operator]
    assert "\n" not in str(raised.value)
