"""Contract of the int8 rows: within their rounding of PyTorch's real numbers, and what they refuse.

Bit for bit they are LiteRT's reference kernels: tests/formats/tflite.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from selvedge import ir
from selvedge.ir import Quant

from .cases import MAKERS, Case, codes

Q = Quant((0.5,), (3,))


def node(case: Case) -> ir.Value:
    leaves = [
        ir.input_leaf(f"x{i}", ir.Spec(a.shape, a.dtype.name, q))
        for i, (a, q) in enumerate(zip(case.arrays, case.quants, strict=True))
    ]
    return ir.apply(case.op, *leaves, **case.attrs)


def real(array: np.ndarray, quant: Quant | None) -> torch.Tensor:
    made = torch.from_numpy(array.astype(np.float64))
    if quant is None:
        return made
    scale = torch.tensor(quant.scale, dtype=torch.float64)
    return (made - quant.zero_point[0]) * scale  # scales by channel are along the last axis in the cases


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("op", MAKERS)
def test_an_int8_row_is_its_real_row_but_for_rounding(op: str, seed: int) -> None:
    case = MAKERS[op](np.random.default_rng(seed))
    made = node(case)
    graph = ir.Graph({v.node.attrs["name"]: v for v in made.node.inputs}, {}, {"y": made})
    ir.verify(graph)
    got = ir.interpret(graph, dict(zip(graph.inputs, case.arrays, strict=True)), {})["y"]
    assert (got.shape, got.dtype.name) == (made.shape, made.dtype)
    expected = case.real(*(real(a, q) for a, q in zip(case.arrays, case.quants, strict=True))).numpy()
    quant = made.spec.quant
    if quant is None:
        np.testing.assert_allclose(got, expected, rtol=1e-6)
        return
    scale, zero = quant.scale[0], quant.zero_point[0]
    ends = [scale * (n - zero) for n in (-128, 127)]
    found = scale * (got.astype(np.float64) - zero)
    assert np.abs(found - np.clip(expected, *ends)).max() <= case.steps * scale + 1e-6
    assert len(np.unique(got)) > 1


@pytest.mark.parametrize("op", MAKERS)
def test_an_int8_row_has_no_gradient_and_a_cost(op: str) -> None:
    row, made = ir.TABLE[op], node(MAKERS[op](np.random.default_rng(0))).node
    assert row.gradient is None
    cost = row.cost([v.spec for v in made.inputs], made.specs, made.attrs)
    assert cost.macs + cost.ops > 0 or op == "nearest"


def test_products_are_counted() -> None:
    made = node(MAKERS["int8_conv2d"](np.random.default_rng(0))).node
    kh, kw, per_group, _ = made.inputs[1].shape
    cost = ir.TABLE["int8_conv2d"].cost([v.spec for v in made.inputs], made.specs, made.attrs)
    assert cost.macs == made.specs[0].size * kh * kw * per_group


REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    ("int8_conv2d", {"quants": (Q, Q)}, "x quant is"),
    ("int8_conv2d", {"quant": Quant((2.0**-60,))}, "a multiplier must be below"),
    ("int8_conv2d", {"activation": "tanh"}, "activation is tanh"),
    ("int8_conv2d", {"quants": (Q,)}, "must be a Quant for each of x, w"),
    ("int8_linear", {"quant": Quant((0.5, 0.5), (0,), 1)}, "must have one scale"),
    ("int8_add", {"quant": Quant((2.0**-40,))}, "too small for summands"),
    ("int8_softmax", {"quant": Q}, "1/256"),
    ("int8_mean", {"axes": (2, 1)}, "axes is (2, 1)"),
    ("int8_average_pool", {"windows_h": ((0, 9, 1),)}, "windows_h is (0, 9, 1)"),
    ("dequantise", {"dtype": "int32"}, "dtype is int32"),
    ("quantise", {"quant": None}, "quant is None"),
    ("quantise", {"quant": Quant((0.5,), (200,))}, "zero point in -128..127"),
    ("nearest", {"rows": (0, 3)}, "rows is (0, 3)"),
]


@pytest.mark.parametrize(("op", "change", "message"), REFUSALS)
def test_a_row_names_what_it_refuses(op: str, change: dict[str, Any], message: str) -> None:
    case = MAKERS[op](np.random.default_rng(0))
    with pytest.raises(ValueError) as error:
        node(replace(case, attrs={**case.attrs, **change}))
    assert str(error.value).startswith(f"{op}: ")
    assert message in str(error.value)


def test_rows_that_move_elements_keep_what_they_stand_for() -> None:
    x = ir.input_leaf("x", ir.Spec((2, 4, 4, 3), "int8", Q))
    moved = [
        ir.apply("reshape", x, shape=(2, 48)),
        ir.apply("transpose", x, perm=(0, 3, 1, 2)),
        ir.apply("slice", x, starts=(0, 1, 1, 0), stops=(2, 3, 3, 3), steps=(1, 1, 1, 1)),
        ir.apply("pad", x, before=(0, 1, 1, 0), after=(0, 1, 1, 0), value=Q.zero_point[0]),
        ir.apply("concat", x, x, axis=3),
    ]
    assert {v.spec.quant for v in moved} == {Q}
    other = ir.input_leaf("z", ir.Spec((2, 4, 4, 3), "int8", Quant((0.25,), (3,))))
    with pytest.raises(ValueError, match="must match"):
        ir.apply("concat", x, other, axis=3)
    w = ir.input_leaf("w", ir.Spec((5, 2), "int8", Quant((0.5, 0.25), (0,), 1)))
    turned = ir.apply("transpose", w, perm=(1, 0)).spec.quant
    assert turned is not None
    assert turned.axis == 0
    assert ir.apply("reshape", w, shape=(10,)).spec.quant is None


def test_the_verifier_holds_scales_to_what_they_are_of() -> None:
    def problem(spec: ir.Spec) -> str:
        leaf = ir.input_leaf("x", spec)
        graph = ir.Graph({"x": leaf}, {}, {"y": ir.apply("reshape", leaf, shape=spec.shape)})
        return "; ".join(ir.problems(graph))

    assert "only integers have one" in problem(ir.Spec((2,), "float32", Q))
    assert "2 scales along axis 0 of (3,)" in problem(ir.Spec((3,), "int8", Quant((0.5, 0.5), (0,), 0)))
    assert "zero point 200" in problem(ir.Spec((3,), "int8", Quant((0.5,), (200,))))
    assert not problem(ir.Spec((3,), "int8", Q))


def test_a_spec_without_scales_is_written_as_before() -> None:
    assert repr(ir.Spec((2, 3), "int8")) == "Spec(shape=(2, 3), dtype='int8')"
    assert str(ir.Spec((2, 3), "int8", Q)) == "int8[2,3]"
    assert ir.Spec((2, 3), "int8", Q) != ir.Spec((2, 3), "int8")


def test_state_becomes_constants() -> None:
    w = ir.state_leaf("w", ir.Spec((5, 2), "int8"), "buffer")
    x = ir.input_leaf("x", ir.Spec((5, 2), "int8"))
    graph = ir.Graph({"x": x}, {"w": w}, {"y": ir.apply("concat", x, w, axis=0)})
    array = codes(np.random.default_rng(0), 5, 2)
    fixed = ir.frozen(graph, {"w": array})
    assert not fixed.state
    given = {"x": np.zeros((5, 2), np.int8)}
    np.testing.assert_array_equal(ir.interpret(fixed, given, {})["y"], ir.interpret(graph, given, {"w": array})["y"])
    with pytest.raises(ValueError, match="must be int8"):
        ir.frozen(graph, {"w": array.astype(np.int32)})
