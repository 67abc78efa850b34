"""Who takes part by lot: as often as is said, each alone, the same when asked again."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from selvedge.errors import InvalidInput
from selvedge.federate.privacy.lots import cohort, takes_part

NAMES = [f"device-{i}" for i in range(60)]


def test_lots_are_independent_of_one_another_and_from_round_to_round() -> None:
    there = np.array([[takes_part(n.encode(), f"run {r}", 0.2) for n in NAMES] for r in range(400)])
    sizes = there.sum(1)
    assert there.mean() == pytest.approx(0.2, abs=0.01)
    assert sizes.var() == pytest.approx(60 * 0.2 * 0.8, rel=0.3), "a cohort of fixed size has none"
    each = there.sum(0)
    assert stats.chisquare(each).pvalue > 1e-4
    pairs = np.corrcoef(there.T.astype(float))[np.triu_indices(60, 1)]
    assert abs(pairs.mean()) < 0.01
    assert there[:-1][there[1:]].mean() == pytest.approx(0.2, abs=0.02), "who was in it is no likelier in the next"


def test_a_cohort_is_what_the_secret_says() -> None:
    one = cohort(b"secret", "run 1", NAMES, 0.3)
    assert one == cohort(b"secret", "run 1", reversed(NAMES), 0.3)
    assert one != cohort(b"other", "run 1", NAMES, 0.3)
    assert one != cohort(b"secret", "run 2", NAMES, 0.3)
    assert set(one) <= set(cohort(b"secret", "run 1", NAMES, 0.9))
    assert cohort(b"secret", "run 1", NAMES, 1.0) == sorted(NAMES)
    gone = cohort(b"secret", "run 1", NAMES[1:], 0.3)
    assert [n for n in one if n != NAMES[0]] == gone, "one's being there changes nobody else's lot"


@pytest.mark.parametrize("rate", [0, -0.1, 1.1, float("nan"), True, "1"])
def test_no_probability(rate: object) -> None:
    with pytest.raises(InvalidInput, match="rate"):
        takes_part(b"s", "r", rate)  # type: ignore[arg-type]
