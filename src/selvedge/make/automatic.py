"""``update="auto"``: what to update, found by planning."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

from ..capture import Captured
from ..capture.part import channels
from ..capture.select import trained_layers
from ..choose import FRACTIONS, Candidate, Contribution, Cost, Found, inputs, saved, search
from ..device.sizes import format_bytes
from ..errors import InvalidInput
from ..planning.schedule import Choice
from ..planning.trade import NOTHING
from .limits import excess, fits, overdrawn
from .wish import Wish

if TYPE_CHECKING:
    from .plan import Plan

Attempt = Callable[[Wish, Captured], "Plan"]
BESIDE = ("optimizer", "accumulator")  # kinds of state that a parameter brings along when it learns
NAMED = 6  # tensors named in a line
TRIED = 4  # tensors that are tried with what the trade saves, beyond what fits without
_REASONS = {
    "full": "everything fits",
    "last": "as many last layers as fit",
    "bias": "not even the last layer fits, the biases do",
}


def automatic(wish: Wish, captured: Captured, attempt: Attempt) -> tuple[Wish, Plan]:
    """The plan, and the wish with the update that it makes: the one that contributes most where that was measured;
    else the first that fits of everything, as many last layers as fit, and the biases. Where nothing fits, a plan of
    the least that may learn, which does not either."""
    if wish.contribution is None:
        return _first(wish, captured, attempt)
    found = _contributing(wish, captured, attempt, wish.contribution)
    return replace(wish, update=found.update), found


# -- by contribution ----------------------------------------------------------------------------------------------


def _contributing(wish: Wish, captured: Captured, attempt: Attempt, measured: Contribution) -> Plan:
    """Of the sets that fit without a trade the one that contributes most; then what fits beside it with one."""
    require(measured, captured)
    # What it saves by rows or by making again would hide what each tensor costs, and every plan would take longer.
    plain = replace(wish, trade=NOTHING)
    whole = attempt(replace(plain, update="full"), captured)
    candidates = {c.name: c for c in _candidates(whole, captured, measured)}
    _require_scores(candidates.values())
    plans: dict[frozenset[str], Plan] = {}

    def made(names: frozenset[str], wish: Wish) -> Plan | None:
        try:
            return attempt(replace(wish, update=spelt(names, captured)), captured)
        except InvalidInput:  # nothing in it influences the loss
            return None

    def cost(names: frozenset[str]) -> Cost | None:
        plan = made(names, plain)
        if plan is None:
            return None
        memory = plan.arrangement.memory
        if fits(plan):
            plans[names] = plan
        over = excess(replace(plan, budget=replace(plan.budget, ram=max(memory.arena, plan.budget.ram))))
        return Cost(fits(plan), memory.persistent, memory.transient, over is None and overdrawn(plan) is None)

    found = search(list(candidates.values()), wish.budget.ram, cost)
    taken, plan = (found.names, plans[found.names]) if found is not None else _least(candidates, wish, made)
    more = _more(taken, candidates, wish, made) if fits(plan) else None
    lines = _reasons(taken, plan, found, measured, candidates, more)
    plan = more[1] if more is not None else plan
    return replace(plan, arrangement=replace(plan.arrangement, choices=lines))


Made = Callable[[frozenset[str], Wish], "Plan | None"]


def _least(candidates: Mapping[str, Candidate], wish: Wish, made: Made) -> tuple[frozenset[str], Plan]:
    """Where nothing fits without the trade: what must learn, or the best tensor that fits with it; where none does,
    the first that was tried. Raises ``InvalidInput`` where nothing may learn."""
    always = frozenset(n for n, c in candidates.items() if c.fixed)
    scored = [c for c in candidates.values() if c.fixed is None and c.score > 0 and not c.of]
    alone = sorted(scored, key=lambda c: (-c.score, c.name))
    first: tuple[frozenset[str], Plan] | None = None
    for names in [always] if always else [frozenset((c.name,)) for c in alone[:TRIED]]:
        plan = made(names, wish)
        if plan is not None and fits(plan):
            return names, plan
        first = first or (None if plan is None else (names, plan))
    if first is None:
        raise InvalidInput("contribution", "without a tensor that may learn", 'set the choice of one to "open"')
    return first


def _more(
    taken: frozenset[str], candidates: Mapping[str, Candidate], wish: Wish, made: Made
) -> tuple[frozenset[str], Plan] | None:
    """``taken`` and what fits beside it where the trade saves bytes, the best first; None where nothing does."""
    if not (wish.trade.stream or wish.trade.recompute or wish.trade.page or wish.trade.masks):
        return None
    tensors = {candidates[n].of or n for n in taken}
    left = [c for c in candidates.values() if c.fixed is None and c.score > 0 and not c.of and c.name not in tensors]
    found: tuple[frozenset[str], Plan] | None = None
    for c in sorted(left, key=lambda c: (-c.score, c.name))[:TRIED]:
        names = (found[0] if found is not None else taken) | {c.name}
        plan = made(names, wish)
        if plan is not None and fits(plan):
            found = names, plan
    return found


def _candidates(whole: Plan, captured: Captured, measured: Contribution) -> list[Candidate]:
    """Every tensor of ``whole``, the plan of all, and of those that are open the parts whose share was measured."""
    step, slots, learns = whole.programs.backward, whole.arrangement.slots, whole.programs.updated
    reads, own = saved(step, learns), inputs(step, learns)
    cut = channels(captured.graph, learns)
    made: list[Candidate] = []
    for t in measured.tensors:
        if t.name not in reads:
            continue
        fixed = {"always": True, "never": False}.get(t.choice)
        beside = sum(s.bytes for name, s in slots.items() if name.startswith(f"{t.name}.") and s.kind in BESIDE)
        size, read, part = slots[t.name].bytes, reads[t.name], cut[t.name]
        made.append(Candidate(t.name, t.score, size + beside, read, fixed))
        if isinstance(part, str) or fixed is not None:
            continue
        counts = {ceil(f * part.of): share for f, share in zip(FRACTIONS, t.shares, strict=False)}
        for count, share in counts.items():
            if count == part.of:
                continue
            # A part keeps its channels of the layer's input; all else is kept as for the whole.
            cuts = {f"{k}[:{count}]": b * count // part.of for k, b in read.items() if k in own[t.name]}
            kept = {k: b for k, b in read.items() if k not in own[t.name]} | cuts
            name, state = f"{t.name}[:{count}]", beside * count // part.of
            made.append(Candidate(name, share * t.score, size + state, kept, None, t.name, count, sum(cuts.values())))
    return made


def spelt(names: frozenset[str], captured: Captured) -> str:
    """``names`` as an update: "full" where they are all that can learn."""
    if names >= set(captured.trainable):
        return "full"
    place = {n: i for i, n in enumerate(captured.state)}
    return ",".join(sorted(names, key=lambda n: place[n] if n in place else place[n.rpartition("[:")[0]]))


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


def _require_scores(candidates: Collection[Candidate]) -> None:
    """Raise ``InvalidInput`` where nothing must learn and nothing that may has a score: any choice were a guess."""
    open_ = [c for c in candidates if c.fixed is None and not c.of]
    if open_ and not any(c.fixed or (c.fixed is None and c.score > 0) for c in candidates):
        fix = 'measure it with more steps, more data or another method, or set the choice of one to "always"'
        raise InvalidInput("contribution", f"0 for each of {len(open_)} tensors that may learn", fix)


def _reasons(
    taken: frozenset[str], plan: Plan, found: Found | None, measured: Contribution,
    candidates: Mapping[str, Candidate], more: tuple[frozenset[str], Plan] | None,
) -> tuple[Choice, ...]:  # fmt: skip
    whole = sum(c.score for c in candidates.values() if c.fixed is not False and not c.of)
    final = taken if more is None else more[0]
    names = sorted(final, key=lambda n: (-candidates[n].score, n))
    tensors = {candidates[n].of or n for n in names}
    left = [t.name for t in measured.ranked() if t.name not in tensors and t.score > 0]
    share = 100 * sum(candidates[n].score for n in names) / whole if whole else 0.0
    lines = [
        Choice(
            "chosen",
            f"{len(names)} of {len(measured.tensors)} tensors with {share:.1f} % of the contribution "
            f"({measured.method}): {_named(names)}",
        )
    ]
    if found is None:
        lines.append(Choice("best", "no set that contributes was found to fit without a trade"))
    else:
        best = (
            "no set that fits without a trade has more (proven)"
            if found.proven
            else f"a bound that every set without a trade obeys is {100 * found.bound:.1f} %"
        )
        size = format_bytes(plan.arena_bytes)
        lines.append(Choice("best", f"{best}; {found.plans} sets were planned, the best needs {size}"))
    if more is not None:
        beside = sorted(more[0] - taken, key=lambda n: (-candidates[n].score, n))
        lines.append(Choice("beside it", f"{_named(beside)}: fits with what the trade saves"))
    return (*lines, *([Choice("left out", f"{left[0]} is the greatest that does not learn")] if left else []))


def _named(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


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
