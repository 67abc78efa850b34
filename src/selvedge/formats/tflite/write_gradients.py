"""The two gradients of a convolution, as convolutions of other operands.

With dy spread by the stride s (zeros between) and padded, dx is its convolution with the kernel turned by half a turn;
where s > 1 and there is no dilation, TRANSPOSE_CONV is that. dw is the convolution of x with dy as its kernel: dy's
dilation is the stride, the stride is the dilation, images are the channels and channels the images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from selvedge.ir import Node, Spec

from .geometry import padding_of
from .write_layers import DEPTHWISE, convolved, is_depthwise, strides
from .writing import Rule, Writing

Pair = tuple[int, int]
IMAGES = (3, 1, 2, 0)  # NHWC with images as channels


def spread(w: Writing, place: int, by: Pair, before: Pair, shape: Pair) -> int:
    """[N, h, w, C] with by - 1 zeros between its rows and columns, ``before`` zeros before them and as many behind
    that it is [N, *shape, C]; what lies outside is cut off."""
    n, _, _, c = w.shape(place)
    for axis in (1, 2):
        if by[axis - 1] > 1:
            _, h, width, _ = w.shape(place)
            lead, rest = (n * h, width * c) if axis == 1 else (n * h * width, c)
            apart = w.padded(w.reshaped(place, (lead, 1, rest)), ((0, 0), (0, by[axis - 1] - 1), (0, 0)))
            sizes = (n, h * by[0], width, c) if axis == 1 else (n, h, width * by[1], c)
            place = w.reshaped(apart, sizes)
    rows = w.shape(place)[1:3]
    cuts = tuple(max(0, -before[a]) for a in (0, 1))
    ends = tuple(min(rows[a], cuts[a] + shape[a] - max(0, before[a])) for a in (0, 1))
    place = w.cut(place, (0, *cuts, 0), (n, *ends, c))
    amounts = [(max(0, before[a]), shape[a] - max(0, before[a]) - (ends[a] - cuts[a])) for a in (0, 1)]
    return w.padded(place, ((0, 0), *amounts, (0, 0)))


def _input_grad(w: Writing, node: Node) -> int:
    dy, weight = node.inputs
    _, _, per_group, outs = weight.shape
    groups = node.attrs["groups"]
    if groups == 1 or (is_depthwise(node, per_group, outs) and outs == groups):
        return _dx(w, node, w.of(dy), w.of(weight), groups > 1, node)
    return _by_groups(
        w, node, lambda dy, weight: _dx(w, node, dy, weight, False, None), (dy.shape, 3), (weight.shape, 3)
    )


def _dx(w: Writing, node: Node, dy: int, weight: int, depthwise: bool, made: Node | None) -> int:
    at, (kh, kw, ins, _) = node.attrs, w.shape(weight)
    n, height, width, channels = at["input_shape"]
    shape = (n, height, width, channels if depthwise else ins)
    (sh, sw), dilation = at["stride"], at["dilation"]
    (top, bottom), (left, right) = at["padding"]
    if (sh, sw) != (1, 1) and dilation == (1, 1) and not depthwise:
        kernel = w.transposed(weight, (2, 0, 1, 3))
        padding = padding_of((height, width), (kh, kw), at["stride"], at["padding"], dilation)
        whole = shape if padding else (n, height + top + bottom, width + left + right, ins)
        inputs = (w.numbers(whole), kernel, dy)
        options = {name: value for name, value in strides(at["stride"]).items() if name.startswith("stride")}
        image = w.floats(
            "TRANSPOSE_CONV", inputs, whole, made if padding else None, padding=padding or "valid", **options
        )
        return image if padding else w.cut(image, (0, top, left, 0), (n, top + height, left + width, ins), node=made)
    reach = [(k - 1) * d for k, d in zip((kh, kw), dilation, strict=True)]
    place = spread(w, dy, (sh, sw), (reach[0] - top, reach[1] - left), (height + reach[0], width + reach[1]))
    turned = weight if (kh, kw) == (1, 1) else w.like("REVERSE_V2", weight, w.numbers([0]))
    turned = turned if (kh, kw) == (1, 1) else w.like("REVERSE_V2", turned, w.numbers([1]))
    options = strides((1, 1), dilation) | {"padding": "valid"}
    if depthwise:
        kernel, name = w.transposed(turned, DEPTHWISE), "DEPTHWISE_CONV_2D"
        return convolved(w, name, (place, kernel, None), shape, made, depth_multiplier=1, **options)
    return convolved(w, "CONV_2D", (place, w.transposed(turned, (2, 0, 1, 3)), None), shape, made, **options)


def _weight_grad(w: Writing, node: Node) -> int:
    x, dy = node.inputs
    groups, outs = node.attrs["groups"], dy.shape[3]
    if groups == 1 or (is_depthwise(node, x.shape[3] // groups, outs) and outs == groups):
        return _dw(w, node, w.of(x), w.of(dy), groups > 1, node)
    return _by_groups(w, node, lambda x, dy: _dw(w, node, x, dy, False, None), (x.shape, 3), (dy.shape, 3))


def _dw(w: Writing, node: Node, x: int, dy: int, depthwise: bool, made: Node | None) -> int:
    at, (n, _, _, c), (_, h, width, outs) = node.attrs, w.shape(x), w.shape(dy)
    kernel, stride, dilation = at["kernel"], at["stride"], at["dilation"]
    seen = [
        (size - 1) * s + (k - 1) * d + 1 for size, s, k, d in zip((h, width), stride, kernel, dilation, strict=True)
    ]
    (top, _), (left, _) = at["padding"]
    image = spread(w, x, (1, 1), (top, left), (seen[0], seen[1]))
    if kernel == (1, 1) and not depthwise:
        if stride != (1, 1):
            image = w.cut(image, (0, 0, 0, 0), w.shape(image), (1, *stride, 1))
        rows = n * h * width
        both = (w.reshaped(image, (rows, c)), w.reshaped(dy, (rows, outs)))
        return w.reshaped(w.floats("BATCH_MATMUL", both, (c, outs), adj_x=True), (1, 1, c, outs), made)
    options = strides(dilation, stride) | {"padding": "valid"}
    if not depthwise:
        operands = (w.transposed(image, IMAGES), w.transposed(dy, IMAGES), None)
        turned = convolved(w, "CONV_2D", operands, (c, *kernel, outs), None, **options)
        spec = Spec((*kernel, c, outs))
        return w.operator("TRANSPOSE", (turned, w.numbers((1, 2, 0, 3))), spec, made)
    images, kernels = (w.reshaped(w.transposed(p, (1, 2, 0, 3)), (1, *w.shape(p)[1:3], n * c)) for p in (image, dy))
    operands, size = (images, kernels, None), (1, *kernel, n * c)
    each = convolved(w, "DEPTHWISE_CONV_2D", operands, size, None, depth_multiplier=1, **options)
    if n == 1:
        return w.reshaped(each, (*kernel, 1, c), made)
    summed = (w.reshaped(each, (*kernel, n, c)), w.numbers([2]))
    return w.floats("SUM", summed, (*kernel, 1, c), made, keep_dims=True)


def _by_groups(w: Writing, node: Node, one: Callable[[int, int], int], *axes: tuple[tuple[int, ...], int]) -> int:
    """The results of each group's operands, side by side in the last axis."""
    groups, places = node.attrs["groups"], [w.of(v) for v in node.inputs]
    made = []
    for group in range(groups):
        parts = []
        for place, (shape, axis) in zip(places, axes, strict=True):
            size = shape[axis] // groups
            starts = tuple(group * size if a == axis else 0 for a in range(len(shape)))
            stops = tuple((group + 1) * size if a == axis else n for a, n in enumerate(shape))
            parts.append(w.cut(place, starts, stops))
        made.append(one(*parts))
    return w.floats("CONCATENATION", made, node.specs[0].shape, node, axis=3)


RULES: Mapping[str, Rule] = MappingProxyType({"conv2d_input_grad": _input_grad, "conv2d_weight_grad": _weight_grad})
