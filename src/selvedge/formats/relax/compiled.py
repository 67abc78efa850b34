"""A Relax module -> a shared library of this machine's instructions, or through TVM's C, with that C."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tvm
from tvm import relax

from selvedge.errors import NotSupported, one_line
from selvedge.ir import Graph

from .module import module


def library(graphs: Mapping[str, Graph], target: str) -> tuple[bytes, str | None]:
    """(the library, its C where ``target`` is "c" and not "llvm"). Raises :class:`NotSupported` with what TVM says."""
    made = module(graphs)
    logging.getLogger("tvm").setLevel(logging.ERROR)
    try:
        whole = tvm.compile(relax.get_pipeline("zero")(made), target)
        source = _source(whole) if target == "c" else None
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "net.so"
            whole.export_library(str(path))
            return path.read_bytes(), source
    except Exception as error:  # of its own kinds
        lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise NotSupported("a program in TVM", "", f"its compiler says: {one_line(lines[-1])[:300]}") from error


def _source(whole: Any) -> str:
    """The C of all kernels."""
    return "\n".join(part.inspect_source() for part in whole.mod.imports if part.kind == "c")
