"""ExecuTorch by its C++ runtime, without torch: its Python package imports torch and links libtorch, so the libraries
of its wheel are called through some lines of C++, which are compiled on first use and cached."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...artifact import files
from ...artifact.manifest import Manifest
from ...errors import InvalidInput, one_line
from ..build import default_cache
from .positional import Positional

SOURCE = Path(__file__).with_name("executorch.cpp")
LIBRARIES = (
    "executorch", "executorch_threadpool", "executorch_kernels_optimized", "executorch_kernels_quantized",
    "executorch_backend_xnnpack",
)  # fmt: skip
COMPILERS = ("g++", "c++", "clang++")
ROOM = 1024  # bytes of a message
CODES = {"uint8": 0, "int8": 1, "int16": 2, "int32": 3, "int64": 4, "float32": 6, "float64": 7, "bool": 11}
"""ScalarType of ExecuTorch's ``scalar_type.h``."""


def opened(manifest: Manifest, contents: Mapping[str, bytes], state: Mapping[str, np.ndarray]) -> Positional:
    """Raises :class:`InvalidInput` for a program that the runtime does not take, and without a C++ compiler."""
    runtime = library()
    return Positional(
        manifest, contents, state, {n: Forward(runtime, contents[p.file], p.file) for n, p in manifest.programs.items()}
    )


def library(cache: Path | None = None) -> ctypes.CDLL:
    """The runtime with its kernels and XNNPACK."""
    built = _built(_package(), cache or default_cache())
    try:
        found = ctypes.CDLL(str(built))
    except OSError:  # a crash, or a full disk, has torn what an earlier run has cached
        built.unlink(missing_ok=True)
        found = ctypes.CDLL(str(_built(_package(), cache or default_cache())))
    found.sv_open.restype = ctypes.c_void_p
    found.sv_arena.restype = ctypes.c_size_t
    return found


def _package() -> Path:
    spec = importlib.util.find_spec("executorch")
    places = [Path(p) for p in (spec.submodule_search_locations or ())] if spec else []
    for place in places:
        if (place / "lib" / "libexecutorch.so").exists() and (place / "include").is_dir():
            return place
    raise InvalidInput("executorch", "without its C++ libraries", "pip install 'executorch==1.5.1', of Linux or macOS")


def _built(package: Path, cache: Path) -> Path:
    compiler = next((c for c in COMPILERS if shutil.which(c)), None)
    if compiler is None:
        fix = f"install one of {', '.join(COMPILERS)}: ExecuTorch's headers are C++"
        raise InvalidInput("C++ compiler", "missing", fix)
    lib = package / "lib"
    stamp = "".join(f"{path.name} {path.stat().st_size} " for path in sorted(lib.glob("lib*.so")))
    text = SOURCE.read_text()
    made = cache / f"executorch-{hashlib.sha256(f'{compiler} {package} {stamp} {text}'.encode()).hexdigest()[:24]}.so"
    if made.exists():
        return made
    with tempfile.TemporaryDirectory(prefix="selvedge-") as folder:
        out = Path(folder) / "out.so"
        command = [
            compiler, "-std=c++17", "-O1", "-w", "-fPIC", "-shared", "-DC10_USING_CUSTOM_GENERATED_MACROS",
            f"-I{package / 'include'}", f"-I{package / 'include/executorch/runtime/core/portable_type/c10'}",
            str(SOURCE), "-o", str(out), f"-L{lib}", f"-Wl,-rpath,{lib}", "-Wl,--no-as-needed",
            *(f"-l{n}" for n in LIBRARIES),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines() or ["?"]
            fix = f"it cannot build against ExecuTorch: {one_line(errors[0])[:200]}"
            raise InvalidInput("C++ compiler", compiler, fix)
        try:
            files.write(made, out.read_bytes())
        except InvalidInput:
            fix = "nothing can be written there: set XDG_CACHE_HOME"
            raise InvalidInput("cache directory", str(cache), fix) from None
    return made


class Forward:
    """One program, loaded."""

    def __init__(self, runtime: ctypes.CDLL, program: bytes, name: str) -> None:
        error = ctypes.create_string_buffer(ROOM)
        self._runtime = runtime
        self._handle = runtime.sv_open(program, ctypes.c_size_t(len(program)), error, ctypes.c_size_t(ROOM))
        if not self._handle:
            raise InvalidInput("artifact file", name, f"ExecuTorch refuses it: {_said(error)}")

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._runtime.sv_close(ctypes.c_void_p(self._handle))

    @property
    def arena_bytes(self) -> int:
        """What its own planner gives activations."""
        return int(self._runtime.sv_arena(ctypes.c_void_p(self._handle)))

    def __call__(self, arrays: Sequence[np.ndarray], shapes: Sequence[tuple[tuple[int, ...], str]]) -> list[np.ndarray]:
        made = [np.empty(shape, dtype) for shape, dtype in shapes]
        count, extents = len(arrays), [n for a in arrays for n in a.shape]
        error = ctypes.create_string_buffer(ROOM)
        failed = self._runtime.sv_run(
            ctypes.c_void_p(self._handle), ctypes.c_size_t(count),
            (ctypes.c_void_p * count)(*(a.ctypes.data for a in arrays)),
            (ctypes.c_int * count)(*(CODES[a.dtype.name] for a in arrays)),
            (ctypes.c_int * count)(*(a.ndim for a in arrays)),
            (ctypes.c_int32 * len(extents))(*extents),
            ctypes.c_size_t(len(made)), (ctypes.c_void_p * len(made))(*(a.ctypes.data for a in made)),
            (ctypes.c_size_t * len(made))(*(a.nbytes for a in made)), error, ctypes.c_size_t(ROOM),
        )  # fmt: skip
        if failed:
            raise RuntimeError(_said(error))
        return made


def _said(error: ctypes.Array[ctypes.c_char]) -> str:
    return one_line(error.value.decode(errors="replace"))
