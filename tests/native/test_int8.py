"""The int8 kernels are the op table's numpy, bit for bit, through the planner's own packing and constants.

The numpy meaning is LiteRT's reference kernels', bit for bit: tests/formats/tflite."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge import ir
from selvedge.ir.integer.fixed_point import multiply, quantise_multiplier
from selvedge.ir.quant import Quant
from selvedge.planning.families import lower_node
from selvedge.planning.native import Machine, Native

from .build import Conv, Kernels, compile_kernels
from .test_kernels import builds

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "20"))
Random = np.random.Generator
SCALED = ("x_zero", "w_zero", "y_zero", "low", "high")


@pytest.fixture(scope="module", params=builds(), ids=lambda row: "-".join(str(part) for part in row[:3]))
def kernels(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    return compile_kernels(tmp_path_factory.mktemp("native"), *request.param, unit="int8.c")


def quant(r: Random, low: float = 1e-3, high: float = 0.5) -> Quant:
    """Zero points are often at an end."""
    zero = int(r.choice([-128, 127, 0, r.integers(-128, 128)]))
    return Quant((float(np.float32(np.exp(r.uniform(np.log(low), np.log(high))))),), (zero,))


def by_channel(r: Random, outs: int, axis: int) -> Quant:
    if r.random() < 0.3:
        return Quant(quant(r).scale)
    return Quant(tuple(quant(r).scale[0] for _ in range(outs)), (0,), axis if outs > 1 else None)


def codes(r: Random, shape: tuple[int, ...]) -> np.ndarray:
    if r.random() < 0.3:
        return r.choice(np.array([-128, 127], np.int8), shape)
    return r.integers(-128, 128, shape).astype(np.int8)


def activation(r: Random) -> str:
    return str(r.choice(["none", "relu", "relu6", "relu_n1_to_1"]))


def leaf(name: str, array: np.ndarray, quant: Quant | None = None) -> ir.Value:
    return ir.input_leaf(name, ir.Spec(array.shape, array.dtype.name, quant))


def constants(native: Native) -> list[np.ndarray]:
    return [np.ascontiguousarray(c) for c in native.constants]


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def scaled(native: Native) -> np.ndarray:
    return ints(*(native.params[f] for f in SCALED))


def dims(native: Native) -> Conv:
    return Conv(**{f: native.params[f] for f in Conv.__dataclass_fields__})


def aligned(size: int) -> np.ndarray:
    """Scratch that was never written."""
    made = np.random.default_rng(size).integers(-128, 128, size + 64).astype(np.int8)
    return made[-made.ctypes.data % 64 :][:size]


def drawn(test: Callable[..., None]) -> Callable[..., None]:
    given_ = given(seed=st.integers(0, 2**32 - 1))
    return settings(max_examples=EXAMPLES, deadline=None)(given_(test))


def convolution(r: Random) -> tuple[ir.Value, list[np.ndarray]]:
    kernel, size = tuple(r.integers(1, 4, 2).tolist()), tuple(r.integers(1, 9, 2).tolist())
    stride, dilation = tuple(r.integers(1, 3, 2).tolist()), tuple(int(n) for n in r.choice([1, 1, 2], 2))
    least = [max(0, (k - 1) * d + 1 - n) for k, d, n in zip(kernel, dilation, size, strict=True)]
    padding = tuple((int(r.integers(0, 3)) + n, int(r.integers(0, 3))) for n in least)
    kind = r.choice(["one", "groups", "depthwise"])
    groups = {"one": 1, "groups": 2, "depthwise": int(r.choice([2, 5, 16, 17, 33, 48]))}[str(kind)]
    per_group, each = (1, 1) if kind == "depthwise" else (int(r.integers(1, 20)), int(r.integers(1, 20)))
    outs = groups * each
    x, w = codes(r, (int(r.integers(1, 3)), *size, groups * per_group)), codes(r, (*kernel, per_group, outs))
    bias = r.integers(-(2**20), 2**20, outs).astype(np.int32)
    qx, qw = quant(r), by_channel(r, outs, 3)
    arrays = [x, w, bias] if r.random() < 0.8 else [x, w]
    # Some multipliers are above one.
    y = quant(r, 1e-4, 2)
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    inputs = [leaf("x", x, qx), ir.constant(w, quant=qw), *(ir.constant(b) for b in arrays[2:])]
    attrs = {**geometry, "quants": (qx, qw), "quant": y, "activation": activation(r)}
    return ir.apply("int8_conv2d", *inputs, **attrs), arrays


@drawn
def test_convolutions(kernels: Kernels, seed: int) -> None:
    r = np.random.default_rng(seed)
    made, arrays = convolution(r)
    expected = ir.evaluate_node(made.node, arrays)[0]
    for lanes in (1, 8):
        native = lower_node(made.node, Machine(lanes, 4096))
        got = np.zeros(expected.shape, np.int8)
        own = [np.ascontiguousarray(arrays[i]) for i in native.reads]
        if native.family == "int8_conv2d":
            scratch = aligned(native.scratch)
            read = [*own, *constants(native)]
            kernels("conv", got, *read, dims(native), scaled(native), scratch, native.params["wide"])
        else:
            bias = own[2] if native.params["bias"] else None
            read = [*own[:2], bias, *constants(native), dims(native), scaled(native)]
            kernels("conv_plain", got, *read)
            if native.family == "int8_depthwise":
                np.testing.assert_array_equal(got, expected)
                ring = aligned(native.scratch) if native.scratch else None
                kernels("depthwise", got, *read, ring)
        np.testing.assert_array_equal(got, expected, err_msg=native.family)


@drawn
def test_linear_layers(kernels: Kernels, seed: int) -> None:
    r = np.random.default_rng(seed)
    rows, ins, outs = (int(n) for n in r.integers(1, 40, 3))
    x, w = codes(r, (rows, ins)), codes(r, (outs, ins))
    bias = r.integers(-(2**20), 2**20, outs).astype(np.int32)
    qx, qw = quant(r), by_channel(r, outs, 0) if r.random() < 0.7 else quant(r)
    y = quant(r, 1e-4, 2)
    if r.random() < 0.3:  # results halfway between two steps
        qx, qw, y = (Quant((s,), q.zero_point) for s, q in zip((0.5, 0.25, 0.25), (qx, Quant((1.0,)), y), strict=True))
    inputs = [leaf("x", x, qx), ir.constant(w, quant=qw), ir.constant(bias)]
    made = ir.apply("int8_linear", *inputs, quants=(qx, qw), quant=y, activation=activation(r))
    expected = ir.evaluate_node(made.node, [x, w, bias])[0]
    for lanes in (1, 8):
        native = lower_node(made.node, Machine(lanes, 4096))
        got = np.zeros(expected.shape, np.int8)
        if native.family == "int8_linear":
            scratch = aligned(native.scratch)
            kernels("linear", got, x, *constants(native), dims(native), scaled(native), scratch)
        else:
            kernels("linear_plain", got, x, w, bias, *constants(native), rows, ins, outs, scaled(native))
        np.testing.assert_array_equal(got, expected, err_msg=native.family)


@drawn
def test_sums_and_products(kernels: Kernels, seed: int) -> None:
    r = np.random.default_rng(seed)
    shape = tuple(int(n) for n in r.integers(1, 12, int(r.integers(0, 5))))
    shapes = [tuple(1 if r.random() < 0.2 else n for n in shape) for _ in range(2)]
    a, b = (codes(r, s) for s in shapes)
    qa, qb = quant(r), quant(r)
    for op in ("int8_add", "int8_mul"):
        y = quant(r, 1e-2, 2)
        attrs: dict[str, Any] = {"quants": (qa, qb), "quant": y, "activation": activation(r)}
        made = ir.apply(op, leaf("a", a, qa), leaf("b", b, qb), **attrs)
        expected = ir.evaluate_node(made.node, [a, b])[0]
        native = lower_node(made.node, Machine(8, 4096))
        p, got = native.params, np.zeros(expected.shape, np.int8)
        walks = [ints(*p[k]) for k in ("shape", "a_strides", "b_strides")]
        operands = ints(*(n for one in p["operands"] for n in one))
        kernels(op.removeprefix("int8_"), got, a, b, len(p["shape"]), *walks, operands, scaled(native))
        np.testing.assert_array_equal(got, expected)
        for write, read in native.inplace:  # the result in the place of an operand
            over = [a.copy(), b.copy()]
            kernels(op.removeprefix("int8_"), over[read], *over, len(p["shape"]), *walks, operands, scaled(native))
            np.testing.assert_array_equal(over[read].reshape(expected.shape), expected)
            assert write == 0


@drawn
def test_unary_rows_are_tables(kernels: Kernels, seed: int) -> None:
    r = np.random.default_rng(seed)
    x, qx, y = np.arange(-128, 128).astype(np.int8), quant(r), quant(r)
    given_ = leaf("x", x, qx)
    rows = [
        ir.apply("requantise", given_, quants=(qx,), quant=y),
        ir.apply("int8_relu", given_, quants=(qx,), quant=y, activation=activation(r)),
        ir.apply("int8_table", given_, ir.constant(codes(r, (256,))), quants=(qx,), quant=y),
    ]
    for made in rows:
        arrays = [x, *(v.node.attrs["value"] for v in made.node.inputs[1:])]
        native, got = lower_node(made.node, Machine(8, 4096)), np.zeros(256, np.int8)
        kernels("table", got, *[arrays[i] for i in native.reads], *constants(native), 256)
        np.testing.assert_array_equal(got, ir.evaluate_node(made.node, arrays)[0])


@drawn
def test_from_and_to_real_numbers(kernels: Kernels, seed: int) -> None:
    r = np.random.default_rng(seed)
    q = quant(r, 1e-30 if r.random() < 0.1 else 1e-3)
    halves = (r.integers(-300, 300, 40) / 2 * q.scale[0]).astype(np.float32)
    special = [np.nan, np.inf, -np.inf, 0.0, -0.0, 3e38, np.float32(0.49999997) * q.scale[0]]
    x = kernels.real(np.concatenate([halves, special, r.normal(size=20) * 10 ** r.uniform(-2, 3)]))
    made = ir.apply("quantise", leaf("x", x), quant=q)
    got, scale = np.zeros(x.shape, np.int8), np.array(q.scale, np.float32)
    kernels("quantise", got, x, x.size, scale, q.zero_point[0])
    np.testing.assert_array_equal(got, ir.evaluate_node(made.node, [x])[0])
    every = np.arange(-128, 128).astype(np.int8)
    made = ir.apply("dequantise", leaf("x", every, q), quants=(q,), dtype=x.dtype.name)
    back = kernels.empty(256)
    kernels("dequantise", back, every, 256, scale, q.zero_point[0])
    np.testing.assert_array_equal(back, ir.evaluate_node(made.node, [every])[0])


@drawn
def test_pools_means_and_picks(kernels: Kernels, seed: int) -> None:
    r = np.random.default_rng(seed)
    n, h, w, c = (int(r.integers(1, k)) for k in (3, 9, 9, 80))
    x, q = codes(r, (n, h, w, c)), quant(r)
    windows = []
    for size in (h, w):
        starts = r.integers(0, size, int(r.integers(1, 5)))
        windows.append(tuple((int(s), int(r.integers(s + 1, size + 1)), 1) for s in starts))
    sizes = ints(n, h, w, c, *map(len, windows))
    tables = [np.array(t, np.int16).reshape(-1) for t in windows]
    both = {"windows_h": windows[0], "windows_w": windows[1]}
    y, _ = ir.results("max_pool", leaf("x", x, q), **both)
    assert y.spec.quant == q
    expected, at = ir.evaluate_node(y.node, [x])
    got, where = np.zeros(expected.shape, np.int8), np.zeros(expected.shape, np.uint8)
    kernels("max_pool", got, where, x, sizes, *tables)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(where, at)
    kernels("max_pool", got, None, x, sizes, *tables)
    np.testing.assert_array_equal(got, expected)
    made = ir.apply("int8_average_pool", leaf("x", x, q), quants=(q,), activation=activation(r), **both)
    p = lower_node(made.node, Machine(8, 4096)).params
    kernels("average_pool", got, x, sizes, *tables, p["low"], p["high"])
    np.testing.assert_array_equal(got, ir.evaluate_node(made.node, [x])[0])
    axes = tuple(range(*sorted(r.choice(5, 2, replace=False).tolist())))
    made = ir.apply("int8_mean", leaf("x", x, q), axes=axes, keepdims=False, quants=(q,), quant=quant(r))
    native, expected = lower_node(made.node, Machine(8, 4096)), ir.evaluate_node(made.node, [x])[0]
    got = np.zeros(expected.shape, np.int8)
    kernels("mean", got, x, *(native.params[k] for k in ("a", "r", "c", "multiplier", "shift")), scaled(native))
    np.testing.assert_array_equal(got, expected)
    rows, columns = (tuple(int(i) for i in r.integers(0, size, 5)) for size in (h, w))
    made = ir.apply("nearest", leaf("x", x, q), rows=rows, columns=columns)
    got = np.zeros(made.shape, np.int8)
    kernels("nearest", got, x, ints(n, h, w, c, 5, 5), ints(*rows), ints(*columns))
    np.testing.assert_array_equal(got, ir.evaluate_node(made.node, [x])[0])


@drawn
def test_softmax(kernels: Kernels, seed: int) -> None:
    r = np.random.default_rng(seed)
    rows, n = int(r.integers(1, 4)), int(r.choice([1, 2, 3, 12, 300, 4095]))
    x, q = codes(r, (rows, n)), quant(r, 1e-3, 3)
    if r.random() < 0.3:
        x[:] = x[0, 0]  # the largest sum that there is
    made = ir.apply("int8_softmax", leaf("x", x, q), beta=float(r.uniform(0.5, 2)), quants=(q,))
    p, got = lower_node(made.node, Machine(8, 4096)).params, np.zeros(x.shape, np.int8)
    kernels("softmax", got, x, rows, n, p["multiplier"], p["shift"], p["least"])
    np.testing.assert_array_equal(got, ir.evaluate_node(made.node, [x])[0])


@drawn
def test_every_accumulator_is_rescaled_as_in_exact_arithmetic(kernels: Kernels, seed: int) -> None:
    r = np.random.default_rng(seed)
    multiplier, shift = quantise_multiplier(float(np.exp(r.uniform(-22, 10))))
    ends = [-(2**31), 2**31 - 1, -(2**31) + 1, 0, 1, -1, 2**30, -(2**30)]
    x = np.concatenate(
        [ints(*ends), r.integers(-(2**31), 2**31, 50).astype(np.int32), r.integers(-99, 99, 38).astype(np.int32)]
    )
    got = np.zeros_like(x)
    kernels("scaled", got, x, x.size, multiplier, shift)
    np.testing.assert_array_equal(got, multiply(x.astype(np.int64), multiplier, shift))
    (low, high), zero = sorted(r.integers(-128, 128, 2)), int(r.integers(-128, 128))
    q, small, vectors = ints(0, 0, zero, low, high), x >> 1, np.zeros_like(x)
    bytes_, plain = np.zeros(x.size, np.int8), np.zeros(x.size, np.int8)
    if shift <= 0 and kernels("scaled_8", vectors, bytes_, small, x.size, multiplier, shift, q):
        np.testing.assert_array_equal(vectors, multiply(small.astype(np.int64), multiplier, shift))
        kernels("narrowed", plain, vectors, x.size, q)
        np.testing.assert_array_equal(bytes_, plain)
