"""Clipping by the global norm: ``torch.nn.utils.clip_grad_norm_`` (norm_type 2), as part of the graph.

Every clipped gradient reads the norm, and the norm reads every gradient: so that all of them live until the last is
known, which the planner sees and charges for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from .. import ir

EPS = 1e-6  # PyTorch's, in the denominator


def norm_of(gradients: Mapping[str, ir.Value]) -> ir.Value:
    """The 2-norm of all elements of ``gradients``, 0-d."""
    squares = [ir.reduce("reduce_sum", ir.apply("square", g), range(len(g.shape))) for g in gradients.values()]
    return ir.apply("sqrt", reduce(lambda a, b: ir.apply("add", a, b), squares))


def clipped(gradients: Mapping[str, ir.Value], norm: ir.Value, most: float) -> dict[str, ir.Value]:
    """``gradients`` times min(1, most / (norm + 1e-6)): Pascanu et al., "On the difficulty of training recurrent neural
    networks" (2013), algorithm 1."""
    ratio = ir.apply("div", ir.scalar(most, norm), ir.apply("add", norm, ir.scalar(EPS, norm)))
    factor = ir.apply("minimum", ratio, ir.scalar(1, norm))
    return {name: ir.apply("mul", g, factor) for name, g in gradients.items()}


def also_finite(norm: ir.Value, loss: ir.Value) -> ir.Value:
    """``norm``, or NaN where ``loss`` is not finite: one number to look at before the first update."""
    return ir.apply("add", norm, ir.scale(loss, 0.0))
