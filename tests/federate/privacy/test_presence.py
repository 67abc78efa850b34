"""Whether a device is there at all, where lots are to hide that: rounds go by the clock, and there is room for all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import selvedge as sv
from selvedge.errors import InvalidInput
from selvedge.federate.coordinator import Closed, Opened, Stopped

from .test_rounds import begun, drive, settings_of

LOTS = sv.Privacy(1.0, 8.0, 10.0, 1e-5, rate=0.5)


@pytest.mark.parametrize("there", [40, 1, 0])
@pytest.mark.parametrize("answer", [True, False])
def test_rounds_open_and_close_at_times_that_depend_on_nobody(there: int, answer: bool) -> None:
    coordinator = begun(LOTS, clients=10, rounds=4, deadline=50.0)
    here = {f"device-{i:02}": "" for i in range(there)}
    events = drive(coordinator, here, lambda name: answer)
    assert [e.at for e in events if isinstance(e, Opened)] == [50.0, 100.0, 150.0, 200.0]
    assert [e.at for e in events if isinstance(e, Closed)] == [100.0, 150.0, 200.0, 250.0]
    assert np.any(coordinator.model != 0), "noise, if need be alone"


def test_how_many_must_be_there_is_no_setting_beside_lots() -> None:
    with pytest.raises(InvalidInput, match="least"):
        settings_of(LOTS, least=2)
    settings_of(sv.Privacy(1.0, 8.0, 10.0, 1e-5), least=2)


def test_where_there_is_no_room_for_all_no_round_is_opened() -> None:
    """Else whoever comes first pushes others out, which are then not in the sum: one moves it by more than its own."""
    here: dict[str, Any] = {f"device-{i:02}": "" for i in range(9)}
    full = begun(LOTS, clients=4, weights=8, rounds=4)
    events = drive(full, here, lambda name: True)
    assert isinstance(events[-1], Stopped)
    assert "9 devices are known, and the weights of a round have room for 8" in full.why
    assert not any(isinstance(e, Opened) for e in events)
    enough = begun(LOTS, clients=4, weights=9, rounds=4)
    drive(enough, here, lambda name: True)
    assert enough.phase == "done"


def test_the_statement_says_what_lots_hide_and_from_whom() -> None:
    coordinator = begun(LOTS, clients=10, rounds=4)
    assert coordinator.statement["neighbours"] == "one device more or less"
    assert coordinator.statement["not_protected"][0].startswith("to whoever sees more than models")
