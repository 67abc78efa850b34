"""Rows of small grey pictures beside words: an SVG that is light or dark as the reader's is."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from selvedge.draw.standalone import WIDTH, sheet, text

TILE, GAP, TOP, LABEL = 64, 6, 52, 392  # pixels
Picture = npt.NDArray[np.uint8]


def strip(title: str, rows: Sequence[tuple[str, str, Sequence[Picture]]]) -> str:
    """rows: what is said beside it, and under that, and its pictures."""
    made = []
    for number, (label, more, pictures) in enumerate(rows):
        y = TOP + number * (TILE + GAP)
        made.append(text(20, y + 28, label, "f-ink small"))
        made.append(text(20, y + 46, more, "f-quiet small"))
        for i, picture in enumerate(pictures):
            x = LABEL + i * (TILE + GAP)
            assert x + TILE <= WIDTH
            made.append(
                f'<image x="{x}" y="{y}" width="{TILE}" height="{TILE}" style="image-rendering:pixelated" '
                f'href="data:image/png;base64,{base64.b64encode(png(picture)).decode()}"/>'
            )
    return sheet(title, TOP + len(rows) * (TILE + GAP) + 10, made)


def png(picture: Picture) -> bytes:
    """A greyscale PNG of 16 greys (ISO/IEC 15948), [height, an even width], not compressed: the same bytes with every
    zlib."""
    height, width = picture.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    greys = np.rint(picture / 17).astype(np.uint8)
    lines = np.pad(greys[:, ::2] << 4 | greys[:, 1::2], ((0, 0), (1, 0))).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 4, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 0)) + chunk(b"IEND", b"")
