"""Row -> how it is computed in tensor expressions, or why it is not."""

from __future__ import annotations

from .integer import INTEGER
from .layers import LAYERS
from .moves import MOVES
from .pointwise import POINTWISE
from .sheet import Row

ROWS: dict[str, Row] = {**POINTWISE, **LAYERS, **MOVES, **INTEGER}

LACKS: dict[str, tuple[str, str]] = {
    "ctc": ("it goes through a table step by step", "plan with another loss"),
    "dropout": ("its mask is a hash in 32-bit integers that wrap", "plan without dropout"),
    "int8_softmax": ("it is fixed-point arithmetic of its own", "leave the softmax out: the largest stays the largest"),
    **dict.fromkeys(
        (
            "from_bfloat16", "to_bfloat16", "quantize", "dequantize", "quantize_square", "dequantize_square",
        ),
        ("state in fewer bytes is rounded by the bits of its floats", "plan with state_dtype=None"),
    ),
    **dict.fromkeys(
        ("pack_mask", "masked_grad", "quantize_channels"),
        ("only the planner of our own kernels saves so", "emit the plan's graphs"),
    ),
}  # fmt: skip
"""Row -> (why the target has none, what to do)."""
