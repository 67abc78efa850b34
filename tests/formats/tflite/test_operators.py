"""Each operator on its own, of shapes, scales and values drawn by hypothesis: bit by bit LiteRT's reference."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.formats import tflite

from .litert import Reference, T, written

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "40"))
# Draws a case needs; each is a function of a generator alone, so that a failing seed is the whole of a failure.
Random = np.random.Generator


@dataclass
class Case:
    operator: str
    inputs: list[T]
    output: T
    kind: str = ""
    options: dict[str, Any] | None = None


def scale(r: Random, low: float = 1e-3, high: float = 0.5) -> float:
    return float(np.float32(np.exp(r.uniform(np.log(low), np.log(high)))))


def zero(r: Random) -> int:
    """Often at an end of int8."""
    return int(r.choice([-128, 127, 0, r.integers(-128, 128)]))


def activation(shape: tuple[int, ...], r: Random, low: float = 1e-3, high: float = 0.5) -> T:
    return T(shape, scale=scale(r, low, high), zero=zero(r))


def int8(r: Random, shape: tuple[int, ...], least: int = -127) -> np.ndarray:
    return r.integers(least, 128, shape).astype(np.int8)


def edge(r: Random) -> tuple[float, float]:
    """Two scales whose quotient is next to where a result changes its step: there every rounding of it shows."""
    x, step, below = int(r.integers(1, 256)), int(r.integers(0, 60)), float(np.float32(r.uniform(0.01, 0.1)))
    return float(np.float32((2 * step + 1) / (2 * x) * below)), below


ALL = (256,)  # a tensor of this shape is given every int8


def values(t: T, r: Random) -> np.ndarray:
    if t.shape in (ALL, (256, 1), (1, 256)) and t.dtype == "int8":
        return np.arange(-128, 128).astype(np.int8).reshape(t.shape)
    if t.dtype == "float32":
        return (r.normal(size=t.shape) * 10 ** r.uniform(-2, 3)).astype(np.float32)
    if r.random() < 0.3:
        return r.choice(np.array([-128, 127], np.int8), t.shape)
    return r.integers(-128, 128, t.shape).astype(np.int8)


def bias(r: Random, outs: int, x: T, weights: T) -> T:
    product = np.atleast_1d(np.float32(x.scale) * np.asarray(weights.scale, np.float32))
    return T((outs,), "int32", product.tolist(), data=r.integers(-30000, 30000, outs).astype(np.int32))


def fused(r: Random) -> int:
    return int(r.integers(0, 4))


def extent(size: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    reach = (kernel - 1) * dilation + 1
    return -(-size // stride) if padding == 0 else (size - reach) // stride + 1


def geometry(r: Random, size: tuple[int, int], kernel: tuple[int, int]) -> tuple[dict[str, int], tuple[int, int]]:
    stride = [int(n) for n in r.integers(1, 4, 2)]
    dilation = [int(r.choice([1, 1, 2])) if stride == [1, 1] else 1 for _ in (0, 1)]
    fits = all((k - 1) * d + 1 <= n for k, d, n in zip(kernel, dilation, size, strict=True))
    padding = int(r.integers(0, 2)) if fits else 0
    out = [extent(size[a], kernel[a], stride[a], dilation[a], padding) for a in (0, 1)]
    options = {
        "padding": padding, "strideH": stride[0], "strideW": stride[1],
        "dilationHFactor": dilation[0], "dilationWFactor": dilation[1], "fusedActivationFunction": fused(r),
    }  # fmt: skip
    return options, (out[0], out[1])


def conv(r: Random) -> Case:
    size, kernel = tuple(r.integers(1, 8, 2).tolist()), tuple(r.integers(1, 4, 2).tolist())
    groups = int(r.choice([1, 1, 2]))
    per_group, outs = int(r.integers(1, 5)), groups * int(r.integers(1, 4))
    options, out = geometry(r, size, kernel)
    x = activation((int(r.integers(1, 3)), *size, per_group * groups), r)
    scales = [scale(r) for _ in range(outs)] if r.random() < 0.7 else [scale(r)]
    w = T((outs, *kernel, per_group), scale=scales, data=int8(r, (outs, *kernel, per_group)))
    y = activation((x.shape[0], *out, outs), r, 0.01, 2)
    return Case("CONV_2D", [x, w, bias(r, outs, x, w)], y, "Conv2DOptions", options)


def depthwise(r: Random) -> Case:
    size, kernel = tuple(r.integers(1, 8, 2).tolist()), tuple(r.integers(1, 4, 2).tolist())
    channels, times = int(r.integers(1, 5)), int(r.choice([1, 1, 2]))
    options, out = geometry(r, size, kernel)
    # LiteRT's depthwise kernels take one stride for both axes only in their optimised form; the reference takes two.
    x = activation((1, *size, channels), r)
    outs = channels * times
    w = T((1, *kernel, outs), scale=[scale(r) for _ in range(outs)], axis=3, data=int8(r, (1, *kernel, outs)))
    y = activation((1, *out, outs), r, 0.01, 2)
    return Case(
        "DEPTHWISE_CONV_2D", [x, w, bias(r, outs, x, w)], y, "DepthwiseConv2DOptions",
        {**options, "depthMultiplier": times},
    )  # fmt: skip


def linear(r: Random) -> Case:
    ins, outs, rows = (int(n) for n in r.integers(1, 9, 3))
    keep = bool(r.integers(0, 2))
    x = activation((rows, 1, ins) if keep else (rows, ins), r)
    by_channel = r.random() < 0.5 and outs > 1
    w = T((outs, ins), scale=[scale(r) for _ in range(outs)] if by_channel else scale(r), data=int8(r, (outs, ins)))
    # Some results lie exactly between two steps: there the rounding shows.
    y = activation((*x.shape[:-1], outs), r, 0.01, 2)
    if r.random() < 0.3:
        x.scale, w.scale, y.scale = 0.5, 0.25, 0.25
    inputs = [x, w, bias(r, outs, x, w)] if r.random() < 0.8 else [x, w]
    return Case(
        "FULLY_CONNECTED", inputs, y, "FullyConnectedOptions",
        {"keepNumDims": keep, "fusedActivationFunction": fused(r)},
    )  # fmt: skip


def pool(operator: str) -> Callable[[Random], Case]:
    def case(r: Random) -> Case:
        size, kernel = tuple(r.integers(1, 8, 2).tolist()), tuple(r.integers(1, 4, 2).tolist())
        options, out = geometry(r, size, kernel)
        while options["dilationHFactor"] * options["dilationWFactor"] > 1:
            options, out = geometry(r, size, kernel)
        x = activation((2, *size, 3), r)
        made = {k: v for k, v in options.items() if "dilation" not in k}
        y = T((2, *out, 3), scale=x.scale, zero=x.zero)
        return Case(operator, [x], y, "Pool2DOptions", {**made, "filterHeight": kernel[0], "filterWidth": kernel[1]})

    return case


def add(r: Random) -> Case:
    if r.random() < 0.5:
        # All pairs, in a result that few of them saturate: some lie within 2**-20 of a step.
        a, b = activation((256, 1), r, 0.05), activation((1, 256), r, 0.05)
        least = float(max(a.scale, b.scale))
        return Case("ADD", [a, b], activation((256, 256), r, least, 2 * least), "AddOptions", {})
    shape = tuple(r.integers(1, 5, 3).tolist())
    other = tuple(1 if r.random() < 0.3 else n for n in shape)
    a, b = activation(shape, r), activation(other, r)
    return Case("ADD", [a, b], activation(shape, r, 0.01, 1), "AddOptions", {"fusedActivationFunction": fused(r)})


def mul(r: Random) -> Case:
    a, b = activation((256, 1), r), activation((1, 256), r)
    y = activation((256, 256), r, 1e-3, 1)
    return Case("MUL", [a, b], y, "MulOptions", {"fusedActivationFunction": fused(r)})


def resize(r: Random) -> Case:
    x = activation((1, *r.integers(1, 9, 2).tolist(), 2), r)
    size = r.integers(1, 20, 2).astype(np.int32)
    corners, half = [(False, False), (True, False), (False, True)][int(r.integers(0, 3))]
    y = T((1, *size.tolist(), 2), scale=x.scale, zero=x.zero)
    return Case(
        "RESIZE_NEAREST_NEIGHBOR", [x, T((2,), "int32", data=size)], y, "ResizeNearestNeighborOptions",
        {"alignCorners": corners, "halfPixelCenters": half},
    )  # fmt: skip


def softmax(r: Random) -> Case:
    shape = (3, int(r.choice([1, 2, 10, 300])))
    y = T(shape, scale=1 / 256, zero=-128)
    return Case("SOFTMAX", [activation(shape, r, 1e-4, 4)], y, "SoftmaxOptions", {"beta": float(r.choice([1, 0.5, 2]))})


def logistic(r: Random) -> Case:
    return Case("LOGISTIC", [activation(ALL, r)], T(ALL, scale=1 / 256, zero=-128))


def tanh(r: Random) -> Case:
    return Case("TANH", [activation(ALL, r)], activation(ALL, r, 1 / 256, 1 / 64))


def relu(operator: str) -> Callable[[Random], Case]:
    def case(r: Random) -> Case:
        x, y = activation(ALL, r), activation(ALL, r)
        if r.random() < 0.7:
            x.scale, y.scale = edge(r)
        return Case(operator, [x], y)

    return case


def mean(r: Random) -> Case:
    shape = tuple(r.integers(1, 6, 4).tolist())
    axes = sorted(r.permutation(4)[: int(r.integers(1, 4))].tolist())
    keep = bool(r.integers(0, 2))
    made = tuple((1 if a in axes else n) for a, n in enumerate(shape) if keep or a not in axes)
    given = np.array([a - 4 if r.random() < 0.3 else a for a in axes], np.int32)
    x, y = activation(shape, r), activation(made, r)
    return Case("MEAN", [x, T(given.shape, "int32", data=given)], y, "ReducerOptions", {"keepDims": keep})


def quantize(r: Random) -> Case:
    x, y = T(ALL, "float32") if r.random() < 0.5 else activation(ALL, r), activation(ALL, r)
    if x.dtype == "int8" and r.random() < 0.7:
        x.scale, y.scale = edge(r)
    return Case("QUANTIZE", [x], y, "QuantizeOptions")


def dequantize(r: Random) -> Case:
    return Case("DEQUANTIZE", [activation(ALL, r)], T(ALL, "float32"), "DequantizeOptions")


def concatenation(r: Random) -> Case:
    shape, axis = r.integers(1, 4, 3).tolist(), int(r.integers(-3, 3))
    first = activation(tuple(shape), r)
    parts = []
    for _ in range(int(r.integers(1, 4))):
        own = list(shape)
        own[axis] = int(r.integers(1, 4))
        parts.append(T(tuple(own), scale=first.scale, zero=first.zero))
    made = list(shape)
    made[axis] = sum(p.shape[axis] for p in parts)
    y = T(tuple(made), scale=first.scale, zero=first.zero)
    return Case("CONCATENATION", parts, y, "ConcatenationOptions", {"axis": axis})


def pad(r: Random) -> Case:
    x = activation(tuple(r.integers(1, 4, 4).tolist()), r)
    amounts = r.integers(0, 3, (4, 2)).astype(np.int32)
    made = tuple(int(n + a.sum()) for n, a in zip(x.shape, amounts, strict=True))
    return Case("PAD", [x, T((4, 2), "int32", data=amounts)], T(made, scale=x.scale, zero=x.zero), "PadOptions")


def pad_with_a_value(r: Random) -> Case:
    case = pad(r)
    value = r.integers(-128, 128, 1).astype(np.int8)
    inputs = [*case.inputs, T((1,), scale=case.inputs[0].scale, zero=case.inputs[0].zero, data=value)]
    return Case("PADV2", inputs, case.output, "PadV2Options")


def strided_slice(r: Random) -> Case:
    x = activation(tuple(r.integers(1, 6, 4).tolist()), r)
    starts = [int(r.integers(0, n)) for n in x.shape]
    stops = [int(r.integers(a + 1, n + 1)) for a, n in zip(starts, x.shape, strict=True)]
    steps = r.integers(1, 3, 4).tolist()
    made = tuple(len(range(*ends)) for ends in zip(starts, stops, steps, strict=True))
    ends = [T((4,), "int32", data=np.array(numbers, np.int32)) for numbers in (starts, stops, steps)]
    return Case("STRIDED_SLICE", [x, *ends], T(made, scale=x.scale, zero=x.zero), "StridedSliceOptions")


def transpose(r: Random) -> Case:
    x, order = activation(tuple(r.integers(1, 5, 4).tolist()), r), r.permutation(4).astype(np.int32)
    made = tuple(x.shape[a] for a in order)
    y = T(made, scale=x.scale, zero=x.zero)
    return Case("TRANSPOSE", [x, T((4,), "int32", data=order)], y, "TransposeOptions")


def reshape(r: Random) -> Case:
    x = activation((2, 3, 4), r)
    shape = [(24,), (4, 6), (2, 12), (1, 2, 12)][int(r.integers(0, 4))]
    given = np.array([-1 if i == 0 else n for i, n in enumerate(shape)], np.int32)
    y = T(shape, scale=x.scale, zero=x.zero)
    return Case("RESHAPE", [x, T(given.shape, "int32", data=given)], y, "ReshapeOptions")


CASES: dict[str, Callable[[Random], Case]] = {
    "ADD": add,
    "AVERAGE_POOL_2D": pool("AVERAGE_POOL_2D"),
    "CONCATENATION": concatenation,
    "CONV_2D": conv,
    "DEPTHWISE_CONV_2D": depthwise,
    "DEQUANTIZE": dequantize,
    "FULLY_CONNECTED": linear,
    "LOGISTIC": logistic,
    "MAX_POOL_2D": pool("MAX_POOL_2D"),
    "MEAN": mean,
    "MUL": mul,
    "PAD": pad,
    "PADV2": pad_with_a_value,
    "QUANTIZE": quantize,
    "RELU": relu("RELU"),
    "RELU6": relu("RELU6"),
    "RELU_N1_TO_1": relu("RELU_N1_TO_1"),
    "RESHAPE": reshape,
    "RESIZE_NEAREST_NEIGHBOR": resize,
    "SOFTMAX": softmax,
    "STRIDED_SLICE": strided_slice,
    "TANH": tanh,
    "TRANSPOSE": transpose,
}


def test_every_operator_has_a_case() -> None:
    from selvedge.formats.tflite.graph import RULES
    from selvedge.formats.tflite.schema import OPERATORS

    written = {"CAST", "GATHER"}  # of tables: no int8 row is read from either alone
    assert set(CASES) == set(RULES) == {kind.name for kind in OPERATORS.values()} - written


@pytest.mark.parametrize("operator", CASES)
@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_an_operator_is_the_references_bit_by_bit(operator: str, seed: int) -> None:
    r = np.random.default_rng(seed)
    case = CASES[operator](r)
    data = written(case.operator, case.inputs, case.output, case.options, case.kind)
    arrays = [values(t, r) for t in case.inputs if t.data is None]
    got = tflite.compute(tflite.parse(data), arrays)[len(case.inputs)]
    expected = Reference(data).run(arrays, [len(case.inputs)])[len(case.inputs)]
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(got, expected)
