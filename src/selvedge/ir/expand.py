"""A graph in fewer kinds of rows: what a target has no operator for, in those that it has."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping

from ..errors import NotSupported
from .expansions import RULES
from .expansions.recurrent import RECURRENT
from .graph import Graph, Node, Value
from .simplify import simplified


def expanded(graph: Graph, kept: Callable[[Node], bool] = lambda node: False) -> Graph:
    """``graph`` with each row of :data:`~.expansions.RULES` written out, but for those that ``kept`` says; leaves stay
    the same. int8 maxima stay too: integers have no minus infinity. What the rows mean is what the row meant, but for
    the index of a ``max_pool``, which becomes a float.
    """
    now: dict[Value, Value] = {}
    for node in graph.nodes():
        inputs = tuple(now[v] for v in node.inputs)
        if node.op in RULES and not kept(node) and node.specs[0].is_float:
            made = RULES[node.op](node, inputs)
            assert [v.shape for v in made] == [s.shape for s in node.specs], node.op
        else:
            same = node if inputs == node.inputs else _again(node, inputs)
            made = [Value(same, i) for i in range(len(node.specs))]
        now.update((Value(node, i), value) for i, value in enumerate(made))
    return simplified(Graph(graph.inputs, graph.state, {name: now[v] for name, v in graph.outputs.items()}))


def unrolled(graph: Graph) -> Graph:
    """``graph`` whose ``gru``, ``lstm`` and ``rnn``, and their gradients, are a row for each thing that a step of time
    computes; itself where it has none."""
    if not any(node.op in RECURRENT for node in graph.nodes()):
        return graph
    return expanded(graph, lambda node: node.op not in RECURRENT)


def in_rows(graph: Graph, rows: Container[str], lacks: Mapping[str, tuple[str, str]], where: str) -> Graph:
    """``graph`` in a target's rows. A ``max_pool`` whose index nobody reads stays one. lacks: op -> (why there is none,
    what to do). Raises :class:`NotSupported`, with ``where`` as the target's name, for what is in neither."""
    used = {v for node in graph.nodes() for v in node.inputs} | set(graph.outputs.values())
    made = expanded(graph, lambda node: node.op == "max_pool" and Value(node, 1) not in used)
    for node in made.nodes():
        if node.inputs and node.op not in rows:
            why, fix = lacks.get(node.op, ("it has no row there", "emit the plan for c"))
            raise NotSupported(f"{node.op} in {where} ({why})", node.where, fix)
    return made


def _again(node: Node, inputs: tuple[Value, ...]) -> Node:
    return Node(node.op, inputs, node.specs, node.attrs, node.where)
