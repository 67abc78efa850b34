"""What privacy costs, and the audit that could refute it: the audit's arithmetic, a tenth of its runs, the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.private import page
from benchmarks.private.__main__ import KEPT
from benchmarks.private.audit import audit, epsilon_of_shift, lowest
from benchmarks.private.experiment import case, habits, summary
from benchmarks.prove_privacy import beside_opacus
from benchmarks.readme import between

ROOT = Path(__file__).parents[2]
DELTA = 1e-5


def test_the_bound_of_an_audit_is_below_the_truth_and_near_it() -> None:
    """Two Gaussians, so that the truth is known."""
    draw, truth = np.random.default_rng(0), epsilon_of_shift(2.0, DELTA)
    found = [lowest(draw.normal(2, 1, 300).tolist(), draw.normal(0, 1, 300).tolist(), DELTA) for _ in range(2)]
    assert truth == pytest.approx(10.0, abs=0.05)
    assert all(0 < one.lowest <= one.gaussian * 1.5 for one in found)
    assert all(0.4 * truth < one.gaussian < truth for one in found)
    same = lowest(draw.normal(0, 1, 300).tolist(), draw.normal(0, 1, 300).tolist(), DELTA)
    assert same.lowest < 0.3
    apart = lowest([1.0] * 100, [0.0] * 100, DELTA)
    assert apart.lowest == pytest.approx(np.log(0.025 ** (1 / 50) / (1 - 0.025 ** (1 / 50))), abs=1e-3)
    assert apart.wrong == (0, 0)


def test_the_epsilon_of_a_shift_is_that_of_the_formula() -> None:
    """delta of (epsilon, shift) by sums over both densities."""
    x = np.linspace(-30, 30, 400_001)
    one, other = (np.exp(-((x - m) ** 2) / 2) / np.sqrt(2 * np.pi) for m in (0.7, 0.0))
    told = epsilon_of_shift(0.7, 1e-3)
    assert np.trapezoid(np.maximum(one - np.exp(told) * other, 0), x) == pytest.approx(1e-3, rel=1e-3)
    assert epsilon_of_shift(0.0, DELTA) == 0


def test_what_is_claimed_of_a_device_is_above_what_an_attack_shows_and_near_it() -> None:
    found = audit("device", 160, 1.0, 1.0)  # of 60 runs, half choose the threshold: too few for a draw or two
    assert found["claimed"] == pytest.approx(9.01, abs=0.01)
    assert found["lowest"] <= found["claimed"]
    assert 3 < found["gaussian"] <= found["claimed"]


@pytest.mark.parametrize(("unit", "runs"), [("device", 60), ("example", 80)])
def test_an_attack_refutes_the_claim_where_the_noise_is_off(unit: str, runs: int) -> None:
    bare = audit(unit, runs, 0.0, 4.0)
    assert bare["lowest"] > bare["claimed"] > 1.8
    assert bare["wrong"] == [0, 0]


def test_no_attack_refutes_what_is_claimed_of_an_example() -> None:
    noised = audit("example", 40, 1.0, 4.0)
    assert max(noised["lowest"], noised["gaussian"]) <= noised["claimed"]
    assert sum(noised["wrong"]) > 0.2 * noised["counted"]


@pytest.mark.filterwarnings("ignore:Optimal order is the")
def test_a_corner_of_the_grid_beside_opacus() -> None:
    assert beside_opacus([(0.01, 1.0)]) <= 1e-6


def test_small_runs_of_the_ways() -> None:
    own = habits("digits-100") | {"rounds": 3}
    found = {w: case("digits-100", 101, w, own) for w in ("dummy", "not private", "epsilon 16", "examples, epsilon 8")}
    assert found["dummy"]["last"] < 0.2
    assert found["not private"]["last"] > found["dummy"]["last"] + 0.15
    assert 15.5 < found["epsilon 16"]["told"] <= 16
    assert 7.5 < found["examples, epsilon 8"]["told"] <= 8
    assert found["examples, epsilon 8"]["unit"] == "an example on a device"


def test_cases_of_other_hyper_parameters_are_refused() -> None:
    cases = page.read(KEPT)
    with pytest.raises(ValueError, match="other hyper-parameters"):
        summary([{**cases[0], "habits": {}}])


def test_the_page_and_its_pictures_show_the_committed_cases() -> None:
    cases = page.read(KEPT)
    told = "run python -m benchmarks.private --show --write"
    assert between((ROOT / page.DOCS).read_text(), "private") == page.table(cases), told
    for task in {c["task"] for c in cases}:
        assert (page.PICTURES / f"private-{task}.svg").read_text() == page.picture(cases, task)
