"""Why a plan is as it is: a line for each choice, read off the plan itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..device.sizes import format_bytes
from ..draw.lives import called, peak
from ..ir.ops.saved import packed
from ..planning.schedule import STATE, Choice, Program

if TYPE_CHECKING:
    from .plan import Plan

NAMED = 3  # buffers named at the peak
SHAPES = 8  # smaller shapes that are named


def why(plan: Plan) -> tuple[Choice, ...]:
    """What was chosen, for the user or by the user, and what it does: update set, norms, batch, optimiser, budget,
    order, places, and what holds the peak."""
    a = plan.arrangement
    largest = max(a.programs.values(), key=lambda p: p.transient_bytes)
    return (
        *(a.choices or (_update(plan),)),
        *_norms(plan),
        *_sizes(plan),
        *_small(a.largest),
        *_streaming(a.largest),
        *_channels(a.largest),
        *_again(plan),
        *_paging(plan),
        _batch(plan),
        *_accumulators(plan),
        _optimizer(plan),
        *_clipping(plan),
        _budget(plan),
        _order(largest, plan.persistent_bytes),
        _places(largest),
        _peak(plan, largest),
    )


def _update(plan: Plan) -> Choice:
    parts = [part.label(n) for n, part in plan.programs.parts.items()]
    named = ", ".join(parts[:NAMED]) + (f" and {len(parts) - NAMED} more" if len(parts) > NAMED else "")
    cut = f"; the rest of {named} is frozen where it lies, in RAM" if parts else ""
    frozen = [s for s in plan.arrangement.slots.values() if s.kind == "parameter" and s.region != STATE]
    if not frozen:
        return Choice(f"update {plan.update}", f"as asked; every parameter learns, in RAM{cut}")
    size = sum(s.bytes for s in frozen)
    return Choice(
        f"update {plan.update}",
        f"as asked; the other {len(frozen)} parameters ({format_bytes(size)}) are read from flash and take no RAM{cut}",
    )


def _norms(plan: Plan) -> tuple[Choice, ...]:
    folded, frozen = len(plan.captured.folds), sum(n.endswith("running_var") for n in plan.arrangement.slots)
    if plan.captured.norms == "folded" and plan.captured.batch_norms:
        whole = plan.captured.batch_norms
        some = _many(folded, "batch norm") if folded == whole else f"{folded} of {whole} batch norms"
        kept = "" if folded == whole else "; the others keep their running statistics"
        what = f"{some} became part of the layer before: neither its work nor its arrays{kept}"
        return (Choice("norms folded", what),)
    if not frozen:
        return ()
    if plan.captured.norms == "live":
        what = f"{_many(frozen, 'batch norm')} take the statistics of a micro-batch and move the running ones"
        return (Choice("norms live", what),)
    what = f"{_many(frozen, 'batch norm')} keep their running statistics, as in model.eval(): a batch of 1 can learn"
    return (Choice("norms frozen", what),)


def _sizes(plan: Plan) -> tuple[Choice, ...]:
    """The smaller shapes that run too."""
    faces = [own.layouts["x"].face for own in plan.programs.sizes.values()]
    if not faces:
        return ()
    named = ", ".join(map(str, faces if len(faces) <= SHAPES else [*faces[: SHAPES - 1], "...", faces[-1]]))
    code = sum(len(p.kernels) for n, p in plan.arrangement.programs.items() if "_" in n)
    why = f"{named} run too, each exactly as it is: over the same state, in the same arena, in {code:,} more calls"
    return (Choice(f"{len(faces)} smaller shape{'' if len(faces) == 1 else 's'}", why),)


def _small(programs: Iterable[Program]) -> tuple[Choice, ...]:
    """What is saved for the backward in fewer bytes: the numbers that it stands for, and what it takes."""
    calls = [(p, k) for p in programs for k in p.kernels.values() if k.family in ("pack_mask", "quantize_channels")]
    masks = [p.instances[k.reads[0]].spec for p, k in calls if k.family == "pack_mask"]
    coded = [(p, k) for p, k in calls if k.family == "quantize_channels"]
    found: list[Choice] = []
    if masks:
        kept = sum(packed(s.size) for s in masks)
        found.append(
            Choice(
                "masks",
                f"{_many(len(masks), 'activation')} kept as a bit a number, {kept:,} B in place of "
                f"{sum(s.bytes for s in masks):,}: where the gradient passes is all that is asked of them later",
            )
        )
    if coded:
        whole = sum(p.instances[k.reads[0]].spec.bytes for p, k in coded)
        kept = sum(p.instances[w].spec.bytes for p, k in coded for w in k.writes)
        found.append(
            Choice(
                "int8 activations",
                f"{_many(len(coded), 'activation')} kept in 8 bits, {kept:,} B in place of {whole:,}: the backward "
                "reads each number at most 1/254 of its channel's largest magnitude off, which changes gradients",
            )
        )
    return tuple(found)


def _streaming(programs: Iterable[Program]) -> tuple[Choice, ...]:
    """Of every program that works by rows."""
    told = []
    for p in programs:
        runs = [k for k in p.kernels.values() if k.inner]
        if runs and p.saved is not None:
            inner = sum(len(k.inner) for k in runs)
            told.append(
                Choice(
                    f"streaming {p.name}",
                    f"{_many(inner, 'kernel')} in {_many(len(runs), 'run')} keep rows of their activations: "
                    f"{p.transient_bytes:,} B in passing instead of {p.saved.plain_bytes:,}; the arithmetic is the "
                    "same, rows are moved",
                )
            )
    return tuple(told)


def _channels(programs: Iterable[Program]) -> tuple[Choice, ...]:
    """Of every program that works by channels."""
    return tuple(
        Choice(
            f"channels {p.name}",
            f"{_many(p.saved.regions, 'part')} of the backward some channels at a time, in {p.saved.pieces} pieces "
            f"each, and again what the forward pass made there: {p.transient_bytes:,} B in passing instead of "
            f"{p.saved.plain_bytes:,}; sums over channels are rounded piece by piece",
        )
        for p in programs
        if p.saved is not None and p.saved.regions
    )


def _again(plan: Plan) -> tuple[Choice, ...]:
    """Of every program that makes values again."""
    told = []
    for p in plan.arrangement.largest:
        if p.saved is not None and p.saved.again:
            before = p.saved.plain_seconds
            times = f", in {p.seconds / before:.2f} x the time" if p.seconds and before else ""
            told.append(
                Choice(
                    f"recompute {p.name}",
                    f"{_many(p.saved.again, 'kernel')} run again: {p.transient_bytes:,} B in passing instead of "
                    f"{p.saved.plain_bytes:,}{times}",
                )
            )
    return tuple(told)


def _paging(plan: Plan) -> tuple[Choice, ...]:
    """What a run writes to storage and reads back, of the program that writes most; and how long storage lasts."""
    paging = [p.saved for p in plan.arrangement.programs.values() if p.saved is not None and p.saved.paged_in]
    if not paging:
        return ()
    most = max(paging, key=lambda s: s.paged_out)
    runs = plan.device.storage.runs(most.paged_out) if plan.device.storage is not None else None
    wear = "" if runs is None else f"; its endurance lasts for {runs:.2g} runs"
    return (
        Choice("paging", f"{most.paged_out:,} B are written to storage and {most.paged_in:,} B read back a run{wear}"),
    )


def _batch(plan: Plan) -> Choice:
    size = plan.micro_batch
    held = "an activation is kept once" if size == 1 else f"every activation is kept {size} times"
    parts = f" in {plan.accumulate} micro-batches of {size}" if plan.accumulate > 1 else ""
    return Choice(f"batch {plan.batch}", f"as given{parts}; {held} in the {plan.transient_bytes:,} B in passing")


def _accumulators(plan: Plan) -> tuple[Choice, ...]:
    size = _bytes(plan, "accumulator")
    if not size:
        return ()
    what = f"{size:,} B stay in RAM for the sum of the gradients; only one micro-batch's activations pass"
    return (Choice(f"accumulate {plan.accumulate}", what),)


def _bytes(plan: Plan, kind: str) -> int:
    return sum(s.bytes for s in plan.arrangement.slots.values() if s.kind == kind)


def state_bytes_per_parameter(plan: Plan) -> float:
    """Bytes of the optimiser's state for one number that learns."""
    return _bytes(plan, "optimizer") / sum(plan.programs.learnt(n).size for n in plan.programs.updated)


def _clipping(plan: Plan) -> tuple[Choice, ...]:
    most = plan.optimizer.clip_norm
    if most is None:
        return ()
    if plan.accumulate > 1:
        return (Choice(f"clip_norm {most:g}", "the norm is of the accumulators, which stay anyway: no further bytes"),)
    size = sum(plan.programs.learnt(n).bytes for n in plan.programs.updated)
    what = f"no update before the norm of all gradients is known: their {size:,} B live together until then"
    return (Choice(f"clip_norm {most:g}", what),)


def _optimizer(plan: Plan) -> Choice:
    name = type(plan.optimizer).__name__
    size = _bytes(plan, "optimizer")
    if not size:
        return Choice(name, "without state: only the parameters that learn stay in RAM")
    kind = f" in {plan.optimizer.state_dtype}" if plan.optimizer.state_dtype else ""
    each = f"{state_bytes_per_parameter(plan):.4g} B a parameter"
    slots = ", ".join(plan.optimizer.slots)
    return Choice(name, f"its state takes {size:,} B beside the parameters, {each}: {slots}{kind}")


def _budget(plan: Plan) -> Choice:
    device, have = plan.device, plan.budget.ram
    whole = f"{device.name}'s {format_bytes(device.ram)}"
    if have == device.ram - device.reserved_ram:
        rest = f"{whole} less {format_bytes(device.reserved_ram)} for stack and runtime"
        unkept = f"{whole}; nothing is kept for stack and runtime: give the device a reserved_ram"
        return Choice(f"RAM {format_bytes(have)}", rest if device.reserved_ram else unkept)
    return Choice(f"RAM {format_bytes(have)}", f"as asked, of {whole}")


def _order(p: Program, persistent: int) -> Choice:
    live, least = p.bound_bytes, p.any_order_bytes
    if live <= least:
        return Choice("order", f"of {p.name}: {persistent + live:,} B live at most; no order needs less (proven)")
    return Choice(
        "order",
        f"of {p.name}: {persistent + live:,} B live at most, the lowest found; a bound that every order obeys "
        f"is {live - least:,} B lower ({live / least - 1:.1%})",
    )


def _places(p: Program) -> Choice:
    lost = p.transient_bytes - p.bound_bytes
    if not lost:
        return Choice("places", "no byte is lost to gaps: the arena is as large as what is live at its peak (proven)")
    least = p.placed_bound_bytes - p.bound_bytes
    known = (
        "no places in this order lose less (proven)"
        if least >= lost
        else f"none in this order lose less than {least:,} B"
    )
    return Choice("places", f"{lost:,} B are lost to gaps and alignment above what is live at the peak; {known}")


def _peak(plan: Plan, p: Program) -> Choice:
    most = peak(p)
    names = [called(p, p.kernels[k], plan.arrangement.slots) for k in p.order()]
    named = ", ".join(
        f"{b.name} {format_bytes(b.bytes)} ({'input' if b.maker is None else f'by {names[b.maker]}'})"
        for b in most.held[:NAMED]
    )
    others = len(most.held) - NAMED
    return Choice(
        "peak",
        f"{p.name}, kernel {most.position + 1} of {len(names)}, {names[most.position]}: "
        f"{plan.persistent_bytes:,} B stay, {most.bytes:,} B pass; the largest are {named}"
        + (f", and {others} more" if others > 0 else ""),
    )


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("s" if count > 1 else "")
