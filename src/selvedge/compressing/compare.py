"""``sv.compare``: the same samples through the float model and the quantised one, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import InvalidInput
from . import given, samples
from .activations import Tally, activations, steps
from .advice import Symptoms, advice
from .export import Inputs, exported
from .layers import constant, weighted
from .quantised import Quantised
from .report import Error, Report, Row
from .simulate import first
from .worst import decibel, gains

FAKE = "fake-quantised"
MOST = 512  # samples on which a layer is left float, one after another
Columns = Mapping[str, Mapping[str, Any]]


def compare(model: nn.Module, quantised: Quantised, data: Any, *, others: Columns | None = None) -> Report:
    """What quantising changed, on ``data`` (as :func:`selvedge.quantise` takes it; any number of samples).

    others: more columns beside the fake-quantised one, as an exported model or native int8 code gives them on the same
        samples in the same order: name -> layer -> its output [N, ...] in real numbers (dequantised), in the model's
        own layout; ``"output"`` is the model's. Layers that a column lacks are left out of it.

    Raises :class:`InvalidInput` for data that cannot be used, and for a column of another shape.
    """
    if not isinstance(quantised, Quantised):
        raise InvalidInput(
            "quantised", f"of type {type(quantised).__name__}", "give what sv.quantise or QAT.convert gave"
        )
    given.module(model)
    batches = samples.batches(data, "data")
    example = tuple(x[:2] for x in batches[0])
    first(given.tried(model, example, "data"))
    graph = exported(model, example)
    more = dict(others or {})
    columns = (FAKE, *more)
    tallies: dict[str, dict[str, Tally]] = {c: {} for c in columns}
    agreed = dict.fromkeys(columns, 0)
    places, start, reach = 0, 0, dict[str, list[float]]()
    known = steps(quantised)
    for batch in batches:
        right, out = activations(graph, batch)
        own, made = activations(quantised, batch)
        rows = slice(start, start + len(batch[0]))
        found = {FAKE: {**own, "output": made}} | {c: _part(c, more[c], rows, {**right, "output": out}) for c in more}
        start = rows.stop
        for layer, tensor in {**right, "output": out}.items():
            for column in columns:
                if layer in found[column]:
                    ends = known[layer].ends if column == FAKE and layer in known else None
                    tallies[column].setdefault(layer, Tally()).add(tensor, found[column][layer], ends)
            if layer in known:
                reach.setdefault(layer, []).append(_percentile(tensor))
        if out.dim() > 1 and out.shape[1] > 1:
            places += out.numel() // out.shape[1]
            for column in columns:
                if "output" in found[column]:
                    agreed[column] += int((found[column]["output"].argmax(1) == out.argmax(1)).sum())
    facts = quantised.facts
    won = {} if facts.prepared is None else gains(facts.prepared, _first(batches))
    spread = _spread(quantised)
    rows_ = []
    for layer, tally in tallies[FAKE].items():
        if layer == "output":
            continue
        seen = Symptoms(
            decibel(tally.signal, tally.noise), spread.get(layer, 1.0), _outlier(tally, reach.get(layer, [])),
            tally.clipped / tally.count, facts.bits.get(layer),
        )  # fmt: skip
        per_tensor = layer in spread and f"{layer}.weight_scale" not in quantised.state_dict()
        errors = {c: _error(tallies[c][layer]) for c in columns if layer in tallies[c]}
        said = tuple(advice(seen, facts.samples, facts.observer, per_tensor))
        rows_.append(
            Row(layer, facts.bits.get(layer), errors, tally.low, tally.high, seen.clipped, won.get(layer), said)
        )
    output = {c: _error(tallies[c]["output"]) for c in columns if "output" in tallies[c]}
    shares = {c: agreed[c] / places if places and "output" in tallies[c] else None for c in columns}
    return Report(columns, tuple(rows_), output, shares, start)


def _part(column: str, given: Mapping[str, Any], rows: slice, right: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """The rows of a column, of the layers that the model has too."""
    found = {}
    for layer, values in given.items():
        if layer not in right:
            continue
        part = torch.as_tensor(np.asarray(values))[rows]
        if part.shape != right[layer].shape:
            has, wants = list(part.shape), list(right[layer].shape)
            raise InvalidInput(
                f"{column} {layer}", f"of shape {has}", f"the float model gives {wants} for these samples"
            )
        found[layer] = part
    return found


def _error(tally: Tally) -> Error:
    return Error(decibel(tally.signal, tally.noise), tally.largest, tally.absolute / tally.count)


def _percentile(x: torch.Tensor) -> float:
    """The 99.9th of |x|."""
    magnitudes = x.detach().abs().reshape(-1).float()
    return float(magnitudes.kthvalue(max(1, int(0.999 * magnitudes.numel()))).values)


def _outlier(tally: Tally, reach: list[float]) -> float:
    usual = float(np.median(reach)) if reach else 0.0
    return max(abs(tally.low), abs(tally.high)) / usual if usual > 0 else 1.0


def _spread(quantised: Quantised) -> dict[str, float]:
    """Layer -> the widest channel of its weight over the median one, as the quantised weight has them."""
    found = {}
    for layer, node in weighted(quantised.graph):
        read = node.args[1]
        if read.op == "get_attr":
            continue
        weight = constant(quantised, read.args[0]).float()
        reach = weight.reshape(len(weight), -1).abs().amax(1)
        scale = read.args[1]
        if isinstance(scale, torch.fx.Node):
            reach = reach * constant(quantised, scale)
        usual = float(reach.median())
        found[layer] = float(reach.max()) / usual if usual > 0 else 1.0
    return found


def _first(batches: list[Inputs]) -> list[Inputs]:
    """As many batches as :data:`MOST` samples take."""
    kept, total = [], 0
    for batch in batches:
        if total >= MOST:
            break
        kept.append(batch)
        total += len(batch[0])
    return kept
