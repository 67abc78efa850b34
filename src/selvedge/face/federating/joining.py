"""The work of ``selvedge federate join``: a device, its samples, and a server far away. Loads no torch."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...artifact import files
from ...artifact.sound import face as shape_of
from ...errors import InvalidInput
from ...federate import allowed, invitation, secret
from ...federate.client.https import Connection, join
from ...federate.client.participant import Participant
from ...federate.client.session import SessionTrainer
from ...federate.client.store import InFile
from ...federate.keys import Key
from ...learn.stream.faults import Faults
from ...learn.stream.sample import Face
from ...learn.stream.spec import parse, source
from ...run.artifact import load
from ...run.session import Session

KEY, NAME, STATE = "device.key", "name", "state"  # in a device's folder
HEAD = 1 << 16  # bytes of a message besides its body
PIECE = 0.2  # seconds between two looks at whether to stop


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a device is: a name, and a key that never leaves its folder."""

    name: str
    key: Key

    def line(self, profile: str = "") -> str:
        """What is to be added to the server's list."""
        return allowed.line(self.name, self.key.public, profile)


def identity(store: Path, name: str | None) -> Identity:
    """Of the device whose folder is ``store``; where it has none yet, a new one. Raises ``InvalidInput``, also for
    another name than the one it has."""
    path = store / NAME
    if path.is_file():
        had = allowed.name(path.read_text(encoding="utf-8").strip())
        if name is not None and name != had:
            raise InvalidInput("--name", name, f"this device is {had}: leave it out, or name another --store")
    else:
        host = "".join(c for c in socket.gethostname().partition(".")[0] if c.isascii() and (c.isalnum() or c == "-"))
        had = allowed.name(f"{host.lstrip('-')[:40] or 'device'}-{secrets.token_hex(2)}" if name is None else name)
        files.write(path, f"{had}\n".encode())
    return Identity(had, secret.key(store / KEY))


def joined(
    url: str, kit: Path, data: str, store: Path, who: Identity, *, log: Callable[[str], None],
    stop: Callable[[], bool],
) -> int:  # fmt: skip
    """Take part until the run is over or ``stop()``; how many changes the server has heard. Raises
    ``SelvedgeError``."""
    invited = invitation.read(kit)
    certificate = kit / invitation.CERTIFICATE
    connection = Connection(url, certificate if certificate.is_file() else None)
    session = load(kit / invitation.MODEL)
    x, y = samples(session, data)
    trainer = SessionTrainer(session, x, y, seed=int.from_bytes(who.key.public[:4], "little"))
    participant = Participant(who.name, who.key, bytes.fromhex(invited.server), trainer, InFile(store / STATE))
    most = 8 * 4 * trainer.layout.size + HEAD
    log(f"{who.name}: {len(x):,} samples, {invited.run} at {url}")
    refused: list[str] = []

    def heard(line: str) -> None:
        if line.startswith("refused: the server does not know"):
            if not refused:
                needed = who.line(invited.profile)
                log(f"the server does not know this device yet: its allowed.txt needs the line\n  {needed}")
            refused.append(line)
        else:
            log(line)

    def sleep(seconds: float) -> None:
        end = time.monotonic() + seconds
        while not stop() and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, PIECE))

    return join(participant, who.key, invited.run, connection, most, log=heard, sleep=sleep, ended=stop)


def samples(session: Session, data: str) -> tuple[np.ndarray, np.ndarray]:
    """x and y as the model takes them: scaled, cut and named as its manifest says. Raises ``InvalidInput``."""
    manifest = session.manifest
    dtype = np.dtype(np.float32 if manifest.preprocess is None else np.uint8)
    face = Face(shape_of(manifest.programs["predict"].inputs["x"])[1:], dtype, manifest.labels, manifest.classes)
    named = parse(data, "--data")
    if named.kind not in ("table", "arrays", "files", "lines") or named.place == "-" or "watch" in named.options:
        raise InvalidInput("--data", data, "give samples that are there: a .csv, .npz, .npy or .jsonl, or a folder")
    if not manifest.classes:
        raise InvalidInput("--device", manifest.name, "its model tells no classes apart: join learns classes alone")
    found = list(source(named, face, manifest.features, Faults(strict=True)))
    nameless = next((s.number for s in found if s.y is None), None)
    if nameless is not None:
        fix = f"sample {nameless} has no class: give each its own, of a table by label=COLUMN"
        raise InvalidInput("--data", data, fix)
    if not found or not all(np.isfinite(s.x).all() for s in found):
        raise InvalidInput("--data", data, "it holds no samples, or what is not finite: give numbers")
    return np.stack([s.x for s in found]), np.array([s.y for s in found], np.int32)
