"""Long times as people read them."""

from __future__ import annotations


def span(seconds: float) -> str:
    """As "2 d 3 h", "5 min 20 s" or "3.2 s"."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    for size, unit, below, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            return f"{whole:.0f} {unit} {rest // below:.0f} {smaller}"
    return f"{seconds:.3g} s"
