"""The programs of one model over one state: predict, evaluate, and step; or accumulate and apply in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np

from .. import ir
from ..artifact.layout import Layout
from ..errors import InvalidInput
from .autodiff import gradients
from .captured import Captured
from .clip import also_finite, clipped, norm_of
from .compact import Slot, slot
from .loss import Loss
from .optimizer import Optimizer
from .part import Part, part_of_gradient

SHARED = "optimizer"
ROUNDS = "rounds"  # updates made, modulo 2^24: what makes the rounding of one differ from that of the next
COUNT = f"{SHARED}.accumulated"  # micro-batches in the accumulators
ADDED = ("optimizer", "accumulator")  # kinds of state that the model has not


@dataclass(frozen=True, slots=True)
class Programs:
    """Graphs over state of the same names.

    predict: x.. -> output... evaluate: x.., y -> loss, output... learning, by name: either
    step: x.., y, lr -> loss, output.., new state; or
    accumulate: x.., y -> loss, output.., new accumulators, and apply: lr -> new state, empty accumulators.
    Where gradients are clipped by their norm, it is the result "norm" of the program that makes new parameters.
    optimizer_state: name -> initial array, as stored, accumulators included. updated: the parameters that learn.
    parts: of those that learn in part, which.
    layouts: input or output name -> how it is stored, "y" included. ``lr`` is 0-d; ``y`` is absent when the target
    is the input.
    sizes: the same for smaller inputs, by what the names of its programs end in: "3" for predict_3, ...; over leaves
    of the same names. The application of what is accumulated is the same for all.
    """

    predict: ir.Graph
    evaluate: ir.Graph
    learning: Mapping[str, ir.Graph]
    optimizer_state: Mapping[str, np.ndarray]
    updated: tuple[str, ...]
    layouts: Mapping[str, Layout]
    parts: Mapping[str, Part]
    sizes: Mapping[str, Programs] = field(default_factory=dict)

    @property
    def learns(self) -> tuple[str, ...]:
        """``updated`` as it is printed, with the parts: "9.weight[:12 of 48]"."""
        return tuple(self.parts[n].label(n) if n in self.parts else n for n in self.updated)

    def learnt(self, name: str) -> ir.Spec:
        """What learns of parameter ``name``: its spec, or its part's."""
        spec = self.backward.state[name].spec
        return self.parts[name].spec(spec) if name in self.parts else spec

    @property
    def graphs(self) -> dict[str, ir.Graph]:
        """Every program by name."""
        own = {"predict": self.predict, "evaluate": self.evaluate, **self.learning}
        for suffix, smaller in self.sizes.items():
            own |= {f"{name}_{suffix}": graph for name, graph in smaller.graphs.items() if name != "apply"}
        return own

    def layouts_of(self, program: str) -> Mapping[str, Layout]:
        """How inputs and outputs of ``program`` are stored."""
        suffix = program.partition("_")[2]
        return self.sizes[suffix].layouts if suffix else self.layouts

    @property
    def step(self) -> ir.Graph:
        """The step of a plan that does not accumulate."""
        return self.learning["step"]

    @property
    def backward(self) -> ir.Graph:
        """The one that makes gradients: step or accumulate."""
        return next(iter(self.learning.values()))

    @property
    def state(self) -> dict[str, ir.Value]:
        """Every state leaf of any program, by name."""
        return {name: leaf for graph in self.graphs.values() for name, leaf in graph.state.items()}


def programs(
    captured: Captured,
    loss: Loss,
    optimizer: Optimizer,
    update: Sequence[str] | Mapping[str, Part | None],
    accumulate: int = 1,
) -> Programs:
    """``update``: state names, as :func:`select` resolves them, each with the part of it that learns where that is not
    all of it. accumulate: micro-batches that one update takes.

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
    evaluate = ir.Graph(inputs, graph.state, {"loss": loss.of(output, layout, target), **graph.outputs})
    chosen = dict(update) if isinstance(update, Mapping) else dict.fromkeys(update)
    told = _told(captured, evaluate, loss, layout)
    learning = _Learning(told, told.outputs["loss"], optimizer, chosen).programs(accumulate)
    leaves = {name: leaf for made in learning.values() for name, leaf in made.state.items()}
    initial = {n: np.zeros(v.shape, v.dtype) for n, v in leaves.items() if v.node.attrs["kind"] in ADDED}
    updated = tuple(dict.fromkeys(n for made in learning.values() for n in made.updates if n in chosen))
    finished = {name: _finished(made) for name, made in learning.items()}
    parts = {n: part for n in updated if (part := chosen[n]) is not None}
    return Programs(_finished(graph), _finished(evaluate), finished, initial, updated, layouts, parts)


def _told(captured: Captured, evaluate: ir.Graph, loss: Loss, layout: Layout) -> ir.Graph:
    """``evaluate`` of what the model does while it learns, with the buffers it moves."""
    own = captured.learning
    if own is None:
        return evaluate
    target = evaluate.inputs["y"] if "y" in evaluate.inputs else own.inputs["x"]
    inputs = {name: own.inputs.get(name, value) for name, value in evaluate.inputs.items()}
    return ir.Graph(inputs, own.state, {"loss": loss.of(own.outputs["output"], layout, target), **own.outputs})


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


def _counted(rounds: ir.Value) -> ir.Value:
    """One more; from 2^24, beyond which float32 could not count, on from 0."""
    more = ir.apply("add", rounds, ir.scalar(1, rounds))
    return ir.apply("where", ir.apply("less", more, ir.scalar(2**24, more)), more, ir.scalar(0, more))


class _Learning:
    """What ``evaluate`` becomes when the parameters in ``update`` that its loss depends on learn."""

    def __init__(
        self, evaluate: ir.Graph, loss: ir.Value, optimizer: Optimizer, update: Mapping[str, Part | None]
    ) -> None:
        self.evaluate, self.loss, self.optimizer, self.update = evaluate, loss, optimizer, update
        self.taken = set(evaluate.state)
        self.lr = ir.input_leaf("lr", ir.Spec((), loss.dtype))

    def programs(self, accumulate: int) -> dict[str, ir.Graph]:
        if accumulate == 1:
            found = self._gradients(self.loss)
            state, outputs = self._updated(found, self.loss)
            inputs = {**self.evaluate.inputs, "lr": self.lr}
            whole = ir.Graph(inputs, {**self.evaluate.state, **state}, {**self.evaluate.outputs, **outputs})
            return {"step": whole}
        found = self._gradients(ir.scale(self.loss, 1 / accumulate))
        sums = {n: self._leaf(f"{n}.accumulator", g.spec, "accumulator", self._layout(n)) for n, g in found.items()}
        count = self._leaf(COUNT, self.loss.spec, "accumulator")
        kept = {**{leaf.node.attrs["name"]: leaf for leaf in sums.values()}, COUNT: count}
        added = {f"{n}.accumulator": ir.apply("add", leaf, found[n]) for n, leaf in sums.items()}
        added[COUNT] = ir.apply("add", count, ir.scalar(1, count))
        state, outputs = self._updated(sums, None)
        emptied = {name: ir.apply("zero", leaf) for name, leaf in kept.items()}
        return {
            "accumulate": ir.Graph(
                self.evaluate.inputs, {**self.evaluate.state, **kept}, {**self.evaluate.outputs, **added}
            ),
            "apply": ir.Graph({"lr": self.lr}, {**state, **kept}, {**outputs, **emptied}),
        }

    def _gradients(self, loss: ir.Value) -> dict[str, ir.Value]:
        """By name. Raises ``InvalidInput`` where there are none."""
        weights = {name: self.evaluate.state[name] for name in self.update}
        found = gradients(loss, weights.values())
        if not found:
            raise InvalidInput("update", ", ".join(self.update), "none of these influences the loss")
        whole = {name: found[weight] for name, weight in weights.items() if weight in found}
        return {
            name: g if (part := self.update[name]) is None else part_of_gradient(g, part) for name, g in whole.items()
        }

    def _updated(self, found: Mapping[str, ir.Value], loss: ir.Value | None) -> tuple[dict[str, ir.Value], ...]:
        """(state, outputs) of the update by the gradients ``found``. loss: what they were made of in this program."""
        optimizer, state, outputs = self.optimizer, {}, {}
        if optimizer.clip_norm is not None:
            norm = norm_of(found)
            found = clipped(found, norm, optimizer.clip_norm)
            outputs["norm"] = norm if loss is None else also_finite(norm, loss)
        scalar = ir.Spec((), self.loss.dtype)
        suffixes = (*optimizer.shared, *((ROUNDS,) if optimizer.state_dtype is not None else ()))
        old = {suffix: self._leaf(f"{SHARED}.{suffix}", scalar, "optimizer") for suffix in suffixes}
        new = optimizer.advance({suffix: old[suffix] for suffix in optimizer.shared})
        rounds = old.get(ROUNDS)
        if rounds is not None:
            new[ROUNDS] = _counted(rounds)
        shared = {**new, **{f"{suffix}.old": value for suffix, value in old.items()}}
        for name, gradient in found.items():
            whole, part = self.evaluate.state[name], self.update[name]
            state[name] = whole
            weight = whole if part is None else ir.apply("part", whole, axis=part.axis, count=part.count)
            slots = {suffix: self._slot(name, suffix, weight) for suffix in optimizer.slots}
            values = {suffix: kept.value for suffix, kept in slots.items()}
            moved, changed = optimizer.update(weight, gradient, self.lr, values, shared)
            outputs[name] = moved if part is None else ir.apply("with_part", moved, whole, axis=part.axis)
            for suffix, value in changed.items():
                outputs.update(slots[suffix].replaced(value, rounds))
                state.update(slots[suffix].leaves)
        state.update({f"{SHARED}.{suffix}": leaf for suffix, leaf in old.items()})
        outputs.update({f"{SHARED}.{suffix}": value for suffix, value in new.items()})
        return state, outputs

    def _layout(self, name: str) -> Layout:
        """That of what learns of parameter ``name``, and so of its state."""
        layout: Layout = self.evaluate.state[name].node.attrs["layout"]
        part = self.update[name]
        return layout if part is None else part.layout(layout)

    def _slot(self, name: str, suffix: str, weight: ir.Value) -> Slot:
        def leaf(part: str, spec: ir.Spec) -> ir.Value:
            return self._leaf(f"{name}.{part}", spec, "optimizer", self._layout(name) if part == suffix else None)

        return slot(suffix, weight.spec, self.optimizer.state_dtype, suffix in self.optimizer.squares, leaf)

    def _leaf(self, name: str, spec: ir.Spec, kind: str, layout: Layout | None = None) -> ir.Value:
        """A new leaf beside the model's state."""
        if name in self.taken:
            raise InvalidInput("model", f"with state {name}", "rename it: the optimiser needs that name")
        self.taken.add(name)
        return ir.state_leaf(name, spec, kind, layout or Layout.of(spec.shape))
