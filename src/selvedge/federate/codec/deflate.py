"""What another codec made, without its repetition."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from ...learn.draws import Draws
from .codec import Codec, Malformed, Shapes, Vector

LEVEL = 9
OVERHEAD = 64  # what stored blocks and the checksum may take, besides 5 bytes in every 16,000


@dataclass(frozen=True, slots=True)
class Deflate:
    """zlib (RFC 1950) over ``inner``: entropy coding by Huffman's codes. Codes of few bits whose values are uneven
    become smaller; what is random does not."""

    inner: Codec

    def __str__(self) -> str:
        return f"{self.inner}+deflate"

    def encode(self, values: Vector, shapes: Shapes, seed: int, draws: Draws) -> bytes:
        return zlib.compress(self.inner.encode(values, shapes, seed, draws), LEVEL)

    def decode(self, data: bytes, shapes: Shapes, seed: int) -> Vector:
        reading = zlib.decompressobj()
        most = self.inner.most(shapes)
        try:
            found = reading.decompress(data, most + 1)
        except zlib.error as error:
            raise Malformed(f"not deflated ({error})") from None
        if len(found) > most or not reading.eof or reading.unused_data:
            raise Malformed(f"deflated bytes that do not end at {most:,} B or before")
        return self.inner.decode(found, shapes, seed)

    def most(self, shapes: Shapes) -> int:
        inner = self.inner.most(shapes)
        return inner + OVERHEAD + inner // 1000
