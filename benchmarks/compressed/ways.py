"""One network, compressed in every way, with equal effort: all have the same epochs in all, and the same choice of one.

In three stages, of :attr:`Task.epochs`. First the network learns from the labels; its chosen epoch is the teacher, and
what is cut. Then come three cuts with training behind each, from the same rate again; the unpruned network trains the
same three times uncut, with the same teacher: itself as it was. The end is as long for all, in float or in QAT. A
student is the same network with fewer channels; it trains in one stage, for as many epochs from labels alone as from
the teacher. The chosen epoch is one of the last stage.

A student's teacher is three such networks, begun anew, and the mean of what they say. The answers, softened, take the
place of the labels: on many views of each sample ("function matching", Beyer et al., arXiv:2106.05237).

The part "few" is another setting: of the training samples few have labels. Teachers and the student alone see those
only, as often as the taught student sees all; a third student is taught by the one alone, so that what is owed to
samples without labels is not counted as the teacher's.

int8 is quantised after training, where no QAT is named.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import selvedge as sv

from .tasks import Row, Task, labelled
from .training import Best, Loss, Seen, epochs, labels, right, score

RATE, LATE, END = 3e-3, 2e-3, 5e-4  # of the three stages
CRITERION, RANK, MULTIPLE, LEAST, STEPS = "taylor", "global", 4, 8, 3
SHARES = (0.25, 0.25, 0.5)  # of the second stage, behind each cut
TERM, ALPHA = sv.Logits(temperature=2.0), 0.0
SAMPLES = 512  # that gradients and ranges are of
LEFT = {"-50 %": 0.5, "-60 %": 0.4}  # of the multiplications
TOGETHER = "-50 %"  # of pairs and of all three
TEACHERS = 3  # of a student: the same network, begun anew
PARTS = {
    "cut": (
        "teacher", "unpruned", "unpruned, int8", *(f"{cut}{more}" for cut in LEFT for more in ("", ", int8")),
        "QAT + teacher", "-50 %, QAT, no teacher", "-50 %, QAT + teacher",
    ),
    "student": ("unpruned", "teacher", "student alone", "student taught"),
    "few": ("unpruned", "teacher", "student alone", "student taught", "taught by itself"),
}  # fmt: skip


class Several(nn.Module):
    """The mean of the logits of several networks, without dropout and with the norms that they have learnt."""

    def __init__(self, nets: list[nn.Module]) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([net(x) for net in self.nets]).mean(0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """``best``, ``last``: for each test sample whether it is right, at the chosen epoch (from 0, in all) and at the
    last; ``share``: what is left of the unpruned float network's "macs" and "bytes"."""

    way: str
    best: np.ndarray
    last: np.ndarray
    epoch: int
    share: Mapping[str, float]
    validation: float


def settings(task: Task | Row, part: str) -> dict[str, Any]:
    """What the answers hang on, besides code; cases of other settings are not put together."""
    both = {"batch": task.batch, "temperature": TERM.temperature, "alpha": ALPHA}
    if part == "student":
        return {
            **both,
            "epochs": [task.epochs[0], task.student],
            "rate": RATE,
            "width": task.width,
            "teachers": TEACHERS,
        }
    if part == "few":
        return {
            **both, "epochs": list(task.few.epochs), "rate": RATE, "width": task.few.width, "teachers": TEACHERS,
            "labelled": task.few.labelled,
        }  # fmt: skip
    return {
        **both, "epochs": list(task.epochs), "rates": [RATE, LATE, END], "criterion": CRITERION, "rank": RANK,
        "multiple": MULTIPLE, "least": LEAST, "steps": STEPS, "shares": list(SHARES),
    }  # fmt: skip


def ways(task: Task, part: str, seed: int) -> Iterator[Outcome]:
    """Every one of :data:`PARTS` on one task."""
    with TemporaryDirectory() as folder:
        study = _Study(task, seed, Path(folder) / "answers")
        yield from {"cut": study.cut, "student": study.student, "few": study.few}[part]()


class _Study:
    def __init__(self, task: Task, seed: int, folder: Path) -> None:
        self.task, self.seed, self.folder = task, seed, folder
        self.seen = Seen.of(task, seed)
        torch.manual_seed(seed)
        self.teacher = task.make(1.0)
        self.sample = task.train[0][:SAMPLES]
        self.bytes = _bytes(self.teacher)

    def cut(self) -> Iterator[Outcome]:
        whole = {"macs": 1.0, "bytes": 1.0}
        yield self._whole("teacher", self.teacher, labels(self.teacher), self.task.epochs[0], 0, RATE, whole)
        base = copy.deepcopy(self.teacher)
        self._second(base, self._taught(base))
        yield from self._ends("unpruned", base, whole)
        yield self._qat("QAT + teacher", base, True, whole)
        for cut in LEFT:
            net, share = self._pruned(LEFT[cut], taught=True)
            yield from self._ends(cut, net, share)
            if cut == TOGETHER:
                yield self._qat(f"{cut}, QAT + teacher", net, True, share)
                net, share = self._pruned(LEFT[cut], taught=False)
                yield self._qat(f"{cut}, QAT, no teacher", net, False, share)

    def student(self) -> Iterator[Outcome]:
        student, own = self._student(self.task.width)
        yield from self._teachers(self.task.epochs[0])
        for way in ("student alone", "student taught"):
            net = copy.deepcopy(student)
            loss = labels(net) if way == "student alone" else self._taught(net)
            yield self._whole(way, net, loss, self.task.student, 0, RATE, own)

    def few(self) -> Iterator[Outcome]:
        every, (of_teachers, of_students) = self.seen, self.task.few.epochs
        student, own = self._student(self.task.few.width)
        self.seen = Seen.of(labelled(self.task, self.seed), self.seed)
        yield from self._teachers(of_teachers)
        alone = copy.deepcopy(student)
        yield self._whole("student alone", alone, labels(alone), of_students, 0, RATE, own)
        self.seen = every
        for way, teacher in (("student taught", self.teacher), ("taught by itself", alone)):
            self.teacher, self.folder = teacher, self.folder.with_name(way)
            net = copy.deepcopy(student)
            yield self._whole(way, net, self._taught(net), of_students, 0, RATE, own)

    def _student(self, width: float) -> tuple[nn.Module, dict[str, float]]:
        """A narrow network, and what of the whole one it is."""
        net = self.task.make(width)
        macs = _macs(net, self.sample) / _macs(self.teacher, self.sample)
        return net, {"macs": macs, "bytes": _bytes(net) / self.bytes}

    def _teachers(self, count: int) -> Iterator[Outcome]:
        """Train the whole network and others like it from labels, ``count`` epochs each; together they teach."""
        task, whole, several = self.task, {"macs": 1.0, "bytes": 1.0}, [self.teacher]
        yield self._whole("unpruned", self.teacher, labels(self.teacher), count, 0, RATE, whole)
        for i in range(1, TEACHERS):
            torch.manual_seed(1000 * i + self.seed)
            net = task.make(1.0)
            self._whole("", net, labels(net), count, 0, RATE, whole, i)
            several.append(net)
        self.teacher = Several(several).eval()
        told, share = right(self.teacher, task.test), {k: float(TEACHERS) for k in whole}
        yield Outcome("teacher", told, told, self.epoch, share, score(self.teacher, task.validation)[0])

    def _taught(self, net: nn.Module) -> Loss:
        made = sv.Distil(net, self.teacher, TERM, example=self.sample, alpha=ALPHA)
        made.cache(self.folder, self.seen.x, dtype="float32", chunk=2048)
        return lambda x, y, index: made.loss(x, y, index=index)

    def _second(self, net: nn.Module, loss: Loss, pruner: sv.Pruner | None = None) -> None:
        """The second stage; every part of it behind a cut where there is a ``pruner``, whose model ``net`` is."""
        parts = np.diff(np.round(np.cumsum([0, *SHARES]) * self.task.epochs[1]).astype(int))
        for i, count in enumerate(parts):
            if pruner is not None:
                pruner.step()
                net.to(memory_format=torch.channels_last)
            for _ in self._epochs(net, loss, int(count), LATE, 1 + i):
                pass

    def _pruned(self, left: float, taught: bool) -> tuple[nn.Module, dict[str, float]]:
        y = self.task.train[1][:SAMPLES]
        pruner = sv.Pruner(
            self.teacher, self.sample[:1], {"macs": left}, steps=STEPS, schedule="cubic", criterion=CRITERION,
            data=(self.sample, y), rank=RANK, multiple=MULTIPLE, least=LEAST, seed=self.seed,
        )  # fmt: skip
        net = pruner.model
        self._second(net, self._taught(net) if taught else labels(net), pruner)
        return net, {k: pruner.share[k] for k in ("macs", "bytes")}

    def _ends(self, way: str, net: nn.Module, share: Mapping[str, float]) -> Iterator[Outcome]:
        """The last stage in float, and int8 of it; ``net`` stays as it is."""
        made = copy.deepcopy(net)
        yield self._whole(way, made, self._taught(made), self.task.epochs[2], sum(self.task.epochs[:2]), END, share)
        last, best = (copy.deepcopy(made) for _ in range(2))
        last.load_state_dict(self.last)
        both = [sv.quantise(n.eval(), self.sample, wanted_agreement=0.0) for n in (best, last)]
        yield Outcome(
            f"{way}, int8", right(both[0], self.task.test), right(both[1], self.task.test), self.epoch,
            {**share, "bytes": both[0].facts.bytes / self.bytes}, float("nan"),
        )  # fmt: skip

    def _qat(self, way: str, net: nn.Module, taught: bool, share: Mapping[str, float]) -> Outcome:
        """The last stage in QAT; ``net`` stays as it is."""
        task, count = self.task, self.task.epochs[2]
        qat = sv.QAT(copy.deepcopy(net).eval(), self.sample)
        loss, best = self._taught(qat) if taught else labels(qat), Best()
        for number in self._epochs(qat, loss, count, END, 4, qat.epochs(count)):
            best.see(qat, qat, task, number)
        last = qat.convert()
        assert best.state is not None
        qat.load_state_dict(best.state)
        made = qat.convert()
        told = {**share, "bytes": made.facts.bytes / self.bytes}
        answers = right(made, task.test), right(last, task.test)
        return Outcome(way, *answers, sum(task.epochs[:2]) + best.epoch, told, best.score[0])

    def _whole(
        self, way: str, net: nn.Module, loss: Loss, count: int, first: int, rate: float, share: Mapping[str, float],
        other: int = 0,
    ) -> Outcome:  # fmt: skip
        """Train ``net``, and leave it at its chosen epoch; the last one is kept in ``last``."""
        best = Best()
        for number in self._epochs(net, loss, count, rate, 4 if first else 10 * other):
            best.see(net, net, self.task, number)
        self.last, self.epoch = copy.deepcopy(net.state_dict()), first + best.epoch
        last = right(net, self.task.test)
        assert best.state is not None
        net.load_state_dict(best.state)
        return Outcome(way, right(net, self.task.test), last, self.epoch, share, best.score[0])

    def _epochs(
        self, net: nn.Module, loss: Loss, count: int, rate: float, stage: int, numbers: Iterator[int] | None = None
    ) -> Iterator[int]:
        return epochs(net, loss, self.seen, count, rate, self.task.batch, [31, self.seed, stage], numbers)


def _bytes(net: nn.Module) -> int:
    return sum(t.numel() * t.element_size() for t in net.state_dict().values())


def _macs(net: nn.Module, x: Tensor) -> int:
    """Multiplications of convolutions and linear layers, of one sample."""
    total, handles = 0, []

    def count(layer: nn.Module, _: Any, out: Tensor) -> None:
        nonlocal total
        weight = layer.weight
        assert isinstance(weight, Tensor)
        total += out[0].numel() * weight[0].numel()

    for layer in net.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
            handles.append(layer.register_forward_hook(count))
    with torch.no_grad():
        net.eval()(x[:1])
    for handle in handles:
        handle.remove()
    return total
