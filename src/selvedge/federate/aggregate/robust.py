"""Rules that a few liars do not move. They need all changes at once: ``O(clients x model)``, on the disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput

Changes = npt.NDArray[np.float32]  # [clients, size]
COLUMNS = 1 << 14  # elements at a time


def median(changes: Changes) -> npt.NDArray[np.float64]:
    """Of each element (Yin et al., ICML 2018, arXiv:1803.01498). changes: float32 [clients, size]."""
    return _by_columns(changes, lambda part: np.median(part, axis=0))


def trimmed(changes: Changes, share: float) -> npt.NDArray[np.float64]:
    """The mean of each element without its ``share`` smallest and ``share`` largest (Yin et al., 2018)."""
    if not 0 <= share < 0.5:
        raise InvalidInput("trim", share, "give a share from 0 to below 0.5")
    cut = int(Fraction(repr(float(share))) * len(changes))  # 0.29 of 100 is 29; in binary it is a little less
    return _by_columns(changes, lambda part: np.sort(part, axis=0)[cut : len(part) - cut].mean(0, dtype=np.float64))


def krum(changes: Changes, liars: int, keep: int = 1) -> npt.NDArray[np.float64]:
    """The mean of the ``keep`` changes that are nearest to their ``n - liars - 2`` nearest others (Blanchard et al.,
    NeurIPS 2017, arXiv:1703.02757; Multi-Krum where keep > 1). Raises ``InvalidInput`` where n < 2 liars + 3."""
    n = len(changes)
    if liars < 0 or n < 2 * liars + 3:
        raise InvalidInput("liars", liars, f"{n} changes withstand at most {max(0, (n - 3) // 2)}")
    if not 1 <= keep <= n - liars - 2:
        raise InvalidInput("keep", keep, f"give 1 to {n - liars - 2}")
    products = np.zeros((n, n))
    for start in range(0, changes.shape[1], COLUMNS):
        part = changes[:, start : start + COLUMNS].astype(np.float64)
        products += part @ part.T
    norms = np.diag(products)
    distances = np.maximum(norms[:, None] + norms - 2 * products, 0)
    np.fill_diagonal(distances, np.inf)
    scores = np.sort(distances, axis=1)[:, : n - liars - 2].sum(1)
    chosen = np.sort(np.argsort(scores, kind="stable")[:keep])
    return np.asarray(changes[chosen].mean(0, dtype=np.float64))


def rule(name: str, settings: Mapping[str, Any]) -> Callable[[Changes], npt.NDArray[np.float64]]:
    """``median``, ``trimmed`` or ``krum`` with its settings."""
    if name == "median":
        return median
    if name == "trimmed":
        return lambda changes: trimmed(changes, settings["share"])
    if name == "krum":
        return lambda changes: krum(changes, settings["liars"], settings.get("keep", 1))
    raise InvalidInput("rule", name, "give mean, median, trimmed or krum")


def _by_columns(changes: Changes, of: Callable[[Changes], npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
    made = np.empty(changes.shape[1])
    for start in range(0, len(made), COLUMNS):
        made[start : start + COLUMNS] = of(changes[:, start : start + COLUMNS])
    return made
