"""Codecs by text, for messages, files of settings and command lines."""

from __future__ import annotations

from functools import lru_cache

from ...errors import InvalidInput
from .codec import Codec
from .deflate import Deflate
from .ints import Ints
from .low_rank import LowRank
from .raw import Raw
from .seeded import Seeded
from .sign import Sign
from .top import Top

PARTS = 4
FIX = (
    "give float32, float16, int8, int4, int2 or sign; before it top:SHARE+, seeded:SHARE+ or rank:K+; after it +deflate"
)
_LAST: dict[str, Codec] = {
    "float32": Raw(), "float16": Raw("float16"), "int8": Ints(8), "int4": Ints(4), "int2": Ints(2), "sign": Sign(),
}  # fmt: skip


def codec(given: Codec | str) -> Codec:
    """``given``, or what its text names, as in ``top:0.03+int4`` or ``int4+deflate``. Raises ``InvalidInput``."""
    if isinstance(given, str):
        return _named(given)
    if not isinstance(given, Codec):
        raise InvalidInput("codec", f"of type {type(given).__name__}", FIX)
    return given


@lru_cache(maxsize=64)
def _named(given: str) -> Codec:
    first, *rest = given.split("+")
    if len(rest) > PARTS:
        raise InvalidInput("codec", f"of {len(rest) + 1} parts", FIX)
    if rest and rest[-1] == "deflate":
        return Deflate(codec(given.removesuffix("+deflate")))
    if first in _LAST and not rest:
        return _LAST[first]
    name, _, number = first.partition(":")
    try:
        if rest and name == "rank":
            return LowRank(int(number), codec("+".join(rest)))
        if rest and name in ("top", "seeded"):
            return (Top if name == "top" else Seeded)(float(number), codec("+".join(rest)))
    except InvalidInput:
        raise
    except ValueError:
        pass
    raise InvalidInput("codec", given, FIX)
