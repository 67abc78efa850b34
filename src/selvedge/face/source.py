"""What a device lives on, as the command line names it."""

from __future__ import annotations

from ..device.power import Battery, Solar
from ..errors import InvalidInput


def source(battery: str | None, life: str, solar: str | None) -> Battery | Solar | None:
    """Raises ``InvalidInput`` for text that cannot be read, and for both at once."""
    if battery is not None and solar is not None:
        raise InvalidInput("--solar", solar, "give either --battery or --solar")
    if battery is not None:
        return Battery.parse(battery, life)
    return None if solar is None else Solar.parse(solar)
