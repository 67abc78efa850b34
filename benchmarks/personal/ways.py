"""Ways for a character model to know its owner; all judged in bits a character on text that none has seen."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import selvedge as sv
from selvedge.zoo.char_gru import CharGRU

from .speakers import LENGTH, Owner, Tokens, windows

EPOCHS = 4
RATES = (3e-4, 1e-3, 3e-3)  # of momentum
ADAM_RATES = (3e-5, 1e-4, 3e-4)
READING_RATES = (1e-3, 3e-3, 1e-2)  # of momentum, in one pass
DEVICE = "raspberry-pi-4"
UPDATES = ("last:1", "full")
SYMBOLS = 65  # distinct characters of the plays
PUBLIC_EPOCHS, PUBLIC_BATCH, PUBLIC_RATE = 8, 32, 4e-3
NATS_TO_BITS = 1 / math.log(2)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Bits a character on the owner's test text: at the epoch and rate that are best on validation text, and at that
    rate's last epoch. arena: bytes of the step; None where no plan of ours was run."""

    best: float
    last: float
    epoch: int
    rate: float
    arena: int | None


def trained(text: Tokens, validation: Tokens, symbols: int, seed: int) -> nn.Module:
    """A network taught on ``text`` with Adam and a cosine; the weights of its best epoch on ``validation``."""
    torch.manual_seed(seed)
    model = CharGRU(symbols)
    optimizer = torch.optim.Adam(model.parameters(), PUBLIC_RATE)
    rng = np.random.default_rng(seed)
    steps = len(text) // (PUBLIC_BATCH * LENGTH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, PUBLIC_EPOCHS * steps)
    best, kept = math.inf, copy.deepcopy(model.state_dict())
    for _ in range(PUBLIC_EPOCHS):
        for _ in range(steps):
            at = rng.integers(0, len(text) - LENGTH - 1, PUBLIC_BATCH)
            both = torch.from_numpy(np.stack([text[i : i + LENGTH + 1] for i in at])).long()
            optimizer.zero_grad()
            F.cross_entropy(model(both[:, :-1]), both[:, 1:]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        now = bits(predictor(model), validation)
        if now < best:
            best, kept = now, copy.deepcopy(model.state_dict())
    model.load_state_dict(kept)
    return model.eval()


def predictor(model: nn.Module) -> Callable[[Tokens], np.ndarray]:
    def predict(x: Tokens) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(model(torch.from_numpy(np.ascontiguousarray(x)).long()).numpy())

    return predict


def bits(predict: Callable[[Tokens], np.ndarray], text: Tokens, batch: int = 256) -> float:
    """Mean -log2 of what the model gave each character, windows from an empty state each."""
    x, y = windows(text)
    total = 0.0
    for i in range(0, len(x), batch):
        logits = torch.from_numpy(np.asarray(predict(x[i : i + batch]), np.float64))
        total += float(F.cross_entropy(logits, torch.from_numpy(y[i : i + batch]).long(), reduction="sum"))
    return total / y.size * NATS_TO_BITS


def guessing(public: Tokens, text: Tokens, symbols: int) -> float:
    """The frequencies of the public text's characters, whatever came before: bits a character."""
    share = (np.bincount(public, minlength=symbols) + 1) / (len(public) + symbols)
    return float(-np.log2(share[windows(text)[1]]).mean())


def on_device(model: nn.Module, owner: Owner, seed: int) -> Iterator[tuple[str, Outcome]]:
    """(what learns, outcome): native code, windows one by one, SGD with momentum and a clipped gradient."""
    for update in UPDATES:
        plan = planned(model, update)
        session = sv.compile(plan)
        start = session.snapshot()
        found = [_epochs(session, start, owner, seed, rate) for rate in RATES]
        yield update, _chosen(found, RATES, plan.arena_bytes)


def planned(model: nn.Module, update: str) -> sv.Plan:
    """A step of one window."""
    return sv.plan(
        model, torch.zeros(1, LENGTH, dtype=torch.int32), loss="cross_entropy", device=DEVICE, update=update,
        optimizer=sv.SGD(lr=RATES[0], momentum=0.9, clip_norm=1.0),
    )  # fmt: skip


def _epochs(
    session: sv.Session, start: Mapping[str, np.ndarray], owner: Owner, seed: int, rate: float
) -> list[tuple[float, float]]:
    """(bits on validation text, on test text) before learning and after each epoch."""
    session.restore(start, 0)
    x, y = windows(owner.train)
    rates = sv.Cosine(rate, EPOCHS * len(x))

    def predict(batch: Tokens) -> np.ndarray:
        return np.concatenate([session.predict(batch[i : i + 1]) for i in range(len(batch))])

    found = [(bits(predict, owner.validation), bits(predict, owner.test))]
    for epoch in range(EPOCHS):
        for i in np.random.default_rng([seed, epoch]).permutation(len(x)):
            session.step(x[i : i + 1], y[i : i + 1], lr=rates.lr(session.steps))
        found.append((bits(predict, owner.validation), bits(predict, owner.test)))
    return found


def reading(model: nn.Module, owner: Owner) -> Iterator[tuple[str, Outcome]]:
    """(what learns, outcome): each window is told first and learned from then, once, in the order it was spoken, and
    nothing is kept: the owner's text for learning, for choosing and for judging is one stream, of which only the last
    part is counted. The rate is that of the fewest bits on the part for choosing."""
    for update in UPDATES:
        plan = planned(model, update)
        session = sv.compile(plan)
        start = session.snapshot()
        found = [_told(session, start, owner, rate) for rate in READING_RATES]
        at = min(range(len(found)), key=lambda i: found[i][0])
        yield update, Outcome(found[at][1], found[at][1], 1, READING_RATES[at], plan.arena_bytes)


def _told(session: sv.Session, start: Mapping[str, np.ndarray], owner: Owner, rate: float) -> tuple[float, float]:
    """(bits on validation text, on test text) of windows told before they are learned from."""
    session.restore(start, 0)
    found = []
    for text in (owner.train, owner.validation, owner.test):
        total, (x, y) = 0.0, windows(text)
        for i in range(len(x)):
            logits = torch.from_numpy(np.asarray(session.predict(x[i : i + 1]), np.float64))
            total += float(F.cross_entropy(logits, torch.from_numpy(y[i : i + 1]).long(), reduction="sum"))
            session.step(x[i : i + 1], y[i : i + 1], lr=rate)
        found.append(total / y.size * NATS_TO_BITS)
    return found[1], found[2]


def in_pytorch(model: nn.Module, owner: Owner, seed: int) -> Outcome:
    """The whole network fine-tuned on the same windows by PyTorch's Adam, without a limit: what the device gives up."""
    x, y = (torch.from_numpy(np.ascontiguousarray(part)).long() for part in windows(owner.train))
    runs = []
    for rate in ADAM_RATES:
        own = copy.deepcopy(model).train()
        optimizer = torch.optim.Adam(own.parameters(), rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * len(x))
        found = [(bits(predictor(own), owner.validation), bits(predictor(own), owner.test))]
        for epoch in range(EPOCHS):
            for i in np.random.default_rng([seed, epoch]).permutation(len(x)):
                optimizer.zero_grad()
                F.cross_entropy(own(x[i : i + 1]), y[i : i + 1]).backward()
                nn.utils.clip_grad_norm_(own.parameters(), 1.0)
                optimizer.step()
                schedule.step()
            found.append((bits(predictor(own), owner.validation), bits(predictor(own), owner.test)))
        runs.append(found)
    return _chosen(runs, ADAM_RATES, None)


def _chosen(runs: list[list[tuple[float, float]]], rates: tuple[float, ...], arena: int | None) -> Outcome:
    """By validation text: the rate, and of its epochs the best, the one before learning among them."""
    at = min(range(len(runs)), key=lambda i: min(v for v, _ in runs[i]))
    epoch = min(range(len(runs[at])), key=lambda e: runs[at][e][0])
    return Outcome(runs[at][epoch][1], runs[at][-1][1], epoch, rates[at], arena)
