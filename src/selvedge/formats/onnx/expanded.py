"""The standard's int8 operators as the QDQ that they stand for: QLinearConv and QLinearMatMul."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from selvedge.errors import InvalidInput

from .model import Attribute, Operator

FLOAT = {"QLinearConv": "Conv", "QLinearMatMul": "MatMul"}
LEAST = 8  # inputs: x, its scale and zero point, the weights and theirs, the result's


def expanded(operator: Operator, constants: dict[str, np.ndarray]) -> Iterator[Operator]:
    """``operator``, or DequantizeLinear of what it reads, the operator on real numbers and QuantizeLinear. A bias is at
    the scale of its products: a constant more. Tensors between have a line break in
    their names, as none of a file has."""
    if operator.op not in FLOAT:
        yield operator
        return
    given, made = operator.inputs, operator.outputs[0]
    convolves = operator.op == "QLinearConv"
    if not LEAST <= len(given) <= LEAST + convolves:
        raise InvalidInput(f"{operator.where} inputs", len(given), f"{LEAST}, or 9 with a bias" if convolves else "8")
    if not all(given[:LEAST]):
        fix = f"each of the first {LEAST} must be given"
        raise InvalidInput(f"{operator.where} input {given.index('')}", "left out", fix)
    reals: list[tuple[str, tuple[str, ...], dict[str, Attribute]]] = [
        ("x", given[0:3], {}),
        ("w", given[3:6], {"axis": 0 if convolves else 1}),
    ]
    if len(given) > LEAST and given[LEAST]:
        scales = [_scale(operator, constants, name) for name in (given[1], given[4])]
        with np.errstate(over="ignore", under="ignore"):
            constants[_name(made, "scale")] = scales[0].reshape(()) * scales[1]
        reals.append(("bias", (given[LEAST], _name(made, "scale")), {"axis": 0}))
    if given[5] in constants and given[4] in constants and constants[given[5]].size == 1:
        zero = np.broadcast_to(constants[given[5]].reshape(()), constants[given[4]].shape)
        constants[_name(made, "zero")] = np.ascontiguousarray(zero).reshape(zero.shape)
        reals[1] = ("w", (*given[3:5], _name(made, "zero")), reals[1][2])
    for what, inputs, attrs in reals:
        yield _like(operator, "DequantizeLinear", inputs, _name(made, what), attrs)
    yield _like(
        operator,
        FLOAT[operator.op],
        tuple(_name(made, what) for what, *_ in reals),
        _name(made, "real"),
        operator.attrs,
    )
    yield _like(operator, "QuantizeLinear", (_name(made, "real"), *given[6:8]), made, {})


def _name(made: str, what: str) -> str:
    return f"{made}\n{what}"


def _like(operator: Operator, op: str, inputs: tuple[str, ...], made: str, attrs: Mapping[str, Attribute]) -> Operator:
    return Operator(op, operator.name, operator.index, inputs, (made,), attrs, operator.op)


def _scale(operator: Operator, constants: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    found = constants.get(name)
    if found is None or found.dtype != np.float32 or found.ndim > 1 or (name == operator.inputs[1] and found.size != 1):
        told = "computed" if found is None else f"{found.dtype.name}{list(found.shape)}"
        raise InvalidInput(f"{operator.where} scale", told, "a constant of float32: one, or of weights one a channel")
    return found
