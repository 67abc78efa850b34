"""Who said it: Ed25519 (RFC 8032), by the `cryptography` library."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ..errors import InvalidInput

SIGNATURE = 64  # bytes
PUBLIC = 32


class Key:
    """A private key. ``secret``: its 32 bytes; none: a new one."""

    def __init__(self, secret: bytes | None = None) -> None:
        if secret is not None and len(secret) != PUBLIC:
            raise InvalidInput("key", f"of {len(secret)} bytes", f"a private key has {PUBLIC}")
        self._key = Ed25519PrivateKey.generate() if secret is None else Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def secret(self) -> bytes:
        return self._key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)


def signed(data: bytes, signature: bytes, public: bytes) -> bool:
    """Whether the owner of ``public`` signed ``data``."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
