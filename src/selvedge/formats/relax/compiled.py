"""A Relax module -> a shared library of this machine's instructions, or through TVM's C, with that C."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tvm
from tvm import relax

from selvedge.errors import NotSupported, one_line
from selvedge.ir import Graph

from .module import module

INFINITY = {"inff": "__builtin_inff()", "inf": "__builtin_inf()"}
"""What TVM's C calls an infinity, as that of a max pool's padding, and declares nowhere; and what it is."""


def library(graphs: Mapping[str, Graph], target: str) -> tuple[bytes, str | None]:
    """(the library, its C where ``target`` is "c" and not "llvm"). Raises :class:`NotSupported` with what TVM says."""
    made = module(graphs)
    logging.getLogger("tvm").setLevel(logging.ERROR)
    try:
        whole = tvm.compile(relax.get_pipeline("zero")(made), target)
        source = _source(whole) if target == "c" else None
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "net.so"
            options = [f"-D{name}={meant}" for name, meant in INFINITY.items()] if target == "c" else []
            whole.export_library(str(path), options=options)
            return path.read_bytes(), source
    except Exception as error:  # of its own kinds
        lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        told = next((line for line in lines if " error: " in line), lines[-1])  # of the C compiler, or of TVM
        raise NotSupported("a program in TVM", "", f"its compiler says: {one_line(told)[:300]}") from error


def _source(whole: Any) -> str:
    """The C of all kernels."""
    text = "\n".join(part.inspect_source() for part in whole.mod.imports if part.kind == "c")
    used = [f"#define {name} {meant}" for name, meant in INFINITY.items() if re.search(rf"\b{name}\b", text)]
    return "\n".join([*used, text])
