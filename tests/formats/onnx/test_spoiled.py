"""Node tests with something of them changed: what is read of them is a graph, or one line says why not."""

from __future__ import annotations

import os
import random
import warnings
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.backend.test.loader import load_model_tests

from selvedge.errors import InvalidInput, SelvedgeError
from selvedge.formats import onnx as formats

from .test_node_tests import lifted, told

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "8")) * 50
NUMBERS = (-5, -1, 0, 1, 2, 3, 7, 1 << 33)


def _attribute(node: onnx.NodeProto, rng: random.Random) -> None:
    """Taken away, or another number."""
    if not node.attribute or rng.random() < 0.3:
        del node.attribute[:1]
        return
    a = rng.choice(node.attribute)
    if a.type == a.INT:
        a.i = rng.choice(NUMBERS)
    elif a.type == a.INTS and a.ints and rng.random() < 0.6:
        a.ints[rng.randrange(len(a.ints))] = rng.choice(NUMBERS)
    elif a.type == a.INTS:
        a.ints.append(rng.choice(NUMBERS))
    elif a.type == a.FLOAT:
        a.f = rng.choice((0.0, -1.0, float("nan"), float("inf"), 1e30))
    else:
        a.s = b"odd"


def _shape(port: onnx.ValueInfoProto, rng: random.Random) -> None:
    dims = port.type.tensor_type.shape.dim
    if dims and rng.random() < 0.6:
        dims[rng.randrange(len(dims))].dim_value = rng.choice((1, 2, 3, 5, 7))
    elif dims and rng.random() < 0.5:
        del dims[0]
    else:
        dims.add().dim_value = 2


def _told(array: np.ndarray, rng: random.Random) -> np.ndarray:
    flat = array.reshape(-1)
    with np.errstate(all="ignore"):
        ways = (flat[:0], flat[:1], np.concatenate([flat, flat]), (-flat.astype(float)).astype(array.dtype),
                array.astype(np.float32), (array.astype(float) * 1e6).astype(array.dtype))  # fmt: skip
    return rng.choice(ways)


def spoiled(case: Any, rng: random.Random) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    model = onnx.ModelProto.FromString(lifted(case.model).SerializeToString())
    fixed = told(model, case.data_sets[0][0])
    for _ in range(rng.randint(1, 3)):
        node, draw = rng.choice(model.graph.node), rng.random()
        if draw < 0.5:
            _attribute(node, rng)
        elif draw < 0.65 and len(node.input) > 1:
            node.input[rng.randrange(len(node.input))] = rng.choice(("", node.input[0]))
        elif draw < 0.85 or not fixed:
            _shape(rng.choice(model.graph.input), rng)
        else:
            name = rng.choice(list(fixed))
            fixed[name] = _told(fixed[name], rng)
    return model, fixed


@pytest.mark.parametrize(
    ("op", "given"), [("Add", ["column", "row"]), ("MatMul", ["column", "row"]), ("Gather", ["row", "zeros"]),
                      ("Concat", ["row"] * 4000)],
)  # fmt: skip
def test_small_constants_that_make_a_large_one_are_refused_before_it_is_made(op: str, given: list[str]) -> None:
    """A file of kilobytes asks for all of a machine's memory."""
    ones = np.ones((1, 5000), np.float32)
    held = {"row": ones, "column": ones.T, "zeros": np.zeros(5000, np.int64)}
    nodes = [
        helper.make_node(op, given, ["large"], **({"axis": 0} if op in ("Gather", "Concat") else {})),
        helper.make_node("ReduceSum", ["large"], ["sum"], keepdims=0), helper.make_node("Add", ["x", "sum"], ["y"]),
    ]  # fmt: skip
    ports = [helper.make_tensor_value_info(name, 1, [2]) for name in "xy"]
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in held.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "net", ports[:1], ports[1:], tensors), opset_imports=[helper.make_opsetid("", 17)]
    )
    with pytest.raises(InvalidInput, match=rf"^onnx node 0 {op} '' is {op}: of constants at most 16777216 elements"):
        formats.graph(formats.parse(model.SerializeToString()))


def test_a_spoiled_node_test_is_a_graph_or_one_line() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = load_model_tests(kind="node")
    ours = [c for c in cases if c.model.graph.input and any(n.op_type in formats.READ for n in c.model.graph.node)]
    rng, read, refused = random.Random(0), 0, 0
    for _ in range(EXAMPLES):
        case = rng.choice(ours)
        model, fixed = spoiled(case, rng)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # numpy's, of numbers that are none
                formats.graph(formats.parse(model.SerializeToString(), None, fixed))
            read += 1
        except SelvedgeError as error:
            refused += 1
            told_line = str(error)
            if "\n" in told_line:
                raise
        except Exception as error:
            raise AssertionError(f"{case.name}: {type(error).__name__}: {error}") from error
    print(f"{EXAMPLES} spoiled node tests: {read} read, {refused} refused")
    assert min(read, refused) > 0
