"""A device without its limits of memory: what something costs there, whether it fits or not."""

from __future__ import annotations

from dataclasses import replace

from ..device import Device
from ..device.sizes import parse_bytes

ROOM = "1023GiB"


def roomy(device: Device) -> Device:
    """The same core with room for anything."""
    return replace(device, ram=parse_bytes(ROOM), flash=parse_bytes(ROOM))
