"""What is asked: an int8 network, real inputs for it, and what else is known of their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

import selvedge as sv


@dataclass(frozen=True)
class Real:
    """network: what answers. whole: with the softmax behind it, where there is one. inputs: batches of int8 codes, as
    PyTorch orders their axes. labels: one a sample; None where there are none. answers: top answers of others, by name:
    of the float network and of the simulation in PyTorch."""

    network: sv.Network
    whole: sv.Network
    inputs: Sequence[np.ndarray]
    labels: np.ndarray | None = None
    answers: Mapping[str, np.ndarray] = field(default_factory=dict)
