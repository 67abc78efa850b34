"""The session of ``selvedge live``: an artifact's; or one planned here, and kept in the working folder."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..errors import InvalidInput
from ..run.artifact import load_native
from ..run.session import Session
from .live_settings import Kept, Settings, keep, kept, require_same
from .living import MODEL


@dataclass(frozen=True, slots=True)
class Wish:
    """How a model is planned where it is no artifact yet."""

    device: str
    batch: int | None
    optimizer: str
    update: str
    loss: str | None
    shape: str | None
    seed: int


def artifact(model: str) -> Path | None:
    """The artifact's folder that ``model`` names; None where it names something else. Raises ``InvalidInput`` for a
    folder that is none."""
    if not model or "\0" in model or not os.path.isdir(model):
        return None
    if not (Path(model) / "manifest.json").is_file():
        fix = "it holds no manifest.json: name a folder that train, compile or plan --out has written"
        raise InvalidInput("model", model, fix)
    return Path(model)


def session_of(
    folder: Path | None, wish: Wish, settings: Settings, work: Path | None, debug: bool
) -> tuple[Session, float]:
    """The session, and the joules of its step (0: not known). In ``work`` it is seen that the life is of the same
    model and settings; where none was begun there, it is written what it is of. Raises ``SelvedgeError``."""
    before = None
    with contextlib.suppress(FileNotFoundError):
        if work is not None:
            before = kept(work)
            require_same(work, settings)
    joules = settings.joules_a_step
    if folder is not None:
        session = load_native(folder)
    elif work is not None and (work / MODEL / "manifest.json").is_file() and before is not None:
        session, joules = load_native(work / MODEL), before.joules
    else:
        if work is not None:
            keep(work, Kept(settings, "", 0.0))
        with tempfile.TemporaryDirectory() as place:
            out = Path(place) / MODEL if work is None else work / MODEL
            joules = _planned(settings.model, wish, out, debug) or joules
            session = load_native(out)
    if work is not None:
        if before is not None and before.of and before.of != session.fingerprint():
            raise InvalidInput("--work", str(work), "the model has other weights, or another plan, than when it began")
        if before is None or not before.of:
            keep(work, Kept(settings, session.fingerprint(), settings.joules_a_step or joules))
    if settings.joules_a_day and not (settings.joules_a_step or joules):
        fix = "neither artifact nor device tells the joules of an update: measure one, and give them"
        raise InvalidInput("--joules-a-step", "missing", fix)
    return session, settings.joules_a_step or joules


def _planned(spec: str, wish: Wish, out: Path, debug: bool) -> float | None:
    """Plan the model and write its artifact; the joules of a step, where the device's profile has figures."""
    from ..device import Device
    from ..make.compile import emit
    from ..make.plan import plan
    from . import model as models
    from . import optimizer
    from .held import held
    from .progress import working

    with working("planning") as work, held(debug):
        named = models.load(spec, wish.shape, wish.seed)
        made = plan(
            named.model,
            named.example,
            loss=wish.loss or named.loss or "cross_entropy",
            device=Device.load(wish.device),
            optimizer=optimizer.parse(wish.optimizer),
            update=wish.update,
            batch=wish.batch,
            name=named.name,
            on_progress=lambda plans: work.at(plans, f"{plans} made"),
        )
        emit(made, "c", out)
    found = made.to_dict()["joules_per_step"]
    return None if found is None else float(found)
