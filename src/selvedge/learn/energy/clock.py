"""The clocks of the machine this runs on."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path


class SystemClock:
    """Unix time; time since the machine started, asleep or awake where the system counts that; and a number of the
    start, out of Linux's boot id. Elsewhere each process counts as a start: see ``Governor``'s ``clock_is_kept``."""

    def __init__(self, boot_id: Path = Path("/proc/sys/kernel/random/boot_id")) -> None:
        try:
            text = boot_id.read_text()
        except OSError:
            text = f"{time.time_ns()}"
        self._boot = int.from_bytes(hashlib.sha256(text.strip().encode()).digest()[:8], "little")

    def wall(self) -> float:
        return time.time()

    def ticks(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()

    def boot(self) -> int:
        return self._boot
