"""The user's own source line, out of what torch.export leaves behind."""

from __future__ import annotations

import linecache
import os
import re
import traceback
from collections.abc import Iterable
from itertools import dropwhile
from pathlib import Path

import torch

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>[^\n]*)\n?(?P<code>[^\n]*)')
_TORCH = f"{Path(torch.__file__).parent}{os.sep}"
_HERE = f"{Path(__file__).resolve().parent}{os.sep}"
_STANDARD = f"{Path(os.__file__).parent}{os.sep}"


def _is_users(file: str) -> bool:
    standard = file.startswith(_STANDARD) and "site-packages" not in file
    return not standard and not file.startswith(("<", _TORCH, _HERE))


def _place(frames: Iterable[tuple[str, int, str]]) -> str:
    own = [frame for frame in frames if _is_users(frame[0])]
    if not own:
        return ""
    file, line, code = own[-1]
    near = os.path.relpath(file)
    return f"{file if near.startswith(os.pardir) else near}:{line}: {code}".rstrip(": ")


def of_trace(stack_trace: str | None) -> str:
    """``file:line: code`` of the innermost frame that is the user's; "" when there is none."""
    found = _FRAME.finditer(stack_trace or "")
    return _place((m["file"], int(m["line"]), m["code"].strip()) for m in found)


def of_node(node: torch.fx.Node) -> str:
    """The user's line that made ``node``; where all the code is torch's own, the module by its place in the model."""
    line = of_trace(node.meta.get("stack_trace"))
    if line:
        return line
    modules = list((node.meta.get("nn_module_stack") or {}).values())
    if not modules:
        return ""
    path, kind = modules[-1]
    name = kind.rpartition(".")[2] if isinstance(kind, str) else kind.__name__
    return f"module {path or 'itself'} ({name})"


def of_error(error: BaseException) -> str:
    """The same, for an exception that came out of the user's ``forward`` through torch."""
    frames = [(f.f_code.co_filename, line) for f, line in traceback.walk_tb(error.__traceback__)]
    inside = list(dropwhile(lambda frame: not frame[0].startswith(_TORCH), frames))
    return _place((file, line, linecache.getline(file, line).strip()) for file, line in inside)
