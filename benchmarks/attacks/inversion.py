"""What an attacker makes of each thing that a server sees, over several victims, beside guesses that need no attack."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from selvedge.federate.privacy.randomness import Keystream

from . import analytic, imprint, likeness, matching, seen, victims
from .victims import SIDE, Shard

Array = npt.NDArray[Any]
NOISE = (0.01, 0.03, 0.1, 1.0)
FEW = ("seeded:0.25+int4", "top:0.03+int4")
SUMS = (8, 20, 64)
MODELS = ("begun", "learnt", "made to tell")


@dataclass(frozen=True, slots=True)
class View:
    """One thing that a server sees, of ``devices`` with ``each`` examples. form: "sum", or "masked", which is the input
    of one of them. noise: on the sum, as a multiple of the clip; model: which of :data:`MODELS` the server sent."""

    devices: int = 1
    each: int = 1
    epochs: int = 1
    up: str = "float32"
    noise: float | None = None
    form: str = "sum"
    model: str = "begun"

    @property
    def name(self) -> str:
        if self.form == "masked":
            return f"one device's masked input, of {self.devices}"
        who = "one device" if self.devices == 1 else f"sum of {self.devices}"
        what = "1 example" if self.each == 1 else f"{self.each} examples"
        more = ["" if self.epochs == 1 else f"{self.epochs} epochs", "" if self.up == "float32" else self.up]
        more += ["" if self.model == "begun" else f"a model {self.model}"]
        more += ["" if self.noise is None else f"noise {self.noise:g}"]
        return ", ".join([who, what, *filter(None, more)])


DENSE = (
    View(), View(model="learnt"), View(each=8), View(each=32, epochs=5), *(View(up=up) for up in FEW),
    View(8, form="masked"), *(View(n) for n in SUMS), View(8, 32, 5),
    *(View(noise=z) for z in NOISE), View(8, noise=1.0),
    View(64, model="made to tell"), View(64, model="made to tell", noise=1.0),
)  # fmt: skip
CONV = (
    View(), View(each=4), *(View(up=up) for up in FEW), View(8, form="masked"), *(View(n) for n in SUMS),
    *(View(noise=z) for z in NOISE[:3]),
)  # fmt: skip
VIEWS = {"dense": DENSE, "conv": CONV}
WIDE = 8  # examples of a step, where a device has several
THROUGH = 20  # devices of a sum, of which one goes through both sides of the protocol in every case


@dataclass
class Row:
    """Over victims: of the attacker's one guess beside the true picture that it is most like, and the share of true
    ones that any candidate is. labels: the share of them that the last bias tells. dummies: of guesses that need
    no attack, correlations, and labels of equal counts."""

    view: View
    correlation: list[float] = field(default_factory=list)
    psnr: list[float] = field(default_factory=list)
    ssim: list[float] = field(default_factory=list)
    found: list[float] = field(default_factory=list)
    labels: list[float] = field(default_factory=list)
    dummies: dict[str, list[float]] = field(default_factory=lambda: {"mean": [], "digit": [], "labels": []})
    pictures: list[tuple[Array, Array]] = field(default_factory=list)  # (nearest true one, guess)

    def add(self, made: Array, true: Array, draw: np.random.Generator) -> None:
        """made: candidates [n, SIDE, SIDE]; true: [m, SIDE, SIDE]."""
        blank = np.zeros((SIDE, SIDE))
        guess = np.clip(made[analytic.chosen(made)], 0, 1) if len(made) else blank
        near = true[likeness.nearest(guess, true)]
        self.correlation.append(likeness.correlation(guess, near))
        self.psnr.append(likeness.psnr(guess, near))
        self.ssim.append(likeness.ssim(guess, near))
        self.found.append(likeness.found(made, true))
        x, _ = victims.public()
        for name, dummy in (("mean", x.mean(0)), ("digit", x[draw.integers(len(x))])):
            self.dummies[name].append(float(likeness.correlations(dummy[None], true).max()))
        self.pictures.append((near, guess))

    def plain(self, pictures: bool) -> dict[str, Any]:
        """For JSON."""
        made: dict[str, Any] = {"seen": self.view.name, "devices": self.view.devices, "noise": self.view.noise}
        for name in ("correlation", "psnr", "ssim", "found", "labels"):
            made[name] = [round(v, 4) for v in getattr(self, name)]
        made["dummies"] = {name: [round(v, 4) for v in values] for name, values in self.dummies.items()}
        if pictures:
            made["pictures"] = [[_packed(near), _packed(guess)] for near, guess in self.pictures]
        return made


def rows(
    kind: str, seed: int, count: int, views: Sequence[View] | None = None, steps: int = matching.STEPS
) -> list[Row]:
    """``count`` victims, or sums of victims, of each view; a sum has the one device's example among its own."""
    made = []
    for number, view in enumerate(VIEWS[kind] if views is None else views):
        draw = np.random.default_rng([71, seed])  # the same first victims in every view
        row = Row(view)
        first = victims.drawn(count, 1, draw)
        others = victims.drawn(count * view.devices, view.each, draw)
        guesses = np.random.default_rng([72, seed, number])
        for i, (change, shards) in enumerate(_changes(kind, view, seed, count, first, others)):
            true, told = (np.concatenate(part) for part in zip(*shards, strict=True))
            steps_taken = view.epochs * -(-view.each // _batch(view))
            gradient = {n: -a / (victims.RATE * steps_taken) for n, a in victims.layout(kind).arrays(change).items()}
            read = matching.labels(gradient[list(gradient)[-1]], len(told))
            blind = guesses.permutation(victims.CLASSES)[np.arange(len(told)) % victims.CLASSES]
            row.labels.append(_shared(read, told))
            row.dummies["labels"].append(_shared(blind, told))
            row.add(_attacked(kind, view, gradient, told, seed * 1000 + i, steps), true, guesses)
        made.append(row)
    return made


def _changes(
    kind: str, view: View, seed: int, count: int, first: list[Shard], others: list[Shard]
) -> list[tuple[Array, list[Shard]]]:
    """What is seen, float [size], and whose it is."""
    shards = list(others)
    for i, (x, y) in enumerate(first):
        own = shards[i * view.devices]
        shards[i * view.devices] = (np.concatenate([x, own[0][1:]]), np.concatenate([y, own[1][1:]]))
    batch = _batch(view)
    begin = _begun(kind, view.model, seed)
    changes = victims.changes(kind, begin, shards, batch, up=view.up, epochs=view.epochs, seed=seed)
    found = []
    for i in range(count):
        part = slice(i * view.devices, (i + 1) * view.devices)
        found.append((_seen(view, changes[part], i, seed), shards[part]))
    return found


def _seen(view: View, changes: Array, i: int, seed: int) -> Array:
    if view.form == "masked":
        return seen.masked(changes).input
    if view.noise is not None:
        return seen.noised(changes, view.noise, Keystream(f"inversion {seed} {i} {view.noise}".encode()))
    if view.devices == 1:
        return changes[0]
    total = seen.mean(changes)
    if i == 0 and view.devices <= THROUGH:
        np.testing.assert_array_equal(seen.masked(changes).mean, total)
    return total


def _begun(kind: str, model: str, seed: int) -> dict[str, Array]:
    if model == "made to tell":
        return imprint.weights(victims.HIDDEN, victims.public()[0], victims.CLASSES)
    net = victims.net(kind, seed)
    return victims.state(victims.learnt(net) if model == "learnt" else net)


def _attacked(kind: str, view: View, gradient: dict[str, Array], told: Array, seed: int, steps: int) -> Array:
    """Candidates, [n, SIDE, SIDE]. told: the labels, which the search is given, as its authors give them."""
    if kind == "conv":
        net = victims.net(kind, seed // 1000)
        return matching.matched(net, list(gradient.values()), np.sort(told).astype(np.int64), SIDE, seed, steps)
    weight, bias = gradient["0.weight"], gradient["0.bias"]
    if view.model == "made to tell":
        return imprint.candidates(weight, bias).reshape(-1, SIDE, SIDE)
    made = analytic.single(weight) if len(told) == 1 else analytic.candidates(weight, bias)
    return made.reshape(-1, SIDE, SIDE)


def _batch(view: View) -> int:
    """Examples of a step."""
    return 1 if view.each == 1 else min(view.each, WIDE)


def _shared(labels: Array, told: Array) -> float:
    """The share of ``told`` that is among ``labels``, as often."""
    each = [np.bincount(some, minlength=victims.CLASSES) for some in (labels, told)]
    return float(np.minimum(*each).sum() / len(told))


def _packed(picture: Array) -> str:
    return base64.b64encode(np.rint(picture * 255).astype(np.uint8).tobytes()).decode()


def unpacked(text: str) -> npt.NDArray[np.uint8]:
    """uint8 [SIDE, SIDE]."""
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(SIDE, SIDE)
