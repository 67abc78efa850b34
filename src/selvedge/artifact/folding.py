"""Batch norm folded into the layer before it, and unfolded again under PyTorch's names. numpy only.

With s = gamma / sqrt(var + eps): the folded weight is w * s along the output channels and the folded bias is
(b - mean) * s + beta. What is trained is those two. Unfolding keeps gamma, mean and var as they were, gives the
weight back its scale, and lets **one** bias take the difference: batch norm's beta where there is one, else the
layer's own. With neither, the folded bias is state of its own, which is not trained and which only folding writes.
Jacob et al., "Quantization and Training of Neural Networks" (2018), section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import InvalidInput

LEAST_SCALE = 1e-3


@dataclass(frozen=True, slots=True)
class Fold:
    """One batch norm folded into one layer; every field but ``eps`` is a PyTorch state name or None."""

    weight: str
    bias: str | None
    gamma: str | None
    beta: str | None
    mean: str
    var: str
    eps: float

    @property
    def receiver(self) -> str:
        """The state name under which the folded bias lives: a name of its own where PyTorch has none for it."""
        return self.beta or self.bias or f"{self.mean}.folded"

    @property
    def inner(self) -> tuple[str, ...]:
        """The state names that folding makes constant."""
        names = (self.bias, self.gamma, self.beta, self.mean, self.var)
        return tuple(n for n in names if n is not None and n != self.receiver)

    @property
    def own(self) -> str | None:
        """The receiver, where it is no name of PyTorch's."""
        return None if self.beta or self.bias else self.receiver

    def scale(self, state: Mapping[str, np.ndarray]) -> np.ndarray:
        """gamma / sigma, one a channel, in float64."""
        sigma = np.sqrt(state[self.var].astype(np.float64) + self.eps)
        gamma = state[self.gamma].astype(np.float64) if self.gamma else np.ones_like(sigma)
        return np.asarray(gamma / sigma)

    def weakest(self, state: Mapping[str, np.ndarray]) -> float:
        """The smallest |gamma| / sigma; folding is refused below :data:`LEAST_SCALE`, as it is not invertible.

        NaN where a variance is negative."""
        return float(np.abs(self.scale(state)).min())

    def _shift(self, state: Mapping[str, np.ndarray], scale: np.ndarray) -> np.ndarray:
        bias = state[self.bias].astype(np.float64) if self.bias else 0.0
        return np.asarray((bias - state[self.mean]) * scale)

    def folded_bias(self, state: Mapping[str, np.ndarray]) -> np.ndarray:
        """The bias of the folded layer, [channels]."""
        beta = state[self.beta].astype(np.float64) if self.beta else 0.0
        return np.asarray(self._shift(state, self.scale(state)) + beta, state[self.mean].dtype)

    def fold(self, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The entries of PyTorch's ``state`` that change, with their folded values."""
        weight, scale = state[self.weight], self.scale(state)
        scaled = (weight * _along(scale, weight)).astype(weight.dtype)
        return {self.weight: scaled, self.receiver: self.folded_bias(state)}

    def unfold(self, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The inverse of :meth:`fold`; ``state`` holds the folded values and PyTorch's own inner ones."""
        weight, scale = state[self.weight], self.scale(state)
        changed = {self.weight: (weight / _along(scale, weight)).astype(weight.dtype)}
        if self.beta:
            beta = state[self.beta]
            changed[self.beta] = (beta - self._shift(state, scale)).astype(beta.dtype)
        elif self.bias:
            bias = state[self.bias]
            changed[self.bias] = (bias / scale + state[self.mean]).astype(bias.dtype)
        return changed

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a manifest."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Fold:
        """The inverse of :meth:`to_dict`."""
        return cls(**data)


def _along(scale: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return scale.reshape(-1, *(1,) * (weight.ndim - 1))


def folded(folds: tuple[Fold, ...], state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """PyTorch's ``state`` with every folded entry in its place; the inverse of :func:`unfold`.

    Raises :class:`InvalidInput` where a scale is too small to be undone, and where a folded value is not finite.
    """
    whole = dict(state)
    for fold in folds:
        with np.errstate(all="ignore"):
            weakest, changed = fold.weakest(state), fold.fold(state)
        name = f"state {fold.gamma or fold.var}"
        if not weakest >= LEAST_SCALE:
            least = f"|gamma| / sigma = {weakest:.2g} in a channel"
            raise InvalidInput(
                name, f"of {least}", f"below {LEAST_SCALE} it is too small to fold; plan with norms='frozen'"
            )
        if not all(np.isfinite(array).all() for array in changed.values()):
            raise InvalidInput(
                name, "too large to fold", f"{fold.weight} would not be finite; plan with norms='frozen'"
            )
        whole.update(changed)
    return whole


def unfold(folds: tuple[Fold, ...], state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """``state`` under PyTorch's names and in its layout, with every folded entry given back."""
    whole = dict(state)
    for fold in folds:
        whole.update(fold.unfold(whole))
    return whole
