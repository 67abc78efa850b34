"""The watchers of a prepared graph, each with the layer whose tensor it sees."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch.fx import GraphModule, Node

from ..errors import InvalidInput
from .layers import KEY
from .pt2e import FakeQuantizeBase, ObserverBase
from .ranges import ActivationRange


def is_watcher(module: GraphModule, node: Node) -> bool:
    """Whether ``node`` watches a tensor, or quantises it while a model trains."""
    return node.op == "call_module" and isinstance(
        module.get_submodule(str(node.target)), ObserverBase | FakeQuantizeBase
    )


def watched(prepared: GraphModule) -> Iterator[tuple[str, ActivationRange]]:
    """(layer, its activation's range) once each; the model's input is called by the name that forward gives it."""
    done: set[int] = set()
    for node in prepared.graph.nodes:
        if not is_watcher(prepared, node):
            continue
        found = prepared.get_submodule(str(node.target))
        seen = getattr(found, "activation_post_process", found)
        if isinstance(seen, ActivationRange) and id(seen) not in done:
            done.add(id(seen))
            source = node.args[0]
            assert isinstance(source, Node)
            yield source.meta.get(KEY, source.name), seen


def check_ranges(prepared: GraphModule, samples: int) -> None:
    """Refuse a range that is a point, and one that is not finite."""
    for layer, seen in watched(prepared):
        low, high = seen.seen
        if not (math.isfinite(low) and math.isfinite(high)):
            fix = "the float model itself overflows there: look at its weights and at the samples"
            raise InvalidInput(f"range of {layer}", f"{low:g} to {high:g}", fix)
        if low == high:
            fix = f"all {samples} samples give the same there: give samples that differ, or bits={{{layer!r}: 32}}"
            raise InvalidInput(f"range of {layer}", f"the point {low:g}", fix)
