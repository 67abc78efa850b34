"""int8 kernels of processors that this machine may not be: x86 with VNNI and 64-bit Arm, bit by bit the plain ones.

``int8_memory.c`` says itself whether they are. A missing emulator or compiler is a skip; where SELVEDGE_REQUIRE_ALL is
set, a failure.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from .build import NATIVE

HERE = Path(__file__).parent
FLAGS = ["-std=c99", "-O1", "-Wall", "-Wextra", "-ffp-contract=fast", f"-I{NATIVE}", f"-I{HERE}"]
VNNI = {  # what gcc is told -> what /proc/cpuinfo calls it
    ("-mavx2", "-mfma", "-mavxvnni"): ("avx_vnni",),
    ("-mavx2", "-mfma", "-mavx512vl", "-mavx512vnni"): ("avx512vl", "avx512_vnni"),
}

x86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="not an x86 machine")


def found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        if os.environ.get("SELVEDGE_REQUIRE_ALL"):
            pytest.fail(f"{program} is missing and SELVEDGE_REQUIRE_ALL is set")
        pytest.skip(f"{program} is not installed")
    return path


def processor() -> set[str]:
    file = Path("/proc/cpuinfo")
    return set(file.read_text().split()) if file.exists() else set()


def agrees(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@x86
def test_bytes_in_fours_are_the_plain_kernel_where_vnni_is_emulated(tmp_path: Path) -> None:
    if not {"avx2", "fma"} <= processor():
        pytest.skip("this machine has no AVX2")
    program = str(tmp_path / "vnni")
    vectors = ["-mavx2", "-mfma", "-DSV_VECTOR_BYTES=32"]
    agrees(found("gcc"), *FLAGS, *vectors, str(HERE / "int8_vnni.c"), "-o", program, "-lm")
    agrees(program)


@x86
@pytest.mark.parametrize("flags", VNNI, ids=lambda flags: flags[-1].removeprefix("-m"))
def test_vnni_compiles_to_its_instructions_and_runs_where_it_is(tmp_path: Path, flags: tuple[str, ...]) -> None:
    program = str(tmp_path / "vnni")
    source = str(HERE / "int8_memory.c")
    agrees(found("gcc"), *FLAGS, *flags, "-Werror", "-DSV_VECTOR_BYTES=32", source, "-o", program, "-lm")
    text = subprocess.run([found("objdump"), "-d", program], capture_output=True, text=True, check=True).stdout
    assert "vpdpbusd" in text
    assert "vpdpwssd" in text
    if set(VNNI[flags]) <= processor():
        agrees(program)


@pytest.mark.parametrize("processor", ["generic", "generic+dotprod"])
def test_arm_kernels_are_the_plain_ones(tmp_path: Path, processor: str) -> None:
    emulator = found("qemu-aarch64")
    if find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed")
    program = str(tmp_path / "arm")
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", "aarch64-linux-musl", f"-mcpu={processor}", *FLAGS]
    strict = ["-fno-math-errno", "-Wconversion", "-Werror", "-Wno-unused-command-line-argument"]  # zig adds a -c itself
    units: list[str] = []
    for name in ("int8_memory.c", "bare_aarch64.c"):
        units.append(str(tmp_path / f"{name}.s"))
        agrees(*zig, *strict, "-S", str(HERE / name), "-o", units[-1])
    assert ("sdot" in Path(units[0]).read_text()) == processor.endswith("dotprod")
    agrees(*zig[:7], "-nostdlib", "-static", *units, "-o", program)
    agrees(emulator, program)
