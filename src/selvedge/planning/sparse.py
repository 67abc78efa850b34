"""The kernel table's sparse rows: which native family runs one, and the arrays in flash that its weights become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import InvalidInput, NotSupported
from ..ir.graph import Node
from ..ir.ops.integer_convolution import known
from .native import Machine, Native, conv_dims, linear_dims
from .scratch import native_scratch
from .sparse_sizes import SPARSE_LANES, SPARSE_VECTORS, sparse_depth

FAR = 255  # the most that a gap says
DEEPEST = 1 << 20  # inputs of a window, so that int32 counts hold


def family(d: Mapping[str, int], machine: Machine, dtype: str) -> str:
    """Lanes over pixels where there are enough of them; else over outputs; without vectors one entry after another."""
    if machine.lanes == 1:
        return "sparse_rows"
    if d["n"] * d["oh"] * d["ow"] >= machine.lanes:
        return "sparse_pixels"
    wide = machine.lanes >= SPARSE_LANES and dtype == "float32"
    return "sparse_lanes" if wide and sparse_depth(d) >= SPARSE_LANES else "sparse_rows"


def entries(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[depth, outputs] as (values, gaps uint8, counts int32 [outputs]) of native/sparse.h; at least one value."""
    values: list[float] = []
    gaps: list[int] = []
    counts = np.zeros(matrix.shape[1], np.int32)
    for o, column in enumerate(matrix.T):
        before = len(gaps)
        at = 0
        for c in np.flatnonzero(column):
            while c - at > FAR:
                values.append(0.0)
                gaps.append(FAR)
                at += FAR
            values.append(column[c])
            gaps.append(int(c) - at)
            at = int(c)
        counts[o] = len(gaps) - before
    return np.array(values or [0.0], matrix.dtype), np.array(gaps or [0], np.uint8), counts


def steps(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """[depth >= 8, outputs] as (values [steps, 8], picks int32, gaps uint8, counts int32 [panels]) of
    native/sparse_lanes.h; at least one step.

    A step looks at the inputs from the first that any output of the panel still wants, and serves every output that
    wants one of them: of N:M sparsity hardly a lane is idle.
    """
    depth, outs = matrix.shape
    values: list[np.ndarray] = []
    picks: list[int] = []
    gaps: list[int] = []
    counts = np.zeros(-(-outs // SPARSE_LANES), np.int32)
    for panel in range(len(counts)):
        own = matrix[:, panel * SPARSE_LANES : (panel + 1) * SPARSE_LANES]
        waiting = [list(np.flatnonzero(column)[::-1]) for column in own.T]
        before, at = len(gaps), 0
        while any(waiting):
            first = min(min(w[-1] for w in waiting if w), depth - SPARSE_LANES)
            if first - at > FAR:
                row, pick, to = np.zeros(SPARSE_LANES, matrix.dtype), 0, at + FAR
            else:
                row, pick, to = np.zeros(SPARSE_LANES, matrix.dtype), 0, int(first)
                for lane, w in enumerate(waiting):
                    if w and w[-1] < to + SPARSE_LANES:
                        c = int(w.pop())
                        row[lane] = own[c, lane]
                        pick |= (c - to) << 4 * lane
            values.append(row)
            picks.append(pick)
            gaps.append(to - at)
            at = to
        counts[panel] = len(gaps) - before
    if not gaps:
        values, picks, gaps = [np.zeros(SPARSE_LANES, matrix.dtype)], [0], [0]
    return np.stack(values), np.array(picks, np.uint32).view(np.int32), np.array(gaps, np.uint8), counts


def _sparse(dims: Callable[[Node], dict[str, int]]) -> Callable[[Node, Machine], Native]:
    def lower(node: Node, machine: Machine) -> Native:
        weights = known(node.inputs[1])
        if weights is None:
            raise NotSupported(node.op, node.where, "its weights must be constants: see ir.frozen")
        found = int(np.count_nonzero(weights))
        if found != node.attrs["entries"]:
            raise InvalidInput(f"{node.op}: entries", node.attrs["entries"], f"{found} weights are not zero")
        d = dims(node)
        if sparse_depth(d) > DEEPEST:
            raise NotSupported(node.op, node.where, f"windows of more than {DEEPEST:,} inputs")
        matrix = np.asarray(weights).reshape(-1, d["k"])
        name = family(d, machine, weights.dtype.name)
        constants = steps(matrix) if name == "sparse_lanes" else entries(matrix)
        params: dict[str, Any] = {**d, "entries": len(constants[0])}
        pixels = d["n"] * d["oh"] * d["ow"]
        return Native(
            name,
            (0,),
            params,
            unit=d["k"],
            units=pixels,
            least_units=SPARSE_VECTORS * machine.lanes if name == "sparse_pixels" else 0,
            scratch=native_scratch(name, params, machine.lanes),
            constants=constants,
        )

    return lower


def _conv(node: Node) -> dict[str, int]:
    x, w = (v.shape for v in node.inputs)
    return conv_dims(x, node.specs[0].shape, (w[0], w[1]), node.attrs)


def _linear(node: Node) -> dict[str, int]:
    rows, outs = node.specs[0].shape
    return linear_dims(rows, node.inputs[1].shape[0], outs)


TABLE: dict[str, Callable[[Node, Machine], Native]] = {
    "sparse_conv2d": _sparse(_conv),
    "sparse_matmul": _sparse(_linear),
}
