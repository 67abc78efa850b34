"""How the command line names a model, read without torch: ``zoo:NAME?key=value``, ``file.py:factory``, ``.pt2`` or
``.onnx``."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from pathlib import Path

from ..errors import InvalidInput
from .completion import ZOO

HOW = "name it zoo:NAME, file.py:factory, model.pt2, model.tflite or model.onnx"


@dataclass(frozen=True, slots=True)
class Name:
    """``zoo``: the architecture and its options, "" for a file. ``path``: of the file. ``factory``: its function, None
    for an exported program and for an ONNX file."""

    zoo: str
    path: Path
    factory: str | None


def read(spec: str, shape: str | None) -> Name:
    """``shape``: the example's, as "1x3x32x32". Raises ``InvalidInput`` for what is no name, an architecture that the
    zoo does not have, a file that is not there, and a shape that is none or has no use."""
    if "\0" in spec or len(spec.encode()) > 4096:
        raise InvalidInput("model", spec[:40].replace("\0", "\\0"), "no path is like that: " + HOW)
    path, colon, factory = spec.rpartition(":")
    if colon and path.endswith(".py"):
        _require_file(Path(path))
        if shape is not None and not re.fullmatch(r"[1-9]\d*(x[1-9]\d*)*", shape):
            raise InvalidInput("--input", shape, "give a shape as 1x3x32x32")
        return Name("", Path(path), factory)
    if not spec.startswith("zoo:") and not spec.endswith((".pt2", ".onnx")):
        raise InvalidInput("model", spec, _how(spec))
    if shape is not None:
        raise InvalidInput("--input", shape, "leave it out: only a factory in a .py file takes it")
    if not spec.startswith("zoo:"):
        _require_file(Path(spec))
        return Name("", Path(spec), None)
    zoo = spec.removeprefix("zoo:")
    if zoo.partition("?")[0] not in ZOO:
        raise InvalidInput("model", zoo.partition("?")[0], f"choose one of {', '.join(ZOO)}")
    return Name(zoo, Path(), None)


def file(spec: str) -> Path:
    """The path ``spec`` of a file that is there. Raises ``InvalidInput``."""
    if "\0" in spec or len(spec.encode()) > 4096:
        raise InvalidInput("model", spec[:40].replace("\0", "\\0"), "no path is like that: " + HOW)
    _require_file(Path(spec))
    return Path(spec)


def identifier(name: str) -> str:
    """A C identifier of ``name``."""
    text = re.sub(r"\W", "_", name, flags=re.ASCII)
    return text if text.isidentifier() else f"model_{text}"


def _how(spec: str) -> str:
    """What to give instead of ``spec``, which is no name of a model."""
    if spec.endswith(".py"):
        return f"name the function that returns the model too, as {spec}:make"
    if spec.endswith((".pt", ".pth", ".ckpt", ".safetensors")):
        return "weights alone are no model: load them in a factory, file.py:factory, that returns the model"
    if spec.endswith(".tflite"):
        return "plan, emit, cut and inspect read it: here name zoo:NAME, file.py:factory, model.pt2 or model.onnx"
    return HOW


def _require_file(path: Path) -> None:
    try:
        found = path.stat()
    except OSError as error:
        why = "there is no such file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise InvalidInput("model file", str(path), why) from None
    if not stat.S_ISREG(found.st_mode):
        raise InvalidInput("model file", str(path), "it is no regular file")
