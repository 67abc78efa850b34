"""The microcontroller's detectors are the numpy ones to the last bit: two compilers, warnings are errors."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.learn.c import FOLDER
from selvedge.learn.drift.adwin import ADWIN
from selvedge.learn.drift.ddm import DDM
from selvedge.learn.drift.detector import Detector
from selvedge.learn.drift.page_hinkley import MODES, PageHinkley
from tests.native.build import COMPILERS, Kernels

from .streams import errors, numbers

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror", "-ffp-contract=off", "-O2"]
ROWS, BUCKETS = 6, 4  # of ADWIN in C, so that a stream of a test reaches the end of its window


@pytest.fixture(scope="module", params=COMPILERS)
def c(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    library = tmp_path_factory.mktemp("detectors") / "detectors.so"
    command = [*COMPILERS[request.param], *STRICT, f"-I{FOLDER}", f"-DSV_ADWIN_ROWS={ROWS}"]
    command += [f"-DSV_ADWIN_BUCKETS={BUCKETS}", "-fPIC", "-shared", str(Path(__file__).with_name("detectors.c"))]
    done = subprocess.run([*command, "-lm", "-o", str(library)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Kernels(library, np.float64)


def in_c(c: Kernels, name: str, stream: list[float], *given: Any, state: int) -> tuple[list[int], list[float]]:
    gave, held = np.full(len(stream), 9, np.int8), np.zeros(state)
    c(name, np.array(stream), len(stream), *given, gave, held)
    return gave.tolist(), held.tolist()


def in_python(detector: Detector, stream: list[float]) -> list[int]:
    """1 for a drift, 2 for a warning, as the C of the tests has it."""
    gave = []
    for value in stream:
        detector.update(value)
        gave.append(1 if detector.drift else 2 if detector.warning else 0)
    return gave


@given(
    stream=numbers(),
    threshold=st.sampled_from([0.5, 5.0, 50.0]),
    alpha=st.sampled_from([0.9999, 1.0]),
    mode=st.sampled_from(MODES),
)
@settings(max_examples=40, deadline=None)
def test_page_hinkley(c: Kernels, stream: list[float], threshold: float, alpha: float, mode: str) -> None:
    ours = PageHinkley(10, 0.005, threshold, alpha, mode)
    gave, held = in_c(c, "page_hinkley", stream, 10, 0.005, threshold, alpha, 1 + MODES.index(mode), state=6)
    assert gave == in_python(ours, stream)
    state = ours.state_dict()
    assert held == [float(state[name]) for name in ("n", "mean", "up", "down", "lowest", "highest")]


@given(stream=errors(), warm_start=st.sampled_from([0, 30]), drift=st.sampled_from([1.5, 3.0]))
@settings(max_examples=40, deadline=None)
def test_ddm(c: Kernels, stream: list[float], warm_start: int, drift: float) -> None:
    ours = DDM(warm_start, 1.0, drift)
    gave, held = in_c(c, "ddm", stream, warm_start, 1.0, drift, state=4)
    assert gave == in_python(ours, stream)
    state = ours.state_dict()
    wanted = [float(state[name]) for name in ("n", "rate", "lowest_rate", "lowest_spread")]
    assert held[:2] == wanted[:2]
    if held[0] > warm_start:  # before that nothing is the lowest
        assert held[2:] == wanted[2:]


@given(stream=numbers(), delta=st.sampled_from([0.002, 0.3]), clock=st.sampled_from([1, 32]))
@settings(max_examples=40, deadline=None)
def test_adwin(c: Kernels, stream: list[float], delta: float, clock: int) -> None:
    ours = ADWIN(delta, clock, BUCKETS, 5, 10, ROWS)
    gave, held = in_c(c, "adwin", stream, delta, clock, 5, 10, state=3)
    assert gave == in_python(ours, stream)
    assert held == [ours.width, ours.total, ours.variance]


def test_the_end_of_adwins_window_is_reached(c: Kernels) -> None:
    stream = np.random.default_rng(0).normal(0, 1, 2000).tolist()
    ours = ADWIN(0.002, 32, BUCKETS, 5, 10, ROWS)
    gave, held = in_c(c, "adwin", stream, 0.002, 32, 5, 10, state=3)
    assert gave == in_python(ours, stream) == [0] * 2000
    assert held == [ours.width, ours.total, ours.variance]
    assert held[0] < BUCKETS * (2**ROWS - 1) < 2000


def test_what_is_no_number_changes_nothing(c: Kernels) -> None:
    bad = [float("nan"), float("inf"), -float("inf"), 1e200]
    good = np.random.default_rng(1).normal(0, 1, 100).tolist()
    for name, settled, state in (
        ("page_hinkley", (10, 0.005, 50.0, 1.0, 3), 6),
        ("adwin", (0.002, 32, 5, 10), 3),
    ):
        mixed, held = in_c(c, name, [*good, *bad, *good], *settled, state=state)
        assert mixed[100:104] == [-1] * 4
        plain, wanted = in_c(c, name, good + good, *settled, state=state)
        assert (mixed[:100] + mixed[104:], held) == (plain, wanted)
    rights = [0.0, 1.0] * 40
    mixed, held = in_c(c, "ddm", [*rights, 2.0, -1.0, *rights], 30, 2.0, 3.0, state=4)
    assert mixed[80:82] == [-1, -1]
    assert (mixed[:80] + mixed[82:], held) == in_c(c, "ddm", rights + rights, 30, 2.0, 3.0, state=4)


def test_the_bytes_on_a_device(c: Kernels) -> None:
    """A struct is the settings and the state, and ADWIN's are set when it is compiled."""
    for name, settled, state, most in (
        ("page_hinkley", (10, 0.005, 50.0, 1.0, 3), 6, 96),
        ("ddm", (30, 2.0, 3.0), 4, 72),
        ("adwin", (0.002, 32, 5, 10), 3, 16 * ROWS * (BUCKETS + 1) + ROWS + 60),
    ):
        assert c(name, np.zeros(1), 1, *settled, np.zeros(1, np.int8), np.zeros(state)) <= most
