"""The Page-Hinkley test: numbers that stay above, or below, their own mean."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy.typing as npt

from ...errors import InvalidInput
from ..given import State
from .detector import fitting, number, scalar, whole, within

MODES = ("up", "down", "both")
_NAMES = ("n", "mean", "up", "down", "lowest", "highest")


class PageHinkley:
    """Page, *Continuous inspection schemes*, Biometrika 41, 1954; with a forgetting factor, as river has it.

    With m_t the mean so far, U_t = alpha U_{t-1} + (x_t - m_t - delta) and D_t = alpha D_{t-1} + (x_t - m_t + delta).
    Drift: U_t - min U > threshold ("up"), or max D - D_t > threshold ("down"), from ``min_instances`` numbers on.

    delta: what a number may be off without counting, >= 0. threshold: > 0, in the numbers' unit. alpha: 0..1. mode:
    "up", "down" or "both". Six float64 and a bool of state. In C: ``learn/c/page_hinkley.h``.
    """

    takes: ClassVar[str] = "numbers"
    warning = False

    def __init__(
        self,
        min_instances: int = 30,
        delta: float = 0.005,
        threshold: float = 50.0,
        alpha: float = 0.9999,
        mode: str = "both",
    ) -> None:
        """Raises ``InvalidInput`` for a setting out of range."""
        self.min_instances = whole("page-hinkley min_instances", min_instances, 1, 1 << 30)
        self.delta = within("page-hinkley delta", delta, 0, 1e300)
        self.threshold = within("page-hinkley threshold", threshold, 0, 1e300)
        self.alpha = within("page-hinkley alpha", alpha, 0, 1)
        if mode not in MODES:
            raise InvalidInput("page-hinkley mode", mode, f"give {', '.join(MODES)}")
        self.mode = mode
        self.reset()

    def reset(self) -> None:
        self.drift = False
        self._n = self._mean = self._up = self._down = 0.0
        self._lowest, self._highest = float("inf"), float("-inf")

    def update(self, value: float) -> None:
        x = number(value)
        if self.drift:
            self.reset()
        self._n += 1
        self._mean += (1 / self._n) * (x - self._mean)
        off = x - self._mean
        self._up = self.alpha * self._up + off - self.delta
        self._down = self.alpha * self._down + off + self.delta
        self._lowest = min(self._lowest, self._up)
        self._highest = max(self._highest, self._down)
        if self._n >= self.min_instances:
            rise = self.mode != "down" and self._up - self._lowest > self.threshold
            self.drift = rise or (self.mode != "up" and self._highest - self._down > self.threshold)

    @property
    def bytes(self) -> int:
        return 8 * len(_NAMES) + 1

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        return {name: scalar(getattr(self, f"_{name}")) for name in _NAMES} | {"drift": scalar(self.drift)}

    def load_state_dict(self, state: State) -> None:
        fitting("page-hinkley", self.state_dict(), state)
        if not float(state["n"]) >= 0:
            raise InvalidInput("page-hinkley state n", float(state["n"]), "give 0 or more")
        for name in _NAMES:
            setattr(self, f"_{name}", float(state[name]))
        self.drift = bool(state["drift"])
