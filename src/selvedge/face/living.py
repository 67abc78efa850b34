"""The work of ``selvedge live``: an artifact, a stream, and a learner between them. No torch but where a model is
planned here."""

from __future__ import annotations

import contextlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..artifact import files
from ..artifact.features import Features
from ..artifact.sound import face as shape_of
from ..data.archive import npz
from ..device.sizes import format_bytes
from ..errors import DoesNotFit, InvalidInput
from ..learn.course import Point
from ..learn.drift.registry import detector
from ..learn.energy.clock import SystemClock
from ..learn.energy.governor import Governor, Variant
from ..learn.energy.linux import PowerSupply, ThermalZones
from ..learn.energy.senses import Moment, look
from ..learn.guard.anchor import Anchor
from ..learn.journal.journal import LEAST, Journal
from ..learn.learner import Learner
from ..learn.live import Live, Round
from ..learn.memory.replay import Replay
from ..learn.stream.faults import Faults
from ..learn.stream.feed import Feed
from ..learn.stream.sample import Face, Sample
from ..learn.stream.spec import Stream, parse, source
from ..run.artifact import load_native
from ..run.session import Session
from .figures import joules, percent
from .live_settings import Settings, life_in

NOTES = 32  # that are shown at the end
MODEL, JOURNAL, DIARY = "model", "journal", "diary.jsonl"  # in a working folder
RECORDS = 256 << 10  # bytes for the calls since a snapshot, at least


@dataclass(frozen=True, slots=True)
class Flow:
    """How a stream is read: what decides nothing of what is learnt."""

    queue: int = 64
    full: str = "block"
    stalled: float = 30.0
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Lived:
    """How it stands at the end: of the stream, or of this stretch of it."""

    points: tuple[Point, ...]
    bytes: dict[str, int]
    flash: dict[str, int]
    budget: int
    tally: dict[str, float]
    diary: tuple[tuple[int, str, str], ...]
    notes: tuple[str, ...]
    joules: float | None
    classes: bool
    interrupted: bool

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        return {
            "ended": "interrupted" if self.interrupted else "stream",
            **self.tally,
            "accuracy": self.accuracy,
            "loss": self.points[-1].loss if self.points else None,
            "ram": self.bytes,
            "ram_total": sum(self.bytes.values()),
            "flash": self.flash,
            "joules": self.joules,
            "notes": list(self.notes),
        }

    @property
    def accuracy(self) -> float | None:
        """Of all samples, each predicted before it was learnt from."""
        return self.points[-1].merit if self.points and self.classes else None

    def __str__(self) -> str:
        total, t = sum(self.bytes.values()), self.tally
        lines = [f"{t['seen']:,.0f} samples learnt from, {t['commits']:,.0f} commits, {t['steps']:,.0f} updates"]
        if self.points:
            last = self.points[-1]
            right = f"{percent(last.merit)} right, lately {percent(last.lately)}; " if self.classes else ""
            lines.append(f"served: {right}loss lately {last.loss:.4g}")
        of = f" of {format_bytes(self.budget)}" if self.budget else ""
        parts = ", ".join(f"{name} {format_bytes(n)}" for name, n in sorted(self.bytes.items(), key=lambda p: -p[1]))
        lines.append(f"RAM {format_bytes(total)}{of}: {parts}")
        if self.joules is not None:
            lines.append(f"energy of the last day: {joules(self.joules)}")
        lines += self.notes
        lines += [f"  sample {sample:,}: {kind}: {why}" for sample, kind, why in self.diary[-5:]]
        return "\n".join(lines)


def opened(settings: Settings, session: Session, journal: Journal | None, step: float) -> Live:
    """The learner that ``settings`` describe, gone on from what the journal has. ``step``: joules of an update.

    Raises ``SelvedgeError``.
    """
    manifest, face = session.manifest, facing(session, settings)
    memory = Replay(
        settings.memory,
        face.shape,
        face.dtype,
        classes=max(1, manifest.classes),
        seed=settings.seed,
        codec=settings.codec,
        policy=settings.policy,
    )
    held = None
    if settings.held_out:
        held = Replay(settings.held_out, face.shape, face.dtype, classes=max(1, manifest.classes), seed=settings.seed)
    governor = None
    if settings.joules_a_day:
        governor = Governor(
            settings.joules_a_day, [Variant("plan", step)],
            predict_joules=settings.joules_a_prediction, only_charging=settings.only_charging,
        )  # fmt: skip
    spare = face.labels if 0 < len(face.labels) < manifest.classes else None
    learner = Learner(
        session, memory=memory, held_out=held, anchor=_anchor(settings, face, manifest.features),
        habits=settings.habits(),
        detectors={t.partition("=")[0]: detector(t.partition("=")[2]) for t in settings.detectors},
        labels=spare, seed=settings.seed,
    )  # fmt: skip
    life = Live(learner, journal, governor, now=_looking(governor is not None))
    total = sum(life.bytes.values())
    if settings.budget and total > settings.budget:
        largest = sorted(life.bytes.items(), key=lambda part: -part[1])[:3]
        parts = ", ".join(f"{name} ({size:,} B)" for name, size in largest)
        raise DoesNotFit("RAM of the learner", total, settings.budget, f"make one of these smaller: {parts}")
    return life


def facing(session: Session, settings: Settings) -> Face:
    """What of a stream the session takes."""
    manifest = session.manifest
    dtype = np.dtype(np.float32 if manifest.preprocess is None else np.uint8)
    labels = settings.labels or manifest.labels
    if manifest.labels and labels != manifest.labels:
        raise InvalidInput("--stream labels", "+".join(labels), f"the model has its own: {', '.join(manifest.labels)}")
    if len(labels) > manifest.classes:
        raise InvalidInput("--stream labels", "+".join(labels), f"the model has {manifest.classes} outputs")
    return Face(shape_of(manifest.programs["predict"].inputs["x"])[1:], dtype, labels, manifest.classes)


def live(
    session: Session, settings: Settings, step: float, stream: Stream, flow: Flow, work: Path | None, *,
    stop: Callable[[], bool], on_round: Callable[[Live, Round], None], on_note: Callable[[str], None],
) -> Lived:  # fmt: skip
    """Live on ``stream`` until it ends or ``stop()``. step: joules of an update. Raises ``SelvedgeError``."""
    with contextlib.ExitStack() as stack:
        journal = None if work is None else stack.enter_context(Journal(work / JOURNAL, _limit(settings, session)))
        life = opened(settings, session, journal, step)
        notes: deque[str] = deque(maxlen=NOTES)

        def note(line: str) -> None:
            notes.append(line)
            on_note(line)

        if life.recovered:
            note(f"went on from {work}: {life.recovered:,} calls behind the last snapshot were done again")
        # Of what cannot be used the diary says nothing: it is read ahead, and again after a kill.
        faults = Faults(note, flow.strict)
        given = source(stream, facing(session, settings), session.manifest.features, faults)
        given.seek(life.position)

        def tell(line: str) -> None:
            note(line)
            life.tell("stream", line)
            life.flush()

        def rounded(made: Round) -> None:
            if made.entries and work is not None:
                write_diary(work, life)
            on_round(life, made)

        came = _Came()
        feed = Feed(given, size=flow.queue, full=flow.full, stalled=flow.stalled, tell=tell, stop=stop)
        with feed:
            life.run(came.counted(feed), on_round=rounded)
        interrupted = stop()
        if interrupted:
            life.snapshot()
        else:
            made = life.finish()
            if made is not None:
                rounded(made)
        if work is not None:
            write_diary(work, life)
        for count, what in (
            (faults.count, "samples could not be used"), (faults.missing, "rows had missing values"),
            (feed.dropped, "samples were dropped, the queue being full"), (life.repeated, "samples came again"),
        ):  # fmt: skip
            if count:
                notes.append(f"{count:,} {what}")
        notes.extend(came.told(life, stream))
        return _lived(life, settings, tuple(notes), interrupted)


class _Came:
    """How many samples a stream gave, and how many of them without a class."""

    def __init__(self) -> None:
        self._samples = self._nameless = 0

    def counted(self, feed: Iterable[Sample]) -> Iterator[Sample]:
        for sample in feed:
            self._samples += 1
            self._nameless += sample.y is None
            yield sample

    def told(self, life: Live, stream: Stream) -> Iterator[str]:
        """Why there may have been nothing to learn from."""
        if not self._samples:
            behind = f" behind sample {life.position - 1:,}, the last there was" if life.position else ""
            yield f"no sample came{behind}"
        elif life.learner.labelled and self._nameless:
            fix = "; label= names the column of it" if stream.kind == "table" and "label" not in stream.options else ""
            yield f"{self._nameless:,} of {self._samples:,} samples had no class, and were only predicted{fix}"


def write_diary(work: Path, life: Live) -> None:
    """As lines of JSON, which ``selvedge live log`` reads."""
    files.write(work / DIARY, "".join(f"{entry.line()}\n" for entry in life.learner.diary).encode())


def read_diary(work: Path) -> list[tuple[int, str, str]]:
    """(sample, kind, why), the oldest first. Raises ``InvalidInput`` for a folder without one."""
    life_in(work)
    try:
        lines = (work / DIARY).read_text(encoding="utf-8").splitlines()
        return [(int(s), str(k), str(w)) for s, k, w in map(json.loads, lines)]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInput("folder", str(work), f"its {DIARY} cannot be read ({error})") from None


def export(work: Path, out: Path) -> tuple[int, int]:
    """Write what predicts now under PyTorch's names, as an .npz; how many arrays, and bytes of numbers. Raises
    ``InvalidInput`` where another process lives there."""
    life = life_in(work)
    own = work / MODEL
    session = load_native(own if (own / "manifest.json").is_file() else life.settings.model)
    with Journal(work / JOURNAL, _limit(life.settings, session)) as journal:
        opened(life.settings, session, journal, life.joules)
    state = {name: np.asarray(array) for name, array in session.state_dict().items()}
    files.write(out, npz(state))
    return len(state), sum(array.nbytes for array in state.values())


def _anchor(settings: Settings, face: Face, features: Features | None) -> Anchor | None:
    """Read as a stream is, so scaled likewise; and mixed, since the last ones judge."""
    if not settings.anchor:
        return None
    found = list(source(parse(settings.anchor, "--anchor"), face, features, Faults(strict=True)))
    nameless = next((s.number for s in found if s.y is None), None)
    if face.classes and nameless is not None:
        fix = f"sample {nameless} has no class: give each its own, of a table by label="
        raise InvalidInput("--anchor", settings.anchor, fix)
    if not found or not all(np.isfinite(s.x).all() for s in found):
        raise InvalidInput("--anchor", settings.anchor, "it holds no samples, or what is not finite: give numbers")
    order = np.random.default_rng(0).permutation(len(found))
    y = np.array([found[i].y for i in order], np.int32) if face.classes else None
    return Anchor(np.stack([found[i].x for i in order]), y, margin=settings.margin)


def _looking(battery: bool) -> Callable[[], Moment]:
    """Time at every look; battery and temperature, which are files, once a second."""
    clock, power, heat = SystemClock(), PowerSupply(), ThermalZones()
    read: list[Any] = [-1.0, None, None]

    def now() -> Moment:
        if not battery:
            return look(clock)
        at = time.monotonic()
        if at - read[0] >= 1 or read[0] < 0:
            read[:] = at, power.read(), heat.celsius()
        return Moment(clock.wall(), clock.ticks(), clock.boot(), read[1], read[2])

    return now


def _limit(settings: Settings, session: Session) -> int:
    """Bytes of the journal: three snapshots, and as much again for the calls behind them."""
    state = 4 * session.manifest.persistent_bytes + 3 * (settings.memory + settings.held_out) + (64 << 10)
    return max(LEAST, 3 * state + 2 * max(RECORDS, state))


def _lived(life: Live, settings: Settings, notes: tuple[str, ...], interrupted: bool) -> Lived:
    learner, tally = life.learner, life.learner.tally
    names = ("seen", "steps", "rounds", "commits", "refused", "late")
    return Lived(
        life.course.life, life.bytes, dict(learner.bytes.flash), settings.budget,
        {**{name: getattr(tally, name) for name in names}, "drifts": learner.diary.counts.get("drift", 0)},
        tuple((e.sample, e.kind, e.why) for e in learner.diary),
        notes if learner.asks is None else (*notes, f"it asks for {learner.asks}"),
        None if life.governor is None else life.governor.spent, learner.kind == "CrossEntropy", interrupted,
    )  # fmt: skip
