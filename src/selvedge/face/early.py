"""What of a command's options can be refused before torch is loaded, which takes seconds. Raises ``InvalidInput``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..choose import Contribution
from ..data.spec import parse
from ..device import Budget, Device
from ..device.profile import THIS_MACHINE
from ..errors import InvalidInput
from ..federate import deal
from ..learn.stream.feed import FULL
from ..learn.stream.spec import Stream
from ..learn.stream.spec import parse as parse_stream
from . import completion, named, optimizer_name, place
from .dynamic import parse as parse_sizes
from .federating.wish import KIND, Wish


def options(
    *,
    model: str,
    shape: str | None,
    device: str,
    budget: str | None,
    optimizer: str | None,
    norms: str,
    loss: str | None,
    batch: int | None,
    accumulate: int,
    contribution: Path | None = None,
    dynamic: str | None = None,
    update: str = "full",
    file: bool = False,
) -> None:
    """Those of every command that plans. ``file``: the model is that of a ``.tflite`` or ``.onnx`` file."""
    if not file:
        named.read(model, shape)
    elif shape is not None:
        raise InvalidInput("--input", shape, "leave it out: the file says it")
    else:
        named.file(model)
    _layers(update)
    parse_sizes(dynamic)
    # This machine is measured where it is planned for: of its budget only the words are read here.
    limits = Budget(1 << 62) if device == THIS_MACHINE else Budget.of(Device.load(device))
    if budget is not None:
        Budget.parse(budget, limits)
    if optimizer is not None:
        optimizer_name.check(optimizer)
    _one_of("--norms", norms, completion.NORMS)
    if loss is not None:
        _one_of("--loss", loss, completion.LOSSES)
    for field, number in (("--batch", batch), ("--accumulate", accumulate)):
        if number is not None:
            _positive(field, number)
    if contribution is not None:
        Contribution.load(contribution)


def quantising(
    *,
    model: str,
    shape: str | None,
    data: str,
    device: str,
    budget: str | None,
    loss: str | None,
    samples: int,
    weights: str,
    observer: str,
    plot: Path | None,
    out: Path | None,
    form: str,
) -> None:
    """Those of ``selvedge quantise``."""
    _no_file("model", model, "quantised: give file.py:factory, which gives the trained module")
    _on_data(model=model, shape=shape, data=data, device=device, budget=budget, loss=loss)
    _positive("--samples", samples)
    _one_of("--weights", weights, ("int8", "int4"))
    _one_of("--observer", observer, ("minmax", "percentile", "mse"))
    _one_of("--form", form, ("qdq", "operators"))
    if form != "qdq" and (out is None or out.suffix.lower() != ".onnx"):
        raise InvalidInput("--form", form, "it is that of an .onnx file: give --out NAME.onnx")
    if plot is not None:
        place.page(plot)
    if out is not None:
        _out(out, ".tflite", ".onnx")
        if plot is not None and plot.absolute().is_relative_to(out.absolute()):
            raise InvalidInput("--plot", plot, "it lies in --out: name another place")


def searching(
    *, model: str, shape: str | None, data: str, device: str, epochs: int, lr: float, learn: int, judges: int | None,
    keep: int, finalists: int, bits: str, work: Path | None, out: Path | None, plot: Path | None,
) -> None:  # fmt: skip
    """Those of ``selvedge compress``."""
    _no_file("model", model, "searched: give zoo:NAME, or file.py:factory, which gives the trained module")
    named.read(model, shape)
    if device != THIS_MACHINE:
        Device.load(device)
    for part in bits.split(","):
        _one_of("--bits", part, ("float", "int8"))
    for field, number in (("--keep", keep), ("--finalists", finalists), ("--judges", 1 if judges is None else judges)):
        _positive(field, number)
    if learn < 0:
        raise InvalidInput("--learn", learn, "give a whole number, 0 or more")
    _rate("--lr", lr)
    training(data=data, loss=None, epochs=epochs, schedule="cosine", plot=plot, out=out)
    if work is not None:
        place.working_folder("--work", work, "search")


def comparing(
    *,
    model: str,
    shape: str | None,
    data: str,
    device: str,
    budget: str | None,
    loss: str | None,
    epochs: int,
    seeds: int,
    macs: float,
    batch: int,
    lr: float,
    samples: int,
    efficient: str | None,
    work: Path | None,
    plot: Path | None,
    out: Path | None,
) -> None:
    """Those of ``selvedge compare``."""
    for field, spec in (("model", model), ("--efficient", efficient)):
        if spec is not None:
            _no_file(field, spec, "trained: give zoo:NAME, or file.py:factory")
    _on_data(model=model, shape=shape, data=data, device=device, budget=budget, loss=loss)
    if efficient is not None:
        named.read(efficient, None)
    for field, number in (("--epochs", epochs), ("--seeds", seeds), ("--batch", batch), ("--samples", samples)):
        _positive(field, number)
    if not 0 < macs < 1:
        raise InvalidInput("--macs", macs, "give the share of multiplications that stays, as 0.5")
    _rate("--lr", lr)
    if plot is not None:
        place.page(plot)
    if work is not None:
        place.working_folder("--work", work, "comparison")
    if out is not None:
        place.writable_folder("--out", out)


def sparsifying(
    *,
    model: str,
    shape: str | None,
    data: str,
    device: str,
    budget: str | None,
    loss: str | None,
    steps: int,
    epochs: int,
    rate: float,
    for_speed: bool,
    for_bytes: bool,
    work: Path | None,
    out: Path | None,
) -> None:
    """Those of ``selvedge sparsify``; what is said of the zeros themselves, :class:`selvedge.Sparsifier` reads."""
    _no_file("model", model, "pruned: give file.py:factory, which gives the trained module")
    _on_data(model=model, shape=shape, data=data, device=device, budget=budget, loss=loss)
    _positive("--steps", steps)
    if epochs < 0:
        raise InvalidInput("--finetune-epochs", epochs, "give a whole number >= 0")
    if 0 < epochs < steps:
        raise InvalidInput("--steps", steps, f"there are {epochs} epochs to train in: give at most as many steps")
    if not 0 < rate < 1:
        raise InvalidInput("--rate", rate, "give a learning rate above 0 and below 1, as 0.001")
    if work is not None and not epochs:
        raise InvalidInput("--work", work, "it keeps training: give --finetune-epochs, or leave it out")
    if work is not None:
        place.working_folder("--work", work, "sparsifying")
    if for_speed and for_bytes:
        raise InvalidInput("--for-bytes", "given beside --for-speed", "leave one of them out")
    if out is not None:
        _out(out, ".pt")


def training(*, data: str, loss: str | None, epochs: int, schedule: str, plot: Path | None, out: Path | None) -> None:
    """Those of the commands that train, beside them."""
    _targets(data, loss)
    _positive("--epochs", epochs)
    _one_of("--schedule", schedule, completion.SCHEDULES)
    if plot is not None:
        place.page(plot)
    if out is not None:
        place.writable_folder("--out", out)


def living(
    *, stream: str, full: str, queue: int, stalled: float, page: Path | None
) -> Stream:  # fmt: skip
    """Those of ``selvedge live``, and the stream that is named; what is learnt by, ``Settings`` read."""
    found = parse_stream(stream)
    _one_of("--full", full, FULL)
    _positive("--queue", queue)
    if not 0 < stalled < float("inf"):
        raise InvalidInput("--stalled", stalled, "give seconds above 0")
    if page is not None:
        if page.suffix not in (".html", ".htm", ".svg"):
            raise InvalidInput("--page", page, "end it in .html, or in .svg for the first picture alone")
        place.writable("--page", page)
    return found


def federating(*, wish: Wish, out: Path, every: int) -> None:
    """Those of ``selvedge federate simulate`` and ``serve``."""
    _no_file("model", wish.model, "trained: give zoo:NAME, or file.py:factory")
    named.read(wish.model, wish.shape)
    if wish.data:
        _targets(wish.data, wish.loss)
    _one_of("--norms", wish.norms, completion.NORMS)
    _positive("--every", every)
    if wish.batch is not None:
        _positive("--batch", wish.batch)
    if not 0 <= wish.seed < 1 << 32:
        raise InvalidInput("--seed", wish.seed, "give a whole number in 0..4294967295")
    wish.federation()
    wish.bad()
    if wish.split:
        deal.check(wish.split)
        if wish.clients < 0:
            raise InvalidInput("--clients", wish.clients, "give a whole number >= 1")
        if not 0 <= wish.spread < float("inf"):
            raise InvalidInput("--spread", wish.spread, "give a number of 0 or more")
        _rate("--link", wish.link)
    place.working_folder("--out", out, KIND)


def _no_file(field: str, spec: str, what: str) -> None:
    """A network in a file cannot be trained on, nor changed."""
    if spec.endswith((".tflite", ".onnx", ".pt2")):
        raise InvalidInput(field, spec, f"a file is not {what}")


def _on_data(
    *, model: str, shape: str | None, data: str, device: str, budget: str | None, loss: str | None
) -> None:  # fmt: skip
    """Those of every command that makes a smaller network on data."""
    options(
        model=model, shape=shape, device=device, budget=budget, optimizer=None, norms="folded", loss=loss, batch=None,
        accumulate=1,
    )  # fmt: skip
    _targets(data, loss)


def _targets(data: str, loss: str | None) -> None:
    """Data, and a loss that files have targets for."""
    parse(data)
    if loss is not None:
        _one_of("--loss", loss, completion.TRAINED)


def _out(out: Path, *endings: str) -> None:
    """A file that ends in one of ``endings``, or a folder for the device's C."""
    if out.suffix.lower() not in ("", *endings):
        raise InvalidInput("--out", out, f"end it in {' or '.join(endings)}, or name a folder")
    (place.writable if out.suffix else place.writable_folder)("--out", out)


def _layers(update: str) -> None:
    """ "last:K" is of a whole number; how many layers there are, and their names, the model says."""
    count = update.removeprefix("last:")
    if count != update and not (count.isdecimal() and len(count) < 10 and int(count)):
        given = update if len(update) < 40 else f"{update[:36]}..."
        raise InvalidInput("--update", given, "give the number of layers, as last:2")


def _one_of(field: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise InvalidInput(field, value or "empty", f"give one of {', '.join(known)}")


def _rate(field: str, value: float) -> None:
    if not 0 < value < float("inf"):
        raise InvalidInput(field, value, "give a number above 0, as 0.003")


def _positive(field: str, number: int) -> None:
    if number < 1:
        raise InvalidInput(field, number, "give a whole number >= 1")
