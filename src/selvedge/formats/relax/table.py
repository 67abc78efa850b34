"""Row -> how it is computed in tensor expressions, or why it is not."""

from __future__ import annotations

from .integer import INTEGER
from .layers import LAYERS
from .moves import MOVES
from .pointwise import POINTWISE
from .sheet import Row

ROWS: dict[str, Row] = {**POINTWISE, **LAYERS, **MOVES, **INTEGER}

LACKS: dict[str, tuple[str, str]] = {}
"""Row -> (why there is none, what to do)."""
