"""Devices of a run that an authority vouches for: each shows its credential when it comes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ...artifact import files
from ...errors import InvalidInput
from ...federate.client.papers import DIGEST
from ...federate.identity import armour
from ...federate.identity import published as publishing
from ...federate.identity.credential import Credential
from ...federate.identity.published import Published
from ...federate.identity.trust import Trust
from ...federate.message import Refused

OFTEN = 0.5  # seconds between two looks at the authority's file
AGAIN = 10.0  # and between two looks at which credentials have ended


def read(path: Path) -> Published:
    """What an authority's file says. Raises ``InvalidInput``."""
    try:
        return publishing.read(armour.read(armour.AUTHORITY, path.read_text(encoding="ascii")))
    except (OSError, ValueError) as error:
        fix = f"it cannot be read ({error}): give the authority.pem of its folder"
        raise InvalidInput("--authority", str(path), fix) from None


class Enrolled:
    """Of the authority whose file is ``path``; the newest credential of each device is kept in ``folder``, so that a
    server that comes back knows its devices. ``keys`` and ``parts``: of those that count now, by name.

    :meth:`present` is called by the thread that answers devices, all else by the one that runs the rounds. now_known:
    told when a device has been added, before it is answered.
    """

    def __init__(
        self, path: Path, folder: Path, profiles: Sequence[str], note: Callable[[str], None],
        clock: Callable[[], float] = time.time, now_known: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """Raises ``InvalidInput`` for a file that is no authority's."""
        self._path, self._folder, self._profiles, self._note = path, folder, tuple(profiles), note
        self._lock, self.now_known = threading.Lock(), now_known
        self._stamp, self._looked, self._judged = self._stat(), time.monotonic(), time.monotonic()
        first = read(path)
        self.root = first.root
        self._trust = Trust(first.root, [first.packed()], clock)
        self._told: set[str] = set()
        self._of: dict[str, Credential] = {}
        self._fresh = False  # whether somebody has come since the last look
        for file in sorted(folder.glob("*.pem")) if folder.is_dir() else ():
            with contextlib.suppress(Refused, OSError, UnicodeError):  # who has ended, or comes again
                self._take(armour.read(armour.CREDENTIAL, file.read_text(encoding="ascii")))
        self._warn()

    @property
    def keys(self) -> dict[str, bytes]:
        with self._lock:
            return {name: c.public for name, c in self._of.items()}

    @property
    def certificates(self) -> dict[str, bytes]:
        """What each shows of itself."""
        with self._lock:
            return {name: c.data for name, c in self._of.items()}

    @property
    def parts(self) -> dict[str, str]:
        with self._lock:
            return {name: c.profile or self._profiles[0] for name, c in self._of.items()}

    def present(self, shown: bytes) -> tuple[int, bytes]:
        """(200, what the authority has published), 204 for who knows that already, 403 for whom it does not vouch."""
        try:
            with self._lock:
                added = self._take(shown[DIGEST:])
                data = b"".join(self._trust.published())
        except Refused as error:
            self._note(f"refused: {error}")
            return 403, b""
        if added is not None:
            files.write(self._folder / f"{added.name}.pem", armour.wrapped(armour.CREDENTIAL, added.data).encode())
            self.now_known()
        return (204, b"") if hashlib.sha256(data).digest() == shown[:DIGEST] else (200, data)

    def changed(self) -> bool:
        """Whether others count than at the last look."""
        now = time.monotonic()
        if now - self._looked < OFTEN:
            return False
        self._looked = now
        anew, self._fresh = self._fresh, False
        if self._learnt() or now - self._judged >= AGAIN:
            self._judged = now
            anew |= self._judge()
            self._warn()
        return anew

    def _take(self, data: bytes) -> Credential | None:
        """The device whose credential this is, where it is new here. Raises ``Refused``."""
        found = self._trust.judged(data)
        if found.profile and found.profile not in self._profiles:
            raise Refused(f"{found.name} is a {found.profile}; this run has {', '.join(sorted(self._profiles))}")
        had = self._of.get(found.name)
        if had is not None and (had.serial >= found.serial or had.data == found.data):
            return None
        if any(c.public == found.public and name != found.name for name, c in self._of.items()):
            raise Refused(f"{found.name} has the key of another device")
        self._of[found.name] = found
        self._fresh = True
        return found

    def _learnt(self) -> bool:
        stamp = self._stat()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            found = read(self._path)
            with self._lock:
                return self._trust.learn(found.packed())
        except (InvalidInput, Refused) as error:
            self._note(f"{self._path.name}: {error}; what was known before counts")
            return False

    def _judge(self) -> bool:
        """Put out who does not count any more; whether somebody was."""
        gone = []
        with self._lock:
            for name, c in list(self._of.items()):
                try:
                    self._trust.judged(c.data)
                except Refused as error:
                    del self._of[name]
                    gone.append(str(error))
        for why in gone:
            self._note(f"put out: {why}")
        return bool(gone)

    def _warn(self) -> None:
        for said in self._trust.said():
            if said not in self._told:
                self._told.add(said)
                self._note(f"{said}: ask for a newer one")

    def _stat(self) -> tuple[int, int]:
        with contextlib.suppress(OSError):
            found = os.stat(self._path)
            return found.st_mtime_ns, found.st_size
        return 0, 0
