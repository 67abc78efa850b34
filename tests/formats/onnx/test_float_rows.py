"""Contract of what is written: every row of the op table has a rule or a named reason, and what a rule writes, of the
row and of its gradient, gives in ONNX Runtime what the row means."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from selvedge import ir
from selvedge.errors import NotSupported
from selvedge.formats import onnx as formats
from tests.ir.cases import MAKERS, Maker
from tests.ir.test_ops import gradient_graph, graph_of

from .runtime import run

SEEDS = range(3)


def test_every_row_has_a_rule_or_a_reason() -> None:
    rows = set(ir.TABLE)
    assert set(formats.RULES) | set(formats.LACKS) == rows
    assert not set(formats.RULES) & set(formats.LACKS)
    print(f"{len(formats.RULES)} of {len(rows)} rows are written as ONNX; not: {', '.join(sorted(formats.LACKS))}")


def agrees(graph: ir.Graph, arrays: dict[str, np.ndarray]) -> None:
    """Within float32's rounding: of an output's own size, as sums of products are."""
    lacking = {node.op for node in graph.nodes()} & set(formats.LACKS)
    if lacking:
        with pytest.raises(NotSupported) as raised:
            formats.written(graph, "row")
        assert raised.value.op.removesuffix(" in ONNX") in lacking
        assert raised.value.what_to_do == formats.LACKS[raised.value.op.removesuffix(" in ONNX")]
        return
    model = formats.written(graph, "row")
    onnx.checker.check_model(model, full_check=True)
    names = {i.name for i in model.graph.input}
    found = run(model, {n: a for n, a in arrays.items() if n in names})
    expected = ir.interpret(graph, arrays, {})
    for got, want in zip(found, expected.values(), strict=True):
        assert (got.shape, got.dtype) == (want.shape, want.dtype)
        largest = np.abs(want[np.isfinite(want)].astype(float)).max(initial=0)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=2e-6 * max(1, largest))


@pytest.mark.parametrize("maker", MAKERS, ids=lambda m: m.__name__)
def test_a_row_and_its_gradient_are_what_they_mean(maker: Maker) -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        case = maker(rng)
        graph, arrays, _ = graph_of(case, "float32")
        y = graph.outputs["y0"]
        agrees(ir.Graph(graph.inputs, {}, {"y0": y}), arrays)
        if not y.spec.is_float or ir.TABLE[case.op].gradient is None:
            continue
        cotangent = np.asarray(rng.normal(size=y.shape))
        gradient, arrays = gradient_graph(case, cotangent, "float32")
        if gradient.outputs:
            named = {f"d{name}": value for name, value in gradient.outputs.items()}
            agrees(ir.Graph(gradient.inputs, {}, named), arrays)
