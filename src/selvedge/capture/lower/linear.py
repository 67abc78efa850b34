"""Matrix products: linear layers, matmul and its relatives, attention."""

from __future__ import annotations

from math import prod, sqrt

import numpy as np
import torch

from ... import ir
from ..tensor import Tensor, identity
from .arithmetic import binary, scaled
from .dropout import drawn
from .reduction import softmax
from .shape import expand
from .table import Call, lowers


def _matrix(call: Call, x: Tensor) -> tuple[ir.Value, bool]:
    """``x`` with its leading axes in order, and whether its last two lie the other way round."""
    plain = identity(x.rank)
    swapped = (*plain[:-2], plain[-1], plain[-2])
    return (x.value, True) if x.perm == swapped else (x.plainly(call.where), False)


def product(call: Call, a: Tensor, b: Tensor) -> Tensor:
    """Matrices, or batches of them with equal leading axes."""
    (x, trans_a), (y, trans_b) = _matrix(call, a), _matrix(call, b)
    return Tensor.plain(call.apply("matmul", x, y, trans_a=trans_a, trans_b=trans_b))


def rows(call: Call, x: Tensor, w: Tensor, transposed: bool) -> Tensor:
    """``x [..., in] @ w``: one product of matrices, whatever the order of the leading axes.

    ``w`` is [in, out], or [out, in] when ``transposed``, as in a linear layer.
    """
    x = x.last(-1, call.where)
    y, trans = _matrix(call, w)
    flat = ir.reshape(x.value, (prod(x.value.shape[:-1]), x.value.shape[-1]), call.where)
    result = call.apply("matmul", flat, y, trans_a=False, trans_b=trans != transposed)
    return x.like(ir.reshape(result, (*x.value.shape[:-1], result.shape[-1]), call.where))


@lowers("linear.default")
def linear(call: Call, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    y = matmul(call, x, weight) if weight.rank == 1 else rows(call, x, weight, transposed=True)
    return y if bias is None else binary(call, "add", y, bias)


@lowers("bilinear.default")
def bilinear(call: Call, a: Tensor, b: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """a' W b for each output: the products of all pairs, then one linear layer. weight [out, in a, in b]."""
    wide = (*a.shape[:-1], a.shape[-1], b.shape[-1])
    pairs = binary(call, "mul", a.view((*a.shape, 1), call.where), b.view((*b.shape[:-1], 1, b.shape[-1]), call.where))
    flat = pairs.view((*wide[:-2], wide[-2] * wide[-1]), call.where)
    return linear(call, flat, weight.view((weight.shape[0], wide[-2] * wide[-1]), call.where), bias)


@lowers("mm.default", "bmm.default")
def mm(call: Call, a: Tensor, b: Tensor) -> Tensor:
    return product(call, a, b)


@lowers("addmm.default", "baddbmm.default")
def addmm(call: Call, c: Tensor, a: Tensor, b: Tensor, beta: float = 1, alpha: float = 1) -> Tensor:
    return binary(call, "add", scaled(call, product(call, a, b), alpha), scaled(call, c, beta))


@lowers("matmul.default")
def matmul(call: Call, a: Tensor, b: Tensor) -> Tensor:
    if a.rank == 1:
        y = matmul(call, a.view((1, *a.shape), call.where), b)
        return y.view((*y.shape[:-2], *y.shape[-1:]) if b.rank > 1 else y.shape[:-1], call.where)
    if b.rank == 1:
        y = matmul(call, a, b.view((*b.shape, 1), call.where))
        return y.view(y.shape[:-1], call.where)
    if b.rank == 2:
        return rows(call, a, b, transposed=False)
    batch = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    left = expand(call, a, (*batch, *a.shape[-2:]))
    right = expand(call, b, (*batch, *b.shape[-2:]))
    return product(call, left, right)


@lowers("mv.default", "dot.default")
def mv(call: Call, a: Tensor, b: Tensor) -> Tensor:
    return matmul(call, a, b)


@lowers("scaled_dot_product_attention.default")
def attention(
    call: Call,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    dropout: float,
    is_causal: bool,
    scale: float | None,
    enable_gqa: bool,
) -> Tensor:
    """softmax(q k' / sqrt(d)) v: Vaswani et al., "Attention Is All You Need" (2017), eq. 1."""
    call.require(not enable_gqa, "grouped-query attention is not; repeat the keys and values")
    factor = 1 / sqrt(query.shape[-1]) if scale is None else scale
    swapped = key.permute((*range(key.rank - 2), key.rank - 1, key.rank - 2))
    scores = matmul(call, binary(call, "mul", query, factor), swapped)
    if is_causal:
        n, m = query.shape[-2], key.shape[-2]
        hidden = ir.constant((~torch.ones(n, m, dtype=torch.bool).tril()).numpy())
        scores = _hide(call, scores, Tensor.plain(hidden))
    seen = None
    if mask is not None and mask.value.dtype == "bool":
        seen = mask
        # Below any score, and no infinity: a row that sees nothing is uniform, until all of it is made zero.
        scores = call.joint("where", mask, scores, call.number(_LEAST[scores.value.dtype], scores))
    elif mask is not None:
        scores = binary(call, "add", scores, mask)
    shares = softmax(call, scores, -1)
    if seen is not None and not _sees(seen):
        shares = call.joint("where", seen, shares, call.number(0, shares))
    return matmul(call, drawn(call, shares, dropout), value)


_LEAST = {dtype: float(np.finfo(dtype).min) / 2 for dtype in ("float32", "float64")}


def _sees(mask: Tensor) -> bool:
    """Whether every row of ``mask``, which says what is seen, is known to see something."""
    node = mask.value.node
    plain = mask.perm == identity(mask.rank)
    return node.op == "constant" and plain and bool(node.attrs["value"].any(-1).all())


def _hide(call: Call, scores: Tensor, hidden: Tensor) -> Tensor:
    return call.joint("where", hidden, call.number(float("-inf"), scores), scores)
