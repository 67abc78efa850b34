"""Recurrent cells, unrolled: some ten rows a step. See ``ops/recurrent.py`` for what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..build import reshape, zeros
from ..graph import Node, Spec, Value
from ..op import apply
from .rule import Rule, add, compare, mul, sub, where

JOINED = 10  # arrays at a time: the most that LiteRT for Microcontrollers takes


def _axis(node: Node) -> int:
    return 1 if node.attrs["batch_first"] else 0


def _order(node: Node, steps: int) -> list[int]:
    return list(range(steps - 1, -1, -1) if node.attrs["reverse"] else range(steps))


def _back(node: Node, steps: int) -> Iterator[tuple[int, int | None]]:
    """Each step and the one before it, from the last."""
    order = _order(node, steps)
    yield from zip(reversed(order), [*reversed(order[:-1]), None], strict=True)


def _step(x: Value, axis: int, t: int) -> Value:
    """[N, width] of step ``t``."""
    starts = tuple(t if a == axis else 0 for a in range(3))
    stops = tuple(t + 1 if a == axis else n for a, n in enumerate(x.shape))
    taken = apply("slice", x, starts=starts, stops=stops, steps=(1, 1, 1))
    return reshape(taken, tuple(n for a, n in enumerate(x.shape) if a != axis))


def _gate(x: Value, i: int, n: int) -> Value:
    return apply("slice", x, starts=(0, i * n), stops=(x.shape[0], (i + 1) * n), steps=(1, 1))


def _gates(x: Value, count: int) -> list[Value]:
    return [_gate(x, i, x.shape[1] // count) for i in range(count)]


def _whole(found: dict[int, Value], axis: int) -> Value:
    """[T, N, width] or [N, T, width] of the steps."""
    parts = [reshape(found[t], (*found[t].shape[:axis], 1, *found[t].shape[axis:])) for t in sorted(found)]
    while len(parts) > 1:
        parts = [_joined(parts[i : i + JOINED], axis) for i in range(0, len(parts), JOINED)]
    return parts[0]


def _joined(parts: list[Value], axis: int) -> Value:
    return parts[0] if len(parts) == 1 else apply("concat", *parts, axis=axis)


def _dot(a: Value, b: Value, transposed: bool = False) -> Value:
    return apply("matmul", a, b, trans_a=False, trans_b=transposed)


def _tanh_slope(y: Value) -> Value:
    return sub(1, mul(y, y))


def _sigmoid_slope(y: Value) -> Value:
    return mul(y, sub(1, y))


def _rnn(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    (x, w, h), axis, found = inputs, _axis(node), dict[int, Value]()
    for t in _order(node, x.shape[axis]):
        h = found[t] = apply(node.attrs["act"], add(_step(x, axis, t), _dot(h, w)))
    return (_whole(found, axis),)


def _rnn_grad(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    (dy, w, y), axis, found = inputs, _axis(node), dict[int, Value]()
    carry: Value | None = None
    for t, _ in _back(node, y.shape[axis]):
        flowing, here = _step(dy, axis, t), _step(y, axis, t)
        total = flowing if carry is None else add(flowing, carry)
        tanh = node.attrs["act"] == "tanh"
        found[t] = mul(total, _tanh_slope(here)) if tanh else where(compare("less_equal", here, 0), 0, total)
        carry = _dot(found[t], w, True)
    assert carry is not None
    return _whole(found, axis), carry


def _gru(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    (x, w, b, h), axis = inputs, _axis(node)
    found, saved = dict[int, Value](), dict[int, Value]()
    for t in _order(node, x.shape[axis]):
        here, of_state = _gates(_step(x, axis, t), 3), _gates(add(_dot(h, w), b), 3)
        r, z = (apply("sigmoid", add(here[i], of_state[i])) for i in (0, 1))
        new = apply("tanh", add(here[2], mul(r, of_state[2])))
        saved[t] = apply("concat", r, z, new, of_state[2], axis=1)
        found[t] = h = add(new, mul(z, apply("sub", h, new)))
    return _whole(found, axis), _whole(saved, axis)


def _gru_grad(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    (dy, w, y, saved, h), axis = inputs, _axis(node)
    inner, outer = dict[int, Value](), dict[int, Value]()
    carry: Value | None = None
    for t, before in _back(node, y.shape[axis]):
        r, z, new, of_state = _gates(_step(saved, axis, t), 4)
        flowing = _step(dy, axis, t)
        total, old = flowing if carry is None else add(flowing, carry), h if before is None else _step(y, axis, before)
        dnew = mul(mul(total, sub(1, z)), _tanh_slope(new))
        dr = mul(mul(dnew, of_state), _sigmoid_slope(r))
        dz = mul(mul(total, apply("sub", old, new)), _sigmoid_slope(z))
        inner[t] = apply("concat", dr, dz, dnew, axis=1)
        outer[t] = apply("concat", dr, dz, mul(dnew, r), axis=1)
        carry = add(mul(total, z), _dot(outer[t], w, True))
    assert carry is not None
    return _whole(inner, axis), _whole(outer, axis), carry


def _lstm(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    (x, w, h, c), axis = inputs, _axis(node)
    found, saved = dict[int, Value](), dict[int, Value]()
    for t in _order(node, x.shape[axis]):
        i, f, g, o = _gates(add(_step(x, axis, t), _dot(h, w)), 4)
        i, f, g, o = apply("sigmoid", i), apply("sigmoid", f), apply("tanh", g), apply("sigmoid", o)
        c = add(mul(f, c), mul(i, g))
        saved[t] = apply("concat", i, f, g, o, c, axis=1)
        found[t] = h = mul(o, apply("tanh", c))
    return _whole(found, axis), c, _whole(saved, axis)


def _lstm_grad(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    (dy, carry_c, w, saved, c), axis, found = inputs, _axis(node), dict[int, Value]()
    carry = zeros(Spec(c.shape, c.dtype))
    for t, before in _back(node, saved.shape[axis]):
        i, f, g, o, cell = _gates(_step(saved, axis, t), 5)
        old = c if before is None else _gates(_step(saved, axis, before), 5)[4]
        total, tanh = add(_step(dy, axis, t), carry), apply("tanh", cell)
        dc = add(carry_c, mul(mul(total, o), _tanh_slope(tanh)))
        parts = [
            mul(mul(dc, g), _sigmoid_slope(i)),
            mul(mul(dc, old), _sigmoid_slope(f)),
            mul(mul(dc, i), _tanh_slope(g)),
            mul(mul(total, tanh), _sigmoid_slope(o)),
        ]
        found[t] = apply("concat", *parts, axis=1)
        carry, carry_c = _dot(found[t], w, True), mul(dc, f)
    return _whole(found, axis), carry, carry_c


RECURRENT: dict[str, Rule] = {
    "gru": _gru,
    "gru_grad": _gru_grad,
    "lstm": _lstm,
    "lstm_grad": _lstm_grad,
    "rnn": _rnn,
    "rnn_grad": _rnn_grad,
}
