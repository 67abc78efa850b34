"""The server of a run: a coordinator, its journal, and what it says to devices."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ..errors import DoesNotFit, InvalidInput
from ..learn.journal.journal import Journal
from . import bodies
from .aggregate.fixed import Beyond
from .codec.codec import Malformed, Vector
from .codec.named import codec
from .coordinator import Advanced, Closed, Coordinator, Event, Gone, Opened, Said, Taken, Void
from .events import read as event_of
from .events import written
from .grid.grid import Delivery, Grid
from .keys import Signer
from .masked_round import most_said, most_state
from .masking.marks import MOST as MARKS
from .message import Message, Refused, Sealed, made
from .privacy.randomness import SECRET
from .roster import Roster
from .tally import Tally

REASONS = 100  # that are told apart
ENTRY = 256  # bytes of a device in a snapshot, besides its name
LINE = 128  # and of a move
MARK = 16  # bytes of a round key that was seen, and of its task
ROOM = 64 << 20  # bytes of records behind a snapshot, at least


class Lie(Malformed):
    """What a member of a masked round has signed and cannot be."""


class Server:
    """Runs ``coordinator`` over a grid, and goes on where it was after any end: every event is in the journal before it
    counts. devices: the public key of each that may take part. durable: an event has reached the disk before anybody is
    told of it; without, it has left the process, which may be killed, but a power cut takes a round that was begun, and
    real devices then know more of the run than the server: for simulated ones. records: without, only the model of each
    move is in the journal, and what a round was about when the process ended is asked for again: for simulated devices
    whose state ends with it.

    log: told of what is refused and why, a line each; :attr:`refused` counts them.
    """

    def __init__(
        self, coordinator: Coordinator, folder: Path | str, key: Signer, devices: Mapping[str, bytes],
        log: Callable[[str], None] = lambda line: None, durable: bool = True, records: bool = True,
    ) -> None:  # fmt: skip
        """Raises ``InvalidInput`` for a folder of another run, or one that is open elsewhere."""
        self.coordinator, self._key, self._log = coordinator, key, log
        self.devices: Mapping[str, bytes] = devices if isinstance(devices, Roster) else dict(devices)
        self._records = records
        self.certificates: Mapping[str, bytes] = {}  # what each is to show to the others of a masked round, where known
        s = coordinator.settings
        self._codec = codec(s.up)
        self.refused: Counter[str] = Counter()
        self.up_bytes = self.down_bytes = 0
        self._have = Tally()
        self._bodies: dict[tuple[str, int, int], tuple[int, bytes]] = {}  # of this version, for all who are sent it
        self._ahead = 0.0  # seconds of the run's clock before the grid's
        sync: Literal["record", "snapshot"] = "record" if durable else "snapshot"
        self.journal = Journal(folder, self._limit(), sync)
        try:
            self._resume()
        except BaseException:
            self.journal.close()
            raise

    def close(self) -> None:
        self.journal.close()

    def counted(self) -> dict[str, Any]:
        """What the journal does not keep, as JSON has it: bytes, refusals, and which version each device has."""
        return {"up": self.up_bytes, "down": self.down_bytes, "refused": dict(self.refused), "have": dict(self._have)}

    def count_on(self, counted: Mapping[str, Any]) -> None:
        """Go on from :meth:`counted`."""
        self.up_bytes, self.down_bytes = counted["up"], counted["down"]
        self.refused, self._have = Counter(counted["refused"]), Tally(counted["have"])

    def run(
        self, grid: Grid, on_event: Callable[[Event], None] = lambda event: None, under_way: bool = False
    ) -> None:  # fmt: skip
        """Until the run is done or has stopped (``coordinator.phase``, ``why``). on_event: of each that counts.
        under_way: the grid still has the tasks of who is busy, which are else sent again."""
        # A clock that was set back, or has begun anew, must not hold a round for as long.
        self._ahead = max(0.0, self.coordinator.latest() - grid.now())
        if self.coordinator.round is not None and not under_way:
            self.coordinator.round.again(grid.now() + self._ahead)
        for client in (
            () if under_way else sorted(self.coordinator.busy)
        ):  # asked before it ended: who has answered sends that again
            self._ask(grid, client)
        while True:
            event = self.coordinator.due(grid.now() + self._ahead, lambda: self._known(grid), len(self.devices))
            if event is not None:
                if isinstance(event, Opened) and self.coordinator.settings.masked is not None:
                    shown = {c: self.certificates[c].hex() for c in event.asked if c in self.certificates}
                    event = replace(event, keys={c: self.devices[c].hex() for c in event.asked}, certificates=shown)
                self._happen(event, grid, on_event)
                for client in self._to_be_asked(event):
                    self._ask(grid, client)
            elif self.coordinator.phase in ("done", "stopped"):
                return
            else:
                until = self.coordinator.deadline()
                assert until is not None, "it has begun"
                delivery = grid.receive(until - self._ahead)
                if delivery is not None:
                    self._hear(delivery, grid, on_event)
                    grid.done(delivery)

    def _known(self, grid: Grid) -> Mapping[str, str]:
        return _Known(grid.here(), self.devices, self.coordinator.covers)

    def _to_be_asked(self, event: Event) -> list[str]:
        c = self.coordinator
        if isinstance(event, Advanced) and c.round is not None:
            return sorted(c.round.waiting(event.group))
        return [client for client in event.asked if client in c.busy] if isinstance(event, Opened) else []

    def _ask(self, grid: Grid, client: str) -> None:
        message = self._task(client) if self.coordinator.round is None else self._stage(client)
        self.down_bytes += message.size
        grid.send(client, message)

    def _task(self, client: str) -> Message:
        c, s = self.coordinator, self.coordinator.settings
        head, body = self._work(client)
        return made("task", {**head, "up": s.up, "seed": c.seed(head["task"])}, body, self._key)

    def _stage(self, client: str) -> Message:
        """What a device is asked at the stage of its group."""
        c = self.coordinator
        assert c.round is not None
        stage, (terms, ask) = c.round.stage(client), c.round.ask(client)
        if stage == "input":
            head, body = self._work(client)
            head = {n: v for n, v in head.items() if n != "taken"}
            return made("learn", {**head, "stage": stage, "ask": base64.b64encode(ask).decode()}, body, self._key)
        # All later stages are of the terms that the first one brings.
        body = terms.to_json().encode() if stage == "keys" else ask
        return made("ask", {"run": c.run, "task": c.round.task, "client": client, "stage": stage}, body, self._key)

    def _work(self, client: str) -> tuple[dict[str, Any], bytes]:
        """(head, body) of what a device is to learn from."""
        c, s = self.coordinator, self.coordinator.settings
        busy = c.busy[client]
        window, have = c.window(busy.part, busy.task), self._have.get(client, -1)
        if (busy.part, window, have) not in self._bodies:
            self._bodies[busy.part, window, have] = c.body(busy.part, busy.task, have)
        base, body = self._bodies[busy.part, window, have]
        head = {
            "run": c.run, "task": busy.task, "client": client, "version": c.version, "base": base,
            "layout": c.part(busy.part).digest, "window": window,
            "down": s.down if c.is_whole(busy.part) else "float32", "difference": s.difference,
            "model_seed": s.seed, "taken": c.last.get(client, -1),
            "local": {"epochs": s.local.epochs, "rate": s.local.rate, "mu": s.local.mu, "scaffold": s.local.scaffold},
        }  # fmt: skip
        return head, body

    def _hear(self, delivery: Delivery, grid: Grid, on_event: Callable[[Event], None]) -> None:
        self.up_bytes += delivery.size
        client = ""
        try:
            sealed = Sealed.of(delivery.top, delivery.body)
            client = sealed.client
            event, body = self._understood(sealed, client, delivery.digest)
        except (Refused, Malformed, Beyond) as error:
            self._refuse(client, str(error))
            if not isinstance(error, Refused):  # it is who it says, and this is its answer: none that can be used
                lie = str(error) if isinstance(error, Lie) else ""
                self._happen(Gone(client, lie=lie), grid, on_event)
            return
        self._happen(event, grid, on_event, body)

    def _refuse(self, client: str, why: str) -> None:
        known = client in self.devices
        reason = re.sub(r"\d[\d,.e+-]*", "N", why) if known else "of nobody who is known here"
        if reason in self.refused or len(self.refused) < REASONS:
            self.refused[reason] += 1
        self._log(f"refused: {client if known else 'someone'}: {why}")

    def _understood(self, sealed: Sealed, client: str, digest: bytes | None) -> tuple[Event, bytes]:
        """What a message means. Raises ``Refused``, ``Malformed`` or ``Beyond``: then it means nothing."""
        c, s = self.coordinator, self.coordinator.settings
        busy = c.busy.get(client)
        shapes = _shapes(c, busy.part if busy else "")
        most = bodies.most(self._codec, shapes, s.local.scaffold) if s.masked is None else self._most_said()
        message = sealed.opened(self.devices.get(client), most, digest)
        head = message.head
        if message.kind not in ("update" if s.masked is None else "said", "refusal"):
            due = "an update is due" if s.masked is None else "a stage is to be answered"
            raise Refused(f"a {message.kind} where {due}")
        if head["run"] != c.run:
            raise Refused("of another run")
        if client in c.taken and c.taken[client] == head["task"]:
            raise Refused("an update that was counted already")
        if busy is None or busy.task != head["task"]:
            raise Refused("of a task that is over")
        if message.kind == "refusal":
            self._have.pop(client, None)  # it may have lost what it kept
            self._refuse(client, f"the device cannot: {head['why'][:200]}")
            return Gone(client, head["of"]), b""
        if s.masked is not None:
            return self._heard_of_stage(message), b""
        if head["control"] is not s.local.scaffold:
            raise Refused("with or without a control variate where it is the other way")
        if head["have"] > c.version:
            raise Refused(f"of version {head['have']}, which there is not yet")
        change, control = self._changes(client, message.body, head["control"])
        event = Taken(client, head["task"], head["weight"], head["loss"], change, control)
        c.check(event)
        if s.difference:
            self._have[client] = head["have"]
        return event, message.body

    def _heard_of_stage(self, message: Message) -> Said:
        """An answer to what its device is asked at present: it has then been put to the others, which is known to
        nobody before it is in the journal. Raises ``Refused``, or :class:`Malformed` for one that the protocol does not
        take."""
        head, c = message.head, self.coordinator
        assert c.round is not None, "who is busy is in a round"
        if head["stage"] != c.round.stage(head["client"]):
            raise Refused("of a stage that is over")
        if head["have"] > c.version:
            raise Refused(f"of version {head['have']}, which there is not yet")
        try:
            c.round.put(head["client"], message.body)
        except Refused as error:
            raise (Lie if error.of == head["client"] else Malformed)(str(error)) from None
        if head["stage"] == "input" and c.settings.difference:
            self._have[head["client"]] = head["have"]
        return Said(head["client"], head["task"], message.body)

    def _most_said(self) -> int:
        c = self.coordinator
        return most_said(c.settings, c.whole.size)

    def _changes(self, client: str, body: bytes, control: bool) -> tuple[Vector, Vector | None]:
        busy = self.coordinator.busy[client]
        seed = self.coordinator.seed(busy.task)
        return bodies.unpacked(body, self._codec, _shapes(self.coordinator, busy.part), seed, control)

    def _happen(self, event: Event, grid: Grid, on_event: Callable[[Event], None], body: bytes = b"") -> None:
        if self._records:
            head, arrays = written(event, body)
            try:
                self.journal.append(head, arrays)
            except DoesNotFit:
                self._snapshot()
                self.journal.append(head, arrays)
        version = self.coordinator.version
        asked = sorted(self.coordinator.busy) if isinstance(event, Closed | Void | Advanced) else []
        self.coordinator.apply(event)
        if self.coordinator.version > version:
            self._bodies.clear()
            self._snapshot()  # on the disk, before any device is told that its change was used
        if isinstance(event, Taken | Said | Gone):
            grid.withdraw(event.client)
        for client in asked:
            if client not in self.coordinator.busy:
                grid.withdraw(client)
        on_event(event)

    def _snapshot(self) -> None:
        head, arrays = self.coordinator.state()
        self.journal.snapshot({**self._of(), "state": head}, arrays)

    def _of(self) -> dict[str, str]:
        """What a folder must be of, to be gone on with."""
        return {"settings": self.coordinator.settings.text(), **self.coordinator.digest}

    def _limit(self) -> int:
        """Bytes that the journal may come to: four of its largest snapshot, and what happens between two."""
        c, s = self.coordinator, self.coordinator.settings
        state = sum(a.nbytes for a in c.state()[1].values())
        if s.rule != "mean":
            state += 4 * c.whole.size * s.clients
        if s.difference:
            state += 4 * c.whole.size  # the steps that Shown keeps
        if any(not c.is_whole(part) for part in c.covers):
            state += 8 * c.whole.size  # how often each element was had
        # Each device may be busy, taken and used; each move has a line.
        state += sum(ENTRY + 3 * len(json.dumps(client)) for client in self.devices) + LINE * s.rounds
        most = bodies.most(self._codec, _shapes(c, ""), s.local.scaffold)
        if s.masked is not None:
            most = self._most_said()
            state += most_state(s, c.whole.size) + MARK * MARKS
        room = max(ROOM, 4 * most)
        return 4 * (2 * state + (1 << 20)) + 2 * room

    def _resume(self) -> None:
        snapshot, records = self.journal.recover()
        if snapshot is None and not records:
            self.coordinator.run = self.coordinator.run or f"{self.coordinator.settings.name}/{secrets.token_hex(8)}"
            if self.coordinator.private is not None:
                self.coordinator.secret = self.coordinator.secret or secrets.token_hex(SECRET)
            self._snapshot()
            return
        assert snapshot is not None, "the first thing that is written"
        for name, value in self._of().items():
            if snapshot.head.get(name) != value:
                fix = f"it is of a run of another {name}: name another folder, or give that run's own"
                raise InvalidInput("run folder", str(self.journal.folder), fix)
        self.coordinator.load(snapshot.head["state"], snapshot.arrays)
        version = self.coordinator.version
        for record in records:
            self.coordinator.apply(event_of(record.head, record.arrays, self._changes))
        if self.coordinator.version > version:
            self._snapshot()  # it ended between a move and its snapshot


class _Known(Mapping[str, str]):
    """Of those who are ``here`` the ones that are known and have a part that there is, looked at one by one."""

    def __init__(self, here: Mapping[str, str], devices: Mapping[str, bytes], parts: Collection[str]) -> None:
        self._here, self._devices, self._parts = here, devices, parts

    def __getitem__(self, client: str) -> str:
        part = self._here[client]
        if client in self._devices and (not part or part in self._parts):
            return part
        raise KeyError(client)

    def __iter__(self) -> Iterator[str]:
        return (c for c, part in self._here.items() if c in self._devices and (not part or part in self._parts))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _shapes(coordinator: Coordinator, part: str) -> tuple[tuple[int, ...], ...]:
    return tuple(coordinator.part(part).shapes.values())
