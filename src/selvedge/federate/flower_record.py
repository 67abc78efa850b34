"""A message of ours as flwr carries it: bytes that it does not look into, in one array of a record of its own."""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import InvalidInput

RECORD, ARRAY = "selvedge", "message"
HELLO, TASK = "query", "train"  # flwr's types of message


def flwr(module: str) -> Any:
    """A module of flwr: in the environment of a SuperLink or a SuperNode, not in that of a device that joins over
    HTTPS. Raises ``InvalidInput`` where it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("flwr"):
            raise
        raise InvalidInput("flwr", "not installed", "pip install 'selvedge[flower]'") from None


def packed(data: bytes | None) -> Any:
    """The ``RecordDict`` that carries ``data``; None: nothing is said."""
    app = flwr("flwr.app")
    if data is None:
        return app.RecordDict()
    # An array goes in pieces of some megabytes, a value of a ConfigRecord in one.
    return app.RecordDict({RECORD: app.ArrayRecord({ARRAY: app.Array("uint8", (len(data),), "selvedge", data)})})


def unpacked(content: Any) -> bytes | None:
    """What :func:`packed` was given; None for anything else that somebody sent."""
    record = content.array_records.get(RECORD)
    array = record.get(ARRAY) if record is not None else None
    return None if array is None else bytes(array.data)
