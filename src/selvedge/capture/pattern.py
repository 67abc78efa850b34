"""One pattern of an update: a name or glob, and how much of what it matches learns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from ..errors import InvalidInput
from .part import Part

SPELLING = 'write a part as "name[:25%]" or "name[:16]": its first input channels'
_PART = re.compile(r"(.*)\[:([^\]]*)\]")
_SHARE, _COUNT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?)%"), re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Pattern:
    """``text``: as the user wrote it. ``glob``: what names have to match. A ``share`` (0 to 1) or a ``count`` of their
    input channels learns, or all of them."""

    text: str
    glob: str
    share: Fraction | None = None
    count: int | None = None

    @property
    def whole(self) -> bool:
        """Whether all of a parameter learns."""
        return self.count is None and self.share in (None, 1)

    def of(self, name: str, found: Part | str) -> Part | None:
        """The part of parameter ``name`` that learns; None for all of it. found: what
        :func:`selvedge.capture.part.channels` says. Raises ``InvalidInput`` where it has no such part; where a glob
        matched it, a count is a bound."""
        if self.whole:
            return None
        if isinstance(found, str):
            raise InvalidInput("update", repr(self.text), f"{name} has no part to learn ({found}): give it whole")
        count = self.count if self.share is None else ceil(self.share * found.of)
        assert count is not None
        if count > found.of and not any(sign in self.glob for sign in "*?["):
            raise InvalidInput("update", repr(self.text), f"it has {found.of} input channels: give at most those")
        return None if count >= found.of else Part(found.axis, count, found.of)


def pattern(text: str) -> Pattern:
    """Raises ``InvalidInput`` for a part that is spelt wrong."""
    part = _PART.fullmatch(text)
    if part is None:
        return Pattern(text, text)
    glob, amount = part[1], part[2].strip()
    if share := _SHARE.fullmatch(amount):
        given = Fraction(share[1]) / 100
        if 0 < given <= 1:
            return Pattern(text, glob, share=given)
    elif _COUNT.fullmatch(amount) and int(amount):
        return Pattern(text, glob, count=int(amount))
    raise InvalidInput("update", repr(text), f"{SPELLING}, more than none and at most 100%")
