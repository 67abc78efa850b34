"""The search: which architecture, at which bits, taught or alone, and what of it learns, under one budget."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...device import Device
from ...device.writing import to_toml
from ...errors import InvalidInput, NotSupported
from ..alone import Alone
from ..interleaved import Timing, interleaved
from ..plan import Plan
from ..store import Piece, State, Store
from . import digest
from .candidate import FLOAT, Candidate
from .compressed import Compressed, Step, beats, marked, ships_best
from .figures import Figures
from .learning import RATES, falling, learnt
from .limits import Limits
from .machine import KIND
from .material import Material, material
from .nothing_fits import Point, excess, nothing_fits
from .request import BITS, Progress, Request
from .score import naswot, ranked, synflow
from .space import Architecture, Space, architectures
from .surest import surest
from .training import Transform, score, train
from .variants import CALIBRATION, Planner, Variant

SECONDS, ROUNDS = 0.2, 300  # of timing, for each of the Pareto set; predictions of each at most


def _silent(part: str, done: int, total: int) -> None:
    pass


def compress(
    model: nn.Module | Space | str | Sequence[nn.Module | Space | str],
    data: Any,
    *,
    who: Any = None,
    judges: int | None = None,
    device: Device | str | None = None,
    budget: Limits | str | None = None,
    teacher: nn.Module | None = None,
    distil: bool = True,
    bits: Sequence[str] = BITS,
    learn: int = 600,
    epochs: int = 30,
    lr: float = 3e-3,
    batch: int = 64,
    augment: Transform | None = None,
    keep: int = 8,
    finalists: int = 3,
    multiple: int = 8,
    folder: str | Path | None = None,
    seed: int = 0,
    on_progress: Progress = _silent,
) -> Compressed:
    """Search for what is most accurate *after it has learned on the device*, and keeps one budget: RAM to run, RAM to
    train, flash, latency, energy.

        found = sv.compress("zoo:ds_cnn?classes=10", (x, y), who=speaker, device=board, budget="run=64KiB")
        print(found)
        module, plan = found.take()
        session = sv.compile(plan)

    model: a trained module (it is pruned to several shares, and teaches), a :class:`Space` of untrained ones,
        "zoo:NAME?options" (the family over its widths, depths and resolutions), or a list of these.
    data: (x, y), x float32 [N, ...], y whole numbers [N]. who: [N], of whom each sample is. ``judges`` people (by
        default a fifth) are kept from training; each candidate learns ``learn`` samples of theirs, in compiled code at
        batch 1 with SGD whose rate falls along a cosine, and is judged on their later ones. Without ``who`` a fifth of
        the samples is in their place.
    device, budget: "run=64KiB,train=128KiB,flash=512KiB,latency=20ms,energy=1mJ,accuracy=0.9", any of them; the rest
        is what the device has. Latency and energy are planned ones of a prediction.
    teacher: by default the trained module that was given, else the space's largest network, trained first. distil:
        whether the finalists are trained with it too, beside alone. bits: of "float" and "int8".
    epochs: of training in all, Adam at ``lr`` along a cosine. augment: (x, generator) -> x, for the training samples.
    keep: architectures that are trained at all; finalists: that are trained to the end. multiple: of widths when a
        module is pruned.
    folder: keeps every piece; the same call goes on behind the last one, whatever ended it, and comes to the same
        result. seed: of everything that is drawn. on_progress: is told (part, done, total), the same again
        at every epoch and person; what it raises ends the search.

    Four steps: every architecture is planned, exactly, and those that cannot keep the budget with even their last layer
    learning are dropped; scores that need no training (NASWOT, SynFlow) drop those that another one beats at no more
    cost; the rest is trained for a third of the epochs and judged after learning; the finalists for all of them.

    Raises :class:`NothingFits` with the closest points and the limit that binds, and :class:`InvalidInput`.
    """
    with _one_thread():
        return _begun(
            Request(
                model, data, who, judges, device, budget, teacher, distil, bits, learn, epochs, lr, batch, augment,
                keep, finalists, multiple, folder, seed, on_progress,
            )
        ).run()  # fmt: skip


def _begun(asked: Request) -> _Search:
    target, wanted = asked.target(), asked.limits()
    limits, seed = wanted.on(target), asked.seed
    given = material(asked.data, asked.who, asked.judges, seed)
    x, y = given.train
    rows = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))[:CALIBRATION]
    space = architectures(asked.model, (x[rows], y[rows]), asked.multiple)
    teacher = asked.module()
    if teacher is not None:
        teacher = copy.deepcopy(teacher).eval()  # the user's own stays in its mode
    changes = None if asked.augment is None else digest.of_augment(asked.augment, x)
    settings = {} if asked.folder is None else {  # the first that differs is told: others follow from it
        "seed": seed, "multiple": asked.multiple, "data": given.digest, "judges": [p.name for p in given.people],
        "device": to_toml(target), "budget": asdict(wanted), "bits": list(asked.bits), "learn": asked.learn,
        "epochs": asked.epochs, "lr": asked.lr, "batch": asked.batch, "keep": asked.keep,
        "finalists": asked.finalists, "distil": asked.distil, "augment": changes,
        "space": {a.name: digest.of_architecture(a, x, seed) for a in space},
        "teacher": None if teacher is None else digest.of_module(teacher, x),
    }  # fmt: skip
    planner = Planner(target, limits, x[:1], x[rows])
    return _Search(asked, space, given, planner, teacher, Store(asked.folder, settings, KIND))


@contextmanager
def _one_thread() -> Iterator[None]:
    """The order of a sum, and so the result, hangs on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass
class _Search:
    """``teacher``: the module that was given for it, if there is one."""

    asked: Request
    space: list[Architecture]
    data: Material
    planner: Planner
    teacher: nn.Module | None
    store: Store
    steps: list[Step] = field(default_factory=list)
    _plans: dict[str, Piece] = field(default_factory=dict)
    _told_last: tuple[str, int, int] | None = None

    @property
    def limits(self) -> Limits:
        return self.planner.limits

    def run(self) -> Compressed:
        fitting = self._planned()
        kept = self._scored(fitting)
        first = self._first(kept)
        candidates = self._final(first)
        if not any(c.fits for c in candidates):
            broken = [(c.name, [*self.limits.broken(c.figures), *self._inaccurate(c)]) for c in candidates]
            raise nothing_fits(broken)
        found = tuple(marked(candidates))
        return Compressed(
            self.planner.device.name, self.limits, found,
            tuple(p.name for p in self.data.people) if self.data.personal else (), self.asked.learn,
            len(self.data.test[1]), self.data.dummy, self._timed([c for c in found if c.best]), tuple(self.steps),
            self.asked.seed, self._made,
        )  # fmt: skip

    # -- the steps ------------------------------------------------------------------------------------------------

    def _planned(self) -> list[tuple[Architecture, Piece]]:
        """What keeps the budget where the last layer alone learns, with its costs."""
        fitting, broken, seconds, refused = [], list[Point](), 0.0, []
        for i, one in enumerate(self.space):
            self._at("planning", i, len(self.space))
            piece = self.store.piece(f"plan {one.name}", partial(self._plan, one))
            seconds += piece["seconds"]
            if "refused" in piece:
                refused.append(f"{one.name}: {piece['refused']}")
            elif piece["bits"]:
                fitting.append((one, piece))
            else:
                broken.append((one.name, [tuple(b) for b in piece["broken"]]))
        if not fitting and not broken:
            raise InvalidInput("model", "refused", refused[0])
        if not fitting:
            raise nothing_fits(broken)
        said = f"{len(fitting)} of {len(self.space)} architectures keep the budget with their last layer learning"
        said += f"; refused: {'; '.join(refused[:2])}" if refused else ""
        self.steps.append(Step("plan", said, seconds))
        return fitting

    def _plan(self, one: Architecture) -> Piece:
        start = time.perf_counter()
        try:
            net = one.built(self.asked.seed).eval()
            self._require(net)
            found, closest = {}, None
            for bits in self.asked.bits:
                try:
                    variant = self.planner.least(net, bits)
                except (NotSupported, InvalidInput):
                    if bits == FLOAT or len(self.asked.bits) == 1:
                        raise
                    continue
                broken = list(self.limits.broken(variant.figures))
                if not broken:
                    found[bits] = variant.figures.to_dict()
                elif closest is None or excess(broken) < excess(closest):
                    closest = broken
            # The least over all bits: what running and learning a little of it costs.
            scores = [naswot(net, self.data.train[0]), synflow(net, self.data.train[0])]
        except (NotSupported, InvalidInput) as error:
            return {"refused": str(error), "seconds": time.perf_counter() - start}
        return {"bits": found, "broken": closest or [], "scores": scores, "seconds": time.perf_counter() - start}

    def _require(self, net: nn.Module) -> None:
        """Raises ``InvalidInput`` where it cannot learn, or does not tell the classes apart."""
        if not any(p.requires_grad for p in net.parameters()):
            raise InvalidInput("network", "without parameters that learn", "give one with some that require gradients")
        shape = _answers(net, self.planner.example)
        if shape is not None and shape[1] < self.data.classes:
            fix = f"the data has {self.data.classes}: make its last layer as wide"
            raise InvalidInput("network", f"of {shape[1]} class{'es' * (shape[1] != 1)}", fix)
        theirs = None if self.teacher is None or not self.asked.distil else _answers(self.teacher, self.planner.example)
        if shape is not None and theirs is not None and theirs != shape:
            fix = f"the network to be taught has {shape[1]}: give one of as many, or distil=False"
            raise InvalidInput("teacher", f"of {theirs[1]} classes", fix)

    def _scored(self, fitting: list[tuple[Architecture, Piece]]) -> list[tuple[Architecture, Piece]]:
        """Those that no other beats in score at no more cost, and of these the ones that rank best."""
        if len(fitting) <= self.asked.keep:
            return fitting
        ranks = ranked([[p["scores"][k] for _, p in fitting] for k in range(2)])
        costs = [_least(p) for _, p in fitting]
        levels = _levels([(r, *(-c for c in cost)) for r, cost in zip(ranks, costs, strict=True)])
        order = sorted(range(len(fitting)), key=lambda i: (levels[i], -ranks[i], fitting[i][0].name))[: self.asked.keep]
        names = ", ".join(fitting[i][0].name for i in sorted(order))
        self.steps.append(Step("score", f"NASWOT and SynFlow keep {len(order)} of {len(fitting)}: {names}", 0.0))
        return [fitting[i] for i in sorted(order)]

    def _first(self, kept: list[tuple[Architecture, Piece]]) -> list[Architecture]:
        """The finalists, by what they have learned, and the one that ships best; nobody is judged where all go on."""
        rows, seconds, diverged = [], 0.0, []
        few = len(kept) <= self.asked.finalists
        for i, (one, plans) in enumerate(kept):
            self._at("training", i, len(kept))
            piece, state = self._trained(one, None, self.asked.begin, None)
            if not piece["epoch"]:
                diverged.append(one.name)
                continue
            found, took = ([], 0.0) if few else self._judged(one, plans, state, False, "a third", few=True)
            rows.append((one, plans, found))
            seconds += piece["seconds"] + took
        if not rows:
            raise InvalidInput(
                "lr", self.asked.course.rate, f"the loss of {diverged[0]} was not finite in epoch 1: lower it"
            )
        if few:
            said = f"{self.asked.begin} epochs each; all go on" + _diverged(diverged)
            self.steps.append(Step("first", said, seconds))
            self._plans = {one.name: plans for one, plans, _ in rows}
            return [one for one, _, _ in rows]
        usable = [r for r in rows if any(c.fits for c in r[2])] or [r for r in rows if r[2]]
        ranked_ = sorted(usable, key=lambda r: (-max(c.learnt for c in r[2] if c.fits or not _any(r[2])), r[0].name))
        chosen = ranked_[: self.asked.finalists]
        ships = max(usable, key=lambda r: (max(c.shipped for c in r[2]), r[0].name))
        if ships not in chosen:
            chosen = [*chosen[: max(1, self.asked.finalists - 1)], ships]
        said = ", ".join(f"{one.name} {max(c.learnt for c in found):.1%}" for one, _, found in chosen)
        said += _diverged(diverged)
        self.steps.append(Step("first", f"{self.asked.begin} epochs each; go on: {said}", seconds))
        self._plans = {one.name: plans for one, plans, _ in chosen}
        return [one for one, _, _ in chosen]

    def _final(self, chosen: list[Architecture]) -> list[Candidate]:
        candidates: list[Candidate] = []
        seconds, rest = 0.0, self.asked.rest
        alone: dict[str, float] = {}
        states: dict[tuple[str, bool], State] = {}
        for i, one in enumerate(chosen):
            self._at("finalists", i, len(chosen))
            piece, state = self._finished(one, None, rest)
            found, took = self._judged(one, self._plans[one.name], state, False, "alone")
            candidates += found
            states[one.name, False] = state
            alone[one.name] = piece["accuracy"]
            seconds += piece["seconds"] + took
        self.steps.append(Step("finalists", f"{rest} epochs more each, alone", seconds))
        if self.asked.distil:
            teacher, cost, accuracy = self._teacher()
            gains, seconds = [], cost
            for i, one in enumerate(chosen):
                self._at("taught", i, len(chosen))
                piece, state = self._finished(one, teacher, rest)
                found, took = self._judged(one, self._plans[one.name], state, True, "taught")
                candidates += found
                states[one.name, True] = state
                gains.append(f"{one.name} {100 * (piece['accuracy'] - alone[one.name]):+.1f}")
                seconds += piece["seconds"] + took
            said = f"teacher {accuracy:.1%} as shipped; points gained as shipped: {', '.join(gains)}"
            self.steps.append(Step("taught", said, seconds))
        self._told(candidates)
        top = ships_best(candidates, self.limits)
        one = next(a for a in chosen if a.name == top.architecture)
        return candidates + self._beyond(one, states[one.name, top.taught], top.taught, candidates)

    def _told(self, candidates: list[Candidate]) -> None:
        """What bits and learning gave, of the finalists."""
        fit = [c for c in candidates if c.fits]
        for bits in self.asked.bits:
            own = [c for c in fit if c.bits == bits]
            if own:
                top = surest(own, len(self.data.test[1]))  # as the whole search takes it
                self.steps.append(
                    Step(bits, f"best {top.learnt:.1%} after learning, {top.shipped:.1%} as shipped: {top.name}", 0.0)
                )

    def _at(self, part: str, done: int, total: int) -> None:
        self._told_last = (part, done, total)
        self.asked.on_progress(part, done, total)

    def _still(self) -> None:
        """Tells the same again while one piece is made: who listens may want to end it."""
        if self._told_last is not None:
            self.asked.on_progress(*self._told_last)

    # -- pieces -----------------------------------------------------------------------------------------------------

    def _trained(
        self, one: Architecture, teacher: nn.Module | None, epochs: int, begin: State | None, key: str = "first"
    ) -> tuple[Piece, State]:
        def make() -> tuple[Piece, State]:
            start = time.perf_counter()
            net = one.built(self.asked.seed)
            if begin is not None:
                net.load_state_dict(begin)
            piece: Piece = dict(train(net, self.data, teacher, epochs, self.asked.course, self.asked.seed, self._still))
            piece["seconds"] = time.perf_counter() - start
            return piece, {n: t.detach().clone() for n, t in net.state_dict().items()}

        return self.store.trained(f"{key} {one.name}", make)

    def _finished(self, one: Architecture, teacher: nn.Module | None, rest: int) -> tuple[Piece, State]:
        _, begin = self._trained(one, None, self.asked.begin, None)
        return self._trained(one, teacher, rest, begin, "alone" if teacher is None else "taught")

    def _teacher(self) -> tuple[nn.Module, float, float]:
        """The module, seconds that it took, and its accuracy on the people's tests."""
        if self.teacher is not None:
            return self.teacher, 0.0, score(self.teacher, self.data.test)[0]
        largest = max(self.space, key=lambda a: (_parameters(a.built(self.asked.seed)), a.name))
        piece, state = self._trained(largest, None, self.asked.epochs, None, "teacher")
        module = largest.built(self.asked.seed)
        module.load_state_dict(state)
        if not piece["epoch"]:
            fix = f"the loss of the teacher, {largest.name}, was not finite in epoch 1: lower it, or distil=False"
            raise InvalidInput("lr", self.asked.course.rate, fix)
        return module.eval(), piece["seconds"], piece["accuracy"]

    def _judged(
        self, one: Architecture, plans: Piece, state: State, taught: bool, key: str, few: bool = False
    ) -> tuple[list[Candidate], float]:
        """Every variant of a trained network, before and behind learning; seconds that it took."""

        def make() -> Piece:
            start = time.perf_counter()
            net = self._loaded(one, state)
            found = []
            for bits in plans["bits"]:
                for variant in self.planner.variants(net, bits, few):
                    found.append(self._candidate(one, variant, taught).to_dict())
            return {"candidates": found, "seconds": time.perf_counter() - start}

        piece = self.store.piece(f"judged {one.name}, {key}", make)
        return [Candidate.from_dict(c) for c in piece["candidates"]], piece["seconds"]

    def _beyond(self, one: Architecture, state: State, taught: bool, judged: list[Candidate]) -> list[Candidate]:
        """Of the network that ships best also what is too much to run, for those who ask what its best adaptation
        is."""
        own = [c for c in judged if (c.architecture, c.taught) == (one.name, taught)]
        known = {(c.bits, c.tail, c.update, c.bounded) for c in own}

        def make() -> Piece:
            net = self._loaded(one, state)
            more = [
                self._candidate(one, v, taught).to_dict()
                for bits in self._plans[one.name]["bits"]
                for v in self.planner.variants(net, bits, beyond=True)
                if (v.bits, v.tail, v.update, v.bounded) not in known
            ]
            return {"candidates": more}

        piece = self.store.piece(f"judged {one.name}, {'taught' if taught else 'alone'}, beyond", make)
        return [Candidate.from_dict(c) for c in piece["candidates"]]

    def _candidate(self, one: Architecture, variant: Variant, taught: bool) -> Candidate:
        found = learnt(variant.plan, self.data, self.asked.learn, self.asked.seed, self._still)
        made = Candidate(
            one.name, one.options, variant.bits, variant.tail, variant.update, variant.bounded, taught, variant.figures,
            found.shipped, found.learnt, found.brier, found.each, found.rate, False,
        )  # fmt: skip
        return replace(made, fits=not [*self.limits.broken(made.figures), *self._inaccurate(made)])

    def _inaccurate(self, c: Candidate) -> list[tuple[str, float, float]]:
        least = self.limits.accuracy
        return [] if least is None or c.learnt >= least else [("accuracy", c.learnt, least)]

    def _timed(self, pareto: list[Candidate]) -> dict[str, Timing]:
        """Of a prediction on this machine, all in turn, by the name of the candidate. It decides nothing."""

        def make() -> Piece:
            calls = []
            for i, candidate in enumerate(pareto):
                self._at("timing", i, len(pareto))
                calls.append(Alone.of(self._made(candidate)[1]).again(self.planner.example.numpy()))
            found = interleaved(calls, most=ROUNDS, seconds=SECONDS * len(calls))
            return {c.name: asdict(t) for c, t in zip(pareto, found, strict=True)}

        return {name: Timing(**t) for name, t in self.store.piece("timed", make).items()}

    def _loaded(self, one: Architecture, state: State) -> nn.Module:
        net = one.built(self.asked.seed)
        net.load_state_dict(state)
        return net.eval()

    def _made(self, candidate: Candidate) -> tuple[nn.Module, Plan]:
        one = next((a for a in self.space if a.name == candidate.architecture), None)
        if one is None:
            raise InvalidInput("candidate", candidate.name, "it is of another search: give one of .candidates")
        with _one_thread():
            teacher = self._teacher()[0] if candidate.taught else None
            _, state = self._finished(one, teacher, self.asked.rest)
            net = self._loaded(one, state)
            module = self.planner.module(net, candidate.bits, candidate.tail)
            way = candidate.bits, candidate.update, candidate.bounded
            return module, self.planner.plan(module, *way, falling(candidate.rate or RATES[0], self.asked.learn))


def _answers(net: nn.Module, x: torch.Tensor) -> torch.Size | None:
    """Shape of its logits; None where it gives none: capturing says why."""
    try:
        with torch.no_grad():
            found = net(x)
    except Exception:
        return None
    return found.shape if isinstance(found, torch.Tensor) and found.dim() == 2 else None


def _diverged(names: Sequence[str]) -> str:
    return f"; diverged at this lr: {', '.join(names)}" if names else ""


def _any(found: list[Candidate]) -> bool:
    return any(c.fits for c in found)


def _parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def _least(piece: Piece) -> tuple[float, ...]:
    """The least that any bits take, of each cost."""
    each = [Figures(**f).costs() for f in piece["bits"].values()]
    return tuple(min(float(c[k] or 0.0) for c in each) for k in each[0])


def _levels(points: list[tuple[float, ...]]) -> list[int]:
    """How many fronts have to go before each point is beaten by none (non-dominated sorting)."""
    level, left, at = [0] * len(points), set(range(len(points))), 0
    while left:
        front = {i for i in left if not any(beats(points[j], points[i]) for j in left)}
        for i in front:
            level[i] = at
        left -= front
        at += 1
    return level
