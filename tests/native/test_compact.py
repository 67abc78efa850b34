"""State in fewer bytes: the C is the op table's numpy, bit for bit, in both precisions and with fused multiply-add."""

from __future__ import annotations

import numpy as np
import pytest

from selvedge.ir import TABLE
from selvedge.ir.ops.compact import BLOCK

from .build import Kernels, compile_kernels

BUILDS = [("gcc", "float", 16, ("-mfma",)), ("gcc", "double", 0, ()), ("zig", "float", 0, ())]
SPECIAL = (0.0, -0.0, 1e-40, -1e-38, 3.4e38, 1.0, -1.0)


@pytest.fixture(scope="module", params=BUILDS, ids=lambda row: "-".join(str(part) for part in row[:3]))
def kernels(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    return compile_kernels(tmp_path_factory.mktemp("native"), *request.param, unit="compact.c")


def samples(kernels: Kernels, seed: int) -> tuple[np.ndarray, float]:
    """A block of some length and spread, and a count of updates."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 10.0 ** rng.integers(-30, 19), int(rng.integers(1, BLOCK + 1))) * rng.random() ** 3
    x *= rng.random(x.size) ** rng.integers(0, 8)
    return kernels.real(x), float(rng.integers(0, 2**24))


def meaning(op: str, *arrays: np.ndarray, **attrs: object) -> tuple[np.ndarray, ...]:
    with np.errstate(all="ignore"):
        return TABLE[op].evaluate(arrays, attrs)


@pytest.mark.parametrize("op", ["quantize", "quantize_square"])
def test_blocks_are_quantised_as_in_numpy(kernels: Kernels, op: str) -> None:
    kind = np.uint8 if op == "quantize_square" else np.int8
    for seed in range(200):
        x, rounds = samples(kernels, seed)
        x = x * x if kind is np.uint8 else x
        codes, scale = np.empty(x.shape, kind), kernels.empty(1)
        kernels(op, codes, scale, x, x.size, rounds)
        wanted, scales = meaning(op, x, kernels.real(rounds))
        np.testing.assert_array_equal(scale, scales)
        np.testing.assert_array_equal(codes, wanted)
        back = kernels.empty(x.size)
        kernels(f"de{op}", back, codes, scale, x.size)
        np.testing.assert_array_equal(back, meaning(f"de{op}", codes, scale)[0])
        if not x.any() or np.abs(x).max() < 1e-30:  # nothing, or too small for the digits of the type
            continue
        # The largest is kept, what is not zero keeps its sign, and nothing is off by more than a code.
        np.testing.assert_allclose(np.abs(back).max(), np.abs(x).max(), rtol=1e-6)
        assert (np.sign(back) * np.sign(x) >= 0).all()
        root = np.sqrt(x) if kind is np.uint8 else np.abs(x)
        levels = 255 if kind is np.uint8 else 127
        step = (2 * np.sqrt(root / root.max()) + 2 / levels) / levels
        off = np.abs(np.sqrt(back) if kind is np.uint8 else np.abs(back)) - root
        assert (np.abs(off) <= root.max() * step * 1.0001).all()


@pytest.mark.parametrize("op", ["quantize", "quantize_square"])
@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_a_block_that_is_not_finite_says_so(kernels: Kernels, op: str, odd: float) -> None:
    for at in (0, 3, 9):
        x = kernels.real(np.ones(10))
        x[at] = odd
        kind = np.uint8 if op == "quantize_square" else np.int8
        codes, scale, back = np.empty(10, kind), kernels.empty(1), kernels.empty(10)
        kernels(op, codes, scale, x, 10, 1.0)
        kernels(f"de{op}", back, codes, scale, 10)
        assert np.isnan(back).all()
        assert np.isnan(meaning(op, x, kernels.real(1.0))[1]).all()


def test_bfloat16_is_as_in_numpy(kernels: Kernels) -> None:
    for seed in range(100):
        x, rounds = samples(kernels, seed)
        x = np.concatenate([x, kernels.real(SPECIAL), kernels.real([np.nan, np.inf, -np.inf])])
        codes, back = np.empty(x.shape, np.uint16), kernels.empty(x.size)
        kernels("to_bfloat16", codes, x, x.size, rounds)
        np.testing.assert_array_equal(codes, meaning("to_bfloat16", x, kernels.real(rounds))[0])
        kernels("from_bfloat16", back, codes, x.size)
        np.testing.assert_array_equal(back, meaning("from_bfloat16", codes, dtype=x.dtype.name)[0])
        np.testing.assert_array_equal(np.isnan(back), np.isnan(x))
        normal = np.isfinite(x) & (np.abs(x) < 3e38) & (np.abs(x) > 1e-37)
        np.testing.assert_allclose(back[normal], x[normal], rtol=2**-7)


def test_rounding_is_right_on_average(kernels: Kernels) -> None:
    """The mean over many updates is the number itself, where rounding to nearest would give the same code each time."""
    x = kernels.real(1 + np.arange(1, 33) / 33 * 2**-8)
    block = kernels.real(np.concatenate([x / x.max() * 0.3, [1.0]]))
    halves, wholes, squares = (np.zeros(n) for n in (x.size, block.size, block.size))
    times = 4000
    for rounds in range(times):
        codes, back = np.empty(x.shape, np.uint16), kernels.empty(x.size)
        kernels("to_bfloat16", codes, x, x.size, float(rounds))
        kernels("from_bfloat16", back, codes, x.size)
        halves += back / times
        for op, total in (("quantize", wholes), ("quantize_square", squares)):
            packed, scale = np.empty(block.size, np.uint8 if "_" in op else np.int8), kernels.empty(1)
            given = block * block if "_" in op else block
            kernels(op, packed, scale, given, block.size, float(rounds))
            back = kernels.empty(block.size)
            kernels(f"de{op}", back, packed, scale, block.size)
            total += (np.sqrt(back) if "_" in op else back) / times
    # Four standard deviations of the mean of `times` draws between two codes, at most half a code each.
    np.testing.assert_allclose(halves, x, atol=4 * 0.5 * 2**-7 / times**0.5)
    for total, levels in ((wholes, 127), (squares, 255)):
        gap = (2 * np.sqrt(block) * levels + 1) / levels**2
        assert (np.abs(total - block) <= 4 * 0.5 * gap / times**0.5).all()
