"""Rows in terms of simpler rows, one family a file: what a target without an operator of that meaning is given."""

from __future__ import annotations

from .activation import ACTIVATION
from .loss import LOSS
from .pooling import POOLING
from .recurrent import RECURRENT
from .rule import Rule
from .structure import STRUCTURE

RULES: dict[str, Rule] = {**ACTIVATION, **LOSS, **POOLING, **RECURRENT, **STRUCTURE}
"""Row -> what it is in others."""
