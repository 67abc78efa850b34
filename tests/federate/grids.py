"""One run, on each of the grids: what it is, what came of it, and what must come of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from subprocess import PIPE
from typing import Any

import numpy as np

from selvedge.federate.client.https import UPDATE, Connection, join
from selvedge.federate.coordinator import Closed, Coordinator, Event, Taken
from selvedge.federate.federation import Federation
from selvedge.federate.grid.faults import Faults
from selvedge.federate.grid.flower import FlowerGrid
from selvedge.federate.grid.grid import Delivery, Grid
from selvedge.federate.grid.virtual import Device, Handle, VirtualGrid
from selvedge.federate.keys import SIGNATURE
from selvedge.federate.local import Local
from selvedge.federate.masked import Masked
from selvedge.federate.message import Message, read
from selvedge.federate.server import Server

from .mouth import COUNT, ROUNDS, Mouth, participant
from .supernodes import Link, nodes
from .toward import DEVICES, LAYOUT, SERVER, key, name

ROOT = Path(__file__).parents[2]
MOST = 1 << 20
CUT = 8  # events until the server is killed: behind the first change of the second round that is in the journal
Asked = tuple[int, int]  # a device and its task


@dataclass(frozen=True)
class Case:
    """``settings``: of the federation, besides its name. fault: of ``mouth``. kill: "", "device" or "server"."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""
    kill: str = ""

    @property
    def masked(self) -> bool:
        return "masked" in self.settings

    def federation(self) -> Federation:
        given = dict(self.settings)
        if "local" in given:
            given["local"] = Local(**given["local"])
        if "masked" in given:
            given["masked"] = Masked(members=3, **given["masked"])
        least = COUNT if self.fault == "" else COUNT - 1
        return Federation("tried", **{"rounds": ROUNDS, "clients": COUNT, "least": least, "deadline": 60.0, **given})


@dataclass(frozen=True)
class Outcome:
    """``model``, ``shown``: in hexadecimal. taken: what was counted. refused: by whom and why. said: by devices."""

    model: str
    shown: str
    phase: str
    moved: list[int]
    taken: list[list[int]]
    up: int
    refused: dict[str, int]
    said: list[str]

    @property
    def absent(self) -> set[Asked]:
        return {(i, t) for i in range(COUNT) for t in range(ROUNDS)} - {(i, t) for i, t in self.taken}


class Cut(BaseException):
    """The end of a server at an event, before anything could be put in order."""


class Counting:
    """What counted, through all servers of a run."""

    def __init__(self, cut: int | None = None) -> None:
        self.taken: list[list[int]] = []
        self.of: Server | None = None  # of masked rounds
        self._left = cut

    def heard(self, event: Event) -> None:
        if isinstance(event, Taken):
            self.taken.append([int(event.client[-3:]), event.task])
        if isinstance(event, Closed) and self.of is not None:  # of a masked round, who is in its sum
            last = self.of.coordinator.last
            self.taken += [[int(c[-3:]), task] for c, task in sorted(last.items()) if task == max(last.values())]
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                raise Cut


def server(case: Case, folder: Path) -> Server:
    coordinator = Coordinator(case.federation(), LAYOUT, np.zeros(LAYOUT.size, np.float32))
    return Server(coordinator, folder / "run", SERVER, DEVICES)


def outcome(of: Server, counting: Counting, refused: Mapping[str, int], said: list[str]) -> Outcome:
    c = of.coordinator
    return Outcome(
        c.model.tobytes().hex(), c.shown.vector.tobytes().hex(), c.phase, [m.changes for m in c.moved],
        counting.taken, of.up_bytes, {**of.refused, **refused}, said,
    )  # fmt: skip


def through(case: Case, folder: Path, grid: Callable[[], Grid]) -> tuple[Server, Counting]:
    """To the end, over a grid of its own for each server that there is."""
    counting = Counting(CUT if case.kill == "server" else None)
    while True:
        running = server(case, folder)
        counting.of = running if case.masked else None
        try:
            running.run(grid(), counting.heard)
            return running, counting
        except Cut:
            continue
        finally:
            running.close()


class Said(VirtualGrid):
    """``queue``: what arrives besides the answer that a device gives."""

    queue: deque[bytes]

    def receive(self, until: float) -> Delivery | None:
        if self._held is None and self.queue:
            self._held = Delivery(self.queue.popleft())
        return super().receive(until)


def parted(data: bytes) -> Message:
    """What a device hands to its grid: all before the body, and the body."""
    end = 5 + int.from_bytes(data[3:5], "little") + SIGNATURE
    return Message("update", {}, data[end:], data[:end])


class Virtual:
    """Virtual time. Nothing is sent again there but what a crash has taken."""

    heals = False

    def run(self, case: Case, folder: Path) -> Outcome:
        queue: deque[bytes] = deque()

        def begun(i: int, mouth: Mouth) -> Handle:
            handle = participant(i, folder, case.masked).handle

            def answered(data: bytes) -> Message | None:
                answer = handle(data)
                said = [] if answer is None else mouth.says(answer)
                queue.extend(said[1:])
                return parted(said[0]) if said else None

            return answered

        def again(i: int, mouth: Mouth) -> Callable[[bool], Handle]:
            return lambda lost: begun(i, mouth)

        devices = {}
        for i in range(COUNT):
            mouth = Mouth(case.fault, i)
            devices[name(i)] = Device(begun(i, mouth), seconds=1.0 + mouth.late, restart=again(i, mouth))
        grid = Said(devices, 5, Faults(crash=0.4, late=2.0) if case.kill == "device" else None)
        grid.queue = queue
        made, counting = through(case, folder, lambda: grid)
        if case.kill == "device":
            assert grid.counted["crash"], "nothing has crashed"
        return outcome(made, counting, {}, [])


class Flower:
    """Our grid behind Flower, over SuperNodes in virtual time."""

    heals = True

    def run(self, case: Case, folder: Path) -> Outcome:
        link = Link(nodes(folder, case.fault, case.kill, case.masked))
        return over(link, case, folder, again=20.0, clock=link.clock, sleep=link.sleep)


def over(link: Any, case: Case, folder: Path, **times: Any) -> Outcome:
    """Over any link to SuperNodes, with a grid of its own for each server that there is."""
    grids: list[FlowerGrid] = []
    said: list[str] = []

    def grid() -> FlowerGrid:
        grids.append(FlowerGrid(link, DEVICES, "tried", MOST, log=said.append, **times))
        return grids[-1]

    made, counting = through(case, folder, grid)
    return outcome(made, counting, sum((g.refused for g in grids), Counter()), said)


class Flwr:
    """The same over flwr's own link state, messages and ClientApps: a process of the environment that has them."""

    heals = True

    def __init__(self, python: str) -> None:
        around = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
        self._process = subprocess.Popen(
            [python, "-m", "tests.federate.on_flwr"], env=around, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True
        )

    def run(self, case: Case, folder: Path) -> Outcome:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([asdict(case), str(folder)]) + "\n")
        self._process.stdin.flush()
        return Outcome(**json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(60)


class Odd(Connection):
    """A device's, at whose ``mouth`` its answers become something else."""

    def __init__(self, url: str, trusted: Path, i: int, fault: str) -> None:
        super().__init__(url, trusted)
        self._i, self._mouth = i, Mouth(fault, i)

    def ask(self, path: str, data: bytes, most: int) -> tuple[int, bytes, float]:
        if path != UPDATE:
            return super().ask(path, data, most)
        time.sleep(0.05 * self._mouth.late)
        said = self._mouth.says(read(data, key(self._i).public, MOST))
        if not said:
            self.close()
            raise ConnectionResetError("lost on the way")
        return [super(Odd, self).ask(path, part, most) for part in said][-1]


class Https:
    """Real servers and devices over TLS on loopback. Who is killed is a process, and is by SIGKILL."""

    heals = True

    def __init__(self, certificate: tuple[Path, Path]) -> None:
        self._certificate = certificate

    def run(self, case: Case, folder: Path) -> Outcome:
        if case.kill == "server":
            return self._killed(case, folder)
        from selvedge.federate.grid.https import HttpsGrid

        grid = HttpsGrid("127.0.0.1", 0, *self._certificate, DEVICES, "tried", MOST, again=0.02)
        try:
            with self._devices(case, folder, grid.port) as said:
                here(grid)
                made, counting = through(case, folder, lambda: grid)
                grid.end(0)  # who has sent something twice is waiting
        finally:
            grid.close()
        return outcome(made, counting, grid.refused, said)

    def _killed(self, case: Case, folder: Path) -> Outcome:
        port, taken = 0, []
        arguments = ["server", str(folder), *map(str, self._certificate), json.dumps(asdict(case))]
        with contextlib.ExitStack() as stack:
            while True:
                with hosted(*arguments, str(port)) as process:
                    assert process.stdout is not None
                    for line in process.stdout:
                        told = json.loads(line)
                        if "port" in told and not port:
                            port = told["port"]
                            said = stack.enter_context(self._devices(case, folder, port))
                        if "taken" in told:
                            taken.append(told["taken"])
                        if "cut" in told:
                            process.kill()
                        if "outcome" in told:
                            return replace(Outcome(**told["outcome"]), taken=taken, said=said)
                    assert process.wait(60) == -signal.SIGKILL

    @contextmanager
    def _devices(self, case: Case, folder: Path, port: int) -> Iterator[list[str]]:
        """All of them, threads that end with the block, but one that is to be killed; what they say."""
        over, said = threading.Event(), list[str]()

        def device(i: int) -> None:
            connection = Odd(f"https://localhost:{port}", self._certificate[0], i, case.fault)
            join(
                participant(i, folder, case.masked), key(i), "tried", connection, MOST, log=said.append,
                ended=over.is_set, sleep=lambda seconds: bool(over.wait(min(seconds, 0.05))) and None,
            )  # fmt: skip

        def killed() -> None:
            """Device 0, behind what it has stored and before it has said it; and again, to the end."""
            line = ["device", str(folder), str(port), str(self._certificate[0]), "masked" if case.masked else ""]
            with hosted(*line) as first:
                assert first.stdout is not None
                assert first.stdout.readline() == "stored\n"
            with hosted(*line):
                over.wait()

        threads = [threading.Thread(target=device, args=(i,)) for i in range(case.kill == "device", COUNT)]
        threads += [threading.Thread(target=killed)] if case.kill == "device" else []
        for thread in threads:
            thread.start()
        try:
            yield said
        finally:
            over.set()
            for thread in threads:
                thread.join(30)


@contextmanager
def hosted(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of ``hosted``, which is killed at the end of the block."""
    line = [sys.executable, "-m", "tests.federate.hosted", *arguments]
    process = subprocess.Popen(line, cwd=ROOT, stdout=PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def here(grid: Grid) -> None:
    end = time.monotonic() + 60
    while len(grid.here()) < COUNT:
        assert time.monotonic() < end, "devices did not come"
        time.sleep(0.01)


def reference(case: Case, absent: Collection[Asked], folder: Path) -> Outcome:
    """Virtual time, no fault, and of ``absent`` nothing arrives."""

    def heard(i: int) -> Handle:
        handle = participant(i, folder, case.masked).handle

        def answered(data: bytes) -> Message | None:
            answer = handle(data)
            return None if answer is None or (i, answer.head["task"]) in absent else answer

        return answered

    made, counting = through(
        replace(case, fault="", kill="") if not absent else replace(case, kill=""), folder,
        lambda: VirtualGrid({name(i): Device(heard(i)) for i in range(COUNT)}),
    )  # fmt: skip
    return outcome(made, counting, {}, [])
