"""A grey picture as an inline PNG."""

from __future__ import annotations

import base64
import struct
import zlib
from html import escape

import numpy as np
import numpy.typing as npt


def pixels(picture: npt.NDArray[np.uint8], title: str) -> str:
    """An ``<img>`` of a grey picture uint8 [H,W]."""
    code = base64.b64encode(_png(picture)).decode()
    return f'<img class="pixels" alt="{escape(title)}" src="data:image/png;base64,{code}">'


def _png(picture: npt.NDArray[np.uint8]) -> bytes:
    """An 8-bit greyscale PNG (ISO/IEC 15948): every row with filter 0."""
    height, width = picture.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = np.pad(picture, ((0, 0), (1, 0))).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
