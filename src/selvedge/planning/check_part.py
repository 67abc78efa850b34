"""Whether a loop that writes a part of a state writes that part alone, beside what stays."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from .kernel import STATE, Expression, Instance, Kernel


class BadPart(ValueError):
    """What is wrong, to follow the kernel's name. ``instance``: the id of the state."""

    def __init__(self, what: str, instance: int) -> None:
        super().__init__(what)
        self.instance = instance


def check_parts(kernel: Kernel, loops: Expression, instances: Mapping[int, Instance]) -> tuple[int, ...]:
    """The old values that must be whole when ``kernel`` runs: what it does not write of them stays.

    Raises :class:`BadPart` unless every result with strides of its own is a new version of a state's floats, one number
    of the loops each, no number written twice, and none behind the end.
    """
    quantised = {step for _, step in loops.scales}
    numbers = {write for write, step in loops.results if step not in quantised}
    stay = []
    for write, strides in loops.into:
        i = kernel.writes[write]
        new = instances.get(i)
        if new is None or new.region != STATE or new.state is None or not new.spec.is_float:
            raise BadPart("writes a part of what is no state", i)
        if kernel.reduction is not None or write not in numbers:
            raise BadPart("does not make the part number by number", i)
        least = 1
        for stride, extent in reversed(list(zip(strides, loops.extents, strict=True))):
            if stride < least:
                raise BadPart("writes a number of the part twice", i)
            least = stride * extent
        if 1 + sum(s * (n - 1) for s, n in zip(strides, loops.extents, strict=True)) > prod(new.spec.shape):
            raise BadPart("writes behind the end", i)
        old = [o.id for o in instances.values() if o.state == new.state and o.version == 0]
        if not old:
            raise BadPart("writes a part of a state whose old value is not there", i)
        stay.append(old[0])
    return tuple(stay)
