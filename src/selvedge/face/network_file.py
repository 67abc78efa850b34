"""A network as the command line names it: a ``.tflite`` or ``.onnx`` file, which predicts and does not learn."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidInput
from . import named

if TYPE_CHECKING:
    from ..make.network import Network

ENDINGS = (".tflite", ".onnx")
# What `plan` may be asked of one.
OPTIONS = ("model", "device", "budget", "name", "out", "as_json")


def is_one(spec: str) -> bool:
    return spec.endswith(ENDINGS) and not spec.startswith("zoo:")


def refuse(**given: Any) -> None:
    """Raises ``InvalidInput`` for an option that has no use here."""
    for option, value in given.items():
        if value is not None:
            raise InvalidInput(option, value, "leave it out: the network of a file predicts and does not learn")


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
