"""The three ways as arithmetic: a scenario and a model's costs -> edge, cloud, and a split behind each cut.

The latency of a split is that of Kang et al., *Neurosurgeon: collaborative intelligence between the cloud and mobile
edge*, ASPLOS 2017, section 4: the device's part, the tensor over the uplink, the server's part; and the round trip. All
figures are means of a steady day: nothing queues, nothing is sent twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .costs import Costs, Cut, Run, Step
from .figure import Figure, Sum, given, total
from .limits import Limit, permission
from .scenario import Scenario
from .way import ALONE, CENTRAL, CLOUD, EDGE, FEDERATED, NEVER, SPLIT, Way

DAY = 86_400.0  # seconds
MB = 1e6  # bytes
HOUR = 3600.0  # seconds
STEP_PASSES = 3
PASSES_SOURCE = "a backward pass is about two forward ones: Kaplan et al. 2020, arXiv 2001.08361, section 2.1"

RAW, FEATURES, UPDATES, LABELS = "samples", "features", "updates", "labels"


def edge(s: Scenario, c: Costs) -> Iterator[Way]:
    """The device predicts: one way for each place where it may learn."""
    for learning in (ALONE, FEDERATED, CENTRAL) if s.learning.times_per_day else (NEVER,):
        yield _Day(s, c, EDGE, None, 0, learning).way()


def cloud(s: Scenario, c: Costs) -> Way:
    """Every sample is sent, the answer comes back; what is learnt is learnt there."""
    return _Day(s, c, CLOUD, None, 0, CENTRAL if s.learning.times_per_day else NEVER).way()


def split(s: Scenario, c: Costs) -> Iterator[Way]:
    """One way for each cut. The device's part stays as it is; the rest learns in the cloud, from features."""
    for at, cut in enumerate(c.cuts, 1):
        yield _Day(s, c, SPLIT, cut, at, CENTRAL if s.learning.times_per_day else NEVER).way()


@dataclass
class _Traffic:
    """Bytes and messages a day of a device."""

    up: list[Figure]
    down: list[Figure]
    messages: list[Figure]


class _Day:
    """One way, worked out from the top: each method adds its lines to ``sums``."""

    def __init__(self, s: Scenario, c: Costs, kind: str, cut: Cut | None, at: int, learning: str) -> None:
        self.s, self.c, self.kind, self.cut, self.at, self.learning = s, c, kind, cut, at, learning
        self.sums: list[Sum] = []
        self.sends = kind != EDGE  # each sample, or its features
        self.trains = learning in (ALONE, FEDERATED)  # on the device
        self.part: Run | Cut | None = {EDGE: c.run, SPLIT: cut, CLOUD: None}[kind]
        self.times = given(s.learning.times_per_day)
        self.samples = given(s.data.samples_per_day)

    def way(self) -> Way:
        s, c = self.s, self.c
        latency = self._latency()
        up, down, messages = self._traffic()
        busy = self._busy()
        compute, radio, joules = self._joules(up, down, messages)
        money, served = self._money(up, down)
        ram = self.part.ram_bytes if self.part is not None else s.data.sample_bytes
        flash = self.part.flash_bytes if self.part is not None else 0
        step = c.step if self.trains else None
        limits = [
            *self._permissions(),
            *self._link_limits(latency, up, down),
            *self._device_limits(busy, joules, ram, flash),
            *self._fleet_limits(up, money, served),
        ]
        return Way(
            self.kind, self.cut, self.at, self.learning, self._leaves(), latency.value, up.value, down.value,
            busy.value,
            None if compute is None else compute.value, None if radio is None else radio.value,
            None if joules is None else joules.value, money.value, ram, flash,
            None if step is None else step.ram_bytes, None if step is None else step.flash_bytes,
            tuple(limits), tuple(self.sums),
        )  # fmt: skip

    def _line(self, name: str, figure: Figure, unit: str) -> Sum:
        line = Sum.of(name, figure, unit)
        self.sums.append(line)
        return line

    # What crosses a prediction, and how long it takes.

    @property
    def _crossing(self) -> Figure:
        s = self.s
        if self.cut is not None:
            each = given(min(self.cut.item_bytes, 1 if s.split_dtype == "int8" else 4), "B")
            body = given(self.cut.elements) * each
        else:
            body = given(s.data.sample_bytes, "B")
        return total(body, given(s.link.message_bytes, "B"))

    @property
    def _answer(self) -> Figure:
        return total(given(self.s.data.answer_bytes, "B"), given(self.s.link.message_bytes, "B"))

    def _latency(self) -> Sum:
        link = self.s.link
        parts: list[Sum] = []
        if self.part is not None:
            parts.append(self._line("device computes", given(self.part.seconds, "s"), "s"))
        if self.sends:
            up = given(link.up_bytes_per_s, "B/s")
            down = given(link.down_bytes_per_s, "B/s")
            parts.append(self._line("sent up", self._crossing / up, "s"))
            parts.append(self._line("round trip", given(link.round_trip_s, "s"), "s"))
            parts.append(self._served())
            parts.append(self._line("answer down", self._answer / down, "s"))
        return self._line("latency", total(*(part.figure for part in parts)), "s")

    def _served(self) -> Sum:
        """Seconds of the cloud a prediction."""
        macs = given(self.c.run.macs, "MAC")
        if self.cut is not None:
            macs = macs - given(self.cut.macs, "MAC")
        return self._line(
            "cloud computes", total(given(self.s.cloud.overhead_s, "s"), macs / self._rate), "s"
        )  # fmt: skip

    @property
    def _rate(self) -> Figure:
        return given(self.s.cloud.macs_per_s, "MAC/s") * given(self.s.cloud.utilisation)

    # A day of the link.

    def _traffic(self) -> tuple[Sum, Sum, Sum]:
        s, c = self.s, self.c
        t = _Traffic([], [], [])
        head = given(s.link.message_bytes, "B")
        if self.sends:
            t.up.append(self.samples * self._crossing)
            t.down.append(self.samples * self._answer)
            t.messages.append(self.samples)
        learnt, label = given(s.learning.samples), given(s.data.label_bytes, "B")
        if self.learning == FEDERATED:
            rounds = self.times * given(s.learning.rounds)
            update = total(given(0 if c.step is None else c.step.update_bytes, "B"), head)
            t.up.append(rounds * update)
            t.down.append(rounds * update)
            t.messages.append(rounds)
        elif self.learning == CENTRAL and self.sends:
            t.up.append(self.times * total(learnt * label, head))
            t.down.append(self.times * head)
            t.messages.append(self.times)
        elif self.learning == CENTRAL:
            t.up.append(self.times * total(learnt * total(given(s.data.sample_bytes, "B"), label), head))
            t.down.append(self.times * total(given(c.model_bytes, "B"), head))
            t.messages.append(self.times)
        return (
            self._line("bytes up a day", total(*t.up), "B"),
            self._line("bytes down a day", total(*t.down), "B"),
            self._line("messages a day", total(*t.messages), ""),
        )

    # A day of the device.

    def _busy(self) -> Sum:
        parts = []
        if self.part is not None:
            parts.append(self.samples * given(self.part.seconds, "s"))
        if self.trains and self.c.step is not None:
            parts.append(self.times * given(self.s.learning.steps) * given(self.c.step.seconds, "s"))
        return self._line("device busy a day", total(*parts), "s")

    def _joules(self, up: Sum, down: Sum, messages: Sum) -> tuple[Sum | None, Sum | None, Sum | None]:
        """(computing, radio, all), None where a figure is missing."""
        compute, radio = self._computing(), self._sending(up, down, messages)
        if compute is None or radio is None:
            return compute, radio, None
        idle = given(self.s.board.idle_w, "W") * given(DAY, "s")
        return compute, radio, self._line("joules a day", total(compute.figure, radio.figure, idle), "J")

    def _computing(self) -> Sum | None:
        runs: list[tuple[Figure, Run | Cut | Step]] = [] if self.part is None else [(self.samples, self.part)]
        if self.trains and self.c.step is not None:
            runs.append((self.times * given(self.s.learning.steps), self.c.step))
        parts = []
        for count, run in runs:
            each = self._each(run.joules, run.seconds)
            if each is None:
                return None
            parts.append(count * each)
        return self._line("joules of computing a day", total(*parts), "J")

    def _each(self, joules: float | None, seconds: float) -> Figure | None:
        """Joules of a run; the board's watts go before what the costs say."""
        watts = self.s.board.active_w
        if watts is not None:
            return given(seconds, "s") * given(watts, "W")
        return None if joules is None else given(joules, "J")

    def _sending(self, up: Sum, down: Sum, messages: Sum) -> Sum | None:
        link, energy = self.s.link, self.s.link.energy
        if energy is None:
            return None if messages.value else self._line("joules of the radio a day", given(0), "J")
        parts = [
            up.figure * given(energy.up_j_per_byte, "J/B"),
            up.figure / given(link.up_bytes_per_s, "B/s") * given(energy.up_w, "W"),
            down.figure * given(energy.down_j_per_byte, "J/B"),
            down.figure / given(link.down_bytes_per_s, "B/s") * given(energy.down_w, "W"),
            messages.figure * given(energy.message_j, "J"),
        ]
        return self._line("joules of the radio a day", total(*parts), "J")

    # A day of the fleet.

    def _money(self, up: Sum, down: Sum) -> tuple[Sum, Sum]:
        """(money a day of the fleet, seconds a day of the cloud for one device)."""
        s, fleet = self.s, given(self.s.fleet)
        parts = []
        if self.sends:
            parts.append(self.samples * next(x for x in self.sums if x.name == "cloud computes").figure)
        if self.learning == CENTRAL:
            parts.append(self._taught())
        served = self._line("cloud busy a day, for a device", total(*parts), "s")
        bytes_ = total(up.figure, down.figure)
        carried = bytes_ / given(MB, "B") * given(s.link.price_per_mb)
        hired = served.figure / given(HOUR, "s") * given(s.cloud.price_per_hour)
        return self._line("money a day, of the fleet", fleet * total(carried, hired), ""), served

    def _taught(self) -> Figure:
        """Seconds of the cloud a day that teach: once for all where they learn together."""
        s, c = self.s, self.c
        each = (
            given(c.step.macs, "MAC")
            if c.step is not None
            else given(STEP_PASSES) * given(s.learning.batch) * given(c.run.macs, "MAC")
        )
        if self.cut is not None and c.run.macs:
            each = each * ((given(c.run.macs, "MAC") - given(self.cut.macs, "MAC")) / given(c.run.macs, "MAC"))
        spent = self.times * given(s.learning.steps) * each / self._rate
        return spent / given(s.fleet) if s.learning.together else spent

    # Limits.

    def _leaves(self) -> tuple[str, ...]:
        sent = {CLOUD: (RAW,), SPLIT: (FEATURES,), EDGE: ()}[self.kind]
        if self.learning == FEDERATED:
            return (UPDATES,)
        if self.learning == CENTRAL:
            return (*sent, LABELS) if self.sends else (RAW, LABELS)
        return sent

    def _permissions(self) -> Iterator[Limit]:
        p, leaves = self.s.privacy, self._leaves()
        if RAW in leaves:
            yield permission("samples leave", p.raw_may_leave, "allow privacy.raw_may_leave")
        if FEATURES in leaves:
            yield permission("features leave", p.features_may_leave, "allow privacy.features_may_leave")
        if UPDATES in leaves:
            yield permission("updates leave", p.updates_may_leave, "allow privacy.updates_may_leave")
        if self.s.learning.together and self.s.fleet > 1 and self.learning == ALONE:
            yield permission("the others learn of it", False, "let it learn federated or in the cloud")
        if self.trains and self.c.step is None:
            yield permission("trains on the device", False, self.c.why_no_step)

    def _link_limits(self, latency: Sum, up: Sum, down: Sum) -> Iterator[Limit]:
        s, link = self.s, self.s.link
        if s.wants.latency_s is not None:
            yield Limit("latency", latency.value, s.wants.latency_s, "s", "allow more, or compute or send less")
        if s.wants.answered:
            have = link.availability if self.sends else 1.0
            yield Limit("samples answered", s.wants.answered, have, "of all", "a link that is up more of the time")
        for name, line, rate in (("up", up, link.up_bytes_per_s), ("down", down, link.down_bytes_per_s)):
            if line.value:
                room = self._line(f"link can carry {name} a day", _room(rate, link.availability), "B")
                yield Limit(f"link {name}", line.value, room.value, "B a day", "a faster link, or fewer bytes")
        if link.most_bytes_per_day is not None:
            yield Limit("bytes sent", up.value, link.most_bytes_per_day, "B a day", "a larger allowance")

    def _device_limits(self, busy: Sum, joules: Sum | None, ram: int, flash: int) -> Iterator[Limit]:
        c, step = self.c, self.c.step if self.trains else None
        yield Limit("time of the device", busy.value, DAY, "s a day", "a faster device, or fewer samples")
        sizes = [("RAM to run", ram, c.ram_bytes), ("flash to run", flash, c.flash_bytes)]
        if step is not None:
            sizes += [("RAM to train", step.ram_bytes, c.ram_bytes), ("flash to train", step.flash_bytes,
                                                                     c.flash_bytes)]  # fmt: skip
        for name, need, have in sizes:
            if have is not None:
                yield Limit(name, need, have, "B", "a larger device, a smaller model, or sv.plan's other changes")
        most = self.s.wants.joules_per_day
        if most is not None and joules is not None:
            yield Limit("energy", joules.value, most, "J a day", "a larger source, or fewer samples")

    def _fleet_limits(self, up: Sum, money: Sum, served: Sum) -> Iterator[Limit]:
        s, fleet = self.s, given(self.s.fleet)
        if s.wants.money_per_day is not None:
            yield Limit("money", money.value, s.wants.money_per_day, "a day", "a cheaper link, or fewer bytes")
        if s.cloud.ingress_bytes_per_s is not None and up.value:
            rate = self._line("fleet sends, on average", fleet * up.figure / given(DAY, "s"), "B/s")
            yield Limit("ingress of the cloud", rate.value, s.cloud.ingress_bytes_per_s, "B/s", "a wider way in")
        if s.cloud.machines is not None and served.value:
            need = self._line("machines of the cloud", fleet * served.figure / given(DAY, "s"), "")
            yield Limit("machines of the cloud", need.value, s.cloud.machines, "machines", "more machines")


def _room(rate: float, availability: float) -> Figure:
    return given(rate, "B/s") * given(DAY, "s") * given(availability)
