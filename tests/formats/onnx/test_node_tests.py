"""The ONNX project's own node tests, as its wheel holds them: of every operator that is read each test passes, or is
refused with a reason. Refused is what the reader says of the file, in one line; it is counted as not claimed."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.backend.test.loader import load_model_tests

import selvedge as sv
from selvedge import ir
from selvedge.errors import InvalidInput, NotSupported, SelvedgeError
from selvedge.formats import onnx as formats
from selvedge.make.network import Network

CLAIMED = 745  # tests that pass: they may become more
NATIVE = 100  # of those that a compiled plan runs here too, one of every operator
# What an operator is told in an input: a file of a trained network holds these as constants, so they are given so.
TOLD = {
    "axes", "axis", "delta", "depth", "ends", "k", "limit", "max", "min", "num_classes", "pads", "repeats", "roi",
    "scales", "shape", "sizes", "split", "start", "starts", "steps",
    # What quantised operators are told, their weights among it.
    "a_scale", "a_zero_point", "b", "b_scale", "b_zero_point", "w", "w_scale", "w_zero_point", "x_scale",
    "x_zero_point", "y_scale", "y_zero_point",
}  # fmt: skip
OTHERS = {
    "CumSum": onnx.TensorProto.DOUBLE,
    "ReduceLogSumExp": onnx.TensorProto.DOUBLE,
    "Trilu": onnx.TensorProto.INT64,
}
"""Operators that are read in float32, and the type that the project tests them with."""
OURS = {"DequantizeLinear", "QLinearConv", "QuantizeLinear"}
"""Those of which the project tests other types alone, inputs of uint8 among them: test_rows.py has these."""


@dataclass
class Outcome:
    """passed, failed: names of tests. refused: reason -> names."""

    passed: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    refused: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def lifted(model: onnx.ModelProto) -> onnx.ModelProto:
    """A test of an operator that has not changed since before opset 13 is one of opset 13."""
    for entry in model.opset_import:
        old = entry.domain == "" and entry.version < 13
        if old and all(onnx.defs.get_schema(n.op_type, 13).since_version <= entry.version for n in model.graph.node):
            copy = onnx.ModelProto.FromString(model.SerializeToString())
            copy.opset_import[0].version = 13
            return copy
    return model


def told(model: onnx.ModelProto, inputs: list[Any]) -> dict[str, np.ndarray]:
    """The inputs that say what to do, by the names that the standard has for them."""
    formal = {}
    for node in model.graph.node:
        if node.op_type in ("MatMul", "Gemm"):  # its "b" is data
            continue
        if onnx.defs.has(node.op_type, node.domain):
            known = onnx.defs.get_schema(node.op_type, node.domain).inputs
            formal.update({name: known[i].name for i, name in enumerate(node.input) if i < len(known)})
    return {
        port.name: np.asarray(array)
        for port, array in zip(model.graph.input, inputs, strict=False)
        if formal.get(port.name) in TOLD and isinstance(array, np.ndarray | np.generic)
    }


def agrees(got: np.ndarray, want: np.ndarray, case: Any) -> None:
    """Integers of 64 bits are 32 here."""
    assert got.shape == want.shape
    assert got.dtype == want.dtype or (got.dtype, want.dtype) == (np.int32, np.int64)
    np.testing.assert_allclose(got, want, rtol=case.rtol, atol=case.atol)


def run(case: Any, outcome: Outcome) -> None:
    model, operator = lifted(case.model), case.model.graph.node[0].op_type
    for inputs, outputs in case.data_sets:
        try:
            fixed = told(model, inputs)
            found = formats.graph(formats.parse(model.SerializeToString(), None, fixed))
        except (NotSupported, InvalidInput) as error:
            outcome.refused[str(error)].append(case.name)
            return
        given = [a for port, a in zip(model.graph.input, inputs, strict=True) if port.name not in fixed]
        feeds = {n: found.layouts[n].store(a) if n in found.layouts else np.asarray(a)
                 for n, a in zip(found.graph.inputs, given, strict=True)}  # fmt: skip
        try:
            made = ir.interpret(found.graph, feeds, {})
        except ValueError as error:  # an index that is out of range is refused when it runs
            where = outcome.refused[str(error)] if "must lie in 0.." in str(error) else None
            if where is None:
                raise
            where.append(case.name)
            return
        try:
            for (name, array), want in zip(made.items(), outputs, strict=True):
                agrees(found.layouts[name].restore(array) if name in found.layouts else array, want, case)
        except AssertionError as error:
            outcome.failed[case.name] = str(error)
            return
    outcome.passed[case.name] = operator


@pytest.fixture(scope="module")
def cases() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(load_model_tests(kind="node"))


def singled(case: Any, kind: int) -> Any:
    """A test whose numbers are float32 instead of ``kind``, where every one of them is one or nearly so."""
    model = onnx.ModelProto.FromString(case.model.SerializeToString())
    ports = [*model.graph.input, *model.graph.output]
    now = {p.name for p in ports if p.type.tensor_type.elem_type == kind and p.name not in ("k", "axes", "axis")}
    for port in ports:
        if port.name in now:
            port.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    data = [
        tuple(
            [np.asarray(a).astype(np.float32) if p.name in now else a for p, a in zip(side, arrays, strict=True)]
            for side, arrays in zip((model.graph.input, model.graph.output), pair, strict=True)
        )
        for pair in case.data_sets
    ]
    return replace(case, model=model, data_sets=data, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def outcome(cases: list[Any]) -> Outcome:
    found = Outcome()
    for case in cases:
        run(case, found)
    return found


def test_no_node_test_of_what_is_claimed_fails(cases: list[Any], outcome: Outcome) -> None:
    refused = sum(map(len, outcome.refused.values()))
    print(f"{len(cases)} node tests: {len(outcome.passed)} passed, {len(outcome.failed)} failed, {refused} not claimed")
    for reason, names in sorted(outcome.refused.items(), key=lambda item: -len(item[1]))[:12]:
        print(f"{len(names):5}  {reason[:150]}")
    assert not outcome.failed
    assert len(outcome.passed) >= CLAIMED
    assert len(outcome.passed) + refused == len(cases)
    assert not [reason for reason in outcome.refused if "\n" in reason]


def test_every_operator_that_is_read_passes_one(cases: list[Any], outcome: Outcome) -> None:
    """But for those that the project has no test of float32 for."""
    passed = Counter(outcome.passed.values())
    inside = {n.op_type for c in cases if c.name in outcome.passed for n in c.model.graph.node}
    missing = sorted(set(formats.READ) - set(passed) - inside - set(OTHERS) - OURS)
    print("operators:", ", ".join(f"{op} {n}" for op, n in sorted(passed.items()) if op in formats.READ))
    assert missing == []


@pytest.mark.parametrize("operator", OTHERS)
def test_an_operator_that_is_tested_in_another_type_passes_in_float32(cases: list[Any], operator: str) -> None:
    found, kind = Outcome(), OTHERS[operator]
    for case in cases:
        of_kind = any(p.type.tensor_type.elem_type == kind for p in case.model.graph.output)
        if [n.op_type for n in case.model.graph.node] == [operator] and of_kind:
            run(singled(case, kind), found)
    print(f"{operator} in float32: {len(found.passed)} passed, not claimed: {dict(found.refused)}")
    assert not found.failed
    assert len(found.passed) >= 7


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_our_own_code_runs_one_of_every_operator(cases: list[Any], outcome: Outcome) -> None:
    seen, ran, refused = set[str](), 0, list[str]()
    for case in cases:
        operator = outcome.passed.get(case.name)
        if operator is None or operator in seen or operator not in formats.READ:
            continue
        model, (inputs, outputs) = lifted(case.model), case.data_sets[0]
        fixed = told(model, inputs)
        found = formats.graph(formats.parse(model.SerializeToString(), None, fixed))
        given = [a for port, a in zip(model.graph.input, inputs, strict=True) if port.name not in fixed]
        seen.add(operator)
        try:
            plan = sv.plan_inference(Network(found.graph, "node", found.layouts), device="stm32h743")
            made = sv.compile(plan).predict(tuple(given) if len(given) > 1 else given[0])
        except SelvedgeError as error:  # what is not finite is none of a session's inputs
            refused.append(f"{operator}: {error}")
            continue
        for got, want in zip(made if isinstance(made, tuple) else (made,), outputs, strict=True):
            agrees(np.asarray(got), want, case)
        ran += 1
    print(f"{ran} operators run natively; refused by the planner: {refused}")
    assert ran >= NATIVE
