"""Who takes part in a round: each by a lot of its own, independent of all others (Poisson sampling)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from math import isfinite

from ...errors import InvalidInput


def takes_part(secret: bytes, label: str, rate: float) -> bool:
    """Whether the lot of whoever holds ``secret`` says yes, with probability ``rate`` (to 2**-64): the same each time
    for the same ``label``, say a run and a round, so that asking again is no second chance. Who does not have the
    secret can neither foresee nor choose it."""
    word = hashlib.blake2b(label.encode(), key=secret[:64], digest_size=8, person=b"selvedge lot").digest()
    return int.from_bytes(word, "little") < int(checked(rate) * 2**64)


def cohort(secret: bytes, label: str, names: Iterable[str], rate: float) -> list[str]:
    """Those of ``names`` whose lot says yes, in order: a cohort of no fixed size, it may be empty. secret: the
    server's, where it is trusted with who takes part; else each device asks :func:`takes_part` with its own."""
    return [name for name in sorted(names) if takes_part(secret, f"{label} {name}", rate)]


def checked(rate: float) -> float:
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not isfinite(rate) or not 0 < rate <= 1:
        raise InvalidInput("rate", rate, "give a probability above 0, at most 1")
    return float(rate)
