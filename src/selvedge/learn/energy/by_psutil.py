"""Battery and temperature by psutil, where it is installed and knows them."""

from __future__ import annotations

from types import ModuleType

from ...errors import NotSupported
from .senses import Charge


class PsutilBattery:
    """Raises ``NotSupported`` where psutil is not installed."""

    def __init__(self) -> None:
        self._psutil = _psutil()

    def read(self) -> Charge | None:
        found = self._psutil.sensors_battery() if hasattr(self._psutil, "sensors_battery") else None
        if found is None:
            return None
        return Charge(min(1.0, max(0.0, found.percent / 100)), None, bool(found.power_plugged))


class PsutilThermometer:
    """Raises ``NotSupported`` where psutil is not installed."""

    def __init__(self) -> None:
        self._psutil = _psutil()

    def celsius(self) -> float | None:
        has = hasattr(self._psutil, "sensors_temperatures")
        found = self._psutil.sensors_temperatures() if has else {}
        return max((entry.current for entries in found.values() for entry in entries), default=None)


def _psutil() -> ModuleType:
    try:
        import psutil
    except ImportError:
        raise NotSupported("the battery of this machine", "", "pip install psutil") from None
    module: ModuleType = psutil
    return module
