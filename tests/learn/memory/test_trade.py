"""The trade ranks by what is measured: many samples where details do not matter, fine ones where they do."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.datasets import load_digits

from selvedge.errors import InvalidInput
from selvedge.learn.memory import judges
from selvedge.learn.memory.beside import logits
from selvedge.learn.memory.replay import Replay
from selvedge.learn.memory.trade import trade

DIGITS = load_digits()
X, Y = np.uint8(DIGITS.images[:, None] * 15), DIGITS.target


def test_of_real_digits_many_coarse_ones_teach_more_than_a_few_whole_ones() -> None:
    """In 1.5 KiB 24 whole digits fit, and 93 at two bits; the true order is checked by many draws of its own."""
    few, many = "raw", "2bit"
    found = {t.named: t for t in trade(1536, X, Y, judges.nearest, classes=10, candidates=(few, many))}
    assert found[few].capacity * 3 < found[many].capacity
    assert found[many].score > found[few].score + 3 * (found[many].error + found[few].error)
    rng, right = np.random.default_rng(5), {few: 0.0, many: 0.0}
    for _ in range(10):
        rows = rng.permutation(len(X))
        for name in right:
            replay = Replay(1536, (1, 8, 8), classes=10, codec=name, policy="balanced")
            for i in rows[:600]:
                replay.add(X[i], int(Y[i]))
            x, y = replay.sample(len(replay))
            told = judges.nearest(x.reshape(len(x), -1) / 1.0, y, X[rows[600:]].reshape(len(X) - 600, -1) / 1.0)
            right[name] += float(np.mean(told == Y[rows[600:]])) / 10
    assert right[many] > right[few] + 0.05


def test_where_only_details_tell_the_fine_codec_is_chosen() -> None:
    """Two classes that differ by grey values that one bit does not see."""
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    x = (np.where(rng.random((200, 16)) < 0.5, 20, 60) + 40 * y[:, None]).astype(np.uint8)
    found = trade(600, x, y, judges.nearest_mean, classes=2, candidates=("1bit", "int8"))
    assert [t.named for t in found] == ["int8", "1bit"]
    assert found[0].capacity < found[1].capacity
    assert found[0].score > 0.95 > 0.6 > found[1].score


def test_it_is_a_pure_function_and_counts_every_byte() -> None:
    x, y = X[:300].copy(), Y[:300]
    one = trade(2048, x, y, judges.ridge, classes=10, beside=logits(10), rounds=2, as_kept=True)
    assert one == trade(2048, x, y, judges.ridge, classes=10, beside=logits(10), rounds=2, as_kept=True)
    assert np.array_equal(x, X[:300])
    assert [t.score for t in one] == sorted((t.score for t in one), reverse=True)
    for t in one:
        replay = Replay(2048, (1, 8, 8), classes=10, codec=t.named, beside=logits(10))
        assert (t.capacity, t.bytes, t.codec) == (replay.capacity, replay.bytes, replay.codec)
        assert t.bytes <= 2048


def test_what_does_not_fit_is_no_candidate_and_nothing_that_fits_is_refused() -> None:
    assert [t.named for t in trade(110, X[:50], Y[:50], judges.nearest, classes=10, candidates=("raw", "1bit"))] == [
        "1bit"
    ]
    with pytest.raises(InvalidInput, match="capacity_bytes is 64: one sample needs 71 B: give as many"):
        trade(64, X[:50], Y[:50], judges.nearest, classes=10, candidates=("raw", "1bit"))
    with pytest.raises(InvalidInput, match="candidates is empty"):
        trade(64, X[:50], Y[:50], judges.nearest, classes=10, candidates=())
    with pytest.raises(InvalidInput, match="codec is 3bit"):
        trade(640, X[:50], Y[:50], judges.nearest, classes=10, candidates=("3bit",))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(50, int), "labels is of 1 classes, 50 of the rarest: give two classes or more"),
        (
            np.arange(50),
            "labels is of 50 classes, 1 of the rarest: give two classes or more, two samples or",
        ),
        (np.zeros(49, int), "labels is int64[49]: give one a sample: 50"),
    ],
)
def test_too_little_to_measure_on_is_one_line(labels: np.ndarray, message: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(message)):
        trade(2048, X[:50], labels, judges.nearest, classes=10)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rounds": 0}, "rounds is 0: give 1 or more"),
        ({"rounds": 1.5}, "rounds is 1.5: give a whole number"),
        ({"seed": -1}, "seed is -1: give 0 or more"),
        ({"classes": 3}, "classes is 3: there are 10 in labels"),
        ({"candidates": "raw"}, "candidates is raw: give a list of codecs"),
        ({"judge": lambda x, y, others: y[0]}, "judge is 'telling []': return a label each"),
    ],
)
def test_a_setting_of_the_trade_that_cannot_be_is_one_line(given: dict[str, object], message: str) -> None:
    settings = {"judge": judges.nearest, "classes": 10, **given}
    with pytest.raises(InvalidInput) as caught:
        trade(2048, X[:100], Y[:100], **settings)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message.replace("'", ""))


@pytest.mark.parametrize("judge", [judges.nearest, judges.nearest_mean, judges.ridge])
def test_a_judge_learns_what_can_be_learnt(judge: object) -> None:
    x = X.reshape(len(X), -1).astype(float)
    assert np.mean(judge(x[:900], Y[:900], x[900:]) == Y[900:]) > 0.85  # type: ignore[operator]
    assert np.mean(judge(x[:900], np.roll(Y[:900], 7), x[900:]) == Y[900:]) < 0.25  # type: ignore[operator]
