"""Operators that are written and not read, in the terms of :mod:`.schema`: those of float graphs and of variables."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .schema import ACTIVATION, PADDING, Kind, Option

_ACTIVATED = (Option("activation", 0, ACTIVATION),)
_KEPT = (Option("keep_dims", 0, "bool"),)
_SELECTS = 3, 3

WRITTEN: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind(8, "FLOOR", (1, 1)),
            Kind(41, "SUB", (2, 2), 28, _ACTIVATED),
            Kind(42, "DIV", (2, 2), 29, _ACTIVATED),
            Kind(47, "EXP", (1, 1), 33),
            Kind(50, "LOG_SOFTMAX", (1, 1), 36),
            Kind(55, "MAXIMUM", (2, 2), 39),
            Kind(57, "MINIMUM", (2, 2), 39),
            Kind(58, "LESS", (2, 2), 41),
            Kind(59, "NEG", (1, 1), 42),
            Kind(61, "GREATER", (2, 2), 44),
            Kind(62, "GREATER_EQUAL", (2, 2), 45),
            Kind(63, "LESS_EQUAL", (2, 2), 46),
            Kind(64, "SELECT", _SELECTS, 47),
            Kind(66, "SIN", (1, 1)),
            Kind(
                67, "TRANSPOSE_CONV", (3, 3), 49,
                (Option("padding", 0, PADDING), Option("stride_w", 1, "i"), Option("stride_h", 2, "i")),
            ),
            Kind(71, "EQUAL", (2, 2), 53),
            Kind(72, "NOT_EQUAL", (2, 2), 54),
            Kind(73, "LOG", (1, 1)),
            Kind(74, "SUM", (2, 2), 27, _KEPT),
            Kind(75, "SQRT", (1, 1)),
            Kind(76, "RSQRT", (1, 1)),
            Kind(78, "POW", (2, 2), 56),
            Kind(82, "REDUCE_MAX", (2, 2), 27, _KEPT),
            Kind(85, "ONE_HOT", (4, 4), 61, (Option("axis", 0, "i"),)),
            Kind(92, "SQUARE", (1, 1), 66),
            Kind(93, "ZEROS_LIKE", (1, 1), 67),
            Kind(94, "FILL", (2, 2), 68),
            Kind(98, "LEAKY_RELU", (1, 1), 75, (Option("alpha", 0, "f"),)),
            Kind(101, "ABS", (1, 1), 78),
            Kind(104, "CEIL", (1, 1)),
            Kind(105, "REVERSE_V2", (2, 2), 81),
            Kind(108, "COS", (1, 1), 84),
            Kind(116, "ROUND", (1, 1)),
            Kind(117, "HARD_SWISH", (1, 1), 91),
            Kind(122, "SCATTER_ND", (3, 3), 97),
            Kind(123, "SELECT_V2", _SELECTS, 98),
            Kind(126, "BATCH_MATMUL", (2, 2), 101, (Option("adj_x", 0, "bool"), Option("adj_y", 1, "bool"))),
            Kind(128, "CUMSUM", (2, 2), 102, (Option("exclusive", 0, "bool"), Option("reverse", 1, "bool"))),
            Kind(129, "CALL_ONCE", (0, 0), 103, (Option("subgraph", 0, "i"),)),
            Kind(130, "BROADCAST_TO", (2, 2), 104),
            Kind(142, "VAR_HANDLE", (0, 0), 111, (Option("container", 0, "text"), Option("shared_name", 1, "text"))),
            Kind(143, "READ_VARIABLE", (1, 1), 112),
            Kind(144, "ASSIGN_VARIABLE", (2, 2), 113),
            Kind(150, "GELU", (1, 1), 116, (Option("approximate", 0, "bool"),)),
            Kind(158, "SIGN", (1, 1), 123),
        )
    }
)  # fmt: skip
