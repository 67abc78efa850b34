"""Draws by number: the published generator's words, whoever asks for how many."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from selvedge.learn.draws import Draws


def test_the_words_are_splitmix64s() -> None:
    """Seed 1234567: the first words that the authors' C program prints (Vigna, splitmix64.c)."""
    told = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    assert Draws(1234567).words(5).tolist() == told


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 9), max_size=8))
def test_the_words_are_the_same_in_whatever_parts_they_are_asked_for(seed: int, parts: list[int]) -> None:
    draws = Draws(seed)
    assert [word for n in parts for word in draws.words(n).tolist()] == Draws(seed).words(sum(parts)).tolist()
    assert draws.count == sum(parts)
    assert Draws(seed, 3).words(2).tolist() == Draws(seed).words(5)[3:].tolist()


def test_they_are_distributed_as_they_say() -> None:
    draws = Draws(1)
    assert stats.kstest(draws.uniform(4000), "uniform").pvalue > 0.01
    assert stats.kstest(draws.normal(4000), "norm").pvalue > 0.01
    assert stats.chisquare(np.bincount(draws.below(7, 7000), minlength=7)).pvalue > 0.01
    assert draws.uniform(3, 2).shape == draws.normal(3, 2).shape == (3, 2)
