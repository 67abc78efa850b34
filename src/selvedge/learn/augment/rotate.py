"""Sensors that lie otherwise: all their axes of three turn together."""

from __future__ import annotations

import numpy as np

from ...errors import InvalidInput
from ..draws import Draws
from .piece import Array, batch, number

HALF_TURNS = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], np.float32)  # none, about x, about y, about z


class Rotate:
    """Samples [n, 3 k, ...] of k sensors of x, y, z each, by up to ``degrees`` about an axis of any direction.

    Rodrigues' formula; the direction is that of three nearly normal numbers, the angle even in -degrees..degrees.
    half_turns: also none or half a turn about x, y or z, all four as likely: how a flat thing gets into a pocket.
    Draws: of all the half turn (if so), then of all the direction (36 a sample), then of all the angle.
    """

    def __init__(self, degrees: float, half_turns: bool = False) -> None:
        """Raises ``InvalidInput`` unless 0 <= degrees <= 180."""
        self.degrees, self.half_turns = number("rotate degrees", degrees, 0, 180), half_turns

    def __call__(self, x: Array, draws: Draws) -> Array:
        """Raises ``InvalidInput`` where channels are not in threes."""
        n = len(batch("rotate", x))
        if x.shape[1] % 3:
            raise InvalidInput("rotate samples", list(x.shape), "give a multiple of three channels: x, y and z of each")
        turned = np.eye(3, dtype=np.float32)
        if self.half_turns:
            turned = turned * HALF_TURNS[draws.below(4, n)][:, None]
        way = draws.normal(n, 3)
        way /= np.maximum(np.sqrt((way**2).sum(1, keepdims=True)), np.float32(1e-6))
        angle = (2 * draws.uniform(n, 1, 1) - 1) * np.float32(np.deg2rad(self.degrees))
        cross = np.zeros((n, 3, 3), np.float32)
        for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            cross[:, i, j], cross[:, j, i] = -way[:, k], way[:, k]
        turned = (np.eye(3, dtype=np.float32) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)) @ turned
        sensors = x.reshape(n, x.shape[1] // 3, 3, -1)
        return np.asarray(turned[:, None] @ sensors, np.float32).reshape(x.shape)
