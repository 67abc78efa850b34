"""Which layers of a network run by sparse kernels: those that are expected to be faster, or to take fewer bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from .. import ir
from ..device import Device
from ..errors import InvalidInput, NotSupported
from ..ir import Graph, Node, Value
from ..ir.ops.integer_convolution import known
from ..ir.ops.sparse import OF
from ..planning.kernel import FLASH
from ..planning.lower import lower
from ..planning.program import machine, works
from .calibrate_fit import predicted
from .calibrate_sparse import graph as finished
from .sparse_times import Reference, reference
from .table import engineering

WISHES = ("auto", "never", "for_speed", "for_bytes")
LEAST = 0.1  # share of zeros below which a layer is not looked at
FASTER = 0.9  # of the dense kernel's time that a sparse one may be expected to take: tables are off by that
GAIN = 0.03  # of the time of all layers with zeros that "for_speed" asks for: less is not seen
ROWS = {dense: sparse for sparse, dense in OF.items()}


@dataclass(frozen=True, slots=True)
class SparseLayer:
    """A layer with zeros among its weights. ``sparsity``: their share. Seconds of one call, expected; ``taken``: it
    runs by a sparse kernel, of ``family``."""

    layer: str
    sparsity: float
    family: str
    dense_seconds: float
    sparse_seconds: float
    dense_bytes: int
    sparse_bytes: int
    taken: bool = False

    @property
    def speedup(self) -> float:
        return self.dense_seconds / self.sparse_seconds

    @property
    def faster(self) -> bool:
        return self.sparse_seconds <= FASTER * self.dense_seconds

    @property
    def smaller(self) -> bool:
        return self.sparse_bytes < self.dense_bytes

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.layer}: {self.sparsity:.1%} zeros, {engineering(self.sparse_seconds, 's')} expected against "
            f"{engineering(self.dense_seconds, 's')} dense (x {self.speedup:.2f}), {self.sparse_bytes:,} B against "
            f"{self.dense_bytes:,} B: {'sparse' if self.taken else 'dense'}"
        )


@dataclass(frozen=True, slots=True)
class _Candidate:
    node: Node
    weights: np.ndarray
    layer: SparseLayer


def wish(given: object) -> str:
    """``given`` as one of :data:`WISHES`."""
    if not isinstance(given, str) or given not in WISHES:
        raise InvalidInput("sparse", given, f"choose one of {', '.join(WISHES)}")
    return given


def made_sparse(
    graph: Graph, device: Device, how: str, names: Mapping[str, np.ndarray], bytes_too: bool = False
) -> tuple[Graph, tuple[SparseLayer, ...]]:
    """``graph`` with sparse rows where ``how`` wants them, and every layer that was looked at.

    how: "auto" and "for_speed" take what is expected to be faster, "for_bytes" what is stored in fewer bytes, "never"
    nothing. names: weights under their names, which tell the layers. bytes_too: both.

    Raises ``NotSupported``, with the layer that comes nearest, where "for_speed" or "for_bytes" finds none, or the
    faster ones save too little to be seen.
    """
    if how == "never":
        return graph, ()
    table = reference(device)
    found = list(_candidates(graph, device, table, names))

    def takes(layer: SparseLayer) -> bool:
        return (how != "for_bytes" and layer.faster) or ((how == "for_bytes" or bytes_too) and layer.smaller)

    layers = tuple(replace(c.layer, taken=takes(c.layer)) for c in found)
    if how in ("for_speed", "for_bytes") and not any(layer.taken for layer in layers):
        raise _refusal(found, device, table, how)
    if how == "for_speed" and _gain(layers) < GAIN:
        few = sum(layer.taken for layer in layers)
        seen = f"{few} of {len(layers)} layers with zeros are expected to be faster, by {_gain(layers):.1%} of all"
        fix = f"{seen}: prune more"
        raise NotSupported(f"sparse={how!r}", max(layers, key=lambda s: s.speedup).layer, fix)
    rows = {c.node: _row(c.node, c.weights) for c, layer in zip(found, layers, strict=True) if layer.taken}
    return (_with_rows(graph, rows) if rows else graph), layers


def _gain(layers: Sequence[SparseLayer]) -> float:
    """The share of the time of all of ``layers`` that those save which run sparse."""
    saved = sum(layer.dense_seconds - layer.sparse_seconds for layer in layers if layer.taken)
    return saved / sum(layer.dense_seconds for layer in layers)


def _candidates(
    graph: Graph, device: Device, table: Reference, names: Mapping[str, np.ndarray]
) -> Iterator[_Candidate]:
    for node in graph.nodes():
        if not _may_be(node):
            continue
        weights = known(node.inputs[1])
        assert weights is not None
        sparsity = 1 - np.count_nonzero(weights) / max(1, weights.size)
        if sparsity < LEAST:
            continue
        judged = _judged(node, weights, float(sparsity), device, table)
        if judged is not None:
            yield _Candidate(node, weights, replace(judged, layer=_name(node, weights, names)))


def _may_be(node: Node) -> bool:
    if node.op not in ROWS or known(node.inputs[1]) is None or node.specs[0].dtype != "float32":
        return False
    if node.op == "conv2d":
        return bool(node.attrs["groups"] == 1)
    return len(node.specs[0].shape) == 2 and not node.attrs["trans_a"] and not node.attrs["trans_b"]


def _judged(node: Node, weights: np.ndarray, sparsity: float, device: Device, table: Reference) -> SparseLayer | None:
    """None where the table says nothing of one of the kernels: then nobody knows which is faster."""
    dense = _cost(node, weights, device, table)
    sparse = _cost(_row(node, weights), weights, device, table)
    if dense is None or sparse is None:
        return None
    return SparseLayer("", sparsity, sparse[0], dense[1], sparse[1], dense[2], sparse[2])


def _name(node: Node, weights: np.ndarray, names: Mapping[str, np.ndarray]) -> str:
    """Of the module, else the user's line, and the shape: inputs x outputs, behind the kernel of a convolution."""
    own = (n for n, w in names.items() if w.size == weights.size and np.array_equal(w.reshape(-1), weights.reshape(-1)))
    name = next(own, node.where or node.op).removesuffix(".weight")
    *kernel, c, k = node.inputs[1].shape
    return f"{name} ({'x'.join(map(str, kernel)) + ', ' if kernel else ''}{c} to {k})"


def _row(node: Node, weights: np.ndarray) -> Node:
    attrs = dict(node.attrs) if node.op == "conv2d" else {}
    made = ir.apply(
        ROWS[node.op], node.inputs[0], ir.constant(weights), where=node.where, entries=int(np.count_nonzero(weights)),
        **attrs,
    )  # fmt: skip
    return made.node


def _cost(node: Node, weights: np.ndarray, device: Device, table: Reference) -> tuple[str, float, int] | None:
    """(family, seconds, bytes of ``weights`` in flash) of ``node``, with a bias and an activation: as the layers have
    them that tables are fitted to. Without them what a kernel does once for an output would be left out."""
    x = ir.input_leaf("x", node.inputs[0].spec)
    alone = Node(node.op, (x, ir.constant(weights)), node.specs, node.attrs, node.where)
    low = lower(finished(x, Value(alone)), machine(device, "float32"), ())
    (kernel,) = low.kernels
    (work,) = works(low.kernels, {i.id: i for i in low.instances}, device, 0)
    seconds = next((predicted(t.seconds, work) for t in table.times if t.family == work.family), None)
    if seconds is None:
        return None
    stored = sum(low.instances[i].spec.bytes for i in kernel.reads if low.instances[i].region == FLASH)
    bias = node.specs[0].shape[-1] * weights.itemsize
    return kernel.family, seconds, stored - bias


def break_even(node: Node, weights: np.ndarray, device: Device, table: Reference) -> float | None:
    """The least share of zeros, in hundredths, at which the layer is expected to be faster; None if none is. Of its
    weights the smallest go."""
    order = np.argsort(np.abs(weights), axis=None, kind="stable")

    def faster(percent: int) -> bool:
        flat = np.where(weights == 0, np.float32(1e-30), weights).reshape(-1).copy()
        flat[order[: round(flat.size * percent / 100)]] = 0
        judged = _judged(node, flat.reshape(weights.shape), percent / 100, device, table)
        return judged is not None and judged.faster

    low, high = 0, 99
    if not faster(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if faster(middle) else (middle, high)
    return high / 100


def _refusal(found: Sequence[_Candidate], device: Device, table: Reference, how: str) -> NotSupported:
    if not found:
        fix = f"no float layer has {LEAST:.0%} of zeros: prune it first, as selvedge.sparsify does"
        return NotSupported(f"sparse={how!r}", "", fix)
    if how == "for_bytes":
        layer = min(found, key=lambda c: c.layer.sparse_bytes / c.layer.dense_bytes).layer
        fix = f"{layer.sparsity:.1%} zeros take {layer.sparse_bytes:,} B, dense {layer.dense_bytes:,} B: prune more"
        return NotSupported(f"sparse={how!r}", layer.layer, fix)
    best = max(found, key=lambda c: c.layer.speedup)
    even, layer = break_even(best.node, best.weights, device, table), best.layer
    at = "more zeros will not help here" if even is None else f"it is worth it from {even:.0%} zeros on"
    fix = (
        f"at {layer.sparsity:.1%} zeros {engineering(layer.sparse_seconds, 's')} are expected on {device.name}, dense "
        f"{engineering(layer.dense_seconds, 's')}; {at}"
    )
    return NotSupported(f"sparse={how!r}", layer.layer, fix)


def _with_rows(graph: Graph, rows: dict[Node, Node]) -> Graph:
    """``graph`` with sparse rows in the place of dense ones."""
    now: dict[Value, Value] = {}
    for node in graph.nodes():
        inputs = tuple(now[v] for v in node.inputs)
        made = node
        if node in rows:
            row = rows[node]
            made = Node(row.op, (inputs[0], row.inputs[1]), row.specs, row.attrs, row.where)
        elif inputs != node.inputs:
            made = Node(node.op, inputs, node.specs, node.attrs, node.where)
        for i in range(len(node.specs)):
            now[Value(node, i)] = Value(made, i)
    return Graph(graph.inputs, graph.state, {name: now[value] for name, value in graph.outputs.items()})
