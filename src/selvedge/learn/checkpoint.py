"""Where a training stands, in one file that is whole or absent: an .npz, nothing pickled."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..artifact import files
from ..errors import InvalidInput
from ..run.session import Session
from .metrics import Samples

FORMAT = 1
LIMIT = 1 << 32  # bytes: no checkpoint of ours is larger


@dataclass(frozen=True, slots=True)
class Place:
    """A position: ``epoch`` from 0 and ``batch`` within it, both the next to do; ``steps`` done; ``loss_sum`` of this
    epoch's steps so far; ``history``, one entry an epoch; ``best``: its number in the history, or None. ``now``,
    ``top``: what is learnt here, and at the best epoch. The random state of an epoch's order is (seed, epoch)."""

    epoch: int
    batch: int
    steps: int
    loss_sum: float
    history: tuple[Mapping[str, Any], ...]
    best: int | None
    now: Mapping[str, np.ndarray]
    top: Mapping[str, np.ndarray]


def identity(session: Session, data: Samples, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What must be the same for a training to go on: plan and weights, data, settings."""
    some = np.unique(np.linspace(0, len(data) - 1, 64).astype(np.intp))
    x, y = data.take(some)
    seen = hashlib.sha256(np.ascontiguousarray(x).tobytes() + (b"" if y is None else np.ascontiguousarray(y).tobytes()))
    return {
        "plan": session.manifest.digest,
        "model": session.fingerprint(),
        "data": f"{len(data)}:{seen.hexdigest()}",
        **settings,
    }


def save(path: Path, place: Place, of: Mapping[str, Any]) -> None:
    """Write ``place`` as ``path``. A process killed meanwhile leaves the earlier file as it was."""
    about = {
        "format": FORMAT,
        "of": dict(of),
        "epoch": place.epoch,
        "batch": place.batch,
        "steps": place.steps,
        "loss_sum": place.loss_sum,
        "history": [dict(e) for e in place.history],
        "best": place.best,
    }
    arrays = {f"now/{n}": a for n, a in place.now.items()} | {f"top/{n}": a for n, a in place.top.items()}
    with io.BytesIO() as buffer:
        np.savez(buffer, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)  # type: ignore[arg-type]
        files.write(path, buffer.getvalue())


def load(path: Path, of: Mapping[str, Any]) -> Place:
    """The place that :func:`save` wrote for the same training. Raises ``InvalidInput`` for a file that cannot be read,
    and for one of another plan, model, data or setting, which it names."""
    try:
        if path.stat().st_size > LIMIT:
            raise InvalidInput("checkpoint", str(path), "it is larger than 4 GiB: not one of ours")
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {n: archive[n] for n in archive.files}
        about = json.loads(arrays.pop("about").tobytes())
        if about["format"] != FORMAT:
            raise InvalidInput("checkpoint", str(path), f"this version reads format {FORMAT}: train anew")
        was = about["of"]
        place = Place(
            int(about["epoch"]),
            int(about["batch"]),
            int(about["steps"]),
            float(about["loss_sum"]),
            tuple(dict(e) for e in about["history"]),
            None if about["best"] is None else int(about["best"]),
            {n[4:]: a for n, a in arrays.items() if n.startswith("now/")},
            {n[4:]: a for n, a in arrays.items() if n.startswith("top/")},
        )
        known = len(place.history)
        if min(place.epoch, place.batch, place.steps) < 0 or (place.best is not None and not 0 <= place.best < known):
            raise ValueError("its position is out of range")
    except FileNotFoundError:
        raise InvalidInput("checkpoint", str(path), "there is none: leave out --resume to begin") from None
    except InvalidInput:
        raise
    except (OSError, KeyError, TypeError, ValueError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidInput("checkpoint", str(path), f"it cannot be read ({error}): remove it and train anew") from None
    for name in {**was, **of}:
        if was.get(name) != of.get(name):
            here, there = (str(v)[:40] for v in (of.get(name), was.get(name)))
            fix = f"its {name} is {there}, now it is {here}: give the same again, or remove the file to begin anew"
            raise InvalidInput("checkpoint", str(path), fix)
    return place
