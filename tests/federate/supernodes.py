"""SuperNodes of three devices: what each does with a message, and a link to them in virtual time.

The link keeps to what flwr's does - a message is delivered once, answered once, and lost with its node - and is none of
flwr's: ``on_flwr`` runs the same nodes on that one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from selvedge.federate.flower_record import HELLO
from selvedge.federate.grid.flower_link import Reply
from selvedge.federate.message import Message, made, read

from .mouth import COUNT, Mouth, participant
from .toward import key


class Node:
    """Device ``i`` in its process; ``dies``: at the task of that number, once, behind what it has stored."""

    def __init__(self, i: int, folder: Path, fault: str, dies: int | None, masked: bool = False) -> None:
        self.i, self._folder, self._dies, self._masked, self.mouth = i, folder, dies, masked, Mouth(fault, i)
        self.participant = participant(i, folder, masked)
        self._polls = 0

    def polled(self) -> float:
        """Its clock."""
        self._polls += 1
        return float(self._polls)

    def answer(self, data: bytes) -> Message:
        return read(data, key(self.i).public, len(data))

    def died(self, answer: Message | None) -> bool:
        """Whether it did so behind this answer: it is another process now, with nothing but its file."""
        if answer is None or self._dies is None or answer.head["task"] != self._dies:
            return False
        self._dies, self.participant = None, participant(self.i, self._folder, self._masked)
        return True


@dataclass(slots=True)
class _Pushed:
    node: int
    kind: str
    data: bytes | None
    ends: float
    delivered: bool = False
    reply: Reply | None = None


class Link:
    """``away``: seconds until a node that died is back."""

    def __init__(self, nodes: Iterable[Node], away: float = 5.0) -> None:
        self._nodes = {100 + node.i: node for node in nodes}
        self._since = dict.fromkeys(self._nodes, 0)
        self._back: dict[int, float] = {}
        self._pushed: dict[str, _Pushed] = {}
        self._away, self._number, self._now = away, 0, 0.0

    def clock(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds

    def nodes(self) -> Mapping[int, str]:
        for node, at in list(self._back.items()):
            if self._now >= at:
                del self._back[node]
                self._since[node] += 1
        return {node: str(since) for node, since in self._since.items() if node not in self._back}

    def push(self, node: int, kind: str, data: bytes | None, ttl: float) -> str:
        self._number += 1
        self._pushed[str(self._number)] = _Pushed(node, kind, data, self._now + ttl)
        return str(self._number)

    def pull(self, ids: Iterable[str]) -> Iterator[Reply]:
        for number, pushed in list(self._pushed.items()):
            if not pushed.delivered and pushed.node not in self._back:
                self._deliver(number, pushed)
        for number in list(ids):
            pushed = self._pushed[number]
            if pushed.reply is not None:
                del self._pushed[number]
                yield pushed.reply
            elif self._now >= pushed.ends:
                del self._pushed[number]
                yield Reply(number, None, "the message has expired")

    def _deliver(self, number: str, pushed: _Pushed) -> None:
        pushed.delivered = True
        node = self._nodes[pushed.node]
        if pushed.kind == HELLO:
            head = {"run": "tried", "client": node.participant.name, "now": node.polled()}
            pushed.reply = Reply(number, made("poll", head, b"", key(node.i)).packed())
            return
        assert pushed.data is not None
        answer = node.participant.handle(pushed.data)
        if node.died(answer):
            self._back[pushed.node] = self._now + self._away
            return
        said = [None] if answer is None else node.mouth.says(answer)
        if said:
            pushed.reply = Reply(number, said[0])


def nodes(folder: Path, fault: str, kill: str, masked: bool = False) -> list[Node]:
    return [Node(i, folder, fault, 1 if kill == "device" and i == 0 else None, masked) for i in range(COUNT)]
