"""What a ServerApp can do with its SuperNodes: see who is there, push a message, pull what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..flower_record import flwr, packed, unpacked


@dataclass(frozen=True, slots=True)
class Reply:
    """To the message ``to``. data: what was said, None for nothing; error: why none was, "" where there is."""

    to: str
    data: bytes | None
    error: str = ""


class Link(Protocol):
    """A message is delivered at most once, and answered at most once."""

    def nodes(self) -> Mapping[int, str]:
        """Nodes that are there -> when each came last: another text after it was gone."""
        ...

    def push(self, node: int, kind: str, data: bytes | None, ttl: float) -> str:
        """The id of the message, which is given up after ``ttl`` seconds; "" where it was not taken."""
        ...

    def pull(self, ids: Iterable[str]) -> Iterator[Reply]:
        """What has come in answer to the messages ``ids``, each once."""
        ...


class SuperLink:
    """``grid``: flwr's, of a ServerApp's main function. Raises ``InvalidInput`` where flwr is not installed."""

    def __init__(self, grid: Any) -> None:
        self._message, self._grid = flwr("flwr.app").Message, grid

    def nodes(self) -> Mapping[int, str]:
        return {int(n.node_id): str(n.last_activated_at) for n in self._grid.get_nodes()}

    def push(self, node: int, kind: str, data: bytes | None, ttl: float) -> str:
        sent = self._message(packed(data), dst_node_id=node, message_type=kind, ttl=ttl)
        return next(iter(self._grid.push_messages([sent])), None) or ""

    def pull(self, ids: Iterable[str]) -> Iterator[Reply]:
        for reply in self._grid.pull_messages(list(ids)):
            to = str(reply.metadata.reply_to_message_id)
            if reply.has_error():
                yield Reply(to, None, str(reply.error.reason or f"error {reply.error.code}"))
            else:
                yield Reply(to, unpacked(reply.content))
