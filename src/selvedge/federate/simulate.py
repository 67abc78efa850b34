"""A run over devices of one process, in virtual time: the server, the messages and the sessions are the real ones."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..artifact.number import finite
from ..errors import InvalidInput
from ..run.session import Session
from .client import promised
from .client.liar import Liar
from .client.masking import Masking
from .client.noising import Noising
from .client.participant import Participant
from .client.session import SessionTrainer, state_of
from .client.store import personal_of
from .client.trainer import Trainer
from .coordinator import Closed, Coordinator, Event
from .cover import Cover, Rolling
from .federation import Federation
from .grid.faults import Faults
from .grid.virtual import Device, Handle, VirtualGrid
from .keys import Key
from .layout import Layout, digest
from .privacy.ledger import opened
from .server import Server
from .shelf import Shelf
from .stated import statement

Array = npt.NDArray[Any]
Shard = tuple[Array, Array]


@dataclass(frozen=True, slots=True)
class Point:
    """After a move of the model. seconds: virtual. up, down: bytes on the wire until then, heads and all. loss: of the
    devices on their own samples before they learnt. told: what ``evaluate`` said, or None."""

    version: int
    seconds: float
    up: int
    down: int
    changes: int
    loss: float
    told: float | None


@dataclass(frozen=True, slots=True)
class Simulated:
    """``state``: the model, by its PyTorch names; personal layers as they began. personal: of each device, its own
    layers by name. phase, why: how it ended. refused: messages by reason. faults: what the grid counted. statement: of
    a private run, what is promised (:meth:`~.privacy.settings.Privacy.statement`)."""

    state: Mapping[str, Array]
    points: Sequence[Point]
    phase: str
    why: str
    refused: Mapping[str, int] = field(default_factory=dict)
    faults: Mapping[str, int] = field(default_factory=dict)
    personal: Sequence[Mapping[str, Array]] = ()
    statement: Mapping[str, Any] = field(default_factory=dict)


def simulate(
    session: Session,
    shards: Sequence[Shard],
    settings: Federation,
    *,
    evaluate: Callable[[Session], float] | None = None,
    every: int = 1,
    personal: Collection[str] = (),
    spread: float = 0.0,
    seconds: float = 10.0,
    link: float = 1e5,
    faults: Faults | None = None,
    folder: Path | str | None = None,
    covers: Mapping[str, Cover | Rolling] | None = None,
    sessions: Mapping[str, Session] | None = None,
    parts: Sequence[str] = (),
    on_event: Callable[[Event], None] = lambda event: None,
    secret: bytes = b"",
) -> Simulated:
    """Learn one model from ``shards``, (x, y) of each device, without any sample leaving its device.

    All devices share ``session``, which is given a device's start each time, and is left with the model that came of
    it.
    evaluate: asked of the session every so many moves and at the last; with ``personal`` layers, of each device's, and
    what is told is the mean over devices. covers: parts of the model, by name; sessions: of a model of each of these
    parts; parts: the name of each device's, "" for all of the model; none: all have all of it.
    spread: sigma of the log-normal factor of ``seconds``, which a task takes a device. link: bytes a second. folder: of
    the journal, to go on after an end; devices' own state is not in it, but what they have told of their owners is
    counted on, in ledgers beside it, in ``folder``.ledgers. secret: of the server's private noise, so that it can be
    drawn again in a test; a run that is to be private has one of the system's.

    Raises ``InvalidInput`` for shards that a session cannot learn, and settings of another run in ``folder``.
    """
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise InvalidInput("every", every, "give a whole number >= 1")
    if finite(spread) is None or spread < 0 or finite(seconds) is None or seconds < 0:
        raise InvalidInput("speed", f"{seconds} s, spread {spread}", "give finite numbers >= 0")
    if len(shards) < settings.least:
        raise InvalidInput("devices", len(shards), f"a round needs at least {settings.least}")
    kinds = list(parts) or [""] * len(shards)
    covers, models = dict(covers or {}), {"": session, **(sessions or {})}
    began = {part: state_of(model) for part, model in models.items()}
    layout = Layout.of({n: a for n, a in began[""].items() if n not in set(personal)})
    if personal and settings.privacy is not None and settings.privacy.unit == "example":
        raise InvalidInput("personal", ", ".join(personal), "with privacy of examples all layers are shared")
    _check_parts(kinds, len(shards), covers, {p: Layout.of(s) for p, s in began.items() if p}, layout, personal)
    random = np.random.default_rng([37, settings.seed])
    liars = set(random.permutation(len(shards))[: round((faults or Faults()).liars * len(shards))].tolist())
    server_key = Key(hashlib.sha256(b"server").digest())
    keys = {f"device-{i:05}": Key(hashlib.sha256(f"device {i}".encode()).digest()) for i in range(len(shards))}
    public = {n: k.public for n, k in keys.items()}
    masking = None if settings.masked is None else Masking.among(public, settings.masked.demands)
    shelf = Shelf()
    beside = None if folder is None else Path(f"{os.path.abspath(folder)}.ledgers")
    ledgers = opened(settings.privacy, keys, beside)
    stores = [shelf.of(name) for name in keys]
    shared = settings.privacy if settings.privacy is not None and settings.privacy.where == "distributed" else None

    def begun(i: int) -> Handle:
        """Device ``i`` as it begins, out of what it has stored."""
        model = models[kinds[i]]
        if personal:
            model.load_state_dict(began[kinds[i]])
        trainer: Trainer
        if settings.privacy is None:
            trainer = SessionTrainer(model, *shards[i], personal, stores[i], seed=i)
        else:
            ledger = ledgers[i] if ledgers else None
            trainer = promised.trainer(
                model, *shards[i], settings.privacy, ledger, personal=personal, store=stores[i], seed=i
            )
        if i in liars:
            trainer = Liar(trainer, (faults or Faults()).strength)
        name, mine = f"device-{i:05}", masking
        if masking is not None and shared is not None:
            mine = replace(masking, noising=Noising(shared, ledgers[i]))
        return Participant(name, keys[name], server_key.public, trainer, stores[i], i, mine).handle

    def restarted(i: int) -> Callable[[bool], Handle]:
        def restart(lost: bool) -> Handle:
            if lost:
                shelf.lose(f"device-{i:05}")
                stores[i] = shelf.of(f"device-{i:05}")
            return begun(i)

        return restart

    devices = {}
    for i, name in enumerate(keys):
        took = float(seconds * np.exp(spread * random.standard_normal()))
        devices[name] = Device(begun(i), kinds[i], took, link, restarted(i))
    grid = VirtualGrid(devices, settings.seed, faults)
    # Its devices are new ones, who have been in no run before: it needs no name that there was never before.
    run = f"{settings.name}/{digest(settings.text())[:16]}"
    coordinator = Coordinator(settings, layout, layout.vector(began[""]), covers, run, secret.hex())
    points: list[Point] = []

    def layers(i: int) -> Mapping[str, Array]:
        kept = personal_of(stores[i])
        return {n: began[kinds[i]][n] for n in personal} if kept is None else kept

    def judged(of: Callable[[Session], float]) -> float:
        if not personal:
            load(session, coordinator)
            return of(session)
        found = []
        for i in range(len(shards)):
            load(session, coordinator, layers(i))
            found.append(float(of(session)))
        return float(np.mean(found))

    with tempfile.TemporaryDirectory() as temporary:
        kept = folder is not None
        server = Server(coordinator, folder or temporary, server_key, public, durable=False, records=kept)

        def heard(event: Event) -> None:
            if isinstance(event, Closed):
                moved, told = coordinator.moved[-1], None
                if evaluate is not None and (moved.version % every == 0 or coordinator.phase == "done"):
                    told = judged(evaluate)
                points.append(
                    Point(moved.version, event.at, server.up_bytes, server.down_bytes, moved.changes, moved.loss, told)
                )
            on_event(event)

        try:
            server.run(grid, heard)
        finally:
            server.close()
    load(session, coordinator, {n: began[""][n] for n in personal})
    counted = {n: c for n, c in grid.counted.items() if n not in ("up", "down")}
    return Simulated(
        state_of(session), points, coordinator.phase, coordinator.why, dict(server.refused), counted,
        [layers(i) for i in range(len(shards))] if personal else (), statement(coordinator, ledgers),
    )  # fmt: skip


def load(session: Session, coordinator: Coordinator, personal: Mapping[str, Array] = MappingProxyType({})) -> None:
    """Let the session have the model, and these ``personal`` layers."""
    arrays = coordinator.whole.arrays(coordinator.model.astype(np.float32))
    session.load_state_dict({**state_of(session), **arrays, **personal})


def _check_parts(
    kinds: Sequence[str], count: int, covers: Mapping[str, Cover | Rolling], models: Mapping[str, Layout],
    whole: Layout, personal: Collection[str],
) -> None:  # fmt: skip
    if len(kinds) != count:
        raise InvalidInput("parts", f"of {len(kinds)} devices", f"there are {count}: name one each")
    if covers and personal:
        raise InvalidInput("personal", ", ".join(personal), "with parts of a model all layers are shared")
    for name in sorted(set(kinds) - {""}):
        if name not in covers or name not in models:
            raise InvalidInput("parts", name, "give its cover in covers and a session of that model in sessions")
    for name, cover in covers.items():
        if name in models and cover.part.digest != models[name].digest:
            raise InvalidInput(f"sessions {name}", "of other arrays", "its model has the names and shapes of its cover")
        if cover.at(0).whole.digest != whole.digest:
            raise InvalidInput(f"covers {name}", "of another model", "cut it out of the session's own")
