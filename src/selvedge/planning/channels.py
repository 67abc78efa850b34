"""The backward of wide expansions by channels: what is wide exists only for some of its channels at a time.

A *region* is what the backward makes with the same C channels: gradients that come out of the input gradient of a
convolution, and all that is made of them channel by channel (loops, depthwise convolutions, pools), up to where the
channels are summed over (the input gradient of the convolution before: its sums are added up piece by piece) or laid
side by side (gradients of weights and of biases). What the forward pass made of a narrower input and the region reads
is made again from that input, for the same channels. Every piece is a chain of nodes of its own: order, repeats and
places are found for them as for any others.

Each element of a weight's gradient is the same sum as before. A sum over channels is made piece by piece, so that it
may differ by rounding. Lin et al., *MCUNet: Tiny Deep Learning on IoT Devices*, NeurIPS 2020, section 3.2, run a
depthwise convolution channel by channel, in place; here a whole inverted bottleneck is, backwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ..ir.graph import LEAVES, Graph, Node, Value, topological
from ..ir.op import TABLE, apply

POOLS = ("max_pool", "max_pool_grad", "avg_pool", "avg_pool_grad")
# (share of the widest region's bytes, pieces): regions of at least that share are cut. Each takes longer than the last.
LADDER = ((1 / 2, 4), (1 / 8, 2), (1 / 8, 4), (1 / 32, 2), (1 / 32, 4))
UNIT = 8  # channels: pieces are multiples of so many, so that no vector of the kernels is cut


@dataclass(slots=True, eq=False)
class Region:
    """channels: of everything in it. inner: nodes of the backward that are made by pieces. edges: nodes that read them
    and are put together again. again: nodes of the forward pass, made again by pieces."""

    channels: int
    inner: set[Node] = field(default_factory=set)
    edges: set[Node] = field(default_factory=set)
    again: set[Node] = field(default_factory=set)

    @property
    def bytes(self) -> int:
        """Of the largest value that needs no longer exist whole."""
        return max(s.bytes for n in (*self.inner, *self.again) for s in n.specs)

    @property
    def weights(self) -> int:
        """Of the gradients of weights that are put together of pieces: as many bytes as the weights have."""
        return sum(n.specs[0].bytes for n in self.edges if n.op == "conv2d_weight_grad")


def regions(graph: Graph) -> list[Region]:
    """All of ``graph``, the one with the largest values first; a node is in one at most."""
    if not graph.updates:
        return []
    nodes = graph.nodes()
    forward = set(topological(v.node for name, v in graph.results.items() if name != "norm"))
    readers: dict[Value, list[Node]] = {}
    for node in nodes:
        for value in dict.fromkeys(node.inputs):
            readers.setdefault(value, []).append(node)
    grow = _Growth(forward, readers, frozenset(graph.outputs.values()))
    candidates: list[Region] = []
    seen: set[Node] = set()
    for node in nodes:
        if node not in forward and node not in seen and _spreads(node, "conv2d_input_grad"):
            region = grow.region(node, seen)
            candidates += [] if region is None else [region]
    found: list[Region] = []
    taken: set[Node] = set()
    for region in sorted(candidates, key=lambda r: -r.bytes):
        if taken.isdisjoint(region.inner | region.edges):
            taken |= region.inner | region.edges
            found.append(region)
    return found


def by_channels(graph: Graph, pieces: Mapping[Region, int]) -> Graph:
    """``graph`` with each of the regions ``pieces``, which are of this graph, made in so many pieces."""
    return _Rewrite(graph, pieces).graph()


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A graph of which ``regions`` regions are made in ``pieces`` pieces each."""

    graph: Graph
    regions: int
    pieces: int


def cuts(graph: Graph) -> Iterator[Cut]:
    """``graph`` by channels: in its widest places, then in more and more of them, and in smaller pieces."""
    found = [r for r in regions(graph) if r.weights <= r.bytes]
    done: set[tuple[int, int]] = set()
    for share, pieces in LADDER if found else ():
        wide = [r for r in found if r.bytes >= share * found[0].bytes]
        if (len(wide), pieces) not in done:
            done.add((len(wide), pieces))
            yield Cut(by_channels(graph, dict.fromkeys(wide, pieces)), len(wide), pieces)


def ranges(channels: int, pieces: int) -> list[tuple[int, int]]:
    """``channels`` in at most ``pieces`` runs [first, stop) of whole units."""
    units = -(-channels // UNIT)
    stops = [min(channels, -(-units * i // pieces) * UNIT) for i in range(pieces + 1)]
    return [(a, b) for a, b in pairwise(stops) if a < b]


# -- what can be made by pieces -----------------------------------------------------------------------------------


def _aligned(value: Value, channels: int) -> bool:
    return len(value.shape) == 4 and value.shape[3] == channels


def _groups(node: Node) -> int:
    return int(node.attrs["groups"])


def _spreads(node: Node, op: str) -> bool:
    """Is ``node`` a product of all channels of its operand with a weight, whose every channel stands for itself?"""
    return node.op == op and _groups(node) == 1


def _apart(node: Node, channels: int) -> bool:
    """Is channel c of ``node``'s results made of channel c of its operands alone?"""
    if any(not _aligned(Value(node, i), channels) for i in range(len(node.specs))):
        return False
    if node.op in ("conv2d", "conv2d_input_grad"):
        return _groups(node) == channels == node.inputs[0].shape[3] == node.inputs[1].shape[3]
    if node.op in POOLS:
        return True
    if node.op in LEAVES or not (node.op == "broadcast" or TABLE[node.op].elementwise):
        return False
    return all(not v.shape or v.shape[-1] in (1, channels) for v in node.inputs)


def _joins(node: Node, value: Value, channels: int) -> bool:
    """Can ``node``, which reads ``value`` of a region, be put together of pieces?"""
    if node.op == "reduce_sum":
        return 3 not in node.attrs["axes"]
    if node.op == "conv2d_weight_grad":
        x, dy = node.inputs
        if _groups(node) == channels:
            return x.shape[3] == dy.shape[3] == channels
        return _groups(node) == 1 and (x == value) != (dy == value)
    return _spreads(node, "conv2d_input_grad") and node.inputs[0] == value and len(node.inputs) == 2


@dataclass(frozen=True, slots=True)
class _Growth:
    forward: set[Node]
    readers: Mapping[Value, list[Node]]
    outputs: frozenset[Value]

    def region(self, seed: Node, seen: set[Node]) -> Region | None:
        """All that hangs together with ``seed`` by values of its channels; None where one has to exist whole, or where
        it would save nothing. ``seen`` grows by what was looked at."""
        region = Region(seed.specs[0].shape[3])
        waiting = [seed]
        while waiting:
            node = waiting.pop()
            if node in region.inner:
                continue
            region.inner.add(node)
            seen.add(node)
            for i in range(len(node.specs)):
                value = Value(node, i)
                if value in self.outputs:
                    return None
                for reader in self.readers.get(value, ()):
                    if _apart(reader, region.channels):
                        waiting.append(reader)
                    elif _joins(reader, value, region.channels):
                        region.edges.add(reader)
                    else:
                        return None
            if _apart(node, region.channels):
                waiting += self._makers(node, region.channels)
        # A product of all its channels that is one of its values too, as of a residual around a convolution: whole.
        if len(ranges(region.channels, 2)) < 2 or not region.inner.isdisjoint(region.edges):
            return None
        self._again(region)
        for node in region.edges:  # both operands of a full product by pieces: each piece would need all of the other
            inside = region.inner | region.again
            if node.op == "conv2d_weight_grad" and _groups(node) == 1 and all(v.node in inside for v in node.inputs):
                return None
        return region if region.again or any(n.op == "conv2d_input_grad" for n in region.edges) else None

    def _makers(self, node: Node, channels: int) -> Iterator[Node]:
        for value in node.inputs:
            maker = value.node
            inside = _aligned(value, channels) and maker not in self.forward
            if inside and (_apart(maker, channels) or _spreads(maker, "conv2d_input_grad")):
                yield maker

    def _cheap(self, node: Node, channels: int) -> bool:
        """Did the forward pass make it of what is narrower?"""
        if node not in self.forward or not _aligned(Value(node), channels):
            return False
        return _apart(node, channels) or (_spreads(node, "conv2d") and node.inputs[0].spec.bytes < node.specs[0].bytes)

    def _again(self, region: Region) -> None:
        """What of the forward pass is made again: as far back as where it was narrower."""
        for node in (*region.inner, *region.edges):
            for value in node.inputs:
                found = self._chain(value, region.channels)
                if found is not None:
                    region.again |= found
        # What else the backward makes of them need not wait for the whole either.
        values = [Value(node, i) for node in region.again for i in range(len(node.specs))]
        for value in values:
            for reader in self.readers.get(value, ()):
                late = reader not in self.forward and reader not in region.inner
                if late and _joins(reader, value, region.channels):
                    region.edges.add(reader)

    def _chain(self, value: Value, channels: int) -> set[Node] | None:
        """Forward nodes that make ``value`` of what is narrower; None where something wide is at their beginning."""
        found: set[Node] = set()
        waiting = [value]
        while waiting:
            v = waiting.pop()
            if v.node in found or not _aligned(v, channels) or v.spec.size == v.shape[0] * channels:
                continue  # the last: a vector an image, whole beside the region
            if not self._cheap(v.node, channels):
                return None
            found.add(v.node)
            if _apart(v.node, channels):
                waiting += [v for v in v.node.inputs if v.node.op not in LEAVES]
        return found or None


# -- the rewriting ------------------------------------------------------------------------------------------------


class _Rewrite:
    def __init__(self, graph: Graph, pieces: Mapping[Region, int]) -> None:
        self.before = graph
        self.now: dict[Value, Value] = {}
        self.piece: dict[tuple[Region, Value, tuple[int, int]], Value] = {}
        self.cut: dict[tuple[Value, int, tuple[int, int]], Value] = {}
        self.parts = {r: ranges(r.channels, n) for r, n in pieces.items()}
        self.inner = {n: r for r in pieces for n in r.inner}
        self.edges = {n: r for r in pieces for n in r.edges}
        self.again: dict[Node, list[Region]] = {}
        for r in pieces:
            for n in r.again:
                self.again.setdefault(n, []).append(r)
        readers: dict[Value, list[Node]] = {}
        for node in graph.nodes():
            for value in node.inputs:
                readers.setdefault(value, []).append(node)
        wanted = set(graph.outputs.values())
        # gradient that is summed piece by piece -> the one sum that reads it, which begins with its other operand
        self.onto: dict[Node, Node] = {}
        for node in self.edges:
            own = readers.get(Value(node), [])
            if node.op == "conv2d_input_grad" and len(own) == 1 and own[0].op == "add" and Value(node) not in wanted:
                other = [v for v in own[0].inputs if v.node is not node]
                apart = own[0] not in self.inner and own[0] not in self.edges
                if len(other) == 1 and other[0].spec == node.specs[0] and other[0].node not in self.edges and apart:
                    self.onto[node] = own[0]
        self.sums = {total: node for node, total in self.onto.items()}

    def graph(self) -> Graph:
        for node in self.before.nodes():
            for region in self.again.get(node, ()):
                self._pieces(node, region)
            if node in self.inner:
                self._pieces(node, self.inner[node])
            elif node in self.edges:
                if node not in self.onto:
                    self.now[Value(node)] = self._joined(node, None)
            elif node in self.sums:
                (other,) = (v for v in node.inputs if v.node is not self.sums[node])
                self.now[Value(node)] = self._joined(self.sums[node], self.now[other])
            else:
                self._whole(node)
        before = self.before
        return Graph(before.inputs, before.state, {name: self.now[v] for name, v in before.outputs.items()})

    def _whole(self, node: Node) -> None:
        inputs = tuple(self.now[v] for v in node.inputs)
        same = node if inputs == node.inputs else Node(node.op, inputs, node.specs, node.attrs, node.where)
        for i in range(len(node.specs)):
            self.now[Value(node, i)] = Value(same, i)

    def _pieces(self, node: Node, region: Region) -> None:
        for part in self.parts[region]:
            if _apart(node, region.channels):
                inputs = tuple(self._operand(v, region, part) for v in node.inputs)
            elif node.op == "conv2d":
                inputs = (self.now[node.inputs[0]], self._cut(node.inputs[1], 3, part))
            else:
                inputs = (self.now[node.inputs[0]], self._cut(node.inputs[1], 2, part))
            made = _again(node, inputs, part[1] - part[0])
            for i in range(len(node.specs)):
                self.piece[region, Value(node, i), part] = Value(made, i)

    def _operand(self, value: Value, region: Region, part: tuple[int, int]) -> Value:
        """The channels ``part`` of ``value``; all of what is broadcast over them."""
        found = self.piece.get((region, value, part))
        if found is not None:
            return found
        axis = len(value.shape) - 1
        if not value.shape or value.shape[axis] == 1:
            return self.now[value]
        return self._cut(value, axis, part)

    def _cut(self, value: Value, axis: int, part: tuple[int, int]) -> Value:
        if (value, axis, part) not in self.cut:
            shape = value.shape
            starts = tuple(part[0] if a == axis else 0 for a in range(len(shape)))
            stops = tuple(part[1] if a == axis else n for a, n in enumerate(shape))
            self.cut[value, axis, part] = apply(
                "slice", self.now[value], starts=starts, stops=stops, steps=(1,) * len(shape), where=value.node.where
            )
        return self.cut[value, axis, part]

    def _joined(self, node: Node, onto: Value | None) -> Value:
        """What ``node`` makes, of pieces: a sum, begun with ``onto``, or channels side by side."""
        region = self.edges[node]
        made = [self._piece_of_edge(node, region, part) for part in self.parts[region]]
        if node.op == "conv2d_input_grad":
            total = onto
            for value in made:
                total = value if total is None else apply("add", total, value, where=node.where)
            assert total is not None
            return total
        axis = 2 if self._reads_inside(node, region) == [0] else len(node.specs[0].shape) - 1
        return apply("concat", *made, axis=axis, where=node.where)

    def _piece_of_edge(self, node: Node, region: Region, part: tuple[int, int]) -> Value:
        if node.op == "conv2d_input_grad":
            inputs = (self._operand(node.inputs[0], region, part), self._cut(node.inputs[1], 3, part))
            return Value(_like(node, inputs, node.attrs))
        if node.op == "reduce_sum":
            return Value(_like(node, (self._operand(node.inputs[0], region, part),), node.attrs))
        inside = self._reads_inside(node, region)
        x, dy = (self._operand(v, region, part) if i in inside else self.now[v] for i, v in enumerate(node.inputs))
        attrs = dict(node.attrs)
        if attrs["groups"] != 1:
            attrs["groups"] = part[1] - part[0]
        return Value(_like(node, (x, dy), attrs))

    def _reads_inside(self, node: Node, region: Region) -> list[int]:
        """Positions of a weight gradient's operands that are there by pieces."""
        if node.op != "conv2d_weight_grad":
            return []
        if node.attrs["groups"] != 1:
            return [0, 1]
        first = self.parts[region][0]
        return [i for i, v in enumerate(node.inputs) if (region, v, first) in self.piece]


def _again(node: Node, inputs: tuple[Value, ...], channels: int) -> Node:
    """``node`` for ``channels`` of its own."""
    attrs = dict(node.attrs)
    if attrs.get("groups", 1) != 1:
        attrs["groups"] = channels
    for name in ("input_shape", "shape"):
        if name in attrs:
            attrs[name] = (*attrs[name][:-1], channels)
    return _like(node, inputs, attrs)


def _like(node: Node, inputs: Iterable[Value], attrs: Mapping[str, Any]) -> Node:
    """``node`` with other operands and attributes; its results' specs follow."""
    return apply(node.op, *inputs, where=node.where, **attrs).node
