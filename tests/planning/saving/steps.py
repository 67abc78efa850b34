"""Small training steps made of bare kernels: a forward chain with skips, and the backward that reads it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from selvedge.ir.graph import Spec
from selvedge.planning.kernel import STATE, Instance, Kernel, Lowered

UNIT = 1024


@st.composite
def training_steps(draw: Callable[[Any], Any], least: int = 3, most: int = 6) -> tuple[Lowered, dict[int, float]]:
    """(a step of ``least`` to ``most`` layers, seconds of each kernel).

    A layer reads the one before it and sometimes an earlier one; its gradient reads the gradient behind it and what the
    layer read; some layers have a weight, which is updated in place and read by the layer and its gradient.
    """
    instances: list[Instance] = []
    kernels: list[Kernel] = []
    seconds: dict[int, float] = {}

    def new(units: int, **rest: Any) -> int:
        instances.append(Instance(len(instances), f"i{len(instances)}", Spec((units * UNIT // 4,), "float32"), **rest))
        return len(instances) - 1

    def run(reads: list[int], writes: list[int], cost: int, inplace: tuple[tuple[int, int], ...] = ()) -> int:
        number = len(kernels)
        kernels.append(
            Kernel(number, "loop", tuple(dict.fromkeys(reads)), tuple(writes), inplace=inplace, label=f"k{number}")
        )
        seconds[kernels[-1].id] = float(cost)
        return kernels[-1].id

    layers = draw(st.integers(least, most))
    sizes = [draw(st.integers(1, 12)) for _ in range(layers + 1)]
    values = [new(sizes[0])]
    inputs: list[list[int]] = []
    weights: dict[int, int] = {}
    for layer in range(layers):
        reads = [values[-1]]
        if layer > 1 and draw(st.integers(0, 2)) == 0:
            reads.append(values[draw(st.integers(1, layer - 1))])
        if draw(st.booleans()):
            weights[layer] = new(1, region=STATE, state=f"w{layer}")
        values.append(new(sizes[layer + 1]))
        inputs.append(reads)
        state = [weights[layer]] if layer in weights else []
        run([*reads, *state], [values[-1]], draw(st.integers(1, 9)))
    loss = new(1)
    gradient = new(sizes[-1])
    gate = run([values[-1]], [loss, gradient], 1)
    updates: dict[str, int] = {}
    after_update: dict[int, list[int]] = {}
    for layer in reversed(range(layers)):
        state = [weights[layer]] if layer in weights else []
        readers = [k.id for k in kernels if weights.get(layer, -1) in k.reads]
        if layer:
            behind = new(sizes[layer])
            inplace = ((0, 0),) if sizes[layer] == sizes[layer + 1] and draw(st.booleans()) else ()
            later = run([gradient, *inputs[layer], *state], [behind], draw(st.integers(1, 9)), inplace)
            readers.append(later)
        if layer in weights:
            fresh = new(1, region=STATE, state=f"w{layer}", version=1)
            update = run([gradient, *inputs[layer], weights[layer]], [fresh], draw(st.integers(1, 9)))
            updates[f"w{layer}"] = fresh
            after_update[update] = [*readers, gate]
        if layer:
            gradient = behind
    kernels, seconds = _useful(kernels, seconds, {loss, *(updates.values() or [gradient])})
    ids = {k.id for k in kernels}
    maker = {w: k.id for k in kernels for w in k.writes}
    after = {
        k.id: frozenset({maker[r] for r in k.reads if r in maker} | {a for a in after_update.get(k.id, ()) if a in ids})
        for k in kernels
    }
    outputs = {"loss": loss} if updates else {"loss": loss, "gradient": gradient}
    low = Lowered(tuple(kernels), tuple(instances), after, {"x": values[0]}, outputs, updates, loss, {})
    return low, seconds


def _useful(
    kernels: list[Kernel], seconds: dict[int, float], wanted: set[int]
) -> tuple[list[Kernel], dict[int, float]]:
    """Without the kernels whose results nothing reads."""
    needed, kept = set(wanted), []
    for k in reversed(kernels):
        if needed & set(k.writes):
            needed |= set(k.reads)
            kept.append(k)
    return kept[::-1], {k.id: seconds[k.id] for k in kept}
