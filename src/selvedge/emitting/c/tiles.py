"""A native call as C: in one go, or tile by tile with the fused loop behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...planning.kernel import Kernel
from ...planning.sparse_sizes import SPARSE
from .arguments import Arguments
from .calls import FAMILIES
from .loops import Pointers, block_loop, tile_loop


def pointers_of(kernel: Kernel, dtype: Callable[[int], str]) -> Pointers:
    """``kernel``'s operands as r0, r1, ..., its results as w0, w1, ..., its tile as raw."""
    return Pointers(
        [f"r{i}" for i in range(len(kernel.reads))],
        [dtype(i) for i in kernel.reads],
        [f"w{i}" for i in range(len(kernel.writes))],
        [dtype(i) for i in kernel.writes],
        "raw",
    )


def call(kernel: Kernel, at: Pointers, units: str, described: Sequence[str] | None = None) -> list[str]:
    """``units`` (a C expression) units of the output. ``described``: declarations to take in place of the family's own,
    for a part of the image; its scratch, named s, is then its tile alone."""
    row = FAMILIES[kernel.family]
    dtype = at.write_dtypes[0]
    tile = kernel.tile
    own = at.reads[: kernel.producer_reads]
    scratch = "s" if kernel.scratch is not None else "0"
    if tile is None:
        out = at.writes[0]
        *declarations, text = row.lines(Arguments(kernel, dtype, own, at.writes, out, scratch, "0", units, "zeros"))
        return [*(declarations if described is None else described), text]
    assert kernel.expression is not None
    raw = "s" if tile.staged else f"w0 + u * {tile.unit}"
    if kernel.scratch is not None and tile.staged:
        scratch = f"s + {tile.elements}"
    arguments = Arguments(kernel, dtype, own, at.writes, "raw", scratch, "u", "v", "zeros")
    *declarations, text = row.lines(arguments)
    base, count = f"u * {tile.unit}", f"(v - u) * {tile.unit}"
    if kernel.expression.block:
        follow = block_loop(kernel.expression, at, base, f"v * {tile.unit}")
    else:
        follow = tile_loop(kernel.expression, at, base, count)
    lines = list(declarations if described is None else described)
    if described is None and tile.units_per_tile >= tile.units:
        lines += ["const int32_t u = 0;", f"const int32_t v = {units};", f"real *const raw = {raw};", text]
        return lines + follow
    return [
        *lines,
        f"for (int32_t u = 0; u < {units}; u += {tile.units_per_tile}) {{",
        f"const int32_t v = sv_min_int(u + {tile.units_per_tile}, {units});",
        f"real *const raw = {raw};",
        text,
        *follow,
        "}",
    ]


def whole_units(kernel: Kernel) -> int:
    """All the units of a call of a family that can be tiled; 0 for the others."""
    p = kernel.params
    if kernel.tile is not None:
        return kernel.tile.units
    if kernel.family == "conv2d" or kernel.family in SPARSE:
        return int(p["n"] * p["oh"] * p["ow"])
    if kernel.family == "depthwise":
        return int(p["n"] * p["oh"])
    if kernel.family == "conv2d_weight_grad":
        return int(p["kh"] * p["kw"] * (p["c"] // p["groups"]))
    if kernel.family == "depthwise_weight_grad":
        return int(p["kh"] * p["kw"])
    return 0
