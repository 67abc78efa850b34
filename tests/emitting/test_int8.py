"""int8 kernels as they are emitted: clean C99, and bit by bit the interpreter's, with vectors and without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selvedge import ir
from selvedge.artifact.schedule import Constant
from selvedge.device import Device
from selvedge.emitting.c import Bundle, Description, bundle
from selvedge.emitting.c.integer_calls import INTEGER
from selvedge.make.measure import measure
from selvedge.planning.arrange import arrange
from selvedge.planning.check import check
from selvedge.planning.schedule import Arrangement
from selvedge.run.build import build
from selvedge.run.library import OK, Library, aligned

from .int8_graph import int8_graph
from .test_c_quality import COMPILERS, LIBC, WARNINGS, gcc_and_zig, lay, run, undefined_symbols, vectors

BUILDS = [("float32", 32), ("float64", 0)]
PACKED = {"int8_conv2d", "int8_linear"}  # for cores with vectors


def planned(dtype: str, vector_bytes: int) -> tuple[Arrangement, Bundle]:
    graph, _ = int8_graph(dtype)
    plan = arrange({"predict": graph}, Device(ram="1MiB", flash="1MiB", vector_bytes=vector_bytes))
    check(plan)
    about = Description("model", {}, {}, (), Constant(0.1), None, {})
    return plan, bundle(plan, {}, about)


def test_the_graph_emits_every_int8_family() -> None:
    with_vectors, without = (
        {k.family for k in planned(*how)[0].programs["predict"].kernels.values()} for how in BUILDS
    )
    assert with_vectors == set(INTEGER)
    assert without == set(INTEGER) - PACKED


@gcc_and_zig
@pytest.mark.parametrize(("dtype", "vector_bytes"), BUILDS)
def test_no_warning_and_no_foreign_symbol(tmp_path: Path, dtype: str, vector_bytes: int, compiler: str) -> None:
    _, made = planned(dtype, vector_bytes)
    unit = lay(made, tmp_path)
    run(*COMPILERS[compiler], *WARNINGS, "-O1", vectors(made), "-c", unit, "-o", tmp_path / "model.o")
    assert undefined_symbols(tmp_path / "model.o") <= LIBC | {"floor", "fabs"}


@pytest.mark.parametrize(("dtype", "vector_bytes"), BUILDS)
def test_every_output_is_the_interpreters_and_every_byte_is_planned(
    tmp_path: Path, dtype: str, vector_bytes: int
) -> None:
    plan, made = planned(dtype, vector_bytes)
    graph, given = int8_graph(dtype)
    library = build(made.sources, plan.lanes, plan.dtype, cache=tmp_path)
    weights, arena = aligned(len(made.weights)), aligned(plan.memory.arena)
    weights[:] = np.frombuffer(made.weights, np.uint8)
    code = Library(library, "model", plan.programs, arena, weights)
    code.init()
    p = plan.programs["predict"]

    def view(i: int) -> np.ndarray:
        spec = p.instances[i].spec
        return arena[p.offsets[i] : p.offsets[i] + spec.bytes].view(spec.dtype).reshape(spec.shape)

    view(p.inputs["x"])[...] = given["x"]
    assert code.call("predict") == OK
    for name, expected in ir.interpret(graph, given, {}).items():
        np.testing.assert_array_equal(view(p.outputs[name]), expected, err_msg=name)
    used = measure(plan, made, tmp_path)
    assert (used.arena, used.faults) == (plan.memory.arena, ())
