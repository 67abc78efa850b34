"""nn.Module -> nn.Module: a student that learns from a teacher; cut to fewer channels; quantised after training or in
training; and what that costs, layer by layer.

Quantising needs torchao (``selvedge[quantise]``): without it the names of the others alone are here.
"""

from .distil import (
    DKD,
    AttentionTransfer,
    Distil,
    Distilled,
    Hint,
    Logits,
    Relational,
    SelfTeacher,
    TeacherCache,
    distil,
)
from .prune import Pruned, Pruner, Width, Widths, prune

try:
    from .compare import compare
    from .mixed import MixedBits, mixed_bits
    from .qat import QAT
    from .quantise import quantise
    from .quantised import Facts, QuantisationWarning, Quantised
    from .report import Report
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "torchao":
        raise

__all__ = [
    "DKD",
    "QAT",
    "AttentionTransfer",
    "Distil",
    "Distilled",
    "Facts",
    "Hint",
    "Logits",
    "MixedBits",
    "Pruned",
    "Pruner",
    "QuantisationWarning",
    "Quantised",
    "Relational",
    "Report",
    "SelfTeacher",
    "TeacherCache",
    "Width",
    "Widths",
    "compare",
    "distil",
    "mixed_bits",
    "prune",
    "quantise",
]
