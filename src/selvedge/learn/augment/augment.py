"""Pieces of augmentation, one after another."""

from __future__ import annotations

from ...errors import InvalidInput
from ..draws import Draws
from .piece import Array, Piece, batch


class Augment:
    """Every piece changes what the one before it made: ``augment=`` of :func:`selvedge.personalise` and ``sv.Learner``.

    >>> # sv.Augment(sv.Shift(5, axis=1), sv.Gain(0.8, 1.2), sv.Noise(0.1))

    A piece is any callable (x float32 [n, ...], :class:`~selvedge.learn.draws.Draws`) -> float32 of the same shape.
    """

    def __init__(self, *pieces: Piece) -> None:
        """Raises ``InvalidInput`` for what cannot be called."""
        for i, piece in enumerate(pieces):
            if not callable(piece):
                raise InvalidInput(f"augment piece {i}", piece, "give pieces as sv.Shift(5), sv.Noise(0.1)")
        self.pieces = pieces

    def __call__(self, x: Array, draws: Draws) -> Array:
        """Raises ``InvalidInput`` for other than float32 [n, ...], and what the pieces raise."""
        made = batch("augment", x)
        for piece in self.pieces:
            made = piece(made, draws)
        return made
