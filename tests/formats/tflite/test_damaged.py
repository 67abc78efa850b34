"""Damaged files: cut off, bits turned over. Each gives one line, or a model that is what the bytes say."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.errors import SelvedgeError
from selvedge.formats import tflite

from .litert import written
from .said import ours, said
from .test_operators import CASES, values
from .test_read import published

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "40"))
Made = TypeVar("Made")


def look(data: bytes, arrays: list[np.ndarray] | None = None) -> bool:
    """Whether it reads. A refusal is one line; what reads is what the generated schema reads, and computes or is
    refused in one line."""
    model = told(lambda: tflite.parse(data))
    if model is None:
        return False
    np.testing.assert_equal(ours(model), said(data))
    read = told(lambda: tflite.graph(model))
    faces = [(model.tensors[i].shape, model.tensors[i].dtype) for i in model.inputs]
    if read is not None and arrays is not None and faces == [(a.shape, a.dtype.name) for a in arrays]:
        assert len(tflite.compute(model, arrays)) == len(arrays) + len(model.operators)
    return True


def told(make: Callable[[], Made]) -> Made | None:
    """What it makes; None where it is refused, in one line."""
    try:
        return make()
    except SelvedgeError as error:
        line = str(error)
    assert len(line.splitlines()) == 1
    assert len(line) < 1000
    return None


@pytest.mark.parametrize("operator", CASES)
@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_small_file_with_bits_turned_over(operator: str, seed: int) -> None:
    r = np.random.default_rng(seed)
    case = CASES[operator](r)
    data = bytearray(written(case.operator, case.inputs, case.output, case.options, case.kind))
    arrays = [values(t, r) for t in case.inputs if t.data is None]
    for _ in range(int(r.integers(1, 4))):
        data[int(r.integers(0, len(data)))] ^= 1 << int(r.integers(0, 8))
    look(bytes(data), arrays)


def test_every_cut_of_a_small_file() -> None:
    r = np.random.default_rng(0)
    case = CASES["CONV_2D"](r)
    data = written(case.operator, case.inputs, case.output, case.options, case.kind)
    assert look(data)
    # The end of the file may hold padding that nothing reads; the bytes before it are needed.
    assert not any(look(data[:n]) for n in range(len(data) - 64))


def test_every_bit_of_a_small_file() -> None:
    r = np.random.default_rng(1)
    case = CASES["SOFTMAX"](r)
    data = written(case.operator, case.inputs, case.output, case.options, case.kind)
    arrays = [values(t, r) for t in case.inputs if t.data is None]
    read = 0
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        read += look(bytes(damaged), arrays)
    assert 0 < read < 8 * len(data)


@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_published_file_with_bits_turned_over_or_cut_off(seed: int) -> None:
    r = np.random.default_rng(seed)
    data = bytearray(published("keyword_spotting", "kws_ref_model").read_bytes())
    if seed % 4 == 0:
        data = data[: int(r.integers(0, len(data)))]
    else:
        # Tables lie behind the weights that the converter wrote first: half of the bits are among them.
        start = 0 if seed % 2 else len(data) - 9000
        data[int(r.integers(start, len(data)))] ^= 1 << int(r.integers(0, 8))
    look(bytes(data))
