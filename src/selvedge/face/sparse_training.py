"""Training between the steps of a :class:`selvedge.Sparsifier`; kept after each epoch, so that any end is resumed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ..compressing.course import Rows, adam, passed
from ..compressing.sparse import Sparsified, Sparsifier
from ..make.store import State, Store
from ..make.weighing.losses import loss_of, output
from .interrupt import heard
from .job import Job
from .progress import Work

BATCH = 64
CURRENT = "training"  # what the state of the last epoch is kept as


@dataclass(frozen=True, slots=True)
class Course:
    """``settings``: of :class:`selvedge.Sparsifier`. ``epochs``: over all steps. ``rate``: of Adam at first; it falls
    to 0 along a cosine over all batches. ``folder``: keeps the last epoch."""

    settings: Mapping[str, Any]
    epochs: int
    rate: float
    seed: int
    folder: Path | None


def trained(model: nn.Module, job: Job, course: Course, work: Work) -> Sparsified:
    """``model`` with zeros, trained behind each step on the training part; from where ``course.folder`` has it to the
    same bits. Raises ``InvalidInput`` where the loss is no longer finite, and for a folder of other work."""
    loss = loss_of(job.loss)
    gradients = course.settings["criterion"] in ("taylor", "hessian")
    rng = np.random.default_rng([47, course.seed])
    size = len(job.data.part("train"))
    given = _samples(job, np.sort(rng.permutation(size)[:512])) if gradients else None
    sparsifier = Sparsifier(
        model, **course.settings, data=given, loss=lambda net, x, y: loss(output(net, x), y), seed=course.seed
    )
    if not course.epochs:
        for _ in sparsifier:
            pass
        return sparsifier.finish()
    optimizer = adam(sparsifier.model, course.rate)
    store = Store(course.folder, _settings(model, job, course), "sparsifying", "--work")
    done = _resumed(store.state(CURRENT), sparsifier, optimizer)
    ends = np.linspace(0, course.epochs, sparsifier.steps + 1).astype(int)[1:]
    work.part("training", course.epochs)
    work.at(done)
    with heard() as here:
        while done < course.epochs:
            if sparsifier.done == 0 or done == ends[sparsifier.done - 1]:
                sparsifier.step()
            _epoch(sparsifier.model, optimizer, job, course, done, here)
            done += 1
            if course.folder is not None:
                store.keep_state(CURRENT, _state(sparsifier, optimizer, done))
            work.at(done)
    sparsifier.model.eval()
    return sparsifier.finish()


def _epoch(
    net: nn.Module, optimizer: torch.optim.Adam, job: Job, course: Course, epoch: int, here: Callable[[], None]
) -> None:
    """Order and dropout are drawn anew in each epoch, by its number, and the rate falls by the number of the step: what
    was before need not be known. So this is no :func:`learn`, which draws on through all epochs and keeps the best."""
    loss, size = loss_of(job.loss), len(job.data.part("train"))
    batches = -(-size // BATCH)
    order = np.random.default_rng([53, course.seed, epoch]).permutation(size)

    def of(rows: Rows) -> Tensor:
        x, y = _samples(job, rows)
        return loss(output(net, x), y)

    def fall(step: int) -> None:
        here()
        share = (epoch * batches + step + 1) / (course.epochs * batches)
        optimizer.param_groups[0]["lr"] = course.rate * (1 + math.cos(math.pi * share)) / 2

    net.train()
    fall(-1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1_000_003 * epoch + course.seed)
        passed(np.array_split(order, batches), of, optimizer, fall, epoch, course.rate, "--rate")


def _state(sparsifier: Sparsifier, optimizer: torch.optim.Adam, done: int) -> State:
    made = {f"sparsifier/{n}": t for n, t in sparsifier.state_dict().items()}
    for i, slots in optimizer.state_dict()["state"].items():
        made |= {f"adam/{i}/{n}": torch.as_tensor(t) for n, t in slots.items()}
    return {**made, "epochs": torch.tensor(done)}


def _resumed(state: State | None, sparsifier: Sparsifier, optimizer: torch.optim.Adam) -> int:
    """How many epochs are done: what ``state`` has, or none."""
    if state is None:
        return 0
    sparsifier.load_state_dict({n.removeprefix("sparsifier/"): t for n, t in state.items() if n.startswith("spars")})
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        if name.startswith("adam/"):
            _, i, slot = name.split("/")
            slots.setdefault(int(i), {})[slot] = tensor
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(state["epochs"])


def _settings(model: nn.Module, job: Job, course: Course) -> dict[str, Any]:
    """What the training depends on."""
    x, y = _samples(job, np.arange(len(job.data.part("train"))))
    weights = hashlib.sha256(repr(model).encode())
    for name, tensor in model.state_dict().items():
        weights.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        weights.update(tensor.detach().contiguous().numpy().tobytes())
    data = hashlib.sha256(x.numpy().tobytes())
    data.update(y.numpy().tobytes())
    return {
        "model": weights.hexdigest(), "data": data.hexdigest(), "loss": job.loss,
        **course.settings, "finetune-epochs": course.epochs, "rate": course.rate, "seed": course.seed,
    }  # fmt: skip


def _samples(job: Job, which: npt.NDArray[np.intp]) -> tuple[Tensor, Tensor]:
    x, y = job.data.part("train").take(which)
    given = x if job.data.preprocess is None else job.data.preprocess(x)
    tensor = torch.from_numpy(np.ascontiguousarray(given, np.float32))
    if y is None:
        return tensor, tensor
    targets = torch.from_numpy(np.ascontiguousarray(y))
    return tensor, targets.long() if job.loss == "cross_entropy" else targets
