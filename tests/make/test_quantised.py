"""What sv.quantise made goes the whole road: planned, compiled and run in int8, and learning behind a frozen prefix."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge import ir
from selvedge.formats import tflite
from selvedge.ir.integer.convert import dequantise, quantise
from tests.formats.tflite.litert import Reference


class Net(nn.Module):
    """Most of what int8 rows mean: grouped and depthwise convolutions, a sum, a gate, a concatenation, a table."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.grouped = nn.Conv2d(8, 8, 1, groups=2)
        self.gate = nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(64, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        x = x + nn.functional.hardswish(self.depthwise(x))
        x = x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        x = torch.cat([nn.functional.max_pool2d(x, 3, 2, 1), nn.functional.relu6(self.grouped(x))[:, :, ::2, ::2]], 1)
        return self.head(nn.functional.adaptive_avg_pool2d(x, 2).flatten(1))


@pytest.fixture(scope="module")
def samples() -> torch.Tensor:
    return torch.randn(64, 2, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def net(samples: torch.Tensor) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = Net()
        made(samples)
    return made.eval()


@pytest.fixture(scope="module")
def made(net: nn.Module, samples: torch.Tensor) -> sv.Quantised:
    return sv.quantise(net, samples, wanted_agreement=0.0)


@pytest.fixture(scope="module")
def learns(net: nn.Module, samples: torch.Tensor) -> sv.Quantised:
    return sv.quantise(net, samples, bits={"head": 32}, wanted_agreement=0.0)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_it_runs_in_int8_from_pytorchs_images_to_pytorchs_logits(
    made: sv.Quantised, samples: torch.Tensor, cache: Path
) -> None:
    plan = sv.plan_inference(made, samples[:4], device="this-machine")
    floats = [n.op for n in plan.network.graph.nodes() if n.inputs and any(s.is_float for s in n.specs)]
    assert floats == ["dequantise"]
    assert str(plan.network) == "<Network model: float32[4,8,8,2] -> float32[4,4]>"
    session = sv.compile(plan, cache=cache)
    step = made(samples[:1]).abs().max() / 127
    for i in range(0, 64, 4):
        got = session.predict(samples[i : i + 4].numpy())
        given = plan.network.layout("x").store(samples[i : i + 4].numpy())
        np.testing.assert_array_equal(got, ir.interpret(plan.network.graph, {"x": given}, {})["output"])
        np.testing.assert_allclose(got, made(samples[i : i + 4]).numpy(), atol=10 * float(step))


def test_its_integers_are_those_of_litert(
    made: sv.Quantised, samples: torch.Tensor, cache: Path, tmp_path: Path
) -> None:
    network = sv.network(made, samples[:1], floats=False)
    assert {s.dtype for s in (*network.inputs.values(), *network.outputs.values())} == {"int8"}
    quant, result = network.inputs["x"].quant, network.outputs["output"].quant
    assert quant is not None
    assert result is not None
    path = sv.save_tflite(network, tmp_path / "net.tflite")
    reference, place = Reference(path.read_bytes()), tflite.read(path).outputs[0]
    session = sv.compile(sv.plan_inference(network, device="this-machine"), cache=cache)
    real = sv.compile(sv.plan_inference(made, samples[:1], device="this-machine"), cache=cache)
    for x in samples[:8].numpy():
        codes = quantise(x[None], by=quant)
        got = session.predict(codes)
        np.testing.assert_array_equal(got, reference.run([network.layout("x").store(codes)], [place])[place])
        np.testing.assert_array_equal(real.predict(x[None]), dequantise(got, by=result))


def test_weights_of_four_bits_and_what_trained_with_them(net: nn.Module, samples: torch.Tensor, cache: Path) -> None:
    qat = sv.QAT(net, samples, weights="int4")
    for _ in qat.epochs(1):
        qat(samples).square().mean().backward()
    w4a8 = qat.convert()
    plan = sv.plan_inference(w4a8, samples[:2], device="this-machine")
    assert {n.op for n in plan.network.graph.nodes()} >= {"int8_conv2d", "int8_linear"}
    steps = [n.inputs[1].node.attrs["value"] for n in plan.network.graph.nodes() if n.op == "int8_conv2d"]
    assert max(int(np.abs(s).max()) for s in steps) == 7
    given = plan.network.layout("x").store(samples[:2].numpy())
    wanted = ir.interpret(plan.network.graph, {"x": given}, {})["output"]
    np.testing.assert_array_equal(sv.compile(plan, cache=cache).predict(samples[:2].numpy()), wanted)


def test_layers_that_stay_float_mix_with_int8_ones(
    net: nn.Module, samples: torch.Tensor, cache: Path, tmp_path: Path
) -> None:
    """Natively, and in a .tflite file that LiteRT runs."""
    mixed = sv.quantise(net, samples, bits={"depthwise": 32}, wanted_agreement=0.0)
    plan = sv.plan_inference(mixed, samples[:2], device="this-machine")
    ops = [n.op for n in plan.network.graph.nodes()]
    assert ops.count("conv2d") == 1
    assert ops.count("int8_conv2d") == 3
    got = sv.compile(plan, cache=cache).predict(samples[:2].numpy())
    np.testing.assert_allclose(got, mixed(samples[:2]).detach().numpy(), atol=0.1)
    path = sv.save_tflite(plan.network, tmp_path / "mixed.tflite")
    made = tflite.read(path)
    stored = plan.network.layout("x").store(samples[:2].numpy())
    there = Reference(path.read_bytes()).run([stored], list(made.outputs))[made.outputs[0]]
    np.testing.assert_allclose(there, got.reshape(there.shape), rtol=0, atol=1e-5 * np.abs(got).max())


def test_a_float_head_learns_behind_a_frozen_int8_prefix(
    learns: sv.Quantised, samples: torch.Tensor, cache: Path
) -> None:
    """One plan, one arena; the head's step is PyTorch's on what the native prefix gives."""
    mixed = copy.deepcopy(learns)
    x, y = samples[:8], torch.arange(8) % 4
    plan = sv.plan(mixed, x, loss="cross_entropy", update="last:1", device="this-machine")
    assert plan.updated == ("head.weight", "head.bias")
    ops = [n.op for n in plan.programs.backward.nodes()]
    assert ops.count("int8_conv2d") == 4
    assert "conv2d" not in ops
    session = sv.compile(plan, cache=cache)
    before = session.state_dict()
    features = _prefix(plan, x.numpy())
    head = nn.Linear(64, 4)
    head.load_state_dict({n: before[f"head.{n}"] for n in ("weight", "bias")})
    loss = nn.functional.cross_entropy(head(torch.from_numpy(features)), y)
    loss.backward()
    assert session.step(x.numpy(), y.numpy(), lr=0.5) == pytest.approx(loss.item(), rel=1e-5)
    after = session.state_dict()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None
        step = (before[f"head.{name}"] - after[f"head.{name}"]) / 0.5
        torch.testing.assert_close(step, parameter.grad, rtol=1e-3, atol=1e-5)
    assert list(after) == list(mixed.state_dict())
    frozen = [n for n, t in before.items() if t.dtype is not torch.float32 or "scale" in n]
    assert len(frozen) > 8
    assert all(torch.equal(before[n], after[n]) for n in frozen)
    mixed.load_state_dict(after)
    used = sv.measured(plan, cache=cache)
    assert (used.arena, used.faults) == (plan.arena_bytes, ())


def _prefix(plan: sv.Plan, x: np.ndarray) -> np.ndarray:
    """What the head reads."""
    graph = plan.captured.graph
    product = next(n for n in graph.nodes() if n.op == "matmul")
    own = ir.Graph(graph.inputs, {}, {"features": product.inputs[0]})
    return ir.interpret(own, {"x": plan.captured.layouts["x"].store(x)}, {})["features"]


@pytest.mark.parametrize(
    ("bits", "update", "says"),
    [
        ({"head": 32}, ["first.weight"], r'int8, which does not learn: leave it float with bits=\{"first": 32\}'),
        ({"head": 32}, "gate.*", r'bits=\{"gate": 32\}, or give update="last:1"'),
        ({"head": 32}, "last:2", r'give "last:1" to "last:1": so many layers train, the others are int8'),
        ({}, "full", r'every layer is int8, and int8 does not learn: leave it float with bits=\{"head": 32\}'),
        ({}, "last:1", r"every layer is int8"),
        ({}, "auto", r"every layer is int8"),
    ],
)
def test_an_int8_layer_that_is_to_learn_is_refused_in_one_line(
    made: sv.Quantised, learns: sv.Quantised, samples: torch.Tensor, bits: dict[str, int], update: str, says: str
) -> None:
    mixed = learns if bits else made
    with pytest.raises(sv.InvalidInput, match=says) as error:
        sv.plan(mixed, samples[:2], loss="cross_entropy", update=update, device="this-machine")
    assert "\n" not in str(error.value)


def test_what_cannot_be_a_network_is_refused_in_one_line(made: sv.Quantised, samples: torch.Tensor) -> None:
    with pytest.raises(sv.InvalidInput, match="give an example of its input"):
        sv.plan_inference(made)
    network = sv.network(made, samples[:1])
    with pytest.raises(sv.InvalidInput, match="it has its shapes and its name"):
        sv.plan_inference(network, samples[:1])
    with pytest.raises(sv.InvalidInput, match="identifier"):
        sv.network(made, samples[:1], name="no name")
