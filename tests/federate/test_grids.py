"""One suite for every grid: virtual time, HTTPS, Flower. Each codec both ways, each fault, and kills; what comes of it
is what virtual time without faults makes of the same answers, to the last bit."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .grids import Case, Flower, Flwr, Https, Virtual, reference
from .mouth import FAULTS, ODD, ONCE, ROUNDS
from .test_codecs import NAMES

PYTHON = os.environ.get("SELVEDGE_FLOWER")  # of an environment with flwr, from `make flower-test`
SAID = {
    "drop": r"",
    "corrupt": r"not signed by who it says it is of",
    "unsigned": r"not signed by who it says it is of",
    "oversized": r"[bB]ody of [\dN,]+ B where at most|message of [\d,]+ B where at most|status 413",
    "another run": r"of another run|to another task",
    "no update": r"a poll where (an update is due|a stage is to be answered)|status 403",
    "duplicate": r"",
    "stale": r"of a (task|stage) that is over|to another task",
    "reorder": r"",
    "nan": r"a number that is not finite|not finite",
    "shape": r"N B where N are due",
}


@pytest.fixture(scope="module", params=["virtual", "https", "flower", "flwr"])
def grid(request: pytest.FixtureRequest, certificate: tuple[Path, Path]) -> Iterator[Any]:
    """flower: our grid over SuperNodes of the tests' own, in virtual time; flwr: the same over flwr's link state,
    messages and ClientApps. The whole deployment, of processes, is in ``test_flower``."""
    if request.param == "flwr":
        if PYTHON is None:
            pytest.skip("make flower-test runs it")
        flwr = Flwr(PYTHON)
        yield flwr
        flwr.close()
    else:
        yield {"virtual": Virtual, "https": lambda: Https(certificate), "flower": Flower}[request.param]()


@pytest.mark.parametrize("codec", NAMES)
def test_each_codec_both_ways_comes_to_the_bits_of_virtual_time(codec: str, grid: Any, tmp_path: Path) -> None:
    case = Case({"up": codec, "down": codec, "difference": True})
    found = grid.run(case, tmp_path / "tried")
    wanted = reference(case, (), tmp_path / "reference")
    assert (found.phase, found.moved) == ("done", [3] * ROUNDS)
    assert (found.model, found.shown) == (wanted.model, wanted.shown)
    assert found.up == wanted.up  # as many bytes on every wire
    assert not found.refused


@pytest.mark.parametrize("fault", FAULTS)
def test_with_each_fault_what_counts_counts_once(fault: str, grid: Any, tmp_path: Path) -> None:
    case = Case({"up": "float32" if fault in ("nan", "shape") else "top:0.3+int8"}, fault)
    found = grid.run(case, tmp_path / "tried")
    assert found.phase == "done"
    if fault in ("nan", "shape"):
        lost = {(0, ODD)}
    elif fault in ONCE and not grid.heals:
        lost = {(0, task) for task in range(ROUNDS)}
    else:
        lost = set()
    assert found.absent == lost
    assert len(found.taken) == sum(found.moved) == 3 * ROUNDS - len(lost)
    assert found.model == reference(case, lost, tmp_path / "reference").model
    told = " | ".join([*found.refused, *found.said])
    assert re.search(SAID[fault], told), told


@pytest.mark.parametrize("settings", [{"up": "top:0.3+int4"}, {"local": {"scaffold": True}, "up": "int8"}], ids=str)
@pytest.mark.parametrize("kill", ["device", "server"])
def test_who_is_killed_comes_back_and_the_bits_are_the_same(
    kill: str, settings: dict[str, Any], grid: Any, tmp_path: Path
) -> None:
    case = Case(settings, kill=kill)
    found = grid.run(case, tmp_path / "tried")
    assert (found.phase, found.moved) == ("done", [3] * ROUNDS)
    assert found.absent == set()
    assert len(found.taken) == 3 * ROUNDS
    assert found.model == reference(case, (), tmp_path / "reference").model


MASKED = {"masked": {"bits": 8}, "up": "seeded:0.6+int8", "down": "int8", "difference": True}


@pytest.mark.parametrize("fault", ["drop", "unsigned", "duplicate", "stale"])
def test_masked_rounds_are_the_exact_sum_of_who_is_heard(fault: str, grid: Any, tmp_path: Path) -> None:
    """The fault is at each of the five stages; who is lost at one is lost in that round, and its sum is the others'."""
    case = Case(MASKED, fault)
    found = grid.run(case, tmp_path / "tried")
    lost = {(0, task) for task in range(ROUNDS)} if fault in ONCE and not grid.heals else set()
    assert (found.phase, found.absent) == ("done", lost)
    assert len(found.taken) == sum(found.moved) == 3 * ROUNDS - len(lost)
    assert found.model == reference(case, lost, tmp_path / "reference").model
    assert re.search(SAID.get(fault, ""), " | ".join([*found.refused, *found.said]))


@pytest.mark.parametrize("kill", ["device", "server"])
def test_who_is_killed_in_a_masked_round_comes_back(kill: str, grid: Any, tmp_path: Path) -> None:
    case = Case(MASKED, kill=kill)
    found = grid.run(case, tmp_path / "tried")
    assert (found.phase, found.moved, found.absent) == ("done", [3] * ROUNDS, set())
    assert found.model == reference(case, (), tmp_path / "reference").model
