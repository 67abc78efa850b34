"""One group of ours through every stage, in one process: what each side took, what went up, and the sum."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from selvedge.federate.keys import Key
from selvedge.federate.masking import split
from selvedge.federate.masking.group import Group
from selvedge.federate.masking.member import Member
from selvedge.federate.masking.terms import STAGES, Terms
from selvedge.federate.masking.threshold import majority

Ints = npt.NDArray[np.integer[Any]]
GONE = "input"  # the stage that those who are lost do not come to: their masks are in the sums of all others


@dataclass
class Spent:
    """Seconds of the processor and bytes: of each member that stayed, and of the server."""

    client: dict[str, float] = field(default_factory=dict)
    server: float = 0.0
    up: dict[str, dict[str, int]] = field(default_factory=dict)  # stage -> member -> bytes
    total: Ints | None = None
    survivors: tuple[str, ...] = ()
    masked: dict[str, bytes] = field(default_factory=dict)  # answers of the stage "input" of those in ``keep``


def names(count: int) -> tuple[str, ...]:
    return tuple(f"device-{i:05}" for i in range(count))


def key(name: str) -> Key:
    return Key(hashlib.sha256(name.encode()).digest())


def terms(cohort: tuple[str, ...], size: int, bits: int, group: int = 0) -> Terms:
    return Terms("measured", 1, group, cohort, majority(len(cohort)), size, bits, "0" * 64, f"int{bits}")


def through(
    agreed: Terms, values: Callable[[str], Ints], lost: Collection[str] = (), keep: Collection[str] = ()
) -> Spent:
    """values: of a member, int32 [size]; what that takes is nobody's time. lost: who answers until before
    :data:`GONE`. keep: whose masked input is to be looked at. Raises ``RuntimeError`` for a group that fails."""
    keys = {name: key(name) for name in agreed.cohort}
    public = {name: own.public for name, own in keys.items()}
    members = {name: Member(name, own, lambda other, certificate: public[other]) for name, own in keys.items()}
    spent = Spent()
    began = time.process_time()
    group = Group(agreed, public)
    spent.server += time.process_time() - began
    while group.stage in STAGES:
        stage = group.stage
        sizes = spent.up[stage] = {}
        for name in sorted(group.waiting):
            if name in lost and STAGES.index(stage) >= STAGES.index(GONE):
                continue
            numbers = values(name) if stage == "input" else None
            times = [time.process_time()]
            ask = group.ask(name)
            times.append(time.process_time())
            answer = members[name].answer(stage, agreed, ask, numbers)
            times.append(time.process_time())
            group.put(name, answer)
            times.append(time.process_time())
            asked, answered, put = np.diff(times)
            spent.server += asked + put
            spent.client[name] = spent.client.get(name, 0.0) + answered
            sizes[name] = len(answer)
            if stage == "input" and name in keep:
                spent.masked[name] = answer
        began = time.process_time()
        group.advance()
        spent.server += time.process_time() - began
    if group.stage != "done":
        raise RuntimeError(group.why)
    began = time.process_time()
    spent.total, spent.survivors = group.total()
    spent.server += time.process_time() - began
    return spent


def measured(clients: int, parameters: int, lost: int, bits: int, most: int) -> dict[str, Any]:
    """A cohort in groups of at most ``most``, one after the other. Raises ``RuntimeError`` for a sum that is wrong."""

    def values(name: str) -> Ints:
        end = (1 << bits - 1) - 1
        draw = np.random.default_rng(int(name.removeprefix("device-")))
        return draw.integers(-end, end, parameters, np.int32, endpoint=True)

    gone = set(names(lost))
    client: list[float] = []
    up: list[int] = []
    inputs: list[int] = []
    server, groups = [], split.groups(names(clients), "measured", most)
    for number, cohort in enumerate(groups):
        spent = through(terms(cohort, parameters, bits, number), values, gone)
        staying = [name for name in cohort if name not in gone]
        due = np.zeros(parameters, np.int64)
        for name in staying:
            due += values(name)
        if spent.survivors != tuple(staying) or not np.array_equal(spent.total, due):
            raise RuntimeError("a sum that is not that of the survivors")
        server.append(round(spent.server, 4))
        client += [round(spent.client[name], 4) for name in staying]
        up += [sum(sizes[name] for sizes in spent.up.values()) for name in staying]
        inputs += [spent.up["input"][name] for name in staying]
    return {
        "client": client, "server": round(sum(server), 4), "groups": server, "up": sum(up) / len(up),
        "vector": sum(inputs) / len(inputs), "width": terms(groups[0], 1, bits).width,
    }  # fmt: skip


if __name__ == "__main__":
    measured(4, 10, 0, 8, 4)  # what is imported late is nobody's time
    print(json.dumps(measured(**json.loads(sys.argv[1]))))
