"""What a training step *is*: values, nodes and graphs.

A :class:`Graph` is a set of named values. It has no order: the order of execution is the planner's choice.
Nodes are compared and hashed by identity, and every traversal here is iterative, so that graphs of many
thousands of nodes (and of many forks) stay cheap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from types import MappingProxyType
from typing import Any

from .quant import Quant

ITEM_BYTES: Mapping[str, int] = MappingProxyType(
    {"float32": 4, "float64": 8, "int32": 4, "uint16": 2, "uint8": 1, "int8": 1, "bool": 1}
)

LEAVES = ("input", "state", "constant")


@dataclass(frozen=True, slots=True)
class Spec:
    """Shape (elements per axis) and dtype of a value. Images are NHWC, convolution weights HWIO. ``quant``: what its
    integers stand for, where they stand for real numbers."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    quant: Quant | None = None

    def __repr__(self) -> str:
        """Without a quant as if there were no such field: names and digests are made of it."""
        quant = "" if self.quant is None else f", quant={self.quant!r}"
        return f"Spec(shape={self.shape!r}, dtype={self.dtype!r}{quant})"

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes of a dense, unpadded array of this shape and dtype."""
        return self.size * ITEM_BYTES[self.dtype]

    @property
    def is_float(self) -> bool:
        return self.dtype in ("float32", "float64")

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Node:
    """One operation. ``specs`` has one entry per result. ``where`` is the user's source line, for messages."""

    op: str
    inputs: tuple[Value, ...]
    specs: tuple[Spec, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""

    def __repr__(self) -> str:
        return f"<{self.op} -> {', '.join(map(str, self.specs))}>"


@dataclass(frozen=True, slots=True)
class Value:
    """Result number ``index`` of ``node``. Two values are equal when they are the same result of the same node."""

    node: Node
    index: int = 0

    @property
    def spec(self) -> Spec:
        return self.node.specs[self.index]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.spec.shape

    @property
    def dtype(self) -> str:
        return self.spec.dtype


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Graph:
    """Named inputs, state and outputs.

    An output whose name is also a state name is the *new value* of that state: a training step is an ordinary
    graph, and choosing what to learn is choosing which state outputs to keep.
    """

    inputs: Mapping[str, Value]
    state: Mapping[str, Value]
    outputs: Mapping[str, Value]

    @property
    def updates(self) -> dict[str, Value]:
        """State name -> its new value."""
        return {name: v for name, v in self.outputs.items() if name in self.state}

    @property
    def results(self) -> dict[str, Value]:
        """Output name -> value, for the outputs that are not state."""
        return {name: v for name, v in self.outputs.items() if name not in self.state}

    @property
    def gate(self) -> Value | None:
        """What must be finite before state is replaced: the gradients' norm where that is a result, else the loss."""
        results = self.results
        return results.get("norm", results.get("loss")) if self.updates else None

    def nodes(self) -> list[Node]:
        """Every node the outputs need, each after the nodes it reads."""
        return topological(v.node for v in self.outputs.values())

    def __repr__(self) -> str:
        return f"<Graph {len(self.inputs)} inputs, {len(self.state)} state, outputs {', '.join(self.outputs)}>"


def topological(roots: Iterable[Node]) -> list[Node]:
    """Depth-first post-order over ``roots`` and everything they read, deterministic and without recursion."""
    order: list[Node] = []
    done: set[Node] = set()
    for root in roots:
        stack: list[tuple[Node, Iterator[Value]]] = []
        if root not in done:
            done.add(root)
            stack.append((root, iter(root.inputs)))
        while stack:
            node, rest = stack[-1]
            for value in rest:
                if value.node not in done:
                    done.add(value.node)
                    stack.append((value.node, iter(value.node.inputs)))
                    break
            else:
                order.append(node)
                stack.pop()
    return order


def consumers(nodes: Iterable[Node]) -> dict[Value, list[Node]]:
    """Value -> the nodes that read it, in the order given."""
    readers: dict[Value, list[Node]] = {}
    for node in nodes:
        for value in dict.fromkeys(node.inputs):
            readers.setdefault(value, []).append(node)
    return readers
