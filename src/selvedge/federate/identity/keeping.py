"""Where a private key is kept, and the one that is to follow it: a file that only its owner reads, or a module.

STEM.key      the key, in hexadecimal, mode 0600
STEM.pkcs11   or where it is, as a PKCS #11 URI: the key itself is in the module
STEM.next.*   the same of the key that follows, until it does
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ...artifact import files
from ...errors import InvalidInput
from .. import secret
from ..keys import Signer

if TYPE_CHECKING:
    from .token import TokenKey

Pin = Callable[[str], str]  # a token's label -> its PIN
KEY, MODULE = ".key", ".pkcs11"


class Keeping:
    """The keys of ``folder``: ``stem`` and its successor. pin: asked for the PIN of a token, where a key is in one."""

    def __init__(self, folder: Path, stem: str, pin: Pin) -> None:
        self._folder, self._stem, self._pin = folder, stem, pin
        self._tokens: list[TokenKey] = []

    def present(self, uri: str | None = None) -> Signer:
        """The key; where there is none, a new one, in the module that ``uri`` names or in a file. Raises
        ``InvalidInput``, also for another place than where it is."""
        return self._opened(self._stem, uri, create=True)

    def there(self) -> bool:
        return self._there(self._stem)

    def next(self, uri: str | None = None) -> Signer:
        """The key that is to follow, made where it is not there yet. One in a module is followed by one in a module."""
        if uri is None and (self._folder / f"{self._stem}{MODULE}").exists() and not self._there(self._next):
            fix = "its key is in a module: name where the next one is to be, as pkcs11:token=T;object=NEW"
            raise InvalidInput("--pkcs11", "missing", fix)
        return self._opened(self._next, uri, create=True)

    def following(self) -> Signer | None:
        """The key that is to follow, where one was made."""
        return self._opened(self._next, None, create=False) if self._there(self._next) else None

    def advance(self) -> None:
        """The next key is the present one from now on; of a file, the old one is gone."""
        for ending, other in ((KEY, MODULE), (MODULE, KEY)):
            if (self._folder / f"{self._next}{ending}").exists():
                os.replace(self._folder / f"{self._next}{ending}", self._folder / f"{self._stem}{ending}")
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._folder / f"{self._stem}{other}")

    def give_up(self) -> None:
        """The next key is none: it has never counted."""
        for ending in (KEY, MODULE):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._folder / f"{self._next}{ending}")

    def close(self) -> None:
        """Let go of the tokens: a process that has a session open signs without a PIN."""
        for key in self._tokens:
            key.close()
        self._tokens.clear()

    def _kept(self, key: TokenKey) -> TokenKey:
        self._tokens.append(key)
        return key

    @property
    def _next(self) -> str:
        return f"{self._stem}.next"

    def _there(self, stem: str) -> bool:
        return any((self._folder / f"{stem}{ending}").exists() for ending in (KEY, MODULE))

    def _opened(self, stem: str, uri: str | None, create: bool) -> Signer:
        file, place = self._folder / f"{stem}{KEY}", self._folder / f"{stem}{MODULE}"
        if place.exists():
            from . import token

            had = place.read_text(encoding="utf-8").strip()
            if uri is not None and uri != had:
                raise InvalidInput("--pkcs11", uri, f"the key is at {had}: leave the option out")
            return self._kept(token.opened(had, self._pin))
        if uri is None or file.exists():
            if uri is not None:
                raise InvalidInput("--pkcs11", uri, f"the key is the file {file}: leave the option out, or renew it")
            return secret.key(file)
        from . import token

        found = self._kept(token.opened(uri, self._pin, create=create))
        files.write(place, f"{uri}\n".encode())
        return found
