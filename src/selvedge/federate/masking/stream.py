"""Masks: the key stream of ChaCha20 (RFC 8439, by libsodium), as words that are added with wrap-around.

libsodium's stream is reached through its AEAD: a text of zeros, without the tag. It begins at block 1, for block 0 is
the tag's key. Chunk ``c`` has the nonce ``c``, so that no more than a chunk of a mask is ever in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from nacl.bindings import crypto_aead_chacha20poly1305_ietf_encrypt as encrypt

CHUNK = 1 << 17  # bytes: beside the sum's it stays in a core's own cache
_ZEROS = bytes(CHUNK)


def stream(key: bytes, chunk: int, length: int) -> bytes:
    """``length`` bytes, at most :data:`CHUNK`, of the key stream's chunk ``chunk``; the tag of 16 bytes is behind."""
    zeros = _ZEROS if length == CHUNK else _ZEROS[:length]
    return encrypt(zeros, None, chunk.to_bytes(12, "little"), key)


def mask(total: npt.NDArray[Any], keys: Iterable[tuple[bytes, bool]]) -> None:
    """Add to ``total`` (words, in place, modulo their size) the mask of each key, or subtract it where ``False``."""
    keys = list(keys)
    step = CHUNK // total.itemsize
    for chunk, start in enumerate(range(0, len(total), step)):
        part = total[start : start + step]
        for key, plus in keys:
            words = np.frombuffer(stream(key, chunk, part.nbytes), total.dtype, len(part))
            (np.add if plus else np.subtract)(part, words, out=part)
