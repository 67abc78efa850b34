"""Devices without a model: each pulls the vector half the way to a point of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from selvedge.federate.client.masking import Masking
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.store import InMemory
from selvedge.federate.client.trainer import CannotTrain, Trained
from selvedge.federate.coordinator import Coordinator
from selvedge.federate.federation import Federation
from selvedge.federate.grid.virtual import Device, Handle, VirtualGrid
from selvedge.federate.keys import Key
from selvedge.federate.layout import Layout
from selvedge.federate.server import Server

LAYOUT = Layout({"a": (4, 3), "b": (5,)})
SERVER = Key(bytes(32))


class Toward:
    def __init__(self, point: Any, layout: Layout = LAYOUT, weight: int = 3) -> None:
        self.layout, self.weight, self.asked = layout, weight, 0
        self.cannot = ""  # why, where it is to refuse
        self.point: Any = np.asarray(point, np.float32)

    def train(self, start: Any, local: dict[str, Any], task: int, control: Any, own: Any) -> Trained:
        self.asked += 1
        if self.cannot:
            raise CannotTrain(self.cannot)
        end = start + np.float32(0.5) * (self.point - start)
        variate = None if control is None else (start - end).astype(np.float32)
        return Trained(end.astype(np.float32), self.weight, float(np.square(self.point - start).mean()), variate)


def key(i: int) -> Key:
    return Key(bytes([7, i % 256, i // 256] + [0] * 29))


def name(i: int) -> str:
    return f"device-{i:03}"


def publics(count: int) -> dict[str, bytes]:
    return {name(i): key(i).public for i in range(count)}


DEVICES = publics(3)


class World:
    """``count`` devices around points that ``seed`` draws, their grid, and servers, one after another."""

    def __init__(self, settings: Federation, count: int, folder: Path, seed: int = 0, **grid: Any) -> None:
        random = np.random.default_rng(seed)
        self.settings, self.folder = settings, folder
        self.points = (2 + 0.5 * random.normal(size=(count, LAYOUT.size))).astype(np.float32)
        self.trainers = [Toward(p, weight=1 + i % 5) for i, p in enumerate(self.points)]
        self.stores = [InMemory() for _ in range(count)]
        devices = {
            name(i): Device(
                self.participant(i).handle, seconds=float(random.lognormal()), link=1e5, restart=self.restarts(i)
            )
            for i in range(count)
        }
        self.grid = VirtualGrid(devices, seed, **grid)
        self.log: list[str] = []

    def restarts(self, i: int) -> Callable[[bool], Handle]:
        def restart(lost: bool) -> Handle:
            if lost:
                self.stores[i] = InMemory()
            return self.participant(i).handle

        return restart

    def participant(self, i: int) -> Participant:
        s, count = self.settings, len(self.points)
        masking = None if s.masked is None else Masking.among(publics(count), s.masked.demands)
        return Participant(name(i), key(i), SERVER.public, self.trainers[i], self.stores[i], i, masking)

    def server(self, durable: bool = False) -> Server:
        coordinator = Coordinator(self.settings, LAYOUT, np.zeros(LAYOUT.size, np.float32))
        return Server(coordinator, self.folder, SERVER, publics(len(self.points)), self.log.append, durable)
