"""How much of one network could learn within the budget: float, or int8 with a float end, each planned exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import torch
from torch import nn

from ...artifact.schedule import Constant, Schedule
from ...capture import Captured
from ...capture.optimizer import SGD
from ...compressing.export import exported
from ...compressing.layers import weighted
from ...compressing.litert import FLOAT as LEFT
from ...compressing.quantise import quantise
from ...device import Budget, Device
from ...errors import InvalidInput
from ..plan import Plan, attempt
from ..wish import Wish, wished
from .candidate import BOUND, FLOAT, INT8
from .figures import Figures
from .limits import Limits

CALIBRATION = 256  # samples that set ranges
SHARES = (50, 25, 13)  # percent of the inputs of a layer that does not fit whole
STILL = Constant(0.01)  # of plans that are only measured: what learns is told its rate


@dataclass(frozen=True, slots=True)
class Variant:
    """``tail``: last layers that are float beside int8 ones; 0 where all are float. ``bounded``: its gradients are."""

    bits: str
    tail: int
    update: str
    bounded: bool
    plan: Plan

    @property
    def figures(self) -> Figures:
        return Figures.of(self.plan)


@dataclass(frozen=True, slots=True)
class _Ways:
    """``made``: (of 1..``most`` last layers that learn, bounded). ``shares``: of as many and, of the layer before, what
    reads some of its inputs, most first. ``biases``: those alone, and with the last layer. Both are empty where that is
    no way, and what they make may raise ``InvalidInput``."""

    most: int
    made: Callable[[int, bool], Variant]
    shares: Callable[[int], Sequence[Callable[[bool], Variant]]]
    biases: Sequence[Callable[[], Variant]]


@dataclass(frozen=True, slots=True, eq=False)
class Planner:
    """``calibration``: samples that set the ranges of int8."""

    device: Device
    limits: Limits
    example: torch.Tensor
    calibration: torch.Tensor

    def least(self, net: nn.Module, bits: str) -> Variant:
        """The last layer alone learns."""
        return self.made(net, bits, 1 if bits == INT8 else 0, "last:1", False)

    def variants(self, net: nn.Module, bits: str, few: bool = False, beyond: bool = False) -> Iterator[Variant]:
        """As many last layers as keep the budget, and of a float network as much of the one before as does; half as
        many, a quarter, ..., the last layer alone, and of a float network its biases, alone and with the last layer.
        The most that learns does so with plain gradients and with bounded ones. What breaks the budget is left out.
        few: only the first of these. beyond: also as many as keep the budget but for running."""
        ways = self._floats(net) if bits == FLOAT else self._integers(net)
        found: dict[tuple[tuple[str, ...], bool], Variant] = {}
        if ways.most < 1:
            return
        counts: list[int] = []
        for whole in (True, False) if beyond else (True,):
            count = self._largest(ways, whole)
            if not count:
                continue
            if few:
                yield ways.made(count, count > 1)
                return
            for bounded in (False, True) if count > 1 else (False,):  # of one layer nothing throws another
                _add(found, ways.made(count, bounded))
                _add(found, self._partly(ways, count, bounded, whole))
            counts += [count >> i for i in range(1, count.bit_length())]
        if few:
            return
        for count in dict.fromkeys(counts):
            _add(found, self._kept(partial(ways.made, count, False), not beyond))
        for make in ways.biases:
            _add(found, self._kept(make, not beyond))
        yield from found.values()

    def _partly(self, ways: _Ways, count: int, bounded: bool, whole: bool) -> Variant | None:
        """``count`` last layers and the largest share of the one before that keeps the budget."""
        if count == ways.most:
            return None
        made = (self._kept(partial(make, bounded), whole) for make in ways.shares(count))
        return next((variant for variant in made if variant is not None), None)

    def _kept(self, make: Callable[[], Variant], whole: bool) -> Variant | None:
        """What ``make`` gives; None where it breaks the budget, or is no way of this network."""
        try:
            made = make()
        except InvalidInput:
            return None
        return made if self._keeps(made, whole) else None

    def _floats(self, net: nn.Module) -> _Ways:
        wish = self._wished(net, "full", False, STILL)
        captured = wish.captured()
        layers = learning(captured)
        most = len(layers)

        def of(update: str, bounded: bool) -> Variant:
            asked = replace(wish, update=update, optimizer=_optimizer(STILL.base, bounded))
            return Variant(FLOAT, 0, update, bounded, attempt(asked, captured))

        @cache
        def made(count: int, bounded: bool) -> Variant:
            return of(f"last:{count}" if count < most else "full", bounded)

        def shares(count: int) -> list[Callable[[bool], Variant]]:
            last = [name for names in layers[most - count :] for name in names]
            before = next(iter(layers[most - count - 1]))
            return [partial(of, ",".join([*last, f"{before}[:{share}%]"])) for share in SHARES]

        last = [name for name in layers[-1] if not name.endswith("bias")] if layers else []
        biases = [partial(of, update, False) for update in ("bias", ",".join(["*bias", *last]))]
        return _Ways(most, made, shares, biases)

    def _integers(self, net: nn.Module) -> _Ways:
        @cache
        def made(count: int, bounded: bool) -> Variant:
            return self.made(net, INT8, count, f"last:{count}", bounded)

        return _Ways(len(layer_names(net, self.example)) - 1, made, lambda count: (), ())

    def _largest(self, ways: _Ways, whole: bool) -> int:
        def keeps(count: int) -> bool:
            return self._keeps(ways.made(count, False), whole)

        return _most(ways.most, keeps)

    def made(self, net: nn.Module, bits: str, tail: int, update: str, bounded: bool) -> Variant:
        """One variant, whether it keeps the budget or not."""
        plan = self.plan(self.module(net, bits, tail), bits, update, bounded, STILL)
        return Variant(bits, tail, update, bounded, plan)

    def plan(self, module: nn.Module, bits: str, update: str, bounded: bool, schedule: Schedule) -> Plan:
        """Of what :meth:`module` gives, learning along ``schedule``."""
        wish = self._wished(module, "full" if bits == INT8 else update, bounded, schedule)
        return attempt(wish, wish.captured())

    def _wished(self, module: nn.Module, update: str, bounded: bool, schedule: Schedule) -> Wish:
        return wished(
            module, self.example, device=self.device, budget=self._budget(),
            optimizer=_optimizer(schedule.lr(0), bounded), schedule=schedule, update=update, norms="folded",
        )  # fmt: skip

    def module(self, net: nn.Module, bits: str, tail: int) -> nn.Module:
        """``net``, or that in int8 but for its last ``tail`` layers. Raises ``InvalidInput`` where those are all."""
        if bits == FLOAT:
            return net
        layers = layer_names(net, self.example)
        if len(layers) <= tail:
            raise InvalidInput(
                "bits", INT8, f"{len(layers)} layers can be it, and the last {tail} stay float: ask for float"
            )
        left = dict.fromkeys(layers[len(layers) - tail :], LEFT)
        return quantise(net, self.calibration, bits=left, wanted_agreement=0.0, allow_few=True)

    def _budget(self) -> Budget:
        assert self.limits.train is not None
        return Budget(self.limits.train, self.limits.flash)

    def _keeps(self, variant: Variant, whole: bool) -> bool:
        """Whether it keeps the budget; or all of it but that of running."""
        return all(not whole and name == "run" for name, _, _ in self.limits.broken(variant.figures))


def _optimizer(rate: float, bounded: bool) -> SGD:
    return SGD(lr=rate, clip_value=BOUND if bounded else None)


def _add(found: dict[tuple[tuple[str, ...], bool], Variant], made: Variant | None) -> None:
    """The first of those in which the same learns."""
    if made is not None:
        found.setdefault((made.plan.updated, made.bounded), made)


def learning(captured: Captured) -> list[tuple[str, ...]]:
    """The trainable parameters of each layer that owns such, in order of execution: of "last:K" the last K."""
    trainable = set(captured.trainable)
    owned = ([n for n in captured.state if n in layer.names and n in trainable] for layer in captured.layers)
    return [tuple(names) for names in owned if names]


def layer_names(net: nn.Module, example: torch.Tensor) -> list[str]:
    """The layers with weights that can be int8, in order of execution."""
    return [name for name, _ in weighted(exported(net, (example,)).graph)]


def _most(most: int, keeps: Callable[[int], bool]) -> int:
    """The largest count in 1..most that keeps, where more never takes less; 0 if none does."""
    if keeps(most):
        return most
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low
