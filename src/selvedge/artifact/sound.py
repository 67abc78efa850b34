"""Whether a manifest that was read makes sense: types, ranges, and that every array lies inside its memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from .name import checked_name

if TYPE_CHECKING:
    from .manifest import Manifest, Port, StateEntry

PROGRAMS = ("predict", "evaluate", "step")
PREDICTING = ("predict",)  # of what does not learn
ACCUMULATING = ("predict", "evaluate", "accumulate", "apply")
SIZES = r"[1-9]\d{0,9}(_[1-9]\d{0,9})*"  # what the name of a program for smaller inputs ends in
COUNT = "optimizer.accumulated"  # micro-batches in the accumulators
LARGEST = 1 << 40  # bytes of anything
ITEM = {"float32": 4, "float64": 8, "int32": 4, "uint16": 2, "uint8": 1, "int8": 1, "bool": 1}


def whole(what: str, value: object, most: int = LARGEST) -> int:
    """``value``, an integer in 0..most. Raises ``ValueError``."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"{what} is {str(value)[:40]}: it must be a whole number in 0..{most}")
    return value


def sizes(what: str, value: object) -> tuple[int, ...]:
    """The axes of a shape."""
    if not isinstance(value, list):
        raise ValueError(f"{what} is {str(value)[:40]}: it must be a list")
    return tuple(whole(what, axis, 1 << 31) for axis in value)


def texts(what: str, value: object) -> tuple[str, ...]:
    """A list of strings."""
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise ValueError(f"{what} is {str(value)[:40]}: it must be a list of strings")
    return tuple(value)


def require_sound(m: Manifest) -> None:
    """Raise ``ValueError`` (``InvalidInput`` is one) where the manifest contradicts itself."""
    _header(m)
    if m.target != "c":
        _foreign(m)
    for name, program in m.programs.items():
        _program(m, name, program.inputs, program.outputs)
    _state(m)
    _names(m)
    if m.features is not None and m.features.shape != m.sample_shape:
        raise ValueError(f"features of shape {m.features.shape} for an input of {m.sample_shape}")


def _foreign(m: Manifest) -> None:
    """Of another runtime: it has no arena of ours, and a file for each program."""
    if any((m.arena_bytes, m.persistent_bytes, m.weights_bytes, m.storage_bytes)):
        raise ValueError(f"an arena of {m.arena_bytes} bytes for target {m.target}, which has none")
    for name, program in m.programs.items():
        if program.file not in m.files:
            raise ValueError(f"program {name} lies in {program.file!r}, which is none of its files")


def _header(m: Manifest) -> None:
    checked_name(_text("name", m.name))
    _text("target", m.target)
    _text("digest", m.digest)
    if m.dtype not in ("float32", "float64"):
        raise ValueError(f"dtype is {m.dtype!r}")
    whole("lanes", m.lanes)
    if m.lanes != 1 and m.lanes * ITEM[m.dtype] not in (8, 16, 32, 64):
        raise ValueError(f"lanes is {m.lanes}")
    alignment = whole("alignment", m.alignment, 1 << 24)
    if alignment < 1 or alignment & (alignment - 1):
        raise ValueError(f"alignment is {alignment}: it must be a power of two")
    for what, size in (("arena_bytes", m.arena_bytes), ("weights_bytes", m.weights_bytes)):
        whole(what, size)
    whole("persistent_bytes", m.persistent_bytes, m.arena_bytes)
    whole("storage_bytes", m.storage_bytes, (1 << 32) - 1)
    whole("steps", m.steps, (1 << 63) - 1)
    whole("classes", m.classes, (1 << 31) - 1)
    if whole("accumulate", m.accumulate, 1 << 24) < 1:
        raise ValueError("accumulate is 0")
    if m.loss is not None:
        _text("loss", m.loss)
    tables = {
        "optimizer": m.optimizer,
        "loss_options": m.loss_options,
        "provenance": m.provenance,
        "aliases": m.aliases,
    }
    for what, table in tables.items():
        if not isinstance(table, Mapping):
            raise ValueError(f"{what} is {str(table)[:40]}: it must be a table")
    for name, digest in m.files.items():
        if not re.fullmatch(r"[0-9a-f]{64}", digest) or "\0" in name:
            raise ValueError(f"file {name!r} has the hash {digest[:70]!r}")


def kind_and_size(program: str) -> tuple[str, str]:
    """ "step_3" -> ("step", "3"): what a program does, and for which smaller inputs; "" for the largest."""
    kind, _, suffix = program.partition("_")
    return kind, suffix


def _text(what: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{what} is {str(value)[:40]}: it must be a string")
    return value


def _program(m: Manifest, name: str, inputs: Mapping[str, Port], outputs: Mapping[str, Port]) -> None:
    kind, suffix = kind_and_size(name)
    if kind not in (*PROGRAMS, *ACCUMULATING) or (suffix and not re.fullmatch(SIZES, suffix)):
        raise ValueError(f"program {name!r} is none of {', '.join(dict.fromkeys((*PROGRAMS, *ACCUMULATING)))}")
    for key, port in (*inputs.items(), *outputs.items()):
        _array(f"{name} {key}", port, m.arena_bytes if m.target == "c" else None, port.offset)
    needed = {*(("x",) if kind != "apply" else ()), *(("lr",) if kind in ("step", "apply") else ())} - set(inputs)
    if kind != "apply":
        needed |= {"output", *(("loss",) if kind != "predict" else ())} - set(outputs)
    if needed:
        raise ValueError(f"program {name} has no {sorted(needed)[0]}")
    for key, scalar in (("lr", inputs.get("lr")), ("loss", outputs.get("loss")), ("norm", outputs.get("norm"))):
        if scalar is not None and (scalar.shape or scalar.dtype != m.dtype):
            raise ValueError(f"program {name}: {key} is no {m.dtype} scalar")


def _array(what: str, array: Port | StateEntry, size: int | None, offset: int) -> None:
    """size: of the memory that it lies in; None where the runtime lays it."""
    if array.dtype not in ITEM:
        raise ValueError(f"{what} is of dtype {array.dtype!r}")
    whole(what, offset)
    if offset % ITEM[array.dtype]:
        raise ValueError(f"{what} lies at {offset}: not aligned")
    if offset if size is None else not offset + array.bytes <= size:
        raise ValueError(f"{what}: an array of {array.bytes} bytes at {offset} of {size}")
    if array.layout is not None and array.layout.shape != array.shape:
        raise ValueError(f"{what} is of shape {array.shape}, and its layout of {array.layout.shape}")


def _state(m: Manifest) -> None:
    regions: dict[str, list[tuple[int, int, str]]] = {"state": [], "flash": []}
    for name, entry in m.state.items():
        if entry.region not in regions:
            raise ValueError("a state array lies neither in state nor in flash")
        if m.target != "c":
            _array(name, entry, None, entry.offset)
            continue
        _array(name, entry, m.persistent_bytes if entry.region == "state" else m.weights_bytes, entry.offset)
        if entry.region == "state":
            _array(f"initial {name}", entry, m.weights_bytes, entry.initial)
        if entry.bytes:
            regions[entry.region].append((entry.offset, entry.offset + entry.bytes, name))
    for spans in regions.values():
        spans.sort()
        for (_, end, first), (start, _, second) in pairwise(spans):
            if start < end:
                raise ValueError(f"state {first} and {second} overlap")


def _names(m: Manifest) -> None:
    largest = [name for name in m.programs if not kind_and_size(name)[1]]
    expected: tuple[str, ...] = PROGRAMS if m.accumulate == 1 else ACCUMULATING
    if largest == list(PREDICTING) and m.accumulate == 1 and not m.updated:
        expected = PREDICTING
    if set(largest) != set(expected):
        raise ValueError(f"the programs are {', '.join(largest) or 'none'}, not {', '.join(expected)}")
    _smaller(m, tuple(name for name in expected if name != "apply"))
    count = m.state.get(COUNT)
    if m.accumulate > 1 and (count is None or count.shape or (count.region, count.dtype) != ("state", m.dtype)):
        raise ValueError(f"there is no {COUNT}, which counts the micro-batches")
    _known("updated", m.updated, m.state)
    _known("parts", m.parts, m.updated)
    for name, part in m.parts.items():
        layout = m.state[name].layout
        whole = layout.face if layout else m.state[name].shape
        if len(part) != 2 or part[0] not in range(len(whole)) or not 0 < part[1] < whole[part[0]]:
            raise ValueError(f"the part of {name} is {part}: it must be an axis of {whole} and some of its channels")
    output = face(m.programs["predict"].outputs["output"])
    label = m.backward.inputs.get("y")
    classes = output[1] if label is not None and label.dtype == "int32" and len(output) > 1 else 0
    of_own = m.loss == "TorchLoss" and m.classes == 0  # whole numbers that are no classes
    if m.classes != classes and not of_own:
        raise ValueError(f"classes is {m.classes}: the output has {classes}")
    if m.labels and classes and len(m.labels) != classes:
        raise ValueError(f"{len(m.labels)} labels for {classes} classes")
    if m.preprocess is not None:
        x = m.programs["predict"].inputs["x"]
        if not x.dtype.startswith("float") or len(face(x)) < 2:
            raise ValueError("preprocess: the input is no batch of floats")
        m.preprocess.per_channel(face(x)[1])
    if m.features is not None and m.features.shape != m.sample_shape:
        raise ValueError(f"features of shape {m.features.shape} for an input of {m.sample_shape}")
    for fold in m.folds:
        for what in (fold.weight, fold.mean, fold.var, *fold.inner, fold.receiver):
            _text("fold", what)
        if isinstance(fold.eps, bool) or not isinstance(fold.eps, int | float) or not 0 <= fold.eps < 1:
            raise ValueError(f"fold eps is {fold.eps!r}")


def _smaller(m: Manifest, kinds: tuple[str, ...]) -> None:
    """The programs for smaller inputs: of every kind one, its inputs and outputs those of the largest but for their
    axes, and no two for the same shapes."""
    suffixes = dict.fromkeys(suffix for name in m.programs if (suffix := kind_and_size(name)[1]))
    for suffix in suffixes:
        own = {kind_and_size(name)[0] for name in m.programs if kind_and_size(name)[1] == suffix}
        if own != set(kinds):
            raise ValueError(f"for {suffix} the programs are {', '.join(sorted(own))}, not {', '.join(kinds)}")
    for kind in kinds:
        largest = m.programs[kind]
        seen: dict[object, str] = {}
        for name in (kind, *(f"{kind}_{suffix}" for suffix in suffixes)):
            entry = m.programs[name]
            for ports, others in ((entry.inputs, largest.inputs), (entry.outputs, largest.outputs)):
                what = {key: (port.dtype, len(face(port))) for key, port in ports.items()}
                if what != {key: (port.dtype, len(face(port))) for key, port in others.items()}:
                    raise ValueError(f"program {name} has other inputs or outputs than {kind}")
            shapes = tuple((key, face(port)) for key, port in sorted(entry.inputs.items()))
            if shapes in seen:
                raise ValueError(f"programs {seen[shapes]} and {name} are for the same shapes")
            seen[shapes] = name
            if kind == "predict" and m.classes and face(entry.outputs["output"])[1] != m.classes:
                raise ValueError(f"program {name} has other classes")


def face(port: Port) -> tuple[int, ...]:
    """The shape as PyTorch sees it."""
    return port.layout.face if port.layout else port.shape


def require_complete(m: Manifest, extra: Mapping[str, np.ndarray]) -> None:
    """Raise ``ValueError`` unless the names of the state dict are those of the state and of ``extra``, and fit."""
    faces = {n: e.layout.face if e.layout else e.shape for n, e in m.state.items() if e.of_model}
    folded = {n: faces.pop(n) for n in {f.own for f in m.folds} if n is not None and n in faces}
    if set(faces) & set(extra) - {n for f in m.folds for n in f.inner}:
        raise ValueError("an array lies in the state and in extra.npz")
    faces.update({n: a.shape for n, a in extra.items()})
    for name, array in extra.items():
        if array.dtype.kind not in "fiub":
            raise ValueError(f"extra.npz: {name} is of dtype {array.dtype}")
    _known("aliases", m.aliases.values(), faces)
    if len(set(m.order)) != len(m.order) or set(m.order) != {*faces, *m.aliases} or set(m.aliases) & set(faces):
        odd = sorted(set(m.order) ^ {*faces, *m.aliases}) or ["a name twice"]
        raise ValueError(f"order and state differ in {odd[0][:60]!r}")
    for fold in m.folds:
        vectors = (*fold.inner, fold.receiver)
        known = {**faces, **folded}
        _known("folds", (fold.weight, *vectors), known)
        if any(known[n] != faces[fold.weight][:1] for n in vectors):
            raise ValueError(f"folds: {fold.weight} and its norm are of other sizes")


def _known(what: str, names: Iterable[Any], known: Sequence[str] | Mapping[str, Any] | set[str]) -> None:
    for name in names:
        if not isinstance(name, str) or name not in known:
            raise ValueError(f"{what} names {str(name)[:60]!r}, which is not there")
