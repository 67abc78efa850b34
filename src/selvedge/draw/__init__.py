"""Pictures of what the others return: values in, HTML or a standalone SVG out. Pure functions that decide nothing."""

from .chart import Line
from .costs import costs
from .curves import curves
from .layers import layers
from .memory import memory
from .page import inline, page, section, table, tiles
from .pixels import pixels
from .scatter import Dot, scatter

__all__ = [
    "Dot",
    "Line",
    "costs",
    "curves",
    "inline",
    "layers",
    "memory",
    "page",
    "pixels",
    "scatter",
    "section",
    "table",
    "tiles",
]
