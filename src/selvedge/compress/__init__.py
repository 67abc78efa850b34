"""nn.Module -> nn.Module: cut to fewer channels, quantised after training or in training; what that costs by layer."""

from .compare import compare
from .mixed import MixedBits, mixed_bits
from .prune import Pruned, Pruner, Width, Widths, prune
from .qat import QAT
from .quantise import quantise
from .quantised import Facts, QuantisationWarning, Quantised
from .report import Report

__all__ = [
    "QAT",
    "Facts",
    "MixedBits",
    "Pruned",
    "Pruner",
    "QuantisationWarning",
    "Quantised",
    "Report",
    "Width",
    "Widths",
    "compare",
    "mixed_bits",
    "prune",
    "quantise",
]
