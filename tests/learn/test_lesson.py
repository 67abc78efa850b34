"""Batches are drawn by shares, of what there is."""

from __future__ import annotations

import numpy as np
import pytest

from selvedge.learn.draws import Draws
from selvedge.learn.guard.anchor import Anchor
from selvedge.learn.lesson import Lessons
from selvedge.learn.memory.replay import Replay

SIZE, ROUNDS = 8, 1500


def sources(held: int = 50, teaching: int = 10, shares: tuple[float, float, float] = (0.25, 0.25, 0.5)) -> Lessons:
    """Samples that say where they come from: 0 new, 1 remembered, 2 the anchor's."""
    memory = Replay(4000, (1,), np.float32, classes=10)
    for i in range(held):
        memory.add(np.ones(1, np.float32), i % 10)
    anchor = Anchor(np.full((60, 1), 2, np.float32), np.arange(60) % 10, judging=60 - teaching)
    return Lessons(shares, memory, anchor, None, Draws(0))


def shares_of(lessons: Lessons, remembered: bool = True) -> list[float]:
    new = np.zeros((4, 1), np.float32), np.arange(4, dtype=np.int32)
    counts = np.zeros(3)
    for _ in range(ROUNDS):
        x, y = lessons.batch(SIZE, *new, remembered)
        assert x.shape == (SIZE, 1)
        assert y.shape == (SIZE,)
        assert y.dtype == np.int32
        counts += np.bincount(x[:, 0].astype(int), minlength=3)
    return (counts / counts.sum()).tolist()


@pytest.mark.parametrize(
    ("lessons", "remembered", "wanted"),
    [
        (sources(), True, [0.25, 0.25, 0.5]),
        (sources(held=0), True, [1 / 3, 0, 2 / 3]),
        (sources(teaching=0), True, [0.5, 0.5, 0]),
        (sources(), False, [1 / 3, 0, 2 / 3]),
        (sources(held=0, teaching=0, shares=(0, 1, 1)), True, [1, 0, 0]),
        (sources(held=1, shares=(0, 1, 0)), True, [0, 1, 0]),
    ],
)
def test_each_source_has_its_share_of_what_there_is(lessons: Lessons, remembered: bool, wanted: list[float]) -> None:
    error = 4 * np.sqrt(0.25 / (SIZE * ROUNDS))
    assert shares_of(lessons, remembered) == pytest.approx(wanted, abs=error)


def test_batches_are_augmented_by_the_same_draws() -> None:
    def shifted(x: np.ndarray, draws: Draws) -> np.ndarray:
        return x + draws.uniform(*x.shape)

    def made() -> np.ndarray:
        lessons = sources()
        lessons.augment = shifted
        return lessons.batch(SIZE, np.zeros((4, 1), np.float32), np.zeros(4, np.int32))[0]

    assert np.array_equal(made(), made())
    assert (made() % 1 > 0).all()


def test_an_order_is_a_permutation() -> None:
    assert sorted(sources().order(100).tolist()) == list(range(100))
