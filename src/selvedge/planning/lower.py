"""Graph -> kernels. After this calls, tiles and scratch are fixed; the rest is order and place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from math import gcd

import numpy as np

from ..ir.graph import ITEM_BYTES, Graph, Node, Spec, Value
from ..ir.op import TABLE as OPS
from ..ir.ops.compact import BLOCK
from .accumulate import accumulate
from .expression import build, collapse, flat_reads, row_major
from .families import lower_node
from .fuse import DEQUANTIZE, QUANTIZE, REDUCTIONS, Groups, fuse, is_blocked, is_loop, root
from .kernel import ARENA, FLASH, STATE, Expression, Instance, Kernel, Lowered, Operand, Reduction, Step, Tile
from .native import Machine, Native
from .scratch import scratch_dtype


def lower(graph: Graph, machine: Machine, persistent: Collection[str]) -> Lowered:
    """Lower one program. ``persistent``: the state that lives in RAM because some program of the plan updates it."""
    return _Lowering(accumulate(graph), machine, frozenset(persistent)).run()


@dataclass
class _Lowering:
    graph: Graph
    machine: Machine
    persistent: frozenset[str]
    instances: list[Instance] = field(default_factory=list)
    kernels: list[Kernel] = field(default_factory=list)
    home: dict[Value, int] = field(default_factory=dict)
    readers: dict[Value, set[Node]] = field(default_factory=dict)
    wanted: set[Value] = field(default_factory=set)
    constants: dict[int, np.ndarray] = field(default_factory=dict)
    labelled: dict[str, int] = field(default_factory=dict)

    def run(self) -> Lowered:
        graph = self.graph
        groups = fuse(graph)
        for name, value in graph.inputs.items():
            self.home[value] = self._new(name, value.spec)
        for name, value in graph.state.items():
            region = STATE if name in self.persistent else FLASH
            self.home[value] = self._new(name, value.spec, region, name)

        for node in groups.order:
            for value in node.inputs:
                self.readers.setdefault(root(value), set()).add(node)
        self.wanted = {root(v) for v in graph.outputs.values()}
        exposed = self._exposed(groups)
        in_place = self._in_place_updates(groups)
        for head in groups.heads():
            self._kernel(groups.members[head], exposed, in_place)
        updates = self._updates(in_place)
        outputs = {name: self._read(value) for name, value in graph.results.items()}
        gate = self._read(graph.gate) if updates and graph.gate is not None else None
        return Lowered(
            tuple(self.kernels),
            tuple(self.instances),
            self._after(gate, updates),
            {name: self.home[v] for name, v in graph.inputs.items()},
            outputs,
            updates,
            gate,
            self.constants,
        )

    # -- instances ----------------------------------------------------------------------------------------------

    def _new(self, label: str, spec: Spec, region: str = ARENA, state: str | None = None, version: int = 0) -> int:
        self.instances.append(Instance(len(self.instances), label, spec, region, state, version))
        return len(self.instances) - 1

    def _read(self, value: Value) -> int:
        """The instance that holds ``value``; a constant array becomes one in flash when first read."""
        base = root(value)
        if base not in self.home:
            assert base.node.op == "constant", base.node
            self.home[base] = self._constant(base.node.attrs["value"])
        return self.home[base]

    def _constant(self, array: np.ndarray) -> int:
        """A constant array in flash, named by what it is: however a program is made, its constants lie where they lie.
        One place for all that are equal."""
        spec = Spec(array.shape, array.dtype.name)
        label = f"constant.{hashlib.sha256(repr(spec).encode() + array.tobytes()).hexdigest()[:12]}"
        if label not in self.labelled:
            self.labelled[label] = self._new(label, spec, FLASH)
            self.constants[self.labelled[label]] = array
        return self.labelled[label]

    def _exposed(self, groups: Groups) -> set[Value]:
        """Values that must exist in memory: read by another kernel, by a call, or wanted as outputs."""
        exposed = {root(v) for v in self.graph.outputs.values()}
        for node in groups.order:
            for value in node.inputs:
                base = root(value)
                if base.node in groups.head and groups.find(base.node) is not groups.find(node):
                    exposed.add(base)
        return exposed

    # -- state --------------------------------------------------------------------------------------------------

    def _in_place_updates(self, groups: Groups) -> dict[Value, str]:
        """New values that their kernel may write over the old ones: nothing that still reads the old value comes after.

        Every other update is made in the arena and copied at the end.
        """
        chosen: dict[Value, str] = {}
        results = {root(v) for v in self.graph.results.values()}
        for name, new in self.graph.updates.items():
            made, old = root(new), self.graph.state[name]
            size = new.node.inputs[0].spec.bytes if new.node.op == "with_part" else old.spec.bytes
            if made in chosen or made.node not in groups.head or made.spec.bytes != size:
                continue
            if groups.gate is not None and made.node not in groups.gated:
                continue  # the gate reads it
            head = groups.find(made.node)
            members = groups.members[head]
            if new.node.op == "with_part":
                elsewhere = made in results or not self.readers.get(made, set()) <= set(members)
                if elsewhere or not is_loop(made.node):
                    continue  # a part that lies among the whole is not read as an array of its own
            own_reads = [(node, value) for node in members for value in node.inputs if root(value) == old]
            loops_only = all(
                is_loop(node)
                and (value.spec.size == node.specs[0].size == made.spec.size or _own_scales(node, value, made))
                for node, value in own_reads
            )
            reduced = any(node.op in REDUCTIONS for node in members)
            safe = (loops_only and not reduced) or not own_reads or _only_adds_rows(members, own_reads)
            later = any(
                groups.find(node) is not head and groups.reaches(groups.find(node), head, False)
                for node in self.readers.get(old, ())
            )
            if safe and not later:
                chosen[made] = name
        return self._acyclic(groups, chosen)

    def _acyclic(self, groups: Groups, chosen: dict[Value, str]) -> dict[Value, str]:
        """Drop in-place updates until data and "after every reader" edges together have no cycle."""
        while True:
            edges: dict[Node, set[Node]] = {h: groups.sources(h) for h in groups.members}
            for made, name in chosen.items():
                head = groups.find(made.node)
                edges[head] |= {groups.find(n) for n in self.readers.get(self.graph.state[name], ())} - {head}
            stuck = _unordered(edges)
            if not stuck:
                return chosen
            drop = next((made for made in reversed(chosen) if groups.find(made.node) in stuck), None)
            if drop is None:
                raise RuntimeError("fused kernels form a cycle that no update is part of")
            del chosen[drop]

    def _updates(self, in_place: dict[Value, str]) -> dict[str, int]:
        """State name -> its new instance; what was not written in place is copied now."""
        updates: dict[str, int] = {}
        written = {name: value for value, name in in_place.items()}
        for name, new in self.graph.updates.items():
            if name in written:
                updates[name] = self.home[written[name]]
                continue
            old = self.graph.state[name]
            if root(new) == old:
                continue
            target = updates[name] = self._new(name, old.spec, STATE, name, version=1)
            own = (len(self.kernels), (self._read(new),), (target,), f"copy {name}")
            self.kernels.append(_copy_part(new, *own) if new.node.op == "with_part" else _copy(old.spec.bytes, *own))
        return updates

    # -- kernels ------------------------------------------------------------------------------------------------

    def _kernel(self, members: list[Node], exposed: set[Value], in_place: dict[Value, str]) -> None:
        calls = [n for n in members if not is_loop(n) and n.op not in REDUCTIONS]
        loops = [n for n in members if is_loop(n)]
        reduce = next((n for n in members if n.op in REDUCTIONS), None)
        assert len(calls) <= 1, members
        native = lower_node(calls[0], self.machine) if calls else None

        reads: list[int] = []

        def read(value: Value) -> int:
            where = self._read(value)
            if where not in reads[fixed:]:
                reads.append(where)
            return reads.index(where, fixed)

        if native:
            reads.extend(self._read(calls[0].inputs[i]) for i in native.reads)
            reads.extend(map(self._constant, native.constants))
        fixed = len(reads)

        optional = native.optional if native else ()
        produced: list[Value] = []
        for node in calls:
            produced += [Value(node, i) for i in range(len(node.specs))]
        raw = produced[0] if loops and native else None
        written = [v for v in produced if v in exposed or (v != raw and v.index not in optional)]
        if reduce is not None:
            written.append(Value(reduce))
        for n in loops:
            parts = [Value(n, i) for i in range(len(n.specs))]
            written += parts if any(v in exposed for v in parts) else []
        # An unstaged tile is made where the first result belongs, and the loop overwrites it there: a mask cannot
        # hold it.
        staged = False
        if raw is not None and raw not in exposed:
            like = next((v for v in written if (v.dtype, v.spec.size) == (raw.dtype, raw.spec.size)), None)
            staged = like is None or self._worth_staging(loops, raw, in_place)
            if like is not None and not staged:
                written.sort(key=lambda v: v != like)
        for value in written:
            self._make(value, in_place)
        position = {value: i for i, value in enumerate(written)}

        expression = reduction = tile = None
        if reduce is not None:
            expression, reduction = self._reduction(reduce, loops, read)
        elif loops:
            extents = loops[-1].specs[0].shape
            steps, made = build(loops, extents, read, raw)
            into = tuple((position[v], self._strides(in_place[v])) for v in written if self._is_part(in_place.get(v)))
            extents, steps2, _, into = collapse(extents, steps, into=into)
            results = tuple((position[v], made[v]) for v in written if v in made)
            scales = tuple((position[v], made[Value(v.node)]) for v in written if v.index and v.node.op in QUANTIZE)
            block = BLOCK if any(map(is_blocked, loops)) else 0
            expression = Expression(extents, steps2, results, scales, block, into)
        if native and loops:
            assert expression is not None
            tile = self._tile(native, staged, calls[0].specs[0].dtype, expression.block)

        writes = tuple(self.home[v] for v in written)
        scratch = self._scratch(native, tile, calls or members)
        inplace = self._inplace(native, tile, expression, reduction, reads, writes, fixed)
        name = " + ".join(dict.fromkeys(n.op for n in members))
        self.kernels.append(
            Kernel(
                len(self.kernels),
                native.family if native else ("reduce" if reduce is not None else "loop"),
                tuple(reads),
                writes,
                native.params if native else {},
                fixed,
                scratch,
                expression,
                reduction,
                tile,
                inplace,
                sum(_macs(n) for n in members),
                name if len(name) < 60 else name[:57] + "...",
                next((n.where for n in members if n.where), ""),
            )
        )

    def _make(self, value: Value, in_place: dict[Value, str]) -> None:
        name = in_place.get(value)
        if name is not None:
            spec = self.graph.state[name].spec if self._is_part(name) else value.spec
            self.home[value] = self._new(name, spec, STATE, name, version=1)
        else:
            self.home[value] = self._new(f"{value.node.op}.{len(self.instances)}", value.spec)

    def _is_part(self, name: str | None) -> bool:
        """Does state ``name`` get a new part?"""
        return name is not None and self.graph.updates[name].node.op == "with_part"

    def _strides(self, name: str) -> tuple[int, ...]:
        """With which a part of state ``name`` is written."""
        return row_major(self.graph.state[name].shape)

    def _worth_staging(self, loops: list[Node], raw: Value, in_place: dict[Value, str]) -> bool:
        """A result may take the place of an operand only if the tile is made elsewhere first."""
        if any(Value(n) in in_place for n in loops):
            return True
        inside = set(loops)
        return any(
            value.spec.bytes == raw.spec.bytes
            and root(value).node.op != "state"
            and self.readers[root(value)] <= inside
            for n in loops
            for value in n.inputs
            if value != raw and value.node not in inside and root(value) not in self.wanted
        )

    def _reduction(self, node: Node, loops: list[Node], read: Callable[[Value], int]) -> tuple[Expression, Reduction]:
        source = node.inputs[0]
        extents = source.shape
        axes = node.attrs["axes"]
        borders = (axes[0], axes[-1] + 1) if axes else (0, 0)
        if loops:
            steps, made = build(loops, extents, read, None)
            step = made[source]
        else:
            identity = Node("identity", (source,), (source.spec,))
            steps, made = build([identity], extents, read, None)
            step = 0
        extents, steps2, (first, last), _ = collapse(extents, steps, borders)
        kind = "sum" if node.op == "reduce_sum" else "max"
        split = (first, last - first, len(extents) - last)
        return Expression(extents, steps2, ()), Reduction(kind, step, split)

    def _tile(self, native: Native, staged: bool, dtype: str, block: int) -> Tile:
        """Where loops go by blocks, so do the tiles: each begins with one."""
        unit_bytes = native.unit * ITEM_BYTES[dtype]
        # In place in the output, the tile only has to stay in the first-level cache.
        limit, multiple = (self.machine.tile_bytes, 8) if staged else (16 * 1024, 24)
        fit = _fit(native.units, unit_bytes, limit, multiple)
        if not staged:
            fit = max(fit, min(native.least_units, native.units))
        if block and fit < native.units:
            whole = block // gcd(block, native.unit)
            fit = min(native.units, max(fit // whole, 1) * whole)
        return Tile(native.unit, native.units, fit, staged)

    def _scratch(self, native: Native | None, tile: Tile | None, members: list[Node]) -> int | None:
        dtype = scratch_dtype(native.family if native else "", members[0].specs[0].dtype)
        elements = (native.scratch if native else 0) + (tile.elements if tile and tile.staged else 0)
        if not elements:
            return None
        return self._new(f"scratch.{len(self.kernels)}", Spec((elements,), dtype))

    def _inplace(
        self,
        native: Native | None,
        tile: Tile | None,
        expression: Expression | None,
        reduction: Reduction | None,
        reads: list[int],
        writes: tuple[int, ...],
        fixed: int,
    ) -> tuple[tuple[int, int], ...]:
        if expression is None:  # an operand that the call reads twice is needed at its other place
            return tuple(p for p in native.inplace if reads.count(reads[p[1]]) == 1) if native else ()
        if reduction is not None or (tile is not None and not tile.staged):
            return ()
        flat = flat_reads(expression)
        pairs = []
        for write in range(len(writes)):
            for position in sorted(flat):
                a, b = self.instances[writes[write]].spec, self.instances[reads[position]].spec
                # A producer may still read its operand for later tiles.
                if a.bytes == b.bytes and a.size == b.size and reads[position] not in reads[:fixed]:
                    pairs.append((write, position))
        return tuple(pairs)

    # -- order constraints ----------------------------------------------------------------------------------------

    def _after(self, gate: int | None, updates: dict[str, int]) -> dict[int, frozenset[int]]:
        maker = {w: k.id for k in self.kernels for w in k.writes}
        readers: dict[int, set[int]] = {}
        for k in self.kernels:
            for r in k.reads:
                readers.setdefault(r, set()).add(k.id)
        after = {k.id: {maker[r] for r in k.reads if r in maker} - {k.id} for k in self.kernels}
        for name, new in updates.items():
            writer = maker[new]
            old = self.home[self.graph.state[name]]
            after[writer] |= readers.get(old, set()) - {writer}
            if gate in maker:
                if maker[gate] == writer:
                    raise RuntimeError(f"the kernel that makes the gate updates {name}")
                after[writer].add(maker[gate])
        return {k: frozenset(v) for k, v in after.items()}


def _copy(size: int, number: int, reads: tuple[int, ...], writes: tuple[int, ...], label: str) -> Kernel:
    return Kernel(number, "copy", reads, writes, {"bytes": size}, producer_reads=1, label=label)


def _copy_part(new: Value, number: int, reads: tuple[int, ...], writes: tuple[int, ...], label: str) -> Kernel:
    """Of a part to where it lies among the whole."""
    part, whole = new.node.inputs
    steps = [Step("identity", (Operand(0, row_major(part.shape)),))]
    extents, made, _, into = collapse(part.shape, steps, into=((0, row_major(whole.shape)),))
    expression = Expression(extents, made, ((0, 0),), into=into)
    return Kernel(number, "loop", reads, writes, expression=expression, label=label)


def _fit(units: int, unit_bytes: int, limit: int, multiple: int) -> int:
    """Units per tile: as many as ``limit`` bytes hold, in whole multiples where that many fit, at least one."""
    fit = max(1, limit // max(1, unit_bytes))
    if fit >= units:
        return units
    return fit // multiple * multiple or fit


def _own_scales(node: Node, value: Value, made: Value) -> bool:
    """Are these the scales of a block, read where it begins and written where it ends?"""
    return node.op in DEQUANTIZE and made.node.op in QUANTIZE and value == node.inputs[1] and value.spec == made.spec


def _only_adds_rows(members: list[Node], own_reads: list[tuple[Node, Value]]) -> bool:
    """Is the old state read by nothing but the kernel that adds rows onto it, where they lie?"""
    return len(members) == 1 and members[0].op == "scatter_onto" and own_reads == [(members[0], members[0].inputs[0])]


def _macs(node: Node) -> int:
    return OPS[node.op].cost([v.spec for v in node.inputs], node.specs, node.attrs).macs


def _unordered(edges: dict[Node, set[Node]]) -> set[Node]:
    """The nodes that no order can reach: on a cycle or behind one."""
    waiting = {head: set(sources) for head, sources in edges.items()}
    readers: dict[Node, list[Node]] = {}
    for head, sources in edges.items():
        for source in sources:
            readers.setdefault(source, []).append(head)
    ready = [head for head, sources in waiting.items() if not sources]
    while ready:
        done = ready.pop()
        del waiting[done]
        for head in readers.get(done, ()):
            waiting[head].discard(done)
            if not waiting[head]:
                ready.append(head)
    return set(waiting)
