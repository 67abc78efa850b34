"""Two-dimensional convolution (cross-correlation), NHWC with HWIO weights, and its two gradients.

With kernel tap (i, j), stride s, dilation d and padding p at the top and left:
y[n, a, b] += x[n, a*s + i*d - p, b*s + j*d - p] @ w[i, j]. All three rows are that sum over the taps, solved for
y, x or w. Groups split both channel axes into equal runs; depthwise is groups == channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np

from ..graph import Node, Spec, Value
from ..op import Arrays, Attrs, Cost, Op, apply, register
from ..rules import arity, attr, float_dtype, ints, rank, require

GEOMETRY = ("stride", "padding", "dilation", "groups")


def _geometry(op: str, attrs: Attrs) -> None:
    ints(op, attrs, "stride", 2, least=1)
    ints(op, attrs, "dilation", 2, least=1)
    padding = attr(op, attrs, "padding")
    pairs = (
        isinstance(padding, tuple)
        and len(padding) == 2
        and all(isinstance(p, tuple) and len(p) == 2 and all(isinstance(v, int) and v >= 0 for v in p) for p in padding)
    )
    require(pairs, op, "padding", padding, "must be ((top, bottom), (left, right)), integers >= 0")
    groups = attr(op, attrs, "groups")
    require(isinstance(groups, int) and groups >= 1, op, "groups", groups, "must be an integer >= 1")


def _extent(op: str, attrs: Attrs, image: Sequence[int], kernel: Sequence[int]) -> tuple[int, int]:
    """Rows and columns of the result."""
    sizes = []
    for axis in (0, 1):
        reach = image[axis] + sum(attrs["padding"][axis]) - attrs["dilation"][axis] * (kernel[axis] - 1) - 1
        require(reach >= 0, op, "kernel", tuple(kernel), f"must fit the padded image {tuple(image)}")
        sizes.append(reach // attrs["stride"][axis] + 1)
    return sizes[0], sizes[1]


def _channels(op: str, attrs: Attrs, w: Spec, image: int | None = None, result: int | None = None) -> None:
    groups, (per_group, outs) = attrs["groups"], w.shape[2:]
    require(outs % groups == 0, op, "output channels", outs, f"must divide into {groups} groups")
    if image is not None:
        require(image == per_group * groups, op, "input channels", image, f"must be {per_group * groups}")
    if result is not None:
        require(result == outs, op, "gradient channels", result, f"must be {outs}")


def _taps(attrs: Attrs, kernel: Sequence[int], size: Sequence[int]) -> Iterator[tuple[int, int, slice, slice]]:
    """Tap (i, j) and the rows and columns of the padded image that it meets."""
    (sh, sw), (dh, dw) = attrs["stride"], attrs["dilation"]
    for i in range(kernel[0]):
        rows = slice(i * dh, i * dh + (size[0] - 1) * sh + 1, sh)
        for j in range(kernel[1]):
            yield i, j, rows, slice(j * dw, j * dw + (size[1] - 1) * sw + 1, sw)


def _padded(x: np.ndarray, attrs: Attrs) -> np.ndarray:
    return np.pad(x, ((0, 0), *attrs["padding"], (0, 0))) if any(map(any, attrs["padding"])) else x


def _grouped(x: np.ndarray, groups: int) -> np.ndarray:
    """[..., groups * C] -> [groups, rows, C]."""
    return x.reshape(-1, groups, x.shape[-1] // groups).transpose(1, 0, 2)


def _is_depthwise(attrs: Attrs, per_group: int, outs: int) -> bool:
    return bool(per_group == 1 and outs == attrs["groups"])


# conv2d(x, w)


def _conv_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("conv2d", specs, 2)
    x, w = specs
    rank("conv2d", "x", x, 4)
    rank("conv2d", "w", w, 4)
    _geometry("conv2d", attrs)
    _channels("conv2d", attrs, w, image=x.shape[3])
    size = _extent("conv2d", attrs, x.shape[1:3], w.shape[:2])
    return (Spec((x.shape[0], *size, w.shape[3]), float_dtype("conv2d", specs)),)


def _conv(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    x, w = arrays
    kh, kw, per_group, outs = w.shape
    groups, size = attrs["groups"], _extent("conv2d", attrs, x.shape[1:3], w.shape[:2])
    depthwise = _is_depthwise(attrs, per_group, outs)
    image = _padded(x, attrs)
    y = np.zeros((x.shape[0], *size, outs), x.dtype)
    for i, j, rows, columns in _taps(attrs, (kh, kw), size):
        seen, tap = image[:, rows, columns], w[i, j]
        if depthwise:
            y += seen * tap[0]
        elif groups == 1:
            y += (seen.reshape(-1, per_group) @ tap).reshape(y.shape)
        else:
            product = _grouped(seen, groups) @ tap.reshape(per_group, groups, -1).transpose(1, 0, 2)
            y += product.transpose(1, 0, 2).reshape(y.shape)
    return (y,)


def _conv_gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
    dy, (x, w) = grads[0], node.inputs
    if dy is None:
        return [None, None]
    return [
        apply("conv2d_input_grad", dy, w, **node.attrs, input_shape=x.shape) if needed[0] else None,
        apply("conv2d_weight_grad", x, dy, **node.attrs, kernel=w.shape[:2]) if needed[1] else None,
    ]


def _conv_cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    kh, kw, per_group, _ = ins[1].shape
    return Cost(macs=outs[0].size * kh * kw * per_group)


# conv2d_input_grad(dy, w){input_shape}: also the transposed convolution


def _input_grad_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    op = "conv2d_input_grad"
    arity(op, specs, 2)
    dy, w = specs
    rank(op, "dy", dy, 4)
    rank(op, "w", w, 4)
    _geometry(op, attrs)
    shape = ints(op, attrs, "input_shape", 4)
    _channels(op, attrs, w, image=shape[3], result=dy.shape[3])
    size = _extent(op, attrs, shape[1:3], w.shape[:2])
    require(dy.shape[:3] == (shape[0], *size), op, "dy shape", dy.shape, f"must begin {(shape[0], *size)}")
    return (Spec(shape, float_dtype(op, specs)),)


def _input_grad(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    dy, w = arrays
    kh, kw, per_group, outs = w.shape
    groups, size = attrs["groups"], dy.shape[1:3]
    (top, bottom), (left, right) = attrs["padding"]
    n, height, width, channels = attrs["input_shape"]
    image = np.zeros((n, height + top + bottom, width + left + right, channels), dy.dtype)
    depthwise = _is_depthwise(attrs, per_group, outs)
    for i, j, rows, columns in _taps(attrs, (kh, kw), size):
        tap = w[i, j]
        if depthwise:
            part = dy * tap[0]
        elif groups == 1:
            part = (dy.reshape(-1, outs) @ tap.T).reshape(*dy.shape[:3], channels)
        else:
            product = _grouped(dy, groups) @ tap.reshape(per_group, groups, -1).transpose(1, 2, 0)
            part = product.transpose(1, 0, 2).reshape(*dy.shape[:3], channels)
        image[:, rows, columns] += part
    return (np.ascontiguousarray(image[:, top : top + height, left : left + width]),)


def _input_grad_gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
    dx, (dy, w) = grads[0], node.inputs
    if dx is None:
        return [None, None]
    geometry = {field: node.attrs[field] for field in GEOMETRY}
    return [
        apply("conv2d", dx, w, **geometry) if needed[0] else None,
        apply("conv2d_weight_grad", dx, dy, **geometry, kernel=w.shape[:2]) if needed[1] else None,
    ]


def _input_grad_cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    kh, kw, per_group, _ = ins[1].shape
    return Cost(macs=ins[0].size * kh * kw * per_group)


# conv2d_weight_grad(x, dy){kernel}


def _weight_grad_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    op = "conv2d_weight_grad"
    arity(op, specs, 2)
    x, dy = specs
    rank(op, "x", x, 4)
    rank(op, "dy", dy, 4)
    _geometry(op, attrs)
    kernel = ints(op, attrs, "kernel", 2, least=1)
    groups = attrs["groups"]
    require(x.shape[3] % groups == 0, op, "input channels", x.shape[3], f"must divide into {groups} groups")
    w = Spec((*kernel, x.shape[3] // groups, dy.shape[3]), float_dtype(op, specs))
    _channels(op, attrs, w)
    size = _extent(op, attrs, x.shape[1:3], kernel)
    require(dy.shape[:3] == (x.shape[0], *size), op, "dy shape", dy.shape, f"must begin {(x.shape[0], *size)}")
    return (w,)


def _weight_grad(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    x, dy = arrays
    kernel, groups, outs = attrs["kernel"], attrs["groups"], dy.shape[3]
    per_group = x.shape[3] // groups
    image = _padded(x, attrs)
    dw = np.empty((*kernel, per_group, outs), x.dtype)
    depthwise = _is_depthwise(attrs, per_group, outs)
    for i, j, rows, columns in _taps(attrs, kernel, dy.shape[1:3]):
        seen = image[:, rows, columns]
        if depthwise:
            dw[i, j, 0] = np.einsum("nhwc,nhwc->c", seen, dy)
        elif groups == 1:
            dw[i, j] = seen.reshape(-1, per_group).T @ dy.reshape(-1, outs)
        else:
            product = _grouped(seen, groups).swapaxes(1, 2) @ _grouped(dy, groups)
            dw[i, j] = product.transpose(1, 0, 2).reshape(per_group, outs)
    return (dw,)


def _weight_grad_gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
    dw, (x, dy) = grads[0], node.inputs
    if dw is None:
        return [None, None]
    geometry = {field: node.attrs[field] for field in GEOMETRY}
    return [
        apply("conv2d_input_grad", dy, dw, **geometry, input_shape=x.shape) if needed[0] else None,
        apply("conv2d", x, dw, **geometry) if needed[1] else None,
    ]


def _weight_grad_cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    kh, kw = cast(tuple[int, int], attrs["kernel"])
    return Cost(macs=ins[1].size * kh * kw * (ins[0].shape[3] // attrs["groups"]))


register(Op("conv2d", _conv_infer, _conv, _conv_gradient, _conv_cost))
register(Op("conv2d_input_grad", _input_grad_infer, _input_grad, _input_grad_gradient, _input_grad_cost))
register(Op("conv2d_weight_grad", _weight_grad_infer, _weight_grad, _weight_grad_gradient, _weight_grad_cost))
