"""Files below a folder: their classes, their groups, and the parts they were put into."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InvalidInput
from .labels import thinned
from .spec import Spec

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
SOUNDS = (".wav",)
TABLES = (".csv", ".tsv")
KINDS = {"images": IMAGES, "sounds": SOUNDS, "tables": TABLES}
FOREIGN_SOUNDS = (".mp3", ".flac", ".ogg", ".m4a", ".aac", ".opus")
PARTS = {"train": "train", "training": "train", "val": "validation", "valid": "validation",
         "validation": "validation", "test": "test"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """``labels``: the class of each file; None where neither folder nor pattern tells. ``groups``, ``parts`` alike."""

    paths: tuple[Path, ...]
    labels: tuple[str, ...] | None
    groups: tuple[str, ...] | None
    parts: tuple[str, ...] | None


def kind_of(spec: Spec) -> str:
    """ "images", "sounds" or "tables": what the folder holds. Raises ``InvalidInput`` where that is not clear."""
    suffixes = Counter(p.suffix.lower() for p in _files(spec.path))
    counts = {kind: sum(suffixes[s] for s in known) for kind, known in KINDS.items()}
    held = [kind for kind, count in counts.items() if count]
    if "kind" in spec.options:
        kind = spec.choice("kind", "", tuple(KINDS))
        if kind not in held:
            raise InvalidInput("--data kind", kind, f"{spec.path} holds {' and '.join(held) or 'nothing of the kinds'}")
        return kind
    if len(held) > 1:
        raise InvalidInput("--data", str(spec), f"it holds {' and '.join(held)}: add :kind={held[0]}")
    if not held:
        foreign = next((s for s in FOREIGN_SOUNDS if suffixes[s]), None)
        if foreign:
            raise InvalidInput(
                "--data", str(spec), f"it holds {foreign}: make .wav of them, as ffmpeg -i a{foreign} a.wav"
            )
        raise InvalidInput("--data", str(spec), "it holds no images (.png, .jpg, ...), no .wav and no .csv")
    return held[0]


def find(spec: Spec, kind: str) -> Found:
    """The files of ``kind``, sorted. A class is the first folder below, behind train/, val/ and test/ where those
    are; a pattern's {label} and {group} go before. Raises ``InvalidInput`` for an empty class, and for a file that the
    pattern does not fit."""
    root, known = spec.path, KINDS[kind]
    paths = sorted(p for p in _files(root) if p.suffix.lower() in known)
    below = [p.relative_to(root) for p in paths]
    folders = sorted(d.name for d in root.iterdir() if d.is_dir() and not d.name.startswith("."))
    parted = (
        bool(folders) and all(d.lower() in PARTS for d in folders) and "train" in {PARTS[d.lower()] for d in folders}
    )
    parts = tuple(PARTS[b.parts[0].lower()] for b in below) if parted and all(len(b.parts) > 1 for b in below) else None
    if parts:
        below = [Path(*b.parts[1:]) for b in below]
    matched = _matched(spec, below)
    labels = matched.get("label")
    if labels is None and any(len(b.parts) > 1 for b in below) and kind != "tables":
        loose = next((p for p, b in zip(paths, below, strict=True) if len(b.parts) == 1), None)
        if loose is not None:
            raise InvalidInput(
                "--data", str(loose), "it lies outside the classes' folders: move it into one, or give pattern="
            )
        labels = [b.parts[0] for b in below]
        homes = (
            [root / d for d in folders] if parts is None else sorted(d for f in folders for d in (root / f).iterdir())
        )
        for home in homes:
            if home.is_dir() and not home.name.startswith(".") and not any(p.is_relative_to(home) for p in paths):
                raise InvalidInput("class folder", str(home), f"it holds no {kind}: fill it or remove it")
    return _limited(spec, Found(tuple(paths), _tuple(labels), _tuple(matched.get("group")), parts))


def _matched(spec: Spec, below: Sequence[Path]) -> dict[str, list[str]]:
    """Field of the pattern -> its text in every file's name."""
    pattern = spec.options.get("pattern")
    if pattern is None:
        return {}
    pieces = re.split(r"(\{\w*\}|\*)", pattern)
    names = [p[1:-1] for p in pieces if p.startswith("{") and p != "{}"]
    if not names or set(names) - {"label", "group"} or len(set(names)) < len(names):
        raise InvalidInput("--data pattern", pattern or "empty", "write {label}, {group} or both once, {} for the rest")
    text = "".join(
        "[^/]*?" if p in ("{}", "*") else f"(?P<{p[1:-1]}>[^/]+?)" if p.startswith("{") else re.escape(p)
        for p in pieces
    )
    compiled = re.compile(text)
    found: dict[str, list[str]] = {name: [] for name in names}
    for path in below:
        match = compiled.fullmatch(path.as_posix()) or compiled.fullmatch(path.name)
        if match is None:
            raise InvalidInput("--data pattern", pattern, f"{path} does not fit it: mend the pattern or move the file")
        for name in names:
            found[name].append(match[name])
    return found


def _limited(spec: Spec, found: Found) -> Found:
    """At most ``limit`` files of each class."""
    most = spec.whole("limit", 0)
    if not most or found.labels is None:
        return found
    keep = thinned(found.labels, most)

    def kept(values: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if values is None else tuple(values[i] for i in keep)

    return Found(tuple(found.paths[i] for i in keep), kept(found.labels), kept(found.groups), kept(found.parts))


def _files(root: Path) -> list[Path]:
    try:
        return [
            p for p in root.rglob("*") if p.is_file() and not any(q.startswith(".") for q in p.relative_to(root).parts)
        ]
    except OSError as error:
        raise InvalidInput("--data", str(root), f"it cannot be read ({error.strerror})") from None


def _tuple(values: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)
