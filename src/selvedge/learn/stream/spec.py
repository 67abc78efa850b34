"""A stream as the command line names it, and the source that it is."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...artifact.features import Columns, Features
from ...errors import InvalidInput
from .arrays import Arrays
from .camera import Camera
from .faults import Faults
from .files import ORDERS, Files
from .lines import Lines
from .microphone import Microphone
from .mqtt import Mqtt
from .sample import Face, Source
from .table import POLICIES, Table

FROM_TABLES = ("table",)
KEYS = {  # and the kinds of stream that have it
    "label": FROM_TABLES,  # the column of the class; empty: none
    "time": FROM_TABLES,  # the column of the time; empty: none
    "columns": FROM_TABLES,  # to learn from, as a+b+c
    "missing": FROM_TABLES,  # skip, hold or mean: what becomes of a missing value
    "over": FROM_TABLES,  # rows whose mean fills a missing value
    "y": ("arrays",),  # an .npy of the classes of an .npy
    "watch": ("files",),  # seconds between looks into a folder for new files
    "order": ("files",),  # name, or time: of a folder that is not watched
    "every": ("camera",),  # seconds between pictures
    "labels": ("table", "arrays", "files", "lines", "mqtt"),  # the classes' names in order, of a model that has none
}
_OPTIONS = re.compile(r"[a-z]+=[^,]*(,[a-z]+=[^,]*)*")
HOW = (
    "give a .csv, .npy, .npz or .jsonl, a folder of images or .wav, - for JSON lines on stdin, mqtt://host/topic, "
    "camera:0 or microphone:"
)


@dataclass(frozen=True, slots=True)
class Stream:
    """``kind``: "table", "arrays", "files", "lines", "mqtt", "camera" or "microphone". ``place``: a path, a URL, a
    device."""

    kind: str
    place: str
    options: Mapping[str, str]

    def __str__(self) -> str:
        return "stdin" if self.place == "-" else self.place

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(filter(None, self.options.get("labels", "").split("+")))


def parse(text: str, field: str = "--stream") -> Stream:
    """``PLACE``, or ``PLACE:key=value,key=value``; ``field``: the option that names it.

    Raises ``InvalidInput`` before anything is opened, also for options that such a stream does not have.
    """
    if not text or "\0" in text:
        raise InvalidInput(field, text.replace("\0", "\\0") or "empty", HOW)
    head, colon, tail = text.rpartition(":")
    options: dict[str, str] = {}
    place = text
    if colon and _OPTIONS.fullmatch(tail) and not os.path.exists(text):
        place = head
        for pair in tail.split(","):
            key, _, value = pair.partition("=")
            if key not in KEYS or key in options:
                raise InvalidInput(f"{field} option", key, f"give each once, of {', '.join(KEYS)}")
            options[key] = value
    made = Stream(_kind(place, field), place, options)
    if options.get("missing", "skip") not in POLICIES:
        raise InvalidInput(f"{field} missing", options["missing"] or "empty", f"give one of {', '.join(POLICIES)}")
    if options.get("order", "name") not in ORDERS:
        raise InvalidInput(f"{field} order", options["order"] or "empty", f"give one of {', '.join(ORDERS)}")
    _number(made, "watch", 0.0, field)
    _number(made, "every", 1.0, field)
    if not 1 <= _number(made, "over", 20.0, field) <= 1 << 20:
        raise InvalidInput(f"{field} over", options["over"], "give a number of rows >= 1")
    for key in options:
        if made.kind not in KEYS[key]:
            have = ", ".join(k for k in KEYS if made.kind in KEYS[k]) or "none"
            raise InvalidInput(f"{field} option", key, f"it does nothing here: such a stream has {have}")
    return made


def source(stream: Stream, face: Face, features: Features | None, faults: Faults) -> Source:
    """Opened. Raises ``InvalidInput`` and ``NotSupported``, as the source of its kind says."""
    path, options = Path(stream.place), stream.options
    if stream.kind == "table":
        return Table(
            path, face, features if isinstance(features, Columns) else None,
            names=tuple(filter(None, options.get("columns", "").split("+"))), label=options.get("label"),
            clock=options.get("time"), missing=options.get("missing", "skip"), over=int(_number(stream, "over", 20.0)),
            faults=faults,
        )  # fmt: skip
    if stream.kind == "arrays":
        return Arrays(path, face, y=Path(options["y"]) if "y" in options else None, faults=faults)
    if stream.kind == "files":
        watch, order = _number(stream, "watch", 0.0), options.get("order", "name")
        return Files(path, face, features, watch=watch, order=order, faults=faults)
    if stream.kind == "mqtt":
        return Mqtt(stream.place, face, features, faults=faults)
    if stream.kind == "camera":
        return Camera(stream.place.partition(":")[2], face, features, every=_number(stream, "every", 1.0))
    if stream.kind == "microphone":
        return Microphone(stream.place.partition(":")[2], face, features)
    return Lines(stream.place, face, features, faults=faults)


def _kind(place: str, field: str) -> str:
    if place == "-":
        return "lines"
    scheme = place.partition(":")[0]
    if scheme in ("mqtt", "camera", "microphone") and ":" in place:
        return scheme
    path = Path(place)
    try:
        there, folder = path.exists(), path.is_dir()
    except OSError:  # a name that no file system has
        there = folder = False
    if not there:
        raise InvalidInput(field, place, f"there is no such file or folder; {HOW}")
    if folder:
        return "files"
    kinds = {".csv": "table", ".tsv": "table", ".npy": "arrays", ".npz": "arrays", ".jsonl": "lines", ".json": "lines"}
    kind = kinds.get(path.suffix.lower())
    if kind is None and path.is_file():
        raise InvalidInput(field, place, f"what it holds is not known; {HOW}")
    return kind or "lines"  # a named pipe


def _number(stream: Stream, key: str, default: float, field: str = "--stream") -> float:
    text = stream.options.get(key)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise InvalidInput(f"{field} {key}", text or "empty", "give a number above 0")
    return value
