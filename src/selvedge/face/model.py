"""A model as the command line names it: ``zoo:NAME?key=value``, ``file.py:factory`` or an exported ``.pt2``."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from ..errors import InvalidInput, SelvedgeError
from ..make.plan import load_exported
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
    if spec.startswith("zoo:"):
        module, example, loss = make(spec.removeprefix("zoo:"), seed=seed)
        name = re.split(r"[?]", spec.removeprefix("zoo:"))[0]
        return NamedModel(_identifier(name), module, (example,), loss)
    if spec.endswith(".pt2"):
        return _exported(Path(spec))
    path, colon, factory = spec.rpartition(":")
    if colon and path.endswith(".py"):
        return _from_file(Path(path), factory, shape, seed)
    raise InvalidInput("model", spec, HOW)


def _exported(path: Path) -> NamedModel:
    if not path.is_file():
        raise InvalidInput("model file", path, "there is no such file")
    program = load_exported(path)
    if program.example_inputs is None:
        raise InvalidInput("model file", path, "it holds no example input; export it again with torch.export")
    args, _ = program.example_inputs
    return NamedModel(_identifier(path.stem), program, tuple(args), None)


def _from_file(path: Path, factory: str, shape: str | None, seed: int) -> NamedModel:
    if not path.is_file():
        raise InvalidInput("model file", path, "there is no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InvalidInput("model file", path, "python cannot import it")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    torch.manual_seed(seed)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SelvedgeError(f"model file {path}: importing it failed: {type(error).__name__}: {error}") from error
    function = getattr(module, factory, None)
    if not callable(function):
        known = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise InvalidInput("factory", factory, f"{path.name} has {', '.join(known) or 'no functions'}")
    try:
        made = function()
    except Exception as error:
        raise SelvedgeError(f"factory {factory}: {type(error).__name__}: {error}") from error
    model, example = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(model, nn.Module):
        raise InvalidInput("factory", factory, "it must return an nn.Module, or a pair of module and example")
    return NamedModel(_identifier(factory), model, _example(example, shape), None)


def _example(given: Any, shape: str | None) -> tuple[torch.Tensor, ...]:
    if shape is not None:
        if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*)*", shape):
            raise InvalidInput("--input", shape, "give a shape as 1x3x32x32")
        return (torch.randn([int(n) for n in shape.split("x")]),)
    if given is None:
        raise InvalidInput("--input", "missing", "give the input's shape as --input 1x3x32x32")
    return (given,) if isinstance(given, torch.Tensor) else tuple(given)


def _identifier(name: str) -> str:
    text = re.sub(r"\W", "_", name)
    return text if text.isidentifier() else f"model_{text}"
