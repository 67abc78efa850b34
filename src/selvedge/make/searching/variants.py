"""How much of one network could learn within the budget: float, or int8 with a float end, each planned exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial

import torch
from torch import nn

from ...capture.optimizer import SGD
from ...capture.select import trained_layers
from ...compressing.export import exported
from ...compressing.layers import weighted
from ...compressing.litert import FLOAT as LEFT
from ...compressing.quantise import quantise
from ...device import Budget, Device
from ...errors import InvalidInput
from ..plan import Plan, attempt
from ..wish import wished
from .candidate import FLOAT, INT8
from .figures import Figures
from .limits import Limits

CALIBRATION = 256  # samples that set ranges
LR = 0.01  # of plans that are only measured: what learns is told its rate


@dataclass(frozen=True, slots=True)
class Variant:
    """``tail``: last layers that are float beside int8 ones; 0 where all are float."""

    bits: str
    tail: int
    update: str
    plan: Plan

    @property
    def figures(self) -> Figures:
        return Figures.of(self.plan)


@dataclass(frozen=True, slots=True)
class _Ways:
    """``made``: of 1..``most`` last layers that learn. ``biases``: those alone; None where that is no way."""

    most: int
    made: Callable[[int], Variant]
    biases: Callable[[], Variant] | None


@dataclass(frozen=True, slots=True, eq=False)
class Planner:
    """``calibration``: samples that set the ranges of int8."""

    device: Device
    limits: Limits
    example: torch.Tensor
    calibration: torch.Tensor

    def least(self, net: nn.Module, bits: str) -> Variant:
        """The last layer alone learns."""
        return self.made(net, bits, 1 if bits == INT8 else 0, "last:1")

    def variants(self, net: nn.Module, bits: str, few: bool = False, beyond: bool = False) -> Iterator[Variant]:
        """As many last layers as keep the budget; the last layer alone; of a float network also its biases. Those that
        break it are left out. few: only the first of these. beyond: also as many as keep the budget but for running."""
        ways = self._floats(net) if bits == FLOAT else self._integers(net)
        found: dict[tuple[int, str], Variant] = {}
        if ways.most < 1:
            return
        for whole in (True, False) if beyond else (True,):
            count = self._largest(ways, whole)
            if count:
                found[count, ways.made(count).update] = ways.made(count)
        if few and found:
            yield next(iter(found.values()))
            return
        if self._keeps(ways.made(1), not beyond):
            found[1, ways.made(1).update] = ways.made(1)
        if ways.biases is not None:
            try:
                biases = ways.biases()
                if self._keeps(biases, not beyond):
                    found[0, biases.update] = biases
            except InvalidInput:  # it has none
                pass
        yield from found.values()

    def _floats(self, net: nn.Module) -> _Ways:
        wish = wished(
            net, self.example, device=self.device, budget=self._budget(), optimizer=SGD(lr=LR), update="full",
            norms="folded",
        )  # fmt: skip
        captured = wish.captured()
        most = trained_layers(captured)

        def of(update: str) -> Variant:
            return Variant(FLOAT, 0, update, attempt(replace(wish, update=update), captured))

        @cache
        def made(count: int) -> Variant:
            return of(f"last:{count}" if count < most else "full")

        return _Ways(most, made, partial(of, "bias"))

    def _integers(self, net: nn.Module) -> _Ways:
        @cache
        def made(count: int) -> Variant:
            return self.made(net, INT8, count, f"last:{count}")

        return _Ways(len(layer_names(net, self.example)) - 1, made, None)

    def _largest(self, ways: _Ways, whole: bool) -> int:
        def keeps(count: int) -> bool:
            return self._keeps(ways.made(count), whole)

        return _most(ways.most, keeps)

    def made(self, net: nn.Module, bits: str, tail: int, update: str) -> Variant:
        """One variant, whether it keeps the budget or not."""
        return Variant(bits, tail, update, self.plan(self.module(net, bits, tail), bits, update, LR))

    def plan(self, module: nn.Module, bits: str, update: str, rate: float) -> Plan:
        """Of what :meth:`module` gives, learning at ``rate``."""
        wish = wished(
            module, self.example, device=self.device, budget=self._budget(), optimizer=SGD(lr=rate),
            update="full" if bits == INT8 else update, norms="folded",
        )  # fmt: skip
        return attempt(wish, wish.captured())

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
