"""Every native kernel against PyTorch in double: two compilers, two precisions, four vector widths."""

import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from selvedge.planning.scratch import native_scratch

from .build import Conv, Kernels, compile_kernels

TOLERANCE = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-11}


def builds() -> list[tuple[str, str, int, tuple[str, ...]]]:
    """(compiler, real, vector bytes, machine flags) this machine can run."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return [("gcc", real, bytes_, ()) for real in ("float", "double") for bytes_ in (16, 0)]
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    rows: list[tuple[str, str, int, tuple[str, ...]]] = [("gcc", "float", 16, ()), ("gcc", "double", 0, ())]
    if "avx2" in flags and "fma" in flags:
        rows += [("gcc", "float", 32, ("-mavx2", "-mfma")), ("zig", "float", 0, ())]
    if "avx512f" in flags:
        rows += [("gcc", "double", 64, ("-mavx512f",)), ("zig", "float", 64, ("-march=native",))]
    return rows


@pytest.fixture(scope="module", params=builds(), ids=lambda row: "-".join(str(part) for part in row[:3]))
def kernels(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    return compile_kernels(tmp_path_factory.mktemp("native"), *request.param)


def close(actual: np.ndarray, expected: Any, terms: int = 1) -> None:
    """Within the tolerance of the precision, relative to the size of the sum that makes an element."""
    expected = np.asarray(expected, dtype=np.float64)
    assert actual.shape == expected.shape
    largest = float(np.abs(expected).max(initial=0.0))
    bound = TOLERANCE[actual.dtype] * max(1.0, float(np.sqrt(terms)), largest)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=bound)


def random_conv(rng: np.random.Generator, depthwise: bool) -> Conv:
    groups = 1 if rng.random() < 0.7 else int(rng.integers(1, 5))
    c, k = (groups * int(rng.choice([1, 2, 3, 4, 7, 8, 16, 17, 24, 33, 64, 80])) for _ in range(2))
    if depthwise:
        c = k = groups = int(rng.choice([1, 2, 3, 5, 8, 9, 16, 20, 24, 33, 64, 72, 100]))
    kh, kw = (int(rng.integers(1, 5)) for _ in range(2))
    sh, sw, dh, dw = (int(rng.choice([1, 1, 2, 3])) for _ in range(4))
    pads = [int(rng.integers(0, 4)) for _ in range(4)]
    n = int(rng.integers(1, 4))
    h = int(rng.integers(max(1, (kh - 1) * dh + 1 - pads[0] - pads[1]), 12))
    w = int(rng.integers(max(1, (kw - 1) * dw + 1 - pads[2] - pads[3]), 12))
    oh = (h + pads[0] + pads[1] - (kh - 1) * dh - 1) // sh + 1
    ow = (w + pads[2] + pads[3] - (kw - 1) * dw - 1) // sw + 1
    return Conv(n, h, w, c, oh, ow, k, kh, kw, sh, sw, pads[0], pads[2], dh, dw, groups)


def torch_conv(d: Conv, x: np.ndarray, w: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, ...]:
    """(out, dx, dw) in double precision, in the layouts of the kernels."""
    xt = torch.tensor(x, dtype=torch.float64).permute(0, 3, 1, 2).requires_grad_()
    wt = torch.tensor(w, dtype=torch.float64).permute(3, 2, 0, 1).requires_grad_()
    bottom = (d.oh - 1) * d.sh + (d.kh - 1) * d.dh + 1 - d.h - d.ph
    right = (d.ow - 1) * d.sw + (d.kw - 1) * d.dw + 1 - d.w - d.pw
    padded = F.pad(xt, (d.pw, right, d.ph, bottom))
    out = F.conv2d(padded, wt, stride=(d.sh, d.sw), dilation=(d.dh, d.dw), groups=d.groups)
    dx, dw = torch.autograd.grad(out, (xt, wt), torch.tensor(dy, dtype=torch.float64).permute(0, 3, 1, 2))
    return (
        out.detach().permute(0, 2, 3, 1).numpy(),
        dx.permute(0, 2, 3, 1).numpy(),
        dw.permute(2, 3, 1, 0).numpy(),
    )


SIZES = [(1, 640, 128), (1, 128, 8), (1, 8, 128), (1, 64, 10), (1, 300, 1)]
SIZES += [(2, 70, 150), (3, 33, 5), (5, 1, 1), (40, 48, 130), (9, 3, 16)]
LINEAR = [Conv(n, 1, 1, c, 1, 1, k) for n, c, k in SIZES]
NAMED = [
    Conv(1, 32, 32, 3, 32, 32, 16, 3, 3, 1, 1, 1, 1),
    Conv(1, 16, 16, 32, 8, 8, 64, 3, 3, 2, 2, 0, 0),
    Conv(1, 49, 10, 1, 25, 5, 64, 10, 4, 2, 2, 4, 1),
    Conv(1, 7, 7, 64, 4, 4, 128, 1, 1, 2, 2),
    Conv(1, 1, 30, 12, 1, 30, 20, 1, 5, 1, 1, 0, 2),
    Conv(2, 5, 5, 40, 5, 5, 100),
]  # fmt: skip


def conv_cases(depthwise: bool) -> list[Conv]:
    rng = np.random.default_rng(7 + depthwise)
    return [random_conv(rng, depthwise) for _ in range(60)] + ([] if depthwise else LINEAR + NAMED)


@pytest.mark.parametrize("part", range(4))
def test_conv2d_agrees_with_pytorch(kernels: Kernels, part: int) -> None:
    rng = np.random.default_rng(part)
    for d in conv_cases(depthwise=False)[part::4]:
        x = kernels.real(rng.standard_normal((d.n, d.h, d.w, d.c)))
        w = kernels.real(rng.standard_normal((d.kh, d.kw, d.c // d.groups, d.k)))
        dy = kernels.real(rng.standard_normal((d.n, d.oh, d.ow, d.k)))
        out, dx, dw = torch_conv(d, x, w, dy)
        zeros = np.zeros(max(d.c, d.k), dtype=kernels.dtype)

        cut = int(rng.integers(0, d.pixels))
        rest: tuple[np.ndarray, ...]
        for name, rest in (("conv2d_plain", ()), ("conv2d", (zeros,))):
            got = kernels.empty(d.pixels, d.k)
            for p0, p1 in ((0, cut), (cut, d.pixels)):
                kernels(name, got[p0:p1], x, w, d, *rest, p0, p1)
            close(got.reshape(out.shape), out, d.rows)

        scratch = kernels.empty(kernels("input_grad_scratch", d))
        for name, rest in (("conv2d_input_grad_plain", ()), ("conv2d_input_grad", (zeros, scratch))):
            got = kernels.empty(*x.shape)
            kernels(name, got, dy, w, d, *rest)
            close(got, dx, d.kh * d.kw * d.k // d.groups)
        before = kernels.real(rng.standard_normal(x.shape))
        got = before.copy()
        kernels("conv2d_input_grad_onto", got, dy, w, d, zeros, scratch)
        close(got, dx + before, d.kh * d.kw * d.k // d.groups)
        assert len(scratch) == native_scratch("conv2d_input_grad", asdict(d), kernels("lanes"))

        cut = int(rng.integers(0, d.rows))
        for name in ("conv2d_weight_grad_plain", "conv2d_weight_grad"):
            got = kernels.empty(d.rows, d.k)
            for r0, r1 in ((0, cut), (cut, d.rows)):
                kernels(name, got[r0:r1], x, dy, d, r0, r1)
            close(got.reshape(dw.shape), dw, d.pixels)


@pytest.mark.parametrize("part", range(2))
def test_depthwise_agrees_with_pytorch(kernels: Kernels, part: int) -> None:
    rng = np.random.default_rng(part)
    for d in conv_cases(depthwise=True)[part::2]:
        x = kernels.real(rng.standard_normal((d.n, d.h, d.w, d.c)))
        w = kernels.real(rng.standard_normal((d.kh, d.kw, 1, d.c)))
        dy = kernels.real(rng.standard_normal((d.n, d.oh, d.ow, d.c)))
        out, dx, dw = torch_conv(d, x, w, dy)
        taps, rows = d.kh * d.kw, d.n * d.oh

        cut = int(rng.integers(0, rows))
        for name in ("depthwise_plain", "depthwise"):
            got = kernels.empty(rows, d.ow, d.c)
            for y0, y1 in ((0, cut), (cut, rows)):
                kernels(name, got[y0:y1], x, w, d, y0, y1)
            close(got.reshape(out.shape), out, taps)
        for name in ("depthwise_input_grad_plain", "depthwise_input_grad"):
            got = kernels.empty(*x.shape)
            kernels(name, got, dy, w, d)
            close(got, dx, taps)
        cut = int(rng.integers(0, taps))
        for name in ("depthwise_weight_grad_plain", "depthwise_weight_grad"):
            got = kernels.empty(taps, d.c)
            for t0, t1 in ((0, cut), (cut, taps)):
                kernels(name, got[t0:t1], x, dy, d, t0, t1)
            close(got.reshape(dw.shape), dw, d.pixels)


@pytest.mark.parametrize("trans_a", [False, True])
@pytest.mark.parametrize("trans_b", [False, True])
def test_matmul_agrees_with_numpy(kernels: Kernels, trans_a: bool, trans_b: bool) -> None:
    rng = np.random.default_rng(3)
    for _ in range(25):
        batch, m, n, k = (int(rng.choice([1, 2, 3, 8, 17, 40, 70])) for _ in range(4))
        a = kernels.real(rng.standard_normal((batch, m, k)))
        b = kernels.real(rng.standard_normal((batch, k, n)))
        expected = a.astype(np.float64) @ b.astype(np.float64)
        stored_a = kernels.real(a.swapaxes(1, 2)) if trans_a else a
        stored_b = kernels.real(b.swapaxes(1, 2)) if trans_b else b
        out = kernels.empty(batch, m, n)
        kernels("matmul", out, stored_a, stored_b, batch, m, n, k, int(trans_a), int(trans_b))
        close(out, expected, k)


def windows(size: int, kernel: int, stride: int, pad: int, dilation: int, out: int) -> np.ndarray:
    """(start, stop, step) of every output position, clipped to the input."""
    rows = []
    for i in range(out):
        start = i * stride - pad
        inside = [p for p in range(start, start + kernel * dilation, dilation) if 0 <= p < size]
        rows.append((inside[0], inside[-1] + 1, dilation))
    return np.array(rows, np.int16)


@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "dilation"), [(2, 2, 0, 1), (3, 2, 1, 1), (3, 1, 1, 2), (5, 3, 2, 1)]
)
def test_max_pool_agrees_with_pytorch(kernels: Kernels, kernel: int, stride: int, pad: int, dilation: int) -> None:
    rng = np.random.default_rng(5)
    for c in (1, 7, 16, 40):
        n, h, w = 2, 9, 11
        x = kernels.real(rng.integers(-3, 4, (n, h, w, c)))  # ties
        x[rng.random(x.shape) < 0.02] = np.nan
        xt = torch.tensor(x, dtype=torch.float64).permute(0, 3, 1, 2).requires_grad_()
        yt = F.max_pool2d(xt, kernel, stride, pad, dilation)
        oh, ow = yt.shape[2:]
        dy = kernels.real(rng.standard_normal((n, oh, ow, c)))
        (dx,) = torch.autograd.grad(yt, xt, torch.tensor(dy, dtype=torch.float64).permute(0, 3, 1, 2))
        wh, ww = (windows(s, kernel, stride, pad, dilation, o) for s, o in ((h, oh), (w, ow)))
        y, got = kernels.empty(n, oh, ow, c), kernels.empty(n, h, w, c)
        index = np.zeros((n, oh, ow, c), np.uint8)
        kernels("max_pool", y, index, x, n, h, w, c, oh, ow, wh, ww)
        np.testing.assert_array_equal(y, yt.detach().permute(0, 2, 3, 1).numpy())
        kernels("max_pool_grad", got, dy, index, n, h, w, c, oh, ow, wh, ww)
        close(got, dx.permute(0, 2, 3, 1).numpy(), 9)
        y.fill(0)
        kernels("max_pool", y, None, x, n, h, w, c, oh, ow, wh, ww)
        np.testing.assert_array_equal(y, yt.detach().permute(0, 2, 3, 1).numpy())


@pytest.mark.parametrize(("kernel", "stride", "pad"), [(2, 2, 0), (3, 2, 1), (7, 1, 0)])
@pytest.mark.parametrize("count_pad", [False, True])
def test_avg_pool_agrees_with_pytorch(kernels: Kernels, kernel: int, stride: int, pad: int, count_pad: bool) -> None:
    rng = np.random.default_rng(6)
    n, h, w, c = 2, 7, 9, 19
    x = kernels.real(rng.standard_normal((n, h, w, c)))
    xt = torch.tensor(x, dtype=torch.float64).permute(0, 3, 1, 2).requires_grad_()
    yt = F.avg_pool2d(xt, kernel, stride, pad, count_include_pad=count_pad)
    oh, ow = yt.shape[2:]
    dy = kernels.real(rng.standard_normal((n, oh, ow, c)))
    (dx,) = torch.autograd.grad(yt, xt, torch.tensor(dy, dtype=torch.float64).permute(0, 3, 1, 2))
    wh, ww = (windows(s, kernel, stride, pad, 1, o) for s, o in ((h, oh), (w, ow)))
    full = np.full(max(oh, ow), kernel, np.int16)
    ch, cw = (full if count_pad else (a[:, 1] - a[:, 0]).copy() for a in (wh, ww))
    y, got = kernels.empty(n, oh, ow, c), kernels.empty(n, h, w, c)
    kernels("avg_pool", y, x, n, h, w, c, oh, ow, wh, ww, ch, cw)
    close(y, yt.detach().permute(0, 2, 3, 1).numpy(), kernel)
    kernels("avg_pool_grad", got, dy, n, h, w, c, oh, ow, wh, ww, ch, cw)
    close(got, dx.permute(0, 2, 3, 1).numpy(), kernel)


@pytest.mark.parametrize(("rows", "n"), [(1, 2), (1, 10), (5, 1000), (7, 33)])
def test_softmax_family_agrees_with_pytorch(kernels: Kernels, rows: int, n: int) -> None:
    rng = np.random.default_rng(8)
    x, dy = (kernels.real(scale * rng.standard_normal((rows, n))) for scale in (30.0, 1.0))
    xt, dyt = torch.tensor(x, dtype=torch.float64, requires_grad=True), torch.tensor(dy, dtype=torch.float64)
    for name, function in (("softmax", F.softmax), ("log_softmax", F.log_softmax)):
        yt = function(xt, dim=-1)
        (dx,) = torch.autograd.grad(yt, xt, dyt)
        y, got = kernels.empty(rows, n), kernels.empty(rows, n)
        kernels(name, y, x, rows, n)
        close(y, yt.detach().numpy(), n)
        kernels(f"{name}_grad", got, dy, y, rows, n)
        close(got, dx.numpy(), n)
    labels = rng.integers(0, n, rows).astype(np.int32)
    for smoothing, ignored in ((0.0, 0), (0.1, 0), (0.0, rows // 2), (0.1, rows - 1)):
        labels[rng.permutation(rows)[:ignored]] = -100
        target = torch.tensor(labels, dtype=torch.int64)
        loss = F.cross_entropy(xt, target, label_smoothing=smoothing)
        (dx,) = torch.autograd.grad(loss, xt, torch.tensor(1.5, dtype=torch.float64))
        value, probs = kernels.empty(1), kernels.empty(rows, n)
        kernels("cross_entropy", value, probs, x, labels, rows, n, smoothing)
        close(value[0], loss.detach().numpy(), n)
        close(probs, F.softmax(xt, dim=-1).detach().numpy())
        kernels("cross_entropy_grad", probs, probs, labels, kernels.real([1.5]), rows, n, smoothing)
        close(probs, dx.numpy())


@pytest.mark.parametrize(("a", "b", "g", "d"), [(5, 1, 1, 37), (2, 12, 4, 3), (1, 9, 1, 64), (3, 6, 5, 20)])
def test_normalize_agrees_with_pytorch(kernels: Kernels, a: int, b: int, g: int, d: int) -> None:
    rng = np.random.default_rng(9)
    x, dy = (kernels.real(1 + rng.standard_normal((a, b, g, d))) for _ in range(2))
    xt = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    var, mean = torch.var_mean(xt, dim=(1, 3), unbiased=False, keepdim=True)
    expected = (xt - mean) * torch.rsqrt(var + 1e-3)
    (dx,) = torch.autograd.grad(expected, xt, torch.tensor(dy, dtype=torch.float64))
    xhat, rstd = x.copy(), kernels.empty(a, 1, g, 1)
    kernels("normalize", xhat, rstd, xhat, a, b, g, d, 1e-3)
    close(xhat, expected.detach().numpy(), b * d)
    close(rstd, torch.rsqrt(var + 1e-3).detach().numpy())
    kernels("normalize_grad", dy, dy, xhat, rstd, a, b, g, d)
    close(dy, dx.numpy(), b * d)


def ints(values: Any) -> np.ndarray:
    return np.array(values, dtype=np.int32)


def test_moves_agree_with_numpy(kernels: Kernels) -> None:
    rng = np.random.default_rng(10)
    for _ in range(60):
        rank = int(rng.integers(1, 7))
        shape = tuple(int(s) for s in rng.integers(1, 7 if rank > 3 else 40, rank))
        x = kernels.real(rng.standard_normal(shape))
        perm = rng.permutation(rank)
        for array in (x, rng.integers(0, 255, shape).astype(np.uint8)):
            out = np.zeros(tuple(shape[p] for p in perm), array.dtype)
            kernels("transpose", out, array, rank, ints(shape), ints(perm), array.itemsize)
            np.testing.assert_array_equal(out, array.transpose(perm))
        starts = [int(rng.integers(0, s)) for s in shape]
        steps = [int(rng.integers(1, 4)) for _ in shape]
        place = tuple(slice(a, None, s) for a, s in zip(starts, steps, strict=True))
        before, after = rng.integers(0, 3, rank), rng.integers(0, 3, rank)
        for array in (x, rng.integers(0, 255, shape).astype(np.uint8), rng.integers(-99, 2**31, shape, np.int32)):
            kind, size = array.dtype, array.itemsize
            part = array[place]
            out, spread = np.empty(part.shape, kind), np.empty(shape, kind)
            kernels("slice", out, array, rank, ints(shape), ints(part.shape), ints(starts), ints(steps), size)
            np.testing.assert_array_equal(out, part)
            kernels("unslice", spread, out, rank, ints(shape), ints(part.shape), ints(starts), ints(steps), size)
            expected = np.zeros_like(array)
            expected[place] = part
            np.testing.assert_array_equal(spread, expected)
            padded = np.pad(array, list(zip(before, after, strict=True)), constant_values=7)
            out = np.empty(padded.shape, kind)
            kernels("pad", out, array, rank, ints(shape), ints(before), ints(after), np.array([7], kind), size)
            np.testing.assert_array_equal(out, padded)
