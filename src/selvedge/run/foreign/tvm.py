"""Apache TVM's runtime: a library that it has compiled, a function a program. It needs no torch."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

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
        try:
            loaded = tvm.runtime.load_module(str(_placed(contents[file])))
            machines[file] = relax.VirtualMachine(loaded, tvm.cpu())
        except Exception as error:  # of a broken library it raises kinds of its own
            raise InvalidInput("artifact file", file, f"TVM refuses it: {_first(error)}") from None
    calls = {n: _call(tvm, machines[p.file], f"sv_{n}") for n, p in manifest.programs.items()}
    return Positional(manifest, contents, state, calls)


def _placed(library: bytes) -> Path:
    """The library as a file, which is what a system loads: in the cache, by its hash."""
    folder = default_cache()
    path = folder / f"tvm-{hashlib.sha256(library).hexdigest()[:24]}.so"
    if not path.exists() or path.stat().st_size != len(library):
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=".so", dir=folder)
        with os.fdopen(handle, "wb") as file:
            file.write(library)
        os.replace(name, path)
    return path


def _call(tvm: Any, machine: Any, name: str) -> Any:
    function = machine[name]

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
