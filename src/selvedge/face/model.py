"""A model as the command line names it: ``zoo:NAME?key=value``, ``file.py:factory``, an exported ``.pt2`` or an ONNX
file, which learns."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from ..artifact.name import checked_name
from ..data.python import function, importing_beside, told
from ..errors import InvalidInput
from ..zoo import make
from ..zoo.registry import ENTRIES
from . import named, network_file
from .named import identifier

FACTORIES = ("make", "build", "model", "create", "get_model", "main", "net")  # that say nothing of what they make


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A model, an example batch [N, ...] and, where the source knows it, its loss."""

    name: str
    model: nn.Module | ExportedProgram
    example: tuple[torch.Tensor, ...]
    loss: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """What the data tells of a model that is to learn it: the shape of a sample, and how many classes (0: none)."""

    shape: tuple[int, ...]
    classes: int


def load(spec: str, shape: str | None, seed: int, data: Known | None = None, batch: int | None = None) -> NamedModel:
    """``shape``: the example's as "1x3x32x32", for factories that return only a module. ``data``: gives a zoo model,
    or a factory with a parameter ``classes``, as many, and an example where nothing else does. ``batch``: for how many
    samples at once an ONNX file is read. Raises ``SelvedgeError``."""
    name = named.read(spec, shape)
    if name.zoo:
        return _from_zoo(_with_classes(name.zoo, data), seed)
    if name.path.suffix == ".onnx":
        made = network_file.learnable(spec, batch)
        assert isinstance(made.model, nn.Module)
        return NamedModel(made.name, made.model, made.example, None)
    if name.factory is None:
        return _exported(name.path)
    return _from_file(name.path, name.factory, shape, seed, data)


def _from_zoo(spec: str, seed: int) -> NamedModel:
    module, example, loss = make(spec, seed=seed)
    return NamedModel(identifier(spec.partition("?")[0]), module, (example,), loss)


def _with_classes(spec: str, data: Known | None) -> str:
    """The zoo's ``spec`` with the classes of the data, unless it says how many."""
    name, asked, query = spec.partition("?")
    row = ENTRIES.get(name)
    if data is None or data.classes < 2 or row is None or "classes" not in row.options or "classes=" in query:
        return spec
    return f"{spec}{'&' if asked else '?'}classes={data.classes}"


def _exported(path: Path) -> NamedModel:
    try:
        program = torch.export.load(str(path))
    except Exception as error:
        fix = f"torch.export.save writes one that can be loaded; this cannot ({_first_line(error)})"
        raise InvalidInput("model file", str(path), fix) from None
    if program.example_inputs is None:
        raise InvalidInput("model file", str(path), "it holds no example input; export it again with torch.export")
    args, _ = program.example_inputs
    return NamedModel(identifier(path.stem), program, tuple(args), None)


def _from_file(path: Path, factory: str, shape: str | None, seed: int, data: Known | None) -> NamedModel:
    torch.manual_seed(seed)
    with importing_beside(path):
        factory_of = function(path, factory, "model file", "factory")
        try:
            made = factory_of if isinstance(factory_of, nn.Module) else factory_of(**_arguments(factory_of, data))
        except (Exception, SystemExit) as error:
            raise InvalidInput("factory", factory, f"it failed with {told(error, path)}") from error
    model, example = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(model, nn.Module):
        fix = "it must return an nn.Module, or a pair of module and example"
        raise InvalidInput("factory", factory, f"{fix}, not {type(made).__name__}")
    if example is None and shape is None and data is not None:
        example = torch.zeros(1, *data.shape)
    return NamedModel(_named(path, factory), model, _example(factory, example, shape), None)


def _arguments(factory: Callable[..., Any], data: Known | None) -> dict[str, int]:
    """``classes``, where the factory has a parameter of that name and the data has classes."""
    try:
        takes = inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return {}
    name = next((n for n in ("classes", "num_classes") if n in takes), None)
    return {name: data.classes} if name and data is not None and data.classes else {}


def _example(factory: str, given: object, shape: str | None) -> tuple[torch.Tensor, ...]:
    if shape is not None:
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


def _named(path: Path, factory: str) -> str:
    """The factory's name; that of its file where that says more, and can be an artifact's."""
    if factory not in FACTORIES:
        return identifier(factory)
    try:
        return checked_name(identifier(path.stem))
    except InvalidInput:
        return identifier(factory)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
