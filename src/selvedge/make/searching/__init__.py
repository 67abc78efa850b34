"""One search over what a network is and what of it learns, under one budget of a device."""

from .candidate import Candidate
from .compressed import Compressed, Step
from .limits import Limits
from .nothing_fits import NothingFits
from .search import compress
from .space import Space

__all__ = ["Candidate", "Compressed", "Limits", "NothingFits", "Space", "Step", "compress"]
