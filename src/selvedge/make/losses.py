"""The losses of a session, in bounded room: every one at first, then every second, every fourth, ..."""

from __future__ import annotations

MOST = 4096


class Losses:
    """Pairs (step, loss), steps counted from 1: at most ``MOST`` of them, evenly spaced."""

    def __init__(self) -> None:
        self.points: list[tuple[int, float]] = []
        self.steps = 0
        self.stride = 1

    def add(self, loss: float) -> None:
        """The loss of the next step."""
        if self.steps % self.stride == 0:
            if len(self.points) == MOST:
                del self.points[1::2]
                self.stride *= 2
            if self.steps % self.stride == 0:
                self.points.append((self.steps + 1, loss))
        self.steps += 1
