"""Networks of one seed on their way: each trained once, kept, and read back by what builds on it."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from ...compressing.distil import Distil, Logits
from ...compressing.prune import Pruner, Width, Widths
from ...compressing.qat import QAT
from ...compressing.quantised import Quantised
from ...errors import NotSupported, SelvedgeError
from ..store import Store
from .bodies import narrowed
from .learn import Learnt, Step, learn
from .losses import loss_of, output
from .parts import Parts
from .ways import DISTILLED, EFFICIENT, NARROW, PRUNED, WHOLE
from .ways import QAT as IN_TRAINING

CUTS = 3  # of a pruned network
LATE = 1 / 3  # of the first half's rate is the second half's
Tell = Callable[[str], None]
Factory = Callable[[int], nn.Module]


@dataclass(frozen=True, slots=True)
class Terms:
    """How all of them are trained: the same for each. ``epochs``: of each way. ``macs``: the share of multiplications
    that pruned and narrow networks keep. ``samples``: that set int8 ranges and rank channels, at most. ``trained``: the
    model is already. ``batch``, ``lr``: of Adam. ``multiple``: of widths."""

    loss: str
    epochs: int
    macs: float
    trained: bool
    batch: int
    lr: float
    samples: int
    multiple: int


@dataclass(frozen=True, slots=True)
class Stage:
    """A network and its training. ``best``, ``last``: at the epoch that validation data chose, and at the last one.
    ``epoch``: that one, counted from 1 over all epochs of the way; 0 where there were none. ``name``: of what is kept;
    "" where nothing was trained."""

    name: str
    best: nn.Module
    last: nn.Module
    epoch: int


@dataclass(frozen=True, slots=True)
class Integers:
    """The same of a network that was trained with fake quantisation. ``after``: the stages it was made of. ``floats``:
    its architecture in float32. ``seconds``: of processor time, its own training."""

    best: Quantised
    last: Quantised
    epoch: int
    after: tuple[str, ...]
    floats: nn.Module
    seconds: float


class Stages:
    """Every stage of one ``seed``, made when it is asked for and kept in ``store``; a refusal is kept too, and raised
    again. factories: architecture ("float", "efficient") -> from a seed a new module of it. tell: is told what is
    being trained."""

    def __init__(
        self, factories: Mapping[str, Factory], parts: Parts, terms: Terms, store: Store, seed: int, tell: Tell
    ) -> None:
        self.factories, self.parts, self.terms = factories, parts, terms
        self.store, self.seed, self.tell = store, seed, tell
        self.example = torch.from_numpy(parts.train.x[:2])
        self._loss = loss_of(terms.loss)

    def given(self) -> Stage:
        """The model as it came."""
        model = self.factories[WHOLE](self.seed).eval()
        return Stage("", model, model, 0)

    def finished(self, body: str, taught: bool) -> Stage:
        """A float network at its end."""
        name = _named(body, taught)
        return self._read(name, body) or self._made(name, self._sources(body, taught), self._finish, body)

    def quantised(self, body: str, taught: bool) -> Integers:
        """A network that learns over its last epochs in the steps that it will have. It is not kept: what is measured
        of it is."""
        sources = self._sources(body, taught)
        start = time.process_time()
        net, teacher = copy.deepcopy(sources[0].last), _teacher(sources)
        name, (epochs, first) = f"{_named(body, taught)}+{IN_TRAINING}", self._second_half(body)
        if body == PRUNED:
            early = epochs // 2
            net = self._pruned(name, net, teacher, early).last
            epochs, first = epochs - early, first + early
        x, _ = self.parts.some(self.terms.samples, self.seed)
        qat = QAT(net.eval(), x)
        # The integers and not a state of the simulation: its scales are behind the weights by a step.
        found = self._learn(name, qat, teacher, qat.convert, epochs, LATE, 9)
        took = time.process_time() - start
        return Integers(found.best, found.last, first + found.epoch, _names(sources), net, took)

    def seconds(self, names: Sequence[str]) -> float:
        """Of processor time, that these kept stages and all that they were built on took, each once."""
        todo, seen, total = list(names), set[str](), 0.0
        while todo:
            name = todo.pop()
            facts = None if name in seen else self.store.get(self._piece(name))
            seen.add(name)
            if facts is not None:
                total += facts["seconds"]
                todo += facts["after"]
        return total

    def _sources(self, body: str, taught: bool) -> list[Stage]:
        """Where the second half of a way begins, and the teacher where it has one."""
        if body in (WHOLE, PRUNED):
            start = self.given() if self.terms.trained else self._half(WHOLE, False)
        else:
            start = self._half(body, taught)
        return [start, *self._teachers(taught)]

    def _half(self, body: str, taught: bool) -> Stage:
        """A float network that has had the first half of its epochs."""
        name = f"half~{_named(body, taught)}"
        return self._read(name, body) or self._made(name, self._teachers(taught), self._begin, body)

    def _teachers(self, taught: bool) -> list[Stage]:
        """The model as it is, at its chosen epoch."""
        if taught and self.terms.loss != "cross_entropy":
            raise NotSupported(f"a teacher under {self.terms.loss}", "", "only cross_entropy has classes to soften")
        return [self.finished(WHOLE, False)] if taught else []

    def _begin(self, name: str, body: str, sources: list[Stage]) -> tuple[Learnt[nn.Module], int]:
        teacher = sources[0] if sources else None
        return self._trained(name, self._new(body), teacher, self.terms.epochs // 2, 1.0, 1), 0

    def _finish(self, name: str, body: str, sources: list[Stage]) -> tuple[Learnt[nn.Module], int]:
        net, teacher = copy.deepcopy(sources[0].last), _teacher(sources)
        epochs, first = self._second_half(body)
        if body == PRUNED:
            return self._pruned(name, net, teacher, epochs), first + epochs - _divided(epochs)[-1]
        return self._trained(name, net, teacher, epochs, LATE, 2), first

    def _second_half(self, body: str) -> tuple[int, int]:
        """(epochs, those before): a model that came trained has all of them here."""
        done = 0 if self.terms.trained and body in (WHOLE, PRUNED) else self.terms.epochs // 2
        return self.terms.epochs - done, done

    def _new(self, body: str) -> nn.Module:
        """An untrained network."""
        if body != NARROW:
            return self.factories[body](self.seed)
        whole = self.factories[WHOLE](self.seed).eval()
        return narrowed(whole, self.example, self.terms.macs, self.terms.multiple, self.seed)

    def _pruned(self, name: str, net: nn.Module, teacher: Stage | None, epochs: int) -> Learnt[nn.Module]:
        """Cuts with training behind each; what is learnt behind the last."""
        compare, terms = self._loss, self.terms
        pruner = Pruner(
            net.eval(), self.example, {"macs": terms.macs}, steps=CUTS, schedule="cubic", criterion="taylor",
            data=self.parts.some(terms.samples, self.seed), loss=lambda m, x, y: compare(output(m, x), y),
            multiple=terms.multiple, seed=self.seed,
        )  # fmt: skip
        found = None
        for i, count in enumerate(_divided(epochs)):
            pruner.step()
            found = self._trained(name, pruner.model, teacher, count, LATE, 3 + i)
        assert found is not None
        return found

    def _trained(
        self, name: str, net: nn.Module, teacher: Stage | None, epochs: int, rate: float, phase: int
    ) -> Learnt[nn.Module]:
        return self._learn(name, net, teacher, lambda: copy.deepcopy(net).eval(), epochs, rate, phase)

    def _learn(
        self, name: str, net: nn.Module, teacher: Stage | None, keep: Callable[[], Any], epochs: int, rate: float,
        phase: int,
    ) -> Learnt[Any]:  # fmt: skip
        terms = self.terms

        def tell(epoch: int) -> None:
            self.tell(f"{name.removeprefix('half~')}, seed {self.seed}, epoch {epoch + 1} of {epochs}")

        with TemporaryDirectory() as folder:
            step = self._taught(net, teacher.best, folder) if teacher is not None and epochs else self._plain(net)
            return learn(
                net, self.parts, terms.loss, step, keep, epochs=epochs, rate=rate * terms.lr, batch=terms.batch,
                seed=self.seed, phase=phase, tell=tell,
            )  # fmt: skip

    def _plain(self, net: nn.Module) -> Step:
        return lambda x, y, rows: self._loss(output(net, x), y)

    def _taught(self, net: nn.Module, teacher: nn.Module, folder: str) -> Step:
        x = torch.from_numpy(self.parts.train.x)
        made = Distil(net, teacher, [Logits()], example=x[:4], seed=self.seed)
        made.cache(f"{folder}/answers", x, dtype="float32")
        return lambda x, y, rows: made.loss(x, y, index=rows)

    def _piece(self, name: str) -> str:
        return f"stage {name} {self.seed}"

    def _read(self, name: str, body: str) -> Stage | None:
        """Stage ``name`` where it is kept. Raises what it was refused with."""
        facts = self.store.get(self._piece(name))
        if facts is None:
            return None
        if facts["refused"]:
            raise SelvedgeError(facts["refused"])
        state = self.store.state(self._piece(name))
        if state is None:
            return None
        widths = Widths({n: Width(**row) for n, row in facts["widths"].items()})
        nets: dict[str, nn.Module] = {}
        for part in ("best", "last")[: 1 if facts["same"] else 2]:
            net = self.factories[EFFICIENT if body == EFFICIENT else WHOLE](self.seed)
            widths.apply(net)
            net.load_state_dict({n.removeprefix(f"{part}/"): t for n, t in state.items() if n.startswith(f"{part}/")})
            nets[part] = net.eval()
        return Stage(name, nets["best"], nets.get("last", nets["best"]), facts["epoch"])

    def _made(
        self, name: str, sources: list[Stage],
        make: Callable[[str, str, list[Stage]], tuple[Learnt[nn.Module], int]], body: str,
    ) -> Stage:  # fmt: skip
        """Stage ``name``, made and kept; so is that it is refused."""
        start = time.process_time()
        after = list(_names(sources))
        try:
            found, first = make(name, body, sources)
        except SelvedgeError as error:
            facts = {"refused": str(error), "seconds": time.process_time() - start, "after": after}
            self.store.put(self._piece(name), facts)
            raise
        same = found.best is found.last
        pairs = (("best", found.best), ("last", found.last))[: 1 if same else 2]
        state = {f"{part}/{n}": t for part, net in pairs for n, t in net.state_dict().items()}
        epoch = first + found.epoch if found.epoch else 0
        widths = {n: asdict(w) for n, w in Widths.of(found.best).layers.items()}
        facts = {"refused": "", "seconds": time.process_time() - start, "after": after, "epoch": epoch,
                 "same": same, "widths": widths}  # fmt: skip
        self.store.put(self._piece(name), facts, state)
        return Stage(name, found.best, found.last, epoch)


def _named(body: str, taught: bool) -> str:
    return f"{body}+{DISTILLED}" if taught else body


def _names(sources: Sequence[Stage]) -> tuple[str, ...]:
    return tuple(s.name for s in sources if s.name)


def _teacher(sources: Sequence[Stage]) -> Stage | None:
    """Behind the start, where there is one."""
    return sources[1] if len(sources) > 1 else None


def _divided(epochs: int) -> list[int]:
    """Epochs behind each cut: the last has no fewer than those before it."""
    marks = [epochs * i // CUTS for i in range(CUTS + 1)]
    return [b - a for a, b in pairwise(marks)]
