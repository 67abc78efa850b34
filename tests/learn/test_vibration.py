"""A machine by its vibration: what the features see, and a window at a time whatever the pieces."""

from __future__ import annotations

import numpy as np
import pytest

from selvedge.errors import InvalidInput
from selvedge.learn.anomaly.vibration import BANDS, FEATURES, VibrationDetector, features

RATE = 1000.0


def healthy(samples: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return 0.1 * random.standard_normal(samples) + np.sin(2 * np.pi * 25 / RATE * np.arange(samples))


def struck(samples: int, size: float, every: int = 40) -> np.ndarray:
    """A resonance of 380 Hz, struck 25 times a second."""
    ring = np.exp(-np.arange(60) / 6) * np.sin(2 * np.pi * 380 / RATE * np.arange(60))
    train = np.zeros(samples)
    train[::every] = size
    return np.convolve(train, ring)[:samples]


def test_a_tone_lies_in_its_band() -> None:
    for band in range(BANDS):
        frequency = (band + 0.5) / BANDS * RATE / 2
        found = features(np.sin(2 * np.pi * frequency / RATE * np.arange(512)))
        assert found.shape == (FEATURES,)
        assert found[:BANDS].argmax() == band


def test_strikes_show_in_kurtosis_and_in_the_envelope_before_they_show_in_the_energy() -> None:
    quiet, loud = features(healthy(1024)), features(healthy(1024) + struck(1024, 0.3))
    assert loud[-1] - quiet[-1] > 1
    assert loud[-2] > quiet[-2]
    assert abs(np.log((healthy(1024) + struck(1024, 0.3)).std() / healthy(1024).std())) < 0.01


def test_the_pieces_that_samples_come_in_make_no_difference() -> None:
    x, pieces = healthy(20_000), np.random.default_rng(1).integers(1, 900, 60)
    one, many = VibrationDetector(256, warm=50), VibrationDetector(256, warm=50)
    for sample in x:
        one.update(sample)
    for part in np.split(x, np.minimum(np.cumsum(pieces), x.size)):
        many.update(part)
    assert all(many.state_dict()[k].tobytes() == v.tobytes() for k, v in one.state_dict().items())


def test_a_struck_machine_is_odd_and_a_healthy_one_is_not() -> None:
    detector = VibrationDetector(512, warm=100)
    for window in healthy(512 * 100).reshape(-1, 512):
        detector.update(window)
    fine = [detector.update(w) for w in healthy(512 * 60, 1).reshape(-1, 512)]
    bad = [detector.update(w) for w in (healthy(512 * 60, 2) + struck(512 * 60, 0.5)).reshape(-1, 512)]
    assert np.mean(np.array(fine) >= detector.threshold) <= 0.05
    assert np.mean(np.array(bad) >= detector.threshold) >= 0.95


def test_a_sample_that_is_missing_begins_the_window_again() -> None:
    broken, whole = VibrationDetector(64, warm=40), VibrationDetector(64, warm=40)
    x = healthy(64)
    broken.update([*x[:30], np.nan, *x])
    whole.update(x)
    assert broken.state_dict()["open"].tobytes() == whole.state_dict()["open"].tobytes()
    assert broken.state_dict()["gaussian.mean"].tobytes() == whole.state_dict()["gaussian.mean"].tobytes()


def test_a_window_that_is_more_than_full_is_refused() -> None:
    detector = VibrationDetector(64, warm=40)
    for filled in (64, 2**32 - 1):
        with pytest.raises(InvalidInput, match="vibration state is damaged"):
            detector.load_state_dict(detector.state_dict() | {"filled": np.array([filled], np.uint32)})
    detector.update(healthy(64))
    assert detector.state_dict()["gaussian.rows"][0] == 1


def test_bytes_are_the_window_and_the_gaussian() -> None:
    assert VibrationDetector(512).bytes == 2508
    assert VibrationDetector(909).bytes <= 4096 < VibrationDetector(910).bytes


@pytest.mark.parametrize(("window", "warm"), [(63, 100), (9000, 100), ("long", 100), (512, 10)])
def test_a_setting_that_cannot_be_is_named(window: int, warm: int) -> None:
    with pytest.raises(InvalidInput, match=r"^(window|warm) is"):
        VibrationDetector(window, warm=warm)
