"""Row -> how it is computed in ATen operators, or why it cannot be."""

from __future__ import annotations

from ..ir.expansions import RULES
from .integer import INTEGER
from .layers import LAYERS
from .moves import MOVES
from .pointwise import POINTWISE
from .sheet import Row

ROWS: dict[str, Row] = {**POINTWISE, **LAYERS, **MOVES, **INTEGER}

LACKS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("ctc_loss", "ctc_loss_grad"),
        ("it is a dynamic programme over a table, which no operator of the target is", "plan with another loss"),
    ),
    **dict.fromkeys(
        ("dropout",),
        ("its mask is a hash of 32-bit integers, which the target's operators do not wrap", "plan without dropout"),
    ),
    **dict.fromkeys(
        ("from_bfloat16", "to_bfloat16", "quantize", "dequantize", "quantize_square", "dequantize_square"),
        ("it rounds state at random by the bits of floats", "plan with state_dtype=None"),
    ),
    **dict.fromkeys(
        ("pack_mask", "masked_grad", "quantize_channels", "dequantize_channels"),
        ("what a step saves is the target's own business", "give the graph, not the planned kernels"),
    ),
}
"""Row -> (why the target has none, what to do)."""

KNOWN = frozenset({*ROWS, *RULES, "input", "state", "constant"})
