"""C sources -> a shared library for this machine, cached by the hash of everything that goes into it."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

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


class BuildFailed(SelvedgeError):
    """The compiler refused the sources. ``output`` is all it printed."""

    def __init__(self, compiler: Compiler, output: str) -> None:
        errors = [line for line in output.splitlines() if "error" in line] or output.splitlines() or ["no message"]
        super().__init__(f"compiler {compiler.command[0]}: {errors[0].strip()}")
        self.output = output


def default_cache() -> Path:
    """``$XDG_CACHE_HOME/selvedge``, by default ``~/.cache/selvedge``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "selvedge"


def build(
    sources: Mapping[str, str],
    lanes: int,
    dtype: str = "float32",
    *,
    extra: Sequence[str] = (),
    compiler: Compiler | None = None,
    cache: Path | None = None,
) -> Path:
    """Compile ``sources`` (file name -> text; every ``.c`` is a unit, one of them ``linked.c``) and return the library.

    lanes: SIMD lanes the plan was made for. The heavy kernels are one object for all models, compiled once. Raises
    ``NoCompiler``, :class:`BuildFailed`.
    """
    compiler = compiler or find_compiler()
    cache = cache or default_cache()
    item = 8 if dtype == "float64" else 4
    real = "double" if dtype == "float64" else "float"
    flags = [*FLAGS, "-march=native", f"-DSV_VECTOR_BYTES={lanes * item if lanes > 1 else 0}", f"-DSV_REAL={real}"]
    if compiler.kind != "gcc" and lanes * item == 64:
        flags.append("-mprefer-vector-width=512")
    linked = _compile(compiler, [*flags, "-c"], _needed_by("linked.c", sources), cache, ".o")
    sources = {n: t for n, t in sources.items() if n != "linked.c"}
    everything = [*flags, "-shared", "-DSV_LINKED", *extra]
    return _compile(compiler, everything, sources, cache, ".so", (linked,))


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
