"""Training with fake quantisation: torchao's defects do not come through, steps learn as the paper says, names stay."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional

import selvedge as sv
from selvedge.compressing import pt2e
from selvedge.compressing.export import exported, quiet
from selvedge.compressing.learned import LearnedStep
from selvedge.compressing.litert import LiteRT, Wanted
from selvedge.compressing.mend import restore, settings
from selvedge.compressing.operators import DROPOUTS, NORMS
from selvedge.compressing.pt2e import FakeQuantize, prepare_qat_pt2e
from selvedge.compressing.ranges import ActivationRange, PerChannelWeight
from selvedge.compressing.worst import sqnr

from .nets import chain, images


@pytest.fixture(scope="module")
def base() -> sv.QAT:
    """Made once, as that takes seconds; copied by each test."""
    return sv.QAT(chain(), images())


@pytest.fixture
def qat(base: sv.QAT) -> sv.QAT:
    with quiet():
        return copy.deepcopy(base)


@pytest.fixture(scope="module")
def trained(base: sv.QAT) -> tuple[sv.QAT, nn.Module]:
    """Three epochs of four steps; the last one frozen."""
    net = chain()
    with quiet():
        qat = copy.deepcopy(base)
    optimizer = torch.optim.Adam(qat.parameters(), 3e-3)
    x, y = images(32, seed=3), torch.arange(32) % 3
    for _ in qat.epochs(3):
        for _ in range(4):
            optimizer.zero_grad()
            functional.cross_entropy(qat(x), y).backward()
            optimizer.step()
    return qat, net


def test_norms_keep_their_eps_and_momentum() -> None:
    """torchao writes 1e-5 and 0.1 over 1e-3 and 0.01, and 1e-5 into the scale of the weight."""
    graph = exported(chain(), (images(2),), train=True)
    before = settings(graph.graph)
    assert set(before.values()) == {(0.01, 1e-3)}
    quantizer = LiteRT(
        Wanted(), FakeQuantize.with_args(observer=ActivationRange),
        lambda bits, scale: FakeQuantize.with_args(observer=PerChannelWeight),
    )  # fmt: skip
    with quiet():
        prepared = prepare_qat_pt2e(graph, quantizer)
    assert set(settings(prepared.graph).values()) == {(0.1, 1e-5)}, "torchao no longer spoils them: drop the mend"
    restore(prepared, before)
    assert settings(prepared.graph) == before
    sums = [
        n.args[1] for n in prepared.graph.nodes if str(n.target) == "aten.add.Tensor" and isinstance(n.args[1], float)
    ]
    assert sums == [1e-3, 1e-3]


def test_one_step_moves_the_statistics_as_pytorch_does(qat: sv.QAT) -> None:
    """With fake quantisation off, QAT in training mode is the model in training mode: output and statistics."""
    net = chain()
    net.drop.p = 0.0
    for node in qat.prepared.graph.nodes:
        if node.target in DROPOUTS:
            node.update_arg(1, 0.0)
    qat.prepared.recompile()
    for module in qat.modules():
        if isinstance(module, FakeQuantize):
            module.disable_fake_quant()
    x = images(16, seed=2)
    net.train()
    wanted, found = net(x), qat(x)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)
    for name, value in net.state_dict().items():
        if "running" in name or "tracked" in name:
            torch.testing.assert_close(qat.float_state()[name], value, rtol=1e-4, atol=1e-5)


def test_the_switch_keeps_p_and_stops_dropout_and_norms(qat: sv.QAT) -> None:

    def flags() -> tuple[list[object], list[object]]:
        nodes = qat.prepared.graph.nodes
        return [n.args[1:] for n in nodes if n.target in DROPOUTS], [n.args[5] for n in nodes if n.target in NORMS]

    assert flags() == ([(0.2, True)], [True, True])
    qat.eval()
    assert flags() == ([(0.2, False)], [False, False])
    x = images(8)
    before = qat.float_state()
    assert torch.equal(qat(x), qat(x))
    assert all(torch.equal(v, before[k]) for k, v in qat.float_state().items())
    with qat:
        assert flags() == ([(0.2, True)], [True, True])
        assert not torch.equal(qat(x), qat(x))
    assert not qat.training
    qat.freeze(ranges=False)
    qat.train()
    assert flags() == ([(0.2, True)], [False, False])


def test_what_is_converted_computes_what_was_trained(trained: tuple[sv.QAT, nn.Module]) -> None:
    qat, _ = trained
    x = images(64, seed=8)
    with torch.no_grad():
        wanted = qat(x)
    made = qat.convert()
    assert isinstance(made, sv.Quantised)
    off = (made(x) - wanted).abs()
    step = next(n for n in reversed(made.graph.nodes) if n.op == "call_function").args[1]
    assert float(off.max()) <= 2.01 * step  # biases are in int32 now
    assert float((off > step / 2).float().mean()) < 0.05
    assert made.bits == {"conv": 8, "dw": 8, "pw": 8, "fc": 8}
    names = {f"{layer}.{part}" for layer in made.bits for part in ("weight", "weight_scale", "bias")}
    assert set(made.state_dict()) == names


def test_the_trained_weights_go_back_under_their_own_names(trained: tuple[sv.QAT, nn.Module]) -> None:
    qat, net = trained
    twin = copy.deepcopy(net)
    twin.load_state_dict(qat.float_state())
    assert not torch.equal(twin.pw.weight, net.pw.weight)
    assert int(twin.bn1.num_batches_tracked) == int(net.bn1.num_batches_tracked) + 8  # the third epoch is frozen
    assert sqnr(twin.eval()(images()), qat.convert()(images())) > 15


def test_ranges_and_statistics_stand_still_from_their_epoch(qat: sv.QAT) -> None:
    qat.freeze_ranges, qat.freeze_norms = 1, 2
    seen = []
    for _ in qat.epochs(4):
        qat(images(16, seed=5) * 3)
        ranges = [float(m.high) for m in qat.modules() if isinstance(m, ActivationRange)]
        seen.append((ranges, qat.float_state()["bn1.running_mean"]))
    (r0, n0), (r1, n1), (_, n2), (r3, n3) = seen
    assert r0 == r1 == r3
    assert not torch.equal(n0, n1)
    assert torch.equal(n1, n2)
    assert torch.equal(n2, n3)


def test_four_bit_weights_learn_their_steps() -> None:
    qat = sv.QAT(chain(), images(), weights="int4", learned_step=True)
    steps = [m for m in qat.modules() if isinstance(m, LearnedStep)]
    before = [m.scale.detach().clone() for m in steps]
    optimizer = torch.optim.Adam(qat.parameters(), 1e-3)
    x, y = images(32, seed=3), torch.arange(32) % 3
    losses = []
    for _ in range(6):
        optimizer.zero_grad()
        loss = functional.cross_entropy(qat(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(m.log_scale.grad is not None for m in steps)
    assert sum(not torch.equal(m.scale, b) for m, b in zip(steps, before, strict=True)) == len(steps)
    made = qat.eval().convert()
    assert max(int(made.state_dict()[f"{name}.weight"].abs().max()) for name in made.bits) <= 7


def test_a_learned_step_begins_where_the_error_is_least() -> None:
    """Against every step of a fine grid, channel by channel; and never above where the paper begins."""
    qat = sv.QAT(chain(), images(), weights="int4", learned_step=True)
    seen = 0
    for module in qat.modules():
        if not isinstance(module, LearnedStep) or not module.per_channel:
            continue
        for row, begun in zip(module.activation_post_process.rows, module.scale.detach(), strict=True):

            def error(step: torch.Tensor, row: torch.Tensor = row) -> torch.Tensor:
                held = (row[None] / step[:, None]).round().clamp(-7, 7) * step[:, None]
                return ((held - row[None]) ** 2).sum(1)

            reach = float(row.abs().max()) / 7
            best = error(torch.linspace(0.25, 1, 4000) * reach).min()
            paper = error((2 * row.abs().mean() / 7**0.5).reshape(1))
            assert float(error(begun.reshape(1))) <= 1.15 * float(best)
            assert float(error(begun.reshape(1))) <= 1.02 * float(paper)
            seen += 1
    assert seen >= 12


@pytest.mark.parametrize("per_channel", [False, True])
def test_the_step_has_the_gradient_of_the_paper(per_channel: bool) -> None:
    """Against torch's own learnable fake quantisation, whose factor is 1 / sqrt(N n) here; it takes a value within half
    a step of an end for one inside, where the paper's formula cuts it off: those are left out."""
    torch.manual_seed(0)
    # torch truncates a zero point below 0 towards 0 in its backward, and not in its forward: here it is above.
    x = torch.randn(4, 6, 3) - 1
    observer = PerChannelWeight if per_channel else ActivationRange
    made = LearnedStep(observer)
    made(x)
    made.begin()
    made.log_scale.data.add_(math.log(0.4))  # so that some values are cut off
    mine, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    along = made.scale.detach().reshape(-1, 1, 1) if per_channel else made.scale.detach()
    whole = x / along + made.zero_point.reshape(-1, 1, 1) if per_channel else x / along + made.zero_point
    edge = ((whole - made.quant_max).abs() < 0.5) | ((whole - made.quant_min).abs() < 0.5)
    weights = torch.randn_like(x) * ~edge
    (made(mine) * weights).sum().backward()
    scale = made.scale.detach().clone().requires_grad_()
    zero = made.zero_point.float().clone()
    count = x[0].numel() if per_channel else x.numel()
    factor = 1 / (count * made.quant_max) ** 0.5
    low, high = made.quant_min, made.quant_max
    if per_channel:
        out = torch._fake_quantize_learnable_per_channel_affine(other, scale, zero, 0, low, high, factor)
    else:
        out = torch._fake_quantize_learnable_per_tensor_affine(other, scale, zero, low, high, factor)
    (out * weights).sum().backward()
    torch.testing.assert_close(made(x), out.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(mine.grad, other.grad)
    # The logarithm's gradient is the scale's times the scale.
    torch.testing.assert_close(made.log_scale.grad, scale.grad * scale.detach(), rtol=1e-3, atol=1e-5)


def test_bad_settings_are_one_line() -> None:
    for given, line in (
        ({"weights": "int2"}, "weights is int2: give int8 or int4"),
        ({"freeze_norms": -1}, "freeze_norms is -1: give the number of an epoch, 0 or more"),
    ):
        with pytest.raises(sv.InvalidInput) as refused:
            sv.QAT(chain(), images(), **given)
        assert str(refused.value) == line


def test_torchaos_patterns_are_exported_once_and_only_those_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pt2e, "_patterns", {})
    calls = []
    export = pt2e.qat_utils._get_aten_graph_module_for_pattern
    monkeypatch.setattr(
        pt2e.qat_utils, "_get_aten_graph_module_for_pattern", lambda *a, **k: (calls.append(a), export(*a, **k))[1]
    )
    for _ in range(2):
        sv.QAT(chain(), images())
    assert len(calls) == len(pt2e._patterns) == 3, "conv2d and norm: to find, and to put with a bias and without"
