"""Images, and signals as images of one row."""

from __future__ import annotations

from collections.abc import Sequence

from selvedge.ir import Value, reshape, transpose

from .reading import TO_FIRST, TO_LAST, Node, settled


def wide(numbers: Sequence[int], first: int = 1) -> tuple[int, int]:
    """Of rows and columns; of a signal, which is one row, its own and ``first``."""
    return (first, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])


def image(node: Node, i: int) -> Value:
    """Input ``i`` channels last; a signal [N, C, T] as an image of one row."""
    shape = node.shape(i)
    if len(shape) == 4:
        return node.value(i, True)
    row = reshape(node.value(i), (*shape[:2], 1, shape[2]), node.where)
    return settled(transpose(row, TO_LAST, node.where))


def finished(node: Node, made: Value, rank: int) -> None:
    """``made``, an image channels last, as the result of ``rank`` axes."""
    if rank == 4:
        node.put(made, True)
        return
    n, _, columns, channels = made.shape
    node.put(reshape(transpose(made, TO_FIRST, node.where), (n, channels, columns), node.where))
