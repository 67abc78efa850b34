"""What the terms of a group say behind its codec: what all of its members learn by.

Were that each one's own, others could be asked for nothing, and the sum would be one member's.
"""

from __future__ import annotations

from ..local import Local
from ..refused import Refused
from .terms import Terms


def learnt(local: Local, window: int) -> str:
    """The steps, and which of the elements that a part of the model may have it has."""
    return f"{local.text()} {window}"


def window(terms: Terms) -> int:
    """Raises ``Refused`` for terms that :func:`learnt` has not written."""
    text = terms.codec.rpartition(" ")[2]
    if not (text.isascii() and text.isdecimal() and len(text) <= 20):
        raise Refused("terms without a window")
    return int(text)
