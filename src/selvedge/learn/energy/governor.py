"""The rule that decides when a device learns, how many steps, and by which plan. It reads nothing: it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
import numpy.typing as npt

from ...artifact.number import finite
from ...errors import InvalidInput
from .ledger import SECOND, SLOT, Ledger
from .senses import Moment

NANO = 1_000_000_000  # of the nanojoules in which energy is counted
PARTS = 1_000_000  # of a share


@dataclass(frozen=True, slots=True)
class Variant:
    """A plan that may learn: ``joules`` of a step (above 0), and its ``seconds`` (0: not known)."""

    name: str
    joules: float
    seconds: float = 0.0

    @classmethod
    def of(cls, name: str, figures: Mapping[str, Any]) -> Variant:
        """Of ``plan.to_dict()``. Raises ``InvalidInput`` where the device's profile has no figures of energy."""
        joules = figures.get("joules_per_step")
        if joules is None:
            raise InvalidInput(f"plan {name} joules_per_step", joules, "measure a step, and give Variant(name, joules)")
        return cls(name, joules, figures.get("seconds_per_step") or 0.0)


@dataclass(frozen=True, slots=True)
class Grant:
    """``steps`` of ``variant`` may be done now; 0 and None where none may. ``joules``: what is set aside for them.
    ``why``: in words. ``serial``: of this grant."""

    steps: int
    variant: str | None
    joules: float
    why: str
    serial: int


class Governor:
    """In any 24 hours no more than ``joules_a_day`` are given to learning and predictions.

    Predictions are never refused. ``predictions_a_day`` of ``predict_joules`` are set aside for them, and learning has
    the rest; if there are more, learning gives way. The bound holds while predictions keep to what is set aside.

    A grant is charged before it is used, and :meth:`settle` gives back what was not: a device that saves
    ``state_dict()`` between the two never spends energy twice, wherever it dies. Costs, as they are printed, are
    rounded up to a nanojoule, the day's energy down; then every sum is exact. A grant is to be used within 15 minutes:
    where ``seconds`` are known it is no longer.

    Time is ``ticks``, which do not jump: a wall clock that is set forth or back gives no day twice and takes none away.
    Over a restart of the device no time is known to have passed, unless ``clock_is_kept`` says that its wall clock is
    to be trusted then.

    variants: what may learn, any order. The one whose step costs most is taken first; a cheaper one where that cannot
    do as many steps as asked for, and the cheapest alone when less than ``low`` of learning's day is left.
    only_charging: learn only while the battery charges. least_charge: of the battery, below which nothing learns, and
    which, where its joules are known, no grant goes below. hours: of the day, as (1.0, 5.0), in which it may learn, by
    the wall clock and ``utc_offset`` hours; (22, 4) goes over midnight; () is any. celsius: below and above which
    nothing learns; above, it waits until it is ``cool_by`` cooler. duty: the share of any time, and 15 minutes, that
    learning may take.
    """

    def __init__(
        self,
        joules_a_day: float,
        variants: Sequence[Variant],
        *,
        predict_joules: float = 0.0,
        predictions_a_day: int = 0,
        only_charging: bool = False,
        least_charge: float = 0.2,
        hours: Sequence[tuple[float, float]] = (),
        utc_offset: float = 0.0,
        celsius: tuple[float, float] = (0.0, 45.0),
        cool_by: float = 5.0,
        duty: float = 1.0,
        low: float = 0.25,
        clock_is_kept: bool = False,
    ) -> None:
        """Raises ``InvalidInput`` for a setting out of range, and where not one step fits into a day."""
        self._day = floor(_exact(_within("joules_a_day", joules_a_day, 0, 1e9)) * NANO)
        self._predict = ceil(_exact(_within("predict_joules", predict_joules, 0, 1e6)) * NANO)
        self._reserve = int(_within("predictions_a_day", predictions_a_day, 0, 1e9)) * self._predict
        self._variants = _ordered(variants)
        self._duty = floor(_within("duty", duty, 1e-6, 1) * PARTS)
        if self._duty < PARTS and not all(v.seconds for v in self._variants):
            raise InvalidInput("duty", duty, "give every variant its seconds a step, or a duty of 1")
        self.only_charging, self.clock_is_kept = only_charging, clock_is_kept
        self.least_charge = _within("least_charge", least_charge, 0, 1)
        self.hours = tuple((_within("hours", a, 0, 24), _within("hours", b, 0, 24)) for a, b in hours)
        self.utc_offset = _within("utc_offset", utc_offset, -24, 24)
        self.celsius = (_within("celsius", celsius[0], -273.15, 1000), _within("celsius", celsius[1], celsius[0], 1000))
        self.cool_by = _within("cool_by", cool_by, 0, self.celsius[1] - self.celsius[0])
        self.low = _within("low", low, 0, 1)
        self._cost = {v.name: ceil(_exact(v.joules) * NANO) for v in self._variants}
        self._time = {v.name: ceil(_exact(v.seconds) * SECOND) for v in self._variants}
        least = min(self._cost.values())
        if self._day - self._reserve < least:
            fix = f"predictions and one step take {(self._reserve + least) / NANO:g} J: give as many, or reserve fewer"
            raise InvalidInput("joules_a_day", joules_a_day, fix)
        self._learned, self._predicted = Ledger(), Ledger()
        self._last: tuple[int, int, int] | None = None  # ticks and wall in microseconds, boot
        self._within_slot = 0  # microseconds
        self._rest = self._duty * SLOT  # microseconds x PARTS of learning that duty allows
        self._hot = False
        self._serial = 0
        self._open: tuple[str, int, int] | None = None  # variant, steps, slots ago

    @property
    def spent(self) -> float:
        """Joules of the last day (which is up to 30 minutes longer), those set aside for an open grant too."""
        return (self._learned.total + self._predicted.total) / NANO

    @property
    def left(self) -> float:
        """Joules that learning has now."""
        return max(0, self._left()) / NANO

    @property
    def bytes(self) -> int:
        """Of its state."""
        return sum(array.nbytes for array in self.state_dict().values())

    def predicted(self, moment: Moment, count: int = 1) -> None:
        """``count`` predictions were made, or are about to be: they are charged, and never refused."""
        made = _count("count", count, 0)
        self._pass(moment)
        self._predicted.enter(made * self._predict)

    def grant(self, moment: Moment, steps: int) -> Grant:
        """Up to ``steps`` steps now, which are charged; the grant before is settled as done."""
        wanted = _count("steps", steps, 1)
        self._pass(moment)
        self._open = None
        self._serial += 1
        why = self._closed(moment)
        if why:
            return Grant(0, None, 0.0, why, self._serial)
        left = self._left()
        few = left < self.low * (self._day - self._reserve)
        chosen, most, limit = "", 0, ""
        for variant in self._variants[-1:] if few else self._variants:  # the dearest first
            found, reason = self._most(variant.name, wanted, left, moment)
            if found > most or not chosen:
                chosen, most, limit = variant.name, found, reason
            if most == wanted:
                break
        if most == 0:
            return Grant(0, None, 0.0, limit, self._serial)
        cost = most * self._cost[chosen]
        self._learned.enter(cost)
        self._rest -= most * self._time[chosen] * PARTS
        self._open = (chosen, most, 0)
        told = limit if most < wanted else f"{cost / NANO:.3g} J of {left / NANO:.3g} J"
        return Grant(most, chosen, cost / NANO, f"{most} of {wanted} steps: {told}", self._serial)

    def settle(self, grant: Grant, done: int) -> None:
        """Only ``done`` of its steps were done: what was set aside for the others is given back, once.

        Raises ``InvalidInput`` for more than were granted, and for another than the last grant.
        """
        if grant.serial != self._serial or (grant.steps and self._open is None):
            raise InvalidInput("grant", grant.serial, f"it is settled, or not the last one, which is {self._serial}")
        if not 0 <= done <= grant.steps:
            raise InvalidInput("done", done, f"{grant.steps} steps were granted")
        if self._open is not None:
            name, steps, ago = self._open
            self._learned.enter((done - steps) * self._cost[name], ago)
            self._rest = min(self._rest + (steps - done) * self._time[name] * PARTS, self._duty * SLOT)
        self._open = None

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of all that it remembers; an open grant counts as done."""
        ticks, wall, boot = self._last or (-1, 0, 0)
        return {
            "learned": np.array(self._learned.slots, np.int64),
            "predicted": np.array(self._predicted.slots, np.int64),
            "time": np.array([ticks, wall, self._within_slot, self._rest], np.int64),
            "boot": np.array(boot, np.uint64),
            "hot": np.array(self._hot),
            "serial": np.array(self._serial, np.int64),
        }

    def load_state_dict(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what :meth:`state_dict` gave. Raises ``InvalidInput``, and changes nothing, for anything else."""
        mine = self.state_dict()
        if state.keys() != mine.keys() or any(
            state[n].shape != a.shape or state[n].dtype != a.dtype for n, a in mine.items()
        ):
            raise InvalidInput("governor state", f"of names {sorted(state)}", "give what state_dict() gave")
        ticks, wall, within, rest = (int(n) for n in state["time"])
        if not 0 <= within < SLOT:
            raise InvalidInput("governor state time", within, "give what state_dict() gave")
        learned, predicted = Ledger(), Ledger()
        learned.load([int(n) for n in state["learned"]])
        predicted.load([int(n) for n in state["predicted"]])
        self._learned, self._predicted = learned, predicted
        self._last = None if ticks < 0 else (ticks, wall, int(state["boot"]))
        self._within_slot, self._rest = within, min(rest, self._duty * SLOT)
        self._hot, self._serial, self._open = bool(state["hot"]), int(state["serial"]), None

    def _left(self) -> int:
        """Nanojoules that learning has: predictions have their reserve, and more where they took more."""
        return self._day - self._learned.total - max(self._predicted.total, self._reserve)

    def _pass(self, moment: Moment) -> None:
        """Time goes on to ``moment``."""
        now = (floor(moment.ticks * SECOND), floor(moment.wall * SECOND), moment.boot)
        elapsed = 0
        if self._last is not None and self._last[2] == now[2]:
            elapsed = max(0, now[0] - self._last[0])
        elif self._last is not None and self.clock_is_kept:
            elapsed = max(0, now[1] - self._last[1])
        self._last = now
        slots, self._within_slot = divmod(self._within_slot + elapsed, SLOT)
        self._learned.pass_slots(slots)
        self._predicted.pass_slots(slots)
        if self._open is not None:
            name, steps, ago = self._open
            self._open = (name, steps, ago + slots)
        self._rest = min(self._rest + elapsed * self._duty, self._duty * SLOT)

    def _closed(self, moment: Moment) -> str:
        """Why nothing may learn at all now; "" where it may."""
        low, high = self.celsius
        if moment.celsius is not None:
            self._hot = moment.celsius > high - (self.cool_by if self._hot else 0)
            if self._hot:
                return f"{moment.celsius:.3g} C: above {high:g} C, learns again at {high - self.cool_by:g} C"
            if moment.celsius < low:
                return f"{moment.celsius:.3g} C: below {low:g} C"
        if self.only_charging and not (moment.charge and moment.charge.charging):
            return "the battery is not charging"
        if moment.charge is not None and moment.charge.share < self.least_charge:
            return f"the battery is at {moment.charge.share:.0%}, below {self.least_charge:.0%}"
        hour = (moment.wall / 3600 + self.utc_offset) % 24
        if self.hours and not any(a <= hour < b if a <= b else hour >= a or hour < b for a, b in self.hours):
            return f"it is {hour:.4g} h: learns at {', '.join(f'{a:g}-{b:g}' for a, b in self.hours)} h"
        return ""

    def _most(self, name: str, wanted: int, left: int, moment: Moment) -> tuple[int, str]:
        """How many steps of a variant there may be, and what limits them."""
        limits = [(wanted, ""), (max(0, left) // self._cost[name], f"{max(0, left) / NANO:.3g} J of the day are left")]
        if self._time[name]:
            limits += [
                (
                    max(0, self._rest) // (self._time[name] * PARTS),
                    f"learning takes {self._duty / PARTS:.3g} of the time",
                )
            ]
            limits += [(SLOT // self._time[name], "a grant lasts 15 minutes at most")]
        charge = moment.charge
        if charge is not None and charge.joules is not None and charge.share > 0:
            spare = charge.joules * (1 - self.least_charge / charge.share)
            limits += [
                (
                    floor(spare * NANO) // self._cost[name],
                    f"the battery has {spare:.3g} J above {self.least_charge:.0%}",
                )
            ]
        return min(limits, key=lambda limit: limit[0])


def _ordered(variants: Sequence[Variant]) -> tuple[Variant, ...]:
    """The dearest first. Raises ``InvalidInput`` for none, for two of one name, and for costs out of range."""
    for variant in variants:
        _within(f"variant {variant.name} joules", variant.joules, 1e-9, 1e6)
        _within(f"variant {variant.name} seconds", variant.seconds, 0, 900)
    if not variants or len({v.name for v in variants}) < len(variants):
        raise InvalidInput("variants", [v.name for v in variants], "give at least one, each under its own name")
    return tuple(sorted(variants, key=lambda v: v.joules, reverse=True))


def _exact(value: float) -> Fraction:
    """The number that is written, 0.1 and not 0.1000000000000000055: a tenth of a joule fits ten times into one."""
    return Fraction(repr(float(value)))


def _within(name: str, value: float, low: float, high: float) -> float:
    found = finite(value)
    if found is None or not low <= found <= high:
        raise InvalidInput(name, value, f"give a number in {low:g}..{high:g}")
    return found


def _count(name: str, value: int, least: int) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or not least <= value <= 1 << 31:
        raise InvalidInput(name, value, f"give a whole number, {least} or more")
    return int(value)
