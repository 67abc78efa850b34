"""A device behind a SuperNode: flwr starts a process a message, and hands it the bytes of a task."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..flower_record import HELLO, TASK, flwr, packed, unpacked
from ..keys import Signer
from ..message import made
from .participant import Participant

Joined = Callable[[Any], tuple[Participant, Signer]]


def client_app(run: str, joined: Joined, clock: Callable[[], float] = time.time) -> Any:
    """The ``flwr.clientapp.ClientApp`` of devices that take part in ``run``.

    joined: flwr's ``Context`` -> who this is; its ``node_config`` is what the SuperNode was started with. The
    participant's store is to be a file: of what flwr keeps, nothing outlives a SuperNode.
    """
    app, message_of = flwr("flwr.clientapp").ClientApp(), flwr("flwr.app").Message

    def hello(message: Any, context: Any) -> Any:
        participant, key = joined(context)
        poll = made("poll", {"run": run, "client": participant.name, "now": clock()}, b"", key)
        return message_of(packed(poll.packed()), reply_to=message)

    def learn(message: Any, context: Any) -> Any:
        data = unpacked(message.content)
        answer = None if data is None else joined(context)[0].handle(data)
        return message_of(packed(None if answer is None else answer.packed()), reply_to=message)

    getattr(app, HELLO)()(hello)
    getattr(app, TASK)()(learn)
    return app
