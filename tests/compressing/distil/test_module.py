"""A loss in the user's own loop: its parts, its students and teachers, and what is refused."""

from __future__ import annotations

import builtins
import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional
from torch.nn.utils import prune
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn

import selvedge as sv
from selvedge.compressing.distil import losses

from ..nets import chain, images
from .nets import digits, plain, residual, small

CLASSES = 10


def batch(count: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = digits()
    return x[:count], y[:count]


def trained(net: nn.Module, steps: int = 60) -> nn.Module:
    x, y = digits()
    adam = torch.optim.Adam(net.train().parameters(), 1e-2)
    for i in range(steps):
        rows = slice(i * 64 % 1280, i * 64 % 1280 + 64)
        adam.zero_grad()
        functional.cross_entropy(net(x[rows]), y[rows]).backward()
        adam.step()
    return net.eval()


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(sv.InvalidInput) as found:
        call()
    assert "\n" not in str(found.value)
    return str(found.value)


# The sum.


def test_the_loss_is_the_weighted_sum_of_labels_and_terms() -> None:
    student, teacher = small(), residual()
    x, y = batch()
    terms = [sv.Logits(temperature=3, weight=0.7), sv.DKD(weight=0.2), sv.Logits(temperature=1, weight=2.0)]
    distil = sv.Distil(student, teacher, terms, example=x, alpha=0.3)
    found = distil.loss(x, y)
    with torch.no_grad():
        z, t = student(x), teacher(x)
    wanted = {
        "labels": 0.3 * functional.cross_entropy(z, y),
        "Logits": 0.7 * losses.soft(z, t, 3),
        "DKD": 0.2 * losses.decoupled(z, t, y, 4.0, 1.0, 2.0),
        "Logits 2": 2.0 * losses.soft(z, t, 1),
    }
    assert list(distil.parts) == list(wanted)
    for name, value in wanted.items():
        torch.testing.assert_close(distil.parts[name], value)
    torch.testing.assert_close(found.detach(), sum(wanted.values()))
    assert str(distil) == "loss = 0.3 x labels + 0.7 x Logits + 0.2 x DKD + 2 x Logits 2"


def test_a_batch_of_one_has_every_term() -> None:
    x, y = batch(1)
    terms = [sv.Logits(), sv.DKD(), sv.Hint(), sv.AttentionTransfer(), sv.Relational()]
    distil = sv.Distil(small(), residual(), terms, example=x)
    loss = distil.loss(x, y)
    loss.backward()
    assert torch.isfinite(loss)
    assert float(distil.parts["Relational"]) == 0


def test_without_labels_a_student_learns_what_its_teacher_says() -> None:
    x, _ = batch(64)
    student, teacher = small(8), trained(residual(4), 40)
    distil = sv.Distil(student, teacher, sv.Logits(), example=x, alpha=0.0)
    optimizer = torch.optim.Adam(distil.parameters(), 2e-2)
    agreement = [(student(x).argmax(1) == teacher(x).argmax(1)).float().mean()]
    for _ in range(100):
        optimizer.zero_grad()
        distil.loss(x).backward()
        optimizer.step()
    agreement.append((student(x).argmax(1) == teacher(x).argmax(1)).float().mean())
    assert agreement[1] > 0.75 > agreement[0] + 0.4


def test_labels_may_be_shares_and_int32() -> None:
    x, y = batch()
    distil = sv.Distil(small(), residual(), sv.Logits(), example=x)
    whole = distil.loss(x, y)
    torch.testing.assert_close(distil.loss(x, y.int().numpy()), whole)
    torch.testing.assert_close(distil.loss(x, functional.one_hot(y, CLASSES).float()), whole)


def test_logits_with_positions() -> None:
    torch.manual_seed(0)
    student, teacher = nn.Conv2d(1, 3, 1), nn.Conv2d(1, 3, 3, padding=1)
    x, _ = batch(2)
    y = torch.arange(128).reshape(2, 8, 8) % 3
    distil = sv.Distil(student, teacher, [sv.Logits(), sv.DKD()], example=x)
    distil.loss(x, y)
    torch.testing.assert_close(distil.parts["labels"], functional.cross_entropy(student(x), y).detach())
    wanted = losses.decoupled(student(x), teacher(x), y.reshape(-1), 4.0, 1.0, 2.0)
    torch.testing.assert_close(distil.parts["DKD"], wanted.detach())


def test_several_inputs() -> None:
    class Two(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.a, self.b, self.fc = nn.Linear(4, width), nn.Linear(2, width), nn.Linear(width, 3)

        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return self.fc(torch.relu(self.a(a) + self.b(b)))

    torch.manual_seed(0)
    x = torch.randn(6, 4), torch.randn(6, 2)
    distil = sv.Distil(Two(2), Two(8), [sv.Logits(), sv.Relational(pairs={"a": "a"})], example=x)
    assert torch.isfinite(distil.loss(x, torch.arange(6) % 3))
    assert torch.equal(distil(*x), distil.student(*x))


# Students that are something else.


def test_a_pruned_student_stays_pruned() -> None:
    """Masked by torch's own pruning, and with channels cut out."""
    x, y = batch()
    student = small(8)
    prune.l1_unstructured(student[2], "weight", 0.5)
    distil = sv.Distil(student, residual(), [sv.Logits(), sv.Hint(), sv.AttentionTransfer()], example=x)
    optimizer = torch.optim.Adam(distil.parameters(), 1e-2)
    before = student[2].weight.detach().clone()
    for _ in range(3):
        optimizer.zero_grad()
        distil.loss(x, y).backward()
        optimizer.step()
    student(x)
    assert int((student[2].weight == 0).sum()) == student[2].weight.numel() // 2
    assert not torch.equal(student[2].weight, before)
    narrow = small(8)
    narrow[0], narrow[2] = nn.Conv2d(1, 5, 3, 1, 1), nn.Conv2d(5, 16, 3, 2, 1)
    link = sv.Distil(narrow, residual(), sv.Hint(pairs={"1": "stem"}), example=x).links[0]
    assert link.adapter == "1x1 conv 5 -> 16"


def test_a_qat_student_learns_from_a_float_teacher_and_is_converted() -> None:
    qat = sv.QAT(chain(), images(), weights="int4")
    x = images(32, seed=4)
    terms = [sv.Logits(), sv.Hint(), sv.AttentionTransfer()]
    distil = sv.Distil(qat, chain(seed=3), terms, example=x, alpha=0.0)
    assert [link.student.path for link in distil.links] == ["act1", "act1", "act3"]
    optimizer = torch.optim.Adam(distil.parameters(), 3e-3)
    told = []
    for _ in qat.epochs(6):
        for _ in range(4):
            optimizer.zero_grad()
            loss = distil.loss(x)
            loss.backward()
            optimizer.step()
        told.append(loss.item())
    assert told[-1] < 0.9 * told[0]
    made = qat.convert()
    assert isinstance(made, sv.Quantised)
    assert set(made.bits.values()) == {4}
    assert {name.partition(".")[0] for name in made.state_dict()} == {"conv", "dw", "pw", "fc"}


# Teachers.


def test_the_average_of_itself_is_torchs() -> None:
    """Beside torch's own AveragedModel at a decay that the start does not reach, and by hand where it does."""
    x, y = batch()
    student = small()
    distil = sv.Distil(student, sv.SelfTeacher(decay=0.4), sv.Logits(), example=x)
    torchs = AveragedModel(student, avg_fn=get_ema_avg_fn(0.4))
    optimizer = torch.optim.SGD(distil.parameters(), 0.5)
    seen: list[torch.Tensor] = []
    for _ in range(5):
        torchs.update_parameters(student)
        seen.append(student[0].weight.detach().clone())
        optimizer.zero_grad()
        distil.loss(x, y).backward()
        optimizer.step()
        mine = distil._teacher.module.state_dict()
        for name, value in torchs.module.state_dict().items():
            torch.testing.assert_close(mine[name], value)
    slow = sv.Distil(student, sv.SelfTeacher(decay=0.999), sv.Logits(), example=x)
    for weight in seen[:3]:
        student[0].weight.data.copy_(weight)
        slow.loss(x, y)
    # d = 1/2, then 2/3: the plain mean of the first three.
    torch.testing.assert_close(slow._teacher.module[0].weight, torch.stack(seen[:3]).mean(0))
    assert len(list(slow.parameters())) == len(list(student.parameters()))


def test_the_average_stands_still_in_evaluation_mode_and_has_the_students_statistics() -> None:
    x, y = batch()
    student = residual(4)
    distil = sv.Distil(student, sv.SelfTeacher(), [sv.Logits()], example=x).train()
    average = distil._teacher.module
    for _ in range(3):
        before = student.stem[1].running_mean.clone()
        distil.loss(x, y)
        assert torch.equal(average.stem[1].running_mean, before)
    assert not torch.equal(student.stem[1].running_mean, before)
    distil.eval()
    kept = copy.deepcopy(average.state_dict())
    student.fc.weight.data.add_(1)
    distil.loss(x, y)
    assert all(torch.equal(v, kept[k]) for k, v in average.state_dict().items())


def test_a_first_step_from_its_own_average_is_the_labels_alone() -> None:
    x, y = batch()
    student = small()
    distil = sv.Distil(student, sv.SelfTeacher(), [sv.Logits(), sv.Hint()], example=x)
    distil.loss(x, y).backward()
    alone = torch.autograd.grad(functional.cross_entropy(student(x), y), list(student.parameters()))
    for p, wanted in zip(student.parameters(), alone, strict=True):
        torch.testing.assert_close(p.grad, wanted, rtol=1e-4, atol=1e-6)


def exported(net: nn.Module, path: Path, fixed: int | None = None, poison: bool = False) -> Path:
    """``plain`` as an ONNX file with its second activation and its pool as outputs, written by ONNX's own helper."""
    weights = {n: v.detach().numpy() for n, v in net.state_dict().items()}
    if poison:
        weights["6.bias"] = np.full(CLASSES, np.nan, np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "0.weight", "0.bias"], ["c0"], pads=[1] * 4),
        helper.make_node("Relu", ["c0"], ["r1"]),
        helper.make_node("Conv", ["r1", "2.weight", "2.bias"], ["c2"], pads=[1] * 4, strides=[2, 2]),
        helper.make_node("Relu", ["c2"], ["act"]),
        helper.make_node("GlobalAveragePool", ["act"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "6.weight", "6.bias"], ["logits"], transB=1),
    ]
    width = weights["0.weight"].shape[0]
    n = "N" if fixed is None else fixed
    graph = helper.make_graph(
        nodes, "plain", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [n, 1, 8, 8])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, [n, CLASSES]),
            helper.make_tensor_value_info("act", TensorProto.FLOAT, [n, 2 * width, 4, 4]),
            helper.make_tensor_value_info("flat", TensorProto.FLOAT, [n, 2 * width]),
        ],
        [numpy_helper.from_array(v, k) for k, v in weights.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("fixed", [None, 1, 5])
def test_an_onnx_file_teaches_as_the_module_it_was_made_of(tmp_path: Path, fixed: int | None) -> None:
    pytest.importorskip("onnxruntime")
    torch.manual_seed(1)
    teacher = plain(8).eval()
    path = exported(teacher, tmp_path / "teacher.onnx", fixed)
    x, y = batch(13)
    made = []
    for given, act, flat in ((path, "act", "flat"), (teacher, "3", "5")):
        terms = [
            sv.Logits(), sv.Hint(pairs={"3": act}), sv.AttentionTransfer(pairs={"3": act}),
            sv.Relational(pairs={"5": flat}),
        ]  # fmt: skip
        distil = sv.Distil(small(), given, terms, example=x)
        distil.loss(x, y)
        made.append(distil.parts)
    for name, value in made[1].items():
        torch.testing.assert_close(made[0][name], value, rtol=1e-4, atol=1e-5)
    automatic = sv.Distil(small(), str(path), sv.Hint(), example=x)
    assert str(automatic.links[0]) == "Hint: 3 8x4x4 <- act 16x4x4 (1x1 conv 8 -> 16)"


def test_an_onnx_file_that_cannot_teach_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    x, y = batch()
    absent, broken = tmp_path / "absent.onnx", tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    path = exported(plain(8), tmp_path / "t.onnx")
    for given, start in (
        (absent, f"teacher is {absent}: there is no such file"),
        (broken, f"teacher is {broken}: ONNX Runtime does not read it: "),
    ):
        assert refused(lambda given=given: sv.Distil(small(), given, sv.Logits(), example=x)).startswith(start)
    line = refused(lambda: sv.Distil(small(), path, sv.Hint(pairs={"3": "act_1"}), example=x))
    assert line == "layer of the teacher is act_1: did you mean act? it has act, flat"
    tiny = nn.Sequential(nn.Flatten(), nn.Linear(16, 10))
    line = refused(lambda: sv.Distil(tiny, path, sv.Logits(), example=x[..., ::2, ::2]))
    assert line.startswith(f"teacher is {path}: it fails on the batch: ")
    bad = exported(plain(8), tmp_path / "nan.onnx", poison=True)
    line = refused(lambda: sv.Distil(small(), bad, sv.Logits(), example=x).loss(x, y))
    assert line.startswith("teacher is not finite for 16 of 16 samples, the first is 0")
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "onnxruntime":
            raise ModuleNotFoundError("No module named 'onnxruntime'", name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(sv.NotSupported, match=r"an ONNX teacher is not supported at .*: pip install 'onnxruntime"):
        sv.Distil(small(), path, sv.Logits(), example=x)


# What is refused.


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, "4", True, None])
def test_a_temperature_is_above_zero(value: Any) -> None:
    for term in (sv.Logits, sv.DKD):
        line = refused(lambda term=term: term(temperature=value))
        assert line.startswith(f"temperature of {term.__name__} is ")
        assert line.endswith(": give a number above 0, as 4")


def test_numbers_of_terms_are_finite_and_pairs_are_names() -> None:
    pairs = 'path in the student -> path in the teacher, as {"3": "layer2"}'
    for make, line in (
        (lambda: sv.Hint(weight=-1.0), "weight of Hint is -1.0: give a number of 0 or more, as 1.0"),
        (lambda: sv.DKD(beta=math.nan), "beta of DKD is nan: give a number of 0 or more, as 1.0"),
        (lambda: sv.Hint(pairs="layer1"), f"pairs is layer1: give {pairs}"),
        (
            lambda: sv.Hint(pairs={}),
            'pairs is empty: give at least one, as {"3": "layer2"}, or none for automatic ones',
        ),
        (lambda: sv.SelfTeacher(decay=1), "decay of SelfTeacher is 1: give a share of 0 to below 1, as 0.999"),
    ):
        assert refused(make) == line


EVERY = "sv.Logits(), sv.DKD(), sv.Hint(), sv.AttentionTransfer(), sv.Relational()"
SAMPLES = "give samples [N, ...], or a tuple of them for several inputs"
UNFIT: dict[str, Any] = {
    "student is of type function: give an nn.Module": {"student": lambda: (lambda x: x)},
    "student is without parameters that learn: give one with some that require gradients": {
        "student": lambda: small().requires_grad_(False)
    },
    "teacher is of type int: give an nn.Module, the path of an .onnx file, or sv.SelfTeacher()": {"teacher": lambda: 5},
    "teacher is of 7 classes: the student has 10: Logits compares class by class": {
        "teacher": lambda: residual(classes=7)
    },
    "teacher is giving [4, 10, 8, 8]: the student gives [4, 10]: Logits compares position by position": {
        "teacher": lambda: nn.Conv2d(1, 10, 1)
    },
    "student is of 1 class: Logits needs two or more; sv.Hint() compares features": {
        "student": lambda: small(classes=1), "teacher": lambda: residual(classes=1),
    },
    "output of the student is torch.float32 [10]: give a module that gives float logits [N, classes]": {
        "student": lambda: nn.Sequential(nn.Flatten(0), nn.Linear(256, 10))
    },
    "output of the teacher is tuple: give a module that gives float logits [N, classes]": {
        "teacher": lambda: nn.Sequential(nn.Flatten(), nn.LSTM(64, 10))
    },
    f"terms is empty: give at least one of {EVERY}": {"terms": []},
    f"terms is Logits: give a list of {EVERY}": {"terms": [sv.Logits]},
    f"terms is of type str: give a list of {EVERY}": {"terms": "logits"},
    "alpha is -1: give a number of 0 or more, the weight of the labels' cross-entropy": {"alpha": -1},
    "alpha is 0: the terms have weight 0 too: give something a weight": {"alpha": 0, "terms": sv.Logits(weight=0)},
    "seed is -1: give a whole number in 0..4294967295": {"seed": -1},
    f"example is empty: {SAMPLES}": {"example": torch.zeros(0, 1, 8, 8)},
    f"example is of type str: {SAMPLES}": {"example": "x"},
    "example is of shape [N, 1, 8]: the student fails on it": {"example": torch.zeros(4, 1, 8)},
}  # fmt: skip


@pytest.mark.parametrize("line", UNFIT)
def test_what_does_not_fit_is_one_line(line: str) -> None:
    given = {"student": small, "teacher": residual, "terms": sv.Logits(), "example": batch()[0], **UNFIT[line]}
    student, teacher = given.pop("student")(), given.pop("teacher")()
    found = refused(lambda: sv.Distil(student, teacher, given.pop("terms"), **given))
    assert found == line or found.startswith((f"{line} at ", f"{line}: "))


def test_a_teacher_that_is_the_student_is_refused_and_one_of_other_classes_may_show_features() -> None:
    x, y = batch()
    student = small()
    line = refused(lambda: sv.Distil(student, student, sv.Logits(), example=x))
    assert line == (
        "teacher is the student itself: give copy.deepcopy(student) for what it is now, or sv.SelfTeacher() for its "
        "average"
    )
    assert torch.isfinite(sv.Distil(student, residual(classes=7), sv.Hint(), example=x).loss(x, y))


def test_a_batch_that_does_not_fit_is_one_line() -> None:
    x, y = batch()
    distil = sv.Distil(small(), residual(), [sv.Logits(), sv.DKD()], example=x)
    unlabelled = sv.Distil(small(), residual(), sv.DKD(), example=x, alpha=0.0)
    for make, line in (
        (lambda: distil.loss(x), "y is None: give labels [N]: alpha is 1"),
        (lambda: unlabelled.loss(x), "y is None: give labels [N]: DKD needs the target class"),
        (lambda: distil.loss(x, y[:5]), "y is of 5 labels: x has 16 samples"),
        (lambda: distil.loss(x, y + 1), "y is 10: give classes of 0 to 9"),
        (lambda: distil.loss(x, y.float()), "y is torch.float32 [16]: give classes, whole numbers [16]"),
        (lambda: distil.loss((x, x[:3]), y), "x is of 16, 3 samples: give as many of every input"),
    ):
        assert refused(make) == line


def test_every_term_is_there_under_autocast() -> None:
    """In bfloat16 features have eight digits of two; the loss is near that in float32, and its gradient is finite."""
    x, y = batch()
    terms = [sv.Logits(), sv.DKD(), sv.Hint(), sv.AttentionTransfer(), sv.Relational()]
    distil = sv.Distil(small().eval(), residual(), terms, example=x).eval()
    whole = float(distil.loss(x, y).detach())
    parts = {name: float(part) for name, part in distil.parts.items()}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = distil.loss(x, y)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(whole, rel=0.05)
    assert {name: float(part) for name, part in distil.parts.items()} == pytest.approx(parts, rel=0.1, abs=0.01)
    assert all(bool(torch.isfinite(p.grad).all()) for p in distil.parameters() if p.grad is not None)


def test_classes_along_the_last_axis_are_one_line() -> None:
    """As language models give them: [N, T, C]."""
    x, y = torch.randn(4, 7, 6), torch.zeros(4, 7, dtype=torch.long)
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 5))
    distil = sv.Distil(net, copy.deepcopy(net), sv.Hint(), example=x)
    line = "output of the student is [4, 7, 5]: classes lie along the second axis, [N, C, ...]: "
    assert refused(lambda: distil.loss(x, y)) == line + "give logits.transpose(1, -1)"


class Faulty(nn.Module):
    """Gives NaN for the fourth sample, or loses samples, where there are more than an example has."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = x.flatten(1)[:, 20:30].clone()
        if len(z) > 4 and self.fault == "nan":
            z[3] = math.nan
        return z[:5] if self.fault == "short" else z


def test_a_teacher_that_gives_nan_or_loses_samples_is_one_line(tmp_path: Path) -> None:
    x, y = batch()
    for fault, line in (
        ("nan", "teacher is not finite for 1 of 16 samples, the first is 3: mend it, or leave those samples out"),
        ("short", "output of the teacher is of 5 samples: the batch has 16"),
    ):
        distil = sv.Distil(small(), Faulty(fault), sv.Logits(), example=x)
        assert refused(lambda distil=distil: distil.loss(x, y)) == line
    distil = sv.Distil(small(), Faulty("nan"), sv.Logits(), example=x)
    line = refused(lambda: distil.cache(tmp_path / "c", x, chunk=10))
    assert line.startswith("teacher is not finite for 1 of 10 samples, the first is 3")
    distil = sv.Distil(small(), Faulty("short"), sv.Logits(), example=x)
    line = refused(lambda: distil.cache(tmp_path / "d", x))
    assert line == "teacher is giving [5, 10]: it has to give [16, ...] for as many samples"
