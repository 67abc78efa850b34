"""One search over what a network is and what of it learns, under one budget of a device."""

from .candidate import Candidate
from .compress import compress
from .compressed import Compressed, Step
from .limits import Limits
from .nothing_fits import NothingFits
from .space import Space

__all__ = ["Candidate", "Compressed", "Limits", "NothingFits", "Space", "Step", "compress"]
