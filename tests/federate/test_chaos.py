"""Mixed faults by lot, in both modes, with every codec and rule: a run ends or says why, and no update is lost or used
twice, by books that are not the server's (``ledger``). And a server that is killed anywhere comes to the same bits."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selvedge.federate.client.liar import Liar
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.store import InMemory
from selvedge.federate.coordinator import Closed, Coordinator, Event
from selvedge.federate.cover import Cover, Rolling, widths
from selvedge.federate.federation import Federation
from selvedge.federate.grid.faults import Faults
from selvedge.federate.grid.virtual import Device, Handle, VirtualGrid
from selvedge.federate.layout import Layout
from selvedge.federate.local import Local
from selvedge.federate.message import Message, made
from selvedge.federate.server import Server
from selvedge.learn.journal.journal import Journal

from .ledger import Ledger, Made
from .test_server import WAYS, finished, settings
from .toward import LAYOUT, SERVER, Toward, World, key, name

RUNS = int(os.environ.get("SELVEDGE_EXAMPLES") or 50)
DEVICES = 10
SMALL = Layout({"a": (2, 3), "b": (3,)})
CODECS = (
    "float32", "float16", "int8", "int4", "sign", "top:0.3+int8", "seeded:0.5+int4", "rank:1+float32", "int4+deflate",
)  # fmt: skip


class Killed(BaseException):
    pass


class Dying(Journal):
    """Ends the process, so to speak, at its ``at``-th record: before it is written, or behind it."""

    at, behind, count = 0, False, 0

    def append(self, head: Any, arrays: Any = None) -> int:
        type(self).count += 1
        if type(self).count == self.at and not self.behind:
            raise Killed
        number = super().append(head, arrays)
        if type(self).count == self.at:
            raise Killed
        return number


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
def test_killed_at_every_record_it_comes_to_the_same_bits(
    way: str, behind: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uninterrupted = finished(World(settings(**WAYS[way]), 8, tmp_path / "whole"))
    monkeypatch.setattr("selvedge.federate.server.Journal", Dying)
    records = uninterrupted.journal.number
    assert records > 20
    step = 1 if os.environ.get("SELVEDGE_EXAMPLES") else records // 8
    for at in range(1, records + 1, step):
        Dying.at, Dying.behind, Dying.count = at, behind, 0
        world = World(settings(**WAYS[way]), 8, tmp_path / f"killed{at}")
        first = world.server()
        with pytest.raises(Killed):
            first.run(world.grid)
        first.close()
        again = finished(world)
        assert again.coordinator.model.tobytes() == uninterrupted.coordinator.model.tobytes()
        assert again.coordinator.shown.vector.tobytes() == uninterrupted.coordinator.shown.vector.tobytes()


class Chaos:
    """The run of a seed: what it is, its devices, some of which crash, lie or send nonsense, and its ledger."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random, self.folder = np.random.default_rng([53, seed]), folder
        self.settings, self.covers = self._drawn()
        self.faults = self._faults()
        parts = ["", *self.covers]
        kinds = {name(i): parts[int(self.random.integers(len(parts)))] for i in range(DEVICES)}
        odd = set(self.random.permutation(DEVICES)[: int(self.random.integers(0, 3))].tolist())
        liars = set(self.random.permutation(DEVICES)[: int(self.random.integers(0, 3))].tolist())
        self.stores = [InMemory() for _ in range(DEVICES)]
        devices = {}
        for i in range(DEVICES):
            kind = kinds[name(i)]
            layout = self.covers[kind].part if kind else LAYOUT
            point = 2 + self.random.normal(size=layout.size)
            begun = self._begun(i, Toward(point, layout, 1 + i % 5), i in odd, i in liars)
            seconds = float(self.random.lognormal(1))
            devices[name(i)] = Device(begun(False), kind, seconds, 1e4, begun)
        grid = VirtualGrid(devices, seed, self.faults)
        self.ledger = Ledger(grid, self.settings, LAYOUT, self.covers, kinds)

    def _drawn(self) -> tuple[Federation, dict[str, Cover | Rolling]]:
        random = self.random
        mode = ("rounds", "buffered")[int(random.integers(2))]
        rule = ("mean", "mean", "median", "trimmed", "krum")[int(random.integers(5))]
        covers: dict[str, Cover | Rolling] = {}
        other: dict[str, Any] = {"least": int(random.integers(1, 4))}
        if rule == "trimmed":
            other["robust"] = {"share": 0.2}
        elif rule == "krum":
            other |= {"robust": {"liars": 1}, "least": 5}
        elif rule == "mean" and random.random() < 0.4:
            covers = {"small": widths(LAYOUT, SMALL), "rolling": Rolling(LAYOUT, SMALL)}
        elif rule == "mean" and mode == "rounds" and random.random() < 0.4:
            other["local"] = Local(scaffold=True)
        if random.random() < 0.5:
            other |= {"difference": True, "down": ("int8", "sign", "top:0.5+int8")[int(random.integers(3))]}
            other["history"] = int(random.integers(1, 5))
        up = CODECS[int(random.integers(len(CODECS)))]
        over = float(random.choice([1.0, 1.5, 2.0]))
        made_ = Federation(
            "chaos", rounds=4, clients=5, mode=mode, rule=rule, up=up, over=over, deadline=40.0,  # type: ignore[arg-type]
            most_samples=5, **other,
        )  # fmt: skip
        return made_, covers

    def _faults(self) -> Faults:
        drop, duplicate, corrupt, delay, crash = (
            self.random.uniform(0, 0.25, 5) * self.random.integers(0, 2, 5)
        ).tolist()
        begin = float(self.random.uniform(0, 60))
        return Faults(
            drop, duplicate, corrupt, delay, crash, float(self.random.uniform(1, 60)),
            ((begin, begin + float(self.random.uniform(1, 100))),), lose=0.3,
        )  # fmt: skip

    def _begun(self, i: int, trainer: Any, odd: bool, lies: bool) -> Callable[[bool], Handle]:
        turned = Liar(trainer, 3.0) if lies else trainer

        def begun(lost: bool) -> Handle:
            if lost:
                self.stores[i] = InMemory()
            handle = Participant(name(i), key(i), SERVER.public, turned, self.stores[i], seed=i).handle

            def answered(data: bytes) -> Message | None:
                message = handle(data)
                if message is None or message.kind != "update":
                    return message
                if odd:
                    return self._odd(message, i)
                self.ledger.made_by(message)
                return message

            return answered

        return begun

    def _odd(self, message: Message, i: int) -> Message:
        """What no device may send, signed as it ought to be or not."""
        kind, head = int(self.random.integers(7)), dict(message.head)
        body = message.body
        if kind == 0:
            body = np.full(LAYOUT.size, np.nan, "<f4").tobytes()
        elif kind == 1:
            body = body[: len(body) // 2]
        elif kind == 2:
            body = body + bytes(10_000)
        elif kind == 3:
            head["weight"] = int(self.random.choice([0, 6, 1 << 40]))
        elif kind == 4:
            head["run"] = "chaos/of-another-day"
        elif kind == 5:
            head["task"] += int(self.random.choice([-1, 1000]))
        return made("update", head, body, key(i + 1 if kind == 6 else i))

    def server(self, folder: Path) -> Server:
        coordinator = Coordinator(self.settings, LAYOUT, np.zeros(LAYOUT.size, np.float32), self.covers)
        return Server(coordinator, folder, SERVER, {name(i): key(i).public for i in range(DEVICES)}, durable=False)

    def run(self, monkeypatch: pytest.MonkeyPatch) -> Server:
        """To its end, through kills of the server; after a record the journal holds all that the server knows."""
        monkeypatch.setattr("selvedge.federate.server.Journal", Dying)
        kills = int(self.random.integers(0, 4))
        steps = 0
        while True:
            Dying.count, Dying.at = 0, int(self.random.integers(1, 25)) if kills else 0
            Dying.behind = bool(self.random.integers(2))
            server = self.server(self.folder / "run")
            self.ledger.settle(server.coordinator.version, server.coordinator.model)

            def heard(event: Event, server: Server = server) -> None:
                nonlocal steps
                steps += 1
                if isinstance(event, Closed):
                    self.ledger.settle(server.coordinator.version, server.coordinator.model)
                if steps % 16 == 0:
                    self._reopened(server, steps)

            try:
                server.run(self.ledger, heard)
            except Killed:
                kills -= 1
                self.ledger.killed(Dying.behind)
                server.close()
                continue
            server.close()
            return server

    def _reopened(self, server: Server, step: int) -> None:
        """A server that is killed here, and another that opens what it left."""
        copy = self.folder / f"at{step}"
        shutil.copytree(self.folder / "run", copy, ignore=shutil.ignore_patterns("lock"))
        Dying.count, count = 0, Dying.count
        again = self.server(copy)
        again.close()
        Dying.count = count
        (head, arrays), (head_, arrays_) = server.coordinator.state(), again.coordinator.state()
        assert json.dumps(head, sort_keys=True) == json.dumps(head_, sort_keys=True)
        assert {n: a.tobytes() for n, a in arrays.items()} == {n: a.tobytes() for n, a in arrays_.items()}
        shutil.rmtree(copy)


@pytest.mark.parametrize("seed", range(RUNS))
def test_with_mixed_faults_it_ends_and_each_change_that_was_heard_counts_once(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chaos = Chaos(seed, tmp_path)
    server = chaos.run(monkeypatch)
    c = server.coordinator
    named = r"\d+ times in a row fewer than \d+ devices answered in 40 s"
    assert c.phase == "done" or re.fullmatch(named, c.why), c.why
    assert chaos.ledger.version == c.version == len(c.moved)
    assert all(reason for reason in server.refused)


def test_a_ledger_notices_what_is_counted_twice_and_what_is_lost(tmp_path: Path) -> None:
    """The books are no mirror: a server that errs is found out."""
    for wrong in (2.0, 0.0):
        chaos = Chaos(0, tmp_path / str(wrong))
        ledger = chaos.ledger
        ledger.seeds[0] = 1
        change = np.arange(LAYOUT.size, dtype=np.float64)
        ledger._settings = replace(chaos.settings, rule="mean", mode="rounds", robust={}, least=1)
        ledger._kinds, ledger.latest = dict.fromkeys(ledger._kinds, ""), 0
        first, second = (Made((name(i), 0), 1, change * (1 + i)) for i in range(2))
        ledger.pending = {m.key: (m, 0) for m in (first, second)}
        with pytest.raises(AssertionError):
            ledger.settle(1, (wrong * first.change + second.change) / (1 + wrong))
        ledger.settle(1, (first.change + second.change) / 2)
        assert ledger.counted == {first.key, second.key}
