"""What ATen operators compute of a row, and of its gradient, is what the row means: every row of the op table."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from selvedge import ir
from selvedge.artifact.layout import Layout
from selvedge.aten.module import Computed
from selvedge.aten.table import LACKS
from selvedge.errors import NotSupported
from tests.formats.lowered import graphs_of, refused_rightly, same
from tests.ir.cases import MAKERS, Maker


@pytest.mark.parametrize("maker", MAKERS, ids=lambda m: m.__name__)
def test_a_row_and_its_gradient_are_what_they_mean(maker: Maker) -> None:
    for graph, arrays in graphs_of(maker, seeds=3):
        plain = {n: Layout.of(v.shape) for n, v in {**graph.inputs, **graph.outputs}.items()}
        try:
            made = Computed(graph, plain)
        except NotSupported as error:
            refused_rightly(error, graph, LACKS)
            continue
        with torch.no_grad():
            found = [t.numpy() for t in made(*(torch.from_numpy(np.array(arrays[n])) for n in made.takes))]
        same(found, ir.interpret(graph, arrays, {}))
