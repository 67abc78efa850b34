"""A network as the command line names it: a ``.tflite`` or ``.onnx`` file, which predicts, or learns where it is asked
to: where ``--update`` says what of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InvalidInput
from . import named

if TYPE_CHECKING:
    from torch import Tensor

    from ..make.learnable import LearnableFile
    from ..make.learnable_onnx import OnnxModule
    from ..make.network import Network

ENDINGS = (".tflite", ".onnx")
# What `plan` may be asked of one that does not learn.
OPTIONS = ("model", "device", "budget", "name", "out", "as_json")
PREDICTS = "leave it out: the network of a file predicts, and learns where plan or emit is given --update"
NEVER = "leave it out: with --predicts nothing learns"


def is_one(spec: str) -> bool:
    return spec.endswith(ENDINGS) and not spec.startswith("zoo:")


def refuse(given: Mapping[str, Any], fix: str = PREDICTS) -> None:
    """Raises ``InvalidInput`` for an option that has no use here."""
    for option, value in given.items():
        if value is not None:
            raise InvalidInput(option, value, fix)


def asked(context: click.Context, *known: str) -> dict[str, Any]:
    """The options that were given, but for those ``known`` by their parameters' names."""
    default = click.core.ParameterSource.DEFAULT
    words = {parameter.name: parameter.opts[0] for parameter in context.command.params if parameter.name}
    return {words[name]: value for name, value in context.params.items() if name not in known
            and context.get_parameter_source(name) is not default}  # fmt: skip


def learns(spec: str, context: click.Context) -> bool:
    """Whether ``spec`` is a file that is to learn: ``--update`` is given."""
    default = click.core.ParameterSource.DEFAULT
    return is_one(spec) and context.get_parameter_source("update") is not default


@dataclass(frozen=True, slots=True)
class LearnableModel:
    """As :class:`.model.NamedModel`."""

    name: str
    model: LearnableFile | OnnxModule
    example: tuple[Tensor, ...]
    loss: str | None = None


def learnable(spec: str, batch: int | None = None, accumulate: int = 1) -> LearnableModel:
    """An ONNX file in micro-batches of that ``batch``. Raises ``SelvedgeError``."""
    path = named.file(spec)
    made: LearnableFile | OnnxModule
    if path.suffix == ".onnx":
        from ..make.learnable_onnx import learnable_onnx

        made = learnable_onnx(path, batch=None if batch is None else max(1, batch // accumulate))
    else:
        from ..make.learnable import learnable_tflite

        made = learnable_tflite(path)
    return LearnableModel(named.identifier(path.stem), made, made.example)


def load(spec: str, name: str | None = None) -> Network:
    """Raises ``SelvedgeError``."""
    path = named.file(spec)
    name = named.identifier(path.stem) if name is None else name
    if path.suffix == ".onnx":
        from ..make.onnx import load_onnx

        return load_onnx(path, name=name)
    from ..make.network import load_tflite

    return load_tflite(path, name=name)


def inspected(network: Network, as_json: bool) -> str:
    """Inputs, outputs, weights and rows."""
    nodes = network.graph.nodes()
    rows = Counter(node.op for node in nodes if node.inputs)
    weights = sum(node.specs[0].bytes for node in nodes if node.op == "constant")
    ports = {"inputs": network.inputs, "outputs": network.outputs}
    if as_json:
        faces = {side: {n: str(spec) for n, spec in found.items()} for side, found in ports.items()}
        return json.dumps({"model": network.name, **faces, "constant_bytes": weights, "rows": rows}, indent=1)
    lines = [f"{network.name}: predicts, does not learn; {weights:,} B of constants", ""]
    for side, found in ports.items():
        lines += [f"{side[:-1]:<8}{name:<10}{spec}" for name, spec in found.items()]
    width = max(map(len, rows), default=0)
    return "\n".join([*lines, "", *(f"{op:<{width}}{count:>6}" for op, count in sorted(rows.items()))])


def planned(network: Network, device: str, budget: str | None, out: Path | None, as_json: bool) -> str:
    """Its plan; the artifact goes to ``out``."""
    from ..make.compile import emit
    from ..make.inference import plan_inference

    plan = plan_inference(network, device=device, budget=budget)
    if out is not None:
        emit(plan, "c", out)
    if as_json:
        return json.dumps(plan.to_dict(), indent=1)
    return f"{plan}\n\nwritten to {out}" if out is not None else str(plan)
