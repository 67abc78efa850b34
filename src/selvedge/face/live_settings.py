"""What a life is of: all that decides what is learnt, as it is kept beside the journal. Loads no torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..artifact import files
from ..device.sizes import parse_bytes
from ..errors import InvalidInput
from ..learn.drift.registry import detector
from ..learn.habits import Habits
from ..learn.memory.named import codec
from ..learn.memory.policies import policy
from ..learn.stream.spec import parse
from ..learn.watch import WATCHED
from ..make.begun import about

KIND = "life"  # of a working folder


@dataclass(frozen=True, slots=True)
class Settings:
    """``model``: the artifact's folder, as absolute, or how the model was named. ``budget``, ``memory``, ``held_out``:
    bytes, 0 for none. ``rate``: 0 for the plan's. ``anchor``: a stream, "" for none. ``detectors``: as "error=adwin".
    ``joules_*``: 0 for none."""

    model: str
    budget: int = 0
    memory: int = 16 << 10
    codec: str = "raw"
    policy: str = "balanced"
    held_out: int = 0
    anchor: str = ""
    margin: float = 0.01
    detectors: tuple[str, ...] = ()
    drift: str = "more"
    every: int = 8
    steps: int = 4
    rate: float | Literal["auto"] = 0.0
    joules_a_day: float = 0.0
    joules_a_step: float = 0.0
    joules_a_prediction: float = 0.0
    only_charging: bool = False
    labels: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises ``InvalidInput`` for what cannot be, before anything is loaded."""
        self.habits()
        codec(self.codec, np.dtype(np.float32))
        policy(self.policy)
        if not 0 < self.margin <= 1:
            raise InvalidInput("--margin", self.margin, "give a fraction of the accuracy, as 0.01")
        if self.memory < 1:
            raise InvalidInput("--memory", self.memory, "give the bytes of earlier samples, as 16KiB")
        for text in self.detectors:
            watched, equals, name = text.partition("=")
            if not equals or watched not in WATCHED:
                raise InvalidInput("--detector", text, f"give one as error=adwin; it watches {', '.join(WATCHED)}")
            detector(name)
        for name in ("joules_a_day", "joules_a_step", "joules_a_prediction"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InvalidInput(f"--{name.replace('_', '-')}", getattr(self, name), "give joules, 0 or more")
        if not self.joules_a_day and (self.joules_a_step or self.joules_a_prediction or self.only_charging):
            raise InvalidInput("--joules-a-day", "missing", "it is what the other options of energy are of: give it")

    def habits(self) -> Habits:
        return Habits(every=self.every, steps=self.steps, rate=self.rate or None, drift=self.drift)


def size(field: str, text: str | None) -> int:
    """Bytes of an option; 0 where it is not given. Raises ``InvalidInput``, also for 0, which is not the same."""
    found = 0 if text is None else parse_bytes(text, field)
    if text is not None and not found:
        raise InvalidInput(field, text, "give bytes above 0, or leave it out")
    return found


def amount(field: str, value: float | None) -> float:
    """The same of a number."""
    if value is not None and not 0 < value < float("inf"):
        raise InvalidInput(field, value, "give a number above 0, or leave it out")
    return value or 0.0


def rate_of(field: str, text: str | None) -> float | Literal["auto"]:
    """The same of a rate, which may be found on the device: "auto"."""
    if text == "auto":
        return "auto"
    try:
        return amount(field, None if text is None else float(text))
    except ValueError:
        raise InvalidInput(field, text, "give a number above 0, or auto; or leave it out") from None


def anchor_of(text: str | None) -> str:
    """The same of an anchor: a stream of samples that are there, its place as absolute; "" where it is not given."""
    if text is None:
        return ""
    found = parse(text, "--anchor")
    if found.kind not in ("table", "arrays", "files", "lines") or found.place == "-" or "watch" in found.options:
        raise InvalidInput("--anchor", text, "give samples that are there: a .csv, .npz, .npy or .jsonl, or a folder")
    paths = {key: str(Path(value).resolve()) if key == "y" else value for key, value in found.options.items()}
    told = ",".join(f"{key}={value}" for key, value in paths.items())
    return str(Path(found.place).resolve()) + (f":{told}" if told else "")


@dataclass(frozen=True, slots=True)
class Kept:
    """``of``: the fingerprint of the model, "" before it is known. ``joules``: of an update, 0: not known."""

    settings: Settings
    of: str
    joules: float


def keep(folder: Path, life: Kept) -> None:
    """Write it as what ``folder`` is of."""
    made = {**asdict(life.settings), "of": life.of, "joules": life.joules}
    files.write(about(folder, KIND), (json.dumps(made, indent=1) + "\n").encode())


def kept(folder: Path) -> Kept:
    """What :func:`keep` wrote. Raises ``FileNotFoundError`` where nothing was, and ``InvalidInput`` where the folder is
    of something else."""
    path = about(folder, KIND)
    try:
        given: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        of, joules = str(given.pop("of")), float(given.pop("joules"))
        odd = set(given) ^ {f.name for f in fields(Settings)}
        if odd:
            raise ValueError(f"field {sorted(odd)[0]}")
        made: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in given.items()}
        settings = Settings(**made)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidInput("folder", str(folder), f"its {path.name} cannot be read ({error})") from None
    return Kept(settings, of, joules)


def life_in(folder: Path) -> Kept:
    """As :func:`kept`. Raises ``InvalidInput`` where nothing lives."""
    try:
        return kept(folder)
    except (FileNotFoundError, NotADirectoryError):
        fix = "nothing has lived there: name what was --work of selvedge live"
        raise InvalidInput("folder", str(folder), fix) from None


def require_same(folder: Path, now: Settings) -> None:
    """Raises ``InvalidInput`` where a life was begun in ``folder`` with other settings."""
    was = kept(folder).settings
    for field in fields(Settings):
        before, here = (str(getattr(s, field.name)) or "none" for s in (was, now))
        if before != here:
            fix = f"its {field.name.replace('_', ' ')} was {before}, now it is {here}: give the same, or another folder"
            raise InvalidInput("--work", str(folder), fix)
