"""Advice: run a model on the device, in the cloud, or split - as arithmetic over frozen values, without I/O."""

from .advise import Advice, advise
from .costs import Costs, Cut, Run, Step
from .limits import Limit
from .radio import RADIOS, Radio
from .reading import costs as read_costs
from .reading import scenario as read_scenario
from .scenario import Board, Cloud, Data, Learning, Link, Privacy, Scenario, Wants
from .way import Way

__all__ = [
    "RADIOS",
    "Advice",
    "Board",
    "Cloud",
    "Costs",
    "Cut",
    "Data",
    "Learning",
    "Limit",
    "Link",
    "Privacy",
    "Radio",
    "Run",
    "Scenario",
    "Step",
    "Wants",
    "Way",
    "advise",
    "read_costs",
    "read_scenario",
]
