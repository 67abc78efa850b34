"""The ready loop: seeded, the chosen epoch and the last, quantised students, and an end without a trace."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import selvedge as sv

from .nets import digits, residual, small
from .test_module import refused, trained

TEACHER = residual(4)
TRAIN, VALID = slice(0, 256), slice(1280, 1480)


def parts(where: slice) -> tuple[torch.Tensor, torch.Tensor]:
    return digits()[0][where], digits()[1][where]


def run(student: nn.Module, terms: Any = None, **settings: Any) -> sv.Distilled:
    given = {"data": parts(TRAIN), "validation": parts(VALID), "epochs": 3, "lr": 1e-2, **settings}
    return sv.distil(student, given.pop("teacher", TEACHER), terms or [sv.Logits(), sv.Hint()], **given)


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    students = [small() for _ in range(3)]
    state = torch.get_rng_state()
    one, two, other = (run(net, seed=seed) for net, seed in zip(students, (4, 4, 5), strict=True))
    assert torch.equal(torch.get_rng_state(), state)
    assert one.history == two.history != other.history
    assert all(torch.equal(v, two.student.state_dict()[k]) for k, v in one.student.state_dict().items())


def test_the_student_has_the_most_accurate_epoch_and_the_last_is_kept() -> None:
    seen = []
    student = small()
    found = run(student, epochs=5, lr=0.2, on_progress=seen.append)
    assert found.student is student
    assert tuple(seen) == found.history
    assert [e.number for e in found.history] == [1, 2, 3, 4, 5]
    assert found.best == max(found.history, key=lambda e: (e.accuracy, -e.loss))
    assert found.best != found.last, "a rate this high should end worse than it was"
    x, y = parts(VALID)
    for state, epoch in ((student.state_dict(), found.best), (found.last_state, found.last)):
        net = small()
        net.load_state_dict(state)
        z = net.eval()(x).detach()
        assert float((z.argmax(1) == y).double().mean()) == epoch.accuracy
        assert float(functional.cross_entropy(z, y)) == pytest.approx(epoch.loss, rel=1e-5)
    assert not student.training


def test_it_is_the_loop_that_a_user_would_write() -> None:
    """One epoch of two steps, by hand."""
    x, y = digits()[0][:20], digits()[1][:20]
    student, twin = small(), small()
    found = sv.distil(
        student, TEACHER, sv.Logits(), data=(x, y), validation=(x, y), epochs=1, batch=10, lr=1e-2, alpha=0.5, seed=3
    )
    distil = sv.Distil(twin, TEACHER, sv.Logits(), example=x, alpha=0.5)
    adam = torch.optim.Adam(twin.parameters(), 1e-2)
    losses = []
    for i, rows in enumerate(np.random.default_rng([3, 0]).permutation(20).reshape(2, 10)):
        adam.param_groups[0]["lr"] = (1e-2, 5e-3)[i]  # (1 + cos(pi i / 2)) / 2
        adam.zero_grad()
        loss = distil.loss(x[rows], y[rows])
        loss.backward()
        adam.step()
        losses.append(loss.item())
    assert found.last.train_loss == pytest.approx(sum(losses) / 2, rel=1e-6)
    for a, b in zip(student.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_with_a_cache_it_learns_as_without(tmp_path: Path) -> None:
    without = run(small())
    for again in (False, True):
        found = run(small(), cache=tmp_path / "c", cache_dtype="float32")
        assert found.distil.cached.computed == ([] if again else [0])
        assert found.last.loss == pytest.approx(without.last.loss, rel=2e-2)


def test_a_quantised_student_is_trained_by_its_own_epochs() -> None:
    qat = sv.QAT(trained(small(8), 100), parts(TRAIN)[0], weights="int4")
    found = run(qat, [sv.Logits(), sv.Hint(weight=0.1)], teacher=trained(residual(4), 40), epochs=4, lr=3e-3)
    assert qat.ranges_frozen
    assert qat.norms_frozen
    assert found.best.accuracy > 0.5
    made = qat.convert()
    x, y = parts(VALID)
    assert abs(float((made(x).argmax(1) == y).double().mean()) - found.best.accuracy) < 0.03
    assert set(made.bits.values()) == {4}


def test_a_loss_that_is_not_finite_leaves_the_student_as_it_was() -> None:
    student = small().train()
    before = copy.deepcopy(student.state_dict())
    line = refused(lambda: run(student, lr=1e30))
    assert line.startswith("lr is 1e+30: the loss became ")
    assert line.endswith("in epoch 1: lower it, as 1e+29")
    assert all(torch.equal(v, before[k]) for k, v in student.state_dict().items())
    assert student.training

    def stop(epoch: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(student, on_progress=stop)
    assert all(torch.equal(v, before[k]) for k, v in student.state_dict().items())


def test_ctrl_c_leaves_gradients_and_modes_as_they_were() -> None:
    """A norm that stands still, and gradients of something else."""
    student = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 10)).train()
    student[1].eval()
    student[3].weight.grad = kept = torch.ones_like(student[3].weight)

    def stop(epoch: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(student, sv.Logits(), on_progress=stop)
    assert [m.training for m in student.modules()] == [True, True, False, True, True]
    assert student[3].weight.grad is kept
    assert torch.equal(kept, torch.ones_like(kept))
    assert student[0].weight.grad is None


def test_a_quantised_student_that_was_stopped_is_not_frozen_and_learns_as_a_new_one() -> None:
    def made() -> sv.QAT:
        return sv.QAT(small(), parts(TRAIN)[0])

    def stop(epoch: sv.Epoch) -> None:
        if epoch.number == 4:  # the ranges are frozen by then
            raise KeyboardInterrupt

    stopped, new = made(), made()
    before = copy.deepcopy(stopped.state_dict())
    with pytest.raises(KeyboardInterrupt):
        run(stopped, sv.Logits(), epochs=4, on_progress=stop)
    assert not stopped.ranges_frozen
    assert not stopped.norms_frozen
    assert all(torch.equal(v, before[k]) for k, v in stopped.state_dict().items())
    assert run(stopped, sv.Logits(), epochs=4).history == run(new, sv.Logits(), epochs=4).history


PAIR = "give (x, y): samples [N, ...] and their classes, whole numbers [N]"
BAD: dict[str, dict[str, Any]] = {
    "epochs is 0: give a whole number, 1 or more": {"epochs": 0},
    "batch is 1.5: give a whole number, 1 or more": {"batch": 1.5},
    "lr is -1: give a number above 0, as 1e-3": {"lr": -1},
    f"data is of type Tensor: {PAIR}": {"data": torch.zeros(4, 1, 8, 8)},
    "validation is with y torch.int64 [3] for 4 samples: "
    "give (x, y): samples [N, ...] and their classes, whole numbers [N]": {
        "validation": (torch.zeros(4, 1, 8, 8), torch.zeros(3, dtype=torch.int64))
    },
    "validation is with class 10: give classes of 0 to 9": {
        "validation": (torch.zeros(4, 1, 8, 8), torch.tensor([0, 3, 10, 9]))
    },
    "on_progress is 3: give a function of an Epoch, or leave it out": {"on_progress": 3},
    "data is not finite in 1 of 4 samples: remove NaN and infinity": {
        "data": (torch.tensor([0.0, 1.0, float("nan"), 2.0])[:, None, None, None].expand(4, 1, 8, 8), torch.arange(4))
    },
}


@pytest.mark.parametrize("line", BAD)
def test_bad_settings_are_one_line(line: str) -> None:
    assert refused(lambda: run(small(), **BAD[line])) == line


def test_validation_data_of_another_shape_is_one_line_before_anything_is_trained() -> None:
    other = torch.zeros(4, 2, 8, 8), torch.zeros(4, dtype=torch.long)
    line = refused(lambda: run(small(), validation=other))
    assert line.startswith("validation is of shape [N, 2, 8, 8]: the student fails on it")
    everywhere = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 10, 1))
    line = refused(lambda: run(everywhere, sv.Hint(pairs={"1": "layer1"})))
    fix = "the ready loop scores one class a sample: train by sv.Distil in your own"
    assert line == f"output of the student is [1, 10, 6, 6]: {fix}"
