"""Embeddings, and choosing and adding by index."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import numpy as np

from ... import ir
from ..tensor import Tensor
from .along import chosen, known, resampled
from .arithmetic import Operand, binary, floating, scaled, where
from .shape import part
from .table import Call, lowers

Index = Tensor | int


def _integers(call: Call, index: Index) -> Tensor:
    """``index`` as a tensor of int32."""
    if not isinstance(index, Tensor):
        return Tensor.plain(ir.constant(index, "int32"))
    call.require(index.value.dtype == "int32", f"an index of {index.value.dtype} is not; give integers")
    return index


def _flat(call: Call, x: Tensor, dim: int) -> tuple[ir.Value, int]:
    """``x`` as [before, n, after] of its stored axis of ``dim``, and that axis."""
    axis, shape = x.axis(dim), x.value.shape
    return ir.reshape(x.value, (prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])), call.where), axis


def _taken(call: Call, x: Tensor, dim: int, index: Tensor) -> Tensor:
    """``x`` at the places ``index`` [...] along ``dim``, whose axis becomes those of ``index``."""
    dim %= x.rank
    held = known(index)
    if held is not None:
        picked = chosen(call, x, dim, [int(i) % x.shape[dim] for i in held.ravel()])
    else:
        flat, axis = _flat(call, x, dim)
        value = call.apply("take", flat, ir.reshape(index.plainly(call.where), (1, index.value.spec.size)))
        shape = (*x.value.shape[:axis], index.value.spec.size, *x.value.shape[axis + 1 :])
        picked = x.like(ir.reshape(value, shape, call.where))
    return picked.view((*x.shape[:dim], *index.shape, *x.shape[dim + 1 :]), call.where)


@lowers("embedding.default")
def embedding(
    call: Call, weight: Tensor, index: Index, padding: int = -1, by_frequency: bool = False, sparse: bool = False
) -> Tensor:
    """Rows of ``weight`` [R, C]; the row ``padding`` gets no gradient. Where it is a constant it is looked up too."""
    call.require(not by_frequency, "scale_grad_by_freq is not; leave it out")
    at = _integers(call, index)
    table = weight.plainly(call.where)
    value = call.apply(
        "take",
        ir.reshape(table, (1, *table.shape), call.where),
        ir.reshape(at.plainly(call.where), (1, at.value.spec.size), call.where),
        skip=padding if padding >= 0 else -1,
    )
    return Tensor.plain(ir.reshape(value, (*at.shape, table.shape[1]), call.where))


@lowers("_embedding_bag.default")
def embedding_bag_without(
    call: Call,
    weight: Tensor,
    index: Tensor,
    offsets: Tensor,
    by_frequency: bool = False,
    mode: int = 0,
    sparse: bool = False,
    samples: Tensor | None = None,
    last: bool = False,
    padding: int = -1,
) -> tuple[Tensor | None, ...]:
    """Here -1 is no padding; in the operator that a user calls it is the last row."""
    padded = None if padding == -1 else padding
    return embedding_bag(call, weight, index, offsets, by_frequency, mode, sparse, samples, last, padded)


@lowers("embedding_bag.padding_idx", "embedding_bag.default")
def embedding_bag(
    call: Call,
    weight: Tensor,
    index: Tensor,
    offsets: Tensor,
    by_frequency: bool = False,
    mode: int = 0,
    sparse: bool = False,
    samples: Tensor | None = None,
    last: bool = False,
    padding: int | None = None,
) -> tuple[Tensor | None, ...]:
    """Sums, or with mode 1 means, of runs of rows whose beginnings are constant."""
    begins = known(offsets)
    call.require(begins is not None, "bags that begin where an input says are not; give rows of equal length")
    call.require(padding is None, "padding_idx in a bag is not; multiply by a mask")
    call.require(mode in (0, 1), "the maximum of a bag is not; use an embedding and amax")
    assert begins is not None
    rows = embedding(call, weight, index, -1, by_frequency)
    if samples is not None:
        rows = binary(call, "mul", rows, samples.view((-1, 1), call.where))
    count = index.shape[0]
    starts = [int(b) for b in begins] if last else [*(int(b) for b in begins), count]
    weights = [1 / (b - a) for a, b in pairwise(starts) for _ in range(b - a)] if mode == 1 else []
    y = resampled(call, rows, 0, [s - starts[0] for s in starts], list(range(starts[0], starts[-1])), weights)
    return y, None, None, None


@lowers("embedding_renorm_.default")
def embedding_renorm(call: Call, *_: object) -> Tensor:
    raise call.refuse("max_norm would change the weights in forward(); clip them outside, or leave it out")


@lowers("index_select.default")
def index_select(call: Call, x: Tensor, dim: int, index: Index) -> Tensor:
    at = _integers(call, index)
    one = x if x.rank else x.view((1,), call.where)
    picked = _taken(call, one, dim, at.view((at.value.spec.size,), call.where))
    return picked if x.rank else picked.view((), call.where)


@lowers("index.Tensor", "_unsafe_index.Tensor")
def index(call: Call, x: Tensor, indices: Sequence[Tensor | int | None]) -> Tensor:
    """Constant indices on any axes, or one axis by an input: ``x[:, ids]``; or ``x[arange, ids]``."""
    dims = [d for d, i in enumerate(indices) if i is not None]
    for i in indices:
        mask = isinstance(i, bool) or (isinstance(i, Tensor) and i.value.dtype in ("bool", "uint8"))
        call.require(not mask, "a mask would make a shape that depends on values; use torch.where or masked_fill")
    given = [_integers(call, i) for i in indices if i is not None]
    held = [known(i) for i in given]
    if len(given) == 1:
        return _taken(call, x, dims[0], given[0])
    if all(h is not None for h in held):
        return _by_constants(call, x, dims, [h for h in held if h is not None])
    lines = (
        dims == [0, 1] and held[0] is not None and held[1] is None and given[0].shape == given[1].shape == x.shape[:1]
    )
    if not (lines and np.array_equal(np.asarray(held[0]), np.arange(x.shape[0]))):
        raise call.refuse("index one axis by an input (x[:, ids], x[arange, ids] or gather), or all by constants")
    flat = ir.reshape(x.plainly(call.where), (*x.shape[:2], prod(x.shape[2:])), call.where)
    value = call.apply("take", flat, ir.reshape(given[1].value, (x.shape[0], 1), call.where))
    return Tensor.plain(ir.reshape(value, (x.shape[0], *x.shape[2:]), call.where))


def _by_constants(call: Call, x: Tensor, dims: Sequence[int], indices: Sequence[np.ndarray]) -> Tensor:
    """The indexed axes as one; where they do not lie together it comes first, as PyTorch has it."""
    sizes = [x.shape[d] for d in dims]
    wide = np.broadcast_arrays(*indices)
    joint = np.ravel_multi_index([i % n for i, n in zip(wide, sizes, strict=True)], sizes)
    together = list(dims) == list(range(dims[0], dims[-1] + 1))
    at = dims[0] if together else 0
    others = [d for d in range(x.rank) if d not in dims]
    moved = x.permute([*others[:at], *dims, *others[at:]])
    shape = moved.shape
    flat = moved.view((*shape[:at], prod(sizes), *shape[at + len(dims) :]), call.where)
    picked = chosen(call, flat, at, [int(i) for i in joint.ravel()])
    return picked.view((*shape[:at], *joint.shape, *shape[at + len(dims) :]), call.where)


def _lines(call: Call, x: Tensor, dim: int) -> ir.Value:
    """[all other axes in order, dim]."""
    dim %= x.rank
    moved = x.permute([*(d for d in range(x.rank) if d != dim), dim]).plainly(call.where)
    return ir.reshape(moved, (moved.spec.size // moved.shape[-1], moved.shape[-1]), call.where)


def _unlines(call: Call, value: ir.Value, shape: Sequence[int], dim: int) -> Tensor:
    """The reverse of :func:`_lines`, to a tensor of ``shape``."""
    dim %= len(shape)
    others = [d for d in range(len(shape)) if d != dim]
    plain = Tensor.plain(ir.reshape(value, (*(shape[d] for d in others), shape[dim]), call.where))
    return plain.permute([[*others, dim].index(d) for d in range(len(shape))])


def _cut(call: Call, x: Tensor, like: Tensor, dim: int) -> Tensor:
    """``x`` as large as ``like`` on every axis but ``dim``."""
    for d in range(x.rank):
        if d != dim % x.rank:
            x = part(call, x, d, 0, like.shape[d])
    return x


@lowers("gather.default")
def gather(call: Call, x: Tensor, dim: int, index: Index, sparse_grad: bool = False) -> Tensor:
    return picked(call, x, dim, index)


def picked(call: Call, x: Tensor, dim: int, index: Index, ignored: int | None = None) -> Tensor:
    """``gather``, with zeros where the index is ``ignored``."""
    at = _integers(call, index)
    if not x.rank:
        return x if at.rank == 0 else x.view((1,) * at.rank, call.where)
    source, places = _lines(call, _cut(call, x, at, dim), dim), _lines(call, at, dim)
    attrs = {} if ignored is None else {"ignored": ignored}
    value = call.apply("take", ir.reshape(source, (*source.shape, 1), call.where), places, **attrs)
    return _unlines(call, value, at.shape, dim)


def _added(call: Call, x: Tensor, dim: int, at: Tensor, source: Tensor) -> Tensor:
    same = all(n == x.shape[d] for d, n in enumerate(at.shape) if d != dim % x.rank)
    call.require(same, "an index that is smaller than the tensor on another axis is not; make them equally large")
    onto, places = _lines(call, x, dim), _lines(call, at, dim)
    given = part(call, _cut(call, source, at, dim), dim, 0, at.shape[dim])
    added = _lines(call, given, dim)
    value = call.apply(
        "scatter_onto", *(ir.reshape(v, (*v.shape, 1), call.where) for v in (onto, added)), places, skip=-1
    )
    return _unlines(call, value, x.shape, dim)


@lowers("scatter_add.default")
def scatter_add(call: Call, x: Tensor, dim: int, index: Index, source: Tensor) -> Tensor:
    call.require(x.rank > 0, "a scatter onto a number is not; add to it")
    return _added(call, x, dim, _integers(call, index), source)


@lowers("scatter.value")
def scatter_value(call: Call, x: Tensor, dim: int, index: Index, value: float) -> Tensor:
    """``value`` where anything falls."""
    call.require(x.rank > 0 and x.value.spec.is_float, "a scatter onto numbers that are not floats is not")
    at = _integers(call, index)
    ones = Tensor.plain(ir.broadcast(ir.scalar(1, x.value), at.shape, call.where))
    nothing = Tensor.plain(ir.zeros(ir.Spec(x.shape, x.value.dtype)))
    hits = _added(call, nothing, dim, at, ones)
    return where(call, call.joint("greater", hits, call.number(0, x)), value, x)


@lowers("index_add.default")
def index_add(call: Call, x: Tensor, dim: int, index: Index, source: Tensor, alpha: float = 1) -> Tensor:
    call.require(x.rank > 0, "index_add onto a number is not; add to it")
    at = _integers(call, index)
    given = scaled(call, floating(call, source, x.value.dtype), alpha)
    assert isinstance(given, Tensor)
    given = given if given.rank else given.view((1,) * x.rank, call.where)
    flat, _ = _flat(call, x, dim)
    added = ir.reshape(given.to(x.perm, call.where).value, (flat.shape[0], given.shape[dim], flat.shape[2]), call.where)
    places = ir.reshape(at.value, (1, at.value.spec.size), call.where)
    value = call.apply("scatter_onto", flat, added, places, skip=-1)
    return x.like(ir.reshape(value, x.value.shape, call.where))


@lowers("index_fill.int_Scalar")
def index_fill(call: Call, x: Tensor, dim: int, index: Index, value: Operand) -> Tensor:
    """Constant places only."""
    held = known(_integers(call, index))
    call.require(held is not None, "index_fill at places that are inputs is not; use masked_fill")
    assert held is not None
    mask = np.zeros(x.shape[dim] if x.rank else 1, bool)
    mask[held.ravel()] = True
    shape = [1] * x.rank
    if x.rank:
        shape[dim] = -1
    return where(call, Tensor.plain(ir.constant(mask.reshape(shape))), value, x)
