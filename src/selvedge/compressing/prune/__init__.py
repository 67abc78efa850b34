"""nn.Module -> a smaller nn.Module: channels cut away in groups that hang together, until a budget is met."""

from .pruned import Pruned
from .pruner import Pruner, prune
from .widths import Width, Widths

__all__ = ["Pruned", "Pruner", "Width", "Widths", "prune"]
