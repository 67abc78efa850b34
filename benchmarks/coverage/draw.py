"""Random arguments, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

DOUBLE = torch.float64


class Draw:
    """One draw: numbers, sizes and choices of one seed."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def size(self, low: int = 1, high: int = 4) -> int:
        return int(self.rng.integers(low, high + 1))

    def sizes(self, count: int, low: int = 1, high: int = 4) -> tuple[int, ...]:
        return tuple(self.size(low, high) for _ in range(count))

    def pick(self, *options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def flag(self) -> bool:
        return bool(self.rng.integers(2))

    def number(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def x(self, *shape: int) -> torch.Tensor:
        return torch.from_numpy(self.rng.normal(0, 1.5, shape))

    def unit(self, *shape: int) -> torch.Tensor:
        """In 0.05 .. 0.95."""
        return torch.from_numpy(self.rng.uniform(0.05, 0.95, shape))

    def whole(self, below: int, *shape: int) -> torch.Tensor:
        return torch.from_numpy(self.rng.integers(0, below, shape))

    def signs(self, *shape: int) -> torch.Tensor:
        return torch.from_numpy(self.rng.integers(0, 2, shape) * 2.0 - 1)

    def some(self, low: int = 2, high: int = 4) -> torch.Tensor:
        """Of any shape of one to four axes."""
        return self.x(*self.sizes(self.size(1, 4), low, high))

    def images(self, axes: int, least: int = 5, most: int = 8, channels: int | None = None) -> torch.Tensor:
        """[N, C, ...] with ``axes`` of space; now and then without the batch."""
        c = self.size(1, 4) if channels is None else channels
        shape = (c, *self.sizes(axes, least, most))
        return self.x(*shape) if self.rng.random() < 0.2 else self.x(self.size(1, 2), *shape)


Made = tuple[nn.Module, tuple[torch.Tensor, ...]]


@dataclass(frozen=True)
class Entry:
    """``make``: a module and its inputs. ``rest``: whose gradient is not asked for, by position."""

    name: str
    make: Callable[[Draw], Made]
    rest: tuple[int, ...] = field(default=())


class Function(nn.Module):
    """``function`` of tensors, its other arguments fixed."""

    def __init__(self, function: Callable[..., Any], *rest: Any, **named: Any) -> None:
        super().__init__()
        self.function, self.rest, self.named = function, rest, named

    def forward(self, *tensors: torch.Tensor) -> Any:
        return self.function(*tensors, *self.rest, **self.named)
