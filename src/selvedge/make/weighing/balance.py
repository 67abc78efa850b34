"""Ways to a small network, weighed against each other on one model, one data set and one device."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import nn

from ...artifact import files
from ...artifact.name import checked_name
from ...artifact.number import finite
from ...device import Budget, Device
from ...device.profile import THIS_MACHINE
from ...errors import InvalidInput
from ..alone import Alone
from ..interleaved import Timing, interleaved
from ..room import roomy
from ..store import Store
from ..wish import within
from .bench import NATIVE, Bench, piece_of
from .factories import another, digest, factory, require_fit
from .losses import loss_of
from .parts import Parts
from .row import Outcome, Row
from .stages import Factory, Stages, Terms
from .ways import EFFICIENT, WHOLE, Way, chosen, parse
from .weighed import Weighed

Tell = Callable[[int, int, str], None]
SECONDS, ROUNDS = 0.2, 300  # of timing, for each row; predictions of each at most


def weigh(
    model: nn.Module | Factory,
    data: Any,
    *,
    device: Device | str | None = None,
    budget: Budget | str | None = None,
    loss: str = "cross_entropy",
    ways: Sequence[str] | None = None,
    epochs: int = 20,
    seeds: int = 3,
    seed: int = 0,
    macs: float = 0.5,
    trained: bool = False,
    efficient: Factory | None = None,
    batch: int = 64,
    lr: float = 3e-3,
    samples: int = 256,
    multiple: int = 4,
    work: str | Path | None = None,
    out: str | Path | None = None,
    name: str = "model",
    on_progress: Tell = lambda done, total, says: None,
) -> Weighed:
    """Make ``model`` small in every one of ``ways`` with equal effort, run each in native code, and say what it reaches
    on the test data, what it costs on ``device``, and what it takes to make it.

        found = sv.weigh(make, (train, validation, test), device="stm32f446", epochs=20, seeds=3)
        print(found)

    model: a function of a seed that gives a new ``nn.Module``, or a module, which is copied; of one input.
    data: a :class:`selvedge.data.Dataset`, or (train, validation, test), each a pair (x, y): x [N, ...] in float32.
    loss: "cross_entropy", "mse", "bce_with_logits" or "reconstruction"; only of the first a teacher can be had.
    ways: names as "float", "ptq", "pruned+distilled+qat", "narrow", "efficient+ptq"; by default
        all that are usual.
    epochs: of each way. Those of the model as it is, pruned, and in QAT share their first half, in plain float; over
        the second, at a third of the rate, each goes its own way. Networks trained from nothing have all epochs too. A
        model that is ``trained`` already has no first half: each way that begins with it has all epochs in its
        own way, the model as it is among them, which is shown as it came too.
    seeds, seed: seeds ``seed``, ``seed + 1``, ...: of first weights and order. The data stay split as they are.
    macs: the share of multiplications that the pruned network keeps, and the narrow one.
    efficient: another architecture, as a function of a seed; by default a compact one of the zoo that takes the shape,
        and is of another class than the model.
    batch, lr: of Adam, whose rate falls along a cosine. samples: training samples that set int8 ranges and rank
        channels. multiple: widths become multiples of it.
    work: a folder that keeps each finished piece: killed at any moment, the same call goes on, and ends with the same
        figures (times apart). out: a new or empty folder for the first seed's networks, as .tflite or .onnx.
    on_progress: is told (rows of a seed done, of how many, what is done now).

    Figures of costs and times are of the first seed's network. What cannot be done is a row with its reason. Raises
    ``InvalidInput``, and whatever refuses to run the model as it is.
    """
    todo = chosen(ways, trained)
    loss_of(loss)
    terms = _terms(loss, epochs, macs, trained, batch, lr, samples, multiple)
    count, first = _count("seeds", seeds), _count("seed", seed, 0)
    target = device if isinstance(device, Device) else Device.load(THIS_MACHINE if device is None else device)
    within(budget, Budget.of(target))  # a budget that nobody can keep is refused before anything is trained
    checked_name(name)
    parts = Parts.of(data, loss)
    whole = factory(model)
    other, what = another(efficient, parts, whole, first)
    factories = {WHOLE: whole, EFFICIENT: other}
    require_fit(whole, parts, loss, first, "model")
    if efficient is not None:
        require_fit(other, parts, loss, first, "efficient")
    here = target if target.name == THIS_MACHINE else roomy(Device.load(THIS_MACHINE))
    total = len(todo) * count
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()) if work is None else work)
        store = Store(folder, _settings(factories, parts, terms, target, budget, first, name), "comparison", "work")
        if out is not None:
            _require_empty(Path(out))
        found: dict[Way, list[dict[str, Any]]] = {way: [] for way in todo}
        for at in range(first, first + count):

            def tell(says: str) -> None:
                on_progress(sum(map(len, found.values())), total, says)

            stages = Stages(factories, parts, terms, store, at, tell)
            bench = Bench(stages, target, budget, here, name, at == first)
            for way in todo:
                tell(f"{way.name}, seed {at}")
                found[way].append(bench.row(way))
        on_progress(total, total, "timing")
        times = _timed(store, {way: rows for way, rows in found.items() if not _refusal(rows)}, parts, first)
        rows = tuple(_row(way, made, what, times.get(way)) for way, made in found.items())
        if out is not None:
            _write(store, rows, Path(out), first)
    return Weighed(name, target, loss, terms, count, first, parts.sizes, parts.guessing(loss), rows)


def _refusal(rows: Sequence[Mapping[str, Any]]) -> str:
    """Of the first seed that was refused."""
    return next((r["refused"] for r in rows if r["refused"]), "")


def _row(way: Way, made: Sequence[Mapping[str, Any]], compacts: str, here: Timing | None) -> Row:
    what, refused = compacts if way.body == EFFICIENT else "", _refusal(made)
    if refused:
        return Row(way.name, way.needs, what, refused, (), None, None)
    outcomes = tuple(
        Outcome.of({
            **{k: r[k] for k in ("seed", "test", "last", "epoch", "seconds")},
            "macs": r["costs"]["macs"], "arena_bytes": r["costs"]["arena_bytes"],
        })
        for r in made
    )  # fmt: skip
    return Row(way.name, way.needs, what, "", outcomes, made[0]["costs"], here)


def _timed(store: Store, done: Mapping[Way, Any], parts: Parts, seed: int) -> dict[Way, Timing]:
    """Of a prediction by each way's network of the first seed, all in turn."""
    sessions = [Alone.read(store.path(piece_of(way, seed), NATIVE)) for way in done]
    calls = [session.again(parts.test.x[:1]) for session in sessions]
    return dict(zip(done, interleaved(calls, most=ROUNDS, seconds=SECONDS * len(calls)), strict=True))


def _write(store: Store, rows: Sequence[Row], out: Path, seed: int) -> None:
    for row in rows:
        ending = row.costs["file"] if row.costs is not None else ""
        if ending:
            files.write(out / f"{row.way}{ending}", store.path(piece_of(parse(row.way), seed), ending).read_bytes())


def _require_empty(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InvalidInput("out", str(out), "it is a file or holds files: name a new or empty folder")


def _terms(
    loss: str, epochs: int, macs: float, trained: bool, batch: int, lr: float, samples: int, multiple: int
) -> Terms:
    share, rate = finite(macs), finite(lr)
    if share is None or not 0 < share < 1:
        raise InvalidInput("macs", macs, "give the share of multiplications that stays, as 0.5")
    if rate is None or rate <= 0:
        raise InvalidInput("lr", lr, "give a number above 0, as 3e-3")
    return Terms(
        loss, _count("epochs", epochs), share, bool(trained), _count("batch", batch), rate, _count("samples", samples),
        _count("multiple", multiple),
    )  # fmt: skip


def _count(field: str, value: int, least: int = 1) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InvalidInput(field, value, f"give a whole number, {least} or more")
    return value


def _settings(
    factories: Mapping[str, Factory], parts: Parts, terms: Terms, device: Device, budget: Budget | str | None,
    seed: int, name: str,
) -> dict[str, Any]:  # fmt: skip
    """What the pieces of a comparison depend on, in words and digests. More seeds and other ways may be added."""
    return {
        "data": parts.digest(), "model": digest(factories[WHOLE], seed),
        "efficient": digest(factories[EFFICIENT], seed), **asdict(terms),
        "device": device.name, "figures": _figures(device),
        "budget": str(budget), "seed": seed, "name": name,
    }  # fmt: skip


def _figures(device: Device) -> str:
    """Of a profile, which may have been edited; this machine's are measured anew each time."""
    return "" if device.name == THIS_MACHINE else hashlib.sha256(repr(device).encode()).hexdigest()
