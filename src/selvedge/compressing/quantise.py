"""Post-training quantisation: a float module and samples -> a module of int8 (or int4) weights and int8 activations."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule

from ..errors import InvalidInput
from . import given, samples
from .adaround import adaround as rounded
from .bias import corrected
from .equalise import equalised
from .export import Inputs, exported, quiet
from .finish import finish
from .fold import folded
from .layers import weighted
from .litert import LiteRT, Wanted
from .pt2e import convert_pt2e, prepare_pt2e
from .quantised import KEY, Facts, Quantised
from .ranges import METHODS, ActivationRange, PerChannelWeight, PerTensorWeight
from .scales import scales
from .simulate import first
from .watch import check_ranges, watched
from .worst import agreement, judged


def quantise(
    model: nn.Module,
    calibration: Any,
    *,
    weights: str = "int8",
    observer: str = "minmax",
    equalise: bool = False,
    correct_bias: bool = False,
    adaround: bool = False,
    bits: Mapping[str, int] | None = None,
    per_tensor: bool = False,
    allow_few: bool = False,
    wanted_agreement: float = 0.95,
) -> Quantised:
    """``model`` in LiteRT's int8: symmetric weights a channel, asymmetric activations a tensor, int32 biases, norms
    folded.

    calibration: samples [N, ...] that the model will meet, at least 32 (fewer with ``allow_few``): a tensor, an array,
        (x, y), a :class:`selvedge.data.Dataset`, or batches (for several inputs a list of tuples: [(x1, x2)]).
        They set the ranges; nothing is trained on them.
    weights: "int8", or "int4": steps -7..7, held in int8 tensors. bits: layer -> 8, 4, or 32 to leave it float.
    observer: how ranges are found: "minmax" of what is seen, "percentile" (99.99 % at each end) or "mse".
    equalise: scale channels so that the weights of neighbouring layers spread alike (arXiv:1906.04721).
    correct_bias: take from each bias what its layer's mean output is off by (the same paper, section 4.2).
    adaround: learn for each weight whether to round it up or down (arXiv:2004.10568); some seconds a layer.
    per_tensor: one scale a weight instead of one a channel, for kernels that know no better.
    wanted_agreement: of the top answers with the float model's on the calibration data; below it, ``warnings`` of the
        result name the layer that hurts most.

    Raises :class:`InvalidInput` (data, settings) and :class:`NotSupported` (a layer, with what to do); the model is
    left as it was.
    """
    given.module(model)
    given.flags(
        equalise=equalise, correct_bias=correct_bias, adaround=adaround, per_tensor=per_tensor, allow_few=allow_few
    )
    given.share("wanted_agreement", wanted_agreement)
    wanted = Wanted(given.weight_bits(weights), given.layer_bits(bits), per_tensor=per_tensor)
    if observer not in METHODS:
        raise InvalidInput("observer", observer, f"give one of {', '.join(METHODS)}")
    data = samples.batches(calibration)
    samples.check(data, allow_few)
    example = tuple(x[:2] for x in data[0])
    first(given.tried(model, example, "calibration"))
    changed = copy.deepcopy(model).eval()
    if equalise or correct_bias or adaround:
        changed = folded(changed, example)
        if equalise:
            changed = equalised(changed, data)
        if correct_bias or adaround:
            wanted = replace(wanted, scales=scales(changed, example, wanted, observer))
        if adaround:
            changed = rounded(changed, data, wanted)
        if correct_bias:
            changed = corrected(changed, data, wanted)
    prepared = prepare(changed, example, wanted, observer)
    calibrate(prepared, data, observer)
    made = convert(prepared, float_bytes(model), wanted, observer, samples.count(data))
    share = agreement(model, made, data)
    facts = replace(made.facts, agreement=share)
    if share is not None and share < wanted_agreement:
        facts = replace(facts, warnings=(judged(prepared, data, share, wanted_agreement),))
    made.meta[KEY] = facts
    return made


def prepare(model: nn.Module, example: Inputs, wanted: Wanted, observer: str) -> GraphModule:
    """``model`` as a graph with its norms folded and everything that becomes int8 watched."""
    graph = exported(model, example)
    weight = PerTensorWeight if wanted.per_tensor else PerChannelWeight

    def watch(bits: int, scale: torch.Tensor | None) -> Any:
        return weight.with_args(method=observer, fixed=scale)

    with quiet():
        prepared = prepare_pt2e(graph, LiteRT(wanted, ActivationRange.with_args(method=observer), watch))
    assert isinstance(prepared, GraphModule)
    return prepared


def calibrate(prepared: GraphModule, data: list[Inputs], observer: str) -> None:
    """Run the samples through: once for the ends of each range, and again where its middle is asked for."""
    with torch.no_grad():
        for batch in data:
            prepared(*batch)
        check_ranges(prepared, samples.count(data))
        if observer == "minmax":
            return
        for _, seen in watched(prepared):
            seen.counting = True
        for batch in data:
            prepared(*batch)


def convert(prepared: GraphModule, size: int, wanted: Wanted, observer: str, seen: int) -> Quantised:
    """The calibrated or trained graph in integers; it stays as it is. ``size``: bytes of the float model."""
    found = {layer: wanted.of(layer) for layer, _ in weighted(prepared.graph)}
    facts = Facts(found, 0, size, seen, observer, prepared=prepared)
    with quiet():
        converted = convert_pt2e(copy.deepcopy(prepared))
    return finish(converted, weight_names(prepared), facts)


def float_bytes(model: nn.Module) -> int:
    """Of all parameters and statistics in float32."""
    return sum(4 * t.numel() for t in (*model.parameters(), *model.buffers()) if t.dtype.is_floating_point)


def weight_names(prepared: GraphModule) -> dict[str, str]:
    """Layer -> the name of its weight's parameter."""
    found = {}
    for layer, node in weighted(prepared.graph):
        source = node.args[1]
        while source.op != "get_attr":  # what watches it stands between
            source = next(i for i in source.all_input_nodes if i.op != "placeholder")
        found[layer] = str(source.target)
    return found
