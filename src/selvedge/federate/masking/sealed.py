"""What one member says to another through the server: ChaCha20-Poly1305 (RFC 8439, by libsodium), under their key of
this round and of this direction."""

from __future__ import annotations

import secrets

from nacl.bindings import crypto_aead_chacha20poly1305_ietf_decrypt as decrypt
from nacl.bindings import crypto_aead_chacha20poly1305_ietf_encrypt as encrypt
from nacl.exceptions import CryptoError

from ..message import Refused
from .agreement import SEED, agreed

NONCE, TAG = 12, 16
PAIR = 2 * SEED  # bytes: a share of the mask key's seed, and one of the own mask's
SEALED = NONCE + PAIR + TAG


def sealed(secret: bytes, other: bytes, sender: int, receiver: int, pair: bytes) -> bytes:
    """``pair`` for the owner of the public key ``other``. ``sender``, ``receiver``: places in the cohort."""
    nonce = secrets.token_bytes(NONCE)
    return nonce + encrypt(pair, None, nonce, _key(secret, other, sender, receiver))


def opened(secret: bytes, other: bytes, sender: int, receiver: int, data: bytes) -> bytes:
    """Raises :class:`Refused` for what the owner of ``other`` did not seal."""
    key = _key(secret, other, sender, receiver)
    try:
        return bytes(decrypt(data[NONCE:], None, data[:NONCE], key))
    except (CryptoError, ValueError):
        raise Refused("a share that was changed on its way") from None


def _key(secret: bytes, other: bytes, sender: int, receiver: int) -> bytes:
    return agreed(secret, other, b"selvedge share %d %d" % (sender, receiver))
