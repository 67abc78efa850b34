"""What is told of a run counts what its journal has, also behind a kill."""

from __future__ import annotations

import numpy as np

from selvedge.federate.coordinator import Began, Closed, Coordinator, Event, Opened, Taken
from selvedge.federate.course import Course
from selvedge.federate.federation import Federation
from selvedge.federate.layout import Layout


def test_changes_that_nobody_was_told_of_are_counted_once() -> None:
    layout = Layout.of({"w": np.zeros(3, np.float32)})
    asked = {"a": "", "b": ""}

    def took(client: str, task: int) -> Taken:
        return Taken(client, task, 4, 0.5, np.ones(3, np.float32))

    first: list[Event] = [Began(0.0), Opened(1.0, asked, 2), took("a", 0), took("b", 0), Closed(2.0)]
    second: list[Event] = [Opened(3.0, asked, 2), took("b", 1)]
    coordinator, told, whole = (
        Coordinator(Federation("run", 5, 2, least=2), layout, np.zeros(3), {}),
        Course(),
        Course(),
    )
    for event in (*first, *second):
        coordinator.apply(event)
        whole.heard(event, 4.0)
        if any(event is known for known in first):
            told.heard(event, 4.0)
        if isinstance(event, Closed):
            whole.moved(coordinator, 0, 0, None)
            told.moved(coordinator, 0, 0, None)
    for _ in range(2):
        told.caught_up(coordinator)
        assert {n: s.taken for n, s in told.devices.items()} == {n: s.taken for n, s in whole.devices.items()}
        assert {n: s.taken for n, s in told.devices.items()} == {"a": 1, "b": 2}
