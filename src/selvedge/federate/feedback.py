"""What compression left out is added to the next change (Seide et al. 2014; Karimireddy et al., arXiv:1901.09847)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..learn.draws import Draws
from .codec.codec import Codec, Shapes, Vector
from .codec.raw import Raw
from .codec.top import Top


@dataclass(frozen=True, slots=True)
class Sent:
    """``data``: on the wire. ``left``: float32, what it does not say, for when it was taken."""

    data: bytes
    left: Vector


def encoded(change: Vector, left: Vector | None, codec: Codec, shapes: Shapes, seed: int, draws: Draws) -> Sent:
    """``change`` and what was ``left`` of earlier ones. Who sends keeps the new rest only once it was taken: a change
    that nobody used is no part of the sum, and what was left before it still is."""
    whole = change if left is None else change + left
    if isinstance(codec, Top):
        return Sent(*codec.parted(whole, seed, draws))
    data = codec.encode(whole, shapes, seed, draws)
    if codec == Raw():
        return Sent(data, np.broadcast_to(np.float32(0), whole.shape))  # nothing, and it takes no room
    return Sent(data, np.asarray(whole - codec.decode(data, shapes, seed), np.float32))
