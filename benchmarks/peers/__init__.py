"""The contestants: one file each, ``prepare(work) -> Contestant`` or a :class:`Failed` that says why not."""

from .contestant import Contestant, Failed, Missing, reason
from .table import PEERS, agree

__all__ = ["PEERS", "Contestant", "Failed", "Missing", "agree", "reason"]
