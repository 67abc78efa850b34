"""Recurrent layers for runtimes that are given none of ours: unrolled over time, gradients too."""

from __future__ import annotations

from dataclasses import replace

from ... import ir
from ...ir.expand import expanded
from ...ir.expansions.recurrent import RECURRENT
from . import Given


def unrolled(given: Given) -> Given:
    """``given`` whose ``gru``, ``lstm`` and ``rnn`` are a row for each thing that a step of time computes."""
    return replace(given, programs={name: _written_out(graph) for name, graph in given.programs.items()})


def _written_out(graph: ir.Graph) -> ir.Graph:
    if not any(node.op in RECURRENT for node in graph.nodes()):
        return graph
    return expanded(graph, lambda node: node.op not in RECURRENT)
