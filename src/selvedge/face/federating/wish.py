"""What a run is of: all that decides what is learnt, read before anything is loaded, and kept beside the journal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

from ...artifact import files
from ...errors import InvalidInput
from ...federate.aggregate.optimizer import ServerOptimizer
from ...federate.federation import Federation
from ...federate.grid.faults import Faults
from ...federate.local import Local
from ...federate.masked import Masked
from ...federate.privacy.accountant import Accountant, noise_for
from ...federate.privacy.settings import Privacy
from ...make.begun import about
from ..spoken import spoken

KIND = "federation"  # of a working folder
USUAL = 10  # answers that a round of a simulation goes by, or all
PROMISED = ("epsilon", "delta", "clip", "noise", "rate", "examples", "colluders")  # numbers of --privacy
LATER = ("masked", "privacy")  # what a folder of before there were such runs does not have
FAULTS = ("drop", "duplicate", "corrupt", "delay", "crash", "liars", "strength", "late")
OPTIONS = {  # the library's fields as the command line has them
    "run name": "--name", "clients": "--per-round", "local epochs": "--epochs", "local rate": "--lr",
    "local mu": "--mu", "local scaffold": "--scaffold", "scaffold": "--scaffold", "robust share": "--rule",
    "robust liars": "--rule", "robust keep": "--rule", "robust": "--rule", "devices": "--clients",
    "server optimizer": "--server-optimizer", "server rate": "--server-optimizer rate",
    "server momentum": "--server-optimizer momentum", "server beta2": "--server-optimizer beta2",
    "server tau": "--server-optimizer tau", "speed": "--spread", "codec": "--codec",
    **{f"masked {name}": f"--masked {name}" for name in ("bits", "group", "members", "threshold", "covered", "stage")},
    **{f"privacy {name}": f"--privacy {name}" for name in (*PROMISED, "where", "unit")},
    "privacy": "--privacy", "budget epsilon": "--privacy epsilon", "budget delta": "--privacy delta",
    "epsilon": "--privacy epsilon", "delta": "--privacy delta", "rate": "--privacy rate",
    **{f"{name} with masked": f"{option} with --masked" for name, option in (
        ("up", "--codec"), ("mode", "--mode"), ("rule", "--rule"), ("scaffold", "--scaffold"),
        ("clients", "--per-round"), ("privacy", "--privacy"),
    )},
    **{name: f"--{name}" for name in ("rounds", "least", "deadline", "patience", "over", "seed", "rule", "mode",
                                      "down", "bound", "fade")},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wish:
    """As the command line has it. ``devices``: profiles, as NAME or NAME=MODEL. ``per_round``: 0 for :data:`USUAL`, or
    all. ``clients``, ``split``, ``faults``, ``spread``, ``link``: of a simulation."""

    model: str
    data: str
    devices: tuple[str, ...]
    rounds: int
    per_round: int
    name: str = "federation"
    codec: str = "float32"
    down: str = "float32"
    difference: bool = False
    rule: str = "mean"
    mode: str = "rounds"
    over: float = 1.0
    least: int = 1
    deadline: float = 600.0
    patience: int = 3
    epochs: int = 1
    lr: float = 0.05
    mu: float = 0.0
    scaffold: bool = False
    server_optimizer: str = "sgd"
    batch: int | None = None
    norms: str = "frozen"
    loss: str | None = None
    shape: str | None = None
    seed: int = 0
    clients: int = 0
    split: str = ""
    faults: str = ""
    spread: float = 0.0
    link: float = 1e5
    masked: str = ""
    privacy: str = ""

    def federation(self, devices: int = USUAL) -> Federation:
        """Of so many devices. Raises ``InvalidInput`` in the words of the command line."""
        with asked():
            rule, robust = _rule(self.rule)
            return Federation(
                self.name, self.rounds, self.per_round or min(USUAL, devices), mode=cast(Any, self.mode),
                over=self.over, least=self.least,
                deadline=self.deadline, patience=self.patience, up=self.codec, down=self.down,
                difference=self.difference, rule=cast(Any, rule), robust=robust,
                optimizer=_optimizer(self.server_optimizer), seed=self.seed,
                local=Local(self.epochs, self.lr, self.mu, self.scaffold), masked=_masked(self.masked),
                privacy=_privacy(self.privacy, self.rounds),
            )  # fmt: skip

    def bad(self) -> Faults:
        """Raises ``InvalidInput``."""
        given: dict[str, Any] = dict(_pairs("--faults", self.faults, FAULTS))
        if any(not 0 <= v < float("inf") for v in given.values()):
            raise InvalidInput("--faults", self.faults, "give numbers of 0 or more")
        with spoken({f"fault {name}": f"--faults {name}" for name in given}):
            return Faults(**given)


@contextmanager
def asked() -> Iterator[None]:
    """Refusals of the library in the words of the command line."""
    with spoken(OPTIONS):
        yield


def _rule(text: str) -> tuple[str, Mapping[str, Any]]:
    """``mean``, ``median``, ``trimmed:SHARE``, ``krum:LIARS`` or ``krum:LIARS:KEEP``."""
    name, *given = text.split(":")
    try:
        if name == "trimmed" and len(given) == 1:
            return name, {"share": float(given[0])}
        if name == "krum" and 1 <= len(given) <= 2:
            return name, dict(zip(("liars", "keep"), map(int, given), strict=False))
    except ValueError:
        pass
    if name in ("mean", "median") and not given:
        return name, {}
    raise InvalidInput("--rule", text or "empty", "give mean, median, trimmed:SHARE, as trimmed:0.2, or krum:LIARS")


def _optimizer(text: str) -> ServerOptimizer:
    """``KIND``, or ``KIND:rate=0.1,momentum=0.9``."""
    kind, _, rest = text.partition(":")
    return ServerOptimizer(cast(Any, kind), **_pairs("--server-optimizer", rest, ("rate", "momentum", "beta2", "tau")))


def _masked(text: str) -> Masked | None:
    """``""``, ``BITS``, or ``bits=4,group=64,members=8,threshold=two-thirds,covered=3,stage=60``."""
    if not text:
        return None
    pairs = [f"bits={text}"] if text.isdigit() else text.split(",")
    numbers = [pair for pair in pairs if not pair.startswith("threshold=")]
    found = _pairs("--masked", ",".join(numbers), ("bits", "group", "members", "covered", "stage"), "4")
    given: dict[str, Any] = {n: int(v) if n != "stage" and v % 1 == 0 else v for n, v in found.items()}
    for pair in set(pairs) - set(numbers):
        given["threshold"] = pair.partition("=")[2]
    return Masked(**given)


def _privacy(text: str, rounds: int) -> Privacy | None:
    """``""``, or ``epsilon=8,delta=1e-3,clip=1``, with ``where=local``, ``unit=example`` and other numbers. Without
    ``noise``, as little as lets so many rounds be within the budget."""
    if not text:
        return None
    pairs = text.split(",")
    words = [pair for pair in pairs if pair.startswith(("where=", "unit="))]
    given: dict[str, Any] = {n: v for n, _, v in (pair.partition("=") for pair in words)}
    if len(given) < len(words):
        raise InvalidInput("--privacy", text, "give where and unit once each")
    found = _pairs("--privacy", ",".join(pair for pair in pairs if pair not in words), PROMISED, "8")
    for name in ("epsilon", "delta", "clip"):
        if name not in found:
            raise InvalidInput(f"--privacy {name}", "missing", "give --privacy epsilon=8,delta=1e-3,clip=1")
    given |= {n: int(v) if n in ("examples", "colluders") and v % 1 == 0 else v for n, v in found.items()}
    if "noise" in found:
        made = Privacy(**given)
        if made.unit == "device" and not made.budget.allows(Accountant(), made.release()):
            fix = f"one round by it tells more than epsilon {made.epsilon:g}: give more, or leave noise out"
            raise InvalidInput("--privacy noise", made.noise, fix)
        return made
    if given.get("unit") == "example":
        fix = "of examples there is noise in each step, and how many these are is each device's: give it"
        raise InvalidInput("--privacy noise", "missing", fix)
    made = Privacy(**{**given, "noise": 1.0})
    noise = noise_for(made.epsilon, made.delta, rounds, made.rate or 1.0) * made.sensitivity / made.clip
    # A sum of members' noise is a little further from what it is accounted as.
    return replace(made, noise=noise * (1.001 if made.where == "distributed" else 1.0))


def has_lots(text: str) -> bool:
    """Whether a round of such ``--privacy`` goes by the clock, whoever is there."""
    return any(pair.startswith("rate=") for pair in text.split(","))


def needed(per_round: int, masked: str, privacy: str) -> int:
    """Devices that a round of ``serve`` waits for, where it is not said: more than half of those that are to be in it,
    and of a masked run as many as make a group, for a round of fewer can give no sum and yet counts where noise is a
    budget's. One where a round goes by the clock."""
    if has_lots(privacy):
        return 1
    found = _masked(masked)
    return max(per_round // 2 + 1, 1 if found is None else min(found.fewest, per_round))


def _pairs(field: str, text: str, known: tuple[str, ...], such: str = "0.1") -> dict[str, float]:
    found: dict[str, float] = {}
    for pair in filter(None, text.split(",")):
        key, equals, value = pair.partition("=")
        if not equals or key not in known or key in found:
            raise InvalidInput(field, pair, f"give each once, as {known[0]}={such}, of {', '.join(known)}")
        try:
            found[key] = float(value)
        except ValueError:
            raise InvalidInput(f"{field} {key}", value or "empty", "give a number") from None
    return found


def keep(folder: Path, wish: Wish) -> None:
    """Write it as what ``folder`` is of: once it can begin, for then another line is refused there. Raises
    ``InvalidInput``."""
    if not kept(folder, wish):
        files.write(about(folder, KIND), (json.dumps(asdict(wish), indent=1) + "\n").encode())


def kept(folder: Path, wish: Wish) -> bool:
    """Whether a run was begun in ``folder``. Raises ``InvalidInput`` for another one, which names the first option that
    differs."""
    path = about(folder, KIND)
    try:
        was = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        raise InvalidInput("--out", str(folder), f"its {path.name} cannot be read ({error})") from None
    now = json.loads(json.dumps(asdict(wish)))
    for f in fields(Wish):
        had = was.get(f.name, "" if f.name in LATER else None)
        if had != now[f.name]:
            before, here = ("none" if v in (None, "", []) else v for v in (had, now[f.name]))
            told = f"its {f.name.replace('_', ' ')} was {before}, now it is {here}"
            raise InvalidInput("--out", str(folder), f"a run was begun there; {told}: give the same, or another folder")
    return True
