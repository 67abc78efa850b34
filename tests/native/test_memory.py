"""The kernels under the address and undefined-behaviour sanitizers, on buffers of exactly their size."""

import subprocess
from pathlib import Path

import pytest

from .build import NATIVE

SANITIZE = ["-std=c99", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@pytest.mark.parametrize(("real", "vector_bytes"), [("float", 0), ("double", 16), ("float", 64)])
def test_kernels_stay_inside_their_buffers(tmp_path: Path, real: str, vector_bytes: int) -> None:
    source, program = Path(__file__).with_name("memory.c"), tmp_path / "memory"
    flags = [f"-I{NATIVE}", f"-DSV_REAL={real}", f"-DSV_VECTOR_BYTES={vector_bytes}"]
    subprocess.run(["gcc", *SANITIZE, *flags, str(source), "-o", str(program), "-lm"], check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
