"""What is asked of logits with few calls of numpy is, bit for bit, what is asked of any shape."""

from __future__ import annotations

import numpy as np
import pytest

from selvedge.learn.guard import classes
from selvedge.learn.metrics import each_loss, each_right

SCALES = (0.0, 1e-3, 1.0, 30.0, 1e4, 1e30)


def logits(rng: np.random.Generator, scale: float, of: type[np.floating]) -> tuple[np.ndarray, np.ndarray]:
    n, count = (int(size) for size in rng.integers(1, 20, 2))
    z = (rng.normal(size=(n, count)) * scale).astype(of)
    z[:: 1 + n // 2] = z[0, 0]  # a tie of all
    return z, rng.integers(0, count, n).astype(np.int32)


@pytest.mark.parametrize("of", [np.float32, np.float64])
@pytest.mark.parametrize("scale", SCALES)
def test_it_is_what_the_metrics_say_bit_for_bit(scale: float, of: type[np.floating]) -> None:
    rng = np.random.default_rng(int(np.log10(scale + 1)))
    for _ in range(100):
        z, y = logits(rng, scale, of)
        assert classes.one_each("CrossEntropy", z, y)
        assert classes.losses(z, y).tobytes() == each_loss("CrossEntropy", z, y).tobytes()
        right = each_right("CrossEntropy", z, y)
        assert right is not None
        assert classes.right(z, y).tobytes() == right.tobytes()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0, 1e6])
def test_knowledge_is_half_the_brier_score_of_one_class_among_several(temperature: float) -> None:
    rng = np.random.default_rng(2)
    for scale in SCALES:
        z, y = logits(rng, scale, np.float32)
        before = z.copy()
        found = classes.knowledge(z, y, temperature)
        wide = z.astype(np.float64) / temperature
        p = np.exp(wide - wide.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        own = np.eye(z.shape[1])[y]
        assert found.tobytes() == np.asarray(-((p - own) ** 2).sum(1) / 2).tobytes()
        assert np.array_equal(z, before)


def test_places_of_a_picture_and_other_losses_are_not_of_one_class_each() -> None:
    z = np.zeros((2, 3), np.float32)
    assert not classes.one_each("Reconstruction", z, np.zeros(2, np.int32))
    assert not classes.one_each("CrossEntropy", z[..., None], np.zeros((2, 1), np.int32))
    assert not classes.one_each("CrossEntropy", z, np.zeros((2, 3), np.float32))
