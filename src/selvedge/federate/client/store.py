"""What a device keeps between tasks: small, and whole or as it was."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

from ...learn.journal.record import FRAME, framed, is_whole, read
from .. import secret

if TYPE_CHECKING:
    from .witness import Witness

Arrays = Mapping[str, npt.NDArray[Any]]
PERSONAL = "personal/"  # before the names of layers that stay on a device
VOLATILE = "volatile"  # of a head: what is not to come back with a copy, nor behind a power cut
TOKEN = "token"  # beside it: of this record


class Store(Protocol):
    def load(self) -> tuple[Mapping[str, Any], Arrays] | None:
        """(head, arrays) as they were saved last; None where nothing was."""
        ...

    def save(self, head: Mapping[str, Any], arrays: Arrays) -> None: ...


def personal_of(store: Store) -> Arrays | None:
    """The layers that stay on a device, by name, as its last answer left them; None before the first."""
    kept = store.load()
    if kept is None:
        return None
    return {n.removeprefix(PERSONAL): a for n, a in kept[1].items() if n.startswith(PERSONAL)} or None


class InMemory:
    """Of simulated devices."""

    def __init__(self) -> None:
        self._kept: tuple[Mapping[str, Any], Arrays] | None = None

    def load(self) -> tuple[Mapping[str, Any], Arrays] | None:
        return self._kept

    def save(self, head: Mapping[str, Any], arrays: Arrays) -> None:
        self._kept = head, {n: a.copy() for n, a in arrays.items()}


class InFile:
    """One file, written beside and renamed, which nobody but its owner reads: a record as a journal has it, with its
    checksum.

    What a process has left that was killed while it wrote is deleted by the next one: secrets of a round may be in it.

    A file that the disk has damaged is moved to NAME.damaged, ``log`` is told so in a line, and the device goes on as
    one that has nothing: what error feedback had left is lost, and the run is not.

    What a head has as :data:`VOLATILE` counts in the last record alone that was written here, and while the machine
    runs (:mod:`.witness`). A disk that has lost that one, or a copy that was brought back, would have a device mask
    twice with the keys of one round; without them it is lost in that round, which ``log`` is told.
    """

    def __init__(self, path: Path, log: Callable[[str], None] = lambda line: None) -> None:
        self._path, self._log = path, log
        secret.sweep(path)
        self._witness: Witness | None = None  # a device of other runs is to have the memory

    def load(self) -> tuple[Mapping[str, Any], Arrays] | None:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        payload = data[FRAME.size :]
        number, length, check = FRAME.unpack_from(data) if len(data) >= FRAME.size else (0, -1, 0)
        if not is_whole(number, length, check, payload):
            aside = self._path.with_name(f"{self._path.name}.damaged")
            os.replace(self._path, aside)
            self._log(f"device state is {self._path}: it was damaged, and lies at {aside.name} now; it begins anew")
            return None
        found = read(0, payload)
        head = dict(found.head)
        token = head.pop(TOKEN, "")
        if VOLATILE in head and not self._beside().saw(token):
            del head[VOLATILE]
            self.save(head, found.arrays)  # nor are the secrets of that round to be found here
            self._log(f"device state is {self._path}: an older one came back; a round that was under way is lost")
        return head, found.arrays

    def save(self, head: Mapping[str, Any], arrays: Arrays) -> None:
        if VOLATILE not in head:
            secret.keep(self._path, b"".join(framed(0, dict(head), arrays)))
            if self._witness is not None:
                self._witness.clear()
            return
        token = secrets.token_hex(16)
        secret.keep(self._path, b"".join(framed(0, {**head, TOKEN: token}, arrays)))
        self._beside().note(token)

    def _beside(self) -> Witness:
        from .witness import Witness

        if self._witness is None:
            self._witness = Witness(self._path)
        return self._witness
