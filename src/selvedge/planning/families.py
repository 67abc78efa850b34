"""The kernel table: for every op that is not a fused loop, the native family that runs it, its dimensions as plain
integers, its tile and its scratch."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from ..errors import NotSupported
from ..ir.graph import Node
from ..ir.ops.recurrent import GATES, sizes
from .integer import TABLE as INTEGER
from .integer import pool_params
from .native import Machine, Native, conv_dims, is_depthwise, linear_dims
from .scratch import native_scratch
from .sparse import TABLE as SPARSE


def lower_node(node: Node, machine: Machine) -> Native:
    """The native call for ``node``."""
    row = TABLE.get(node.op)
    if row is None:
        raise NotSupported(node.op, node.where, "no native kernel runs this operator yet")
    return row(node, machine)


# -- convolution and linear -----------------------------------------------------------------------------------------


def _conv(node: Node, machine: Machine) -> Native:
    x, w = (v.shape for v in node.inputs)
    d = conv_dims(x, node.specs[0].shape, (w[0], w[1]), node.attrs)
    if is_depthwise(d):
        return Native("depthwise", (0, 1), d, unit=d["ow"] * d["c"], units=d["n"] * d["oh"])
    return Native("conv2d", (0, 1), d, unit=d["k"], units=d["n"] * d["oh"] * d["ow"])


def _conv_input_grad(node: Node, machine: Machine) -> Native:
    dy, w = (v.shape for v in node.inputs[:2])
    d = conv_dims(node.specs[0].shape, dy, (w[0], w[1]), node.attrs)
    if is_depthwise(d):
        return Native("depthwise_input_grad", (0, 1), d)
    scratch = native_scratch("conv2d_input_grad", d, machine.lanes)
    if len(node.inputs) == 3:  # adds onto its third operand
        return Native("conv2d_input_grad_onto", (0, 1, 2), d, scratch=scratch, inplace=((0, 2),))
    return Native("conv2d_input_grad", (0, 1), d, scratch=scratch)


def _conv_weight_grad(node: Node, machine: Machine) -> Native:
    x, dy = (v.shape for v in node.inputs)
    d = conv_dims(x, dy, node.attrs["kernel"], node.attrs)
    if is_depthwise(d):
        return Native("depthwise_weight_grad", (0, 1), d, unit=d["c"], units=d["kh"] * d["kw"])
    return Native("conv2d_weight_grad", (0, 1), d, unit=d["k"], units=d["kh"] * d["kw"] * (d["c"] // d["groups"]))


def _matmul(node: Node, machine: Machine) -> Native:
    """Two-dimensional products are linear layers and run as 1 x 1 convolutions; the rest are batched products."""
    a = node.inputs[0].shape
    trans_a, trans_b = bool(node.attrs["trans_a"]), bool(node.attrs["trans_b"])
    m, n = node.specs[0].shape[-2:]
    inner = a[-2] if trans_a else a[-1]
    if len(a) == 2 and not trans_a and not trans_b:
        d = linear_dims(m, inner, n)
        return Native("conv2d", (0, 1), d, unit=n, units=m)
    if len(a) == 2 and not trans_a and trans_b:
        d = linear_dims(m, n, inner)
        return Native("conv2d_input_grad", (0, 1), d, scratch=native_scratch("conv2d_input_grad", d, machine.lanes))
    if len(a) == 2 and trans_a and not trans_b:
        d = linear_dims(inner, m, n)
        return Native("conv2d_weight_grad", (0, 1), d, unit=n, units=m)
    params = {"batch": prod(a[:-2]), "m": m, "n": n, "k": inner, "trans_a": int(trans_a), "trans_b": int(trans_b)}
    return Native("matmul", (0, 1), params)


# -- pooling --------------------------------------------------------------------------------------------------------


def _pool(
    family: str, reads: tuple[int, ...], x_of: Callable[[Node], tuple[int, ...]], optional: tuple[int, ...] = ()
) -> Any:
    def lower(node: Node, machine: Machine) -> Native:
        if any(spec.dtype == "int32" for spec in (*node.specs, *(v.spec for v in node.inputs))):
            raise NotSupported(node.op, node.where, "a window of more than 256 elements; pool in two steps")
        if node.specs[0].dtype == "int8":
            return Native(f"int8_{family}", reads, pool_params(node), optional=optional)
        n, h, w, c = x_of(node)
        a = node.attrs
        params = {
            "n": n, "h": h, "w": w, "c": c, "oh": len(a["windows_h"]), "ow": len(a["windows_w"]),
            "windows_h": tuple(a["windows_h"]), "windows_w": tuple(a["windows_w"]),
        }  # fmt: skip
        if "counts_h" in a:
            params |= {"counts_h": tuple(a["counts_h"]), "counts_w": tuple(a["counts_w"])}
        return Native(family, reads, params, optional=optional)

    return lower


def _input_shape(node: Node) -> tuple[int, ...]:
    return node.inputs[0].shape


def _output_shape(node: Node) -> tuple[int, ...]:
    return node.specs[0].shape


# -- rows, statistics, losses ----------------------------------------------------------------------------------------


def _rows(family: str, reads: tuple[int, ...], inplace: tuple[tuple[int, int], ...] = ()) -> Any:
    def lower(node: Node, machine: Machine) -> Native:
        shape = node.specs[0].shape
        return Native(family, reads, {"rows": prod(shape[:-1]), "n": shape[-1]}, inplace=inplace)

    return lower


def _normalize(node: Node, machine: Machine) -> Native:
    params = {**dict(zip("abgd", node.specs[0].shape, strict=True)), "eps": float(node.attrs["eps"])}
    return Native("normalize", (0,), params, inplace=((0, 0),))


def _normalize_grad(node: Node, machine: Machine) -> Native:
    params = dict(zip("abgd", node.specs[0].shape, strict=True))
    return Native("normalize_grad", (0, 1, 2), params, inplace=((0, 0),))


def _cross_entropy(node: Node, machine: Machine) -> Native:
    rows, n = node.inputs[0].shape
    params = {"rows": rows, "n": n, "smoothing": float(node.attrs["label_smoothing"])}
    return Native("cross_entropy", (0, 1), params)


def _cross_entropy_grad(node: Node, machine: Machine) -> Native:
    rows, n = node.specs[0].shape
    params = {"rows": rows, "n": n, "smoothing": float(node.attrs["label_smoothing"])}
    return Native("cross_entropy_grad", (0, 1, 2), params, inplace=((0, 0),))


def _ctc(node: Node, machine: Machine) -> Native:
    n, steps, classes = node.inputs[0].shape
    params = {"n": n, "steps": steps, "classes": classes, "longest": node.inputs[1].shape[1]}
    params |= {"blank": node.attrs["blank"], "zero": int(node.attrs["zero_infinity"])}
    scratch = native_scratch("ctc", params, machine.lanes)
    return Native("ctc", (0, 1), params, scratch=scratch, inplace=((1, 0),))


# -- saved activations made small ------------------------------------------------------------------------------------


def _pack_mask(node: Node, machine: Machine) -> Native:
    return Native("pack_mask", (0,), {"size": node.inputs[0].spec.size, **node.attrs})


def _quantize_channels(node: Node, machine: Machine) -> Native:
    shape = node.specs[0].shape
    return Native("quantize_channels", (0,), {"rows": prod(shape[:-1]), "n": shape[-1]})


# -- moving data -----------------------------------------------------------------------------------------------------


def _transpose(node: Node, machine: Machine) -> Native:
    params = {"shape": node.inputs[0].shape, "perm": tuple(node.attrs["perm"])}
    return Native("transpose", (0,), params)


def _slice(node: Node, machine: Machine) -> Native:
    a = node.attrs
    params = {
        "shape": node.inputs[0].shape,
        "out": node.specs[0].shape,
        "starts": tuple(a["starts"]),
        "steps": tuple(a["steps"]),
    }
    return Native("slice", (0,), params)


def _unslice(node: Node, machine: Machine) -> Native:
    a = node.attrs
    params = {
        "shape": node.inputs[0].shape,
        "out": node.specs[0].shape,
        "starts": tuple(a["starts"]),
        "steps": tuple(a["steps"]),
    }
    return Native("unslice", (0,), params)


def _pad(node: Node, machine: Machine) -> Native:
    a = node.attrs
    params = {
        "shape": node.inputs[0].shape,
        "before": tuple(a["before"]),
        "after": tuple(a["after"]),
        "value": float(a["value"]),
    }
    return Native("pad", (0,), params)


def _concat(node: Node, machine: Machine) -> Native:
    axis = node.attrs["axis"]
    shape = node.specs[0].shape
    inner = tuple(prod(v.shape[axis:]) for v in node.inputs)
    return Native("concat", tuple(range(len(node.inputs))), {"outer": prod(shape[:axis]), "inner": inner})


# -- by number, along an axis -----------------------------------------------------------------------------------------


def _indexed(family: str, reads: tuple[int, ...], at: int) -> Any:
    """``at``: the input that is the index."""

    def lower(node: Node, machine: Machine) -> Native:
        index, whole = node.inputs[at].shape, node.inputs[0].shape if family == "take" else node.specs[0].shape
        a, rows, c = whole
        params = {"a": a, "table": rows, "picks": index[1], "c": c, "step": index[1] if index[0] > 1 else 0}
        if family != "take":
            params["skip"] = int(node.attrs["skip"])
        if node.attrs.get("ignored") is not None:
            params["ignored"] = int(node.attrs["ignored"])
        return Native(family, reads, params, inplace=((0, 0),) if family == "scatter_onto" else ())

    return lower


def _resample(node: Node, machine: Machine) -> Native:
    a, rows, c = node.inputs[0].shape
    table = {k: tuple(node.attrs[k]) for k in ("starts", "index", "weights")}
    return Native("resample", (0,), {"a": a, "table": rows, "picks": node.specs[0].shape[1], "c": c, **table})


def _cumsum(node: Node, machine: Machine) -> Native:
    a, rows, c = node.inputs[0].shape
    params = {"a": a, "table": rows, "c": c, "reverse": int(node.attrs["reverse"])}
    return Native("cumsum", (0,), params, inplace=((0, 0),))


def _dropout(node: Node, machine: Machine) -> Native:
    a, rows, c = node.inputs[0].shape
    whole = bool(node.attrs["whole"])
    params = {"a": a, "table": rows, "c": c, "whole": int(whole), "p": float(node.attrs["p"])}
    return Native("dropout", (0, 1), {**params, "salt": int(node.attrs["salt"])}, inplace=((0, 0),))


# -- recurrent cells --------------------------------------------------------------------------------------------------


def _recurrent(family: str, reads: int, weight: int, optional: tuple[int, ...] = ()) -> Any:
    """``weight``: the input that projects the state."""

    def lower(node: Node, machine: Machine) -> Native:
        steps, batch, hidden = sizes(node.inputs[0].shape, node.inputs[weight].shape, node.attrs)
        sample, step = (steps, 1) if node.attrs["batch_first"] else (1, batch)
        params = {"steps": steps, "batch": batch, "hidden": hidden, "sample": sample, "step": step}
        params |= {"reverse": int(node.attrs["reverse"]), "gates": GATES[family.removesuffix("_grad")]}
        if "act" in node.attrs:
            params["relu"] = int(node.attrs["act"] == "relu")
        return Native(
            family,
            tuple(range(reads)),
            params,
            scratch=native_scratch(family, params, machine.lanes),
            optional=optional,
        )

    return lower


TABLE: dict[str, Callable[[Node, Machine], Native]] = {
    **INTEGER,
    **SPARSE,
    "conv2d": _conv,
    "conv2d_input_grad": _conv_input_grad,
    "conv2d_weight_grad": _conv_weight_grad,
    "matmul": _matmul,
    "max_pool": _pool("max_pool", (0,), _input_shape, optional=(1,)),
    "max_pool_grad": _pool("max_pool_grad", (0, 1), _output_shape),
    "avg_pool": _pool("avg_pool", (0,), _input_shape),
    "avg_pool_grad": _pool("avg_pool_grad", (0,), _output_shape),
    "softmax": _rows("softmax", (0,)),
    "softmax_grad": _rows("softmax_grad", (0, 1)),
    "log_softmax": _rows("log_softmax", (0,)),
    "log_softmax_grad": _rows("log_softmax_grad", (0, 1)),
    "normalize": _normalize,
    "normalize_grad": _normalize_grad,
    "cross_entropy": _cross_entropy,
    "cross_entropy_grad": _cross_entropy_grad,
    "ctc": _ctc,
    "pack_mask": _pack_mask,
    "quantize_channels": _quantize_channels,
    "transpose": _transpose,
    "slice": _slice,
    "unslice": _unslice,
    "pad": _pad,
    "concat": _concat,
    "take": _indexed("take", (0, 1), 1),
    "scatter_add": _indexed("scatter_add", (0, 1), 1),
    "scatter_onto": _indexed("scatter_onto", (0, 1, 2), 2),
    "resample": _resample,
    "cumsum": _cumsum,
    "dropout": _dropout,
    "rnn": _recurrent("rnn", 3, 1),
    "rnn_grad": _recurrent("rnn_grad", 3, 1),
    "gru": _recurrent("gru", 4, 1, optional=(1,)),
    "gru_grad": _recurrent("gru_grad", 5, 1),
    "lstm": _recurrent("lstm", 4, 1, optional=(2,)),
    "lstm_grad": _recurrent("lstm_grad", 5, 2),
}
