"""nn.Module -> nn.Module: quantised after training or in training, and what that costs, layer by layer; a student that
learns from a teacher.

Quantising needs torchao (``selvedge[quantise]``), learning from a teacher does not: without it only its names are here.
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
    "QuantisationWarning",
    "Quantised",
    "Relational",
    "Report",
    "SelfTeacher",
    "TeacherCache",
    "compare",
    "distil",
    "mixed_bits",
    "quantise",
]
