"""The work of ``selvedge federate serve``: kits for devices, a server over HTTPS, its journal, and what came of it."""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...artifact import files
from ...errors import InvalidInput
from ...federate import allowed, bodies, secret
from ...federate.client.session import state_of
from ...federate.codec.named import codec
from ...federate.coordinator import Closed, Coordinator, Event
from ...federate.course import Course, Move
from ...federate.cover import Cover, widths
from ...federate.grid.grid import Delivery
from ...federate.invitation import MEMBERS, Invitation, private, promised, rules
from ...federate.layout import Layout
from ...federate.masked_round import most_said
from ...federate.message import Message
from ...federate.server import Server
from ...federate.stated import at_most
from ...run.session import Session
from ..interrupt import Interrupted
from ..stopping import stopping
from . import place
from .enrolled import Enrolled
from .judging import Judge
from .kit import Kit
from .report import FILE, Report
from .simulating import JOURNAL, ended
from .view import View
from .wish import Wish, asked

HEAD = 1 << 16  # bytes of a message besides its body
OFTEN = 0.5  # seconds between two looks at the allow-list, and between two reports on the disk
SELDOM = 60.0  # seconds between two lines about strangers, and two reports of nothing else: neither is theirs to make
FAREWELL = 30.0  # seconds, at most, in which devices are told that the run is over


@dataclass(frozen=True, slots=True)
class Address:
    """``host``: what devices call. ``listen``: the address to bind. ``certificate``, ``key``: PEM files, or None."""

    host: str
    port: int
    listen: str
    certificate: Path | None = None
    key: Path | None = None


class Halted(Exception):
    """Somebody asked the server to stop; the same line goes on."""


def serve(
    wish: Wish, kits: Sequence[Kit], judge: Judge | None, out: Path, address: Address, allow: Path | None,
    authority: Path | None, silent: bool, tell: Callable[[str, Mapping[str, Any]], None],
    on_move: Callable[[Move], None],
) -> Report:  # fmt: skip
    """Until the run is done or has stopped. authority: the file of who vouches for devices; ``allow`` then adds others,
    where it is given. tell: what a person needs to know, and the same for machines. Raises
    ``SelvedgeError``, and :class:`Interrupted`."""
    from ...federate.grid.https import HttpsGrid

    with asked():
        settings = wish.federation()
    session = kits[0].session
    whole = Layout.of(state_of(session))
    covers = {kit.kind.name: _cover(kit, whole) for kit in kits}
    key = secret.key(out / place.KEY)
    with asked():
        coordinator = Coordinator(settings, whole, whole.vector(state_of(session)), covers)
    pem_file, pem_key = _tls(out, address)
    pem = pem_file.read_text(encoding="ascii") if address.certificate is None else None
    notes: list[str] = []  # of the thread that answers devices too
    listed = None if authority is not None and allow is None else place.devices_file(out, allow)
    vouched = None
    if authority is not None:
        vouched = Enrolled(authority, out / place.CREDENTIALS, tuple(covers), _Seldom(notes.append))
    root = "" if vouched is None else vouched.root.hex()
    masked = "" if settings.masked is None else promised(settings.masked)
    coordinator.rules = rules(key.public.hex(), root, masked) if masked else ""
    known = _Known(listed, vouched, tuple(covers), notes.append)
    most = bodies.most(codec(settings.up), tuple(whole.shapes.values()), settings.local.scaffold) + HEAD
    if settings.masked is not None:
        most = most_said(settings, whole.size) + HEAD
    latest: list[bytes] = [b""]
    token: list[str] = [""]

    def status(given: bytes) -> bytes | None:
        return latest[0] if token[0] and hmac.compare_digest(given, token[0].encode()) else None

    with contextlib.ExitStack() as stack:
        refusals: list[str] = []
        server = Server(coordinator, out / JOURNAL, key, known.keys, log=refusals.append)
        stack.callback(server.close)
        server.certificates = {} if vouched is None else vouched.certificates
        course = _course(out, coordinator, server)
        grid = HttpsGrid(
            address.listen, address.port, pem_file, pem_key, known.keys, settings.name, most, known.parts,
            log=_Seldom(refusals.append), status=status, present=_nobody if vouched is None else vouched.present,
        )  # fmt: skip
        stack.callback(grid.close)
        if vouched is not None:
            vouched.now_known = lambda: grid.allow(known.keys, known.parts)
        url = f"https://{f'[{address.host}]' if ':' in address.host else address.host}:{grid.port}"
        token[0] = place.operator(out, url, pem or "").token
        begun = coordinator.run if masked else ""
        for kit in kits:
            invited = Invitation(
                settings.name, url, key.public.hex(), kit.kind.name, root, masked, begun, private(settings.privacy)
            )
            invited.write(kit.folder, pem)

        def members() -> None:
            """Whom devices of a masked run are to believe, where nobody vouches for them."""
            if settings.masked is not None and vouched is None:
                text = allowed.HEADER + "".join(allowed.line(c, k) + "\n" for c, k in sorted(known.keys.items()))
                for kit in kits:
                    files.write(kit.folder / MEMBERS, text.encode())

        members()
        tell(*_welcome(url, kits, known, (listed, authority), out, coordinator))
        stop = stack.enter_context(stopping())
        view = stack.enter_context(View(silent))
        looked, written = [0.0], [0.0]
        told_last: dict[str, Any] = {}

        def now() -> Report:
            refused = server.refused + Counter(dict(grid.refused))  # at once: another thread counts there
            return Report.now(
                "real", coordinator, course, len(server.devices), server.up_bytes, server.down_bytes, refused,
                privacy=at_most(coordinator),
            )  # fmt: skip

        def report(must: bool) -> None:
            while refusals:
                view.note(refusals[0])
                tell(refusals[0], {"event": "refused", "says": refusals.pop(0)})
            if must or time.monotonic() - looked[0] >= OFTEN:
                looked[0] = time.monotonic()
                made = now()
                latest[0] = json.dumps(made.to_dict()).encode()
                said = {name: value for name, value in made.to_dict().items() if name not in ("at", "refused")}
                # A gateway's flash is not worn where nothing happens.
                if must or said != told_last or looked[0] - written[0] >= SELDOM:
                    told_last.clear()
                    told_last.update(said)
                    written[0] = looked[0]
                    made.write(out)
            if view.due:
                view.at(now())

        def heard(event: Event) -> None:
            course.heard(event, grid.now())
            if isinstance(event, Closed):
                said = _told(session, coordinator, judge)
                on_move(course.moved(coordinator, server.up_bytes, server.down_bytes, said))
            report(isinstance(event, Closed))

        def look() -> None:
            if stop():
                raise Halted
            changed = known.changed()
            while notes:
                tell(notes[0], {"event": "note", "says": notes.pop(0)})
            if changed:
                members()
                server.devices = dict(known.keys)
                server.certificates = {} if vouched is None else vouched.certificates
                grid.allow(known.keys, known.parts)
            report(False)

        report(True)
        try:
            server.run(_Watched(grid, look), heard)
            grid.end(FAREWELL)
        except Halted:
            report(True)
            far = f"after {coordinator.version} of {wish.rounds} rounds"
            raise Interrupted(f"interrupted {far}: they are in {out}; the same line goes on from there") from None
        _load(session, coordinator)
        made = now()
    return ended(made, session, kits[0].plan, judge, out)


def _nobody(shown: bytes) -> tuple[int, bytes]:
    """A credential, where no authority vouches for devices."""
    return 404, b""


class _Seldom:
    """Passes a line on where it has not for a minute; counted is each."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._told = tell, dict[str, float]()

    def __call__(self, line: str) -> None:
        now = time.monotonic()
        if now - self._told.get(line, -SELDOM) >= SELDOM:
            self._told[line] = now
            self._tell(line)


class _Known:
    """Who may take part: the allow-list as it stands on the disk, those whom an authority vouches for, or both. A list
    that cannot be read is told of, and the last one holds."""

    def __init__(
        self, path: Path | None, vouched: Enrolled | None, profiles: Sequence[str], note: Callable[[str], None]
    ) -> None:  # fmt: skip
        self._path, self._vouched, self._profiles, self._note = path, vouched, profiles, note
        self._looked, self._stamp = time.monotonic(), self._stat()
        self._listed = allowed.Allowed({}, {}) if path is None else allowed.read(path, profiles)

    @property
    def keys(self) -> dict[str, bytes]:
        """By device; of one that is in both, as the authority says."""
        return {**self._listed.keys, **({} if self._vouched is None else self._vouched.keys)}

    @property
    def parts(self) -> dict[str, str]:
        listed = {device: self._listed.profiles.get(device, self._profiles[0]) for device in self._listed.keys}
        return {**listed, **({} if self._vouched is None else self._vouched.parts)}

    def changed(self) -> bool:
        anew = self._vouched is not None and self._vouched.changed()
        return self._read() or anew

    def _read(self) -> bool:
        if self._path is None or time.monotonic() - self._looked < OFTEN:
            return False
        self._looked = time.monotonic()
        stamp = self._stat()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            found = allowed.read(self._path, self._profiles)
        except InvalidInput as error:
            self._note(f"{error}; the devices that were known before are still")
            return False
        new = len(set(found.keys) - set(self._listed.keys))
        self._listed = found
        self._note(f"{len(found.keys)} devices may take part: {new} new")
        return True

    def _stat(self) -> tuple[int, int]:
        with contextlib.suppress(OSError):
            if self._path is not None:
                found = os.stat(self._path)
                return found.st_mtime_ns, found.st_size
        return 0, 0


class _Watched:
    """The grid, and between two messages a look at what else there is to do."""

    def __init__(self, grid: Any, look: Callable[[], None]) -> None:
        self._grid, self._look = grid, look

    def now(self) -> float:
        return float(self._grid.now())

    def here(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self._grid.here()
        return found

    def send(self, client: str, message: Message) -> None:
        self._grid.send(client, message)

    def withdraw(self, client: str) -> None:
        self._grid.withdraw(client)

    def receive(self, until: float) -> Delivery | None:
        self._look()
        found: Delivery | None = self._grid.receive(until)
        return found

    def done(self, delivery: Delivery) -> None:
        self._grid.done(delivery)


def _tls(out: Path, address: Address) -> tuple[Path, Path]:
    if address.certificate is not None and address.key is not None:
        return address.certificate, address.key
    return place.tls(out, address.host)


def _course(out: Path, coordinator: Coordinator, server: Server) -> Course:
    """What was told of the run before; what the process did not live to tell of is in the coordinator."""
    try:
        text = (out / FILE).read_text(encoding="utf-8")
    except OSError:
        return Course()
    try:
        before = Report.of(json.loads(text), str(out / FILE))
    except ValueError as error:
        raise InvalidInput("--out", str(out), f"its {FILE} cannot be read ({error}): move it away") from None
    server.up_bytes, server.down_bytes = before.up, before.down
    server.refused.update(before.refused)
    course = before.course
    have = course.moves[-1].version if course.moves else 0
    for moved in coordinator.moved[have:]:
        begun = moved.at if course.began is None else course.began
        course.moves.append(
            Move(moved.version, moved.at - begun, before.up, before.down, moved.changes, moved.changes, 0, moved.loss)
        )
    course.caught_up(coordinator)
    return course


def _welcome(
    url: str, kits: Sequence[Kit], known: _Known, by: tuple[Path | None, Path | None], out: Path,
    coordinator: Coordinator,
) -> tuple[str, dict[str, Any]]:  # fmt: skip
    """What whoever has started a server needs: where it is, and how devices join."""
    folders = {kit.kind.name: str(kit.folder) for kit in kits}
    first = kits[0].folder
    lines = [
        f"serving {coordinator.settings.name} at {url}, round {coordinator.version} of {coordinator.settings.rounds}"
    ]
    lines.append(f"copy {' or '.join(folders.values())} to each device of that kind; there:")
    lines.append(f"  selvedge federate join {url} --device {first.name} --data DATA --store state")
    listed, authority = by
    if listed is not None:
        lines.append(f"{len(known.keys)} devices may take part; each prints its line for {listed} (join ... --enrol)")
    if authority is not None:
        lines.append(f"{len(known.keys)} devices are known, and any comes with a credential of {authority}")
    lines.append(f"how it stands: selvedge federate status {out}")
    data: dict[str, Any] = {"event": "serving", "url": url, "devices": folders, "known": sorted(known.keys)}
    data |= {name: None if path is None else str(path) for name, path in (("allow", listed), ("authority", authority))}
    return "\n".join(lines), data


def _cover(kit: Kit, whole: Layout) -> Cover:
    part = Layout.of(state_of(kit.session))
    return widths(whole, part)


def _load(session: Session, coordinator: Coordinator) -> None:
    arrays = coordinator.whole.arrays(coordinator.model.astype(np.float32))
    session.load_state_dict({**state_of(session), **arrays})


def _told(
    session: Session, coordinator: Coordinator, judge: Judge | None
) -> tuple[float, float | None] | None:  # fmt: skip
    if judge is None:
        return None
    _load(session, coordinator)
    return judge.held_out(session)
