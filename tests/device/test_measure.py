"""This machine, measured; with a compiler, and without one."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from selvedge.artifact.toolchain import Compiler, NoCompiler, find_compiler
from selvedge.device import Device
from selvedge.device.measure import memory, native_flags, predefined, this_machine, vector_bytes


def nowhere() -> Compiler:
    raise NoCompiler


@pytest.mark.parametrize(
    ("macros", "width"),
    [
        ({"__SSE2__", "__AVX__", "__AVX2__", "__AVX512F__"}, 64),
        ({"__SSE2__", "__AVX__"}, 32),
        ({"__SSE2__"}, 16),
        ({"__ARM_NEON"}, 16),
        ({"__ARM_FEATURE_DSP"}, 0),
        (set(), 0),
    ],
)
def test_the_vector_width_is_read_from_the_compilers_macros(macros: set[str], width: int) -> None:
    assert vector_bytes(frozenset(macros)) == width


def test_wide_vectors_are_kept_whole() -> None:
    assert native_flags(64) == ("-march=native", "-mprefer-vector-width=512")
    assert native_flags(32) == ("-march=native",)


def test_this_machine_is_measured_with_a_compiler() -> None:
    compiler = find_compiler()
    device = Device.load("this-machine")
    assert device.name == "this-machine"
    assert device.ram == memory()[0]
    assert 0 < device.reserved_ram < device.ram
    assert device.vector_bytes == vector_bytes(predefined(compiler))
    assert device.alignment >= device.vector_bytes
    assert device.toolchain is not None
    assert device.toolchain.compiler == compiler.command
    assert 1e8 < device.throughput["float32"] < 1e12
    assert 1e8 < device.bandwidth["ram"] < 1e12
    if device.cache:
        assert device.bandwidth["cache"] > 0.5 * device.bandwidth["ram"]
    basis = device.basis("throughput.float32")
    assert basis is not None
    assert basis.kind == "measured"
    assert str(compiler) in basis.document


def test_without_a_compiler_numpy_measures_and_says_so() -> None:
    device = Device(**this_machine(nowhere))
    assert device.toolchain is None
    assert 1e8 < device.throughput["float32"] < 1e13
    assert 1e8 < device.bandwidth["ram"] < 1e12
    for figure in ("throughput.float32", "bandwidth.ram"):
        basis = device.basis(figure)
        assert basis is not None
        assert "numpy" in basis.document
        assert "no C compiler" in basis.document
    width = device.basis("vector_bytes")
    assert width is not None
    assert "pip install ziglang" in width.document


@pytest.mark.skipif(os.name == "nt", reason="a script stands for the compiler")
def test_a_compiler_that_fails_leaves_numpy_to_measure(tmp_path: Path) -> None:
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    broken.chmod(0o755)
    device = Device(**this_machine(lambda: Compiler((str(broken),), "gcc", "broken 1.0")))
    basis = device.basis("throughput.float32")
    assert basis is not None
    assert "numpy" in basis.document


def test_every_figure_of_this_machine_has_a_source() -> None:
    device = Device(**this_machine(nowhere))
    names = ["ram", "reserved_ram", "flash", "vector_bytes", "alignment", "overhead_s", "throughput.float32"]
    for figure in [*names, *(f"bandwidth.{level}" for level in device.bandwidth)]:
        assert device.basis(figure) is not None, figure


@pytest.mark.skipif(os.name == "nt", reason="a script stands for the compiler")
@pytest.mark.parametrize(
    ("name", "says", "kind"),
    [
        ("cc", "cc (Debian 12.2.0) 12.2.0", "gcc"),
        ("gcc", "gcc (GCC) 14.1.0", "gcc"),
        ("cc", "Apple clang version 15.0.0", "clang"),
        ("clang", "Debian clang version 14.0.6", "clang"),
    ],
)
def test_a_system_compiler_is_found_and_known(tmp_path: Path, name: str, says: str, kind: str) -> None:
    program = tmp_path / name
    program.write_text(f"#!/bin/sh\necho '{says}'\necho more\n", encoding="utf-8")
    program.chmod(0o755)
    compiler = find_compiler(str(tmp_path))
    assert compiler == Compiler((str(program),), kind, says)  # type: ignore[arg-type]


@pytest.mark.skipif(os.name == "nt", reason="a script stands for the compiler")
def test_a_compiler_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    for name, body in (("cc", "exit 1"), ("gcc", "echo gcc 13")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    assert find_compiler(str(tmp_path)).command == (str(tmp_path / "gcc"),)


def test_zig_is_taken_where_the_system_has_none() -> None:
    pytest.importorskip("ziglang")
    compiler = find_compiler("")
    assert compiler.kind == "zig"
    assert compiler.command == (sys.executable, "-m", "ziglang", "cc")
    assert "clang version" in compiler.version


def test_no_compiler_at_all_is_one_line_that_names_the_fix() -> None:
    with pytest.raises(NoCompiler) as refused:
        find_compiler("", python="no-such-python")
    assert "pip install ziglang" in str(refused.value)
    assert "\n" not in str(refused.value)
