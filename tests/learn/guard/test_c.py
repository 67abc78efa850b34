"""The microcontroller's bound and spending are the numpy ones to the last bit: two compilers, warnings are errors."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.learn.c import FOLDER
from selvedge.learn.guard.anchor import hopeless, lost
from selvedge.learn.guard.answers import ANSWERS, Answers
from tests.native.build import COMPILERS, Kernels

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror", "-ffp-contract=off", "-O2"]


@pytest.fixture(scope="module", params=COMPILERS)
def c(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    library = tmp_path_factory.mktemp("judge") / "judge.so"
    command = [*COMPILERS[request.param], *STRICT, f"-I{FOLDER}", "-fPIC", "-shared"]
    command += [str(Path(__file__).with_name("judge.c")), "-lm", "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Kernels(library, np.float64)


@given(
    first=st.integers(1, 3000), more=st.integers(0, 3000), shares=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    nats=st.floats(0.01, 200), margin=st.floats(0.001, 1),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_the_bound(c: Kernels, first: int, more: int, shares: tuple[float, float], nats: float, margin: float) -> None:
    minus = int(shares[0] ** 3 * first)
    plus = int(shares[1] ** 3 * (first - minus))
    gains = np.repeat([1.0, 0.0, -1.0], [plus, first - minus - plus, minus])
    found = np.full(3, np.nan)
    c("bound", first + more, minus, plus, first, nats, margin, found)
    wanted = lost(gains, nats)
    assert found.tolist() == [wanted.mean, wanted.upper, hopeless(gains, first + more, nats, margin)]


@given(said=st.lists(st.integers(0, 3), max_size=60), first=st.booleans(), error=st.floats(0.001, 0.999))
@settings(max_examples=100, deadline=None)
def test_the_answers(c: Kernels, said: list[int], first: bool, error: float) -> None:
    ours, wanted = Answers(error, first), []
    for number in said:
        wanted.append(ours.nats)
        ours.say(ANSWERS[number])
    found = np.full(len(said) + 1, np.nan)
    c("answers", np.array(said, np.int32), len(said), int(first), error, found)
    assert found.tolist() == [*wanted, ours.nats]
