"""Everything that makes an artifact: sources, weights, manifest; in memory, or whole in a directory."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...artifact import files
from ...artifact.features import Features
from ...artifact.folding import Fold
from ...artifact.layout import Layout
from ...artifact.manifest import Manifest, Port, ProgramEntry, StateEntry
from ...artifact.name import checked_name
from ...artifact.native import native_sources, native_storage
from ...artifact.preprocess import Preprocess
from ...artifact.schedule import Schedule
from ...errors import InvalidInput
from ...planning.kernel import STATE
from ...planning.schedule import Arrangement, Program
from .source import header, source


@dataclass(frozen=True, slots=True)
class Description:
    """What an artifact says beside the arrangement. ``layouts``: program -> port name -> layout; ``state_layouts``:
    state name -> layout; ``extra``: entries of the state_dict that no program reads; ``accumulate``: micro-batches of
    one update; ``steps``: updates made so far; ``parts``, ``loss_options``: as in a :class:`Manifest`."""

    name: str
    layouts: Mapping[str, Mapping[str, Layout]]
    state_layouts: Mapping[str, Layout | None]
    order: tuple[str, ...]
    schedule: Schedule
    loss: str | None
    optimizer: Mapping[str, Any]
    aliases: Mapping[str, str] = field(default_factory=dict)
    folds: tuple[Fold, ...] = ()
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)
    classes: int = 0
    labels: tuple[str, ...] = ()
    preprocess: Preprocess | None = None
    accumulate: int = 1
    steps: int = 0
    features: Features | None = None
    parts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    loss_options: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bundle:
    """An artifact in memory. ``sources``: file name -> text, native headers included."""

    manifest: Manifest
    sources: Mapping[str, str]
    weights: bytes
    extra: Mapping[str, np.ndarray]


def bundle(plan: Arrangement, stored: Mapping[str, np.ndarray], about: Description) -> Bundle:
    """``stored``: every state array of the plan in its stored layout: its initial value."""
    checked_name(about.name)
    inputs = {program: own["x"] for program, own in about.layouts.items() if "x" in own}
    sources = {
        **(native_storage() if plan.memory.storage else {}),
        f"{about.name}.c": source(plan, about.name, about.preprocess, inputs),
        f"{about.name}.h": header(plan, about.name, about.preprocess, about.layouts),
        **native_sources(),
    }
    return Bundle(_manifest(plan, about), sources, _weights(plan, stored), about.extra)


def write(made: Bundle, target: Path) -> Path:
    """The artifact as a directory: manifest.json, C sources, weights.bin, weights.h, extra.npz. Whole or not at all."""
    contents: dict[str, bytes] = {n: t.encode() for n, t in made.sources.items()}
    contents["weights.bin"] = made.weights
    contents[f"{made.manifest.name}_weights.h"] = weights_header(made.manifest.name, made.weights).encode()
    with io.BytesIO() as buffer:
        np.savez(buffer, allow_pickle=False, **made.extra)
        contents["extra.npz"] = buffer.getvalue()
    hashes = {n: hashlib.sha256(data).hexdigest() for n, data in sorted(contents.items())}
    with files.directory(target, owned) as folder:
        for name, data in contents.items():
            (folder / name).write_bytes(data)
        (folder / "manifest.json").write_text(replace(made.manifest, files=hashes).to_json())
    return target


def owned(folder: Path) -> set[str] | None:
    """The files that an earlier artifact in ``folder`` lists as its own; None where there is no artifact of ours."""
    try:
        data = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if isinstance(data["format"], int) and isinstance(data["target"], str):
            return {"manifest.json", *(Path(name).name for name in data["files"])}
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, RecursionError):
        pass
    return None


def weights_header(name: str, weights: bytes) -> str:
    """The weights as a C array, for a microcontroller's flash."""
    rows = [", ".join(map(str, weights[i : i + 24])) for i in range(0, len(weights), 24)]
    body = ",\n    ".join(rows) or "0"
    return (
        f"/* Frozen weights and initial values of {name}. */\n#include <stdint.h>\n"
        f"static const uint8_t {name}_weights[{max(1, len(weights))}] __attribute__((aligned(8))) = {{\n"
        f"    {body}\n}};\n"
    )


def _weights(plan: Arrangement, stored: Mapping[str, np.ndarray]) -> bytes:
    memory = bytearray(plan.memory.weights)
    arrays = [(s, stored[n]) for n, s in plan.slots.items()] + [(s, plan.values[n]) for n, s in plan.constants.items()]
    for slot, array in arrays:
        if array.shape != slot.shape or array.dtype.name != slot.dtype:
            raise InvalidInput(
                f"state {slot.name}", f"{array.dtype.name}{array.shape}", f"the plan has {slot.dtype}{slot.shape}"
            )
        memory[slot.initial : slot.initial + slot.bytes] = np.ascontiguousarray(array).tobytes()
    return bytes(memory)


def _manifest(plan: Arrangement, about: Description) -> Manifest:
    def ports(p: Program, entries: Mapping[str, int]) -> dict[str, Port]:
        made = {}
        for name, i in entries.items():
            spec = p.instances[i].spec
            layout = about.layouts.get(p.name, {}).get(name)
            made[name] = Port(p.offsets[i], layout.shape if layout else spec.shape, spec.dtype, layout)
        return made

    state = {
        n: StateEntry(s.region, s.offset, s.initial, s.shape, s.dtype, s.kind, about.state_layouts.get(n))
        for n, s in plan.slots.items()
    }
    return Manifest(
        name=about.name,
        digest=plan.digest(),
        dtype=plan.dtype,
        lanes=plan.lanes,
        alignment=plan.align,
        arena_bytes=plan.memory.arena,
        persistent_bytes=plan.memory.persistent,
        weights_bytes=plan.memory.weights,
        storage_bytes=plan.memory.storage,
        programs={n: ProgramEntry(ports(p, p.inputs), ports(p, p.outputs)) for n, p in plan.programs.items()},
        state=state,
        updated=tuple(n for n, s in plan.slots.items() if s.region == STATE and s.kind == "parameter"),
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
    )
