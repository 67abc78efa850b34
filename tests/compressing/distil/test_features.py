"""Features by path: found, paired, adapted; nothing stays on the networks."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import selvedge as sv
from selvedge.compressing.distil.features import chosen, traced, watched

from ..nets import chain, images
from .nets import digits, plain, residual, small


def x(count: int = 6) -> torch.Tensor:
    return digits()[0][:count]


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in model.modules())


def same(model: nn.Module, before: nn.Module) -> bool:
    """Weights, buffers, modes and hooks."""
    now, was = model.state_dict(), before.state_dict()
    modes = [m.training for m in model.modules()] == [m.training for m in before.modules()]
    return list(now) == list(was) and all(torch.equal(now[k], was[k]) for k in now) and modes and not hooks(model)


def test_what_is_watched_is_what_the_module_gives() -> None:
    net = residual()
    with watched(chosen(net, ["stem", "layer1", "layer1.bn2"])) as seen:
        net(x())
    stem = net.stem(x())
    torch.testing.assert_close(seen["stem"], stem)
    torch.testing.assert_close(seen["layer1"], net.layer1(stem))
    assert list(seen) == ["stem", "layer1.bn2", "layer1"]
    assert hooks(net) == 0


def test_hooks_are_gone_when_the_forward_fails_too() -> None:
    net = residual()
    with pytest.raises(RuntimeError, match="shape"), watched(chosen(net, ["stem"])):
        net.fc(x())
    assert hooks(net) == 0


def test_stages_of_a_resnet_and_of_a_plain_net_meet_at_their_resolution() -> None:
    distil = sv.Distil(small(), residual(), [sv.Hint(), sv.AttentionTransfer(), sv.Relational()], example=x())
    assert [str(link) for link in distil.links] == [
        "Hint: 3 8x4x4 <- layer1 32x4x4 (1x1 conv 8 -> 32)",
        "AttentionTransfer: 1 4x8x8 <- stem 16x8x8 (no adapter)",
        "AttentionTransfer: 3 8x4x4 <- layer1 32x4x4 (no adapter)",
        "Relational: 5 8 <- pool 64 (no adapter)",
    ]
    assert str(distil).splitlines()[0] == "loss = 1 x labels + 1 x Hint + 1 x AttentionTransfer + 1 x Relational"


def test_the_same_networks_give_the_same_pairs_and_adapters() -> None:
    made = [sv.Distil(small(), residual(), sv.Hint(), example=x(), seed=5) for _ in range(2)]
    assert made[0].links == made[1].links
    for a, b in zip(made[0].adapters.parameters(), made[1].adapters.parameters(), strict=True):
        assert torch.equal(a, b)
    other = sv.Distil(small(), residual(), sv.Hint(), example=x(), seed=6)
    assert not torch.equal(next(other.adapters.parameters()), next(made[0].adapters.parameters()))


def test_making_one_leaves_torchs_own_generator_and_both_networks_alone() -> None:
    student, teacher = small().train(), residual().train()
    teacher.layer1.eval()  # modes of their own
    before = copy.deepcopy(student), copy.deepcopy(teacher)
    state = torch.get_rng_state()
    sv.Distil(student, teacher, [sv.Hint(), sv.Logits()], example=x())
    assert torch.equal(torch.get_rng_state(), state)
    assert same(student, before[0])
    assert same(teacher, before[1])


def test_a_loss_leaves_the_teacher_alone_and_of_the_student_moves_but_statistics() -> None:
    student, teacher = residual(4), residual()
    teacher.train()
    teacher.layer2.eval()
    distil = sv.Distil(student, teacher, [sv.Hint(), sv.Logits(), sv.AttentionTransfer()], example=x())
    distil.eval()
    before = copy.deepcopy(student), copy.deepcopy(teacher)
    rng = torch.get_rng_state()
    distil.loss(x(), torch.arange(6)).backward()
    assert torch.equal(torch.get_rng_state(), rng), "dropout of a teacher in training mode would draw"
    assert same(student, before[0])
    assert same(teacher, before[1])
    assert all(p.grad is None and p.requires_grad for p in teacher.parameters())
    assert all(p.grad is not None for p in student.parameters())


def test_without_stages_features_meet_at_their_share_of_the_depth() -> None:
    torch.manual_seed(0)
    student = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 10))
    deep = [part for _ in range(5) for part in (nn.Linear(32, 32), nn.ReLU())]
    teacher = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), *deep, nn.Linear(32, 10))
    distil = sv.Distil(student, teacher, [sv.Hint(), sv.Relational()], example=x())
    hint, last = distil.links
    assert abs(hint.student.depth - hint.teacher.depth) <= 0.2
    assert (last.student.path, last.teacher.path) == ("4", "12")
    assert hint.adapter == "linear 8 -> 32"


def test_where_no_resolution_agrees_stages_meet_by_depth_and_are_resized() -> None:
    torch.manual_seed(0)
    student = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))
    distil = sv.Distil(student, plain(6), [sv.Hint(), sv.AttentionTransfer()], example=x())
    hint = distil.links[0]
    assert (str(hint.student), str(hint.teacher)) == ("1 4x6x6", "1 6x8x8")
    assert hint.adapter == "1x1 conv 4 -> 6, resized to 8x8"
    assert torch.isfinite(distil.loss(x(), torch.arange(6)))


def test_a_hint_is_the_adapters_output_beside_the_teachers_feature() -> None:
    """By hand: hooks of this test's own, PyTorch's convolution and interpolation."""
    student, teacher = small(4), residual(8)
    pairs = {"1": "layer1", "5": "pool", "4": "stem"}
    distil = sv.Distil(student, teacher, sv.Hint(pairs=pairs, weight=3.0), example=x(), alpha=0.0)
    assert [link.adapter for link in distil.links] == [
        "1x1 conv 4 -> 16, resized to 4x4",
        "linear 8 -> 32",
        "averaged over positions",
    ]
    ours = [student[:2](x()), student[:6](x()), student[:5](x()).flatten(1)]
    stem = teacher.stem(x())
    theirs = [teacher.layer1(stem), teacher.pool(teacher.layer2(teacher.layer1(stem))).flatten(1), stem.mean((2, 3))]
    conv, linear = distil.adapters[0].project, distil.adapters[1].project
    first = functional.interpolate(functional.conv2d(ours[0], conv.weight, conv.bias), size=(4, 4), mode="bilinear")
    made = [first, functional.linear(ours[1], linear.weight, linear.bias), ours[2]]
    wanted = sum(((a - b) ** 2).mean() for a, b in zip(made, theirs, strict=True))
    torch.testing.assert_close(distil.loss(x()), 3 * wanted)


def test_adapters_learn_and_are_no_part_of_the_student() -> None:
    student = small()
    names = list(student.state_dict())
    distil = sv.Distil(student, residual(), [sv.Hint()], example=x(), alpha=0.0)
    count = sum(p.numel() for p in student.parameters())
    own = sum(p.numel() for p in distil.adapters.parameters())
    assert own == 8 * 32 + 32
    assert sum(p.numel() for p in distil.parameters()) == count + own
    before = copy.deepcopy(distil.adapters.state_dict())
    optimizer = torch.optim.SGD(distil.parameters(), 0.1)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = distil.loss(x())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    assert all(not torch.equal(v, before[k]) for k, v in distil.adapters.state_dict().items())
    assert list(student.state_dict()) == names
    assert distil.student is student


def test_sequences_and_tokens_are_brought_to_channels_first() -> None:
    class Tokens(nn.Module):
        """[N, 8, 8] -> logits, through [N, T, C]."""

        def __init__(self, width: int) -> None:
            super().__init__()
            self.embed, self.act, self.head = nn.Linear(8, width), nn.GELU(), nn.Linear(width, 10)

        def forward(self, given: torch.Tensor) -> torch.Tensor:
            return self.head(self.act(self.embed(given)).mean(1))

    torch.manual_seed(0)
    rows = x()[:, 0]
    student, teacher = Tokens(3), nn.Sequential(nn.Conv1d(8, 6, 1), nn.ReLU(), nn.Flatten(), nn.Linear(48, 10))
    distil = sv.Distil(student, teacher, sv.Hint(pairs={"act": "1"}), example=rows, alpha=0.0)
    assert str(distil.links[0]) == "Hint: act 3x8 <- 1 6x8 (1x1 conv 3 -> 6)"
    project = distil.adapters[0].project
    ours = functional.conv1d(student.act(student.embed(rows)).transpose(1, 2), project.weight, project.bias)
    torch.testing.assert_close(distil.loss(rows), ((ours - teacher[:2](rows)) ** 2).mean())


def test_of_qat_the_quantised_features_are_named_as_in_the_float_model() -> None:
    """A fake quantiser that several layers share is called several times: each has its own feature."""
    qat = sv.QAT(chain(), images())
    found = traced(qat, (images(6),))
    assert {f.path: f.sides for f in found.features} == {
        "act1": (8, 8), "act2": (6, 6), "act3": (6, 6), "pool": (), "drop": (),
    }  # fmt: skip
    qat.eval()
    with watched(chosen(qat, ["act3", "pool"])) as seen:
        qat(images(6))
    scale = float(next(m for n, m in qat.prepared.named_modules() if n.endswith("process_6")).scale)
    torch.testing.assert_close(seen["pool"], seen["act3"].mean((2, 3), keepdim=True), rtol=0, atol=0.51 * scale)
    steps = seen["act3"] / scale
    torch.testing.assert_close(steps, steps.round(), rtol=0, atol=1e-3)


BAD = {
    "a name that is spelt otherwise": (
        {"layr1": "layer1"}, "layer of the student is layr1: did you mean layer1? it has stem.0, ",
    ),
    "a name of nothing like it": ({"zzz": "layer1"}, "layer of the student is zzz: it has stem.0, "),
    "the teacher's": ({"layer1": "layer3"}, "layer of the teacher is layer3: did you mean layer2? it has stem.0, "),
    "called twice": (
        {"layer1": "layer1.relu"},
        "layer of the teacher is layer1.relu: it is called several times: name a layer that is called once, as the "
        "block around it",
    ),
    "changed in place": (
        {"layer1": "layer1.bn1"},
        "layer of the teacher is layer1.bn1: the next layer changes it in place: name that one",
    ),
    "the logits": (
        {"layer1": "fc"}, "layer of the teacher is fc: it gives the logits: that is what sv.Logits() compares",
    ),
}  # fmt: skip


def test_dropout_in_place_is_seen_when_it_drops() -> None:
    """In evaluation mode, where features are found, it changes nothing."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Dropout(0.5, inplace=True), nn.Linear(8, 10))
    distil = sv.Distil(net, residual(), sv.Hint(pairs={"2": "pool"}), example=x())
    assert torch.isfinite(distil.eval().loss(x(), torch.arange(6)))
    with pytest.raises(sv.InvalidInput, match="layer of the student is 2: the next layer changes it in place"):
        distil.train().loss(x(), torch.arange(6))


@pytest.mark.parametrize("name", BAD)
def test_a_layer_that_cannot_be_taken_is_one_line(name: str) -> None:
    pairs, line = BAD[name]
    with pytest.raises(sv.InvalidInput) as refused:
        sv.Distil(residual(4), residual(), sv.Hint(pairs=pairs), example=x())
    assert str(refused.value).startswith(line)
    assert "\n" not in str(refused.value)


def test_layers_that_cannot_be_compared_are_one_line() -> None:
    rnn = nn.LSTM(8, 4, batch_first=True)

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.fc, self.spare = rnn, nn.Linear(4, 10), nn.Linear(4, 4)

        def forward(self, given: torch.Tensor) -> torch.Tensor:
            return self.fc(self.rnn(given[:, 0])[0][:, -1])

    for pairs, line in (
        ({"rnn": "stem"}, "layer of the student is rnn: it gives a tuple: name a layer that gives a tensor"),
        ({"spare": "stem"}, "layer of the student is spare: it is not called: name a layer that is"),
    ):
        with pytest.raises(sv.InvalidInput) as refused:
            sv.Distil(Recurrent(), residual(), sv.Hint(pairs=pairs), example=x())
        assert str(refused.value) == line
    with pytest.raises(sv.InvalidInput) as refused:
        sv.Distil(Recurrent(), residual(), sv.AttentionTransfer(), example=x())
    assert str(refused.value).startswith("pairs of AttentionTransfer is not to be found: give AttentionTransfer(pairs=")
    with pytest.raises(sv.InvalidInput) as refused:
        sv.Distil(small(), residual(), sv.AttentionTransfer(pairs={"5": "layer1"}), example=x())
    assert str(refused.value) == (
        "pairs is 5 8 with layer1 32x4x4: a map of attention needs positions: pair features of as many dimensions"
    )
    line = nn.Sequential(nn.Flatten(2), nn.Conv1d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(248, 10))
    with pytest.raises(sv.InvalidInput, match="pairs is 2 4x62 with layer1 32x4x4: pair features of as many dim"):
        sv.Distil(line, residual(), sv.Hint(pairs={"2": "layer1"}), example=x())


def test_numpy_arrays_are_taken_as_tensors() -> None:
    distil = sv.Distil(small(), residual(), sv.Logits(), example=np.asarray(x(), np.float64))
    torch.testing.assert_close(distil.loss(np.asarray(x()), np.arange(6)), distil.loss(x(), torch.arange(6)))
