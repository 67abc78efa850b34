"""C99 of what a microcontroller needs of this room: headers of their own, no heap, no globals; ``FOLDER`` is where."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
