"""A run over devices of several kinds in virtual time, which goes on after any end as if there had been none."""

from __future__ import annotations

import hashlib
import secrets
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DoesNotFit, InvalidInput
from ..learn.journal.journal import Journal
from ..run.session import Session
from .client import promised
from .client.liar import Liar
from .client.masking import Masking
from .client.noising import Noising
from .client.participant import Participant
from .client.session import SessionTrainer, state_of
from .client.store import Arrays
from .client.trainer import Trained, Trainer
from .codec.codec import Vector
from .coordinator import Closed, Coordinator, Event
from .course import Course, Move
from .cover import Cover, widths
from .federation import Federation
from .grid.faults import Faults
from .grid.grid import Delivery
from .grid.virtual import Device, Handle, VirtualGrid
from .keys import Key
from .layout import Layout
from .message import Message
from .privacy.ledger import opened
from .privacy.randomness import SECRET
from .server import Server
from .stated import statement

Array = npt.NDArray[Any]
ROOM = 256 << 20  # bytes of the journal beside its snapshots
STORES, COORDINATOR = "stores/", "coordinator/"


@dataclass(frozen=True, slots=True)
class Hardware:
    """A kind of device. session: of its plan, of the whole model, or of one with the same names and fewer channels.
    step_s, step_j: what a step takes, in seconds and joules; None: not known. link: bytes a second."""

    name: str
    session: Session
    step_s: float
    step_j: float | None = None
    link: float = 1e5


class Halted(Exception):
    """Somebody asked the run to stop; the same call goes on."""


class World:
    """``shards``: (x, y) of each device; ``kinds``: of which hardware each is, by its place there. The model is
    ``hardware[0]``'s, which has all of it.

    A task takes a device its steps times ``step_s``, times a log-normal factor of sigma ``spread``. folder: of the
    journal; what a round was about when the process ended is done again, to the same bits, but for noise that devices
    add: that is never the same twice. What they have told of their owners is counted in ``folder``.ledgers, and counts
    whether it is done again or not.
    """

    def __init__(
        self, hardware: Sequence[Hardware], shards: Sequence[tuple[Array, Array]], kinds: Sequence[int],
        settings: Federation, folder: Path, *, faults: Faults | None = None, spread: float = 0.0,
    ) -> None:  # fmt: skip
        """Raises ``InvalidInput`` for a model that is not cut out of the whole one, fewer devices than a round needs,
        and a folder of another run."""
        if len(shards) < settings.least:
            raise InvalidInput("devices", len(shards), f"a round needs at least {settings.least}")
        self.settings, self.session, self.course = settings, hardware[0].session, Course()
        self.joules: float | None = None if any(h.step_j is None for h in hardware) else 0.0
        faults = faults or Faults()
        state = state_of(self.session)
        whole = Layout.of(state)
        covers = {h.name: _cover(h, whole) for h in hardware}
        random = np.random.default_rng([43, settings.seed])
        liars = set(random.permutation(len(shards))[: round(faults.liars * len(shards))].tolist())
        self._server_key = Key(hashlib.sha256(b"server").digest())
        self._keys: dict[str, bytes] = {}
        self._stores: dict[str, _Store] = {}
        self._dirty: set[str] = set()
        # Devices know each other's keys before anybody asks them: they are in the mapping once all are made.
        masking = None if settings.masked is None else Masking.among(self._keys, settings.masked.demands)
        names = [f"device-{i:05}" for i in range(len(shards))]
        self.ledgers = opened(settings.privacy, names, folder.with_name(f"{folder.name}.ledgers"))
        devices = {}
        told = hashlib.sha256(repr((faults, spread, [(h.name, h.step_s, h.step_j, h.link) for h in hardware])).encode())
        for i, ((x, y), kind) in enumerate(zip(shards, kinds, strict=True)):
            name, of = names[i], hardware[kind]
            key = Key(hashlib.sha256(f"device {i}".encode()).digest())
            steps = settings.local.epochs * -(-len(x) // of.session.manifest.step_batch)
            store = self._stores[name] = _Store(name, self._dirty)
            self._keys[name] = key.public
            trainer: Trainer
            mine = masking
            if settings.privacy is None:
                trainer = SessionTrainer(of.session, x, y, seed=i)
            else:
                ledger = self.ledgers[i] if self.ledgers else None
                trainer = promised.trainer(of.session, x, y, settings.privacy, ledger, seed=i)
                if masking is not None and ledger is not None and settings.privacy.where == "distributed":
                    mine = replace(masking, noising=Noising(settings.privacy, ledger))
            trainer = _Metered(Liar(trainer, faults.strength) if i in liars else trainer, self, of, steps)
            took = float(steps * of.step_s * np.exp(spread * random.standard_normal()))
            handle, restart = _life(name, key, self._server_key.public, trainer, store, i, mine)
            devices[name] = Device(handle, of.name, took, of.link, restart)
            for part in (x, y):
                told.update(np.ascontiguousarray(part).data)
        self._grid = VirtualGrid(devices, settings.seed, faults)
        begin = whole.vector(state)
        told.update(begin.data)
        self._of = {"settings": settings.text(), "devices": told.hexdigest()}
        # Its devices are new ones, who have been in no run before: it needs no name that there was never before.
        run = f"{settings.name}/{hashlib.sha256(settings.text().encode()).hexdigest()[:16]}"
        secret = secrets.token_hex(SECRET) if settings.privacy is not None else ""
        self.coordinator = Coordinator(settings, whole, begin, covers, run, secret)
        self._counted: dict[str, Any] | None = None
        most = 5 * 4 * whole.size * len(shards) + sum(a.nbytes for a in self.coordinator.state()[1].values())
        self._journal = Journal(folder, 16 * most + ROOM, "snapshot", private=True)
        try:
            self.resumed = self._recover()
        except BaseException:
            self._journal.close()
            raise

    def close(self) -> None:
        self._journal.close()

    def run(
        self, evaluate: Callable[[Session], tuple[float, float | None]], every: int = 1, *,
        on_event: Callable[[Event, Server], None] = lambda event, server: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Server:  # fmt: skip
        """Until the run is done or has stopped; ``session`` is left with the model, and :attr:`course` says how it
        went. evaluate: of the session, every so many moves and at the last. Raises :class:`Halted` once ``stop()``."""
        with tempfile.TemporaryDirectory() as temporary:
            # What is to outlive the process is in the world's own journal.
            server = Server(self.coordinator, temporary, self._server_key, self._keys, durable=False, records=False)

            def heard(event: Event) -> None:
                self.course.heard(event, self._grid.now())
                if isinstance(event, Closed):
                    version = self.coordinator.version
                    told = None
                    if version % every == 0 or self.coordinator.phase == "done":
                        self.load()
                        told = evaluate(self.session)
                    self.course.moved(self.coordinator, server.up_bytes, server.down_bytes, told, self.joules)
                    self._keep(server)
                on_event(event, server)

            try:
                if self._counted is not None:
                    server.count_on(self._counted)
                server.run(_Gate(self._grid, stop), heard, under_way=self._counted is not None)
            finally:
                server.close()
        self.load()
        return server

    def load(self) -> None:
        """Let :attr:`session` have the model."""
        arrays = self.coordinator.whole.arrays(self.coordinator.model.astype(np.float32))
        self.session.load_state_dict({**state_of(self.session), **arrays})

    @property
    def statement(self) -> Mapping[str, Any]:
        """Of a private run, what is promised, and what of it is spent; empty of another."""
        return statement(self.coordinator, self.ledgers)

    @property
    def faults(self) -> Mapping[str, int]:
        """What the network and the devices did wrong."""
        return {n: c for n, c in self._grid.counted.items() if n not in ("up", "down", "messages")}

    # -- what is kept -----------------------------------------------------------------------------------------------

    def _keep(self, server: Server) -> None:
        """The world between two rounds, in one record: what has not changed since the last one is not in it."""
        self._counted = server.counted()
        head, arrays = self._state(self._dirty)
        try:
            self._journal.append(head, arrays)
        except DoesNotFit:
            self._journal.snapshot(*self._state(self._stores))
        self._dirty.clear()

    def _state(self, names: Collection[str]) -> tuple[dict[str, Any], dict[str, Array]]:
        state, arrays = self.coordinator.state()
        grid, under_way = self._grid.state()
        found = {n: kept for n in sorted(names) if (kept := self._stores[n].load()) is not None}
        lost = [n for n in sorted(names) if n not in found]
        head = {
            "of": self._of, "coordinator": state, "grid": grid, "counted": self._counted, "joules": self.joules,
            "course": self.course.to_dict(), "stores": {n: dict(about) for n, (about, _) in found.items()},
            "lost": lost,
        }  # fmt: skip
        made: dict[str, Array] = {COORDINATOR + n: a for n, a in arrays.items()}
        made |= {f"{STORES}{n}/{a}": array for n, (_, kept) in found.items() for a, array in kept.items()}
        return head, made | {"under_way": under_way}

    def _recover(self) -> bool:
        snapshot, records = self._journal.recover()
        if snapshot is None and not records:
            self._journal.snapshot(*self._state(()))
            return False
        given = [record for record in (snapshot, *records) if record is not None]
        for record in given:
            if record.head["of"] != self._of:
                fix = "another run was begun there, of other data, devices or settings: give its own line, or another"
                raise InvalidInput("--out", str(self._journal.folder.parent), fix)
            for name in record.head["lost"]:
                self._stores[name].lose()
            for name, about in record.head["stores"].items():
                begins = f"{STORES}{name}/"
                kept = {n.removeprefix(begins): a for n, a in record.arrays.items() if n.startswith(begins)}
                self._stores[name].save(about, kept)
        self._dirty.clear()
        last = given[-1]
        arrays = {n.removeprefix(COORDINATOR): a for n, a in last.arrays.items() if n.startswith(COORDINATOR)}
        self.coordinator.load(last.head["coordinator"], arrays)
        self._grid.load(last.head["grid"], last.arrays["under_way"])
        self._counted, self.joules = last.head["counted"], last.head["joules"]
        self.course = Course.of(last.head["course"])
        return self.coordinator.version > 0

    def spend(self, joules: float | None) -> None:
        """A device has used so much."""
        if self.joules is not None and joules is not None:
            self.joules += joules

    @property
    def last(self) -> Move | None:
        return self.course.moves[-1] if self.course.moves else None


class _Store:
    """What a device keeps, and a note of who has changed it."""

    def __init__(self, name: str, dirty: set[str]) -> None:
        self._name, self._dirty = name, dirty
        self._kept: tuple[Mapping[str, Any], Arrays] | None = None

    def load(self) -> tuple[Mapping[str, Any], Arrays] | None:
        return self._kept

    def save(self, head: Mapping[str, Any], arrays: Arrays) -> None:
        self._kept = dict(head), {n: a.copy() for n, a in arrays.items()}
        self._dirty.add(self._name)

    def lose(self) -> None:
        self._kept = None
        self._dirty.add(self._name)


def _life(
    name: str, key: Key, server: bytes, trainer: Trainer, store: _Store, seed: int, masking: Masking | None
) -> tuple[Handle, Callable[[bool], Handle]]:
    """How a device handles tasks, and how it does after a crash, out of its store, or where that was lost."""

    def begun() -> Handle:
        return Participant(name, key, server, trainer, store, seed, masking).handle

    def restart(lost: bool) -> Handle:
        if lost:
            store.lose()
        return begun()

    return begun(), restart


class _Metered:
    """A trainer whose energy is counted, also where its answer is lost."""

    def __init__(self, trainer: Trainer, world: World, of: Hardware, steps: int) -> None:
        self.layout, self._trainer, self._world = trainer.layout, trainer, world
        self._joules = None if of.step_j is None else of.step_j * steps

    def train(
        self, start: Vector, local: dict[str, Any], task: int, control: Vector | None, own: Vector | None
    ) -> Trained:
        self._world.spend(self._joules)
        return self._trainer.train(start, local, task, control, own)


class _Gate:
    """The grid, which stops when it is asked to."""

    def __init__(self, grid: VirtualGrid, stop: Callable[[], bool]) -> None:
        self._grid, self._stop = grid, stop

    def now(self) -> float:
        return self._grid.now()

    def here(self) -> Mapping[str, str]:
        return self._grid.here()

    def send(self, client: str, message: Message) -> None:
        self._grid.send(client, message)

    def withdraw(self, client: str) -> None:
        self._grid.withdraw(client)

    def receive(self, until: float) -> Delivery | None:
        if self._stop():
            raise Halted
        return self._grid.receive(until)

    def done(self, delivery: Delivery) -> None:
        self._grid.done(delivery)


def _cover(hardware: Hardware, whole: Layout) -> Cover:
    part = Layout.of(state_of(hardware.session))
    if part.shapes.keys() != whole.shapes.keys():
        odd = sorted(part.shapes.keys() ^ whole.shapes.keys())[0]
        raise InvalidInput(f"model of {hardware.name}", odd, "the whole model's names are needed, with fewer channels")
    cover = widths(whole, part)
    if cover.part.digest != part.digest:
        fix = "its arrays stand in another order than the whole model's: build both in the same order"
        raise InvalidInput(f"model of {hardware.name}", ", ".join(list(part.shapes)[:3]), fix)
    return cover
