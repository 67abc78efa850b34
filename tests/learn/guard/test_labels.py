"""Labels that are wrong are doubted, and few others; under another camera too."""

from __future__ import annotations

import numpy as np
import pytest

from selvedge.errors import InvalidInput
from selvedge.learn.guard.labels import FEWEST, LabelGuard
from selvedge.learn.metrics import predictions

from .. import small
from ..small import data, floats, follow, grey, learner


def told(noise: float, n: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures, labels of which so many are wrong, and which."""
    rng = np.random.default_rng(7)
    x, y = data()["stream"][0][:n], data()["stream"][1][:n]
    wrong = rng.random(n) < noise
    return x, np.where(wrong, (y + rng.integers(1, 10, n)) % 10, y).astype(np.int32), wrong


@pytest.mark.parametrize("noise", [0.0, 0.2, 0.6])
def test_wrong_labels_are_doubted_and_few_right_ones(noise: float) -> None:
    x, y, wrong = told(noise)
    guard = LabelGuard(10)
    sound = guard.sound(predictions(small.session(), floats(x)), y)
    assert sound[:FEWEST].all()
    doubted, wrong = ~sound[FEWEST:], wrong[FEWEST:]
    assert not noise or doubted[wrong].mean() > 0.9
    assert doubted[~wrong].mean() < 0.08
    assert guard.doubted == doubted.sum()


def test_where_the_model_is_wrong_its_neighbours_are_heard() -> None:
    """Grey pictures, of which the model knows a few: it alone would refuse most right labels."""
    x, y, wrong = told(0.3)
    outputs = predictions(small.session(), grey(x))
    guard = LabelGuard(10)
    doubted = ~guard.sound(outputs, y)
    right = ~wrong[FEWEST:]
    assert (outputs.argmax(1) != y)[FEWEST:][right].mean() > 0.5
    assert doubted[FEWEST:][right].mean() < 0.35
    model, neighbours = guard.agreement
    assert neighbours > model


def test_labels_without_any_meaning_are_no_reason_to_doubt() -> None:
    rng = np.random.default_rng(0)
    guard = LabelGuard(4)
    sound = guard.sound(rng.normal(size=(300, 4)).astype(np.float32), rng.integers(0, 4, 300))
    assert sound.mean() > 0.5


def test_a_learner_does_not_remember_what_is_doubted() -> None:
    x, y, _wrong = told(0.6, 320)
    plain, guarded = learner(small.session(which=1)), learner(small.session(which=2), label_guard=LabelGuard(10))
    for own in (plain, guarded):
        follow(own, floats(x), y)
    assert guarded.label_guard is not None
    assert guarded.tally.seen + guarded.label_guard.doubted == 320
    assert guarded.diary.counts["doubted"] > 5
    true = {p.tobytes(): int(label) for p, label in zip(floats(data()["stream"][0]), data()["stream"][1], strict=True)}

    def kept_wrong(own: object) -> float:
        kept, labels = own.memory.all()  # type: ignore[attr-defined]
        return float(np.mean([true[p.tobytes()] != label for p, label in zip(kept, labels, strict=True)]))

    assert kept_wrong(plain) > 0.4
    assert kept_wrong(guarded) < 0.25
    assert guarded.bytes.ram["label guard"] == guarded.label_guard.bytes
    other = learner(small.session(which=1), label_guard=LabelGuard(10))
    other.load_state_dict(guarded.state_dict())
    assert other.label_guard is not None
    assert other.label_guard.doubted == guarded.label_guard.doubted


def test_its_state_goes_on_and_anothers_is_refused() -> None:
    x, y, _ = told(0.4)
    outputs = predictions(small.session(), floats(x))
    one, other = LabelGuard(10), LabelGuard(10)
    one.sound(outputs[:200], y[:200])
    other.load_state_dict(one.state_dict())
    assert one.sound(outputs[200:], y[200:]).tolist() == other.sound(outputs[200:], y[200:]).tolist()
    kept = one.state_dict()
    assert one.bytes == sum(a.nbytes for a in kept.values())
    for state in (
        {}, LabelGuard(9).state_dict(), LabelGuard(10, window=64).state_dict(),
        {**kept, "labels": kept["labels"] + np.int16(10)}, {**kept, "counts": -kept["counts"]},
    ):  # fmt: skip
        with pytest.raises(InvalidInput, match="label guard"):
            one.load_state_dict(state)


@pytest.mark.parametrize("label", [10, -1, 1.5])
def test_a_label_that_is_no_class_is_refused_and_not_remembered(label: float) -> None:
    own = LabelGuard(10)
    with pytest.raises(InvalidInput, match=r"labels is .*: give (classes, 0..9|a class)"):
        own.sound(np.zeros((3, 10), np.float32), np.array([1, label, 2]))
    with pytest.raises(InvalidInput, match=r"outputs is float32\[3, 9\]: give finite logits \[n, 10\]"):
        own.sound(np.zeros((3, 9), np.float32), np.array([1, 2, 3]))
    assert len(own) == 0


def test_settings_that_cannot_be_are_refused() -> None:
    for field, settings in (("classes", {"classes": 1}), ("window", {"window": 8}), ("doubt", {"doubt": 1.0})):
        with pytest.raises(InvalidInput, match=field):
            LabelGuard(**{"classes": 3, **settings})  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="label_guard"):
        learner(label_guard=LabelGuard(9))
