"""Compile the kernels into shared libraries, one for every compiler, precision and vector width."""

import ctypes
import subprocess
import sys
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

NATIVE = Path(__file__).parents[2] / "native"
WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-ffp-contract=fast", f"-I{NATIVE}"]
COMPILERS = {"gcc": ["gcc"], "zig": [sys.executable, "-m", "ziglang", "cc"]}


@dataclass(frozen=True)
class Conv:
    """The fields of sv_conv, in order."""

    n: int
    h: int
    w: int
    c: int
    oh: int
    ow: int
    k: int
    kh: int = 1
    kw: int = 1
    sh: int = 1
    sw: int = 1
    ph: int = 0
    pw: int = 0
    dh: int = 1
    dw: int = 1
    groups: int = 1

    @property
    def rows(self) -> int:
        return self.kh * self.kw * (self.c // self.groups)

    @property
    def pixels(self) -> int:
        return self.n * self.oh * self.ow


class Kernels:
    """Calls `name` of the library with arrays, numbers and Conv values; floats become `dtype`."""

    def __init__(self, library: Path, dtype: type[np.floating[Any]]) -> None:
        self.library = ctypes.CDLL(str(library))
        self.dtype = np.dtype(dtype)

    def real(self, array: Any) -> np.ndarray:
        return np.ascontiguousarray(array, dtype=self.dtype)

    def empty(self, *shape: int) -> np.ndarray:
        return np.full(shape, np.nan, dtype=self.dtype)

    def __call__(self, name: str, *values: Any) -> int:
        keep: list[Any] = []
        for value in values:
            if isinstance(value, np.ndarray):
                keep.append(value.ctypes.data_as(ctypes.c_void_p))
            elif isinstance(value, Conv):
                keep.append((ctypes.c_int32 * 16)(*astuple(value)))
            elif isinstance(value, float):
                keep.append(ctypes.c_float(value) if self.dtype == np.float32 else ctypes.c_double(value))
            else:
                keep.append(value)
        return int(getattr(self.library, f"t_{name}")(*keep))


def compile_kernels(
    folder: Path, compiler: str, real: str, vector_bytes: int, flags: tuple[str, ...], unit: str = "kernels.c"
) -> Kernels:
    """Build a unit of this folder into `folder` with warnings as errors and load it."""
    source = Path(__file__).with_name(unit)
    library = folder / f"{source.stem}_{compiler}_{real}_{vector_bytes}.so"
    defines = [f"-DSV_REAL={real}", f"-DSV_VECTOR_BYTES={vector_bytes}"]
    command = [*COMPILERS[compiler], *WARNINGS, "-O2", *flags, *defines, "-fPIC", "-shared"]
    command += [str(source), "-lm", "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Kernels(library, np.float32 if real == "float" else np.float64)
