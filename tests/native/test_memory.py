"""The kernels under the address and undefined-behaviour sanitizers, on buffers of exactly their size."""

import subprocess
from pathlib import Path

import pytest

from .build import NATIVE
from .test_kernels import builds

SANITIZE = ["-std=c99", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def stays_inside(unit: str, tmp_path: Path, real: str, vector_bytes: int, *machine: str) -> None:
    source, program = Path(__file__).with_name(unit), tmp_path / "memory"
    flags = [f"-I{NATIVE}", f"-DSV_REAL={real}", f"-DSV_VECTOR_BYTES={vector_bytes}", *machine]
    subprocess.run(["gcc", *SANITIZE, *flags, str(source), "-o", str(program), "-lm"], check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("real", "vector_bytes"), [("float", 0), ("double", 16), ("float", 64)])
def test_kernels_stay_inside_their_buffers(tmp_path: Path, real: str, vector_bytes: int) -> None:
    stays_inside("memory.c", tmp_path, real, vector_bytes)


@pytest.mark.parametrize("vector_bytes", [0, 16, 32])
def test_int8_kernels_stay_inside_their_buffers(tmp_path: Path, vector_bytes: int) -> None:
    flags = next((row[3] for row in builds() if row[2] == vector_bytes and row[0] == "gcc"), None)
    if flags is None:
        pytest.skip(f"this machine has no vectors of {vector_bytes} bytes")
    stays_inside("int8_memory.c", tmp_path, "float", vector_bytes, *flags)
