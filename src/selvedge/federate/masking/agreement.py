"""Two keys, one secret: X25519 (RFC 7748, by libsodium) and HKDF-SHA256 (RFC 5869)."""

from __future__ import annotations

import hashlib
import hmac

from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.exceptions import CryptoError, RuntimeError

from ..message import Refused

KEY = 32  # bytes, of a secret and of a public key
SEED = 16  # bytes: what Shamir's shares are of


def hkdf(secret: bytes, info: bytes, salt: bytes = b"", length: int = KEY) -> bytes:
    """HKDF-SHA256 of ``secret``: ``length`` bytes, at most 255 digests."""
    made, block = b"", b""
    pseudorandom = hmac.digest(salt or bytes(hashlib.sha256().digest_size), secret, "sha256")
    for i in range(1, -(-length // hashlib.sha256().digest_size) + 1):
        block = hmac.digest(pseudorandom, block + info + bytes([i]), "sha256")
        made += block
    return made[:length]


def public(secret: bytes) -> bytes:
    """The X25519 public key of ``secret``."""
    return bytes(crypto_scalarmult_base(secret))


def agreed(secret: bytes, other: bytes, info: bytes) -> bytes:
    """The key that the owner of ``secret`` and that of the public key ``other`` have for ``info``.

    Raises :class:`Refused` for a public key of small order, whose secret everybody knows.
    """
    try:
        return hkdf(crypto_scalarmult(secret, other), info)
    except (CryptoError, RuntimeError):
        raise Refused("a public key of small order") from None


def mask_secret(seed: bytes) -> bytes:
    """The X25519 secret of masks that a seed stands for: who recovers the seed has it."""
    return hkdf(seed, b"selvedge mask secret")


def between(secret: bytes, other: bytes, i: int, j: int) -> bytes:
    """The key of the mask that members ``i`` and ``j`` share."""
    low, high = min(i, j), max(i, j)
    return agreed(secret, other, b"selvedge mask %d %d" % (low, high))


def own_mask(seed: bytes) -> bytes:
    """The key of a member's own mask."""
    return hkdf(seed, b"selvedge own mask")


def commitment(seed: bytes) -> bytes:
    """What a member says of its own mask's seed before it shares it: false shares of it are found out."""
    return hkdf(seed, b"selvedge commitment")
