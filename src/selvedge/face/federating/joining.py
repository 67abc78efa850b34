"""The work of ``selvedge federate join``: a device, its samples, and a server far away. Loads neither torch nor what
draws a command line: on a small device each megabyte counts."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...artifact import files
from ...artifact.sound import face as shape_of
from ...errors import InvalidInput
from ...federate import allowed, invitation
from ...federate.client.https import Connection, join
from ...federate.client.participant import Participant
from ...federate.client.session import SessionTrainer
from ...federate.client.store import InFile
from ...federate.client.trainer import Trainer
from ...federate.identity.keeping import Keeping
from ...federate.keys import Signer
from ...federate.message import Refused
from ...learn.stream.faults import Faults
from ...learn.stream.sample import Face
from ...learn.stream.spec import parse, source
from ...run.artifact import load_native
from ...run.session import Session
from .. import place
from ..stopping import stopping
from .pin import pin

if TYPE_CHECKING:
    from ...federate.client.masking import Masking
    from ...federate.client.papers import Papers

# What only some runs need - an authority, masks - is loaded where it is: a device of another run is to have the memory.
STEM, NAME, STATE = "device", "name", "state"  # in a device's folder: its key, and the rest
LOCK = "taking-part"
BUDGET = "budget.json"  # what was told of the device's owner, and how much may be
REQUEST, CREDENTIAL = "request.pem", "credential.pem"
HEAD = 1 << 16  # bytes of a message besides its body
GIVE = "a .csv, .npz, .npy or .jsonl, or a folder of images or .wav"
ELSEWHERE = ("-", "mqtt", "mqtts", "camera", "microphone")  # what a stream may be besides
SPENT, STOPPED = 3, 130  # exit codes
PIECE = 0.2  # seconds between two looks at whether to stop


@contextmanager
def alone(store: Path) -> Iterator[None]:
    """No other process takes part out of ``store``: each would answer for itself, by the same name and the same keys.
    Raises ``InvalidInput``."""
    store.mkdir(parents=True, exist_ok=True)
    handle = os.open(store / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fix = "another selvedge federate join takes part out of it: end that one, or name another --store"
            raise InvalidInput("--store", str(store), fix) from None
        yield
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True)
class Line:
    """What the command was given."""

    store: Path
    url: str | None = None
    data: str | None = None
    device: Path | None = None
    name: str | None = None
    enrol: bool = False
    as_json: bool = False
    renew: bool = False
    credential: Path | None = None
    pkcs11: str | None = None
    pin_file: Path | None = None
    members: str | None = None
    budget: str | None = None


def run(line: Line) -> tuple[int, str]:
    """Take part as ``line`` says, or print the device's line for the server's list; the exit code, and why it is not 0:
    it was interrupted, or its budget is spent. Raises ``SelvedgeError``."""
    if not line.enrol:
        for field, value in (("URL", line.url), ("--data", line.data), ("--device", line.device)):
            if value is None:
                fix = "give it; or --enrol, to print the line for the server's list alone"
                raise InvalidInput(field, "missing", fix)
    if line.renew and not line.enrol:
        raise InvalidInput("--renew", "without --enrol", "give both: another key is asked for, and this one signs that")
    device = line.device
    profile = "" if device is None or not device.is_dir() else invitation.read(device).profile
    if line.store.exists() and not line.store.is_dir():
        raise InvalidInput("--store", line.store, "it is a file: name a folder")
    place.writable("--store", line.store / NAME)
    with closing(Keeping(line.store, STEM, pin(line.pin_file))) as keys:
        return _with(line, keys, profile)


def _with(line: Line, keys: Keeping, profile: str) -> tuple[int, str]:
    if line.renew and not keys.there():
        raise InvalidInput("--renew", str(line.store), "there is no key yet that another could follow: leave it out")
    who = identity(line.store, line.name, keys, None if line.renew else line.pkcs11, line.credential)
    if line.enrol:
        key = keys.next(line.pkcs11) if line.renew else who.key
        from ...federate.identity import armour, request

        asked = request.made(who.name, profile, int(time.time()), key, who.key if line.renew else None)
        files.write(line.store / REQUEST, armour.wrapped(armour.REQUEST, asked).encode())
        mine = allowed.line(who.name, key.public, profile)
        told = {"name": who.name, "key": key.public.hex(), "profile": profile, "line": mine}
        _say(json.dumps({**told, "request": str(line.store / REQUEST)}) if line.as_json else mine)
        return 0, ""
    assert line.url is not None
    assert line.data is not None
    assert line.device is not None
    device = line.device

    def log(says: str) -> None:
        if line.as_json:
            _say(json.dumps({"event": "note", "says": says}))
        else:
            print(says, file=sys.stderr, flush=True)

    def ended(how: str, heard: int) -> None:
        _say(json.dumps({"event": "ended", "ended": how, "name": who.name, "changes": heard}))

    with alone(line.store), stopping() as stop:
        heard, over = joined(
            line.url, device, line.data, line.store, who, log=log, stop=stop, members=line.members, budget=line.budget
        )
        if over:
            if line.as_json:
                ended("spent", heard)
            return SPENT, f"{over}: {who.name} takes part no more; {heard} answers were sent"
        if stop():
            if line.as_json:
                ended("interrupted", heard)
            return STOPPED, f"interrupted: {heard} changes were sent; the same line goes on"
    if line.as_json:
        ended("over", heard)
    else:
        _say(f"{who.name}: the run is over; {heard} changes were sent")
    return 0, ""


def _say(text: str) -> None:
    print(text, flush=True)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a device is: a name, a key that never leaves its folder or its module, and what an authority says of that,
    "" where none has."""

    name: str
    key: Signer
    credential: bytes = b""

    def line(self, profile: str = "") -> str:
        """What is to be added to the server's list."""
        return allowed.line(self.name, self.key.public, profile)


def identity(
    store: Path, name: str | None, keys: Keeping, uri: str | None = None, given: Path | None = None
) -> Identity:  # fmt: skip
    """Of the device whose folder is ``store``; where it has none yet, a new one. uri: of a new key in a module. given:
    a credential that has come for it. Raises ``InvalidInput``, also for another name than the one it has."""
    path = store / NAME
    if path.is_file():
        had = allowed.name(path.read_text(encoding="utf-8").strip())
        if name is not None and name != had:
            raise InvalidInput("--name", name, f"this device is {had}: leave it out, or name another --store")
    else:
        host = "".join(c for c in socket.gethostname().partition(".")[0] if c.isascii() and (c.isalnum() or c == "-"))
        had = allowed.name(f"{host.lstrip('-')[:40] or 'device'}-{secrets.token_hex(2)}" if name is None else name)
        files.write(path, f"{had}\n".encode())
    key, path = keys.present(uri), store / CREDENTIAL
    if given is None and not path.is_file():
        return Identity(had, key)
    from ...federate.identity import armour, credential

    if given is not None:
        files.write(path, armour.wrapped(armour.CREDENTIAL, _credential(given, had, key, keys)).encode())
    data = _credential(path, had, key, keys)
    if credential.read(data).public != key.public:  # it is of the key that was to follow: now it does
        keys.advance()
        key = keys.present()
    return Identity(had, key, data)


def _credential(path: Path, name: str, key: Signer, keys: Keeping) -> bytes:
    """Of this device, and of its key or of the one that is to follow. Raises ``InvalidInput``."""
    from ...federate.identity import armour, credential

    try:
        data = armour.read(armour.CREDENTIAL, path.read_text(encoding="ascii"))
        found = credential.read(data)
    except (OSError, ValueError) as error:
        why = f"it is {error}" if isinstance(error, Refused) else f"it cannot be read ({error})"
        raise InvalidInput("--credential", str(path), f"{why}: give what authority sign has written") from None
    following = None if found.public == key.public else keys.following()
    if found.name != name or (found.public != key.public and (not following or found.public != following.public)):
        fix = f"it is of {found.name}, key {found.public.hex()[:16]}...: give the one for this device, {name}"
        raise InvalidInput("--credential", str(path), fix)
    return data


def joined(
    url: str, kit: Path, data: str, store: Path, who: Identity, *, log: Callable[[str], None],
    stop: Callable[[], bool], members: str | None = None, budget: str | None = None,
) -> tuple[int, str]:  # fmt: skip
    """Take part until the run is over, or ``stop()``, or the budget is spent: how many answers the server has heard,
    and, of the last of these, what of it is. members: of a group of a masked run, at the least; None: as many as are
    safe. budget: of all that is told of this device; None: what was said before, or what the run promises, where its
    devices add the noise. Raises ``SelvedgeError``."""
    invited = invitation.read(kit)
    certificate = kit / invitation.CERTIFICATE
    connection = Connection(url, certificate if certificate.is_file() else None)
    session = load_native(kit / invitation.MODEL)
    x, y = samples(session, data)
    papers = _papers(invited.authority, store, who, log)
    seed = int.from_bytes(who.key.public[:4], "little")
    masking, promise, ledger = _masking(invited, kit, papers, members), invited.promise, None
    if promise is None:
        if budget is not None or (store / BUDGET).exists():
            fix = f"{invited.run} adds no noise, so that what it tells has no end: leave it, or move {BUDGET} away"
            raise InvalidInput("--budget", "kept in --store" if budget is None else budget, fix)
        trainer: Trainer = SessionTrainer(session, x, y, seed=seed)
    else:
        from .budget import account, private, told  # a device of another run is to have the memory

        ledger = account(promise, store / BUDGET, budget)
        trainer, masking = private(session, x, y, promise, ledger, masking, seed, log)
    server, kept = bytes.fromhex(invited.server), InFile(store / STATE, log)
    participant = Participant(who.name, who.key, server, trainer, kept, masking=masking, log=log)
    most = 8 * 4 * trainer.layout.size + (HEAD if masking is None else masking.room)
    log(f"{who.name}: {len(x):,} samples, {invited.run} at {url}")
    if ledger is not None:
        log(str(told(who.name, store / BUDGET)))
    refused: list[str] = []

    def heard(line: str) -> None:
        if line.startswith("refused: the server does not know"):
            if not refused and papers is None:
                needed = who.line(invited.profile)
                log(f"the server does not know this device yet: its allowed.txt needs the line\n  {needed}")
            refused.append(line)
        else:
            log(line)

    def sleep(seconds: float) -> None:
        end = time.monotonic() + seconds
        while not stop() and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, PIECE))

    def ended() -> bool:
        return stop() or (ledger is not None and (ledger.over != "" or ledger.broken is not None))

    sent = join(participant, who.key, invited.run, connection, most, log=heard, sleep=sleep, ended=ended, papers=papers)
    if ledger is None or not (ledger.over or ledger.broken):
        return sent, ""
    participant.rest(over=True)  # nobody is told anything of that round by this device
    if ledger.broken is not None:
        from ..spoken import spoken
        from .budget import WORDS

        with spoken(WORDS):
            raise ledger.broken
    return sent, ledger.over


def _papers(authority: str, store: Path, who: Identity, log: Callable[[str], None]) -> Papers | None:
    """What the device shows of itself in a run whose devices ``authority`` vouches for, and whom it believes; None in
    another run, and for a device that has no credential, which is said."""
    if not authority:
        return None
    log(f"devices are those of the authority {authority}")
    if not who.credential:
        how = f"join --enrol writes {store / REQUEST} for the authority to sign: give what it answers by --credential"
        log(f"this device has no credential; {how}")
        return None
    from ...federate.client.papers import Papers

    papers = Papers(who.credential, bytes.fromhex(authority), store)
    for said in papers.trust.said():
        log(said)
    return papers


def _masking(
    invited: invitation.Invitation, kit: Path, papers: Papers | None, members: str | None
) -> Masking | None:  # fmt: skip
    """How the device takes part where the server learns sums alone; None in another run. Raises ``InvalidInput``, also
    for a run that promises smaller groups than its owner wants."""
    demands = invited.demands
    if demands is None:
        if members is not None:
            raise InvalidInput("--members", members, f"{invited.run} is no masked run, and has no groups: leave it out")
        return None
    from ...federate.masked import FEWEST, MEMBERS, MOST

    if members is not None and not (members.isascii() and members.isdecimal() and FEWEST <= int(members) <= MOST):
        raise InvalidInput("--members", members or "empty", f"give a whole number, {FEWEST} to {MOST}")
    floor = MEMBERS if members is None else int(members)
    if demands.members < floor:
        fix = f"{invited.run} promises {demands.members}, fewer hide less of each: give that to take part all the same"
        raise InvalidInput("--members", floor, fix)
    from ...federate.client.masking import Masking  # a device of another run is to have the memory

    if papers is not None:
        return Masking(papers.trust.open, papers.credential, demands)
    if invited.authority:
        fix = "in a masked run each device shows it to the others: give what the authority has signed for this one"
        raise InvalidInput("--credential", "missing", fix)
    return Masking.among(allowed.read(kit / invitation.MEMBERS, ()).keys, demands)


def samples(session: Session, data: str) -> tuple[np.ndarray, np.ndarray]:
    """x and y as the model takes them: scaled, cut and named as its manifest says. Raises ``InvalidInput``."""
    manifest = session.manifest
    dtype = np.dtype(np.float32 if manifest.preprocess is None else np.uint8)
    face = Face(shape_of(manifest.programs["predict"].inputs["x"])[1:], dtype, manifest.labels, manifest.classes)
    path = data.partition(":")[0]
    if path not in ELSEWHERE and not Path(path).exists():
        raise InvalidInput("--data", data, f"there is no such file or folder: give {GIVE}")
    named = parse(data, "--data")
    if named.kind not in ("table", "arrays", "files", "lines") or named.place == "-" or "watch" in named.options:
        raise InvalidInput("--data", data, f"join learns from samples that are there: give {GIVE}")
    if not manifest.classes:
        raise InvalidInput("--device", manifest.name, "its model tells no classes apart: join learns classes alone")
    found = list(source(named, face, manifest.features, Faults(strict=True)))
    nameless = next((s.number for s in found if s.y is None), None)
    if nameless is not None:
        fix = f"sample {nameless} has no class: give each its own, of a table by label=COLUMN"
        raise InvalidInput("--data", data, fix)
    if not found:
        raise InvalidInput("--data", data, "it holds no samples: give at least one")
    odd = next((s.number for s in found if not np.isfinite(s.x).all()), None)
    if odd is not None:
        raise InvalidInput(
            "--data", data, f"sample {odd} holds what is no finite number: give numbers, or leave it out"
        )
    return np.stack([s.x for s in found]), np.array([s.y for s in found], np.int32)
