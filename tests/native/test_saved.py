"""Saved activations made small: the C is the op table's numpy, bit for bit, NaN and infinity included."""

from __future__ import annotations

import numpy as np
import pytest

from selvedge.ir import TABLE
from selvedge.ir.ops.saved import packed

from .build import Kernels, compile_kernels
from .test_kernels import builds

SPECIAL = (0.0, -0.0, np.nan, np.inf, -np.inf, 6.0, -1.0, 1e-40)
NUMBERS = {"relu": {}, "hardtanh": {"min": -1.0, "max": 6.0}, "clamp": {"min": -1.0, "max": 6.0}}


@pytest.fixture(scope="module", params=builds(), ids=lambda row: "-".join(str(part) for part in row[:3]))
def kernels(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    return compile_kernels(tmp_path_factory.mktemp("native"), *request.param, unit="saved.c")


def numbers(kernels: Kernels, rng: np.random.Generator, *shape: int) -> np.ndarray:
    x = rng.normal(0, 4, shape)
    return kernels.real(np.where(rng.random(shape) < 0.2, rng.choice(SPECIAL, shape), x))


@pytest.mark.parametrize("of", NUMBERS)
def test_a_mask_says_where_the_gradient_passes(kernels: Kernels, of: str) -> None:
    rng = np.random.default_rng(0)
    for n in (*range(1, 40), 64, 1000):
        x, attrs = numbers(kernels, rng, n), NUMBERS[of]
        mask = np.full(packed(n) + 1, 0xA5, np.uint8)
        kernels(f"pack_mask_{of}", mask, x, n, *attrs.values())
        np.testing.assert_array_equal(mask[:-1], TABLE["pack_mask"].evaluate((x,), {"of": of, **attrs})[0])
        assert mask[-1] == 0xA5
        passed = np.unpackbits(mask, count=n, bitorder="little") != 0
        np.testing.assert_array_equal(passed, TABLE[f"{of}_grad"].evaluate((np.ones_like(x), x), attrs)[0] != 0)


def test_codes_are_numpys_and_at_most_half_a_scale_off(kernels: Kernels) -> None:
    rng = np.random.default_rng(1)
    for special in (False, True):
        for _ in range(100):
            rows, c = (int(n) for n in rng.integers(1, 40, 2))
            x = numbers(kernels, rng, rows, c) if special else kernels.real(rng.normal(0, 1, (rows, c)))
            x *= kernels.real(10.0 ** rng.integers(-20, 20, c))
            codes, scales = np.empty((rows, c), np.int8), kernels.empty(c)
            kernels("quantize_channels", codes, scales, x, rows, c)
            with np.errstate(all="ignore"):
                wanted, wanted_scales = TABLE["quantize_channels"].evaluate((x,), {})
            np.testing.assert_array_equal(scales, wanted_scales)
            np.testing.assert_array_equal(codes, wanted)
            if not special:
                largest = np.abs(x.astype(np.float64)).max(0)
                assert (np.abs(codes * scales.astype(np.float64) - x) <= largest / 254 * (1 + 1e-5)).all()
