"""Programs for the smaller shapes of a plan, over its state and in its arena."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from ..capture import Captured, Programs, programs, select
from ..errors import DoesNotFit, InvalidInput, NotSupported
from ..ir import verify
from ..planning.arrange import Draft
from . import learnable
from .batch import divided
from .limits import excess
from .sizes import smaller
from .wish import Drafted, Wish, drafted

if TYPE_CHECKING:
    from .plan import Plan


def widened(plan: Plan, wish: Wish, captured: Captured, attempt: Callable[[Wish, Captured, Drafted], Plan]) -> Plan:
    """``plan``, the one for ``wish``, with programs for its smaller shapes too: in the same arena, if they can be
    made to fit there, else in what the budget has.

    Raises ``NotSupported`` and ``InvalidInput`` where the model cannot be had so, and ``DoesNotFit`` where the
    programs, which are more code, leave the budget.
    """
    largest = drafted(wish, captured).programs
    examples = smaller(wish.dynamic, divided(wish.example, wish.accumulate))
    both = replace(largest, sizes={suffix: _made(wish, suffix, example) for suffix, example in examples.items()})
    for suffix, own in both.sizes.items():
        for name, leaf in own.state.items():
            if name not in largest.state or largest.state[name].spec != leaf.spec:
                fix = "state must be the same at every size: leave this size out, or change the model"
                raise InvalidInput(_told(suffix), f"with another state {name}", fix)
    made = Drafted(both, Draft(both.graphs, wish.device))
    whole = attempt(replace(wish, budget=replace(wish.budget, ram=plan.arena_bytes)), captured, made)
    if whole.arena_bytes > plan.arena_bytes:
        whole = attempt(wish, captured, made)
    whole = replace(whole, budget=wish.budget)
    over = excess(whole)
    if over is not None:
        fix = f"{len(examples)} smaller shapes are planned beside the largest: give fewer in dynamic"
        raise DoesNotFit(*over, fix)
    return whole


def _made(wish: Wish, suffix: str, example: tuple[torch.Tensor, ...]) -> Programs:
    try:
        own = learnable.captured(wish.model, example, norms=wish.norms, dropout=wish.dropout)
        made = programs(own, wish.loss, wish.optimizer, select(own, wish.update), wish.accumulate)
    except NotSupported as error:
        raise NotSupported(f"{_told(suffix)}: {error.op}", error.where, error.what_to_do) from error
    except InvalidInput as error:
        raise InvalidInput(f"{_told(suffix)}: {error.field}", error.value, error.fix) from error
    for graph in made.graphs.values():
        verify(graph)
    return made


def _told(suffix: str) -> str:
    return f"dynamic {' x '.join(suffix.split('_'))}"
