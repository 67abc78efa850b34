"""What a user gives for pruning, or one line why it cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule

from ...artifact.number import finite
from ...errors import InvalidInput
from .. import given as shared
from ..export import Inputs
from .cost import RESOURCES
from .kinds import MIXES, role


def model(value: object) -> None:
    shared.module(value)
    assert isinstance(value, nn.Module)
    if isinstance(getattr(value, "_orig_mod", None), nn.Module):
        raise InvalidInput("model", "compiled", "give the module that torch.compile was given: model._orig_mod")
    graph = isinstance(value, GraphModule) or isinstance(getattr(value, "prepared", None), GraphModule)
    if graph and not any(role(m) == MIXES for m in value.modules()):
        fix = "give the nn.Module that it was made of, and prune before sv.QAT or an export"
        raise InvalidInput("model", "a graph without layers", fix)
    for name, tensor in value.named_parameters():
        if tensor.device.type != "cpu":
            raise InvalidInput("model", f"on {tensor.device} ({name})", "give it on the CPU: model.cpu()")
        if not isinstance(tensor, nn.UninitializedParameter) and not bool(torch.isfinite(tensor).all()):
            raise InvalidInput("model", f"not finite ({name})", "its training has diverged: give one that has not")
    for name, module in value.named_modules():
        if isinstance(module, nn.modules.lazy.LazyModuleMixin):
            raise InvalidInput("model", f"not built yet ({name} is lazy)", "run it once on a sample before")


def example(net: nn.Module, value: Any) -> Inputs:
    """An input [n, ...], or a tuple of several, that ``net`` takes."""
    parts = value if isinstance(value, tuple) else (value,)
    if not parts or not all(isinstance(p, torch.Tensor) and p.dim() and len(p) for p in parts):
        kind = type(value).__name__
        raise InvalidInput("example", f"of type {kind}", "give an input of the model [n, ...], or a tuple of several")
    shared.tried(net, parts, "example")
    return parts


def target(value: object) -> dict[str, float]:
    """Resource -> share of it that may stay."""
    names = ", ".join(RESOURCES)
    if not isinstance(value, Mapping) or not value:
        raise InvalidInput("target", value, f'give shares that may stay, as {{"macs": 0.4}}, of {names}')
    made = {}
    for name, share in value.items():
        if name not in RESOURCES:
            raise InvalidInput("target", name, f"give one of {names}")
        number = finite(share)
        if number is None or not 0 < number < 1:
            fix = "give the share that may stay, above 0 and below 1: 0.4 for 40 %"
            raise InvalidInput(f"target of {name}", share, fix)
        made[str(name)] = number
    return made
