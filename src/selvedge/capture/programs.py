"""The programs of one model over one state: predict, evaluate, step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from .. import ir
from ..artifact.layout import Layout
from ..errors import InvalidInput
from .autodiff import gradients
from .captured import Captured
from .loss import Loss
from .optimizer import Optimizer

SHARED = "optimizer"


@dataclass(frozen=True, slots=True)
class Programs:
    """Graphs over state of the same names.

    predict: x.. -> output... evaluate: x.., y -> loss, output... step: x.., y, lr -> loss, output.., new state.
    optimizer_state: name -> initial array, as stored. updated: the parameters that ``step`` updates.
    layouts: input or output name -> how it is stored, "y" included. ``lr`` is 0-d; ``y`` is absent when the target
    is the input.
    """

    predict: ir.Graph
    evaluate: ir.Graph
    step: ir.Graph
    optimizer_state: Mapping[str, np.ndarray]
    updated: tuple[str, ...]
    layouts: Mapping[str, Layout]

    @property
    def graphs(self) -> dict[str, ir.Graph]:
        """Every program by name."""
        return {"predict": self.predict, "evaluate": self.evaluate, "step": self.step}


def programs(captured: Captured, loss: Loss, optimizer: Optimizer, update: Sequence[str]) -> Programs:
    """``update``: state names, as :func:`select` resolves them.

    A parameter that does not influence the loss is left alone, as PyTorch does. Raises ``InvalidInput`` when none
    does, or when the loss does not suit the output.
    """
    graph = captured.graph
    output, layout = graph.outputs["output"], captured.layouts["output"]
    if not output.spec.is_float:
        raise InvalidInput("model", f"with an output of {output.dtype}", "forward() must return floats first")
    layouts, inputs = dict(captured.layouts), dict(graph.inputs)
    labels = loss.labels(output.spec, layout)
    if labels is None:
        target = inputs["x"]
    else:
        spec, layouts["y"] = labels
        target = inputs["y"] = ir.input_leaf("y", spec, layout=layouts["y"])
    value = loss.of(output, layout, target)
    evaluate = ir.Graph(inputs, graph.state, {"loss": value, **graph.outputs})
    step = _step(evaluate, value, optimizer, update)
    initial = {
        name: np.zeros(v.shape, v.dtype) for name, v in step.state.items() if v.node.attrs["kind"] == "optimizer"
    }
    updated = tuple(name for name in step.updates if name not in initial)
    return Programs(_finished(graph), _finished(evaluate), _finished(step), initial, updated, layouts)


def _finished(graph: ir.Graph) -> ir.Graph:
    """``graph`` simplified. A result that is state or a constant, as it stands, is copied: results lie in the arena and
    are what they were before the update."""
    graph = ir.simplified(graph)
    copies = {name: _copied(name, value) for name, value in graph.results.items() if _is_kept(value)}
    return ir.Graph(graph.inputs, graph.state, {**graph.outputs, **copies})


def _is_kept(value: ir.Value) -> bool:
    node = value.node
    while node.op == "reshape":
        node = node.inputs[0].node
    return node.op in ("state", "constant")


def _copied(name: str, value: ir.Value) -> ir.Value:
    if not value.spec.is_float:
        raise InvalidInput("model", f"with an {name} that is {value.dtype} state", "forward() must compute its results")
    return ir.apply("clamp", value, min=-inf, max=inf)


def _step(evaluate: ir.Graph, loss: ir.Value, optimizer: Optimizer, update: Sequence[str]) -> ir.Graph:
    """``evaluate`` with the update of every parameter in ``update`` that the loss depends on."""
    weights = {name: evaluate.state[name] for name in update}
    found = gradients(loss, weights.values())
    lr = ir.input_leaf("lr", ir.Spec((), loss.dtype))
    state, outputs = dict(evaluate.state), dict(evaluate.outputs)
    old = {suffix: _leaf(state, f"{SHARED}.{suffix}", ir.Spec((), loss.dtype)) for suffix in optimizer.shared}
    new = optimizer.advance(old)
    shared = {**new, **{f"{suffix}.old": value for suffix, value in old.items()}}
    for name, weight in weights.items():
        if weight not in found:
            continue
        layout = weight.node.attrs["layout"]
        slots = {s: _leaf(state, f"{name}.{s}", weight.spec, layout) for s in optimizer.slots}
        outputs[name], changed = optimizer.update(weight, found[weight], lr, slots, shared)
        outputs.update({f"{name}.{suffix}": slot for suffix, slot in changed.items()})
    if not found:
        raise InvalidInput("update", ", ".join(update), "none of these influences the loss")
    outputs.update({f"{SHARED}.{suffix}": value for suffix, value in new.items()})
    return ir.Graph({**evaluate.inputs, "lr": lr}, state, outputs)


def _leaf(state: dict[str, ir.Value], name: str, spec: ir.Spec, layout: Layout | None = None) -> ir.Value:
    """A new optimiser leaf, entered in ``state``."""
    if name in state:
        raise InvalidInput("model", f"with state {name}", "rename it: the optimiser needs that name")
    state[name] = ir.state_leaf(name, spec, "optimizer", layout or Layout.of(spec.shape))
    return state[name]
