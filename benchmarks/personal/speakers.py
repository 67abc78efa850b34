"""The plays by speaker: ten owners, whose speeches stay with them, and the public text of everyone else."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..auto.sources import FOLDER

OWNERS = 10
LENGTH = 64  # characters a window
Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Owner:
    """Speeches in the order of the plays: the first 60 % to learn, 20 % to choose by, the last 20 % to be judged by."""

    name: str
    train: Tokens
    validation: Tokens
    test: Tokens


@dataclass(frozen=True, slots=True)
class Plays:
    """``public``: what the other speakers say, the last 5 % of it apart. ``symbols``: distinct characters."""

    symbols: int
    public: Tokens
    public_validation: Tokens
    owners: tuple[Owner, ...]


def absent() -> str | None:
    """The folder, if it is not there."""
    folder = FOLDER / "tinyshakespeare"
    return None if folder.is_dir() else str(folder)


@lru_cache(maxsize=1)
def plays() -> Plays:
    """The owners are the ten who speak most."""
    text = gzip.decompress((FOLDER / "tinyshakespeare" / "input.txt.gz").read_bytes()).decode("ascii")
    code = {character: i for i, character in enumerate(sorted(set(text)))}
    speeches: dict[str, list[Tokens]] = {}
    order: list[tuple[str, Tokens]] = []
    for block in text.split("\n\n"):
        name, colon, said = block.strip("\n").partition(":\n")
        if colon and "\n" not in name:
            tokens = np.array([code[c] for c in said + "\n\n"], np.int32)
            speeches.setdefault(name, []).append(tokens)
            order.append((name, tokens))
    most = sorted(speeches, key=lambda n: (-sum(map(len, speeches[n])), n))[:OWNERS]
    public = np.concatenate([tokens for name, tokens in order if name not in most])
    cut = len(public) * 95 // 100
    owners = []
    for name in most:
        own = np.concatenate(speeches[name])
        first, second = len(own) * 60 // 100, len(own) * 80 // 100
        owners.append(Owner(name, own[:first], own[first:second], own[second:]))
    return Plays(len(code), public[:cut], public[cut:], tuple(owners))


def windows(text: Tokens, length: int = LENGTH) -> tuple[Tokens, Tokens]:
    """Characters [n, length] and the one after each [n, length]: one window after the other, the rest left out."""
    n = (len(text) - 1) // length
    return text[: n * length].reshape(n, length), text[1 : n * length + 1].reshape(n, length)
