"""The comparison every team asks for: one model made small in many ways, each measured on the same data and device."""

from .balance import weigh
from .row import Outcome, Row
from .ways import Way
from .weighed import Weighed

__all__ = ["Outcome", "Row", "Way", "Weighed", "weigh"]
