"""What the server makes of the mean change: its optimiser (Reddi et al., ICLR 2021, arXiv:2003.00295)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput

Doubles = npt.NDArray[np.float64]
KINDS = ("sgd", "adam", "yogi")


@dataclass(frozen=True, slots=True)
class ServerOptimizer:
    """``sgd``: model + rate * (mean, with momentum); with rate 1 and momentum 0 that is FedAvg. ``adam``, ``yogi``:
    model + rate * m / (sqrt(v) + tau), without bias correction, v beginning at tau**2 (algorithm 2 there)."""

    kind: Literal["sgd", "adam", "yogi"] = "sgd"
    rate: float = 1.0
    momentum: float = 0.0  # beta1 of adam and yogi
    beta2: float = 0.99
    tau: float = 1e-3

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidInput("server optimizer", self.kind, f"give {', '.join(KINDS)}")
        for name, low, high in (
            ("rate", 0, np.inf),
            ("momentum", -1e-300, 1),
            ("beta2", -1e-300, 1),
            ("tau", 0, np.inf),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low < value < high:
                raise InvalidInput(f"server {name}", value, f"give a number above {max(low, 0)}, below {high}")

    def begin(self, size: int) -> dict[str, Doubles]:
        """The state: "m" and "v", float64 [size], of those that have them."""
        state: dict[str, Doubles] = {}
        if self.momentum or self.kind != "sgd":
            state["m"] = np.zeros(size)
        if self.kind != "sgd":
            state["v"] = np.full(size, self.tau**2)
        return state

    def step(self, model: Doubles, change: Doubles, state: Mapping[str, Any]) -> None:
        """Move ``model`` [size] by the mean ``change`` [size]; both float64. ``model`` and ``state`` are written."""
        if "m" not in state:
            model += self.rate * change
            return
        m = state["m"]
        m *= self.momentum
        m += change if self.kind == "sgd" else (1 - self.momentum) * change
        if self.kind == "sgd":
            model += self.rate * m
            return
        v, square = state["v"], change * change
        if self.kind == "adam":
            v *= self.beta2
            v += (1 - self.beta2) * square
        else:
            v -= (1 - self.beta2) * square * np.sign(v - square)
        model += self.rate * m / (np.sqrt(v) + self.tau)
