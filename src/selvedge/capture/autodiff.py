"""Reverse-mode differentiation on the graph."""

from __future__ import annotations

from collections.abc import Iterable

from .. import ir
from ..errors import NotSupported


def gradients(loss: ir.Value, wanted: Iterable[ir.Value]) -> dict[ir.Value, ir.Value]:
    """The gradient of the 0-d ``loss`` for every wanted value that it depends on.

    Only nodes between a wanted value and the loss are differentiated, and only along floats: nothing flows back
    through a comparison. Where a value forks, the gradients that come
    back along its branches are summed. Raises ``NotSupported`` for a node on the way that has no gradient, and
    ``ValueError`` when ``loss`` is not 0-d.
    """
    if loss.shape != ():
        raise ValueError(f"loss has shape {loss.shape}; it must be ()")
    order = list(dict.fromkeys(wanted))
    targets = set(order)
    nodes = ir.topological([loss.node])
    alive: set[ir.Value] = set(targets)
    for node in nodes:
        if any(v in alive for v in node.inputs):
            alive.update(ir.Value(node, i) for i, spec in enumerate(node.specs) if spec.is_float)
    found: dict[ir.Value, ir.Value] = {loss: ir.scalar(1, loss)}
    for node in reversed(nodes):
        results = [ir.Value(node, i) for i in range(len(node.specs))]
        flowing = [found.get(v) for v in results]
        needed = [v in alive for v in node.inputs]
        if not any(needed) or not any(flowing):
            continue
        gradient = ir.TABLE[node.op].gradient
        if gradient is None:
            raise NotSupported(f"the gradient of {node.op}", node.where, "take it out of the way to the loss")
        for value, part in zip(node.inputs, gradient(node, flowing, needed), strict=True):
            if part is not None and value in alive:
                found[value] = ir.apply("add", found[value], part) if value in found else part
        for value in results:
            if value not in targets:
                found.pop(value, None)
    return {value: found[value] for value in order if value in found}
