"""The body of an update: a change, and where it is asked for the change of the control variate behind it."""

from __future__ import annotations

import struct

from .codec.codec import Codec, Malformed, Shapes, Vector

_LENGTH = struct.Struct("<I")


def packed(change: bytes, control: bytes | None) -> bytes:
    return change if control is None else _LENGTH.pack(len(change)) + change + control


def unpacked(body: bytes, codec: Codec, shapes: Shapes, seed: int, control: bool) -> tuple[Vector, Vector | None]:
    """(change, control), float32. Raises ``Malformed``."""
    if not control:
        return codec.decode(body, shapes, seed), None
    if len(body) < _LENGTH.size:
        raise Malformed("a body that ends early")
    (length,) = _LENGTH.unpack_from(body)
    first, second = body[_LENGTH.size : _LENGTH.size + length], body[_LENGTH.size + length :]
    return codec.decode(first, shapes, seed), codec.decode(second, shapes, seed)


def most(codec: Codec, shapes: Shapes, control: bool) -> int:
    """Bytes that no body exceeds."""
    return codec.most(shapes) * (2 if control else 1) + (_LENGTH.size if control else 0)
