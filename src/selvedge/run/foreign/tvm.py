"""Apache TVM's runtime: a library that it has compiled, a function a program. It needs no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...artifact import files
from ...artifact.manifest import Manifest
from ...errors import InvalidInput, one_line
from ..build import default_cache
from .positional import Positional


def opened(manifest: Manifest, contents: Mapping[str, bytes], state: Mapping[str, np.ndarray]) -> Positional:
    """Raises :class:`InvalidInput` for a library that the runtime does not take."""
    import tvm
    from tvm import relax

    machines = {}
    for file in dict.fromkeys(p.file for p in manifest.programs.values()):
        path = _placed(contents[file])
        try:
            machines[file] = relax.VirtualMachine(tvm.runtime.load_module(str(path)), tvm.cpu())
        except Exception as error:  # of a broken library it raises kinds of its own
            raise InvalidInput("artifact file", file, f"TVM refuses it: {_first(error)}") from None
    calls = {n: _call(tvm, machines[p.file], f"sv_{n}", p.file) for n, p in manifest.programs.items()}
    return Positional(manifest, contents, state, calls)


def _placed(library: bytes) -> Path:
    """The library as a file, which is what a system loads: in the cache, by its hash. What lies there is looked at:
    a crash may have torn it."""
    folder = default_cache()
    path = folder / f"tvm-{hashlib.sha256(library).hexdigest()}.so"
    try:
        if not path.exists() or path.read_bytes() != library:
            files.write(path, library)
    except (OSError, InvalidInput):
        fix = "nothing can be written there: set XDG_CACHE_HOME"
        raise InvalidInput("cache directory", str(folder), fix) from None
    return path


def _call(tvm: Any, machine: Any, name: str, file: str) -> Any:
    try:
        function = machine[name]
    except Exception:
        raise InvalidInput("artifact file", file, f"it has no function {name}: emit it again") from None

    def call(arrays: Sequence[np.ndarray], shapes: Sequence[tuple[tuple[int, ...], str]]) -> list[np.ndarray]:
        try:
            made = function(*(tvm.runtime.tensor(a) for a in arrays))
        except Exception as error:
            raise RuntimeError(_first(error)) from None
        return [np.array(m.numpy()) for m in made]

    return call


def _first(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return one_line(lines[-1])[:200]
