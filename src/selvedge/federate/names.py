"""Names of many devices in order, without an object for each."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np
import numpy.typing as npt

Names = npt.NDArray[np.bytes_]
AT_ONCE = 1024


def names(given: Iterable[str]) -> Names:
    """In UTF-8, in the order that ``sorted`` has. No name has a zero byte at its end."""
    rest, parts = iter(given), [np.zeros(0, "S1")]
    while part := list(islice(rest, AT_ONCE)):
        parts.append(np.array([name.encode() for name in part], np.bytes_))
    made = np.concatenate(parts)
    made.sort(kind="stable")
    return made
