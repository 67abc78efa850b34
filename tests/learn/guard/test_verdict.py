"""How good an output is, and what one has over another: bounded, whatever the model says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import brier_score_loss

from selvedge.learn.guard.verdict import gains, knowledge, merit

LOGITS = hnp.arrays(np.float32, (6, 4), elements=st.floats(-1e6, 1e6, width=32))


@given(LOGITS, LOGITS, hnp.arrays(np.int32, 6, elements=st.integers(0, 3)))
def test_what_a_classifier_has_over_another_can_be_bet_on(ours: np.ndarray, theirs: np.ndarray, y: np.ndarray) -> None:
    for judged in (merit, knowledge):
        found = gains("CrossEntropy", judged("CrossEntropy", ours, y), judged("CrossEntropy", theirs, y))
        assert (np.abs(found) <= 1).all()
        back = gains("CrossEntropy", judged("CrossEntropy", theirs, y), judged("CrossEntropy", ours, y))
        assert np.array_equal(found, -back)


@given(LOGITS, LOGITS)
def test_and_of_reconstructions(ours: np.ndarray, theirs: np.ndarray) -> None:
    target = np.zeros((6, 4), np.float32)
    found = gains("Reconstruction", *(merit("Reconstruction", z, target) for z in (ours, theirs)))
    assert (np.abs(found) <= 1).all()


def test_knowledge_is_half_the_brier_score() -> None:
    rng = np.random.default_rng(11)
    z, y = rng.normal(size=(200, 5)) * 3, rng.integers(0, 5, 200)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    theirs = brier_score_loss(y, p, labels=range(5), scale_by_half=True)
    assert -knowledge("CrossEntropy", z, y).mean() == pytest.approx(theirs)


def test_to_be_surer_without_being_right_more_often_is_not_better() -> None:
    y = np.array([0, 0, 0, 1])
    right = np.log(np.tile([0.75, 0.25], (4, 1)))
    assert knowledge("CrossEntropy", 4 * right, y).mean() < knowledge("CrossEntropy", right, y).mean()
    assert merit("CrossEntropy", right, y).tolist() == [1, 1, 1, 0]
