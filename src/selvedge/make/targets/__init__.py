"""A plan -> an artifact for another runtime. Each target is a module here, named as the target is (``-`` as ``_``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from ... import ir
from ...artifact.layout import Layout
from ...artifact.targets import require
from ...emitting.foreign import Written, manifest, write
from ...errors import InvalidInput
from ...run.learning import Learning
from ..described import described, state_and_extra
from ..inference import Inference
from ..plan import Plan


@dataclass(frozen=True, slots=True)
class Given:
    """What a writer gets of a plan.

    name: a C identifier. programs: "predict" alone, or all that the plan has, over state of the same names; what an
    output named as a state array holds is its new value. layouts: program -> input or output name -> how PyTorch's
    array is stored in the graph; one that is missing lies there as PyTorch has it. stored: state name -> what it begins
    with, stored as the graph has it.
    """

    name: str
    programs: Mapping[str, ir.Graph]
    layouts: Mapping[str, Mapping[str, Layout]]
    stored: Mapping[str, np.ndarray]

    @property
    def learnt(self) -> frozenset[str]:
        """The state arrays that a program replaces."""
        return frozenset(name for graph in self.programs.values() for name in graph.updates)

    @property
    def state(self) -> dict[str, ir.Value]:
        """The leaf of every state array."""
        return {name: leaf for graph in self.programs.values() for name, leaf in graph.state.items()}

    def layout(self, program: str, name: str) -> Layout:
        """How input or output ``name`` of ``program`` is stored."""
        graph = self.programs[program]
        value = graph.inputs.get(name) or graph.outputs[name]
        return self.layouts.get(program, {}).get(name) or Layout.of(value.shape)


class Writer(Protocol):
    """What a target's module is."""

    def written(self, given: Given) -> Written:
        """``given`` for the runtime. Raises ``NotSupported`` for an operator that it lacks."""


def emit_foreign(
    plan: Plan | Inference, target: str, folder: Path, learnt: Learning | Mapping[str, Any] | None = None
) -> Path:
    """Write ``plan`` for ``target`` into ``folder``: whole, or not at all. Raises as :func:`selvedge.emit` does."""
    if isinstance(plan, Inference) and learnt is not None:
        raise InvalidInput("learnt", "given", f"{plan.name} only predicts: leave it out")
    for able in _needs(plan):
        require(target, able, to_run=False)
    if isinstance(plan, Inference):
        stored, extra = dict[str, np.ndarray](), dict[str, np.ndarray]()
        graphs = {"predict": ir.simplified(plan.network.graph)}
    else:
        stored, left = state_and_extra(plan, learnt)
        extra, graphs = dict(left), plan.programs.graphs
    about = described(plan, extra, learnt)
    module = cast(Writer, import_module(f".{target.replace('-', '_')}", __name__))
    made = module.written(Given(about.name, graphs, about.layouts, stored))
    own = manifest(target, made, about, plan.arrangement.digest(), plan.arrangement.dtype)
    return write(folder, made, own, extra)


def _needs(plan: Plan | Inference) -> tuple[str, ...]:
    """Of :data:`~selvedge.artifact.targets.ABILITIES`, what a target must be able to."""
    if not isinstance(plan, Inference):
        return ("train",)
    values = (v for node in plan.network.graph.nodes() for v in node.specs)
    return ("int8",) if any(spec.quant is not None for spec in values) else ("float",)
