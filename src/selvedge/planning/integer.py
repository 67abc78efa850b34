"""The kernel table's int8 rows: the native family of each, and the constants that its scales and weights become.

Where the weights are known and the core has vectors they are packed for the fast kernels (native/int8_conv.h), in
flash: panels of PANEL outputs, the products in pairs. Otherwise the plain kernels read them as they lie.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np

from ..errors import InvalidInput, NotSupported
from ..ir.graph import Node
from ..ir.integer.bound import fits_int32
from ..ir.integer.fixed_point import INT32_MAX, INT32_MIN
from ..ir.integer.requantise import INT8_MAX, INT8_MIN, Requantise, clamp
from ..ir.op import TABLE as OPS
from ..ir.ops.integer_convolution import conv_requantise, known, linear_requantise, sums
from ..ir.ops.integer_elementwise import adding, multiplying
from ..ir.ops.integer_pooling import mean_requantise
from ..ir.ops.integer_softmax import exponent_scaling
from .expression import broadcast_strides, collapse
from .int8_scratch import INT8_PANEL
from .kernel import Operand, Step
from .native import Machine, Native, conv_dims, is_depthwise, linear_dims
from .scratch import native_scratch


def _scaled(x: int, y: int, low: int, high: int, w: int = 0) -> dict[str, int]:
    """The fields of sv_int8."""
    return {"x_zero": x, "w_zero": w, "y_zero": y, "low": low, "high": high}


def _of(by: Requantise, x: int) -> dict[str, int]:
    return _scaled(x, by.zero_point, by.low, by.high)


def _require_int32(node: Node) -> None:
    """Every accumulator of ``node`` is proven to fit."""
    bound = sums(node)
    where = f"{node.op} at {node.where}" if node.where else node.op
    if bound is None:
        raise InvalidInput(f"{where}: bias", "state that may be anything", "make it a constant: see ir.frozen")
    if not fits_int32(bound):
        weights = "its weights" if known(node.inputs[1]) is not None else "int8 weights"
        fix = f"with {weights} they must fit in int32: split the layer"
        raise InvalidInput(f"{where}: accumulators", f"from {bound[0]} to {bound[1]}", fix)


def _leaves_room(node: Node, scales: np.ndarray) -> bool:
    """Is there room in int32 for what each multiplier makes of an accumulator, and for the half that is added before
    the shift to the right (native/int8_avx2.h)?"""
    low, high = sums(node) or (INT32_MIN, INT32_MAX)
    multipliers, right = scales[0].astype(np.int64), np.maximum(-scales[1].astype(np.int64), 0)
    made = (max(-low, high) * multipliers + (1 << 30)) >> 31
    return bool((made + (1 << right >> 1) <= INT32_MAX).all())


# -- convolution and linear -------------------------------------------------------------------------------------------


def _conv(node: Node, machine: Machine) -> Native:
    _require_int32(node)
    x, w = (v.shape for v in node.inputs[:2])
    d = conv_dims(x, node.specs[0].shape, (w[0], w[1]), node.attrs)
    by, outs = conv_requantise(node.attrs), w[3]
    shifts = by.shift * (outs if len(by.shift) == 1 else 1)
    scales = np.array([by.multiplier * (outs if len(by.multiplier) == 1 else 1), shifts], np.int32)
    params = {**d, **_of(by, node.attrs["quants"][0].zero_point[0])}
    wide = int(any(s > 0 for s in shifts) or not _leaves_room(node, scales))
    weights = known(node.inputs[1])
    if is_depthwise(d):
        return _plain("int8_depthwise", node, {**params, "wide": wide}, scales, machine)
    if weights is None or machine.lanes == 1 or d["groups"] > 1:
        return _plain("int8_conv2d_plain", node, params, scales)
    matrix = weights.reshape(w[0], -1, outs)
    constants = (packed(matrix), _panels(_biases(node, matrix)), _panels(scales))
    return _packed("int8_conv2d", {**params, "wide": wide}, constants, machine)


def _linear(node: Node, machine: Machine) -> Native:
    _require_int32(node)
    (outs, ins), rows = node.inputs[1].shape, prod(node.specs[0].shape[:-1])
    by = linear_requantise(node.attrs)
    zeros = [q.zero_point[0] for q in node.attrs["quants"]]
    # As pairs of int32: flash is aligned for those, and a unit has one real type.
    factors = np.array(by.scale * (outs if len(by.scale) == 1 else 1), "<f8")
    scaled = _scaled(zeros[0], by.zero_point, by.low, by.high, zeros[1])
    weights = known(node.inputs[1])
    if weights is None or machine.lanes == 1 or zeros[1]:
        params = {"rows": rows, "c": ins, "k": outs, **scaled}
        return _plain("int8_linear_plain", node, params, factors.view("<i4").reshape(outs, 2))
    filled = np.pad(factors, (0, -outs % INT8_PANEL), constant_values=1.0)
    matrix = weights.T[None]
    constants = (packed(matrix), _panels(_biases(node, matrix)), filled.view("<i4").reshape(-1, 2))
    return _packed("int8_linear", {**linear_dims(rows, ins, outs), **scaled}, constants, machine)


def _plain(
    family: str, node: Node, params: Mapping[str, Any], scales: np.ndarray, machine: Machine | None = None
) -> Native:
    reads = tuple(range(len(node.inputs)))
    scratch = 0 if machine is None else native_scratch(family, params, machine.lanes)
    return Native(family, reads, {**params, "bias": int(len(reads) == 3)}, scratch=scratch, constants=(scales,))


def _packed(family: str, params: Mapping[str, Any], constants: tuple[np.ndarray, ...], machine: Machine) -> Native:
    return Native(family, (0,), params, scratch=native_scratch(family, params, machine.lanes), constants=constants)


def _biases(node: Node, w: np.ndarray) -> np.ndarray:
    """int32 [2, outputs]: the biases, and the sums of each output's weights in w [rows, products, outputs]."""
    every = w.sum((0, 1), dtype=np.int32)
    found = known(node.inputs[2]) if len(node.inputs) == 3 else None
    return np.stack([np.zeros_like(every) if found is None else found, every])


def packed(w: np.ndarray) -> np.ndarray:
    """int8 [rows of a window, products, outputs] as [panels, rows, pairs, INT8_PANEL, 2], zeros behind the last."""
    rows, products, outs = w.shape
    filled = np.pad(w, ((0, 0), (0, products % 2), (0, -outs % INT8_PANEL)))
    parts = filled.reshape(rows, -1, 2, filled.shape[2] // INT8_PANEL, INT8_PANEL)
    return np.ascontiguousarray(parts.transpose(3, 0, 1, 4, 2))


def _panels(numbers: np.ndarray) -> np.ndarray:
    """With zeros to the end of the last panel."""
    return np.pad(numbers, [(0, 0)] * (numbers.ndim - 1) + [(0, -numbers.shape[-1] % INT8_PANEL)])


# -- element by element -----------------------------------------------------------------------------------------------


def _two(family: str) -> Callable[[Node, Machine], Native]:
    def lower(node: Node, machine: Machine) -> Native:
        a, b = node.inputs
        zeros = [q.zero_point[0] for q in node.attrs["quants"]]
        if family == "int8_add":
            add = adding(node.attrs)
            by, operands = add.result, [(r.zero_point, r.multiplier, r.shift) for r in (add.a, add.b)]
        else:
            by, operands = multiplying(node.attrs), [(zero, 0, 0) for zero in zeros]
        shape = node.specs[0].shape
        walks = tuple(Operand(i, broadcast_strides(v, shape)) for i, v in enumerate(node.inputs))
        extents, (step,), _, _ = collapse(shape, [Step(family, walks)])
        strides = [a.strides for a in step.args if isinstance(a, Operand)]
        params: dict[str, Any] = {
            "shape": extents or (1,),
            "a_strides": strides[0] or (0,),
            "b_strides": strides[1] or (0,),
            "operands": (*operands, (0, by.multiplier[0], by.shift[0])),
            "sizes": (a.spec.size, b.spec.size),
            **_of(by, 0),
        }
        if len(params["shape"]) > 6:
            raise NotSupported(node.op, node.where, "its operands repeat along too many axes: at most 6")
        whole = node.specs[0].size
        inplace = tuple((0, i) for i, v in enumerate((a, b)) if v.spec.size == whole)
        return Native(family, (0, 1), params, inplace=inplace)

    return lower


def _table(node: Node, machine: Machine) -> Native:
    return Native("int8_table", (0, 1), {"size": node.specs[0].size}, inplace=((0, 0),))


def _unary(node: Node, machine: Machine) -> Native:
    """A function of one int8 is a table of its 256 values."""
    every = np.arange(INT8_MIN, INT8_MAX + 1).astype(np.int8)
    entries = OPS[node.op].evaluate((every,), node.attrs)[0]
    return Native("int8_table", (0,), {"size": node.specs[0].size}, inplace=((0, 0),), constants=(entries,))


def _quantise(node: Node, machine: Machine) -> Native:
    quant = node.attrs["quant"]
    params = {"size": node.specs[0].size, "scale": quant.scale[0], "zero": quant.zero_point[0]}
    return Native("quantise", (0,), params)


def _dequantise(node: Node, machine: Machine) -> Native:
    quant, x = node.attrs["quants"][0], node.inputs[0]
    if quant.axis is not None or x.dtype != "int8":
        fix = "make it a constant, as ir.frozen does, and join it: see ir.joined"
        raise NotSupported(f"dequantise of {x.spec} with {len(quant.scale)} scales", node.where, fix)
    params = {"size": node.specs[0].size, "scale": quant.scale[0], "zero": quant.zero_point[0]}
    return Native("dequantise", (0,), params)


# -- pools, mean, softmax ---------------------------------------------------------------------------------------------


def pool_params(node: Node) -> dict[str, Any]:
    """Dimensions and windows of a pool."""
    n, h, w, c = node.inputs[0].shape
    windows = {axis: tuple(node.attrs[axis]) for axis in ("windows_h", "windows_w")}
    return {"n": n, "h": h, "w": w, "c": c, **{o: len(v) for o, v in zip(("oh", "ow"), windows.values(), strict=True)},
            **windows}  # fmt: skip


def _average_pool(node: Node, machine: Machine) -> Native:
    low, high = clamp(node.attrs["quants"][0], node.attrs["activation"])
    return Native("int8_average_pool", (0,), {**pool_params(node), "low": low, "high": high})


def _mean(node: Node, machine: Machine) -> Native:
    shape, axes = node.inputs[0].shape, [a for a in node.attrs["axes"] if node.inputs[0].shape[a] != 1]
    first, last = (axes[0], axes[-1] + 1) if axes else (len(shape), len(shape))
    if any(shape[a] != 1 for a in range(first, last) if a not in axes):
        raise NotSupported(f"{node.op} over axes {node.attrs['axes']}", node.where, "axes that lie side by side")
    count = prod(shape[a] for a in axes)
    by = mean_requantise(node.attrs, count)
    params = {"a": prod(shape[:first]), "r": count, "c": prod(shape[last:]), "multiplier": by.multiplier[0],
              "shift": by.shift[0]}  # fmt: skip
    return Native("int8_mean", (0,), {**params, **_of(by, node.attrs["quants"][0].zero_point[0])})


def _softmax(node: Node, machine: Machine) -> Native:
    shape, by = node.specs[0].shape, exponent_scaling(node.attrs)
    params = {"rows": prod(shape[:-1]), "n": shape[-1]}
    return Native("int8_softmax", (0,), {**params, "multiplier": by.multiplier, "shift": by.shift, "least": by.least})


def _nearest(node: Node, machine: Machine) -> Native:
    n, h, w, c = node.inputs[0].shape
    picks = {axis: tuple(node.attrs[axis]) for axis in ("rows", "columns")}
    return Native("nearest", (0,), {"n": n, "h": h, "w": w, "c": c, "picked_rows": picks["rows"],
                                    "picked_columns": picks["columns"]})  # fmt: skip


TABLE: dict[str, Callable[[Node, Machine], Native]] = {
    "quantise": _quantise,
    "dequantise": _dequantise,
    "requantise": _unary,
    "int8_relu": _unary,
    "int8_table": _table,
    "int8_conv2d": _conv,
    "int8_linear": _linear,
    "int8_add": _two("int8_add"),
    "int8_mul": _two("int8_mul"),
    "int8_average_pool": _average_pool,
    "int8_mean": _mean,
    "int8_softmax": _softmax,
    "nearest": _nearest,
}
