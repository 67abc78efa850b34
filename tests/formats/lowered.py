"""What the tests of lowering tables share: graphs of one row and of its gradient, and when two answers are the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from selvedge import ir
from selvedge.errors import NotSupported
from tests.ir.cases import Maker
from tests.ir.test_ops import gradient_graph, graph_of

Arrays = Mapping[str, np.ndarray]


def graphs_of(maker: Maker, seeds: int) -> Iterator[tuple[ir.Graph, Arrays]]:
    """(graph, what its inputs are) of the row's first result, and of its gradient where it has one; in float32."""
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        case = maker(rng)
        graph, arrays, _ = graph_of(case, "float32")
        y = graph.outputs["y0"]
        yield ir.Graph(graph.inputs, {}, {"y0": y}), arrays
        if not y.spec.is_float or ir.TABLE[case.op].gradient is None:
            continue
        gradient, arrays = gradient_graph(case, np.asarray(rng.normal(size=y.shape)), "float32")
        if gradient.outputs:
            yield ir.Graph(gradient.inputs, {}, {f"d{n}": v for n, v in gradient.outputs.items()}), arrays


def refused_rightly(error: NotSupported, graph: ir.Graph, lacks: Mapping[str, tuple[str, str]]) -> None:
    """It names a row of the graph that the table has a reason for, and says that reason and what to do."""
    op = error.op.partition(" in ")[0]
    assert op in {node.op for node in graph.nodes()}
    why, fix = lacks[op]
    assert why in error.op
    assert error.what_to_do == fix


def same(found: Sequence[np.ndarray], wanted: Arrays) -> None:
    """Within float32's rounding: of an output's own size, as sums of products are."""
    for got, (name, want) in zip(found, wanted.items(), strict=True):
        assert (got.shape, got.dtype) == (want.shape, want.dtype), name
        largest = np.abs(want[np.isfinite(want)].astype(float)).max(initial=0)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=2e-6 * max(1, largest), err_msg=name)
