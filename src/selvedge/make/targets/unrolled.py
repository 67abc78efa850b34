"""Recurrent layers for runtimes that are given none of ours: unrolled over time, gradients too."""

from __future__ import annotations

from dataclasses import replace

from ...ir import expand
from . import Given


def unrolled(given: Given) -> Given:
    """``given`` whose programs have no recurrent rows."""
    return replace(given, programs={name: expand.unrolled(graph) for name, graph in given.programs.items()})
