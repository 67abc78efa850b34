"""What a native call reads and writes: facts about ``native/``, from the dimensions that it is called with.

Only the checker asks; the planner sizes its buffers from the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from .int8_scratch import INT8_PANEL, int8_pairs
from .sparse_sizes import SPARSE_LANES

REAL, LABEL, INDEX, CODE, ANY = "real", "int32", "uint8", "int8", "any"


@dataclass(frozen=True, slots=True)
class Extent:
    """``elements`` of one operand; ``kind``: the real type, an integer type, or any (the same for the call)."""

    elements: int
    kind: str = REAL


Extents = tuple[tuple[Extent, ...], tuple[Extent, ...]]  # reads, writes
Params = Mapping[str, Any]


def operands(family: str, params: Params) -> Extents | None:
    """(reads, writes) of one whole call, in the order of the kernel; None for a family that nobody knows. A call may
    leave out its last result."""
    row = TABLE.get(family)
    return row(params) if row is not None else None


def _images(p: Params) -> tuple[int, int, int]:
    """Elements of x, of y and of w."""
    x, y = p["n"] * p["h"] * p["w"] * p["c"], p["n"] * p["oh"] * p["ow"] * p["k"]
    return x, y, p["kh"] * p["kw"] * (p["c"] // p["groups"]) * p["k"]


def _reals(reads: Sequence[int], writes: Sequence[int]) -> Extents:
    return tuple(map(Extent, reads)), tuple(map(Extent, writes))


def _conv(p: Params) -> Extents:
    x, y, w = _images(p)
    return _reals((x, w), (y,))


def _sparse(p: Params) -> Extents:
    (x, y, _), e = _images(p), p["entries"]
    return (Extent(x), Extent(e), Extent(e, INDEX), Extent(p["k"], LABEL)), (Extent(y),)


def _sparse_lanes(p: Params) -> Extents:
    (x, y, _), e, panels = _images(p), p["entries"], -(-p["k"] // SPARSE_LANES)
    read = (Extent(x), Extent(SPARSE_LANES * e), Extent(e, LABEL), Extent(e, INDEX), Extent(panels, LABEL))
    return read, (Extent(y),)


def _input_grad(p: Params) -> Extents:
    x, y, w = _images(p)
    return _reals((y, w), (x,))


def _input_grad_onto(p: Params) -> Extents:
    x, y, w = _images(p)
    return _reals((y, w, x), (x,))


def _weight_grad(p: Params) -> Extents:
    x, y, w = _images(p)
    return _reals((x, y), (w,))


def _matmul(p: Params) -> Extents:
    batch, m, n, k = (p[key] for key in ("batch", "m", "n", "k"))
    return _reals((batch * m * k, batch * k * n), (batch * m * n,))


def _pool(p: Params) -> tuple[int, int]:
    return p["n"] * p["h"] * p["w"] * p["c"], p["n"] * p["oh"] * p["ow"] * p["c"]


def _max_pool(p: Params) -> Extents:
    x, y = _pool(p)
    return (Extent(x),), (Extent(y), Extent(y, INDEX))


def _max_pool_grad(p: Params) -> Extents:
    x, y = _pool(p)
    return (Extent(y), Extent(y, INDEX)), (Extent(x),)


def _rows(reads: int) -> Callable[[Params], Extents]:
    return lambda p: _reals((p["rows"] * p["n"],) * reads, (p["rows"] * p["n"],))


def _cross_entropy(p: Params) -> Extents:
    logits = Extent(p["rows"] * p["n"])
    return (logits, Extent(p["rows"], LABEL)), (Extent(1), logits)


def _cross_entropy_grad(p: Params) -> Extents:
    logits = Extent(p["rows"] * p["n"])
    return (logits, Extent(p["rows"], LABEL), Extent(1)), (logits,)


def _ctc(p: Params) -> Extents:
    logits = Extent(p["n"] * p["steps"] * p["classes"])
    return (logits, Extent(p["n"] * p["longest"], LABEL)), (Extent(1), logits)


def _normalize(p: Params) -> Extents:
    x = prod(p[key] for key in "abgd")
    return _reals((x,), (x, p["a"] * p["g"]))


def _normalize_grad(p: Params) -> Extents:
    x = prod(p[key] for key in "abgd")
    return _reals((x, x, p["a"] * p["g"]), (x,))


def _pack_mask(p: Params) -> Extents:
    return (Extent(p["size"]),), (Extent(-(-p["size"] // 8), INDEX),)


def _quantize_channels(p: Params) -> Extents:
    size = p["rows"] * p["n"]
    return (Extent(size),), (Extent(size, CODE), Extent(p["n"]))


def _int8(p: Params, weights: int, taken: int, bias: bool, x: int, y: int, scales: int) -> Extents:
    """x, weights, perhaps a bias, scales -> y. taken: outputs that the bias goes up to."""
    read = (Extent(x, CODE), Extent(weights, CODE), *((Extent(taken, LABEL),) if bias else ()), Extent(scales, LABEL))
    return read, (Extent(y, CODE),)


def _int8_conv(p: Params) -> Extents:
    x, y, w = _images(p)
    return _int8(p, w, p["k"], bool(p["bias"]), x, y, 2 * p["k"])


def _int8_packed(p: Params) -> Extents:
    x, y, _ = _images(p)
    outs = -(-p["k"] // INT8_PANEL) * INT8_PANEL
    return _int8(p, outs * 2 * p["kh"] * int8_pairs(p), 2 * outs, True, x, y, 2 * outs)


def _int8_linear(p: Params) -> Extents:
    rows, c, k = p["rows"], p["c"], p["k"]
    return _int8(p, c * k, k, bool(p["bias"]), rows * c, rows * k, 2 * k)


def _codes(*reads: int, to: int) -> Extents:
    return tuple(Extent(n, CODE) for n in reads), (Extent(to, CODE),)


def _int8_max_pool(p: Params) -> Extents:
    x, y = _pool(p)
    return (Extent(x, CODE),), (Extent(y, CODE), Extent(y, INDEX))


def _nearest(p: Params) -> Extents:
    line = p["n"] * p["c"]
    made = line * len(p["picked_rows"]) * len(p["picked_columns"])
    return (Extent(line * p["h"] * p["w"], ANY),), (Extent(made, ANY),)


def _moved(source: Callable[[Params], int], target: Callable[[Params], int]) -> Callable[[Params], Extents]:
    return lambda p: ((Extent(source(p), ANY),), (Extent(target(p), ANY),))


def _shape(p: Params) -> int:
    return prod(p["shape"])


def _padded(p: Params) -> int:
    return prod(map(sum, zip(p["before"], p["shape"], p["after"], strict=True)))


def _concat(p: Params) -> Extents:
    parts = tuple(Extent(p["outer"] * inner, ANY) for inner in p["inner"])
    return parts, (Extent(sum(e.elements for e in parts), ANY),)


def _along(p: Params) -> tuple[int, int]:
    """Elements of the table and of what is picked of it."""
    return p["a"] * p["table"] * p["c"], p["a"] * p.get("picks", p["table"]) * p["c"]


def _picks(p: Params) -> Extent:
    return Extent(p["picks"] * (p["a"] if p["step"] else 1), LABEL)


def _take(p: Params) -> Extents:
    table, picked = _along(p)
    return (Extent(table), _picks(p)), (Extent(picked),)


def _scatter_add(p: Params) -> Extents:
    table, picked = _along(p)
    return (Extent(picked), _picks(p)), (Extent(table),)


def _scatter_onto(p: Params) -> Extents:
    table, picked = _along(p)
    return (Extent(table), Extent(picked), _picks(p)), (Extent(table),)


def _recurrent(p: Params) -> tuple[int, int, int, int]:
    """Elements of x, y, w and a state."""
    y = p["steps"] * p["batch"] * p["hidden"]
    return p["gates"] * y, y, p["gates"] * p["hidden"] ** 2, p["batch"] * p["hidden"]


def _rnn(p: Params) -> Extents:
    x, y, w, h = _recurrent(p)
    return _reals((x, w, h), (y,))


def _rnn_grad(p: Params) -> Extents:
    x, y, w, h = _recurrent(p)
    return _reals((y, w, y), (x, h))


def _gru(p: Params) -> Extents:
    x, y, w, h = _recurrent(p)
    return _reals((x, w, 3 * p["hidden"], h), (y, 4 * y))


def _gru_grad(p: Params) -> Extents:
    x, y, w, h = _recurrent(p)
    return _reals((y, w, y, 4 * y, h), (x, x, h))


def _lstm(p: Params) -> Extents:
    x, y, w, h = _recurrent(p)
    return _reals((x, w, h, h), (y, h, 5 * y))


def _lstm_grad(p: Params) -> Extents:
    x, y, w, h = _recurrent(p)
    return _reals((y, h, w, 5 * y, h), (x, h, h))


TABLE: dict[str, Callable[[Params], Extents]] = {
    "conv2d": _conv,
    "conv2d_input_grad": _input_grad,
    "conv2d_input_grad_onto": _input_grad_onto,
    "conv2d_weight_grad": _weight_grad,
    "depthwise": _conv,
    "depthwise_input_grad": _input_grad,
    "depthwise_weight_grad": _weight_grad,
    "matmul": _matmul,
    "sparse_rows": _sparse,
    "sparse_pixels": _sparse,
    "sparse_lanes": _sparse_lanes,
    "max_pool": _max_pool,
    "max_pool_grad": _max_pool_grad,
    "avg_pool": lambda p: _reals(_pool(p)[:1], _pool(p)[1:]),
    "avg_pool_grad": lambda p: _reals(_pool(p)[1:], _pool(p)[:1]),
    "softmax": _rows(1),
    "softmax_grad": _rows(2),
    "log_softmax": _rows(1),
    "log_softmax_grad": _rows(2),
    "cross_entropy": _cross_entropy,
    "cross_entropy_grad": _cross_entropy_grad,
    "ctc": _ctc,
    "normalize": _normalize,
    "normalize_grad": _normalize_grad,
    "pack_mask": _pack_mask,
    "quantize_channels": _quantize_channels,
    "quantise": lambda p: ((Extent(p["size"]),), (Extent(p["size"], CODE),)),
    "dequantise": lambda p: ((Extent(p["size"], CODE),), (Extent(p["size"]),)),
    "int8_conv2d": _int8_packed,
    "int8_linear": _int8_packed,
    "int8_conv2d_plain": _int8_conv,
    "int8_depthwise": _int8_conv,
    "int8_linear_plain": _int8_linear,
    "int8_table": lambda p: _codes(p["size"], 256, to=p["size"]),
    "int8_add": lambda p: _codes(*p["sizes"], to=prod(p["shape"])),
    "int8_mul": lambda p: _codes(*p["sizes"], to=prod(p["shape"])),
    "int8_average_pool": lambda p: _codes(_pool(p)[0], to=_pool(p)[1]),
    "int8_max_pool": _int8_max_pool,
    "int8_mean": lambda p: _codes(p["a"] * p["r"] * p["c"], to=p["a"] * p["c"]),
    "int8_softmax": lambda p: _codes(p["rows"] * p["n"], to=p["rows"] * p["n"]),
    "nearest": _nearest,
    "transpose": _moved(_shape, _shape),
    "slice": _moved(_shape, lambda p: prod(p["out"])),
    "unslice": _moved(_shape, lambda p: prod(p["out"])),
    "pad": _moved(_shape, _padded),
    "concat": _concat,
    "take": _take,
    "scatter_add": _scatter_add,
    "scatter_onto": _scatter_onto,
    "resample": lambda p: _reals(_along(p)[:1], _along(p)[1:]),
    "cumsum": lambda p: _reals(_along(p)[:1], _along(p)[:1]),
    "dropout": lambda p: _reals((_along(p)[0], 1), _along(p)[:1]),
    "rnn": _rnn,
    "rnn_grad": _rnn_grad,
    "gru": _gru,
    "gru_grad": _gru_grad,
    "lstm": _lstm,
    "lstm_grad": _lstm_grad,
}
