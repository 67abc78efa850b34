"""An artifact for another runtime: the files that its writer made, the initial state, and the manifest over them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..artifact import files
from ..artifact.layout import Layout
from ..artifact.manifest import Manifest, Port, ProgramEntry, StateEntry
from ..artifact.name import checked_name
from ..errors import InvalidInput
from .c.bundle import Description, owned

STATE, EXTRA, MANIFEST = "state.npz", "extra.npz", "manifest.json"


@dataclass(frozen=True, slots=True)
class Array:
    """An input, an output or a state array as the runtime holds it: its shape and dtype there, and how PyTorch's array
    becomes that (None: it is the same)."""

    shape: tuple[int, ...]
    dtype: str
    layout: Layout | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """file: the one that it lies in."""

    file: str
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Held:
    """A state array: what it begins with, stored as the runtime holds it, its kind (see
    :func:`selvedge.ir.state_leaf`), and whether a program replaces it."""

    initial: np.ndarray
    kind: str
    learns: bool
    layout: Layout | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What a target's writer makes of a plan. files: name -> bytes. programs: by name, every one of the plan."""

    files: Mapping[str, bytes]
    programs: Mapping[str, Program]
    state: Mapping[str, Held] = field(default_factory=dict)


def manifest(target: str, made: Written, about: Description, digest: str, dtype: str) -> Manifest:
    """That of an artifact of ``made``. digest: of the plan. Where state lies otherwise than in the plan, the artifact
    has a digest of its own, so that what is saved of it is not taken for the plan's by its shapes. dtype: of its real
    numbers."""

    def ports(arrays: Mapping[str, Array]) -> dict[str, Port]:
        return {n: Port(0, a.shape, a.dtype, a.layout) for n, a in arrays.items()}

    state = {
        n: StateEntry("state" if h.learns else "flash", 0, 0, h.initial.shape, h.initial.dtype.name, h.kind, h.layout)
        for n, h in made.state.items()
    }
    if any(h.layout is None for h in made.state.values()):  # as PyTorch has it
        digest = hashlib.sha256(f"{digest}, state as PyTorch has it".encode()).hexdigest()
    return Manifest(
        name=checked_name(about.name),
        digest=digest,
        dtype=dtype,
        lanes=1,
        alignment=1,
        arena_bytes=0,
        persistent_bytes=0,
        weights_bytes=0,
        programs={n: ProgramEntry(ports(p.inputs), ports(p.outputs), p.file) for n, p in made.programs.items()},
        state=state,
        updated=tuple(n for n, e in state.items() if e.region == "state" and e.kind == "parameter"),
        loss=about.loss,
        optimizer=about.optimizer,
        schedule=about.schedule,
        order=about.order,
        classes=about.classes,
        aliases=about.aliases,
        folds=about.folds,
        labels=about.labels,
        preprocess=about.preprocess,
        accumulate=about.accumulate,
        steps=about.steps,
        features=about.features,
        parts=about.parts,
        loss_options=about.loss_options,
        provenance=about.provenance,
        target=target,
    )


def write(folder: Path, made: Written, about: Manifest, extra: Mapping[str, np.ndarray]) -> Path:
    """The artifact as a directory: manifest.json, the writer's files, state.npz, extra.npz. Whole or not at all.
    extra: entries of the state dict that no program reads."""
    contents = {**made.files, STATE: _archive({n: h.initial for n, h in made.state.items()}), EXTRA: _archive(extra)}
    for name in made.files:
        if Path(name).name != name or name in (STATE, EXTRA, MANIFEST):
            raise InvalidInput("artifact file", name, "name another: it lies in the artifact's own directory")
    hashes = {n: hashlib.sha256(data).hexdigest() for n, data in sorted(contents.items())}
    with files.directory(folder, owned) as place:
        for name, data in contents.items():
            (place / name).write_bytes(data)
        (place / MANIFEST).write_text(replace(about, files=hashes).to_json())
    return folder


def _archive(arrays: Mapping[str, np.ndarray]) -> bytes:
    with io.BytesIO() as buffer:
        np.savez(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()
