"""What each kernel does, in the counts that a device's costs are given in (device/cost.py).

The counts follow the native kernels: which extent the lanes run over, and how often an inner loop begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod

from ..device.cost import Work
from ..ir.graph import ITEM_BYTES
from .kernel import FLASH, Instance, Kernel
from .sparse_sizes import SPARSE, SPARSE_LANES, SPARSE_ROWS, SPARSE_VECTORS, is_flat, sparse_depth
from .stream import traffic

# What becomes a call of libm a number, and keeps the compiler from using vectors for the loop around it.
LIBM = frozenset(
    ("acos", "acosh", "asin", "asinh", "atan", "atanh", "bce_logits", "cosh", "erf", "erfc", "exp", "expm1", "gelu",
     "gelu_grad", "log", "log10", "log1p", "log2", "pow", "sigmoid", "silu", "silu_grad", "sinh", "softplus", "tan",
     "tanh")
)  # fmt: skip

# Dense products that one with its position takes as long as, where no table says better: see docs/sparse.md.
ENTRY = 2
PAGES = {"page_in": "storage", "page_out": "storage_write"}  # family -> the level beside the arena
# Operations a number of what is more than one, counted in native/compact.h; every other step is one.
STEPS = {"quantize": 25, "quantize_square": 26, "to_bfloat16": 16, "from_bfloat16": 2, "dequantize": 3,
         "dequantize_square": 3}  # fmt: skip


def work(kernel: Kernel, instances: Mapping[int, Instance], lanes: int, arena: str, flash: bool) -> tuple[Work, ...]:
    """What ``kernel`` does; of a streamed one, what each of its inner kernels does and the moving of rows.

    ``arena``: the level ("cache" or "ram") in which the plan's arena lies; ``flash``: whether what is frozen is read
    from a level of its own.
    """
    if not kernel.inner:
        return (_work(kernel, instances, lanes, arena, flash),)
    known = {**instances, **{w.value.id: w.value for w in kernel.windows}}
    calls, moved = traffic(kernel, known)
    parts = [_work(k, known, lanes, arena, flash) for k in kernel.inner]
    again = [replace(w, counts={**w.counts, "call": float(n)}) for w, n in zip(parts, calls, strict=True)]
    if not moved:
        return tuple(again)
    copy = Work("copy", again[0].dtype, 0, {arena: 2 * moved}, {"call": float(max(calls)), "byte": 2.0 * moved})
    return (*again, copy)


def bytes_moved(kernel: Kernel, instances: Mapping[int, Instance]) -> int:
    """Bytes that ``kernel`` reads and writes: of a streamed one, what its inner kernels do and twice each row moved."""
    known = {**instances, **{w.value.id: w.value for w in kernel.windows}}
    return sum(_touched(k, known) for k in kernel.inner or (kernel,)) + (
        2 * traffic(kernel, known)[1] if kernel.inner else 0
    )


def _touched(kernel: Kernel, known: Mapping[int, Instance]) -> int:
    """Bytes of all operands and results; of a state that gets a new part, what is read and written of it."""
    whole, e = sum(known[i].spec.bytes for i in (*kernel.reads, *kernel.writes)), kernel.expression
    if e is None:
        return whole
    for write, _ in e.into:
        new = known[kernel.writes[write]]
        rest = new.spec.bytes - prod(e.extents) * ITEM_BYTES[new.spec.dtype]
        whole -= rest * (1 + sum(known[r].state == new.state for r in kernel.reads))
    return whole


def _work(kernel: Kernel, instances: Mapping[int, Instance], lanes: int, arena: str, flash: bool) -> Work:
    touched = [instances[i] for i in (*kernel.reads, *kernel.writes)]
    moved = _touched(kernel, instances)
    frozen = sum(instances[i].spec.bytes for i in kernel.reads if instances[i].region == FLASH) if flash else 0
    dtype = next((i.spec.dtype for i in reversed(touched) if i.spec.is_float), "float32")
    dtype = "int8" if kernel.family.startswith("int8_") else dtype
    macs, single, line = _producer(kernel, lanes)
    op, more, libm, lines = _expression(kernel, lanes)
    counts = {"call": 1, "mac": macs, "single": single + more, "op": op, "libm": libm, "byte": moved,
              "line": line or lines}  # fmt: skip
    levels = {arena: moved - frozen, "flash": frozen}
    if kernel.family in PAGES:
        levels[PAGES[kernel.family]] = moved
    products = kernel.macs * (ENTRY if kernel.family in SPARSE else 1)
    return Work(variant(kernel), dtype, products, levels, {k: float(v) for k, v in counts.items() if v})


def variant(kernel: Kernel) -> str:
    """The family, told apart where one family has two ways of running."""
    family = kernel.family
    if family.startswith("conv2d_input_grad") and kernel.scratch is None:
        return f"{family}_dots"
    if family == "matmul":
        return (
            f"{family}_dots"
            if kernel.params["trans_b"]
            else f"{family}_{'outer' if kernel.params['trans_a'] else 'columns'}"
        )
    if kernel.reduction is not None:
        return f"{family}_columns" if kernel.reduction.split[2] else f"{family}_rows"
    if family in SPARSE and not is_flat(kernel.params):
        return f"{family}_windows"
    if family == "loop" and _calls_libm(kernel):
        return f"{family}_libm"
    return family


def _vectors(extent: int, lanes: int) -> int:
    """Vectors of one run in the hand-written kernels: as wide as the run fills (SV_BY_WIDTH in native/selvedge.h)."""
    width = 1
    while 2 * width <= min(extent, lanes):
        width *= 2
    return -(-extent // width)


def _compiled(extent: int, lanes: int) -> tuple[int, int]:
    """(vectors, single numbers) of one run in a plain loop: compilers leave a run of at most one vector alone."""
    return (-(-extent // lanes), 0) if extent > lanes or lanes == 1 else (0, extent)


def _producer(kernel: Kernel, lanes: int) -> tuple[int, int, int]:
    """(vectors of multiply-accumulates, single ones, lines) of the native call; zeros for a plain loop."""
    p, family = kernel.params, kernel.family
    if family.startswith("int8_"):
        return _integer(kernel, lanes)
    if family in SPARSE:
        return _sparse(kernel, lanes)
    if "groups" in p:
        return _convolution(kernel, lanes)
    if family == "matmul":
        batch, m, n, k = p["batch"], p["m"], p["n"], p["k"]
        if p["trans_b"]:
            return batch * m * n * _vectors(k, lanes), 0, batch * m * n
        return batch * m * k * _vectors(n, lanes), 0, batch * m * _vectors(n, lanes)
    if "windows_h" in p:
        seen = p["n"] * prod(sum(len(range(*w)) for w in p[axis]) for axis in ("windows_h", "windows_w"))
        vectors, single = _compiled(p["c"], lanes)
        return seen * vectors, seen * single, p["n"] * p["oh"] * p["ow"]
    if "rows" in p:
        vectors, single = _compiled(p["n"], lanes)
        return p["rows"] * vectors, p["rows"] * single, p["rows"]
    if family.startswith("normalize"):
        return 0, 0, p["a"] * p["g"]
    if family == "pack_mask":
        return 0, p["size"], 1
    if family == "concat":
        return 0, 0, p["outer"] * len(p["inner"])
    if family in ("slice", "unslice"):
        return 0, 0, prod(p["out"][:-1])
    if family == "pad":
        return 0, 0, prod(p["shape"][:-1])
    if family == "transpose":
        return 0, 0, prod(p["shape"]) // p["shape"][p["perm"][-1]]
    if "hidden" in p:
        rows, h, width = p["steps"] * p["batch"], p["hidden"], p["gates"] * p["hidden"]
        if family.endswith("_grad"):
            return rows * h * _vectors(width, lanes), rows * width, rows * h
        return rows * h * _vectors(width, lanes), rows * width, rows * _vectors(width, lanes)
    if "table" in p:
        terms = p["a"] * len(p["index"] if "index" in p else range(p.get("picks", p["table"])))
        vectors, single = _compiled(p["c"], lanes)
        return (0, 0, terms) if family == "take" else (terms * vectors, terms * single, terms)
    return 0, 0, 0


def _integer(kernel: Kernel, lanes: int) -> tuple[int, int, int]:
    """Products go in pairs of int16, so that a vector holds twice as many; what has none goes number by number."""
    p = kernel.params
    seen = prod(p[axis] for axis in ("a", "r", "c")) if "r" in p else p.get("size", 0)
    if "windows_h" in p:
        seen = p["n"] * p["c"] * prod(sum(len(range(*w)) for w in p[axis]) for axis in ("windows_h", "windows_w"))
    elif "least" in p:
        seen = p["rows"] * p["n"]
    elif "shape" in p:
        seen = prod(p["shape"])
    pixels = p["n"] * p["oh"] * p["ow"] if "groups" in p else p.get("rows", 1)
    return -(-kernel.macs // (2 * lanes)), seen, pixels


def _sparse(kernel: Kernel, lanes: int) -> tuple[int, int, int]:
    """Entries by vectors of pixels, beside the numbers turned on their way in and out and the walks over an output's
    entries; or steps of a panel; or single entries, of which some pixels share the reading."""
    p, family = kernel.params, kernel.family
    pixels, k, entries = p["n"] * p["oh"] * p["ow"], p["k"], p["entries"]
    if family == "sparse_pixels":
        vectors = -(-pixels // lanes)
        return entries * vectors, (sparse_depth(p) + k) * vectors, k * -(-vectors // SPARSE_VECTORS)
    if family == "sparse_lanes":
        return entries * pixels, 0, pixels * -(-k // SPARSE_LANES)
    walks = pixels // SPARSE_ROWS + pixels % SPARSE_ROWS
    taps = 0 if is_flat(p) else pixels * p["kh"] * p["kw"]
    return entries * pixels, entries * walks, k * walks + taps


def _convolution(kernel: Kernel, lanes: int) -> tuple[int, int, int]:
    p, family, groups = kernel.params, kernel.family, kernel.params["groups"]
    taps, pixels, inputs = p["kh"] * p["kw"], p["n"] * p["oh"] * p["ow"], p["n"] * p["h"] * p["w"]
    c, k = p["c"] // groups, p["k"] // groups
    if family.startswith("depthwise"):
        vectors = _vectors(p["c"], lanes)
        lines = {"depthwise": pixels, "depthwise_input_grad": inputs}.get(family, taps * p["n"] * p["oh"])
        return pixels * taps * vectors, 0, lines * vectors
    over_k, over_c = groups * _vectors(k, lanes), groups * _vectors(c, lanes)
    if family == "conv2d":
        return pixels * taps * c * over_k, 0, pixels * over_k
    if family == "conv2d_weight_grad":
        return pixels * taps * c * over_k, 0, taps * c * over_k
    if kernel.scratch is None:
        return pixels * taps * c * over_k, 0, pixels * taps * c * groups
    return pixels * taps * k * over_c, 0, inputs * p["kh"] * over_c


def _calls_libm(kernel: Kernel) -> bool:
    return kernel.expression is not None and any(step.op in LIBM for step in kernel.expression.steps)


def _expression(kernel: Kernel, lanes: int) -> tuple[int, int, int, int]:
    """(vectors of arithmetic, single numbers, calls of libm, lines) of the fused loop."""
    e = kernel.expression
    if e is None:
        return 0, 0, 0, 0
    steps, size = sum(STEPS.get(step.op, 1) for step in e.steps), prod(e.extents)
    inner = kernel.tile.elements if kernel.tile is not None else (e.extents[-1] if e.extents else 1)
    lines = -(-size // inner)
    libm = size * sum(step.op in LIBM for step in e.steps)
    vectors, single = (0, inner) if libm else _compiled(inner, lanes)
    return lines * vectors * steps, lines * single * steps, libm, lines
