"""What LiteRT's int8 specification says of every tensor holds in the quantised graph; numpy and torch do the sums."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.fx import Node
from torch.nn import functional

import selvedge as sv
from selvedge.compressing import Quantised, quantise
from selvedge.compressing.layers import constant
from selvedge.compressing.operators import WEIGHTED
from selvedge.compressing.worst import sqnr

from .nets import Branches, chain, images

qd = torch.ops.quantized_decomposed
Q, DQ, DQC = qd.quantize_per_tensor.default, qd.dequantize_per_tensor.default, qd.dequantize_per_channel.default


@pytest.fixture(scope="module")
def made() -> Quantised:
    return quantise(chain(), images(), wanted_agreement=0.0)


@pytest.fixture(scope="module")
def branches() -> tuple[Branches, Quantised]:
    torch.manual_seed(0)
    net = Branches().eval()
    return net, quantise(net, images(64, 2, 4))


def ops(module: Quantised, name: str) -> list[Node]:
    return [n for n in module.graph.nodes if str(n.target).startswith(f"aten.{name}.")]


def quantised_as(node: Node) -> tuple[float, int]:
    """(scale, zero point) of what ``node`` gives."""
    (quantize,) = [u for u in node.users if u.target is Q]
    return quantize.args[1], quantize.args[2]


def read_as(node: Node) -> tuple[float, int]:
    assert node.target is DQ
    return node.args[1], node.args[2]


def test_weights_are_symmetric_int8_by_output_channel_and_biases_int32(made: Quantised) -> None:
    from selvedge.compressing.fold import folded

    plain = folded(chain(), (images(2),))
    layers = [n for n in made.graph.nodes if n.target in WEIGHTED]
    assert [*made.bits] == ["conv", "dw", "pw", "fc"]
    for (layer, bits), node in zip(made.bits.items(), layers, strict=True):
        assert bits == 8
        read = node.args[1]
        assert read.target is DQC
        assert read.args[3:] == (0, -127, 127, torch.int8)
        w, scale, zero = (constant(made, a) for a in read.args[:3])
        original = plain.get_submodule(layer).weight.detach().numpy()
        reach = np.abs(original.reshape(len(original), -1)).max(1)
        np.testing.assert_allclose(scale.numpy(), reach / 127, rtol=1e-5)
        assert w.dtype == torch.int8
        assert int(w.abs().max()) == 127
        assert not zero.any()
        steps = original / scale.numpy().reshape(-1, *(1,) * (original.ndim - 1))
        assert np.abs(steps - w.numpy()).max() <= 0.5 + 1e-3
        bias = node.args[2]
        assert bias.target is DQC
        assert bias.args[6] == torch.int32
        b, b_scale, b_zero = (constant(made, a) for a in bias.args[:3])
        assert b.dtype == torch.int32
        assert not b_zero.any()
        np.testing.assert_allclose(b_scale.numpy(), node.args[0].args[1] * scale.numpy(), rtol=1e-6)
        wanted = plain.get_submodule(layer).bias.detach().numpy()
        assert np.abs(b.numpy() * b_scale.numpy() - wanted).max() <= 0.51 * b_scale.numpy().max()


def test_activations_are_asymmetric_with_zero_on_a_step(made: Quantised) -> None:
    for node in made.graph.nodes:
        if node.target is Q:
            scale, zero, low, high, dtype = node.args[1:]
            assert (low, high, dtype) == (-128, 127, torch.int8)
            assert scale > 0
            assert -128 <= zero <= 127
    (entry,) = [n for n in made.graph.nodes if n.op == "placeholder"]
    x = images().numpy()
    scale, zero = quantised_as(entry)
    assert scale == pytest.approx((x.max() - x.min()) / 255, rel=1e-6)
    assert zero == round(-128 - x.min() / scale)


def test_a_relu_is_in_the_range_of_what_is_before_it(made: Quantised) -> None:
    for node in ops(made, "relu"):
        assert node.args[0].target in WEIGHTED
        assert quantised_as(node)[1] == -128


def test_pools_and_reshapes_keep_scale_and_zero_point(made: Quantised) -> None:
    for node in (*ops(made, "adaptive_avg_pool2d"), *ops(made, "flatten")):
        assert quantised_as(node) == read_as(node.args[0])


def test_concatenation_slice_and_pool_share_one_scale(branches: tuple[Branches, Quantised]) -> None:
    made = branches[1]
    (cat,) = ops(made, "cat")
    whole = quantised_as(cat)
    assert {read_as(i) for i in cat.args[0]} == {whole}
    for node in (*ops(made, "slice"), *ops(made, "max_pool2d")):
        assert quantised_as(node) == whole == read_as(node.args[0])


def test_sigmoid_tanh_and_softmax_have_the_ranges_of_the_specification(branches: tuple[Branches, Quantised]) -> None:
    made = branches[1]
    for name, wanted in (("sigmoid", (1 / 256, -128)), ("tanh", (1 / 128, 0)), ("softmax", (1 / 256, -128))):
        (node,) = ops(made, name)
        assert quantised_as(node) == wanted


def test_every_float_operator_stands_between_dequantize_and_quantize(branches: tuple[Branches, Quantised]) -> None:
    for node in branches[1].graph.nodes:
        if node.op == "call_function" and str(node.target).startswith("aten."):
            for source in node.all_input_nodes:
                fused = node.target in (torch.ops.aten.relu.default,) and source.target in WEIGHTED
                assert fused or source.target in (DQ, DQC), (node, source)


def test_the_state_is_int8_under_the_users_names(made: Quantised) -> None:
    state = made.state_dict()
    for layer in made.bits:
        assert state[f"{layer}.weight"].dtype == torch.int8
        assert state[f"{layer}.bias"].dtype == torch.int32
        assert state[f"{layer}.weight_scale"].dtype == torch.float32
    assert len(state) == 3 * len(made.bits)
    stored = sum(t.numel() * t.element_size() for t in state.values())
    assert made.facts.bytes == stored


def test_it_computes_what_torchs_fake_quantisation_does(made: Quantised) -> None:
    """The whole network once more, of torch.fake_quantize_* and torch.nn.functional alone."""
    x = images(16, seed=9)

    def fake(x: torch.Tensor, node: Node) -> torch.Tensor:
        return torch.fake_quantize_per_tensor_affine(x, *quantised_as(node), -128, 127)

    def layer(name: str) -> tuple[torch.Tensor, torch.Tensor]:
        state = made.state_dict()
        w, scale = state[f"{name}.weight"].float(), state[f"{name}.weight_scale"]
        owner = made.get_submodule(name)
        return w * scale.reshape(-1, *(1,) * (w.dim() - 1)), state[f"{name}.bias"].float() * owner.bias_scale

    (entry,) = [n for n in made.graph.nodes if n.op == "placeholder"]
    relus = ops(made, "relu")
    y = fake(x, entry)
    y = fake(torch.relu(functional.conv2d(y, *layer("conv"), padding=1)), relus[0])
    y = fake(torch.relu(functional.conv2d(y, *layer("dw"), groups=4)), relus[1])
    y = fake(torch.relu(functional.conv2d(y, *layer("pw"))), relus[2])
    y = fake(functional.adaptive_avg_pool2d(y, 1), ops(made, "adaptive_avg_pool2d")[0]).flatten(1)
    y = fake(functional.linear(y, *layer("fc")), ops(made, "linear")[0])
    assert torch.equal(made(x), y)


class Beyond(nn.Module):
    """Beside a tanh, whose range is fixed, a pad or a tensor that it does not hold."""

    def __init__(self, pad: bool) -> None:
        super().__init__()
        self.pad, self.a, self.b = pad, nn.Conv2d(1, 2, 3), nn.Conv2d(2 if pad else 4, 3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.a(x)
        y = torch.tanh(a)
        return self.b(functional.pad(y, (1, 1, 1, 1), value=5.0) if self.pad else torch.cat([y, 9 * a], 1))


@pytest.mark.parametrize("pad", [True, False])
def test_what_a_fixed_range_does_not_hold_is_requantised(pad: bool) -> None:
    torch.manual_seed(0)
    net = Beyond(pad).eval()
    made = quantise(net, images(), wanted_agreement=0.0)
    assert quantised_as(ops(made, "pad" if pad else "cat")[0])[0] > 2 / 128
    assert sqnr(net(images()), made(images())) > 30


def test_behind_the_last_int8_layer_a_float_end_stays_float_and_can_learn():
    """A pool that is int8 between two float layers would let no gradient through."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, 3),
    )  # fmt: skip
    x = torch.randn(64, 1, 8, 8)
    made = sv.quantise(model, x, bits={"2": 32, "6": 32}, wanted_agreement=0.0)
    plan = sv.plan(made, x[:1], optimizer=sv.SGD(lr=0.1))
    assert plan.updated == ("2.weight", "2.bias", "6.weight", "6.bias")
    session = sv.compile(plan)
    before = session.state_dict()
    for _ in range(20):
        loss = session.step(x[:1].numpy(), np.array([1]))
    assert loss < 0.2
    after = session.state_dict()
    assert all(not np.array_equal(before[n], after[n]) for n in plan.updated)


def test_a_pool_between_a_float_layer_and_an_int8_one_is_int8():
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 3))
    made = sv.quantise(model, torch.randn(64, 1, 8, 8), bits={"0": 32}, wanted_agreement=0.0)
    pool = next(n for n in made.graph.nodes if "max_pool" in str(n.target))
    assert "dequantize" in str(pool.args[0].target)
