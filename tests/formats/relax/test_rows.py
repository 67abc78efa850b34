"""What TVM compiles of a row, and of its gradient, is what the row means: every row of the op table, through LLVM."""

from __future__ import annotations

import numpy as np
import pytest
import tvm

from selvedge import ir
from selvedge.errors import NotSupported
from selvedge.formats.relax import LACKS, module
from tests.formats.lowered import graphs_of, refused_rightly, same
from tests.ir.cases import MAKERS, Maker


@pytest.mark.parametrize("maker", MAKERS, ids=lambda m: m.__name__)
def test_a_row_and_its_gradient_are_what_they_mean(maker: Maker) -> None:
    for graph, arrays in graphs_of(maker, seeds=1):
        try:
            made = module({"row": graph})
        except NotSupported as error:
            refused_rightly(error, graph, LACKS)
            continue
        machine = tvm.relax.VirtualMachine(tvm.compile(tvm.relax.get_pipeline("zero")(made), "llvm"), tvm.cpu())
        found = machine["sv_row"](*(tvm.runtime.tensor(np.ascontiguousarray(arrays[n])) for n in graph.inputs))
        same([f.numpy() for f in found], ir.interpret(graph, arrays, {}))
