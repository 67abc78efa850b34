"""Random streams of numbers and of errors that change now and then, of one length or another."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st


@st.composite
def numbers(draw: st.DrawFn, shortest: int = 1, longest: int = 500) -> list[float]:
    """One to six parts, each of its own length, level and spread; sometimes of few values, so that many are equal."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    parts = []
    for _ in range(draw(st.integers(1, 6))):
        level, spread = draw(st.sampled_from([0.0, 0.5, 1.0, -3.0, 40.0])), draw(st.sampled_from([0.0, 0.1, 1.0, 5.0]))
        parts.append(rng.normal(level, spread, draw(st.integers(shortest, longest))))
    whole = np.concatenate(parts)
    return (whole.round(draw(st.sampled_from([0, 1]))) if draw(st.booleans()) else whole).tolist()


@st.composite
def errors(draw: st.DrawFn) -> list[float]:
    """One to six parts, each of its own rate."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    rates = draw(st.lists(st.sampled_from([0.0, 0.02, 0.1, 0.3, 0.7, 1.0]), min_size=1, max_size=6))
    return [float(wrong) for rate in rates for wrong in rng.random(draw(st.integers(1, 500))) < rate]


def of(takes: str) -> st.SearchStrategy[list[float]]:
    return errors() if takes == "errors" else numbers()
