"""A run over devices of one process, in virtual time: the server, the messages and the sessions are the real ones."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..artifact.number import finite
from ..errors import InvalidInput
from ..run.session import Session
from .client.liar import Liar
from .client.participant import Participant
from .client.session import SessionTrainer, state_of
from .client.store import InMemory
from .client.trainer import Trainer
from .coordinator import Closed, Coordinator, Event
from .federation import Federation
from .grid.faults import Faults
from .grid.virtual import Device, VirtualGrid
from .keys import Key
from .layout import Layout
from .server import Server

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
    """``state``: the model, by its PyTorch names. phase, why: how it ended. refused: messages by reason. faults: what
    the grid counted."""

    state: Mapping[str, Array]
    points: Sequence[Point]
    phase: str
    why: str
    refused: Mapping[str, int] = field(default_factory=dict)
    faults: Mapping[str, int] = field(default_factory=dict)


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
    on_event: Callable[[Event], None] = lambda event: None,
) -> Simulated:
    """Learn one model from ``shards``, (x, y) of each device, without any sample leaving its device.

    All devices share ``session``, which is given a device's start each time, and is left with the model that came of
    it.
    evaluate: asked of the session every so many moves and at the last. spread: sigma of the log-normal factor of
    ``seconds``, which a task takes a device. link: bytes a second. folder: of the journal, to go on after an end;
    devices' own state is not in it.

    Raises ``InvalidInput`` for shards that a session cannot learn, and settings of another run in ``folder``.
    """
    if finite(spread) is None or spread < 0 or finite(seconds) is None or seconds < 0:
        raise InvalidInput("speed", f"{seconds} s, spread {spread}", "give finite numbers >= 0")
    if len(shards) < settings.least:
        raise InvalidInput("devices", len(shards), f"a round needs at least {settings.least}")
    random = np.random.default_rng([37, settings.seed])
    trainers: list[Trainer] = [SessionTrainer(session, x, y, personal, seed=i) for i, (x, y) in enumerate(shards)]
    liars = random.permutation(len(shards))[: round((faults or Faults()).liars * len(shards))]
    for i in liars:
        trainers[i] = Liar(trainers[i], (faults or Faults()).strength)
    server_key = Key(hashlib.sha256(b"server").digest())
    keys = {f"device-{i:05}": Key(hashlib.sha256(f"device {i}".encode()).digest()) for i in range(len(shards))}
    devices = {}
    for i, (name, key) in enumerate(keys.items()):
        participant = Participant(name, key, server_key.public, trainers[i], InMemory(), seed=i)
        took = float(seconds * np.exp(spread * random.standard_normal()))
        devices[name] = Device(participant.handle, seconds=took, link=link)
    grid = VirtualGrid(devices, settings.seed, faults)
    layout = Layout.of({n: a for n, a in state_of(session).items() if n not in set(personal)})
    coordinator = Coordinator(settings, layout, layout.vector(state_of(session)))
    points: list[Point] = []
    with tempfile.TemporaryDirectory() as temporary:
        server = Server(coordinator, folder or temporary, server_key, {n: k.public for n, k in keys.items()})

        def heard(event: Event) -> None:
            if isinstance(event, Closed):
                moved, told = coordinator.moved[-1], None
                if evaluate is not None and (moved.version % every == 0 or coordinator.phase == "done"):
                    load(session, coordinator)
                    told = evaluate(session)
                points.append(
                    Point(moved.version, event.at, server.up_bytes, server.down_bytes, moved.changes, moved.loss, told)
                )
            on_event(event)

        try:
            server.run(grid, heard)
        finally:
            server.close()
    load(session, coordinator)
    counted = {n: c for n, c in grid.counted.items() if n not in ("up", "down")}
    return Simulated(state_of(session), points, coordinator.phase, coordinator.why, dict(server.refused), counted)


def load(session: Session, coordinator: Coordinator) -> None:
    """Let the session have the model; what is personal stays."""
    arrays = coordinator.whole.arrays(coordinator.model.astype(np.float32))
    session.load_state_dict({**state_of(session), **arrays})
