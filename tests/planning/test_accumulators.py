"""int32 accumulators are proven not to overflow when a plan is made, or the layer is refused with the figure."""

from __future__ import annotations

import numpy as np
import pytest

from selvedge import ir
from selvedge.device import Device
from selvedge.errors import InvalidInput
from selvedge.ir import Quant
from selvedge.planning.arrange import Draft

X, W, Y = Quant((0.5,), (-128,)), Quant((0.25,)), Quant((4.0,), (0,))
MOST = (2**31 - 1) // (255 * 127)  # products of 255 (x less its zero point) by 127 that an int32 can hold


def lowered(products: int, weights: np.ndarray | None, bias: int) -> None:
    x = ir.input_leaf("x", ir.Spec((1, products), "int8", X))
    spec = ir.Spec((1, products), "int8", W)
    w = ir.state_leaf("w", spec, "buffer") if weights is None else ir.constant(weights, quant=W)
    b = ir.constant(np.array([bias], np.int32))
    y = ir.apply("int8_linear", x, w, b, quants=(X, W), quant=Y, activation="none", where="net.py:7")
    state = {"w": w} if weights is None else {}
    assert Draft({"predict": ir.Graph({"x": x}, state, {"y": y})}, Device(ram="1MiB", flash="1MiB")).lowered


def test_known_weights_are_bounded_by_themselves() -> None:
    weights = np.full((1, MOST), 127, np.int8)
    lowered(MOST, weights, 0)
    room = 2**31 - 1 - MOST * 255 * 127
    lowered(MOST, weights, room)
    with pytest.raises(InvalidInput) as error:
        lowered(MOST, weights, room + 1)
    line = str(error.value)
    assert "int8_linear at net.py:7: accumulators" in line
    assert f"from 0 to {2**31}" in line
    assert "with its weights they must fit in int32: split the layer" in line
    assert "\n" not in line


def test_a_longer_sum_of_smaller_weights_fits() -> None:
    lowered(2 * MOST, np.full((1, 2 * MOST), 60, np.int8), 0)


def test_weights_that_are_state_are_bounded_by_all_that_int8_holds() -> None:
    most = 2**31 // (255 * 128)
    lowered(most, None, 0)
    with pytest.raises(InvalidInput, match="with int8 weights they must fit"):
        lowered(most + 1, None, 0)


def test_the_bound_is_reached() -> None:
    """By the input at its end: the interpreter's exact sums."""
    x = np.full((1, MOST), 127, np.int8)
    sums = (x.astype(np.int64) + 128) @ np.full((MOST, 1), 127)
    assert int(sums[0, 0]) == MOST * 255 * 127 <= 2**31 - 1 < int(sums[0, 0]) + 255 * 127


def test_a_bias_that_may_be_anything_is_refused() -> None:
    x = ir.input_leaf("x", ir.Spec((1, 4), "int8", X))
    w = ir.constant(np.ones((2, 4), np.int8), quant=W)
    b = ir.state_leaf("b", ir.Spec((2,), "int32"), "buffer")
    y = ir.apply("int8_linear", x, w, b, quants=(X, W), quant=Y, activation="none")
    draft = Draft({"predict": ir.Graph({"x": x}, {"b": b}, {"y": y})}, Device(ram="1MiB", flash="1MiB"))
    with pytest.raises(InvalidInput, match="bias is state that may be anything"):
        assert draft.lowered
