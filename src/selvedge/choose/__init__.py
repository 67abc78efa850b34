"""What to update: how much each tensor contributes, and the set that contributes most under a budget."""

from .contribution import CHOICES, FRACTIONS, METHODS, Contribution, Tensor
from .saved import inputs, saved
from .search import Candidate, Cost, Found, search

__all__ = [
    "CHOICES",
    "FRACTIONS",
    "METHODS",
    "Candidate",
    "Contribution",
    "Cost",
    "Found",
    "Tensor",
    "inputs",
    "saved",
    "search",
]
