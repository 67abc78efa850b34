"""Codecs by text, for command lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import InvalidInput
from .affine import Affine
from .bits import Bits
from .codec import Codec, checked
from .raw import Raw
from .smaller import Smaller

WIDTHS = {"int8": 8, "int4": 4, "2bit": 2, "1bit": 1}
FACTORS = {"half": 2, "third": 3, "quarter": 4}
NAMES = ("raw", "float16", *WIDTHS)


def codec(given: Codec | str, dtype: np.dtype[Any]) -> Codec:
    """``given``, or what its text names: ``raw``, ``float16``, ``int8``, ``int4``, ``2bit``, ``1bit``; in front of
    one of them ``half+``, ``third+`` or ``quarter+``: so many times smaller along height and width.

    dtype: of the samples. The codes of uint8 are over 0..255, those of all else over each sample's own range.
    Raises ``InvalidInput`` for anything else.
    """
    if not isinstance(given, str):
        checked("codec", given)
        return given
    *factors, last = given.split("+")
    names = [name for name in NAMES if name != "float16" or dtype.kind == "f"]
    if last not in names or not FACTORS.keys() >= set(factors):
        raise InvalidInput("codec", given, f"give one of {', '.join(names)}, or half+, third+ or quarter+ one of them")
    made: Codec
    if last in WIDTHS:
        made = Affine(WIDTHS[last]) if dtype == np.uint8 else Bits(WIDTHS[last])
    else:
        made = Raw() if last == "raw" else Raw(last)
    for factor in reversed(factors):
        made = Smaller(FACTORS[factor], made)
    return made
