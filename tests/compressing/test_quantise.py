"""Post-training quantisation: close to float, copies and exports, and refuses what it cannot do in one line."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.compressing import quantise
from selvedge.compressing.layers import constant, weighted
from selvedge.compressing.simulate import Simulated
from selvedge.compressing.worst import sqnr

from .nets import chain, images


@pytest.fixture(scope="module")
def made() -> sv.Quantised:
    return quantise(chain(), images())


def test_it_is_close_to_float_and_leaves_the_model_alone() -> None:
    net = chain().train()
    before = copy.deepcopy(net.state_dict())
    made = quantise(net, (images(), np.zeros(64)), observer="mse")
    assert net.training
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert sqnr(net.eval()(images()), made(images())) > 25
    assert made.agreement is not None
    assert made.agreement > 0.9
    assert not made.warnings
    assert made(images(5)).shape == (5, 3)


def test_it_is_copied_and_exported_as_it_is(made: sv.Quantised) -> None:
    twin, x = copy.deepcopy(made), images(3, seed=4)
    assert isinstance(twin, sv.Quantised)
    assert twin.bits == made.bits
    assert torch.equal(twin(x), made(x))
    program = torch.export.export(made, (x,))
    assert torch.equal(program.module(check_guards=False)(x), made(x))
    kinds = {str(n.target).partition(".")[0] for n in program.graph.nodes if n.op == "call_function"}
    assert kinds == {"aten", "quantized_decomposed"}


def test_what_is_simulated_is_what_is_converted(made: sv.Quantised) -> None:
    """But for biases, which are rounded to int32 steps: an output may fall on the neighbouring step."""
    x = images(32, seed=5)
    off = (Simulated(made.facts.prepared)(x) - made(x)).abs()
    step = next(n for n in reversed(made.graph.nodes) if n.op == "call_function").args[1]
    assert float(off.max()) <= 1.01 * step
    assert float((off > step / 2).float().mean()) < 0.05


def test_four_bits_have_fifteen_steps_and_take_half() -> None:
    eight, four = (quantise(chain(), images(), weights=w, wanted_agreement=0.0) for w in ("int8", "int4"))
    assert set(four.bits.values()) == {4}
    for layer in four.bits:
        assert int(four.state_dict()[f"{layer}.weight"].abs().max()) == 7
    weights = sum(chain().get_submodule(name).weight.numel() for name in four.bits)
    assert eight.facts.bytes - four.facts.bytes == weights // 2


def test_bits_are_chosen_by_layer_and_a_layer_may_stay_float() -> None:
    net = chain()
    made = quantise(net, images(), bits={"pw": 4, "fc": 32}, wanted_agreement=0.0)
    assert made.bits == {"conv": 8, "dw": 8, "pw": 4, "fc": 32}
    state = made.state_dict()
    assert torch.equal(state["fc.weight"], net.fc.weight)
    assert state["fc.weight"].dtype == torch.float32
    assert int(state["pw.weight"].abs().max()) == 7


def test_a_bias_that_no_int32_could_hold_raises_its_scale() -> None:
    """A channel whose norm is dead: its weight is next to nothing, and its bias is not."""
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU()).eval()
    with torch.no_grad():
        net[0].weight[0] = 1e-13
        net[0].bias.fill_(0.5)
    made = quantise(net, images(), wanted_agreement=0.0)
    bias, owner = made.state_dict()["0.bias"], made.get_submodule("0")
    np.testing.assert_allclose((bias * owner.bias_scale.double()).numpy(), 0.5, rtol=1e-4)
    assert int(bias.abs().max()) <= 2**30
    assert sqnr(net(images()), made(images())) > 30


def test_one_scale_a_weight_loses_to_one_a_channel() -> None:
    net = chain()
    with torch.no_grad():
        net.pw.weight[0] *= 50
    wide = net.pw.weight.detach()
    errors = []
    for per_tensor in (True, False):
        made = quantise(net, images(), per_tensor=per_tensor, wanted_agreement=0.0)
        assert ("pw.weight_scale" in made.state_dict()) is not per_tensor
        read = dict(weighted(made.graph))["pw"].args[1]
        steps, scale = constant(made, read.args[0]).float(), read.args[1]
        each = scale if per_tensor else constant(made, scale).reshape(-1, 1, 1, 1)
        errors.append(float((steps * each - wide)[1:].abs().max()))
    assert errors[0] > 10 * errors[1]


def test_a_model_that_quantises_badly_says_so_and_names_the_layer() -> None:
    net = chain()
    with torch.no_grad():
        net.pw.weight[0, 0] = 500.0  # nothing else of it is left in 4 bits of one scale
    # Every share is below 101 %: what is looked at is what the warning says.
    made = quantise(net, images(), per_tensor=True, weights="int4", wanted_agreement=1.01)
    (warning,) = made.warnings
    assert warning.layer in made.bits
    assert warning.agreement == made.agreement
    assert len(str(warning).splitlines()) == 1
    assert warning.layer in str(warning)


class Bound(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(2, 64)


class Spread(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.logsumexp(x, 1)


NAN = images()
NAN[3, 0, 0, 0] = torch.nan
DEAD = chain()
with torch.no_grad():
    DEAD.pw.weight.zero_()
    DEAD.pw.bias.fill_(-1.0)


@pytest.mark.parametrize(
    ("model", "data", "settings", "line"),
    [
        (chain(), None, {}, "calibration is of type NoneType: give samples"),
        (chain(), images(0), {}, "calibration is without samples: give at least 32"),
        (chain(), images(31), {}, "calibration is of 31 samples: give at least 32, or say allow_few=True"),
        (chain(), torch.ones(64, 1, 8, 8), {}, "calibration is of 64 equal samples: give samples that differ"),
        (chain(), NAN, {}, "calibration is not finite in 1 of 64 samples: remove NaN and infinity"),
        (chain(), images(), {"weights": "int3"}, "weights is int3: give int8 or int4"),
        (chain(), images(), {"bits": {"fc": 3}}, "bits of fc is 3: give 8 or 4; 32 in bits= leaves a layer float"),
        (chain(), images(), {"bits": {"head": 4}}, "bits is head: no such layer; the layers with weights are conv,"),
        (chain(), images(), {"observer": "entropy"}, "observer is entropy: give one of minmax, percentile, mse"),
        (DEAD, images(), {}, "range of pw is the point 0: all 64 samples give the same there"),
        (Bound(), images(), {}, "model is bound to 2 samples a batch: write x.shape[0], or flatten(1)"),
        (nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 2)), torch.arange(40).reshape(-1, 1) % 5, {},
         "layer 0: aten.embedding.default in int8 is not supported"),
        (Spread(), images(), {}, "layer logsumexp: aten.logsumexp.default in int8 is not supported"),
    ],
)  # fmt: skip
def test_a_refusal_is_one_line_with_the_layer_and_the_figure(
    model: nn.Module, data: object, settings: dict, line: str
) -> None:  # fmt: skip
    with pytest.raises(sv.SelvedgeError) as refused:
        quantise(model, data, **settings)
    said = str(refused.value)
    assert said.startswith(line), said
    assert "\n" not in said


def test_a_norm_behind_nothing_is_refused_by_layer() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 2, 1)).eval()
    with pytest.raises(sv.NotSupported, match=r"layer 0: a batch norm .* bits=\{'0': 32\}"):
        quantise(net, images())


def test_few_samples_are_taken_where_that_is_said() -> None:
    assert quantise(chain(), images(4), allow_few=True).facts.samples == 4
