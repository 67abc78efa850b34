"""A camera is a repeatable value with a physical meaning."""

from __future__ import annotations

import numpy as np
import pytest

from selvedge.face.demo.camera import WORN, Camera

SCENES = np.random.default_rng(0).integers(0, 17, (5, 8, 8))


def test_the_ideal_camera_only_converts() -> None:
    codes = Camera()(SCENES)
    assert codes.dtype == np.uint8
    assert np.array_equal(codes, np.rint(SCENES * 255 / 16))


def test_equal_seeds_give_equal_bytes_and_other_seeds_other_noise() -> None:
    assert np.array_equal(WORN(SCENES, seed=3), WORN(SCENES, seed=3))
    assert not np.array_equal(WORN(SCENES, seed=3), WORN(SCENES, seed=4))


def test_each_field_does_what_it_says() -> None:
    flat = np.full((1, 9, 9), 8.0)
    assert Camera(contrast=0.5)(flat)[0, 0, 0] == 64
    assert Camera(floor=0.25)(flat * 0)[0, 0, 0] == 64
    right, down = Camera(gradient=0.5)(flat)[0], Camera(gradient=0.5, direction=90)(flat)[0]
    assert np.array_equal(right[0, [0, 4, 8]], [64, 128, 191])
    assert np.array_equal(right, down.T)
    point = np.zeros((1, 17, 17))
    point[0, 8, 8] = 16.0
    spread = Camera(blur=1.0)(point)[0].astype(float)
    assert spread[8, 8] == pytest.approx(255 / (2 * np.pi), abs=1)
    assert spread.sum() == pytest.approx(255, rel=0.1)
    assert np.all(Camera(blur=2.0)(flat / 2) == 64), "an even scene stays even up to the edge"
    dark = Camera(floor=0.5, noise=0.1)(np.zeros((50, 8, 8)))
    assert dark.std() == pytest.approx(25.5, rel=0.05)


@pytest.mark.parametrize("field", ["gradient", "direction", "contrast", "floor", "blur", "noise", "full_scale"])
@pytest.mark.parametrize("value", [-400.0, float("nan"), 1e9])
def test_an_impossible_camera_is_refused_by_field(field: str, value: float) -> None:
    if (field, value) == ("full_scale", 1e9):
        return
    with pytest.raises(ValueError, match=f"camera {field} = {value}: give"):
        Camera(**{field: value})


def test_scenes_outside_the_scale_or_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"scenes run from 0\.0 to 17\.0: give 0\.\.16"):
        Camera()(np.array([[[0.0, 17.0]]]))
    with pytest.raises(ValueError, match=r"scenes have shape \(8, 8\): give \[N,H,W\]"):
        Camera()(SCENES[0])
