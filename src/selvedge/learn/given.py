"""What users and saved states give to the parts of a learner, before anything takes it over."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..artifact.number import finite
from ..errors import InvalidInput

State: TypeAlias = Mapping[str, npt.NDArray[Any]]


def whole(field: str, value: Any) -> int:
    """What counts as an index: an int, numpy's or torch's. Raises ``InvalidInput``."""
    try:
        return index(value)
    except TypeError:
        raise InvalidInput(field, value, "give a whole number") from None


def share(field: str, value: Any) -> float:
    """A number between 0 and 1, neither of them. Raises ``InvalidInput``."""
    found = finite(value)
    if found is not None and 0 < found < 1:
        return found
    raise InvalidInput(field, value, "give a number between 0 and 1")


def all_finite(array: npt.NDArray[Any]) -> bool:
    """Whether no number of it is NaN or Inf; whole ones never are."""
    if array.dtype.kind not in "fc":
        return True
    return bool(np.count_nonzero(np.isfinite(array)) == array.size)  # as all() has it, in a third of the time


def fitting(what: str, mine: State, theirs: Any) -> None:
    """Raises ``InvalidInput`` unless ``theirs`` is a mapping with the names, shapes and dtypes of ``mine``."""
    if not isinstance(theirs, Mapping):
        raise InvalidInput(what, f"of type {type(theirs).__name__}", "give what state_dict() gave")
    if theirs.keys() != mine.keys():
        raise InvalidInput(what, f"of names {sorted(map(str, theirs))}", f"give {sorted(mine)}")
    for name, array in mine.items():
        found = theirs[name]
        if not isinstance(found, np.ndarray | np.generic):
            raise InvalidInput(f"{what} {name}", f"of type {type(found).__name__}", "give an array of numpy's")
        if found.shape != array.shape or found.dtype != array.dtype:
            wanted = f"{array.dtype}{list(array.shape)}"
            raise InvalidInput(f"{what} {name}", f"{found.dtype}{list(found.shape)}", f"give {wanted}")
