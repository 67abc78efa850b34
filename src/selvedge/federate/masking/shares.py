"""Shamir's shares of 16 bytes, over GF(2**128) with the polynomial 1 + x + x**2 + x**7 + x**128, by pycryptodome.

pycryptodome's own ``combine`` works out Lagrange's coefficients for every secret again: 2.2 s of each at 257 shares.
They are of who answered and not of the secret: :class:`Recovery` has them once, and gives what ``combine`` gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from .agreement import SEED

_POLYNOMIAL = 1 << 128 | 0x87
_BITS = 8 * SEED


def split(secret: bytes, threshold: int, members: int) -> list[bytes]:
    """The share of each of ``members``: any ``threshold`` of them give ``secret`` (16 bytes), fewer say nothing of it.

    Raises ``InvalidInput`` where pycryptodome is not installed.
    """
    try:
        from Crypto.Protocol.SecretSharing import Shamir
    except ImportError:
        raise InvalidInput("secure", "without pycryptodome", 'pip install "selvedge[secure]"') from None
    return [share for _, share in Shamir.split(threshold, members, secret)]


class Recovery:
    """Secrets from the shares of the members ``places`` (indices from 0, as many as the threshold).

    A secret is a sum over GF(2**128) of shares times Lagrange's coefficients at 0, so each of its bits is the parity of
    some bits of the shares: for each bit of each share stands what it adds.
    """

    def __init__(self, places: Sequence[int]) -> None:
        self.places = tuple(places)
        rows: list[int] = []
        for coefficient in _at_zero([place + 1 for place in places]):
            row = [coefficient]
            for _ in range(_BITS - 1):
                row.append(_twice(row[-1]))
            rows += reversed(row)  # a share's first bit is its highest
        data = b"".join(row.to_bytes(SEED, "big") for row in rows)
        self._rows = np.frombuffer(data, np.uint64).reshape(-1, 2)

    def secret(self, shares: npt.NDArray[np.uint8]) -> bytes:
        """``shares``: [places, 16]."""
        bits = np.unpackbits(shares.reshape(-1)).view(bool)
        return bytes(np.bitwise_xor.reduce(self._rows[bits], axis=0).tobytes())


def _at_zero(points: Sequence[int]) -> list[int]:
    """Lagrange's coefficients at 0: of each x_j, prod x_m / prod (x_j - x_m) over the others; minus is exclusive or."""
    whole, below = 1, []
    for x in points:
        whole = _times(whole, x)
        product = x
        for other in points:
            if other != x:
                product = _times(product, other ^ x)
        below.append(product)
    return [_times(whole, inverse) for inverse in _inverses(below)]


def _inverses(elements: list[int]) -> list[int]:
    """Of all of them with one inversion (Montgomery's trick)."""
    before = [1]
    for element in elements:
        before.append(_times(before[-1], element))
    rest = _inverse(before[-1])
    found: list[Any] = [0] * len(elements)
    for i in reversed(range(len(elements))):
        found[i] = _times(rest, before[i])
        rest = _times(rest, elements[i])
    return found


def _inverse(element: int) -> int:
    """By Euclid's algorithm: ``left`` times the element is ``a`` modulo the polynomial, all the time."""
    a, b, left, right = element, _POLYNOMIAL, 1, 0
    while a != 1:
        shift = a.bit_length() - b.bit_length()
        if shift < 0:
            a, b, left, right, shift = b, a, right, left, -shift
        a ^= b << shift
        left ^= right << shift
    return left


def _times(a: int, b: int) -> int:
    if b > a:
        a, b = b, a
    product = 0
    while b:
        if b & 1:
            product ^= a
        b >>= 1
        a <<= 1
        if a >> _BITS:
            a ^= _POLYNOMIAL
    return product


def _twice(a: int) -> int:
    a <<= 1
    return a ^ _POLYNOMIAL if a >> _BITS else a
