"""What the state of a plan holds: as it was planned, or as a session has learnt it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import InvalidInput
from ..run.learning import Learning
from .plan import Plan


def initial_state(plan: Plan) -> dict[str, np.ndarray]:
    """Every state array of the plan in its stored layout: the model's weights and a fresh optimiser."""
    state: Mapping[str, np.ndarray] = {**plan.captured.stored(), **plan.programs.optimizer_state}
    return {name: state[name] for name in plan.arrangement.slots}


def learnt_state(
    plan: Plan, learnt: Learning | Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """(stored arrays, entries that no program reads) of what a session, or a state dict, holds now.

    A session gives its optimiser's arrays too. Raises ``InvalidInput`` for a state dict of another model.
    """
    captured = plan.captured
    session = learnt if isinstance(learnt, Learning) else None
    if session is None and not isinstance(learnt, Mapping):
        raise InvalidInput("learnt", f"of type {type(learnt).__name__}", "give a session or a state dict")
    given: Mapping[str, Any] = learnt.state_dict() if isinstance(learnt, Learning) else learnt
    whole = captured.checked({n: v.detach().cpu() if hasattr(v, "detach") else v for n, v in given.items()})
    stored = {**initial_state(plan), **captured.load(whole)}
    leaves = plan.programs.state
    for name, array in (session.optimizer_state_dict() if session else {}).items():
        if name not in stored or stored[name].size != array.size:
            raise InvalidInput("session", f"with {name}", "it is of another plan; emit that one")
        stored[name] = leaves[name].node.attrs["layout"].store(array)
    return {n: stored[n] for n in plan.arrangement.slots}, {n: whole[n] for n in captured.constant}
