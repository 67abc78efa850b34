"""nn.Module -> nn.Module: quantised after training or in training, and what that costs, layer by layer."""

from .compare import compare
from .mixed import MixedBits, mixed_bits
from .qat import QAT
from .quantise import quantise
from .quantised import Facts, QuantisationWarning, Quantised
from .report import Report

__all__ = [
    "QAT",
    "Facts",
    "MixedBits",
    "QuantisationWarning",
    "Quantised",
    "Report",
    "compare",
    "mixed_bits",
    "quantise",
]
