"""``.pte``: a module for ExecuTorch, by XNNPACK where it has a kernel, else by the portable ones."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import torch
from torch.export import ExportedProgram

from ..errors import NotSupported, one_line
from .module import Computed


def exported(module: Computed, name: str) -> ExportedProgram:
    """The module as a program of torch.export; ``name`` is of the program, for messages. Arguments as of it."""
    example = tuple(torch.zeros(module.face(n), dtype=module.dtype(n)) for n in module.takes)
    with _quiet():
        try:
            return torch.export.export(module, example, strict=False)
        except Exception as error:  # of its own kinds
            raise NotSupported(f"program {name}", "", f"torch.export says: {_first(error)}") from error


def pte(program: ExportedProgram, name: str, *, delegate: bool) -> bytes:
    """For ExecuTorch. delegate: what XNNPACK has kernels for goes to it. Inputs are read where they lie: the planner
    gives them no room."""
    with _quiet():
        from executorch.exir import EdgeCompileConfig, ExecutorchBackendConfig, to_edge_transform_and_lower
        from executorch.exir.passes import MemoryPlanningPass

        import_module("executorch.kernels.quantized")  # registers what int8 rows are outside XNNPACK
        parts = []
        if delegate:
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

            parts.append(XnnpackPartitioner())
        try:
            edge = to_edge_transform_and_lower(
                program, partitioner=parts, compile_config=EdgeCompileConfig(_check_ir_validity=False)
            )
            plan = MemoryPlanningPass(alloc_graph_input=False)
            return bytes(edge.to_executorch(ExecutorchBackendConfig(memory_planning_pass=plan)).buffer)
        except Exception as error:
            raise NotSupported(f"program {name} in ExecuTorch", "", f"its exporter says: {_first(error)}") from error


def _first(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return one_line(lines[0])[:300]


@contextmanager
def _quiet() -> Iterator[None]:
    """No warning and no log of the exporters' own; what goes wrong is raised."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
