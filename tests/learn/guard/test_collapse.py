"""Predictions that are all alike are seen; streams that are all alike are not."""

from __future__ import annotations

import numpy as np
import pytest

from selvedge.errors import InvalidInput
from selvedge.learn.guard.collapse import Collapse, entropies, probabilities

RNG = np.random.default_rng(0)


def said(classes: np.ndarray) -> np.ndarray:
    """Logits that are sure of these."""
    return (8 * np.eye(10)[classes] + RNG.normal(0, 0.5, (len(classes), 10))).astype(np.float32)


def test_one_class_for_everything_is_a_collapse() -> None:
    collapse, before = Collapse(10), said(RNG.integers(0, 10, 200))
    assert not collapse.update(before, before)
    assert any(collapse.update(said(np.full(16, 3)), said(RNG.integers(0, 10, 16))) for _ in range(8))


def test_a_stream_of_one_class_is_none() -> None:
    collapse = Collapse(10)
    for _ in range(20):
        assert not collapse.update(said(np.full(16, 3)), said(np.full(16, 3)))
    assert collapse.in_use == pytest.approx((1, 1), abs=0.1)


def test_to_become_sure_is_none() -> None:
    collapse = Collapse(10)
    for _ in range(20):
        classes = RNG.integers(0, 10, 16)
        assert not collapse.update(10 * said(classes), 0.2 * said(classes))


def test_entropy_is_that_of_its_definition() -> None:
    assert entropies(np.full(4, 0.25)) == pytest.approx(np.log(4))
    assert entropies(np.array([1.0, 0.0])) == 0
    assert probabilities(np.array([[1e4, 0.0]])).tolist() == [[1, 0]]


def test_its_state_goes_on_and_anothers_is_refused() -> None:
    one, other = Collapse(10), Collapse(10)
    one.update(said(np.arange(10)), said(np.arange(10)))
    other.load_state_dict(one.state_dict())
    assert other.in_use == one.in_use
    kept = one.state_dict()
    assert one.bytes == sum(a.nbytes for a in kept.values())
    for state in ({}, Collapse(9).state_dict(), {**kept, "count": np.array([65])}, {**kept, "means": -kept["means"]}):
        with pytest.raises(InvalidInput, match="collapse"):
            one.load_state_dict(state)
    one.restart()
    assert one.in_use[0] == 1
    for field, settings in (("classes", {"classes": 1}), ("share", {"share": 1.0}), ("window", {"window": 2})):
        with pytest.raises(InvalidInput, match=field):
            Collapse(**{"classes": 3, **settings})  # type: ignore[arg-type]
