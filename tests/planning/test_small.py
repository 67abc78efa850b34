"""Saved activations made small: masks change no bit of a gradient, codes only what they say; only where bytes fall."""

from __future__ import annotations

import os
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, reject, settings
from torch import nn

import selvedge as sv
from selvedge import ir
from selvedge.capture import Captured, Programs, capture, programs, select
from selvedge.capture.loss import CrossEntropy
from selvedge.errors import InvalidInput
from selvedge.planning.small import made_small
from tests import oracle
from tests.models import RandomModel, random_models

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "30"))
MOMENTUM = sv.SGD(lr=0.1, momentum=0.9)
# Nothing but what is saved may change; ``least`` takes every mask and every code there is.
PLAIN = sv.Trade(stream=False, recompute=False, masks=False)
MASKS = replace(PLAIN, masks=True, least=True)
CODES = replace(MASKS, int8_activations=True)


def planned(model: nn.Module, x: torch.Tensor, update: str, trade: sv.Trade, **given: object) -> sv.Plan:
    return sv.plan(model, x, device=oracle.WIDE, optimizer=MOMENTUM, update=update, trade=trade, **given)


def families(plan: sv.Plan) -> list[str]:
    return [k.family for k in plan.arrangement.programs["step"].kernels.values()]


def assert_measured_is_predicted(plan: sv.Plan) -> None:
    found = sv.measured(plan)
    assert found.faults == ()
    assert found.arena == plan.arena_bytes
    assert dict(found.transient) == {n: p.transient_bytes for n, p in plan.arrangement.programs.items()}


def gated(case: RandomModel) -> bool:
    """Has it a ReLU or a ReLU6?"""
    return any(word in step for step in case.plan for word in (" relu", "relu("))


def step_of(case: RandomModel, update: str) -> tuple[Captured, Programs]:
    captured = capture(case.model, (case.x,), norms="frozen")
    try:
        return captured, programs(captured, CrossEntropy(), MOMENTUM, select(captured, update))
    except InvalidInput:  # a model without biases, say
        reject()


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(random_models().filter(gated), st.sampled_from(["full", "bias", "last:1", "last:2"]))
def test_masks_mean_the_same_bit_for_bit(case: RandomModel, update: str) -> None:
    captured, made = step_of(case, update)
    masked = made_small(made.step, codes=False)
    assume(masked is not made.step)
    ir.verify(masked)
    assert {n: v.spec for n, v in masked.outputs.items()} == {n: v.spec for n, v in made.step.outputs.items()}
    state = {**captured.stored(), **made.optimizer_state}
    inputs = {
        "x": made.layouts["x"].store(case.x.numpy()),
        "y": case.y.numpy().astype(np.int32),
        "lr": np.asarray(0.1, np.float32),
    }
    wanted, found = (ir.interpret(g, inputs, {n: state[n] for n in g.state}) for g in (made.step, masked))
    for name in wanted:
        assert found[name].tobytes() == wanted[name].tobytes(), name


@settings(max_examples=max(3, EXAMPLES // 10), deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(random_models(4).filter(gated), st.sampled_from(["bias", "last:2", "full"]))
def test_masks_learn_the_same_and_what_was_promised_is_measured(case: RandomModel, update: str) -> None:
    made = step_of(case, update)[1]
    assume(made_small(made.step, codes=False) is not made.step)
    plain, masked = (planned(case.model, case.x, update, trade) for trade in (PLAIN, MASKS))
    assert "pack_mask" in families(masked)
    wanted, found = (oracle.native_gradients(sv.compile(p), case.x, case.y) for p in (plain, masked))
    for name in wanted:
        assert found[name].tobytes() == wanted[name].tobytes(), name
    assert_measured_is_predicted(masked)


@pytest.mark.parametrize(("spec", "update"), [("resnet8", "bias"), ("ds_cnn", "bias")])
def test_masks_in_the_zoo_lower_the_peak_and_change_no_bit(spec: str, update: str) -> None:
    model, example, loss = oracle.zoo_model(spec)
    x, y = oracle.batch_of(example, loss, 1, 10)
    plain, masked = (planned(model, example, update, trade, loss=loss) for trade in (PLAIN, replace(PLAIN, masks=True)))
    assert "pack_mask" in families(masked)
    assert masked.transient_bytes < plain.transient_bytes
    wanted, found = (oracle.native_gradients(sv.compile(p), x, y) for p in (plain, masked))
    for name in wanted:
        assert found[name].tobytes() == wanted[name].tobytes(), name
    assert_measured_is_predicted(masked)
    assert any(c.what == "masks" for c in masked.why)


@pytest.mark.parametrize("spec", ["resnet8", "ds_cnn"])
def test_codes_change_gradients_by_less_than_a_thousandth(spec: str) -> None:
    model, example, loss = oracle.zoo_model(spec)
    x, y = oracle.batch_of(example, loss, 1, 10)
    plain, coded = (planned(model, example, "full", trade, loss=loss) for trade in (PLAIN, CODES))
    assert "quantize_channels" in families(coded)
    assert coded.transient_bytes < 0.65 * plain.transient_bytes
    exact, found = (oracle.native_gradients(sv.compile(p), x, y) for p in (plain, coded))
    cosines = {n: float(g @ h / (np.linalg.norm(g) * np.linalg.norm(h)))
               for n, g, h in ((n, exact[n].ravel(), found[n].ravel()) for n in exact)}  # fmt: skip
    print(f"{spec}: least cosine {min(cosines.values()):.6f}, {plain.transient_bytes} -> {coded.transient_bytes} B")
    assert min(cosines.values()) > 0.999, cosines
    assert_measured_is_predicted(coded)
    assert any(c.what == "int8 activations" and "1/254" in c.why for c in coded.why)


def chain(*last: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
    return nn.Sequential(*layers, *last, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)).eval()


def small(model: nn.Module, update: str, codes: bool = False) -> ir.Graph:
    captured = capture(model, (torch.zeros(1, 3, 8, 8),), norms="frozen")
    return made_small(programs(captured, CrossEntropy(), MOMENTUM, select(captured, update)).step, codes)


def ops(graph: ir.Graph) -> list[str]:
    return [n.op for n in graph.nodes()]


def test_of_a_part_only_the_channels_keep_their_numbers() -> None:
    """What the rest of the first ReLU's result is for, a bit a number does; the part itself may be codes."""
    part = "0.weight,2.weight[:25%]"
    found, coded = ops(small(chain(), part)), small(chain(), part, codes=True)
    assert [found.count(op) for op in ("pack_mask", "relu_grad", "slice")] == [2, 0, 1]
    assert [n.inputs[0].node.op for n in coded.nodes() if n.op == "quantize_channels"] == ["slice"]


def test_what_a_weight_gradient_reads_keeps_its_numbers() -> None:
    """The first ReLU's result is read by the second convolution's weight gradient, the second's by nothing later."""
    full, bias = ops(small(chain(), "full")), ops(small(chain(), "bias"))
    assert (full.count("pack_mask"), full.count("relu_grad")) == (1, 1)
    assert (bias.count("pack_mask"), bias.count("relu_grad")) == (2, 0)
    assert "quantize_channels" not in full


def test_codes_are_for_the_backward_alone() -> None:
    """The forward pass reads floats; a smooth activation's gradient reads the number that it had."""
    graph = small(chain(nn.Conv2d(8, 8, 1), nn.Sigmoid()), "full", codes=True)
    assert {"quantize_channels", "sigmoid_grad"} <= set(ops(graph))
    coded = {n for n in graph.nodes() if any(v.node.op in ("convert", "quantize_channels") for v in n.inputs)}
    forward = set(ir.topological([graph.outputs["loss"].node]))
    assert coded
    assert not coded & forward


def test_codes_wait_until_the_budget_asks_for_them() -> None:
    model, example = chain(), torch.zeros(1, 3, 32, 32)
    allowed = replace(PLAIN, masks=True, int8_activations=True)
    roomy = planned(model, example, "full", allowed)
    assert "quantize_channels" not in families(roomy)
    tight = planned(model, example, "full", allowed, budget=sv.Budget(ram=roomy.arena_bytes - 1))
    assert "quantize_channels" in families(tight)


def test_a_trade_that_is_no_trade_is_refused() -> None:
    for field in ("masks", "int8_activations"):
        with pytest.raises(InvalidInput, match=f"trade {field}"):
            sv.Trade(**{field: 1})
