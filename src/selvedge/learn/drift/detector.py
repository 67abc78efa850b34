"""What a detector of drift is, and what it takes."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from ...artifact.number import finite
from ...errors import InvalidInput
from ..given import State
from ..given import fitting as same_form

LARGEST = 1e100  # that is taken: 2**40 squares of it are still far from infinity


class Detector(Protocol):
    """Looks at a number a sample - a loss, an error, a confidence - and says when their distribution has changed.

    takes: "numbers", any finite ones; or "errors", 0 for right and 1 for wrong.
    drift: whether the last number completed a change. The next one then begins anew, as after :meth:`reset`.
    warning: whether a change may be coming; always False where the method has no such zone.
    bytes: of its state, from the first day the same: what ``state_dict()`` holds.

    To add one: a file here, a row in ``registry.DETECTORS``; the contract tests then find it.
    """

    takes: ClassVar[str]
    drift: bool
    warning: bool

    @property
    def bytes(self) -> int: ...

    def update(self, value: float) -> None:
        """One number. Raises ``InvalidInput``, and nothing changes, for one that it does not take."""

    def reset(self) -> None:
        """As newly made."""

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of all that it remembers: one of the same settings that loads them goes on as this one would."""

    def load_state_dict(self, state: State) -> None:
        """Go on from what :meth:`state_dict` gave. Raises ``InvalidInput``, and changes nothing, for anything else."""


def number(value: float) -> float:
    """``value`` as a float that can be squared and summed; True is 1. Raises ``InvalidInput``."""
    if isinstance(value, bool | np.bool_):
        return float(value)
    found = value if type(value) is float else finite(value)
    if found is None or not -LARGEST <= found <= LARGEST:
        raise InvalidInput("detector value", value, f"give a finite number, at most {LARGEST:g} either way")
    return found


def scalar(value: float | bool) -> npt.NDArray[Any]:
    """A number of a state: float64 or bool, shape []."""
    return np.array(value)


def fitting(kind: str, mine: State, theirs: State) -> None:
    """Raises ``InvalidInput`` unless ``theirs`` has the names, shapes and dtypes of ``mine``, and numbers."""
    same_form(f"{kind} state", mine, theirs)
    for name in mine:
        if np.isnan(theirs[name]).any():
            raise InvalidInput(f"{kind} state {name}", "nan", "give what state_dict() gave")


def within(name: str, value: float, low: float, high: float) -> float:
    """``value`` of the setting ``name`` as a number in ``low``..``high``. Raises ``InvalidInput``."""
    found = finite(value)
    if found is None or not low <= found <= high:
        raise InvalidInput(name, value, f"give a number in {low:g}..{high:g}")
    return found


def whole(name: str, value: float, low: int, high: int) -> int:
    """``value`` of the setting ``name`` as a whole number in ``low``..``high``. Raises ``InvalidInput``."""
    found = finite(value)
    if found is None or not low <= found <= high or found != int(found):
        raise InvalidInput(name, value, f"give a whole number in {low}..{high}")
    return int(found)
