"""The emitted C is clean C99: no warning, no surprise at link time, nothing for the sanitizers to find."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import selvedge as sv
from selvedge.artifact.native import native_sources
from selvedge.emitting.c import Bundle
from selvedge.emitting.c.bundle import weights_header
from selvedge.emitting.c.calls import FAMILIES
from selvedge.emitting.c.integer_calls import INTEGER
from selvedge.ir import TABLE
from selvedge.make.compile import bundled
from selvedge.make.measure import inputs
from selvedge.planning.fuse import DEQUANTIZE, QUANTIZE
from selvedge.planning.sparse_sizes import SPARSE
from tests import oracle

from .modules import CASES

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-ffp-contract=fast", "-march=native")
COMPILERS = {"gcc": ("gcc",), "zig": (sys.executable, "-m", "ziglang", "cc", "-fno-sanitize=all")}
# libm in the precision of the plan: these and no more, with an "f" behind them in single precision.
# gcc joins a sine and a cosine of the same number into glibc's sincos.
LIBM = {"sincos"} | set(re.findall(r"SV_MATH\((\w+)\)\n", native_sources()["selvedge.h"]))
LIBC = {"memcpy", "memset"}
SANITIZE = ("-g", "-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

gcc_and_zig = pytest.mark.parametrize("compiler", ["gcc", pytest.param("zig", marks=pytest.mark.zig)])


@cache
def plan(name: str, dtype: str, vector_bytes: int) -> sv.Plan:
    return CASES[name].plan(getattr(torch, dtype), vector_bytes)


@cache
def zoo_bundle(spec: str) -> Bundle:
    model, example, loss = oracle.zoo_model(spec)
    return bundled(sv.plan(model, example, loss=loss, device=oracle.WIDE, optimizer=sv.SGD(lr=0.1, momentum=0.9)))


def lay(made: Bundle, folder: Path) -> Path:
    """The bundle's sources in ``folder``; the path of its translation unit."""
    for name, text in made.sources.items():
        (folder / name).write_text(text)
    (folder / "model_weights.h").write_text(weights_header("model", made.weights))
    return folder / "model.c"


def run(*command: str | Path, given: bytes = b"") -> str:
    done = subprocess.run([str(c) for c in command], input=given, capture_output=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout.decode()}{done.stderr.decode()}"
    return done.stdout.decode()


def vectors(made: Bundle) -> str:
    item = 8 if made.manifest.dtype == "float64" else 4
    return f"-DSV_VECTOR_BYTES={made.manifest.lanes * item if made.manifest.lanes > 1 else 0}"


def test_the_cases_emit_every_family_and_every_expression() -> None:
    kernels = [
        k for name in CASES for p in plan(name, "float32", 64).arrangement.programs.values() for k in p.kernels.values()
    ]
    # Those of int8 by tests/emitting/test_int8.py, those of sparse weights by test_sparse.py.
    assert {k.family for k in kernels} == {*FAMILIES, "loop", "reduce"} - set(INTEGER) - set(SPARSE)
    emitted = {s.op for k in kernels if k.expression for s in k.expression.steps}
    blocks = {"identity", "masked_grad", *QUANTIZE, *DEQUANTIZE}
    assert emitted == {name for name, row in TABLE.items() if row.elementwise} | blocks


@gcc_and_zig
@pytest.mark.parametrize(("dtype", "vector_bytes"), [("float32", 64), ("float64", 0)])
@pytest.mark.parametrize("name", CASES)
def test_no_warning_and_no_foreign_symbol(
    tmp_path: Path, name: str, dtype: str, vector_bytes: int, compiler: str
) -> None:
    made = bundled(plan(name, dtype, vector_bytes))
    unit = lay(made, tmp_path)
    run(*COMPILERS[compiler], *WARNINGS, "-O1", vectors(made), "-c", unit, "-o", tmp_path / "model.o")
    suffix = "f" if dtype == "float32" else ""
    undefined = undefined_symbols(tmp_path / "model.o")
    print(sorted(undefined))
    assert undefined <= LIBC | {name + suffix for name in LIBM}


@gcc_and_zig
@pytest.mark.parametrize("real", ["float", "double"])
def test_heavy_kernels_apart_are_clean_too(tmp_path: Path, real: str, compiler: str) -> None:
    """What this machine links to every model instead of compiling it each time."""
    for name, text in native_sources().items():
        (tmp_path / name).write_text(text)
    command = (*COMPILERS[compiler], *WARNINGS, "-O1", f"-DSV_REAL={real}", "-DSV_VECTOR_BYTES=64")
    run(*command, "-c", tmp_path / "linked.c", "-o", tmp_path / "linked.o")
    assert undefined_symbols(tmp_path / "linked.o") <= LIBC


def undefined_symbols(unit: Path) -> set[str]:
    nm = shutil.which("nm") or shutil.which("llvm-nm")
    if nm is None:
        if os.environ.get("SELVEDGE_REQUIRE_ALL"):
            pytest.fail("neither nm nor llvm-nm is installed")
        pytest.skip("neither nm nor llvm-nm is installed")
    return {line.split()[-1] for line in run(nm, "-u", unit).splitlines()}


@pytest.mark.parametrize("spec", oracle.FIVE)
def test_zoo_has_no_warning(tmp_path: Path, spec: str) -> None:
    made = zoo_bundle(spec)
    run("gcc", *WARNINGS, "-fsyntax-only", vectors(made), lay(made, tmp_path))


@gcc_and_zig
@pytest.mark.parametrize("spec", ["resnet8", "deep_autoencoder"])
def test_zoo_has_no_warning_when_optimised(tmp_path: Path, spec: str, compiler: str) -> None:
    """What the optimiser sees: loops that never run, reads before writes."""
    made = zoo_bundle(spec)
    command = (*COMPILERS[compiler], *WARNINGS, "-O2", vectors(made), "-c", lay(made, tmp_path))
    run(*command, "-o", tmp_path / "model.o")


@pytest.mark.parametrize("vector_bytes", [0, 64])
@pytest.mark.parametrize("name", CASES)
def test_sanitizers_find_nothing(tmp_path: Path, name: str, vector_bytes: int) -> None:
    """Every program, twice over, in heap blocks of exactly the promised sizes."""
    arrangement = plan(name, "float32", vector_bytes).arrangement
    made = bundled(plan(name, "float32", vector_bytes))
    lay(made, tmp_path)
    (tmp_path / "main.c").write_text(driver(made))
    run("gcc", "-std=c99", *SANITIZE, vectors(made), tmp_path / "main.c", "-o", tmp_path / "main", "-lm")
    given = [a for p in arrangement.programs.values() for a in inputs(p, made.manifest.classes, seed=1).values()]
    printed = run(tmp_path / "main", given=made.weights + b"".join(np.ascontiguousarray(a).tobytes() for a in given))
    evaluated, stepped, evaluated_again, stepped_again = map(float, printed.split())
    assert np.isfinite([evaluated, stepped, evaluated_again, stepped_again]).all()
    assert evaluated_again != evaluated  # the first step changed the weights


@pytest.mark.parametrize("name", CASES)
def test_every_optimisation_computes_the_same(tmp_path: Path, name: str) -> None:
    """As a user builds it: arena and program in one unit, no flag of ours. A compiler may round otherwise, no more."""
    made = bundled(plan(name, "float32", 0))
    lay(made, tmp_path)
    (tmp_path / "main.c").write_text(driver(made))
    programs = plan(name, "float32", 0).arrangement.programs.values()
    given = [a for p in programs for a in inputs(p, made.manifest.classes, seed=1).values()]
    stdin = made.weights + b"".join(np.ascontiguousarray(a).tobytes() for a in given)
    losses = {}
    for level in ("-O0", "-O1", "-O2", "-Os", "-O3"):
        unit = tmp_path / f"main{level}"
        run("gcc", "-std=c99", level, vectors(made), tmp_path / "main.c", "-o", unit, "-lm")
        losses[level] = [float(v) for v in run(unit, given=stdin).split()]
    for level, found in losses.items():
        assert found == pytest.approx(losses["-O0"], rel=1e-3), (level, losses)


def driver(made: Bundle) -> str:
    """A main that reads the weights and every program's inputs from stdin and prints each loss."""
    m = made.manifest
    reads, calls = [], []
    for name, program in m.programs.items():
        if m.preprocess is not None:
            raw = program.inputs["x"].bytes // np.dtype(program.inputs["x"].dtype).itemsize
            reads.append(f"    unsigned char *const {name}_raw = block({raw});")
            calls.append(f"        model_{name}_load(&context, {name}_raw);")
        for key, port in program.inputs.items():
            reads.append(f"    unsigned char *const {name}_{key} = given({port.bytes});")
            calls.append(f"        memcpy(arena + {port.offset}, {name}_{key}, {port.bytes});")
        calls.append(f"        if (model_{name}(&context) != SELVEDGE_OK) return 3;")
        if "loss" in program.outputs:
            at = program.outputs["loss"].offset
            calls.append(f'        printf("%.9g\\n", (double)*(const real *)(const void *)(arena + {at}));')
    lines = [
        "#define _POSIX_C_SOURCE 200112L",
        "#include <stdio.h>",
        "#include <stdlib.h>",
        '#include "model.c"',
        "static unsigned char *block(size_t bytes)",
        "{",
        "    void *made = 0;",
        f"    if (posix_memalign(&made, {max(16, m.alignment)}, bytes)) exit(2);",
        "    memset(made, 0x5A, bytes);",
        "    return made;",
        "}",
        "static unsigned char *given(size_t bytes)",
        "{",
        "    unsigned char *const made = block(bytes);",
        "    if (fread(made, 1, bytes, stdin) != bytes) exit(2);",
        "    return made;",
        "}",
        "int main(void)",
        "{",
        "    model_context context;",
        f"    unsigned char *const arena = block({m.arena_bytes}), *const weights = given({m.weights_bytes});",
        *reads,
        "    model_init(&context, arena, weights);",
        "    for (int twice = 0; twice < 2; twice++) {",
        *calls,
        "    }",
        "    fflush(stdout);",
        "    _Exit(0); /* the blocks are not given back */",
        "}",
        "",
    ]
    return "\n".join(lines)
