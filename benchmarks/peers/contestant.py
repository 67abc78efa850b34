"""What a contestant is, and how one fails."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Contestant:
    """``step()`` does one update and returns the loss before it, a number.

    loss, gradients: of the first step, from the weights all contestants share; by PyTorch's parameter names, in
    PyTorch's layout.
    """

    step: Callable[[], float]
    loss: float
    gradients: Mapping[str, np.ndarray]


class Failed(Exception):
    """A peer cannot do the work, in one line: its cell says so."""


class Missing(Failed):
    """Something that ``make bench`` should have found or installed is not there: the command fails too."""


def reason(error: Exception) -> str:
    """The first line of what went wrong, short enough for a cell."""
    if isinstance(error, Failed):
        return str(error)
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {text}"[:120].rstrip(": ").replace("|", "/")


@contextmanager
def silenced() -> Iterator[None]:
    """A peer's own chatter on the way to its program - warnings and what its C++ prints - is not the user's."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
