"""A model as the command line names it: ``zoo:NAME?key=value``, ``file.py:factory`` or an exported ``.pt2``."""

from __future__ import annotations

import importlib.util
import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.export import ExportedProgram

from ..errors import InvalidInput
from ..zoo import make

HOW = "name it zoo:NAME, file.py:factory or model.pt2"


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A model, an example batch [N, ...] and, where the source knows it, its loss."""

    name: str
    model: nn.Module | ExportedProgram
    example: tuple[torch.Tensor, ...]
    loss: str | None


def load(spec: str, shape: str | None, seed: int) -> NamedModel:
    """``shape``: the example's as "1x3x32x32", for factories that return only a module. Raises ``SelvedgeError``."""
    if "\0" in spec or len(spec.encode()) > 4096:
        raise InvalidInput("model", spec[:40].replace("\0", "\\0"), "no path is like that: " + HOW)
    path, colon, factory = spec.rpartition(":")
    if colon and path.endswith(".py"):
        return _from_file(Path(path), factory, shape, seed)
    if not spec.startswith("zoo:") and not spec.endswith(".pt2"):
        raise InvalidInput("model", spec, HOW)
    if shape is not None:
        raise InvalidInput("--input", shape, "leave it out: only a factory in a .py file takes it")
    return _from_zoo(spec.removeprefix("zoo:"), seed) if spec.startswith("zoo:") else _exported(Path(spec))


def _from_zoo(spec: str, seed: int) -> NamedModel:
    module, example, loss = make(spec, seed=seed)
    return NamedModel(_identifier(spec.partition("?")[0]), module, (example,), loss)


def _exported(path: Path) -> NamedModel:
    _require_file(path)
    try:
        program = torch.export.load(str(path))
    except Exception as error:
        fix = f"torch.export.save writes one that can be loaded; this cannot ({_first_line(error)})"
        raise InvalidInput("model file", str(path), fix) from None
    if program.example_inputs is None:
        raise InvalidInput("model file", str(path), "it holds no example input; export it again with torch.export")
    args, _ = program.example_inputs
    return NamedModel(_identifier(path.stem), program, tuple(args), None)


def _from_file(path: Path, factory: str, shape: str | None, seed: int) -> NamedModel:
    _require_file(path)
    torch.manual_seed(seed)
    with _importing_beside(path):
        function = _function(path, factory)
        try:
            made = function()
        except (Exception, SystemExit) as error:
            raise InvalidInput("factory", factory, f"it failed with {_told(error)}") from error
    model, example = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(model, nn.Module):
        fix = "it must return an nn.Module, or a pair of module and example"
        raise InvalidInput("factory", factory, f"{fix}, not {type(made).__name__}")
    return NamedModel(_identifier(factory), model, _example(factory, example, shape), None)


def _require_file(path: Path) -> None:
    try:
        found = path.stat()
    except OSError as error:
        why = "there is no such file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise InvalidInput("model file", str(path), why) from None
    if not stat.S_ISREG(found.st_mode):
        raise InvalidInput("model file", str(path), "it is no regular file")


@contextmanager
def _importing_beside(path: Path) -> Iterator[None]:
    """The file's own directory is searched first, as when python runs it."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _function(path: Path, factory: str) -> Callable[[], Any]:
    # A name of its own: a file called torch.py must not become the module torch.
    spec = importlib.util.spec_from_file_location(f"selvedge_model_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InvalidInput("model file", str(path), "python cannot import it")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InvalidInput("model file", str(path), f"importing it failed with {_told(error)}") from error
    function = getattr(module, factory, None)
    if not callable(function):
        known = [n for n, v in vars(module).items() if callable(v) and getattr(v, "__module__", "") == spec.name]
        raise InvalidInput("factory", factory or "empty", f"{path.name} has {', '.join(known) or 'no functions'}")
    return cast("Callable[[], Any]", function)


def _example(factory: str, given: object, shape: str | None) -> tuple[torch.Tensor, ...]:
    if shape is not None:
        if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*)*", shape):
            raise InvalidInput("--input", shape, "give a shape as 1x3x32x32")
        try:
            return (torch.empty([int(n) for n in shape.split("x")]),)  # only its shape matters
        except (RuntimeError, TypeError):
            raise InvalidInput("--input", shape, "no memory holds it: give a smaller shape") from None
    if given is None:
        raise InvalidInput("--input", "missing", "give the input's shape as --input 1x3x32x32")
    tensors = given if isinstance(given, tuple | list) else (given,)
    if not tensors or not all(isinstance(x, torch.Tensor) for x in tensors):
        raise InvalidInput("factory", factory, "its example must be a tensor or a tuple of tensors")
    return tuple(tensors)


def _told(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _identifier(name: str) -> str:
    """A C identifier of ``name``."""
    text = re.sub(r"\W", "_", name, flags=re.ASCII)
    return text if text.isidentifier() else f"model_{text}"
