"""Which elementwise nodes become one loop, and which loops ride on the kernel before or after them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from heapq import heapify, heappop, heappush
from math import prod

from ..ir.graph import LEAVES, Graph, Node, Value, topological
from ..ir.op import TABLE

# No kernels: a part is read where the whole lies, and written back there.
VIEWS = ("reshape", "part", "with_part")
REDUCTIONS = ("reduce_sum", "reduce_max")
# Their output appears in contiguous tiles, so a following loop can run on each tile while it is in the cache.
# One scale for a block of elements: a loop over these goes by blocks.
QUANTIZE = ("quantize", "quantize_square")
DEQUANTIZE = ("dequantize", "dequantize_square")
MASKED = "masked_grad"  # its second operand is bits, eight to a byte
TILED = ("conv2d", "conv2d_weight_grad", "matmul", "sparse_conv2d", "sparse_matmul")


def root(value: Value) -> Value:
    """The value whose bytes ``value`` shows: views cost nothing. Of a state with a new part, the part."""
    while value.node.op in VIEWS:
        value = value.node.inputs[0]
    return value


def in_rows(value: Value) -> bool:
    """Is ``value`` a part of a state that does not lie in one piece?"""
    return value.node.op == "part" and prod(value.shape[: value.node.attrs["axis"]]) > 1


def is_loop(node: Node) -> bool:
    return (
        node.op in ("broadcast", MASKED) or is_blocked(node) or (node.op not in LEAVES and TABLE[node.op].elementwise)
    )


def is_blocked(node: Node) -> bool:
    return node.op in QUANTIZE or node.op in DEQUANTIZE


class Groups:
    """Disjoint groups of nodes that will be one kernel each, with a test that merging keeps the kernels acyclic.

    The groups stand in a line, each after what it reads, and merging keeps them so: a search for a path from a group
    never looks at what stands before its goal. What each reaches in the graph itself is kept in bits.
    """

    def __init__(self, order: Sequence[Node], gate: Node | None = None, gated: Collection[Node] = ()) -> None:
        """``gated``: nodes that wait for ``gate`` without reading it: new state, for the loss to be known finite."""
        self.gate, self.gated = gate, frozenset(gated)
        self.order = [n for n in order if n.op not in LEAVES and n.op not in VIEWS]
        self.position = {n: i for i, n in enumerate(self.order)}
        self.members: dict[Node, list[Node]] = {n: [n] for n in self.order}
        self.head: dict[Node, Node] = {n: n for n in self.order}
        self._makers = {n: {r.node for v in n.inputs if (r := root(v)).node in self.head} for n in self.order}
        if gate is not None:
            for node in self.gated & self.head.keys():
                self._makers[node].add(gate)
        self._line = self.heads()
        self._rank = {n: i for i, n in enumerate(self._line)}
        self._own = {n: 1 << i for n, i in self.position.items()}
        self._above = dict.fromkeys(self.order, 0)  # nodes that a group depends on
        self._below = dict.fromkeys(self.order, 0)  # nodes that depend on it
        for node in self._line:
            for maker in self._makers[node]:
                self._above[node] |= self._above[maker] | self._own[maker]
        for node in reversed(self._line):
            for maker in self._makers[node]:
                self._below[maker] |= self._below[node] | self._own[node]

    def find(self, node: Node) -> Node:
        return self.head[node]

    def sources(self, head: Node) -> set[Node]:
        """Heads of the groups that this group reads or waits for."""
        found = {self.head[n] for n in self._makers[head]}
        found.discard(head)
        return found

    def reaches(self, start: Node, goal: Node, skip_direct: bool) -> bool:
        """Does group ``start`` depend on group ``goal`` (with ``skip_direct``: by way of a third group)?"""
        return self._behind(start, goal, skip_direct) is None

    def _behind(self, start: Node, goal: Node, skip_direct: bool) -> set[Node] | None:
        """The groups between ``goal`` and ``start`` that ``start`` depends on; None if one leads to ``goal``."""
        seen: set[Node] = set()
        least = self._rank[goal]
        if self._rank[start] < least:
            return seen
        stack = [s for s in self.sources(start) if not (skip_direct and s is goal)]
        while stack:
            head = stack.pop()
            if head is goal:
                return None
            if head in seen or self._rank[head] < least:
                continue
            seen.add(head)
            stack.extend(self.sources(head))
        return seen

    def can_merge(self, later: Node, earlier: Node) -> bool:
        if self._waits(later, earlier) or self._waits(earlier, later):
            return False
        between = self._above[later] & self._below[earlier]
        if between & ~(self._own[later] | self._own[earlier]):
            return False  # a node of a third group leads from one to the other
        return not self.reaches(later, earlier, skip_direct=True) and not self.reaches(earlier, later, False)

    def _waits(self, head: Node, other: Node) -> bool:
        """Must all of group ``other`` have run before ``head`` starts, although it reads nothing of it?"""
        return self.gate is not None and self.head[self.gate] is other and not self.gated.isdisjoint(self.members[head])

    def merge(self, a: Node, b: Node) -> Node:
        early, late = sorted((a, b), key=self._rank.__getitem__)
        first, last = self._rank[early], self._rank[late]
        needed = self._behind(late, early, True)
        assert needed is not None, "merging would make a cycle"
        joined = sorted(self.members.pop(a) + self.members.pop(b), key=self.position.__getitem__)
        head = joined[0]
        self.members[head] = joined
        for node in joined:
            self.head[node] = head
        for of in (self._own, self._above, self._below):
            of[head] = of[a] | of[b]
        self._makers[head] = self._makers[a] | self._makers[b]
        # What the later one needs comes first, then the two as one, then the rest, each part as it stood.
        span = [h for h in self._line[first : last + 1] if h is not early and h is not late]
        span = [*(h for h in span if h in needed), head, *(h for h in span if h not in needed)]
        # One place is left over: the head of the pair that is no head any more keeps it, and nobody asks for it.
        self._line[first : last + 1] = [*span, late if head is early else early]
        for i in range(first, last + 1):
            self._rank[self._line[i]] = i
        return head

    def heads(self) -> list[Node]:
        """Group heads, each after the groups it reads; otherwise by position."""
        waiting = {head: self.sources(head) for head in self.members}
        readers: dict[Node, list[Node]] = {}
        for head, sources in waiting.items():
            for source in sources:
                readers.setdefault(source, []).append(head)
        ready = [(self.position[head], head) for head, sources in waiting.items() if not sources]
        heapify(ready)
        order: list[Node] = []
        while ready:
            head = heappop(ready)[1]
            order.append(head)
            for reader in readers.get(head, ()):
                waiting[reader].discard(head)
                if not waiting[reader]:
                    heappush(ready, (self.position[reader], reader))
        assert len(order) == len(self.members), "fused groups form a cycle"
        return order


def fuse(graph: Graph) -> Groups:
    """Group the nodes of ``graph``: loops of one shape that follow each other, then a reduction onto the loop before
    it, then a loop onto the tiled producer before it."""
    groups = Groups(graph.nodes(), *_gate(graph))
    users: dict[Value, set[Node]] = {}
    for node in groups.order:
        for value in node.inputs:
            users.setdefault(root(value), set()).add(node)
    wanted = {root(v) for v in graph.outputs.values()}

    for node in groups.order:
        if not is_loop(node):
            continue
        for value in node.inputs:
            maker = value.node
            if maker not in groups.position or not is_loop(maker) or maker.specs[0].shape != node.specs[0].shape:
                continue
            if maker.op in QUANTIZE:  # its codes are there when the block is done
                continue
            own, other = groups.find(node), groups.find(maker)
            if own is not other and groups.can_merge(own, other):
                groups.merge(own, other)

    for node in groups.order:
        if node.op not in REDUCTIONS:
            continue
        value = node.inputs[0]
        if value.node not in groups.position or not is_loop(value.node) or value in wanted:
            continue
        head = groups.find(value.node)
        alone = all(
            u is node or groups.find(u) is head for member in groups.members[head] for u in users.get(Value(member), ())
        ) and not any(Value(member) in wanted for member in groups.members[head])
        if alone and groups.members[head][-1] is value.node and not any(map(is_blocked, groups.members[head])):
            groups.merge(node, head)

    for node in groups.order:
        if node.op not in TILED or not tileable(node):
            continue
        made = Value(node)
        loops = {groups.find(u) for u in users.get(made, ()) if is_loop(u)}
        for head in sorted(loops, key=groups.position.__getitem__):
            members = groups.members[head]
            if len(groups.members[groups.find(node)]) > 1 or not all(is_loop(m) for m in members):
                continue
            if rides(members, made) and groups.can_merge(head, groups.find(node)):
                groups.merge(head, groups.find(node))
                break
    return groups


def _gate(graph: Graph) -> tuple[Node | None, set[Node]]:
    """(what makes the graph's gate, what makes new state and must wait for it). New state that the gate itself reads
    cannot wait: it is no member, and is copied into the state afterwards."""
    if graph.gate is None or root(graph.gate).node.op in LEAVES:
        return None, set()
    gate = root(graph.gate).node
    return gate, {root(v).node for v in graph.updates.values()} - set(topological([gate]))


def tileable(node: Node) -> bool:
    if node.op != "matmul":
        return True
    flags = (bool(node.attrs["trans_a"]), bool(node.attrs["trans_b"]))
    return len(node.specs[0].shape) == 2 and flags in ((False, False), (True, False))


def rides(members: Sequence[Node], made: Value) -> bool:
    """Can this loop run tile by tile over ``made``? Its operands must be flat, one per column, or scalar."""
    size, columns = made.spec.size, made.shape[-1]
    inside = set(members)
    for node in members:
        if node.specs[0].size != size or node.specs[0].shape[-1] != columns:
            return False
        for value in node.inputs[:1] if node.op in (*DEQUANTIZE, MASKED) else node.inputs:
            if value.node in inside:
                continue
            shape = value.shape
            flat = value.spec.size == size
            per_column = shape[-1:] == (columns,) and value.spec.size == columns
            if in_rows(value) or not (flat or per_column or value.spec.size == 1):
                return False
            if root(value) == made and not flat:
                return False
    return True
