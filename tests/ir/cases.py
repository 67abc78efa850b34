"""One or more cases for every row of the op table: random inputs, attributes, and PyTorch's word for the row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from selvedge.ir import TABLE
from selvedge.ir.ops.chance import kept

Rng = np.random.Generator


@dataclass(frozen=True)
class Case:
    """``arrays``: float64 inputs that are differentiated, or other dtypes that are not.
    ``torch``: the row's first result in PyTorch, or None where the row has no counterpart but a gradient's."""

    op: str
    arrays: tuple[np.ndarray, ...]
    torch: Callable[..., torch.Tensor]
    attrs: Mapping[str, Any] = field(default_factory=dict)


Maker = Callable[[Rng], Case]
MAKERS: list[Maker] = []


def _shape(rng: Rng, rank: int | None = None) -> tuple[int, ...]:
    rank = int(rng.integers(0, 4)) if rank is None else rank
    return tuple(int(n) for n in rng.integers(1, 6, rank))


def _unary(op: str, function: Callable[..., torch.Tensor], positive: bool = False, **attrs: Any) -> None:
    def make(rng: Rng) -> Case:
        x = rng.normal(0, 3, _shape(rng))
        return Case(op, (np.abs(x) + 0.1 if positive else x,), function, attrs)

    make.__name__ = op
    MAKERS.append(make)


def _inside(op: str, function: Callable[..., torch.Tensor]) -> None:
    """Of numbers between -1 and 1."""

    def make(rng: Rng) -> Case:
        return Case(op, (rng.uniform(-0.95, 0.95, _shape(rng)),), function)

    make.__name__ = op
    MAKERS.append(make)


for _name in ("neg", "exp", "abs", "sign", "square", "erf", "sigmoid", "tanh", "reciprocal"):
    _unary(_name, getattr(torch, _name))
for _name in ("log", "sqrt", "rsqrt", "log1p"):
    _unary(_name, getattr(torch, _name), positive=True)
for _name in ("relu", "hardswish", "silu", "softplus"):
    _unary(_name, getattr(F, _name))
_unary("hardsigmoid", lambda x: F.relu6(x + 3) / 6)  # F.hardsigmoid's own backward has 1/6 in float32 only
_unary("gelu", F.gelu, approximate="none")
_unary("gelu", lambda x: F.gelu(x, approximate="tanh"), approximate="tanh")
_unary("leaky_relu", lambda x: F.leaky_relu(x, 0.2), slope=0.2)
_unary("elu", lambda x: F.elu(x, 0.7), alpha=0.7)
for _name in ("asin", "acos", "atanh"):
    _inside(_name, getattr(torch, _name))
_unary("power", lambda x: x**3, exponent=3.0)
_unary("power", lambda x: x**-1.5, positive=True, exponent=-1.5)
_unary("power", lambda x: x**0, exponent=0.0)
_unary("clamp", lambda x: x.clamp(-1, 2), min=-1.0, max=2.0)
_unary("clamp", lambda x: x.clamp(min=0.5), min=0.5, max=np.inf)
_unary("hardtanh", lambda x: F.hardtanh(x, 0, 6), min=0.0, max=6.0)


def _two(rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """Two operands that broadcast, either of them the smaller one."""
    shape = _shape(rng, 3)
    small = tuple(1 if rng.random() < 0.5 else n for n in shape)[int(rng.integers(0, 4)) :]
    pair = rng.normal(0, 2, shape), rng.normal(0, 2, small)
    return pair if rng.random() < 0.5 else pair[::-1]


def _binary(op: str, function: Callable[..., torch.Tensor]) -> None:
    def make(rng: Rng) -> Case:
        return Case(op, _two(rng), function)

    make.__name__ = op
    MAKERS.append(make)


for _name in (
    "add", "sub", "mul", "div", "maximum", "minimum", "less", "less_equal", "greater", "greater_equal", "not_equal",
):  # fmt: skip
    _binary(_name, getattr(torch, _name))


@MAKERS.append
def equal(rng: Rng) -> Case:
    a, b = (rng.integers(0, 2, _shape(rng, 2) or 1).astype(float) for _ in range(2))
    return Case("equal", (a, b[:1, :1]), torch.eq)


@MAKERS.append
def ties(rng: Rng) -> Case:
    """Equal operands share the gradient."""
    shape = _shape(rng, 2)
    a, b = rng.integers(0, 2, shape).astype(float), rng.integers(0, 2, shape).astype(float)
    return Case("maximum", (a, b), torch.maximum) if rng.random() < 0.5 else Case("minimum", (a, b), torch.minimum)


@MAKERS.append
def where(rng: Rng) -> Case:
    a, b = _two(rng)
    condition = rng.random(np.broadcast_shapes(a.shape, b.shape)) < 0.5
    return Case("where", (condition, a, b), torch.where)


@MAKERS.append
def acosh(rng: Rng) -> Case:
    return Case("acosh", (1.05 + np.abs(rng.normal(0, 3, _shape(rng))),), torch.acosh)


@MAKERS.append
def logic(rng: Rng) -> Case:
    a, b, c = (rng.random(_shape(rng, 2) or 1) < 0.5 for _ in range(3))
    return Case("where", (a, b[:1, :1], c[:1, :1]), lambda a, b, c: torch.where(a, b, c))


@MAKERS.append
def integers(rng: Rng) -> Case:
    a = rng.integers(-3, 4, _shape(rng, 2)).astype(np.int32)
    return Case("not_equal", (a, rng.integers(-3, 4, (1, 1)).astype(np.int32)), torch.ne)


@MAKERS.append
def convert(rng: Rng) -> Case:
    array = rng.integers(0, 255, _shape(rng)).astype(("uint8", "int32", "bool")[int(rng.integers(3))])
    return Case("convert", (array,), lambda x: x.to(torch.float64), {"dtype": "float64"})


@MAKERS.append
def bce_logits(rng: Rng) -> Case:
    x = rng.normal(0, 4, _shape(rng, 2))
    return Case(
        "bce_logits",
        (x, rng.random(x.shape)),
        lambda x, y: F.binary_cross_entropy_with_logits(x, y, reduction="none"),
    )


def _bits(passes: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Where ``passes`` is true, eight to a byte, the first in the lowest bit."""

    def pack(x: torch.Tensor) -> torch.Tensor:
        flags = F.pad(passes(x).flatten().to(torch.uint8), (0, -x.numel() % 8)).reshape(-1, 8)
        return (flags << torch.arange(8, dtype=torch.uint8)).sum(1).to(torch.uint8)

    return pack


def _mask(passes: Callable[..., torch.Tensor], **attrs: Any) -> None:
    def make(rng: Rng) -> Case:
        x = rng.integers(-4, 5, _shape(rng)).astype(float)  # many on the borders
        return Case("pack_mask", (x,), _bits(passes), attrs)

    make.__name__ = f"pack_mask_{attrs['of']}"
    MAKERS.append(make)


_mask(lambda y: y > 0, of="relu")
_mask(lambda y: (y > -1) & (y < 2), of="hardtanh", min=-1.0, max=2.0)
_mask(lambda x: (x >= -1) & (x <= 2), of="clamp", min=-1.0, max=2.0)


@MAKERS.append
def masked_grad(rng: Rng) -> Case:
    dy = rng.normal(size=_shape(rng))
    passed = rng.random(dy.shape) < 0.5
    mask = _bits(lambda x: x > 0)(torch.from_numpy(np.asarray(passed, float))).numpy()
    return Case("masked_grad", (dy, mask), lambda dy, _: dy * torch.from_numpy(np.asarray(passed)))


@MAKERS.append
def quantize_channels(rng: Rng) -> Case:
    x = rng.normal(0, 3, _shape(rng, 3)) * (rng.random((1, 1, 1)) < 0.9)

    def codes(x: torch.Tensor) -> torch.Tensor:
        scale = x.abs().amax((0, 1)).clamp(min=1e-30) / 127
        return torch.round(x / scale).to(torch.int8)

    return Case("quantize_channels", (x,), codes)


# Structure


@MAKERS.append
def reshape(rng: Rng) -> Case:
    x = rng.normal(size=_shape(rng, 3))
    shape = (x.shape[0] * x.shape[1], 1, x.shape[2])
    return Case("reshape", (x,), lambda x: x.reshape(shape), {"shape": shape})


@MAKERS.append
def transpose(rng: Rng) -> Case:
    perm = tuple(int(p) for p in rng.permutation(4))
    return Case("transpose", (rng.normal(size=_shape(rng, 4)),), lambda x: x.permute(perm), {"perm": perm})


def _window(rng: Rng, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    starts = tuple(int(rng.integers(0, n)) for n in shape)
    stops = tuple(int(rng.integers(a + 1, n + 1)) for a, n in zip(starts, shape, strict=True))
    return {"starts": starts, "stops": stops, "steps": tuple(int(s) for s in rng.integers(1, 4, len(shape)))}


def _slices(window: Mapping[str, tuple[int, ...]]) -> tuple[slice, ...]:
    return tuple(map(slice, window["starts"], window["stops"], window["steps"]))


@MAKERS.append
def slice_(rng: Rng) -> Case:
    x = rng.normal(size=_shape(rng, 3))
    window = _window(rng, x.shape)
    return Case("slice", (x,), lambda x: x[_slices(window)], window)


@MAKERS.append
def unslice(rng: Rng) -> Case:
    shape = _shape(rng, 3)
    window = _window(rng, shape)
    part = np.empty(shape)[_slices(window)].shape

    def place(x: torch.Tensor) -> torch.Tensor:
        whole = torch.zeros(shape, dtype=x.dtype)
        whole[_slices(window)] = x
        return whole

    attrs = {"shape": shape, "starts": window["starts"], "steps": window["steps"]}
    return Case("unslice", (rng.normal(size=part),), place, attrs)


@MAKERS.append
def part(rng: Rng) -> Case:
    x = torch.from_numpy(rng.normal(size=_shape(rng, 3)))
    axis = int(rng.integers(0, 3))
    count = int(rng.integers(1, x.shape[axis] + 1))
    # Nothing is differentiated through a part: it is what learns.
    return Case("part", (x.numpy(),), lambda x: x.detach().narrow(axis, 0, count), {"axis": axis, "count": count})


@MAKERS.append
def with_part(rng: Rng) -> Case:
    old = rng.normal(size=_shape(rng, 3))
    axis = int(rng.integers(0, 3))
    new = rng.normal(size=(*old.shape[:axis], int(rng.integers(1, old.shape[axis] + 1)), *old.shape[axis + 1 :]))

    def place(new: torch.Tensor, old: torch.Tensor) -> torch.Tensor:
        whole = old.detach().clone()
        whole.narrow(axis, 0, new.shape[axis]).copy_(new.detach())
        return whole

    return Case("with_part", (new, old), place, {"axis": axis})


@MAKERS.append
def pad(rng: Rng) -> Case:
    before, after = (tuple(int(n) for n in rng.integers(0, 3, 2)) for _ in range(2))
    widths = (before[1], after[1], before[0], after[0])
    attrs = {"before": before, "after": after, "value": 1.5}
    return Case("pad", (rng.normal(size=_shape(rng, 2)),), lambda x: F.pad(x, widths, value=1.5), attrs)


@MAKERS.append
def concat(rng: Rng) -> Case:
    axis, shape = int(rng.integers(0, 3)), list(_shape(rng, 3))
    parts = []
    for _ in range(int(rng.integers(1, 4))):
        shape[axis] = int(rng.integers(1, 5))
        parts.append(rng.normal(size=shape))
    return Case("concat", tuple(parts), lambda *parts: torch.cat(parts, axis), {"axis": axis})


@MAKERS.append
def broadcast(rng: Rng) -> Case:
    shape = _shape(rng, 3)
    small = tuple(1 if rng.random() < 0.5 else n for n in shape)[int(rng.integers(0, 3)) :]
    return Case("broadcast", (rng.normal(size=small),), lambda x: x.broadcast_to(shape), {"shape": shape})


# Reductions and products


def _run(rng: Rng, rank: int) -> tuple[int, ...]:
    first = int(rng.integers(0, rank))
    return tuple(range(first, int(rng.integers(first + 1, rank + 1))))


@MAKERS.append
def reduce_sum(rng: Rng) -> Case:
    axes, keepdims = _run(rng, 4), bool(rng.random() < 0.5)
    attrs = {"axes": axes, "keepdims": keepdims}
    return Case("reduce_sum", (rng.normal(size=_shape(rng, 4)),), lambda x: x.sum(axes, keepdims), attrs)


@MAKERS.append
def reduce_max(rng: Rng) -> Case:
    """With ties, which share the gradient."""
    axes, keepdims = _run(rng, 3), bool(rng.random() < 0.5)
    x = rng.integers(0, 4, _shape(rng, 3)).astype(float)
    return Case("reduce_max", (x,), lambda x: x.amax(axes, keepdims), {"axes": axes, "keepdims": keepdims})


@MAKERS.append
def matmul(rng: Rng) -> Case:
    batch, (m, k, n) = _shape(rng, int(rng.integers(0, 3))), _shape(rng, 3)
    trans_a, trans_b = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
    a = rng.normal(size=(*batch, k, m) if trans_a else (*batch, m, k))
    b = rng.normal(size=(*batch, n, k) if trans_b else (*batch, k, n))

    def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a.mT if trans_a else a) @ (b.mT if trans_b else b)

    return Case("matmul", (a, b), product, {"trans_a": trans_a, "trans_b": trans_b})


# Convolution: the geometry, then the three rows


def _geometry(rng: Rng) -> tuple[dict[str, Any], tuple[int, ...], tuple[int, ...]]:
    groups = int(rng.integers(1, 4))
    per_group, outs = int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
    kernel = tuple(int(k) for k in rng.integers(1, 4, 2))
    attrs = {
        "stride": tuple(int(s) for s in rng.integers(1, 4, 2)),
        "padding": tuple(tuple(int(p) for p in rng.integers(0, 3, 2)) for _ in range(2)),
        "dilation": tuple(int(d) for d in rng.integers(1, 3, 2)),
        "groups": groups,
    }
    image = tuple(attrs["dilation"][a] * (kernel[a] - 1) + 1 + int(rng.integers(0, 6)) for a in (0, 1))
    return attrs, (int(rng.integers(1, 3)), *image, per_group * groups), (*kernel, per_group, outs)


def _torch_conv(attrs: Mapping[str, Any]) -> Callable[..., torch.Tensor]:
    def convolve(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        (top, bottom), (left, right) = attrs["padding"]
        image = F.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom))
        y = F.conv2d(image, w.permute(3, 2, 0, 1), None, attrs["stride"], 0, attrs["dilation"], attrs["groups"])
        return y.permute(0, 2, 3, 1)

    return convolve


@MAKERS.append
def conv2d(rng: Rng) -> Case:
    attrs, x, w = _geometry(rng)
    return Case("conv2d", (rng.normal(size=x), rng.normal(size=w)), _torch_conv(attrs), attrs)


@MAKERS.append
def sparse_conv2d(rng: Rng) -> Case:
    attrs, x, w = _geometry(rng)
    attrs["groups"] = 1
    w = (*w[:2], x[3], w[3])
    weights = rng.normal(size=w) * (rng.random(w) < 0.5)
    given = {**attrs, "entries": int(np.count_nonzero(weights))}
    return Case("sparse_conv2d", (rng.normal(size=x), weights), _torch_conv(attrs), given)


@MAKERS.append
def sparse_matmul(rng: Rng) -> Case:
    m, k, n = _shape(rng, 3)
    weights = rng.normal(size=(k, n)) * (rng.random((k, n)) < 0.5)
    given = {"entries": int(np.count_nonzero(weights))}
    return Case("sparse_matmul", (rng.normal(size=(m, k)), weights), torch.matmul, given)


@MAKERS.append
def depthwise(rng: Rng) -> Case:
    attrs, x, w = _geometry(rng)
    attrs["groups"] = x[3]
    return Case("conv2d", (rng.normal(size=x), rng.normal(size=(*w[:2], 1, x[3]))), _torch_conv(attrs), attrs)


def _adjoint(attrs: Mapping[str, Any], x: torch.Tensor, w: torch.Tensor, dy: torch.Tensor, which: int) -> torch.Tensor:
    x, w = (v if v.requires_grad else v.clone().requires_grad_() for v in (x, w))
    y = _torch_conv(attrs)(x, w)
    return torch.autograd.grad(y, (x, w)[which], dy, create_graph=True)[0]


@MAKERS.append
def conv2d_input_grad(rng: Rng) -> Case:
    attrs, x, w = _geometry(rng)
    empty = torch.zeros(x, dtype=torch.float64)
    dy = rng.normal(size=tuple(_torch_conv(attrs)(empty, torch.zeros(w, dtype=torch.float64)).shape))
    meaning = lambda dy, w: _adjoint(attrs, empty, w, dy, 0)  # noqa: E731
    return Case("conv2d_input_grad", (dy, rng.normal(size=w)), meaning, {**attrs, "input_shape": x})


@MAKERS.append
def conv2d_weight_grad(rng: Rng) -> Case:
    attrs, x, w = _geometry(rng)
    empty = torch.zeros(w, dtype=torch.float64)
    dy = rng.normal(size=tuple(_torch_conv(attrs)(torch.zeros(x, dtype=torch.float64), empty).shape))
    meaning = lambda x, dy: _adjoint(attrs, x, empty, dy, 1)  # noqa: E731
    return Case("conv2d_weight_grad", (rng.normal(size=x), dy), meaning, {**attrs, "kernel": w[:2]})


# Pooling


def _pool(rng: Rng) -> tuple[int, int, int, tuple[int, ...]]:
    kernel, stride = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    padding = int(rng.integers(0, kernel // 2 + 1))
    return kernel, stride, padding, (2, *(int(n) for n in rng.integers(kernel, 8, 2)), 3)


def _windows(size: int, kernel: int, stride: int, padding: int) -> tuple[tuple[int, int, int], ...]:
    starts = range(-padding, size + padding - kernel + 1, stride)
    return tuple((max(0, s), min(size, s + kernel), 1) for s in starts)


@MAKERS.append
def max_pool(rng: Rng) -> Case:
    """With ties, where the first element has the gradient."""
    kernel, stride, padding, shape = _pool(rng)
    attrs = {f"windows_{a}": _windows(n, kernel, stride, padding) for a, n in zip("hw", shape[1:3], strict=True)}

    def pooled(x: torch.Tensor) -> torch.Tensor:
        return F.max_pool2d(x.permute(0, 3, 1, 2), kernel, stride, padding).permute(0, 2, 3, 1)

    return Case("max_pool", (rng.integers(0, 5, shape).astype(float),), pooled, attrs)


@MAKERS.append
def dilated_max_pool(rng: Rng) -> Case:
    shape = (1, int(rng.integers(5, 9)), int(rng.integers(5, 9)), 2)
    attrs = {f"windows_{a}": tuple((i, i + 5, 2) for i in range(n - 4)) for a, n in zip("hw", shape[1:3], strict=True)}

    def pooled(x: torch.Tensor) -> torch.Tensor:
        return F.max_pool2d(x.permute(0, 3, 1, 2), 3, 1, 0, 2).permute(0, 2, 3, 1)

    return Case("max_pool", (rng.normal(size=shape),), pooled, attrs)


@MAKERS.append
def avg_pool(rng: Rng) -> Case:
    kernel, stride, padding, shape = _pool(rng)
    windows = [_windows(n, kernel, stride, padding) for n in shape[1:3]]
    attrs: dict[str, Any] = {"windows_h": windows[0], "windows_w": windows[1]}
    attrs |= {"counts_h": (kernel,) * len(windows[0]), "counts_w": (kernel,) * len(windows[1])}

    def pooled(x: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(x.permute(0, 3, 1, 2), kernel, stride, padding).permute(0, 2, 3, 1)

    return Case("avg_pool", (rng.normal(size=shape),), pooled, attrs)


# State that is emptied, or kept in fewer bytes


@MAKERS.append
def zero(rng: Rng) -> Case:
    return Case("zero", (rng.normal(0, 3, _shape(rng)),), lambda x: torch.zeros_like(x).detach())


def _rounds(rng: Rng) -> np.ndarray:
    return np.array(float(rng.integers(0, 2**24)))


def _noise(x: torch.Tensor, rounds: torch.Tensor, place: torch.Tensor | int = 0) -> torch.Tensor:
    """The hash of native/compact.h in 64-bit integers."""
    h = (x.float().contiguous().view(torch.int32).long() + place * 0x85EBCA6B + rounds.long() * 0x9E3779B9) % 2**32
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        h = (h ^ (h >> shift)) * factor % 2**32
    return h ^ (h >> 16)


@MAKERS.append
def from_bfloat16(rng: Rng) -> Case:
    codes = rng.integers(0, 2**16, _shape(rng), np.uint16)
    codes &= np.where(codes & 0x7F80 == 0x7F80, 0xFFBF, 0xFFFF).astype(np.uint16)  # finite

    def decoded(x: torch.Tensor) -> torch.Tensor:
        return x.view(torch.bfloat16).double()

    return Case("from_bfloat16", (codes,), decoded, {"dtype": "float64"})


@MAKERS.append
def to_bfloat16(rng: Rng) -> Case:
    x = rng.normal(0, 10.0 ** rng.integers(-20, 20), _shape(rng))

    def rounded(x: torch.Tensor, rounds: torch.Tensor) -> torch.Tensor:
        """Truncated, or one code further, where the noise carries."""
        bits = x.detach().float().contiguous().view(torch.int32).long() % 2**32
        return (bits // 2**16 + ((bits % 2**16 + _noise(x.detach(), rounds.detach()) // 2**16) >= 2**16)).double()

    return Case("to_bfloat16", (x, _rounds(rng)), rounded)


def _quantized(square: bool) -> Maker:
    levels = 255 if square else 127

    def codes(x: torch.Tensor, rounds: torch.Tensor) -> torch.Tensor:
        """Block by block, element by element: the higher of two codes where the noise is below its share."""
        flat, rounds = x.detach().flatten(), rounds.detach()
        made = torch.zeros(len(flat), dtype=torch.float64)
        for block in torch.arange(len(flat)).split(64):
            part = flat[block]
            size = part.sqrt() if square else part.abs()
            scale = size.max()
            if scale == 0:
                continue
            share = size / scale * levels**2
            low = (size / scale).sqrt().mul(levels).long().clamp(max=levels - 1)
            share = (share - low**2) / (2 * low + 1)
            high = share > (_noise(part, rounds, block % 64) // 2**17).double() / 2**15
            code = low + high
            made[block] = (torch.where(part > 0, code.clamp(min=1), 0) if square else code * part.sign()).double()
        return made.reshape(x.shape)

    def make(rng: Rng) -> Case:
        x = rng.normal(0, 10.0 ** rng.integers(-9, 9), (*_shape(rng, 2), int(rng.integers(1, 80))))
        x *= rng.random(x.shape) ** 4 * (rng.random(x.shape) < 0.9)
        x = x**2 if square else x
        return Case("quantize_square" if square else "quantize", (x, _rounds(rng)), codes)

    make.__name__ = "quantize_square" if square else "quantize"
    return make


def _dequantized(square: bool) -> Maker:
    def value(codes: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
        each = scales.repeat_interleave(64)[: codes.numel()].reshape(codes.shape).detach()
        c = codes.double()
        return (c**2 * each / 255**2) ** 2 if square else c * c.abs() * each / 127**2

    def make(rng: Rng) -> Case:
        shape = (*_shape(rng, 2), int(rng.integers(1, 80)))
        low, high, kind = (0, 256, np.uint8) if square else (-127, 128, np.int8)
        scales = rng.random(-(-int(np.prod(shape)) // 64)) * 10.0 ** rng.integers(-9, 9)
        return Case(
            "dequantize_square" if square else "dequantize", (rng.integers(low, high, shape, kind), scales), value
        )

    make.__name__ = "dequantize_square" if square else "dequantize"
    return make


MAKERS += [_quantized(False), _quantized(True), _dequantized(False), _dequantized(True)]

# Softmax, normalisation, loss


@MAKERS.append
def softmax(rng: Rng) -> Case:
    return Case("softmax", (rng.normal(0, 3, _shape(rng, 3)),), lambda x: x.softmax(-1))


@MAKERS.append
def log_softmax(rng: Rng) -> Case:
    return Case("log_softmax", (rng.normal(0, 3, _shape(rng, 2)),), lambda x: x.log_softmax(-1))


@MAKERS.append
def normalize(rng: Rng) -> Case:
    def standard(x: torch.Tensor) -> torch.Tensor:
        centred = x - x.mean((1, 3), keepdim=True)
        return centred / torch.sqrt(centred.square().mean((1, 3), keepdim=True) + 1e-3)

    return Case("normalize", (rng.normal(1, 2, (*_shape(rng, 3), 4)),), standard, {"eps": 1e-3})


@MAKERS.append
def cross_entropy(rng: Rng) -> Case:
    logits = rng.normal(0, 3, (int(rng.integers(1, 5)), int(rng.integers(2, 6))))
    labels = rng.integers(0, logits.shape[1], logits.shape[0]).astype(np.int32)
    labels[1:][rng.random(len(labels) - 1) < 0.3] = -100  # PyTorch's ignore_index
    smoothing = float(rng.choice([0.0, 0.1]))

    def loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(x, y.long(), label_smoothing=smoothing)

    return Case("cross_entropy", (logits, labels), loss, {"label_smoothing": smoothing})


# By number, along an axis


def _rows_of(rng: Rng) -> tuple[np.ndarray, np.ndarray, torch.Tensor]:
    """x [A, R, C], index [B, N] and the same numbers for every element of [A, N, C]; rows are named again and again."""
    x = rng.normal(size=(a := int(rng.integers(1, 4)), r := int(rng.integers(1, 5)), c := int(rng.integers(1, 5))))
    index = rng.integers(0, r, (a if rng.random() < 0.5 else 1, n := int(rng.integers(1, 7)))).astype(np.int32)
    return x, index, torch.from_numpy(index).long()[:, :, None].expand(-1, n, c).expand(a, n, c)


@MAKERS.append
def take(rng: Rng) -> Case:
    x, index, each = _rows_of(rng)
    return Case("take", (x, index), lambda x, _: x.gather(1, each))


@MAKERS.append
def take_but_one(rng: Rng) -> Case:
    """The row ``skip`` gets no gradient."""
    x, index, each = _rows_of(rng)

    def value(x: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        learns = (torch.arange(x.shape[1]) != 0).double()[:, None]
        return (x * learns + (x * (1 - learns)).detach()).gather(1, each)

    return Case("take", (x, index), value, {"skip": 0})


@MAKERS.append
def take_but_ignored(rng: Rng) -> Case:
    """An index beyond the rows gives zeros."""
    x, index, each = _rows_of(rng)
    hidden = rng.random(index.shape) < 0.4
    index = np.where(hidden, -100, index).astype(np.int32)
    kept = torch.from_numpy(~hidden)[:, :, None].double()
    return Case("take", (x, index), lambda x, _: x.gather(1, each) * kept, {"ignored": -100})


@MAKERS.append
def scatter_but_ignored(rng: Rng) -> Case:
    x, index, each = _rows_of(rng)
    index, ignored = np.where(index == 0, 77, index).astype(np.int32), 77
    dy = rng.normal(size=tuple(each.shape))
    kept = torch.from_numpy(index != ignored)[:, :, None].double()
    attrs = {"rows": x.shape[1], "skip": ignored, "ignored": ignored}

    def value(dy: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return torch.zeros(x.shape, dtype=dy.dtype).scatter_add(1, each, dy * kept)

    return Case("scatter_add", (dy, index), value, attrs)


@MAKERS.append
def scatter_add(rng: Rng) -> Case:
    x, index, each = _rows_of(rng)
    attrs = {"rows": x.shape[1], "skip": -1}
    dy = rng.normal(size=tuple(each.shape))
    return Case(
        "scatter_add", (dy, index), lambda dy, _: torch.zeros(x.shape, dtype=dy.dtype).scatter_add(1, each, dy), attrs
    )


@MAKERS.append
def scatter_onto(rng: Rng) -> Case:
    x, index, each = _rows_of(rng)
    dy = rng.normal(size=tuple(each.shape))
    return Case("scatter_onto", (x, dy, index), lambda x, dy, _: x.scatter_add(1, each, dy), {"skip": -1})


def _resampled(weighted: bool) -> Maker:
    def make(rng: Rng) -> Case:
        x = rng.normal(size=_shape(rng, 3))
        rows, count = x.shape[1], int(rng.integers(1, 6))
        lengths = rng.integers(0, 4, count)
        index = rng.integers(0, rows, int(lengths.sum()))
        weights = rng.normal(size=len(index))
        matrix = torch.zeros(count, rows, dtype=torch.float64)
        for i, j, w in zip(np.repeat(np.arange(count), lengths), index, weights, strict=True):
            matrix[int(i), int(j)] += float(w) if weighted else 1.0
        attrs = {
            "starts": (0, *(int(n) for n in np.cumsum(lengths))),
            "index": tuple(int(i) for i in index),
            "weights": tuple(float(w) for w in weights) if weighted else (),
        }
        return Case("resample", (x,), lambda x: torch.einsum("nr,arc->anc", matrix.to(x.dtype), x), attrs)

    make.__name__ = "resample_weighted" if weighted else "resample"
    return make


MAKERS += [_resampled(True), _resampled(False)]


@MAKERS.append
def cumsum(rng: Rng) -> Case:
    x = rng.normal(size=_shape(rng, 3))
    if rng.random() < 0.5:
        return Case("cumsum", (x,), lambda x: x.cumsum(1), {"reverse": False})
    return Case("cumsum", (x,), lambda x: x.flip(1).cumsum(1).flip(1), {"reverse": True})


# Recurrent cells: what is projected beforehand passes PyTorch's own projection of the input unchanged


def _recurrent(cell: str) -> Maker:
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[cell]
    kinds = {"gru": torch.gru, "lstm": torch.lstm}

    def make(rng: Rng) -> Case:
        steps, batch, hidden = (int(n) for n in rng.integers(1, 5, 3))
        first, reverse = bool(rng.integers(2)), bool(rng.integers(2))
        x = rng.normal(size=(batch, steps, gates * hidden) if first else (steps, batch, gates * hidden))
        w, b, h, c = (rng.normal(size=s) for s in ((hidden, gates * hidden), gates * hidden, *((batch, hidden),) * 2))
        act = str(rng.choice(["tanh", "relu"]))
        kind = kinds.get(cell, torch.rnn_tanh if act == "tanh" else torch.rnn_relu)

        def value(x: torch.Tensor, w: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
            before = rest[1:] if cell == "gru" else rest
            bias = rest[0] if cell == "gru" else torch.zeros(gates * hidden, dtype=x.dtype)
            own = [torch.eye(gates * hidden, dtype=x.dtype), w.T, torch.zeros_like(bias), bias]
            state = tuple(s[None] for s in before)
            axis = 1 if first else 0
            x = x.flip(axis) if reverse else x
            given = state if cell == "lstm" else state[0]
            y = kind(x, given, own, True, 1, 0.0, False, False, first)[0]
            return y.flip(axis) if reverse else y

        arrays = {"rnn": (x, w, h), "gru": (x, w, b, h), "lstm": (x, w, h, c)}[cell]
        attrs = {"reverse": reverse, "batch_first": first, **({"act": act} if cell == "rnn" else {})}
        return Case(cell, arrays, value, attrs)

    make.__name__ = cell
    return make


MAKERS += [_recurrent("rnn"), _recurrent("gru"), _recurrent("lstm")]


# Rows that are ATen operators of one tensor as they stand are found by themselves.
_known = {maker.__name__ for maker in MAKERS}
for _name, _row in TABLE.items():
    if _row.unary and not _row.numbers and _name not in _known:
        _unary(_name, getattr(torch.ops.aten, _name), positive=True)


def _dropout(whole: bool) -> Maker:
    def make(rng: Rng) -> Case:
        x, p, drawn = rng.normal(size=_shape(rng, 3)), float(rng.uniform(0.05, 0.9)), float(rng.integers(0, 2**24))
        attrs = {"p": p, "salt": int(rng.integers(0, 2**32)), "whole": whole}
        mask = torch.from_numpy(kept(x.shape, drawn, **attrs).copy())  # judged by tests/ir/test_chance.py
        return Case("dropout", (x, np.array(drawn)), lambda x, n: x * mask.to(x.dtype) / (1 - p), attrs)

    make.__name__ = "dropout_whole" if whole else "dropout"
    return make


MAKERS += [_dropout(True), _dropout(False)]


def _ctc(zero_infinity: bool) -> Maker:
    def make(rng: Rng) -> Case:
        n, steps, classes, longest = (int(rng.integers(1, k)) for k in (4, 9, 6, 5))
        blank = int(rng.integers(0, classes + 1))
        counts = rng.integers(0, longest + 1, n)
        labels = rng.integers(0, classes, (n, longest))
        labels += labels >= blank
        targets = np.where(np.arange(longest) < counts[:, None], labels, blank).astype(np.int32)
        if not zero_infinity:  # as many steps as any labels need
            steps = 2 * longest + 1

        def loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            logp = x.log_softmax(2).transpose(0, 1)
            given = (torch.full((n,), steps), torch.from_numpy(counts))
            return F.ctc_loss(logp, y.long(), *given, blank=blank, zero_infinity=zero_infinity)

        attrs = {"blank": blank, "zero_infinity": zero_infinity}
        return Case("ctc", (rng.normal(0, 2, (n, steps, classes + 1)), targets), loss, attrs)

    make.__name__ = "ctc_zero_infinity" if zero_infinity else "ctc"
    return make


MAKERS += [_ctc(True), _ctc(False)]
