"""The best order of the kernels: search from greedy orders, then a proof that none is better, or a better one."""

from __future__ import annotations

from .bound import bound_of_any_order
from .kernel import Lowered
from .search import Ordered, descend, prove
from .solve_order import solve_order
from .tally import Steps


def best_order(lowered: Lowered) -> Ordered:
    """The order of the lowest peak found, and the highest floor that was proven: by the relaxation of
    :func:`bound_of_any_order`, by a whole search below the peak, or by the solver's dual."""
    steps = Steps.of(lowered)
    floor = bound_of_any_order(lowered)
    peak, order = descend(steps, floor)
    found = prove(steps, Ordered(order, peak, floor))
    # The solver's model knows results in the place of operands, not over a part of them: its dual would be no bound.
    return found if any(k.overlay for k in lowered.kernels) else solve_order(steps, found)
