"""The microcontroller's augmentation is numpy's to the last bit: two compilers, warnings are errors."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import selvedge as sv
from selvedge.learn.c import FOLDER
from selvedge.learn.draws import Draws
from tests.native.build import COMPILERS, Kernels

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror", "-ffp-contract=off", "-O2"]
seeds = st.integers(0, 2**31 - 1)
shapes = st.tuples(st.integers(1, 4), st.integers(2, 40), st.integers(1, 4))


@pytest.fixture(scope="module", params=COMPILERS)
def c(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    library = tmp_path_factory.mktemp("augment") / "augment.so"
    command = [*COMPILERS[request.param], *STRICT, f"-I{FOLDER}", "-fPIC", "-shared"]
    command += [str(Path(__file__).with_name("augment.c")), "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Kernels(library, np.float32)


def sample(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 3, (1, *shape)).astype(np.float32)


def same(mine: np.ndarray, theirs: np.ndarray, draws: Draws, count: int) -> None:
    assert np.array_equal(mine.view(np.uint32), theirs.view(np.uint32))
    assert count == draws.count


@given(seed=seeds, count=st.integers(0, 2**30))
@settings(max_examples=20, deadline=None)
def test_words(c: Kernels, seed: int, count: int) -> None:
    draws, made = Draws(seed, count), np.zeros(50, np.uint64)
    assert c("words", seed, count, 50, made) == count + 50
    assert np.array_equal(made, draws.words(50))


@given(seed=seeds, shape=shapes, by=st.integers(1, 50), fill=st.sampled_from(["edge", "around"]))
@settings(max_examples=60, deadline=None)
def test_shift(c: Kernels, seed: int, shape: tuple[int, int, int], by: int, fill: str) -> None:
    x, draws = sample(seed, *shape), Draws(seed)
    made = np.zeros_like(x)
    count = c("shift", seed, x, made, *shape, by, ["edge", "around"].index(fill))
    same(sv.Shift(by, 1, fill)(x, draws), made, draws, count)


@given(seed=seeds, shape=shapes, least=st.sampled_from([0.05, 0.5, 0.8, 0.99]))
@settings(max_examples=60, deadline=None)
def test_crop(c: Kernels, seed: int, shape: tuple[int, int, int], least: float) -> None:
    x, draws = sample(seed, *shape), Draws(seed)
    made = np.zeros_like(x)
    count = c("crop", seed, x, made, *shape, max(2, int(least * shape[1])))
    same(sv.Crop(least, 1)(x, draws), made, draws, count)


@given(seed=seeds, low=st.floats(-2, 1, width=32), more=st.floats(0, 2, width=32), channels=st.booleans())
@settings(max_examples=60, deadline=None)
def test_gain(c: Kernels, seed: int, low: float, more: float, channels: bool) -> None:
    x, draws = sample(seed, 6, 11), Draws(seed)
    high = float(np.float32(low) + np.float32(more))
    made = x.copy()
    count = c("gain", seed, made, *((6, 11) if channels else (1, 66)), low, high)
    same(sv.Gain(low, high, channels)(x, draws), made, draws, count)


@given(seed=seeds, size=st.integers(1, 300), deviation=st.floats(0, 10, width=32))
@settings(max_examples=60, deadline=None)
def test_noise(c: Kernels, seed: int, size: int, deviation: float) -> None:
    x, draws = sample(seed, size), Draws(seed)
    made = x.copy()
    count = c("noise", seed, made, size, deviation)
    same(sv.Noise(deviation)(x, draws), made, draws, count)


@given(seed=seeds, size=st.integers(1, 100), others=st.integers(1, 9), most=st.sampled_from([0.01, 0.25, 0.49]))
@settings(max_examples=60, deadline=None)
def test_mix(c: Kernels, seed: int, size: int, others: int, most: float) -> None:
    x, draws = sample(seed, size), Draws(seed)
    theirs = np.concatenate([sample(seed + 1 + i, size) for i in range(others)])
    made = x.copy()
    count = c("mix", seed, made, theirs, others, size, most)
    same(sv.Mix(most, theirs)(x, draws), made, draws, count)
