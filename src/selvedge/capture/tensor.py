"""A captured tensor: PyTorch's axes over a value whose axes may lie in another order.

Moving axes costs nothing until an operation needs them in order; only then does a transpose enter the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from .. import ir
from ..artifact.layout import Layout

NHWC = (0, 2, 3, 1)
NLC = (0, 2, 1)
NDHWC = (0, 2, 3, 4, 1)


@dataclass(frozen=True, slots=True)
class Tensor:
    """``value`` axis i is PyTorch axis ``perm[i]``."""

    value: ir.Value
    perm: tuple[int, ...]

    @classmethod
    def plain(cls, value: ir.Value) -> Tensor:
        """A tensor that lies in PyTorch's own order."""
        return cls(value, identity(len(value.shape)))

    @property
    def rank(self) -> int:
        return len(self.perm)

    @property
    def shape(self) -> tuple[int, ...]:
        """PyTorch's shape."""
        return tuple(self.value.shape[self.perm.index(d)] for d in range(self.rank))

    @property
    def layout(self) -> Layout:
        """How this tensor's array is stored."""
        return Layout(self.perm, self.value.shape, self.shape)

    def axis(self, dim: int) -> int:
        """The stored axis of PyTorch's axis ``dim`` (which may count from the end)."""
        return self.perm.index(dim % self.rank)

    def like(self, value: ir.Value) -> Tensor:
        """``value`` with this tensor's order of axes."""
        return Tensor(value, self.perm)

    def to(self, perm: tuple[int, ...], where: str = "") -> Tensor:
        """The same tensor, stored in the order ``perm``."""
        if perm == self.perm:
            return self
        moved = tuple(self.perm.index(d) for d in perm)
        return Tensor(ir.transpose(self.value, moved, where), perm)

    def plainly(self, where: str = "") -> ir.Value:
        """The value in PyTorch's own order."""
        return self.to(identity(self.rank), where).value

    def last(self, dim: int, where: str = "") -> Tensor:
        """The same tensor with ``dim`` stored last; unchanged when it is (or when that moves no element)."""
        dim %= self.rank
        return self.to((*(d for d in self.perm if d != dim), dim), where)

    def permute(self, dims: Sequence[int]) -> Tensor:
        """PyTorch's axis i of the result is its axis ``dims[i]`` of this one. Free."""
        order = [d % self.rank for d in dims]
        return Tensor(self.value, tuple(order.index(p) for p in self.perm))

    def widen(self, rank: int, where: str = "") -> Tensor:
        """Leading axes of one element, up to ``rank``. Free."""
        lead = rank - self.rank
        if not lead:
            return self
        value = ir.reshape(self.value, (*(1,) * lead, *self.value.shape), where)
        return Tensor(value, (*range(lead), *(p + lead for p in self.perm)))

    def view(self, shape: Sequence[int], where: str = "") -> Tensor:
        """PyTorch's ``reshape``. Free where the axes that are joined or split lie together and in order."""
        old, new = self.shape, _resolved(shape, self.value.spec.size)
        if old == new:
            return self
        if prod(old) == 0:
            return Tensor.plain(ir.reshape(self.plainly(where), new, where))
        groups = _groups(old, new)
        home = {dim: g for g, (dims, _) in enumerate(groups) for dim in dims}
        order = list(dict.fromkeys(home[d] for d in self.perm if old[d] != 1))
        wanted = [d for g in order for d in groups[g][0]]
        source = self.to((*wanted, *(d for d in self.perm if old[d] == 1)), where) if wanted else self
        perm = _with_units([d for g in order for d in groups[g][1]], len(new))
        return Tensor(ir.reshape(source.value, tuple(new[d] for d in perm), where), perm)


def identity(rank: int) -> tuple[int, ...]:
    return tuple(range(rank))


def without(perm: Sequence[int], dims: Sequence[int]) -> tuple[int, ...]:
    """``perm`` after the axes ``dims`` are gone."""
    return tuple(p - sum(d < p for d in dims) for p in perm if p not in dims)


def align(tensors: Sequence[Tensor], where: str = "") -> list[Tensor]:
    """The tensors with one rank and one order of axes: that of the largest one of the highest rank."""
    rank = max(t.rank for t in tensors)
    lead = max((t for t in tensors if t.rank == rank), key=lambda t: t.value.spec.size)
    return [t if t.rank == 0 else t.widen(rank, where).to(lead.perm, where) for t in tensors]


def _resolved(shape: Sequence[int], size: int) -> tuple[int, ...]:
    known = prod(n for n in shape if n != -1)
    return tuple(size // known if n == -1 else n for n in shape)


def _groups(old: Sequence[int], new: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """The least runs of axes, those of one element apart, that have equally many elements in both shapes."""
    rest_old = [d for d, n in enumerate(old) if n != 1]
    rest_new = [d for d, n in enumerate(new) if n != 1]
    groups = []
    while rest_old:
        left, right = [rest_old.pop(0)], [rest_new.pop(0)]
        a, b = old[left[0]], new[right[0]]
        while a != b:
            if a < b:
                left.append(rest_old.pop(0))
                a *= old[left[-1]]
            else:
                right.append(rest_new.pop(0))
                b *= new[right[-1]]
        groups.append((left, right))
    return groups


def _with_units(perm: list[int], rank: int) -> tuple[int, ...]:
    """``perm`` with each missing axis put behind the one before it."""
    for dim in sorted(set(range(rank)) - set(perm)):
        perm.insert(perm.index(dim - 1) + 1 if dim else 0, dim)
    return tuple(perm)
