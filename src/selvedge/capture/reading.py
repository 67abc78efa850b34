"""One pass over an exported graph, node by node, into nodes of the op table."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from .. import ir
from ..artifact.folding import Fold, folded
from ..artifact.layout import Layout
from ..errors import InvalidInput, NotSupported
from .decompose import decomposed
from .fold import Folds
from .live import Live
from .lower import LOWERINGS, Call, lower
from .lower.quantised import DEQUANTISE, constant
from .signature import Signature
from .source import of_node
from .storage import stored_as
from .tensor import NDHWC, NHWC, NLC, Tensor, identity

DTYPES: Mapping[torch.dtype, str] = {
    torch.float32: "float32",
    torch.float64: "float64",
    torch.int32: "int32",
    torch.int64: "int32",  # token ids and labels: a session refuses numbers beyond
    torch.uint8: "uint8",
    torch.bool: "bool",
}
_INSIDE: Mapping[torch.dtype, str] = {**DTYPES, torch.int8: "int8"}  # no input is int8
_ON_VOLUMES = ("aten.conv3d.", "aten.max_pool3d.", "aten.avg_pool3d.", "aten.adaptive_")
_ON_LINES = ("aten.conv1d.", "aten.max_pool1d.", "aten.avg_pool1d.", "aten.adaptive_")
_UNWRITTEN = ("aten.empty", "aten.new_empty")
_OVERWRITING = (
    "aten.bernoulli.p",
    "aten.fill",
    "aten.copy",
    "aten.zero",
    "aten.zeros_like.",
    "aten.ones_like.",
    "aten.full_like.",
)
_AS_FLOATS = ("aten.one_hot.default",)  # integers in PyTorch
_CHECKS = ("aten._assert_tensor_metadata.default", "aten._assert_scalar.default")


class Reading:
    """What every node of ``graph`` has become: a tensor, a tuple of them, or a torch tensor known at capture.

    arrays: state name -> array in PyTorch's layout; folded weights and biases take the place of the model's.
    given: what the inputs are, where they are no leaves; what the graph keeps is constant then.
    live: what the model does only while it learns, where the graph is of that; ``moved``: new values of its buffers.
    """

    def __init__(
        self,
        graph: torch.fx.Graph,
        found: Signature,
        arrays: Mapping[str, np.ndarray],
        folds: Folds,
        given: tuple[Tensor, ...] | None = None,
        live: Live | None = None,
    ) -> None:
        self.found = found
        self.live = live
        self.given = given
        self.folds: dict[torch.fx.Node, Fold] = {layer: fold for layer, (_, fold) in folds.items()}
        self.folded = {norm: layer for layer, (norm, _) in folds.items()}
        self.placeholders = {n.name: n for n in graph.nodes if n.op == "placeholder"}
        self.arrays = folded(tuple(self.folds.values()), arrays)
        self.inputs: dict[str, Tensor] = {}
        self.state: dict[str, Tensor] = {}
        self.outputs: dict[str, Tensor] = {}
        self.moved: dict[str, Tensor] = {}
        self.memory: dict[torch.fx.Node, Any] = {}
        left = _counters(graph, found)
        for node in graph.nodes:
            if node not in left:
                self._take(node)

    def _take(self, node: torch.fx.Node) -> None:
        if node.op == "placeholder":
            self.memory[node] = self._leaf(node)
        elif node.op == "output":
            self._finish(node)
        elif node in self.folded:
            y = self.memory[self.folded[node]]
            self.memory[node] = y if str(node.target) == "aten.batch_norm.default" else (y, None, None)
        elif node.op == "call_function":
            self.memory[node] = self._call(node)
        else:
            self.memory[node] = None

    # Leaves

    def _leaf(self, node: torch.fx.Node) -> Any:
        if node.name in self.found.constants:
            return self.found.constants[node.name]
        if node.name in self.found.inputs:
            return self._input(node) if self.given is None else self.given[self.found.inputs.index(node.name)]
        if self.given is not None:
            return self.found.tensors[self.found.state[node.name]]
        name = self.found.state[node.name]
        if node.users and all(str(user.target) in DEQUANTISE for user in node.users):
            return self.found.tensors[name]
        return self._state(name) if node.users else None

    def _input(self, node: torch.fx.Node) -> Tensor:
        name = f"x{self.found.inputs.index(node.name) or ''}"
        face = tuple(node.meta["val"].shape)
        lines = any(str(user.target).startswith(_ON_LINES) for user in node.users)
        volumes = any(str(user.target).startswith(_ON_VOLUMES) for user in node.users)
        perm = {3: NLC if lines else None, 4: NHWC, 5: NDHWC if volumes else None}.get(len(face)) or identity(len(face))
        layout = Layout.of(face, perm)
        spec = ir.Spec(layout.shape, DTYPES[node.meta["val"].dtype])
        self.inputs[name] = Tensor(ir.input_leaf(name, spec, layout=layout), perm)
        return self.inputs[name]

    def _state(self, name: str) -> Tensor:
        """The leaf of state ``name``, one for all the names it goes by."""
        if name in self.state:
            return self.state[name]
        same = [self.placeholders[p] for p, held in self.found.state.items() if held == name]
        readers = [(user, placeholder) for placeholder in same for user in placeholder.users]
        array = self.arrays[name]
        if array.dtype.name not in DTYPES.values():
            fix = "keep it in float32, or register it with persistent=False"
            raise _refusal(readers[0][0], f"state {name} of dtype {array.dtype}", fix)
        layout = stored_as(array.shape, readers)
        kind = "parameter" if name in self.found.parameters else "buffer"
        value = ir.state_leaf(name, ir.Spec(layout.shape, array.dtype.name), kind, layout)
        moved = tuple(array.shape[a] for a in layout.perm)
        self.state[name] = Tensor(ir.reshape(value, moved), layout.perm)
        return self.state[name]

    # Operations

    def _call(self, node: torch.fx.Node, where: str = "") -> Any:
        """``where``: the user's line, of a node inside another one's decomposition."""
        op = str(node.target)
        if op in _CHECKS:
            return None
        if node.target is operator.getitem:
            source, index = _plain(node.args)
            return self.memory[source][index]
        if op.startswith(_UNWRITTEN) and all(str(user.target).startswith(_OVERWRITING) for user in node.users):
            face = node.meta["val"]  # of its values nothing is read
            return torch.zeros(face.shape, dtype=face.dtype)
        if not isinstance(node.target, torch._ops.OpOverload):
            name = getattr(node.target, "__name__", op)
            raise _refusal(_inner(node), name, "write it without context managers and control flow")
        args: Any
        kwargs: dict[str, Any]
        args, kwargs = torch.fx.node.map_arg((node.args, dict(node.kwargs)), lambda n: self._read(n, node))
        drawn = self.live is not None and op in LOWERINGS and torch.Tag.nondeterministic_seeded in node.target.tags
        known = not drawn and not any(isinstance(self.memory[n], Tensor) for n in node.all_input_nodes)
        if known:
            _refuse_chance(node)
        call = Call(op, where or of_node(node), self.live)
        if node in self.folds:
            args = [*args[:2], self._state(self.folds[node].receiver), *args[3:]]
            kwargs = {name: value for name, value in kwargs.items() if name != "bias"}
        try:
            if known and op in DEQUANTISE:
                return constant(call, *args)
            if known:
                return node.target(*args, **kwargs)
            if op not in LOWERINGS:
                parts = decomposed(node.target, node.args, node.kwargs)
                if parts is not None:
                    return self._inside(call, *parts)
            result = lower(call, node.target, args, kwargs)
        except NotSupported:
            raise
        except Exception as error:
            says = str(error) if isinstance(error, ValueError) else f"it fails with {type(error).__name__}: {error}"
            raise call.refuse(says) from error
        _check(node, result)
        return result

    def _inside(self, call: Call, made: torch.fx.GraphModule, given: list[torch.fx.Node]) -> Any:
        """The results of ``made``, which reads ``given``: what ``call`` is made of."""
        places = iter(given)
        for node in made.graph.nodes:
            if node.op == "placeholder":
                self.memory[node] = self.memory[next(places)]
            elif node.op == "get_attr":
                self.memory[node] = getattr(made, str(node.target))
            elif node.op == "call_function":
                try:
                    self.memory[node] = self._call(node, call.where)
                except NotSupported as error:
                    raise call.refuse(f"it is made of {error.op}: {error.what_to_do}") from error
            else:
                result = _plain(node.args[0])
        results: Any = torch.fx.node.map_arg(result, lambda n: self.memory[n])
        return tuple(results) if isinstance(results, list | tuple) else results

    def _read(self, node: torch.fx.Node, reader: torch.fx.Node) -> Any:
        value = self.memory[node]
        if value is None:
            source, index = _plain(node.args) if node.target is operator.getitem else (node, 0)
            what = f"result {index} of {source.target}"
            raise _refusal(reader, what, "only the first result of that operation is")
        return value

    def _finish(self, node: torch.fx.Node) -> None:
        results = dict(enumerate(_plain(node.args[0])))
        for i, name in self.found.moved.items():
            if (result := results.pop(i)) in self.memory:
                self.moved[name] = self.memory[result]
        for i, result in enumerate(results.values()):
            if result is None and i > 0:  # as attention's weights that are not wanted
                continue
            value = self.memory.get(result) if isinstance(result, torch.fx.Node) else None
            reads = self.given is not None or i > 0 or (isinstance(value, Tensor) and _reads_input(value))
            if not isinstance(value, Tensor) or not reads:
                raise NotSupported(f"output {i}", "", "forward() must return tensors computed from its inputs")
            self.outputs[f"output{i or ''}"] = value


def _counters(graph: torch.fx.Graph, found: Signature) -> set[torch.fx.Node]:
    """What only counts, in a buffer of whole numbers: batch norm's batches. It is nothing that a device keeps."""
    results = dict(enumerate(_plain(next(n for n in graph.nodes if n.op == "output").args[0])))
    left = {results[i] for i, name in found.moved.items() if not found.tensors[name].is_floating_point()}
    for node in reversed(graph.nodes):
        if node.users and all(user in left for user in node.users):
            left.add(node)
    return left


def _reads_input(x: Tensor) -> bool:
    return any(node.op == "input" for node in ir.topological([x.value.node]))


def _refuse_chance(node: torch.fx.Node) -> None:
    """What is computed once, at capture, must be the same at every call of the model."""
    if torch.Tag.nondeterministic_seeded in node.target.tags:  # type: ignore[union-attr]
        fix = "it would be drawn once and stay so: draw it outside and give it as an input"
        raise _refusal(node, str(node.target), fix)
    if str(node.target).startswith(_UNWRITTEN):
        for reader in node.users:
            if not str(reader.target).startswith(_OVERWRITING):
                raise _refusal(reader, "reading torch.empty", "its values are undefined: use torch.zeros")


def _plain(argument: Any) -> Any:
    """fx types an argument as everything it could be; what stands here is known from the node."""
    return argument


def _check(node: torch.fx.Node, result: Any) -> None:
    """A captured shape or dtype that is not PyTorch's would be a wrong lowering: it goes no further; nor does an empty
    tensor, whose mean or maximum means nothing."""
    many = isinstance(result, tuple)
    faces = node.meta["val"] if many else (node.meta["val"],)
    for face, got in zip(faces, result if many else (result,), strict=True):
        if got is None:
            continue
        if 0 in face.shape:
            fix = "keep at least 1 element along every axis"
            raise _refusal(node, f"an empty tensor {tuple(face.shape)}", fix)
        captured, meant = (got.shape, got.value.dtype), (tuple(face.shape), _INSIDE.get(face.dtype, str(face.dtype)))
        if str(node.target) in _AS_FLOATS:
            meant = (meant[0], "float32")
        if captured != meant:
            raise _refusal(node, str(node.target), f"it was captured as {captured}, where PyTorch has {meant}")


def _inner(node: torch.fx.Node) -> torch.fx.Node:
    """The first operation inside a higher-order one (a no_grad block): it has the user's line."""
    bodies = [n.target for n in node.all_input_nodes if n.op == "get_attr"]
    for body in bodies:
        module = getattr(node.graph.owning_module, str(body), None)
        if isinstance(module, torch.fx.GraphModule):
            return next((n for n in module.graph.nodes if n.meta.get("stack_trace")), node)
    return node


def _refusal(node: torch.fx.Node, what: str, fix: str) -> NotSupported:
    return NotSupported(what, of_node(node), fix)


def checked(example: object) -> tuple[torch.Tensor, ...]:
    """``example`` as a tuple. Raises ``InvalidInput`` for what cannot be an input."""
    given = (example,) if isinstance(example, torch.Tensor) else example
    if not isinstance(given, tuple) or not given or not all(isinstance(x, torch.Tensor) for x in given):
        raise InvalidInput("example", type(example).__name__, "give a tensor or a tuple of tensors")
    for i, x in enumerate(given):
        if x.dtype not in DTYPES:
            dtype = str(x.dtype).removeprefix("torch.")
            allowed = ", ".join(str(d).removeprefix("torch.") for d in DTYPES)
            raise InvalidInput(f"example {i} dtype", dtype, f"give one of {allowed}")
        if x.numel() == 0:
            raise InvalidInput(f"example {i} shape", tuple(x.shape), "every axis must have at least 1 element")
    return given
