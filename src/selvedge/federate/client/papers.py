"""What a device shows of itself, and what it knows of the authority that vouches for it and for the others."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from ...artifact import files
from ...errors import InvalidInput
from ..identity import armour, published
from ..identity.trust import Trust
from ..message import Refused

DIGEST = 32  # bytes before a credential that is shown: of what is known, so that no more is sent than is new


class Papers:
    """``credential``: this device's own, as it was given it. ``trust``: whom it believes; what that has learnt is in
    ``folder``, one file an authority, and outlives everything: an older list of revocations never counts again."""

    most = published.MOST  # bytes of what a server may pass on

    def __init__(
        self, credential: bytes, authority: bytes, folder: Path, clock: Callable[[], float] = time.time
    ) -> None:  # fmt: skip
        """Raises ``InvalidInput`` for a file that is damaged: without it, revoked devices would be believed."""
        self.credential = credential
        self._path = folder / f"authority-{authority.hex()[:16]}.pem"
        try:
            kept = [armour.read(armour.AUTHORITY, self._path.read_text(encoding="ascii"))]
        except FileNotFoundError:
            kept = []
        except (OSError, ValueError) as error:
            raise InvalidInput("authority", str(self._path), f"it cannot be read ({error}): ask its owner") from None
        try:
            self.trust = Trust(authority, kept, clock)
        except Refused as error:
            raise InvalidInput("authority", str(self._path), f"it is {error}: ask its owner") from None

    def shown(self) -> bytes:
        known = b"".join(self.trust.published())
        return (hashlib.sha256(known).digest() if known else bytes(DIGEST)) + self.credential

    def learn(self, data: bytes) -> None:
        """Take what a server has passed on, and keep it. Raises ``Refused``, and nothing has changed."""
        if self.trust.learn(data):
            files.write(self._path, armour.wrapped(armour.AUTHORITY, data).encode())

    def why(self) -> str:
        """Why the own credential does not count, as far as this device can tell; "" where it does."""
        try:
            self.trust.judged(self.credential)
        except Refused as error:
            return f": {error}"
        return ""
