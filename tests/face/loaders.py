"""A newcomer's own loaders, good ones and others."""

from __future__ import annotations

from typing import Any

import numpy as np


def good() -> tuple[Any, Any]:
    random = np.random.default_rng(0)
    y = np.arange(60) % 3
    return (random.standard_normal((60, 2)) + 3 * y[:, None]).astype(np.float32), y


def raising() -> None:
    raise FileNotFoundError("no card\nin the reader")


def nothing() -> None:
    return None


def ragged() -> Any:
    return ((np.zeros(i), 0) for i in (3, 4))


def without_x() -> dict[str, Any]:
    return {"images": np.zeros((3, 2))}


def short() -> tuple[Any, Any]:
    return np.zeros((5, 2), np.float32), np.zeros(4)


def triples() -> Any:
    return iter([(np.zeros(2), 0, 1)])
