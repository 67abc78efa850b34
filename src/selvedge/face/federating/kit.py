"""What devices of a kind are given by the server: the native code of their own plan, and the model as it begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...capture.optimizer import SGD
from ...device import Device
from ...federate.invitation import MODEL
from ...make.compile import HostSession, emit
from ...make.compile import compile as compile_plan
from ...make.plan import Plan
from ...make.plan import plan as make_plan
from .. import model as models
from ..held import held
from ..job import prepare
from ..progress import Work
from .beginning import check
from .judging import Judge
from .kind import Kind
from .place import DEVICES
from .planning import plans
from .wish import Wish, asked, keep


@dataclass(frozen=True, slots=True)
class Kit:
    """``folder``: to be copied to such devices. ``session``: the server's own, of the same plan."""

    kind: Kind
    folder: Path
    plan: Plan
    session: HostSession


def kits(
    wish: Wish, of: Sequence[Kind], out: Path, debug: bool, silent: bool
) -> tuple[list[Kit], Judge | None, tuple[str, ...]]:  # fmt: skip
    """The kits, in ``out``/devices, what judges the model (None: no data), and notes. An artifact that was written
    there before stays as devices have it. Raises ``SelvedgeError``."""
    with Work(silent) as work, held(debug):
        judge, notes = None, tuple[str, ...]()
        if wish.data:
            job = prepare(wish.model, wish.data, wish.shape, wish.loss, wish.seed, work)
            made, judge, notes = plans(wish, of, job, work), Judge(job.data), job.notes()
        else:
            work.part("planning")
            made = [_plan(wish, kind) for kind in of]
        work.part("compiling")
        sessions = [compile_plan(plan) for plan in made]
        with asked():
            settings = wish.federation()
        check(settings, of, sessions)
        keep(out, wish)
        found = []
        for kind, plan, session in zip(of, made, sessions, strict=True):
            folder = out / DEVICES / kind.name
            if not (folder / MODEL / "manifest.json").is_file():
                emit(plan, "c", folder / MODEL)
            found.append(Kit(kind, folder, plan, session))
    return found, judge, notes


def _plan(wish: Wish, kind: Kind) -> Plan:
    """Of a server without samples: the model's own example says what it takes."""
    named = models.load(kind.model or wish.model, wish.shape, wish.seed)
    return make_plan(
        named.model, named.example, loss=wish.loss or named.loss or "cross_entropy", device=Device.load(kind.profile),
        optimizer=SGD(lr=wish.lr), norms=wish.norms, batch=wish.batch, name=named.name,
    )  # fmt: skip
