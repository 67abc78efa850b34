"""Ranges: all that was seen, its bulk, or the least error; against numpy and exhaustive search."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.compressing.ranges import LEAST, SHARE, ActivationRange, PerChannelWeight, affine, weight_scale

COUNT = int(os.environ.get("SELVEDGE_EXAMPLES", "50"))


def seen(method: str, *batches: torch.Tensor) -> ActivationRange:
    made = ActivationRange(method=method)
    for counting in (False, True):
        made.counting = counting
        for batch in batches:
            made(batch)
    return made


@settings(max_examples=COUNT, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_zero_is_on_a_step_and_both_ends_are_reached(low: float, size: float) -> None:
    scale, zero = affine(low, low + size, -128, 127)
    assert scale > 0
    assert -128 <= zero <= 127
    first, last = (-128 - zero) * scale, (127 - zero) * scale
    room = 0.501 * scale + LEAST
    assert first <= min(low, 0) + room
    assert last >= max(low + size, 0) - room


def test_everything_seen_is_covered() -> None:
    batches = [torch.randn(50, generator=torch.Generator().manual_seed(i)) * (i + 1) for i in range(4)]
    made = seen("minmax", *batches)
    whole = torch.cat(batches).numpy()
    assert made.covered() == (whole.min(), whole.max())


def test_a_percentile_leaves_the_outlier_out() -> None:
    x = torch.rand(100_000, generator=torch.Generator().manual_seed(0))
    x[0] = 50.0
    low, high = seen("percentile", x).covered()
    wanted = np.quantile(x.numpy(), [SHARE, 1 - SHARE])
    bin_ = 50 / 4096
    assert abs(low - wanted[0]) < 2 * bin_
    assert abs(high - wanted[1]) < 2 * bin_


def test_the_least_error_beats_every_other_shrinking() -> None:
    x = torch.distributions.Laplace(0.0, 1.0).sample((20_000,))
    x[0] = 60.0

    def error(low: float, high: float) -> float:
        scale, zero = affine(low, high, -128, 127)
        return float((torch.fake_quantize_per_tensor_affine(x, scale, zero, -128, 127) - x).square().mean())

    made = seen("mse", x)
    low, high = made.seen
    best = min(error(a * low, b * high) for a in np.linspace(0.2, 1, 9) for b in np.linspace(0.02, 1, 50))
    assert error(*made.covered()) <= 1.03 * best
    assert error(*made.covered()) < error(low, high)


def test_a_moving_average_follows() -> None:
    made = ActivationRange(average=0.5)
    made(torch.tensor([0.0, 1.0]))
    made(torch.tensor([0.0, 3.0]))
    assert made.seen == (0.0, 2.0)


@pytest.mark.parametrize("most", [7, 127])
def test_a_weights_scale_by_channel(most: int) -> None:
    w = torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    w[2] = 0
    plain = weight_scale(w, most)
    reach = np.abs(w.numpy()).reshape(5, -1).max(1)
    np.testing.assert_allclose(plain.numpy(), np.where(reach > 0, reach / most, 1), rtol=1e-6)
    least = weight_scale(w, most, "mse")

    def error(scale: torch.Tensor) -> torch.Tensor:
        zero = torch.zeros(5, dtype=torch.int32)
        return (torch.fake_quantize_per_channel_affine(w, scale, zero, 0, -most, most) - w).square().flatten(1).sum(1)

    assert bool((error(least) <= error(plain) + 1e-9).all())
    if most == 7:
        assert float(error(least).sum()) < 0.95 * float(error(plain).sum())


def test_a_given_scale_is_kept() -> None:
    made = PerChannelWeight(fixed=torch.tensor([0.5, 0.25]))
    made(torch.ones(2, 3))
    assert made.calculate_qparams()[0].tolist() == [0.5, 0.25]


@pytest.mark.parametrize("method", ["minmax", "mse"])
@pytest.mark.parametrize("tiny", [1e-45, 1e-41, 1e-38, 1e-30])
def test_a_channel_of_denormals_counts_as_zeros(method, tiny):
    """Its step would round to 0, or to what 1 / step overflows at."""
    w = torch.stack([torch.full((9,), tiny), torch.linspace(-1, 1, 9)])
    scale = weight_scale(w, 127, method)
    assert scale[0] == 1
    assert torch.equal((w[0] / scale[0]).round(), torch.zeros(9))
    assert torch.isfinite(1 / scale).all()
