"""A server or a device of the suite, as a process that is to be killed: it says when, and waits for that."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from selvedge.federate.client.https import UPDATE, Connection, join
from selvedge.federate.coordinator import Event
from selvedge.federate.message import read

from .grids import CUT, MOST, Case, Counting, here, outcome, server
from .mouth import ODD, participant
from .toward import DEVICES, key


def tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def serve(folder: Path, certificate: Path, private: Path, case: Case, port: int) -> None:
    from selvedge.federate.grid.https import HttpsGrid

    class Telling(Counting):
        events = 0

        def heard(self, event: Event) -> None:
            super().heard(event)
            self.events += 1
            while len(self.taken) > told[0]:
                tell(taken=self.taken[told[0]])
                told[0] += 1
            if not port and self.events == CUT:
                tell(cut=True)
                time.sleep(600)

    told, counting = [0], Telling()
    grid = HttpsGrid("127.0.0.1", port, certificate, private, DEVICES, "tried", MOST, again=0.02)
    running = server(case, folder)
    counting.of = running if case.masked else None
    tell(port=grid.port)
    if not port:
        here(grid)
    running.run(grid, counting.heard)
    running.close()
    tell(outcome=asdict(outcome(running, counting, grid.refused, [])))
    grid.end(5)
    grid.close()


class Waiting(Connection):
    """Says that an answer is stored, once in the life of a device, and waits for its end."""

    def __init__(self, url: str, trusted: Path, once: Path) -> None:
        super().__init__(url, trusted)
        self._once = once

    def ask(self, path: str, data: bytes, most: int) -> tuple[int, bytes, float]:
        if path == UPDATE and not self._once.exists() and read(data, key(0).public, MOST).head["task"] == ODD:
            self._once.touch()
            print("stored", flush=True)
            time.sleep(600)
        return super().ask(path, data, most)


def device(folder: Path, port: str, trusted: Path, masked: bool) -> None:
    connection = Waiting(f"https://localhost:{port}", trusted, folder / "stored")
    join(participant(0, folder, masked), key(0), "tried", connection, MOST)


if __name__ == "__main__":
    what, folder_, *given = sys.argv[1:]
    if what == "device":
        device(Path(folder_), given[0], Path(given[1]), given[2] == "masked")
    else:
        serve(Path(folder_), Path(given[0]), Path(given[1]), Case(**json.loads(given[2])), int(given[3]))
