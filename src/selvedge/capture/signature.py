"""Which placeholder of an exported program is what: inputs, state, constants, and which state is shared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

from ..errors import NotSupported
from .source import of_node


@dataclass(slots=True)
class Signature:
    """Placeholder name -> input position, state name or constant tensor; and the whole state by name.

    moved: number of a result -> the buffer whose new value it is.
    """

    inputs: list[str] = field(default_factory=list)
    state: dict[str, str] = field(default_factory=dict)
    constants: dict[str, torch.Tensor] = field(default_factory=dict)
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    moved: dict[int, str] = field(default_factory=dict)
    parameters: set[str] = field(default_factory=set)


def read(program: ExportedProgram, order: Iterable[str] = (), learning: bool = False) -> Signature:
    """The signature of ``program``, its state in ``order``; shared tensors go by the first of their names.

    learning: it may move buffers.
    """
    moved: dict[int, str] = {}
    for i, spec in enumerate(program.graph_signature.output_specs):
        if learning and spec.kind is OutputKind.BUFFER_MUTATION:
            moved[i] = str(spec.target)
        elif spec.kind is not OutputKind.USER_OUTPUT:
            node = next(n for n in program.graph.nodes if n.name == spec.arg.name)
            where = of_node(node)
            if str(spec.target).endswith(("running_mean", "running_var", "num_batches_tracked")):
                fix = "call model.eval() before torch.export.export()"
                raise NotSupported("a batch norm exported in training mode", where, fix)
            raise NotSupported(f"assignment to {spec.target}", where, "do not change buffers or inputs in forward()")
    names = dict.fromkeys([*(name for name in order if name in program.state_dict), *program.state_dict])
    found = Signature(tensors={name: program.state_dict[name] for name in names}, moved=moved)
    for name, tensor in (*found.tensors.items(), *program.constants.items()):
        if isinstance(tensor, torch.Tensor) and tensor.layout is not torch.strided:
            raise NotSupported(f"{name} of layout {tensor.layout}", "", "make it dense with to_dense()")
    first: dict[tuple[object, ...], str] = {}
    for name, tensor in found.tensors.items():
        key = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype) if tensor.numel() else (name,)
        if first.setdefault(key, name) != name:
            found.aliases[name] = first[key]
    for item in program.graph_signature.input_specs:
        placeholder, target = item.arg.name, str(item.target)
        if item.kind is InputKind.USER_INPUT:
            found.inputs.append(placeholder)
        elif item.kind in (InputKind.PARAMETER, InputKind.BUFFER) and target in found.tensors:
            name = found.aliases.get(target, target)
            found.state[placeholder] = name
            if item.kind is InputKind.PARAMETER:
                found.parameters.add(name)
        elif target in program.constants:
            found.constants[placeholder] = program.constants[target]
        else:
            raise NotSupported(f"the constant {target}", "", "keep only tensors in the model's state")
    return found
