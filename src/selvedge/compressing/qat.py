"""Training with fake quantisation: the model learns in the steps that it will have on the device."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule

from ..capture.source import of_node
from ..errors import InvalidInput, NotSupported
from . import given, samples
from .export import exported, quiet
from .layers import KEY
from .learned import LearnedStep
from .litert import LiteRT, Wanted
from .mend import fold_norms, restore, settings, switch, unfused
from .pt2e import FakeQuantize, FakeQuantizeBase, prepare_qat_pt2e
from .quantise import convert, float_bytes
from .quantised import Quantised
from .ranges import ActivationRange, PerChannelWeight
from .simulate import first
from .watch import check_ranges

AVERAGE = 0.01  # weight of the newest batch in an activation's range (Krishnamoorthi, arXiv:1806.08342)
FREEZE = 0.75  # of the epochs, after which ranges and norms stand still


class QAT(nn.Module):
    """``model`` with fake quantisation, to be trained as any module; :meth:`convert` then gives what
    :func:`selvedge.quantise` gives.

        qat = sv.QAT(model, example)
        optimizer = torch.optim.Adam(qat.parameters(), 1e-4)
        for epoch in qat.epochs(8):
            for x, y in batches: ...
        quantised = qat.convert()

    example: samples [N, ...] (or batches, as :func:`selvedge.quantise` takes them) that set the ranges to begin with;
        any number. weights: "int8" or "int4". bits: layer -> 8, 4, or 32 to leave it float.
    learned_step: the steps are parameters too (LSQ, arXiv:1902.08153); else they follow the weights, and a moving
        average of the activations' range.
    freeze_ranges, freeze_norms: the epoch of :meth:`epochs`, counted from 0, from which the ranges, and the statistics
        of batch norms, stand still; by default after three quarters of them.

    In training mode norms use the batch and dropout drops, in evaluation mode neither, with the eps, momentum and p of
    the model. Parameters and buffers keep their names: :meth:`float_state` is what ``model.load_state_dict`` takes. As
    a context (``with qat:``) it is in training mode inside and in evaluation mode behind. The model is left as it was.
    """

    def __init__(
        self,
        model: nn.Module,
        example: Any,
        *,
        weights: str = "int8",
        bits: Mapping[str, int] | None = None,
        learned_step: bool = False,
        freeze_ranges: int | None = None,
        freeze_norms: int | None = None,
    ) -> None:
        super().__init__()
        given.module(model)
        given.flags(learned_step=learned_step)
        self.wanted = Wanted(given.weight_bits(weights), given.layer_bits(bits))
        for name, epoch in (("freeze_ranges", freeze_ranges), ("freeze_norms", freeze_norms)):
            if epoch is not None and (not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 0):
                raise InvalidInput(name, epoch, "give the number of an epoch, 0 or more")
        data = samples.batches(example, "example")
        self.freeze_ranges, self.freeze_norms = freeze_ranges, freeze_norms
        self.ranges_frozen = self.norms_frozen = False
        self._before = copy.deepcopy(model.state_dict())
        self._example, self._samples = tuple(x[:2] for x in data[0]), samples.count(data)
        first(given.tried(model, self._example, "example"))
        self.prepared = _prepared(model, data[0], self.wanted, learned_step)
        self._float_bytes = float_bytes(model)
        self._begin(data)
        self.train()

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.prepared(*inputs)

    def train(self, mode: bool = True) -> QAT:
        self.training = mode
        switch(self.prepared, mode, mode and not self.norms_frozen)
        for quantiser in self._quantisers():
            quantiser.enable_observer(mode and not self.ranges_frozen)
        return self

    def freeze(self, *, ranges: bool = True, norms: bool = True) -> None:
        """From now on ranges, or the statistics of norms, stand still."""
        self.ranges_frozen, self.norms_frozen = self.ranges_frozen or ranges, self.norms_frozen or norms
        self.train(self.training)

    def epochs(self, count: int) -> Iterator[int]:
        """0, 1, ... count - 1, in training mode, and frozen from the epochs that were asked for. Raises
        :class:`InvalidInput` for a count below 1."""
        whole = given.epochs(count)  # here, not at the first step of the loop
        return self._epochs(whole)

    def _epochs(self, count: int) -> Iterator[int]:
        late = max(1, int(FREEZE * count))
        for epoch in range(count):
            self.freeze(
                ranges=epoch >= (late if self.freeze_ranges is None else self.freeze_ranges),
                norms=epoch >= (late if self.freeze_norms is None else self.freeze_norms),
            )
            self.train()
            yield epoch
        self.eval()

    def __enter__(self) -> QAT:
        return self.train()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.eval()

    def float_state(self) -> dict[str, torch.Tensor]:
        """The trained float weights and statistics under the model's own names."""
        now = self.prepared.state_dict()
        return {name: now.get(name, value).detach().clone() for name, value in self._before.items()}

    def convert(self) -> Quantised:
        """What was trained, in integers. Training may go on: this is a copy."""
        with quiet():
            made = copy.deepcopy(self.prepared)
        switch(made, False)
        quantisers = [m for m in made.modules() if isinstance(m, FakeQuantizeBase)]
        for quantiser in quantisers:
            own = isinstance(getattr(quantiser, "activation_post_process", None), PerChannelWeight)
            quantiser.enable_observer(own and not self.ranges_frozen)
        with torch.no_grad():
            made(*self._example)  # the last step moved the weights: their scales follow
        fold_norms(made)
        return convert(made, self._float_bytes, self.wanted, "qat", self._samples)

    def _quantisers(self) -> list[Any]:
        return [m for m in self.prepared.modules() if isinstance(m, FakeQuantizeBase)]

    def _begin(self, data: list[tuple[torch.Tensor, ...]]) -> None:
        """Find the first ranges with the model as it came."""
        switch(self.prepared, False)
        for quantiser in self._quantisers():
            quantiser.disable_fake_quant()
        with torch.no_grad():
            for batch in data:
                self.prepared(*batch)
        check_ranges(self.prepared, self._samples)
        for quantiser in self._quantisers():
            quantiser.enable_fake_quant()
            if isinstance(quantiser, LearnedStep):
                quantiser.begin()


def _prepared(model: nn.Module, example: tuple[torch.Tensor, ...], wanted: Wanted, learned: bool) -> GraphModule:
    graph = exported(model, example, train=True)
    before = settings(graph.graph)
    kind = LearnedStep if learned else FakeQuantize
    activation = kind.with_args(observer=ActivationRange, average=AVERAGE)

    def weight(bits: int, scale: torch.Tensor | None) -> Any:
        return kind.with_args(observer=PerChannelWeight)

    with quiet():
        prepared = prepare_qat_pt2e(graph, LiteRT(wanted, activation, weight))
    assert isinstance(prepared, GraphModule)
    restore(prepared, before)
    norm = unfused(prepared.graph)
    if norm is not None:
        fix = "train with the norm folded (model.eval() and torch's fuse_linear_bn_eval), or leave it float with bits="
        raise NotSupported(f"layer {norm.meta[KEY]}: a batch norm behind a linear layer in QAT", of_node(norm), fix)
    return prepared
