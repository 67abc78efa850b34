"""Recurrent cells over a whole sequence: what depends on the state before; the input's part is one product beforehand.

``x`` [T, N, G * H] (or [N, T, G * H] with ``batch_first``) is every step's input projected onto the gates, biases
included; ``w`` [H, G * H] projects the state; ``h`` [N, H] is the state before the first step. ``reverse`` goes from
the last step to the first. Unrolled, a sequence of T steps would be some 40 T kernels, each with code of its own.

- ``rnn{act}``: h' = act(x + h w), "tanh" or "relu": Elman, "Finding Structure in Time" (1990).
- ``gru(x, w, b, h)``: gates r, z, n: r and z = sigmoid(x + h w + b), n = tanh(x + r * (h w + b)),
  h' = (1 - z) n + z h: Cho et al. (2014), sec. 2.3, with the reset after the product as cuDNN and PyTorch have it.
- ``lstm(x, w, h, c)``: gates i, f, g, o: c' = f c + i g, h' = o tanh(c'): Hochreiter and Schmidhuber (1997), Gers et
  al. (2000).

Each gives every state, in the order of ``x``, and what its gradient saves of the gates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..build import reduce, reshape, zeros
from ..graph import Node, Spec, Value
from ..op import Arrays, Attrs, Cost, Op, apply, register, results
from ..rules import arity, attr, float_dtype, rank, require

Grads = Sequence[Value | None]
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
SAVED = {"gru": 4, "lstm": 5}  # r, z, n, and n's part of the state; i, f, g, o and the cell's state


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def _flags(op: str, attrs: Attrs) -> None:
    for field in ("reverse", "batch_first"):
        require(isinstance(attr(op, attrs, field), bool), op, field, attrs[field], "must be a bool")


def sizes(x: Sequence[int], w: Sequence[int], attrs: Attrs) -> tuple[int, int, int]:
    """Steps, batch, state."""
    steps, batch = (x[1], x[0]) if attrs["batch_first"] else (x[0], x[1])
    return steps, batch, w[0]


def _sequence(batch_first: bool, steps: int, batch: int, width: int) -> tuple[int, ...]:
    return (batch, steps, width) if batch_first else (steps, batch, width)


def _checked(op: str, cell: str, specs: Sequence[Spec], attrs: Attrs, states: Sequence[Spec]) -> tuple[int, int, int]:
    """x, w and the states before."""
    _flags(op, attrs)
    rank(op, "x", specs[0], 3)
    rank(op, "w", specs[1], 2)
    steps, batch, hidden = sizes(specs[0].shape, specs[1].shape, attrs)
    width = GATES[cell] * hidden
    require(specs[1].shape == (hidden, width), op, "w shape", specs[1].shape, f"must be {(hidden, width)}")
    require(specs[0].shape[2] == width, op, "x shape", specs[0].shape, f"must end with {width}")
    for state in states:
        require(state.shape == (batch, hidden), op, "state shape", state.shape, f"must be {(batch, hidden)}")
    float_dtype(op, specs)
    return steps, batch, hidden


def _steps(array: np.ndarray, attrs: Attrs) -> np.ndarray:
    """A view [T, N, ...]."""
    return array.swapaxes(0, 1) if attrs["batch_first"] else array


def _order(steps: int, attrs: Attrs) -> Iterator[tuple[int, int | None]]:
    """Each step and the one before it, in the order of the recurrence."""
    order = range(steps - 1, -1, -1) if attrs["reverse"] else range(steps)
    before: int | None = None
    for t in order:
        yield t, before
        before = t


def _empty(x: np.ndarray, width: int) -> np.ndarray:
    return np.empty((*x.shape[:2], width), x.dtype)


def _before(y: Value, h: Value, attrs: Attrs) -> Value:
    """The state that each step started from, in the order of ``y``."""
    axis = 1 if attrs["batch_first"] else 0
    steps = y.shape[axis]
    first = reshape(h, (*h.shape[:axis], 1, *h.shape[axis:]))
    if steps == 1:
        return first
    start, stop = (1, steps) if attrs["reverse"] else (0, steps - 1)
    starts = tuple(start if a == axis else 0 for a in range(3))
    stops = tuple(stop if a == axis else n for a, n in enumerate(y.shape))
    rest = apply("slice", y, starts=starts, stops=stops, steps=(1, 1, 1))
    return apply("concat", *((rest, first) if attrs["reverse"] else (first, rest)), axis=axis)


def _weight_gradient(y: Value, h: Value, flowing: Value, attrs: Attrs) -> Value:
    """The sum over all steps of h' dgates: one product."""
    rows = y.shape[0] * y.shape[1]
    before = reshape(_before(y, h, attrs), (rows, y.shape[2]))
    return apply("matmul", before, reshape(flowing, (rows, flowing.shape[2])), trans_a=True, trans_b=False)


def _cost(weight: int) -> Callable[[Sequence[Spec], Sequence[Spec], Attrs], Cost]:
    """A product of state and weight (input number ``weight``) for every step, and some 10 operations for each gate."""

    def cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
        rows = outs[0].shape[0] * outs[0].shape[1]
        return Cost(macs=rows * ins[weight].size, ops=10 * rows * ins[weight].shape[1])

    return cost


# rnn(x, w, h){act, reverse, batch_first} -> y


def _rnn_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("rnn", specs, 3)
    act = attr("rnn", attrs, "act")
    require(act in ("tanh", "relu"), "rnn", "act", act, 'must be "tanh" or "relu"')
    steps, batch, hidden = _checked("rnn", "rnn", specs, attrs, specs[2:])
    return (Spec(_sequence(attrs["batch_first"], steps, batch, hidden), specs[0].dtype),)


def _rnn(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    x, w, h = arrays
    y = _empty(x, w.shape[0])
    xs, ys = _steps(x, attrs), _steps(y, attrs)
    for t, _ in _order(len(xs), attrs):
        v = xs[t] + h @ w
        ys[t] = h = np.tanh(v) if attrs["act"] == "tanh" else np.where(v < 0, 0, v)
    return (y,)


def _rnn_gradient(node: Node, grads: Grads, needed: Sequence[bool]) -> Grads:
    if grads[0] is None:
        return [None, None, None]
    (_, w, h), y = node.inputs, Value(node)
    dx, dh = results("rnn_grad", grads[0], w, y, **node.attrs)
    return [dx, _weight_gradient(y, h, dx, node.attrs) if needed[1] else None, dh]


def _rnn_grad_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    op = "rnn_grad"
    arity(op, specs, 3)
    _, batch, hidden = _checked(op, "rnn", (specs[0], specs[1]), attrs, ())
    require(specs[2] == specs[0], op, "y", specs[2], f"must be {specs[0]}")
    return specs[0], Spec((batch, hidden), specs[0].dtype)


def _rnn_grad(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    dy, w, y = arrays
    dx = np.empty_like(dy)
    flowing, ys, out = _steps(dy, attrs), _steps(y, attrs), _steps(dx, attrs)
    carry = np.zeros_like(flowing[0])
    for t, _ in reversed(list(_order(len(ys), attrs))):
        total = flowing[t] + carry
        out[t] = total * (1 - ys[t] ** 2) if attrs["act"] == "tanh" else np.where(ys[t] <= 0, 0, total)
        carry = out[t] @ w.T
    return dx, carry


# gru(x, w, b, h){reverse, batch_first} -> (y, saved [.., .., 4 H])


def _gru_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("gru", specs, 4)
    steps, batch, hidden = _checked("gru", "gru", specs, attrs, specs[3:])
    require(specs[2].shape == (3 * hidden,), "gru", "b shape", specs[2].shape, f"must be {(3 * hidden,)}")
    return tuple(
        Spec(_sequence(attrs["batch_first"], steps, batch, n * hidden), specs[0].dtype) for n in (1, SAVED["gru"])
    )


def _gru(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    x, w, b, h = arrays
    n = w.shape[0]
    y, saved = _empty(x, n), _empty(x, 4 * n)
    xs, ys, kept = (_steps(v, attrs) for v in (x, y, saved))
    for t, _ in _order(len(xs), attrs):
        of_state = h @ w + b
        r, z = (_sigmoid(xs[t, :, i * n : (i + 1) * n] + of_state[:, i * n : (i + 1) * n]) for i in (0, 1))
        new = np.tanh(xs[t, :, 2 * n :] + r * of_state[:, 2 * n :])
        kept[t] = np.concatenate([r, z, new, of_state[:, 2 * n :]], 1)
        ys[t] = h = new + z * (h - new)
    return y, saved


def _gru_gradient(node: Node, grads: Grads, needed: Sequence[bool]) -> Grads:
    require(grads[1] is None, "gru", "gradient of what is saved", grads[1], "must be None")
    if grads[0] is None:
        return [None, None, None, None]
    (_, w, _, h), y = node.inputs, Value(node)
    dx, dgates, dh = results("gru_grad", grads[0], w, y, Value(node, 1), h, **node.attrs)
    return [
        dx,
        _weight_gradient(y, h, dgates, node.attrs) if needed[1] else None,
        reduce("reduce_sum", dgates, (0, 1)) if needed[2] else None,
        dh,
    ]


def _gru_grad_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    op = "gru_grad"
    arity(op, specs, 5)
    rank(op, "dy", specs[0], 3)
    wide = Spec((*specs[0].shape[:2], 3 * specs[0].shape[2]), specs[0].dtype)
    _, batch, hidden = _checked(op, "gru", (wide, specs[1]), attrs, specs[4:])
    saved = Spec((*specs[0].shape[:2], SAVED["gru"] * hidden), specs[0].dtype)
    require(specs[2] == specs[0], op, "y", specs[2], f"must be {specs[0]}")
    require(specs[3] == saved, op, "saved", specs[3], f"must be {saved}")
    return wide, wide, Spec((batch, hidden), specs[0].dtype)


def _gru_grad(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    dy, w, y, saved, h = arrays
    n = w.shape[0]
    dx, dgates = _empty(dy, 3 * n), _empty(dy, 3 * n)
    flowing, ys, kept, ox, og = (_steps(v, attrs) for v in (dy, y, saved, dx, dgates))
    carry = np.zeros_like(h)
    for t, before in reversed(list(_order(len(ys), attrs))):
        r, z, new, of_state = np.split(kept[t], 4, 1)
        total, old = flowing[t] + carry, h if before is None else ys[before]
        dnew = total * (1 - z) * (1 - new**2)
        dr, dz = dnew * of_state * r * (1 - r), total * (old - new) * z * (1 - z)
        ox[t], og[t] = np.concatenate([dr, dz, dnew], 1), np.concatenate([dr, dz, dnew * r], 1)
        carry = total * z + og[t] @ w.T
    return dx, dgates, carry


# lstm(x, w, h, c){reverse, batch_first} -> (y, the last cell's state [N, H], saved [.., .., 5 H])


def _lstm_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("lstm", specs, 4)
    steps, batch, hidden = _checked("lstm", "lstm", specs, attrs, specs[2:])
    y, saved = (_sequence(attrs["batch_first"], steps, batch, n * hidden) for n in (1, SAVED["lstm"]))
    return Spec(y, specs[0].dtype), Spec((batch, hidden), specs[0].dtype), Spec(saved, specs[0].dtype)


def _lstm(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    x, w, h, c = arrays
    n = w.shape[0]
    y, saved = _empty(x, n), _empty(x, 5 * n)
    xs, ys, kept = (_steps(v, attrs) for v in (x, y, saved))
    for t, _ in _order(len(xs), attrs):
        i, f, g, o = np.split(xs[t] + h @ w, 4, 1)
        i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
        c = f * c + i * g
        kept[t] = np.concatenate([i, f, g, o, c], 1)
        ys[t] = h = o * np.tanh(c)
    return y, c, saved


def _lstm_gradient(node: Node, grads: Grads, needed: Sequence[bool]) -> Grads:
    require(grads[2] is None, "lstm", "gradient of what is saved", grads[2], "must be None")
    if grads[0] is None and grads[1] is None:
        return [None, None, None, None]
    (_, w, h, c), y = node.inputs, Value(node)
    dy, dc = (_or_zeros(g, Value(node, i)) for i, g in enumerate(grads[:2]))
    dx, dh, dcell = results("lstm_grad", dy, dc, w, Value(node, 2), c, **node.attrs)
    return [dx, _weight_gradient(y, h, dx, node.attrs) if needed[1] else None, dh, dcell]


def _or_zeros(gradient: Value | None, of: Value) -> Value:
    return zeros(of.spec) if gradient is None else gradient


def _lstm_grad_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    op = "lstm_grad"
    arity(op, specs, 5)
    rank(op, "dy", specs[0], 3)
    wide = Spec((*specs[0].shape[:2], 4 * specs[0].shape[2]), specs[0].dtype)
    _, batch, hidden = _checked(op, "lstm", (wide, specs[2]), attrs, (specs[1], specs[4]))
    saved = Spec((*specs[0].shape[:2], SAVED["lstm"] * hidden), specs[0].dtype)
    require(specs[3] == saved, op, "saved", specs[3], f"must be {saved}")
    return wide, Spec((batch, hidden), specs[0].dtype), Spec((batch, hidden), specs[0].dtype)


def _lstm_grad(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    dy, carry_c, w, saved, c = arrays
    n = w.shape[0]
    dx = _empty(dy, 4 * n)
    flowing, kept, out = (_steps(v, attrs) for v in (dy, saved, dx))
    carry = np.zeros_like(c)
    for t, before in reversed(list(_order(len(kept), attrs))):
        i, f, g, o, cell = np.split(kept[t], 5, 1)
        old = c if before is None else kept[before][:, 4 * n :]
        total, tanh = flowing[t] + carry, np.tanh(cell)
        dc = carry_c + total * o * (1 - tanh**2)
        parts: list[Any] = [dc * g * i * (1 - i), dc * old * f * (1 - f), dc * i * (1 - g**2)]
        out[t] = np.concatenate([*parts, total * tanh * o * (1 - o)], 1)
        carry, carry_c = out[t] @ w.T, dc * f
    return dx, carry, carry_c


register(Op("rnn", _rnn_infer, _rnn, _rnn_gradient, _cost(1)))
register(Op("rnn_grad", _rnn_grad_infer, _rnn_grad, None, _cost(1)))
register(Op("gru", _gru_infer, _gru, _gru_gradient, _cost(1)))
register(Op("gru_grad", _gru_grad_infer, _gru_grad, None, _cost(1)))
register(Op("lstm", _lstm_infer, _lstm, _lstm_gradient, _cost(1)))
register(Op("lstm_grad", _lstm_grad_infer, _lstm_grad, None, _cost(2)))
