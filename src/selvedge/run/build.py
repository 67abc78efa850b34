"""C sources -> a shared library for this machine, cached by the hash of everything that goes into it."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from ..artifact import files
from ..artifact.toolchain import Compiler, find_compiler
from ..errors import InvalidInput, SelvedgeError

FLAGS = (
    "-std=c99",
    "-O3",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-strict-aliasing",
    "-Werror=implicit-function-declaration",
    "-fPIC",
)


# gcc leaves a lone chain of sums without fused multiply-adds on some machines, and takes products out of a sum where it
# makes vectors of them: then a number would depend on the tile that it is computed in. What is vectorised by hand needs
# neither.
ALIKE = ("--param=avoid-fma-max-bits=0",)
LINKED = ("-fno-tree-loop-vectorize",)


class BuildFailed(SelvedgeError):
    """The compiler refused the sources. ``output`` is all it printed."""

    def __init__(self, compiler: Compiler, output: str) -> None:
        errors = [line for line in output.splitlines() if "error" in line] or output.splitlines() or ["no message"]
        super().__init__(f"compiler {compiler.command[0]}: {errors[0].strip()}")
        self.output = output


def default_cache() -> Path:
    """``$XDG_CACHE_HOME/selvedge``, by default ``~/.cache/selvedge``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "selvedge"


def cache_path(given: object) -> Path | None:
    """``given`` as a path. Raises ``InvalidInput`` for anything that is none."""
    if given is None:
        return None
    if not isinstance(given, str | os.PathLike) or "\0" in os.fspath(given):
        raise InvalidInput("cache", f"of type {type(given).__name__}", "give the path of a directory")
    return Path(given)


def build(
    sources: Mapping[str, str],
    lanes: int,
    dtype: str = "float32",
    *,
    extra: Sequence[str] = (),
    compiler: Compiler | None = None,
    cache: str | Path | None = None,
) -> Path:
    """Compile ``sources`` (file name -> text; every ``.c`` is a unit, one of them ``linked.c``) and return the library.

    lanes: SIMD lanes the plan was made for. The heavy kernels are one object for all models, compiled once. Raises
    ``NoCompiler``, :class:`BuildFailed`.
    """
    compiler = compiler or find_compiler()
    cache = cache_path(cache) or default_cache()
    item = 8 if dtype == "float64" else 4
    real = "double" if dtype == "float64" else "float"
    flags = [*FLAGS, "-march=native", f"-DSV_VECTOR_BYTES={lanes * item if lanes > 1 else 0}", f"-DSV_REAL={real}"]
    if compiler.kind != "gcc" and lanes * item == 64:
        flags.append("-mprefer-vector-width=512")
    if compiler.kind == "gcc":
        flags += ALIKE
    apart = [*flags, *(LINKED if compiler.kind == "gcc" else ()), "-c"]
    whole = sources
    linked = _compile(compiler, apart, _needed_by("linked.c", sources), cache, ".o")
    sources = {n: t for n, t in sources.items() if n != "linked.c"}
    everything = [*flags, "-shared", "-DSV_LINKED", *extra]
    library = _compile(compiler, everything, sources, cache, ".so", (linked,))
    if _loads(library):
        return library
    for broken in (library, linked):  # a crash, or a full disk, has cut what an earlier run has cached
        broken.unlink(missing_ok=True)
    linked = _compile(compiler, apart, _needed_by("linked.c", whole), cache, ".o")
    library = _compile(compiler, everything, sources, cache, ".so", (linked,))
    if not _loads(library):
        raise SelvedgeError(f"cache directory {cache}: {library.name} cannot be loaded, even built anew")
    return library


def _loads(library: Path) -> bool:
    """Whether the system can load ``library``. It looks before: of a file cut short, loading may end the process."""
    try:
        with open(library, "rb") as file:
            head = file.read(64)
            file.seek(0, os.SEEK_END)
            size = file.tell()
    except OSError:
        return False
    # ELF64: the section headers, at e_shoff (byte 40), e_shnum (60) of e_shentsize (58) bytes, end the file.
    if head[:5] == b"\x7fELF\2":
        order: Literal["little", "big"] = "little" if head[5] == 1 else "big"
        offset, each, number = (int.from_bytes(head[a:b], order) for a, b in ((40, 48), (58, 60), (60, 62)))
        if size < offset + each * number:
            return False
    try:
        ctypes.CDLL(str(library))
    except OSError:
        return False
    return True


def _needed_by(unit: str, sources: Mapping[str, str]) -> dict[str, str]:
    """``unit`` and the headers it includes, directly or not."""
    found: dict[str, str] = {}
    stack = [unit]
    while stack:
        name = stack.pop()
        if name in sources and name not in found:
            found[name] = sources[name]
            stack += re.findall(r'#include "([^"]+)"', sources[name])
    return found


def _compile(
    compiler: Compiler,
    flags: Sequence[str],
    sources: Mapping[str, str],
    cache: Path,
    suffix: str,
    objects: Sequence[Path] = (),
) -> Path:
    """One run of the compiler, unless the cache holds its result."""
    identity = [*compiler.command, compiler.version, *flags, platform.machine(), _cpu(), *(o.name for o in objects)]
    key = hashlib.sha256(repr((identity, sorted(sources.items()))).encode()).hexdigest()[:32]
    result = cache / f"{key}{suffix}"
    if result.exists():
        return result
    with tempfile.TemporaryDirectory(prefix="selvedge-") as folder:
        for name, text in sources.items():
            (Path(folder) / name).write_text(text)
        units = sorted(n for n in sources if n.endswith(".c"))
        out = Path(folder) / f"out{suffix}"
        libraries = ["-lm"] if suffix == ".so" else []
        done = subprocess.run(
            [*compiler.command, *flags, *units, *(str(o) for o in objects), "-o", str(out), *libraries],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BuildFailed(compiler, done.stderr)
        try:
            files.write(result, out.read_bytes())
        except InvalidInput as error:
            fix = f"{error.fix.partition(';')[0]}; set XDG_CACHE_HOME, or pass cache="
            raise InvalidInput("cache directory", str(cache), fix) from None
    return result


def _cpu() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
