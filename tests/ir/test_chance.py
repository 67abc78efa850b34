"""The masks of dropout: as often as told, and without a pattern that a test of independence would see."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from selvedge import ir
from selvedge.errors import InvalidInput
from selvedge.ir.ops.chance import kept

SHAPE = (8, 16, 32)
SIZE = 8 * 16 * 32


def _z(count: float, trials: int, p: float) -> float:
    """Standard deviations of a binomial count from what it should be."""
    return abs(count - trials * p) / float(np.sqrt(trials * p * (1 - p)))


@pytest.mark.parametrize("p", [0.01, 0.1, 0.5, 0.9])
def test_as_many_are_dropped_as_told(p: float) -> None:
    found = np.stack([kept(SHAPE, drawn, p, salt, False) for drawn in range(8) for salt in (0, 7, 2**32 - 1)])
    assert _z(float((~found).sum()), found.size, p) < 4
    for axis in (0, 1, 2, 3):  # in every draw, sample, row and channel
        others = tuple(i for i in range(4) if i != axis)
        trials = found.size // found.shape[axis]
        assert max(_z(float(n), trials, p) for n in (~found).sum(others)) < 5


def test_draws_masks_and_neighbours_are_independent() -> None:
    flat = {(d, s): kept(SHAPE, d, 0.5, s, False).ravel() for d in (0, 1, 2, 3, 1000) for s in (0, 1, 2, 3)}
    assert max(_z(float((a == b).sum()), SIZE, 0.5) for a, b in combinations(flat.values(), 2)) < 5
    for mask in flat.values():
        for lag in (1, 2, 32, 512):
            assert _z(float((mask[lag:] == mask[:-lag]).sum()), SIZE - lag, 0.5) < 5


def test_whole_channels_go_together() -> None:
    found = kept(SHAPE, 3, 0.3, 1, True)
    assert (found == found[:, :1]).all()
    many = np.stack([kept(SHAPE, d, 0.3, 1, True)[:, 0] for d in range(32)])
    assert _z(float((~many).sum()), many.size, 0.3) < 4


@pytest.mark.parametrize(
    ("attrs", "message"),
    [
        ({"p": 0.0, "salt": 0, "whole": False}, "p is 0.0; must be above 0 and below 1"),
        ({"p": 1.0, "salt": 0, "whole": False}, "p is 1.0"),
        ({"p": 0.5, "salt": -1, "whole": False}, "salt is -1"),
        ({"p": 0.5, "salt": 0, "whole": 1}, "whole is 1"),
    ],
)
def test_what_means_nothing_is_refused(attrs: dict[str, object], message: str) -> None:
    x, drawn = (ir.input_leaf(n, ir.Spec(shape)) for n, shape in (("x", (1, 1, 4)), ("n", ())))
    with pytest.raises((InvalidInput, ValueError), match=message):
        ir.apply("dropout", x, drawn, **attrs)
