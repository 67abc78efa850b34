"""DDM: an error rate that rises above the lowest it has been."""

from __future__ import annotations

from math import inf, sqrt
from typing import Any, ClassVar

import numpy.typing as npt

from ...errors import InvalidInput
from ..given import State
from .detector import fitting, number, scalar, whole, within

_NAMES = ("n", "rate", "lowest_rate", "lowest_spread")


class DDM:
    """The drift detection method (Gama, Medas, Castillo & Rodrigues, *Learning with drift detection*, SBIA 2004).

    Of the errors so far: rate p and spread s = sqrt(p (1 - p) / n); p_min and s_min are those where p + s was lowest,
    after ``warm_start`` samples. Warning: p + s > p_min + ``warning_threshold`` s_min. Drift: the same with
    ``drift_threshold``. Where no error was seen before ``warm_start``, the first one is a drift: s_min is 0.

    Four float64 and two bool of state. In C: ``learn/c/ddm.h``.
    """

    takes: ClassVar[str] = "errors"

    def __init__(self, warm_start: int = 30, warning_threshold: float = 2.0, drift_threshold: float = 3.0) -> None:
        """Raises ``InvalidInput`` for a setting out of range."""
        self.warm_start = whole("ddm warm_start", warm_start, 0, 1 << 30)
        self.warning_threshold = within("ddm warning_threshold", warning_threshold, 0, 1e6)
        self.drift_threshold = within("ddm drift_threshold", drift_threshold, 0, 1e6)
        self.reset()

    def reset(self) -> None:
        self.drift = self.warning = False
        self._n = self._rate = 0.0
        self._lowest_rate, self._lowest_spread = inf, 0.0

    def update(self, value: float) -> None:
        wrong = number(value)
        if wrong not in (0.0, 1.0):
            raise InvalidInput("ddm value", value, "give 0 for right and 1 for wrong")
        if self.drift:
            self.reset()
        self._n += 1
        self._rate += (1 / self._n) * (wrong - self._rate)
        spread = sqrt(self._rate * (1 - self._rate) / self._n)
        if self._n <= self.warm_start:
            return
        if self._rate + spread <= self._lowest_rate + self._lowest_spread:
            self._lowest_rate, self._lowest_spread = self._rate, spread
        self.drift = self._rate + spread > self._lowest_rate + self.drift_threshold * self._lowest_spread
        above = self._rate + spread > self._lowest_rate + self.warning_threshold * self._lowest_spread
        self.warning = above and not self.drift

    @property
    def bytes(self) -> int:
        return 8 * len(_NAMES) + 2

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        numbers = {name: scalar(getattr(self, f"_{name}")) for name in _NAMES}
        return numbers | {"drift": scalar(self.drift), "warning": scalar(self.warning)}

    def load_state_dict(self, state: State) -> None:
        fitting("ddm", self.state_dict(), state)
        if not (float(state["n"]) >= 0 and 0 <= float(state["rate"]) <= 1):
            raise InvalidInput("ddm state", "of a rate or count out of range", "give what state_dict() gave")
        for name in _NAMES:
            setattr(self, f"_{name}", float(state[name]))
        self.drift, self.warning = bool(state["drift"]), bool(state["warning"])
