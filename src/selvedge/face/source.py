"""What a device lives on, as the command line names it."""

from __future__ import annotations

from ..device.power import Battery, Solar
from ..errors import InvalidInput


def source(battery: str | None, life: str | None, solar: str | None) -> Battery | Solar | None:
    """Raises ``InvalidInput`` for text that cannot be read, for both at once, and for a life of no battery."""
    if battery is not None and solar is not None:
        raise InvalidInput("--solar", solar, "give either --battery or --solar")
    if battery is not None:
        return Battery.parse(battery) if life is None else Battery.parse(battery, life)
    if life is not None:
        raise InvalidInput("--life", life, "it is a battery's: give --battery too")
    return None if solar is None else Solar.parse(solar)
