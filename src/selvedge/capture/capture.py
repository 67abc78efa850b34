"""A PyTorch model as a graph of the op table, with its state under PyTorch's names."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.export import ExportedProgram

from .. import ir
from ..artifact.arrays import require_variances
from ..artifact.layout import Layout
from ..errors import InvalidInput, NotSupported
from . import fold, signature
from .captured import Captured
from .export import export
from .layers import layers
from .live import DRAWN, Live
from .reading import Reading, checked
from .tensor import Tensor

NORMS = ("frozen", "folded", "live")


def capture(
    model: nn.Module | ExportedProgram,
    example: torch.Tensor | tuple[torch.Tensor, ...],
    *,
    norms: str = "frozen",
    dropout: int | None = None,
) -> Captured:
    """Capture ``model`` for inputs of exactly the shapes and dtypes of ``example`` (the batch is static).

    model: any module made of supported operations; it is exported in eval mode and left as it was. Or an
        exported program (``torch.export.load``), exported from a model in eval mode.
    example: one tensor or a tuple of them: float32, float64, int32, int64 (carried as int32), uint8 or bool.
    norms: "frozen" keeps batch norm as an affine map of fixed statistics; "folded" folds it into the layer before
        it, wherever it directly follows a convolution or linear layer that nothing else reads; "live" lets it take the
        statistics of the batch while it learns, and move the running ones.
    dropout: the seed of its masks while the model learns; None: it is off.

    Raises ``NotSupported`` (the operation and the user's line) and ``InvalidInput``.
    """
    if norms not in NORMS:
        raise InvalidInput("norms", repr(norms), f"give one of {', '.join(NORMS)}")
    inputs = checked(example)
    if isinstance(model, nn.Module):
        _same_precision(model, inputs)
    program = export(model, inputs)
    live = Live(norms == "live", dropout) if norms == "live" or dropout is not None else None
    found = signature.read(program, model.state_dict() if isinstance(model, nn.Module) else ())
    _match(program, found, inputs)
    arrays = {name: _array(name, tensor) for name, tensor in found.tensors.items()}
    require_variances(arrays)
    folds = fold.find(program.graph, found.state) if norms == "folded" else {}
    reading = Reading(program.graph, found, arrays, folds)
    outputs = _joined({name: t.value for name, t in reading.outputs.items()})
    nodes = ir.Graph({}, {}, outputs).nodes()
    _require_one_precision(nodes)
    leaves = {n.attrs["name"]: ir.Value(n) for n in nodes if n.op == "state"}
    order = tuple(found.tensors)
    used = [name for name in dict.fromkeys((*order, *leaves)) if name in leaves]
    _require_free(used, reading)
    parameters = {p: name for p, name in found.state.items() if name in found.parameters}
    faces = {**reading.inputs, **reading.outputs}
    return Captured(
        graph=ir.Graph(
            {name: t.value for name, t in reading.inputs.items()}, {name: leaves[name] for name in used}, outputs
        ),
        state={name: reading.arrays[name] for name in used},
        constant={name: arrays[name] for name in order if name not in leaves and name not in found.aliases},
        trainable=tuple(n for n in used if n in found.parameters and found.tensors[n].requires_grad),
        aliases=found.aliases,
        order=order,
        layouts={name: t.layout for name, t in faces.items()},
        layers=layers(program.graph, parameters, used),
        norms=norms,
        folds=tuple(f for _, f in folds.values()),
        batch_norms=fold.norms(program.graph),
        learning=None if live is None else _learning(model, inputs, live, reading),
    )


def _joined(outputs: dict[str, ir.Value]) -> dict[str, ir.Value]:
    """In int8 rows, where the model is quantised."""
    graph = ir.Graph({}, {}, outputs)
    return dict(ir.joined(graph).outputs) if any(n.op == "dequantise" for n in graph.nodes()) else outputs


def _learning(
    model: nn.Module | ExportedProgram, inputs: tuple[torch.Tensor, ...], live: Live, usual: Reading
) -> ir.Graph:
    """What the model does while it learns; ``usual``: what it does else. Raises as :func:`capture`."""
    if not isinstance(model, nn.Module):
        fix = "give the nn.Module: an exported program is what it was exported for"
        raise InvalidInput("model", "an exported program, with live norms or dropout", fix)
    live.require_known(model)
    program = export(model, inputs, live)
    found = signature.read(program, model.state_dict(), learning=True)
    reading = Reading(program.graph, found, usual.arrays, {}, live=live)
    faces = [{n: (t.shape, t.value.dtype, t.layout) for n, t in r.outputs.items()} for r in (usual, reading)]
    if faces[0] != faces[1]:
        fix = "let forward() return the same in train() and eval() mode: of the same shapes and stored alike"
        raise NotSupported("a model with other outputs while it learns", "", fix)
    moved = {name: t for name, t in reading.moved.items() if t.value != reading.state[name].value}
    outputs = _joined({name: t.value for name, t in reading.outputs.items()})
    nodes = ir.Graph({}, {}, {**outputs, **{name: t.value for name, t in moved.items()}}).nodes()
    _require_one_precision(nodes)
    leaves = {n.attrs["name"]: ir.Value(n) for n in nodes if n.op == "state"}
    _require_same_state(leaves, usual)
    stored = {name: _as_stored(t, leaves[name]) for name, t in moved.items()}
    return ir.Graph({n: t.value for n, t in reading.inputs.items()}, leaves, {**outputs, **stored, **live.counted})


def _as_stored(moved: Tensor, leaf: ir.Value) -> ir.Value:
    layout: Layout = leaf.node.attrs["layout"]
    return ir.reshape(moved.to(layout.perm).value, leaf.shape)


def _require_same_state(leaves: dict[str, ir.Value], usual: Reading) -> None:
    """What the model keeps lies alike in every program."""
    for name, leaf in leaves.items():
        if name == DRAWN:
            if name in usual.found.tensors:
                raise InvalidInput("model", f"with state {name}", "rename it: the masks of dropout need that name")
        elif name not in usual.state:
            fix = "let forward() read the same parameters in train() and eval() mode"
            raise NotSupported(f"{name}, which is read only while the model learns", "", fix)
        elif (leaf.node.attrs, leaf.spec) != ((own := _leaf(usual.state[name].value)).node.attrs, own.spec):
            fix = "let forward() use it alike in train() and eval() mode"
            raise NotSupported(f"{name}, used otherwise while the model learns", "", fix)


def _leaf(value: ir.Value) -> ir.Value:
    """The state that ``value`` is another shape of."""
    while value.node.op == "reshape":
        value = value.node.inputs[0]
    return value


def _array(name: str, tensor: torch.Tensor) -> np.ndarray:
    try:
        array = np.array(tensor.detach().cpu().numpy())
    except (TypeError, NotImplementedError, RuntimeError):  # a dtype that numpy has not, a tensor without data
        kind = "without data" if tensor.is_meta else f"of {str(tensor.dtype).removeprefix('torch.')}"
        fix = "give it data first" if tensor.is_meta else "keep it in float32, or take it out of the model"
        raise InvalidInput(f"state {name}", kind, fix) from None
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidInput(f"state {name}", "not finite", "it holds NaN or Inf: load good weights first")
    return array


def _require_one_precision(nodes: list[ir.Node]) -> None:
    """A program computes in one float dtype."""
    first: dict[str, ir.Node] = {}
    for node in nodes:
        for spec in node.specs:
            if spec.is_float:
                first.setdefault(spec.dtype, node)
    if len(first) > 1:
        (one, _), (other, node) = first.items()
        raise NotSupported(f"{node.op} in {other}", node.where, f"keep the whole model in {one}")


def _require_free(used: list[str], reading: Reading) -> None:
    """State lives beside the programs' inputs and outputs, under one set of names."""
    taken = {*reading.inputs, *reading.outputs, "y", "lr", "loss"}
    for name in used:
        if name in taken:
            kind = "parameter" if name in reading.found.parameters else "buffer"
            raise InvalidInput("model", f"with a {kind} called {name}", "rename it: the programs use that name")


def _same_precision(model: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
    """Raise ``InvalidInput`` where every parameter is of one float precision and the example of another."""
    kinds = {p.dtype for p in model.parameters() if p.is_floating_point()}
    for i, x in enumerate(inputs):
        if len(kinds) == 1 and x.is_floating_point() and x.dtype not in kinds:
            given, own = (str(d).removeprefix("torch.") for d in (x.dtype, *kinds))
            fix = f"the model is {own}: give the example so, or change the model with .float() or .double()"
            raise InvalidInput(f"example {i} dtype", given, fix)


def _match(program: ExportedProgram, found: signature.Signature, inputs: tuple[torch.Tensor, ...]) -> None:
    """The inputs the program was exported for are those of the example."""
    nodes = {n.name: n for n in program.graph.nodes}
    faces = [nodes[name].meta["val"] for name in found.inputs]
    if len(faces) != len(inputs):
        raise InvalidInput("example", f"{len(inputs)} tensors", f"the model takes {len(faces)}")
    for i, (face, given) in enumerate(zip(faces, inputs, strict=True)):
        if not isinstance(face, torch.Tensor) or not all(isinstance(n, int) for n in face.shape):
            fix = "say which sizes run, as dynamic={0: range(1, 9)}: the example is the largest"
            raise InvalidInput("model", "exported with dynamic shapes", fix)
        if (tuple(face.shape), face.dtype) != (tuple(given.shape), given.dtype):
            was = f"{tuple(given.shape)} {given.dtype}"
            raise InvalidInput(f"example {i}", was, f"the model was exported for {tuple(face.shape)} {face.dtype}")
