"""Sparse layers as they are emitted: clean C99, what the interpreter says, every byte as planned."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from selvedge import ir
from selvedge.artifact.schedule import Constant
from selvedge.device import Device
from selvedge.emitting.c import Bundle, Description, bundle
from selvedge.make.measure import measure
from selvedge.make.repeated import Repeated
from selvedge.planning.arrange import arrange
from selvedge.planning.check import check
from selvedge.planning.schedule import Arrangement
from selvedge.planning.sparse_sizes import SPARSE

from .sparse_graph import sparse_graph
from .test_c_quality import COMPILERS, LIBC, WARNINGS, gcc_and_zig, lay, run, undefined_symbols, vectors

BUILDS = [("float32", 0), ("float32", 16), ("float32", 32), ("float64", 32)]


@cache
def planned(dtype: str, vector_bytes: int) -> tuple[Arrangement, Bundle]:
    graph, _ = sparse_graph(dtype)
    plan = arrange({"predict": graph}, Device(ram="1MiB", flash="1MiB", vector_bytes=vector_bytes))
    check(plan)
    return plan, bundle(plan, {}, Description("model", {}, {}, (), Constant(0.1), None, {}))


def families(dtype: str, vector_bytes: int) -> set[str]:
    return {k.family for k in planned(dtype, vector_bytes)[0].programs["predict"].kernels.values()} & set(SPARSE)


def test_each_kernel_is_where_it_belongs() -> None:
    assert families("float32", 32) == set(SPARSE)
    assert families("float32", 0) == {"sparse_rows"}
    assert families("float32", 16) == families("float64", 32) == {"sparse_pixels", "sparse_rows"}


@gcc_and_zig
@pytest.mark.parametrize(("dtype", "vector_bytes"), BUILDS[::2])
def test_no_warning_and_no_foreign_symbol(tmp_path: Path, dtype: str, vector_bytes: int, compiler: str) -> None:
    made = planned(dtype, vector_bytes)[1]
    unit = lay(made, tmp_path)
    run(*COMPILERS[compiler], *WARNINGS, "-O1", vectors(made), "-c", unit, "-o", tmp_path / "model.o")
    assert undefined_symbols(tmp_path / "model.o") <= LIBC


@pytest.mark.parametrize(("dtype", "vector_bytes"), BUILDS)
def test_every_output_is_the_interpreters_and_every_byte_is_planned(dtype: str, vector_bytes: int) -> None:
    plan, made = planned(dtype, vector_bytes)
    graph, given = sparse_graph(dtype)
    code = Repeated(plan)
    code.inputs["x"][...] = given["x"]
    code()
    for name, expected in ir.interpret(graph, given, {}).items():
        near = (2e-6 if dtype == "float32" else 1e-14) * np.abs(expected).max()
        np.testing.assert_allclose(code.outputs[name], expected, rtol=0, atol=near, err_msg=name)
    used = measure(plan, made)
    assert (used.arena, used.faults) == (plan.memory.arena, ())


def test_every_emitted_kernel_ends_in_a_wall() -> None:
    text = planned("float32", 32)[1].sources["model.c"]
    bodies = [part.partition("\n}\n")[0] for part in text.split("\nstatic void predict_")[1:]]
    assert len(bodies) == len(planned("float32", 32)[0].programs["predict"].kernels)
    assert all(body.rstrip().endswith("SV_WALL();") for body in bodies)
