"""Books of a run that nobody of the run keeps: what devices made, what was heard, and what each move must then be.

They are kept at the network: of the server's own account of what it counted, nothing is read but its model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from selvedge.federate import bodies
from selvedge.federate.codec.named import codec
from selvedge.federate.cover import Cover, Rolling
from selvedge.federate.federation import Federation
from selvedge.federate.grid.grid import Delivery, Grid
from selvedge.federate.layout import Layout
from selvedge.federate.message import Message

Key = tuple[str, int]  # a device and its task


@dataclass(frozen=True)
class Made:
    """What a device that keeps to the protocol sent: of which task, with what change."""

    key: Key
    weight: int
    change: Any


class Ledger:
    """A grid before ``grid``. ``kinds``: the part of each device."""

    def __init__(
        self, grid: Grid, settings: Federation, layout: Layout, covers: Mapping[str, Cover | Rolling],
        kinds: Mapping[str, str],
    ) -> None:  # fmt: skip
        self._grid, self._settings, self._layout, self._covers, self._kinds = grid, settings, layout, covers, kinds
        self.now, self.here = grid.now, grid.here
        self.made: dict[bytes, Made] = {}
        self.open: dict[str, int] = {}
        self.asked: dict[Key, int] = {}  # with which version first
        self.seeds: dict[int, int] = {}
        self.latest, self.version, self.model = -1, 0, np.zeros(layout.size)
        self.pending: dict[Key, tuple[Made, int]] = {}  # heard and to be in the next move; with their age
        self.counted: set[Key] = set()
        self.hand: tuple[Made, int] | None = None

    # -- devices ----------------------------------------------------------------------------------------------------

    def made_by(self, message: Message) -> None:
        head = message.head
        client, task = head["client"], head["task"]
        shapes = tuple(self._part(client).shapes.values())
        up = codec(self._settings.up)
        change, _ = bodies.unpacked(message.body, up, shapes, self.seeds[task], head["control"])
        if np.abs(change).max() > self._settings.bound:  # it is to be refused
            return
        self.made[message.packed()] = Made((client, task), head["weight"], change.astype(np.float64))

    def _part(self, client: str) -> Layout:
        kind = self._kinds[client]
        return self._covers[kind].part if kind else self._layout

    # -- the grid ---------------------------------------------------------------------------------------------------

    def send(self, client: str, message: Message) -> None:
        task, taken = message.head["task"], message.head["taken"]
        if taken >= 0:
            assert (client, taken) in self.counted, "told to be taken, and it is in no model"
        assert all(t <= taken for c, t in self.counted if c == client), "it is in a model, and is said not to be"
        if task > self.latest:
            self.latest = task
            if self._settings.mode == "rounds":  # the round before this one came to nothing
                self.pending.clear()
        self.seeds[task] = message.head["seed"]
        self.open[client] = task
        self.asked.setdefault((client, task), message.head["version"])
        self._grid.send(client, message)

    def withdraw(self, client: str) -> None:
        self.open.pop(client, None)
        self._grid.withdraw(client)

    def receive(self, until: float) -> Delivery | None:
        delivery = self._grid.receive(until)
        self.hand = None if delivery is None else self._judged(delivery.data)
        return delivery

    def _judged(self, data: bytes) -> tuple[Made, int] | None:
        made = self.made.get(data)
        if made is None or self.open.get(made.key[0]) != made.key[1]:
            return None
        if made.key in self.pending or made.key in self.counted:
            return None
        return made, self.version - self.asked[made.key]

    def done(self, delivery: Delivery) -> None:
        self.heard()
        self._grid.done(delivery)

    def heard(self) -> None:
        if self.hand is not None:
            self.pending[self.hand[0].key] = self.hand
        self.hand = None

    def killed(self, behind: bool) -> None:
        """The server was, before or behind a record."""
        if behind:
            self.heard()
        self.hand = None
        self.open.clear()  # who is to go on is asked again

    # -- what must be -----------------------------------------------------------------------------------------------

    def settle(self, version: int, model: Any) -> None:
        """The model is that of ``version`` now."""
        if version == self.version:
            np.testing.assert_array_equal(model, self.model, "the model moved, and its version did not")
            return
        assert version == self.version + 1
        of_all = self._settings.mode == "buffered"
        heard = [(m, age) for m, age in self.pending.values() if of_all or m.key[1] == self.latest]
        np.testing.assert_allclose(model - self.model, self._mean(heard), atol=2e-6)
        keys = {m.key for m, _ in heard}
        assert not keys & self.counted
        self.counted |= keys
        self.version, self.model = version, model.copy()
        self.pending.clear()
        if self._settings.mode == "rounds":
            self.open.clear()

    def _mean(self, heard: list[tuple[Made, int]]) -> Any:
        s = self._settings
        if s.rule == "mean":
            total, weight = np.zeros(self._layout.size), np.zeros(self._layout.size)
            for made, age in heard:
                client, task = made.key
                kind = self._kinds[client]
                where = self._covers[kind].at(task).where if kind else np.arange(self._layout.size)
                weighs = float(made.weight)
                if s.mode == "buffered":  # in whole parts of 1 / 256
                    weighs = max(1, round(256 * made.weight * (1 + age) ** -s.fade)) / 256
                total[where] += weighs * made.change
                weight[where] += made.weight
            return np.where(weight > 0, total / np.maximum(weight, 1), 0)
        changes = np.stack([m.change for m, _ in heard])
        if s.rule == "median":
            return np.median(changes, 0)
        if s.rule == "trimmed":
            cut = len(changes) // 5
            return np.sort(changes, 0)[cut : len(changes) - cut].mean(0)
        n, liars = len(changes), s.robust["liars"]
        scores = [np.sort(np.square(changes - c).sum(1))[1 : n - liars - 1].sum() for c in changes]
        return changes[int(np.argmin(scores))]
