"""``update="auto"``: what to update, found by planning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..capture import Captured
from ..choose import Candidate, Contribution, Cost, Found, saved, search
from ..device.sizes import format_bytes
from ..errors import InvalidInput
from ..planning.schedule import Choice
from ..planning.trade import NOTHING
from .change import trained_layers
from .limits import excess, fits, overdrawn
from .wish import Wish

if TYPE_CHECKING:
    from .plan import Plan

Attempt = Callable[[Wish, Captured], "Plan"]
BESIDE = ("optimizer", "accumulator")  # kinds of state that a parameter brings along when it learns
NAMED = 6  # tensors named in a line
_REASONS = {
    "full": "everything fits",
    "last": "as many last layers as fit",
    "bias": "not even the last layer fits, the biases do",
}


def automatic(wish: Wish, captured: Captured, attempt: Attempt) -> tuple[Wish, Plan]:
    """The plan, and the wish with the update that it makes: the one that contributes most where that was measured;
    else the first that fits of everything, as many last layers as fit, and the biases. Where nothing fits, the last
    layer's plan, which does not either."""
    if wish.contribution is not None:
        found = _contributing(wish, captured, attempt, wish.contribution)
        if found is not None:
            return replace(wish, update=found.update), found
    return _first(wish, captured, attempt)


# -- by contribution ----------------------------------------------------------------------------------------------


def _contributing(wish: Wish, captured: Captured, attempt: Attempt, measured: Contribution) -> Plan | None:
    """None where no tensor that contributes fits."""
    require(measured, captured)
    # What it saves by rows or by making again would hide what each tensor costs, and every plan would take longer.
    wish = replace(wish, trade=NOTHING)
    whole = attempt(replace(wish, update="full"), captured)
    step, slots = whole.programs.step, whole.arrangement.slots
    learns = set(whole.programs.updated)
    reads = saved(step, whole.programs.updated)
    kept = {
        n: slots[n].bytes + sum(s.bytes for name, s in slots.items() if name.startswith(f"{n}.") and s.kind in BESIDE)
        for n in whole.programs.updated
    }
    candidates = [
        Candidate(t.name, t.score, kept[t.name], reads[t.name], {"always": True, "never": False}.get(t.choice))
        for t in measured.tensors
        if t.name in learns
    ]
    plans: dict[frozenset[str], Plan] = {}

    def cost(names: frozenset[str]) -> Cost | None:
        try:
            made = attempt(replace(wish, update=spelt(names, captured)), captured)
        except InvalidInput:
            return None
        memory = made.arrangement.memory
        if fits(made):
            plans[names] = made
        over = excess(replace(made, budget=replace(made.budget, ram=max(memory.arena, made.budget.ram))))
        return Cost(fits(made), memory.persistent, memory.transient, over is None and overdrawn(made) is None)

    found = search(candidates, wish.budget.ram, cost)
    if found is None:
        return None
    made = plans[found.names]
    lines = _reasons(made, found, measured)
    return replace(made, arrangement=replace(made.arrangement, choices=lines))


def spelt(names: frozenset[str], captured: Captured) -> str:
    """``names`` as an update: "full" where they are all that can learn."""
    if names >= set(captured.trainable):
        return "full"
    return ",".join(n for n in captured.state if n in names)


def require(measured: Contribution, captured: Captured) -> None:
    """Raise ``InvalidInput`` unless ``measured`` speaks of exactly the trainable tensors of ``captured``."""
    sizes = {n: captured.state[n].nbytes for n in captured.trainable}
    for t in measured.tensors:
        if t.name not in sizes:
            raise InvalidInput(
                f"contribution {t.name}", "not trainable here", "it is of another model: measure this one"
            )
        if t.bytes != sizes[t.name]:
            fix = f"here it has {sizes[t.name]} bytes: measure this model"
            raise InvalidInput(f"contribution {t.name}", f"of {t.bytes} bytes", fix)
    missing = set(sizes).difference(t.name for t in measured.tensors)
    if missing:
        fix = f"{sorted(missing)[0]} is missing: measure on (the same call goes on where it stopped)"
        raise InvalidInput("contribution", f"of {len(measured.tensors)} tensors of {len(sizes)}", fix)


def _reasons(made: Plan, found: Found, measured: Contribution) -> tuple[Choice, ...]:
    scores = {t.name: t.score for t in measured.tensors}
    names = sorted(found.names, key=lambda n: (-scores[n], n))
    named = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    left = [t.name for t in measured.ranked() if t.name not in found.names and t.score > 0]
    best = (
        "no set that fits has more (proven)"
        if found.proven
        else f"a bound that every set obeys is {100 * found.bound:.1f} %"
    )
    return (
        Choice(
            "chosen",
            f"{len(names)} of {len(scores)} tensors with {100 * found.share:.1f} % of the contribution "
            f"({measured.method}): {named}",
        ),
        Choice("best", f"{best}; {found.plans} sets were planned, this one needs {format_bytes(made.arena_bytes)}"),
        *([Choice("left out", f"{left[0]} is the greatest that does not learn")] if left else []),
    )


# -- without measurements -----------------------------------------------------------------------------------------


def _first(wish: Wish, captured: Captured, attempt: Attempt) -> tuple[Wish, Plan]:
    tried: list[Choice] = []

    def probe(update: str) -> Plan | None:
        try:
            made = attempt(replace(wish, update=update), captured)
        except InvalidInput:
            if update == "full":
                raise
            return None  # a model without biases, say
        need = format_bytes(made.arrangement.memory.arena)
        tried.append(Choice(f"update {update}", f"{len(made.updated)} arrays, needs {need}: {_verdict(made)}"))
        return made if fits(made) else None

    found = probe("full") or _most_layers(captured, probe) or probe("bias")
    if found is None:
        least = replace(wish, update="last:1")
        return least, attempt(least, captured)
    chosen = Choice("chosen", f"{found.update}: {_REASONS[found.update.partition(':')[0]]}")
    made = replace(found, arrangement=replace(found.arrangement, choices=(*tried, chosen)))
    return replace(wish, update=found.update), made


def _most_layers(captured: Captured, probe: Callable[[str], Plan | None]) -> Plan | None:
    """The arena grows with the number of last layers: halve the interval."""
    found = None
    low, high = 0, trained_layers(captured) + 1
    while high - low > 1:
        middle = (low + high) // 2
        made = probe(f"last:{middle}")
        low, high = (middle, high) if made is not None else (low, middle)
        found = made or found
    return found


def _verdict(made: Plan) -> str:
    over, late = excess(made), overdrawn(made)
    if over is not None:
        return f"does not fit {format_bytes(over[2])}" + (" of flash" if over[0] == "flash" else "")
    return "fits" if late is None else f"breaks the {late.field}"
