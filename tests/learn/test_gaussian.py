"""The Gaussian: numpy's own mean and covariance, and what lies off them."""

from __future__ import annotations

import numpy as np
import pytest

from selvedge.errors import InvalidInput
from selvedge.learn.anomaly.gaussian import GaussianDetector


def correlated(rows: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((rows, 3))
    return x @ np.array([[1, 0.95, 0], [0, 0.3, 0], [0, 0, 1e-3]]) + [5, -2, 100]


def test_it_learns_numpys_mean_and_covariance() -> None:
    detector, x = GaussianDetector(3, warm=500), correlated(500)
    for vector in x:
        detector.update(vector)
    state = detector.state_dict()
    assert state["mean"] == pytest.approx(x.mean(axis=0), rel=1e-4)
    assert state["covariance"] == pytest.approx(np.cov(x.T, bias=True), rel=2e-3, abs=1e-5)


def test_what_breaks_a_correlation_is_odd_though_each_number_is_usual() -> None:
    detector = GaussianDetector(3, warm=500)
    for vector in correlated(500):
        detector.update(vector)
    along, across = np.array([6.5, -2 + 1.5 * 0.95, 100]), np.array([6.5, -2 - 1.5 * 0.95, 100])
    assert detector.update(along) < 0.6
    assert detector.update(across) > 0.8


def test_a_fault_does_not_become_normal_by_lasting_unless_normal_is_followed() -> None:
    still, following = GaussianDetector(3, warm=300), GaussianDetector(3, warm=300, follow=True)
    for vector in correlated(300):
        still.update(vector), following.update(vector)
    learnt = still.state_dict()
    drifting = correlated(4000, 1) + np.linspace(0, 3, 4000)[:, None] * [1, 1, 0]
    scores = np.array([(still.update(v), following.update(v)) for v in drifting])
    assert all(still.state_dict()[k].tobytes() == v.tobytes() for k, v in learnt.items())
    assert scores[-500:, 0].mean() > scores[-500:, 1].mean() + 0.1


def test_a_number_that_never_moved_does_not_break_the_inverse() -> None:
    detector, x = GaussianDetector(3), correlated(200)
    x[:, 1] = 4.0
    scores = [detector.update(v) for v in x]
    assert max(scores[80:]) < 0.95
    assert detector.update([5, 8.0, 100]) > 0.9


@pytest.mark.parametrize(
    ("size", "settings", "field"),
    [(0, {}, "size"), (31, {}, "size"), (2.5, {}, "size"), (4, {"warm": "long"}, "warm"), (4, {"warm": 5}, "warm"),
     (4, {"warm": 10**7}, "warm"), (4, {"threshold": 0}, "threshold"),
     (4, {"threshold": np.array([0.1, 0.2])}, "threshold")],
)  # fmt: skip
def test_a_setting_that_cannot_be_is_named(size: int, settings: dict[str, int], field: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{field} is"):
        GaussianDetector(size, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("level", [0.0, 0.1, 1.0, -273.15])
def test_what_never_moved_is_odd_when_it_moves_and_not_where_it_moves_within_a_thousandth(level: float) -> None:
    detector = GaussianDetector(2)
    scores = [detector.update([level, 2 * level]) for _ in range(200)]
    assert max(scores) < 1e-9  # a level that float32 does not hold is off by its last place
    assert detector.update([level, 2 * level * (1 + 1e-5)]) < 0.5
    assert detector.update([level, 2 * level + 0.1 * abs(level) + 0.01]) > 0.9


def test_a_vector_of_another_shape_is_refused_and_one_number_is_a_vector_of_one() -> None:
    with pytest.raises(InvalidInput, match=r"value is of shape \[2, 2\]: give 4 numbers"):
        GaussianDetector(4).update(np.ones((2, 2)))
    assert GaussianDetector(1, threshold=np.float32(0.5)).update(3.0) == 0


def test_the_widest_takes_less_than_four_kibibytes() -> None:
    assert GaussianDetector(30, warm=80).bytes == 16 + 4 * 30 * 31 <= 4096


@pytest.mark.parametrize(("name", "value"), [("mean", np.nan), ("covariance", -1.0), ("distance", np.inf)])
def test_a_damaged_state_is_refused(name: str, value: float) -> None:
    detector = GaussianDetector(2)
    state = detector.state_dict()
    state[name].reshape(-1)[0] = value
    with pytest.raises(InvalidInput, match="gaussian state"):
        detector.load_state_dict(state)
