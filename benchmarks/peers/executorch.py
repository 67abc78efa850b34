"""ExecuTorch's training module, as its own examples use it: one exported program of forward and backward, its SGD.

Experimental upstream, portable operators only. Known there: the gradient of ``max_pool2d`` is silently wrong, and
``avg_pool2d`` and batch norm in training mode cannot be exported. So every gradient is compared before it is timed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from selvedge.artifact import files

from ..scratch import scratch
from ..work import RATE, WithLoss, Work
from .contestant import Contestant, Failed, Missing, reason, silenced


@dataclass(frozen=True)
class Program:
    """A training program: its bytes, and the arena that its planner gives ``forward``: parameters, activations and
    gradients, the buffers of all memory levels together."""

    buffer: bytes
    arena: int


def export(work: Work) -> Program:
    """Once in a run, for every table and process.

    Raises :class:`Missing` without the package, :class:`Failed` where it cannot export.
    """
    stem = scratch() / hashlib.sha256(str(work).encode()).hexdigest()
    known, program = stem.with_suffix(".json"), stem.with_suffix(".pte")
    if not known.exists():  # written last: then the program is whole
        made = _exported(work)
        files.write(program, made.buffer)
        files.write(known, json.dumps({"arena": made.arena}).encode())
    return Program(program.read_bytes(), json.loads(known.read_text())["arena"])


def _exported(work: Work) -> Program:
    try:
        with silenced():
            from executorch.exir import to_edge
    except ModuleNotFoundError as error:
        raise Missing(f"no package {error.name}: pip install 'executorch==1.5.1'") from None
    import torch
    from torch.export.experimental import _export_forward_backward

    try:
        with silenced():
            exported = torch.export.export(WithLoss(work.model()), _arguments(work), strict=False)
            made = to_edge(_export_forward_backward(exported)).to_executorch()
    except Exception as error:
        raise Failed(reason(error)) from error
    methods = made.executorch_program.execution_plan
    return Program(made.buffer, sum(next(m for m in methods if m.name == "forward").non_const_buffer_sizes))


def prepare(work: Work) -> Contestant:
    program = export(work)
    try:
        with silenced():
            from executorch.extension.training import (
                _load_for_executorch_for_training_from_buffer,
                get_sgd_optimizer,
            )

            module = _load_for_executorch_for_training_from_buffer(program.buffer)
            arguments = _arguments(work)
            first = float(module.forward_backward("forward", arguments)[0])
            optimizer = get_sgd_optimizer(module.named_parameters(), RATE)
    except Exception as error:
        raise Failed(reason(error)) from error
    gradients = {n.removeprefix("model."): g.numpy().copy() for n, g in module.named_gradients().items()}

    def step(_read: bytes = program.buffer) -> float:  # the module points into the buffer and does not keep it
        (loss,) = module.forward_backward("forward", arguments)
        optimizer.step(module.named_gradients())
        return float(loss)

    return Contestant(step, first, gradients)


def _arguments(work: Work) -> tuple[object, ...]:
    return (work.x,) if work.y is None else (work.x, work.y)
