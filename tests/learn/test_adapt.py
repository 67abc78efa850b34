"""The loop predicts before it learns, mixes in what it remembers, and remembers what it saw."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from selvedge.learn.adapt import adapt
from selvedge.learn.memory.replay import Replay


class Recorder:
    """A learner that only writes down what it was asked, and predicts the label it was last taught."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, npt.NDArray[Any], npt.NDArray[Any] | None]] = []
        self.taught = 0

    def predict(self, x: Any, /) -> npt.NDArray[Any]:
        self.asked.append(("predict", np.array(x), None))
        return np.eye(3)[[self.taught] * len(x)]

    def step(self, x: Any, y: Any, /) -> float:
        self.asked.append(("step", np.array(x), np.array(y)))
        self.taught = int(y[0])
        return float(len(self.asked))


def sample(value: int) -> npt.NDArray[np.uint8]:
    return np.full((1, 2, 2), value, np.uint8)


def memory(*samples: tuple[int, int]) -> Replay:
    replay = Replay(200, (1, 2, 2), classes=3)
    for value, label in samples:
        replay.add(sample(value), label)
    return replay


def test_every_sample_is_predicted_before_it_is_learnt_from() -> None:
    learner, labels = Recorder(), [1, 1, 2]
    seen = list(adapt(learner, [(sample(i), y) for i, y in enumerate(labels)], batch=2, recent=memory()))
    assert [kind for kind, _, _ in learner.asked] == ["predict", "step"] * 3
    for i in range(3):
        assert np.all(learner.asked[2 * i][1] == i), "a prediction is of the new sample alone"
        assert np.all(learner.asked[2 * i + 1][1][0] == i), "the new sample comes first in its batch"
    assert [s.predicted for s in seen] == [0, 1, 1], "what was taught one sample before"
    assert [s.right for s in seen] == [False, True, False]
    assert [s.loss for s in seen] == [2.0, 4.0, 6.0]


def test_a_batch_takes_from_the_memories_in_turn_and_writes_only_the_recent_one() -> None:
    learner, recent, shipped = Recorder(), memory((20, 2)), memory((10, 1))
    list(adapt(learner, [(sample(7), 0)], batch=4, recent=recent, shipped=(shipped,)))
    _, x, y = learner.asked[1]
    assert x.dtype == np.uint8
    assert x[:, 0, 0, 0].tolist() == [7, 10, 20, 10]
    assert y is not None
    assert y.dtype == np.int32
    assert y.tolist() == [0, 1, 2, 1]
    assert len(recent) == 2
    assert len(shipped) == 1


def test_what_is_not_yet_held_is_replaced() -> None:
    learner = Recorder()
    list(adapt(learner, [(sample(7), 0)], batch=3, recent=memory(), shipped=(memory((10, 1)),)))
    assert learner.asked[1][1][:, 0, 0, 0].tolist() == [7, 10, 10], "by the other memory"
    learner = Recorder()
    list(adapt(learner, [(sample(7), 2)], batch=3, recent=memory()))
    assert learner.asked[1][1][:, 0, 0, 0].tolist() == [7, 7, 7], "by the sample itself"
    assert learner.asked[1][2].tolist() == [2, 2, 2]  # type: ignore[union-attr]


def test_nothing_happens_until_it_is_asked_for() -> None:
    learner = Recorder()
    steps = adapt(learner, ((sample(i), 0) for i in range(9)), batch=2, recent=memory())
    assert not learner.asked
    next(steps)
    assert len(learner.asked) == 2


def test_a_refused_step_is_not_remembered() -> None:
    class Refusing(Recorder):
        def step(self, x: Any, y: Any, /) -> float:
            raise ValueError("no")

    recent = memory()
    with pytest.raises(ValueError, match="no"):
        list(adapt(Refusing(), [(sample(1), 0)], batch=2, recent=recent))
    assert len(recent) == 0
