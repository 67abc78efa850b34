"""Graphs over one state as the signatures of one ``.tflite`` file: what learns lies in resource variables.

Each signature first makes sure that the variables hold something (CALL_ONCE: the first call of any of them writes the
initial values), reads what it needs, computes, and replaces what it updates last, where what guards the update is a
finite number. ``save`` gives every variable, ``restore`` takes them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from selvedge.artifact.litert import RESTORE, SAVE
from selvedge.errors import InvalidInput
from selvedge.ir import Graph, Spec, Value, apply, frozen, simplified

from ..lifted import lifted
from .from_graph import begun, written
from .fused import Fused
from .model import Model, Program, Signature
from .writing import Writing

CONTAINER = "selvedge"


def program(graphs: Mapping[str, Graph], state: Mapping[str, np.ndarray]) -> Program:
    """``graphs``: by the name of their signature, over state of the same names. state: every array, as it is stored.

    A graph's results are its signature's outputs. State that no graph updates is a constant of the file. Raises
    :class:`NotSupported` for a row that no operator computes, with the user's line.
    """
    updated = {name: graph.state[name] for graph in graphs.values() for name in graph.updates}
    taken = next((name for name in (SAVE, RESTORE) if name in graphs), None)
    if taken is not None:
        raise InvalidInput("signature", taken, "that is the file's own: call it otherwise")
    specs = {name: leaf.spec for name, leaf in updated.items()}
    fixed = {name: array for name, array in state.items() if name not in updated}
    first = len(graphs) + (2 if specs else 0)  # the subgraph that writes the initial values
    models: list[Model] = []
    signatures: list[Signature] = []
    for name, graph in graphs.items():
        made = _split(simplified(frozen(graph, fixed)))
        signatures.append(Signature(name, len(models), tuple(made.inputs), tuple(made.results)))
        models.append(_function(made, first))
    if specs:
        for name in (SAVE, RESTORE):
            signatures.append(Signature(name, len(models), *(tuple(specs), ())[:: 1 if name == RESTORE else -1]))
            models.append(_saved(specs, first) if name == SAVE else _restored(specs, first))
        models.append(_initial(specs, state))
    return Program(tuple(models), tuple(signatures))


def _split(graph: Graph) -> Graph:
    """``graph`` of which each result is one of its own: a copy of what is an input, state, or another result."""
    outputs, seen = dict(graph.outputs), set[Value]()
    for name, value in graph.results.items():
        if value in seen or not value.node.inputs:
            outputs[name] = apply("reshape", value, shape=value.shape)
        seen.add(value)
    return Graph(graph.inputs, graph.state, outputs)


def _variable(w: Writing, name: str) -> int:
    handle = w.tensor(name, Spec((), "resource"))
    w.act("VAR_HANDLE", (), (handle,), container=CONTAINER, shared_name=name)
    return handle


def _read(w: Writing, name: str, spec: Spec, handle: int) -> int:
    made = w.tensor(name, spec)
    w.act("READ_VARIABLE", (handle,), (made,))
    return made


def _function(graph: Graph, first: int) -> Model:
    graph = lifted(graph)
    w = begun(graph)
    if graph.state:
        w.act("CALL_ONCE", (), (), subgraph=first)
    handles = {name: _variable(w, name) for name in graph.state}
    for name, leaf in graph.state.items():
        w.places[leaf] = _read(w, name, leaf.spec, handles[name])
    written(w, graph)
    new = {name: w.of(value) for name, value in graph.updates.items()}
    if graph.gate is not None:
        new = _guarded(w, graph, new)
    for name, place in new.items():
        w.act("ASSIGN_VARIABLE", (handles[name], place), ())
    inputs = tuple(w.places[v] for v in graph.inputs.values())
    return Model(tuple(w.tensors), tuple(w.operators), inputs, tuple(w.places[v] for v in graph.results.values()))


def _guarded(w: Writing, graph: Graph, new: Mapping[str, int]) -> dict[str, int]:
    """What replaces the state: what is there, where the gate is not finite."""
    assert graph.gate is not None
    gate = w.of(graph.gate)
    finite = w.operator("EQUAL", (w.like("SUB", gate, gate), w.real(0)), Spec((), "bool"))
    return {
        name: w.floats("SELECT", (finite, place, w.places[graph.state[name]]), w.shape(place))
        for name, place in new.items()
    }


def _alone() -> Writing:
    return Writing({}, Fused({}, {}, set(), set()), set())


def _saved(specs: Mapping[str, Spec], first: int) -> Model:
    w = _alone()
    w.act("CALL_ONCE", (), (), subgraph=first)
    outputs = tuple(_read(w, name, spec, _variable(w, name)) for name, spec in specs.items())
    return Model(tuple(w.tensors), tuple(w.operators), (), outputs)


def _restored(specs: Mapping[str, Spec], first: int) -> Model:
    """After the initial values, which a later signature would write over it."""
    w = _alone()
    inputs = tuple(w.tensor(name, spec) for name, spec in specs.items())
    w.act("CALL_ONCE", (), (), subgraph=first)
    for name, place in zip(specs, inputs, strict=True):
        w.act("ASSIGN_VARIABLE", (_variable(w, name), place), ())
    return Model(tuple(w.tensors), tuple(w.operators), inputs, ())


def _initial(specs: Mapping[str, Spec], state: Mapping[str, np.ndarray]) -> Model:
    w = _alone()
    for name, spec in specs.items():
        array = np.asarray(state[name])
        if array.size > 1 and not array.any():  # zeros take no bytes of the file
            place = w.floats("FILL", (w.numbers(spec.shape), w.real(0)), spec.shape)
        else:
            place = w.constant(array)
        w.act("ASSIGN_VARIABLE", (_variable(w, name), place), ())
    return Model(tuple(w.tensors), tuple(w.operators), (), ())
