"""The lowering table along axes: padding, resampling, indexing, windows and volumes as PyTorch has them, in float64."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from selvedge.capture import capture
from selvedge.errors import NotSupported

from .parity import Function, Wrapped, agree

aten = torch.ops.aten
AT = torch.tensor


def _resized(x: torch.Tensor, mode: str, **options: bool) -> torch.Tensor:
    """Larger and smaller, by size and by factor; each axis by another one."""
    first, *others = x.shape[2:]
    sizes = [3 * first - 2, *(n - 1 for n in others)]
    factors = [1.7, 0.8, 2.0][: x.ndim - 2]
    by_size = F.interpolate(x, size=sizes, mode=mode, **options)
    by_factor = F.interpolate(x, scale_factor=factors, mode=mode, **options)
    kept = F.interpolate(x, scale_factor=factors, mode=mode, recompute_scale_factor=True, **options)
    return torch.cat([by_size.flatten(1), by_factor.flatten(1), kept.flatten(1)], 1)


# Of [2, 6, 4, 5].
IMAGES: dict[str, Function] = {
    # along one axis
    "flip": lambda x: x.flip(1, 3) * 2,
    "roll": lambda x: x.roll((2, -1), (1, 3)) + x.roll(7),
    "repeat_interleave": lambda x: torch.cat([x.repeat_interleave(2, 1).flatten(), x.repeat_interleave(3)]),
    "unfold": lambda x: x.unfold(2, 3, 1) * 2,
    "unfold with gaps": lambda x: x.unfold(3, 2, 3) * x.unfold(1, 2, 4)[:, :1, :, :2],
    "fold": lambda x: F.fold(x.flatten(2), (6, 5), (2, 3), padding=1, stride=(2, 1))[:, :, 1:] * 2,
    "fold of one": lambda x: (
        F.fold(x[0].flatten(1), (5, 7), (2, 3)) + F.fold(x[0].flatten(1), (6, 9), (2, 3), (2, 2))[:, :5, :7]
    ),
    "windows": lambda x: F.unfold(x, (2, 3), dilation=(2, 1), padding=1, stride=2) * 2,
    "cumsum": lambda x: x.cumsum(1) + x.cumsum(-1) + x.cumsum(0),
    "diff": lambda x: x.diff(dim=1)[:, :4] + x.diff(2, 1),
    "diagonal": lambda x: x.diagonal(1, 2, 3) + x.diagonal(-1, 3, 2)[..., :4] + x.diagonal(0, 1, -1)[:, :, :4].mean(),
    # padding
    "reflect": lambda x: F.pad(x, (2, 1, 3, 0), "reflect") * 2,
    "reflect lines": lambda x: F.pad(x[:, :, 0], (2, 1), "reflect") + aten.reflection_pad1d(x[:, :, 0], [1, 2]),
    "replicate": lambda x: F.pad(x, (2, 1, 3, 0), "replicate") * 2,
    "replicate lines": lambda x: F.pad(x[:, :, 0], (2, 1), "replicate") + aten.replication_pad1d(x[:, :, 0], [0, 3]),
    "circular": lambda x: F.pad(x, (2, 1, 3, 0), "circular") + aten._pad_circular(x, [1, 2, 0, 3]),
    "circular, cropped": lambda x: F.pad(x, (-1, 2, 2, -2), "circular") * 2,
    "reflect, cropped": lambda x: F.pad(x, (-1, 2, 2, -2), "reflect") * F.pad(x, (-1, 2, 2, -2), "replicate"),
    "raw pads": lambda x: aten.reflection_pad2d(x, [1, 2, 3, 0]) * aten.replication_pad2d(x, [3, 0, 1, 2]),
    # resampling
    "nearest": lambda x: _resized(x, "nearest"),
    "nearest by almost 1 and 2": lambda x: F.interpolate(x, scale_factor=(1.1, 2.1)) * 2,
    "nearest-exact": lambda x: _resized(x, "nearest-exact"),
    "bilinear": lambda x: _resized(x, "bilinear"),
    "bilinear at corners": lambda x: _resized(x, "bilinear", align_corners=True),
    "bicubic": lambda x: _resized(x, "bicubic"),
    "bicubic at corners": lambda x: _resized(x, "bicubic", align_corners=True),
    "nearest lines": lambda x: _resized(x[:, :, 0], "nearest"),
    "nearest-exact lines": lambda x: _resized(x[:, :, 0], "nearest-exact"),
    "linear lines": lambda x: _resized(x[:, :, 0], "linear"),
    "linear lines at corners": lambda x: _resized(x[:, :, 0], "linear", align_corners=True),
    "raw upsampling of lines": lambda x: (
        aten.upsample_nearest1d(x[:, :, 0], [8], 1.6)
        + aten._upsample_nearest_exact1d(x[:, :, 0], [8])
        + aten.upsample_linear1d(x[:, :, 0], [8], True)
    ),
    "raw upsampling": lambda x: (
        aten.upsample_nearest2d(x, [8, 3], 2.0, None)
        + aten._upsample_nearest_exact2d(x, [8, 3], None, 0.6)
        + aten.upsample_bilinear2d(x, [8, 3], False)
        + aten.upsample_bicubic2d(x, [8, 3], True)
    ),
    # indexing by constants
    "index_select": lambda x: x.index_select(1, AT([5, 0, 0])) + x[0, 0, 0, 0].index_select(0, AT([0])),
    "index": lambda x: x[:, AT([5, 0, -1])] * 2,
    "index two axes": lambda x: x[:, AT([5, 0, -1]), AT([0, 2, 2])] * 2,
    "index apart": lambda x: x[:, AT([[5], [0]]), :, AT([0, 2, 2])] * 2,
    "unsafe index": lambda x: aten._unsafe_index(x, [None, AT([5, 0, 0]), AT([1, 1, 3])]) * 2,
    "gather": lambda x: x.gather(1, torch.arange(40).reshape(2, 1, 4, 5) % 6) * 2,
    "gather fewer": lambda x: x.gather(3, torch.arange(36).reshape(1, 6, 3, 2) % 5) * 2,
    "scatter_add": lambda x: x.scatter_add(3, torch.arange(240).reshape(2, 6, 4, 5) % 3, x * x),
    "scatter of a number": lambda x: x.scatter(3, torch.arange(240).reshape(2, 6, 4, 5) % 3, 0.5) + x,
    "index_add": lambda x: x.index_add(1, AT([5, 0, 0]), x[:, :3] * x[:, 3:], alpha=0.5),
    "index_fill": lambda x: x.index_fill(3, AT([0, -1]), 0.5) + x.index_fill(1, AT([2]), -1),
    "embedding": lambda x: F.embedding(AT([[1, 2], [3, 1]]), x[0, :, 0], padding_idx=2),
    "embedding_bag": lambda x: F.embedding_bag(AT([[1, 2, 5], [3, 1, 1]]), x[0, :, 0], mode="mean"),
    "raw embedding bags": lambda x: (
        aten.embedding_bag(x[0, :, 0], AT([1, 2, 5, 3, 1]), AT([0, 2]))[0]
        + aten.embedding_bag.padding_idx(x[0, :, 0], AT([1, 2, 5]), AT([0, 2, 3]), False, 1, False, None, True, None)[0]
        + aten._embedding_bag(x[0, :, 0], AT([1, 2, 5]), AT([0, 1]), False, 0, False, x[0, 0, 0, :3])[0]
    ),
}


# Of [2, 3, 4, 5, 4].
VOLUMES: dict[str, Function] = {
    "reflect": lambda x: F.pad(x, (2, 1, 3, 0, 0, 2), "reflect") * 2,
    "replicate": lambda x: F.pad(x, (2, 1, 3, 0, 0, 2), "replicate") * 2,
    "raw pads": lambda x: aten.reflection_pad3d(x, [1, 2, 3, 0, 1, 1]) * aten.replication_pad3d(x, [3, 0, 1, 2, 2, 0]),
    "circular": lambda x: F.pad(x, (2, 1, 3, 0, 0, 2), "circular") * 2,
    "nearest": lambda x: _resized(x, "nearest"),
    "nearest-exact": lambda x: _resized(x, "nearest-exact"),
    "trilinear": lambda x: _resized(x, "trilinear"),
    "trilinear at corners": lambda x: _resized(x, "trilinear", align_corners=True),
    "raw upsampling": lambda x: (
        aten.upsample_nearest3d(x, [8, 3, 6], 2.0)
        + aten._upsample_nearest_exact3d(x, [8, 3, 6])
        + aten.upsample_trilinear3d(x, [8, 3, 6], True)
    ),
    "max_pool3d": lambda x: F.max_pool3d(x, (2, 3, 2), (1, 2, 1), (1, 1, 0)) * 2,
    "max_pool3d dilated": lambda x: F.max_pool3d(x, 2, 1, 1, dilation=2) * 2,
    "max_pool3d ceil": lambda x: F.max_pool3d(x, 2, 2, ceil_mode=True) + F.max_pool3d(x[0], 2, 2, ceil_mode=True),
    "max_pool3d with indices": lambda x: aten.max_pool3d_with_indices(x, [2, 2, 2], [2, 1, 2])[0] * 2,
    "avg_pool3d": lambda x: F.avg_pool3d(x, (2, 3, 2), (1, 2, 1), (1, 1, 0)) * 2,
    "avg_pool3d inside": lambda x: (
        F.avg_pool3d(x, 3, 2, 1, True, False) * F.avg_pool3d(x, 3, divisor_override=5).mean()
    ),
    "adaptive": lambda x: F.adaptive_avg_pool3d(x, (3, 2, None)) + F.adaptive_max_pool3d(x, (3, 2, 4)),
    "raw adaptive": lambda x: aten._adaptive_avg_pool3d(x, [2, 3, 2]) * 2,
}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("name", IMAGES)
def test_functions_along_axes(name: str) -> None:
    agree(Wrapped(IMAGES[name], 6), torch.randn(2, 6, 4, 5))


@pytest.mark.parametrize("name", VOLUMES)
def test_functions_of_volumes(name: str) -> None:
    agree(Wrapped(VOLUMES[name], 4), torch.randn(2, 3, 4, 5, 4))


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 3, 4, 5, 5)])
def test_where_pytorchs_gradient_is_not_that_of_its_own_function_it_is_refused(shape: tuple[int, ...]) -> None:
    """Of a factor of 2.1, five places become ten; PyTorch's backward takes them for a factor of 2."""
    x = torch.randn(shape).requires_grad_()
    up = nn.Upsample(scale_factor=(1.0,) * (len(shape) - 3) + (2.1,))
    y = up(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert not torch.allclose((gradient * x).sum(), y.sum())  # of a linear function they are equal
    with pytest.raises(NotSupported, match=r"a factor of 2\.1; give the size instead"):
        capture(nn.Sequential(nn.Conv1d(3, 3, 1) if len(shape) == 3 else nn.Conv3d(3, 3, 1), up).eval(), x.detach())


@pytest.mark.parametrize("padding", [-1, 2])
def test_a_bag_with_padding_is_refused_wherever_it_counts_from(padding: int) -> None:
    def bag(x: torch.Tensor) -> torch.Tensor:
        return F.embedding_bag(AT([1, 2, 3, 1]), x[0, :, 0], AT([0, 2]), mode="sum", padding_idx=padding)

    with pytest.raises(NotSupported, match="padding_idx in a bag is not; multiply by a mask"):
        capture(Wrapped(bag, 6).eval(), torch.randn(2, 6, 4, 5))
