"""Who said it: Ed25519 (RFC 8032), by libsodium: a megabyte on a device, where `cryptography` takes eight."""

from __future__ import annotations

import secrets
from typing import Protocol

from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import CryptoError

from ..errors import InvalidInput

SIGNATURE = 64  # bytes
PUBLIC = 32  # and of a secret


class Signer(Protocol):
    """A private key, wherever it lies: here (:class:`Key`), or in a module that does not give it away."""

    @property
    def public(self) -> bytes: ...

    def sign(self, data: bytes) -> bytes:
        """Ed25519 (RFC 8032), 64 bytes."""
        ...


class Key:
    """A private key. ``secret``: its 32 bytes; none: a new one."""

    def __init__(self, secret: bytes | None = None) -> None:
        self.secret = secrets.token_bytes(PUBLIC) if secret is None else bytes(secret)
        if len(self.secret) != PUBLIC:
            raise InvalidInput("key", f"of {len(self.secret)} bytes", f"a private key has {PUBLIC}")
        self.public, self._pair = crypto_sign_seed_keypair(self.secret)

    def sign(self, data: bytes) -> bytes:
        return crypto_sign(data, self._pair)[:SIGNATURE]


def signed(data: bytes, signature: bytes, public: bytes) -> bool:
    """Whether the owner of ``public`` signed ``data``."""
    try:
        crypto_sign_open(signature + data, public)
    except (CryptoError, ValueError):
        return False
    return True
