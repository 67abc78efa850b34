"""Events as records of a journal, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from .coordinator import Advanced, Began, Closed, Event, Gone, Opened, Said, Stopped, Taken, Void

_KINDS: Mapping[str, type[Any]] = {
    of.__name__.lower(): of for of in (Began, Opened, Taken, Said, Advanced, Gone, Closed, Void, Stopped)
}
Unpacked = Callable[[str, bytes, bool], tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]]


def written(event: Event, body: bytes = b"") -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """(head, arrays). Of a :class:`Taken`, ``body`` is kept, as it came: fewer bytes than the change."""
    head: dict[str, Any] = {"event": type(event).__name__.lower()}
    if isinstance(event, Taken):
        head |= {"client": event.client, "task": event.task, "weight": event.weight, "loss": event.loss}
        return {**head, "control": event.control is not None}, {"body": np.frombuffer(body, np.uint8)}
    if isinstance(event, Said):
        return {**head, "client": event.client, "task": event.task}, {"answer": np.frombuffer(event.answer, np.uint8)}
    given = asdict(event)
    # A round that is not masked is written as ever.
    return head | {n: v for n, v in given.items() if v or n not in ("keys", "certificates", "of", "lie")}, {}


def read(head: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], unpacked: Unpacked) -> Event:
    """The event of a record; ``unpacked``: (client, body, whether with control) -> (change, control)."""
    given = {n: v for n, v in head.items() if n != "event"}
    if head["event"] == "taken":
        change, control = unpacked(head["client"], arrays["body"].tobytes(), given.pop("control"))
        return Taken(**given, change=change, control=control)
    if head["event"] == "said":
        return Said(**given, answer=arrays["answer"].tobytes())
    made: Event = _KINDS[head["event"]](**given)
    return made
