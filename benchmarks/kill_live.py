"""``python -m benchmarks.kill_live [KILLS]``: what learns on a stream is killed again and again, and learns the same.

A child feeds a learner from a stream that follows from its numbers - classes, samples without one, NaN, a drift, a
class that is enrolled and taken back - and is killed (SIGKILL) at a random moment. The next child goes
on in the same folder. At the end the whole state must be, bit for bit, that of a run without a kill.
"""

from __future__ import annotations

import contextlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from selvedge.learn.drift.adwin import ADWIN
from selvedge.learn.energy.senses import Moment
from selvedge.learn.guard.anchor import Anchor
from selvedge.learn.habits import Habits
from selvedge.learn.journal.journal import Journal
from selvedge.learn.learner import Learner
from selvedge.learn.live import Live
from selvedge.learn.memory.replay import Replay
from selvedge.learn.stream.sample import Sample
from selvedge.run.artifact import load

SHAPE, CLASSES, LIMIT = (16,), 3, 200_000
ENROL, UNDO = 250, 310  # numbers of samples


def emitted(folder: Path) -> None:
    """The artifact that every child loads: a small net with two outputs to spare."""
    import torch

    import selvedge as sv

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(16, 12), torch.nn.ReLU(), torch.nn.Linear(12, CLASSES + 2))
    plan = sv.plan(net, torch.zeros(4, 16), optimizer=sv.SGD(lr=0.1, momentum=0.5), name="net")
    sv.emit(plan, "c", folder)


def made(number: int) -> tuple[np.ndarray, int]:
    """A sample of a distribution that turns at 400."""
    rng = np.random.default_rng(number)
    label = int(rng.integers(CLASSES))
    centre = np.sin(np.arange(16) * (label + 1) + (1.5 if number > 400 else 0.0))
    return (centre + rng.normal(0, 0.5, 16)).astype(np.float32), label


def living(artifact: Path, journal: Journal | None) -> Live:
    """The same learner every time; its clock is the number of the sample."""
    anchor = [made(1_000_000 + n) for n in range(60)]
    learner = Learner(
        load(artifact),
        memory=Replay(8 << 10, SHAPE, np.float32, classes=CLASSES + 2, seed=1),
        held_out=Replay(2 << 10, SHAPE, np.float32, classes=CLASSES + 2, seed=2),
        anchor=Anchor(np.stack([x for x, _ in anchor]), np.array([y for _, y in anchor]), margin=0.2),
        habits=Habits(steps=1),
        detectors={"error": ADWIN()},
        labels=["a", "b", "c"],
        pending_bytes=2 << 10,
        seed=3,
    )
    # The time is part of the state: it stands still, so that it comes again as it was.
    return Live(learner, journal, now=lambda: Moment(1.7e9, 1.0, 1))


def follow(live: Live, until: int, say: Callable[[int], None] = lambda number: None) -> None:
    """Feed what is left of the stream; at two numbers a class is enrolled and taken back, if that has not been done."""
    done = live.learner.diary.counts
    for number in range(live.position, until):
        x, y = made(number)
        if number == ENROL and not done.get("enrolled"):
            assert live.enrol(
                "d", np.stack([np.cos(np.arange(16) * 0.3 * k).astype(np.float32) for k in (4, 4.1, 4.2)])
            )
        if number == UNDO and not done.get("undone"):
            live.undo()
        if number % 41 == 7:
            live.feed(Sample(number, float(number), np.full(SHAPE, np.nan, np.float32), y))
        elif number % 13 == 5:
            live.feed(Sample(number, float(number), x))
        else:
            live.feed(Sample(number, float(number), x, y))
        say(number)


def child(artifact: str, folder: str, until: str) -> None:
    """Go on until killed, or done."""
    with Journal(folder, LIMIT, "snapshot") as journal:
        live = living(Path(artifact), journal)
        print("ready", flush=True)
        follow(live, int(until), lambda number: print(number, flush=True))
        live.finish()


def state(artifact: Path, folder: Path) -> dict[str, bytes]:
    """What a folder holds, as one who goes on finds it."""
    with Journal(folder, LIMIT) as journal:
        return {name: array.tobytes() for name, array in living(artifact, journal).state_dict().items()}


def run(kills: int, seed: int = 0, folder: Path | None = None, samples: int = 600) -> dict[str, Any]:
    """The figures of so many kills, over as many streams as it takes. Raises ``AssertionError`` where anything is
    otherwise than without one."""
    with contextlib.ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        artifact = place / "net"
        if not artifact.exists():
            emitted(artifact)
        return _run(kills, random.Random(seed), place, artifact, samples)


def _run(kills: int, rng: random.Random, place: Path, artifact: Path, samples: int) -> dict[str, Any]:
    with Journal(place / "whole", LIMIT, "snapshot") as journal:
        whole = living(artifact, journal)
        follow(whole, samples)
        whole.finish()
        wanted = {name: array.tobytes() for name, array in whole.state_dict().items()}
        figures = {"commits": whole.learner.tally.commits, "steps": whole.learner.tally.steps}
    assert state(artifact, place / "whole") == wanted
    done = streams = torn = early = 0
    while done < kills or not streams:
        cut, ended = place / f"cut-{streams}", False
        while not ended:
            arguments = ["--child", str(artifact), str(cut), str(samples)]
            with subprocess.Popen(
                [sys.executable, "-m", "benchmarks.kill_live", *arguments], stdout=subprocess.PIPE
            ) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == b"ready\n"
                if done < kills:
                    time.sleep(rng.random() * 0.15)
                    if process.poll() is None:
                        process.send_signal(signal.SIGKILL)
                said = process.stdout.read().split(b"\n")[:-1]
            ended = process.returncode == 0
            done += process.returncode == -signal.SIGKILL
            early += process.returncode == -signal.SIGKILL and not said
            if not ended:
                with Journal(cut, LIMIT) as journal:
                    torn += bool(journal.dropped)
        streams += 1
        found = state(artifact, cut)
        assert found.keys() == wanted.keys()
        odd = [name for name in wanted if found[name] != wanted[name]]
        assert not odd, f"stream {streams}: other {odd}"
    return {"kills": done, "streams": streams, "in a record": torn, "before a sample": early, **figures, "differ": 0}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        print(json.dumps(run(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)))
