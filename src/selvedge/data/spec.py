"""Data as the command line names it: ``PATH``, or ``PATH:key=value,key=value``; or ``file.py:function``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import InvalidInput

KEYS = {
    "kind": "images, sounds or tables, where a folder holds several",
    "pattern": "of file names below the folder, as {label}_{group}_{}.wav",
    "label": "the column of the class or value",
    "group": "the column of whose a row is",
    "columns": "the columns to learn from, as a+b+c",
    "drop": "columns to leave out, as time+id",
    "window": "rows of a time series a sample",
    "hop": "rows from a sample to the next",
    "features": "logmel or wave",
    "seconds": "of sound a sample",
    "bands": "mel bands",
    "normalise": "standard (by the training samples), unit (0..1 of bytes) or none",
    "validation": "share of the samples, as 0.15",
    "test": "share of the samples, as 0.15",
    "limit": "samples of a class at most",
    "memory": "bytes that decoded data may take, as 512MiB",
}
_OPTIONS = re.compile(r"[a-z]+=[^,]*(,[a-z]+=[^,]*)*")


@dataclass(frozen=True, slots=True)
class Spec:
    """``path``; ``function`` where it is a Python loader; what was given after it."""

    path: Path
    function: str | None
    options: Mapping[str, str]

    def __str__(self) -> str:
        return str(self.path) + (f":{self.function}" if self.function else "")

    def whole(self, key: str, default: int, least: int = 1) -> int:
        """A whole number of at least ``least``."""
        text = self.options.get(key)
        if text is None:
            return default
        if not text.isdecimal() or not least <= int(text) <= 1 << 28:
            raise InvalidInput(f"--data {key}", text or "empty", f"give a whole number from {least}, as {key}=128")
        return int(text)

    def number(self, key: str, default: float, least: float, most: float) -> float:
        """A number strictly between ``least`` and ``most``."""
        text = self.options.get(key)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least < value < most:
            raise InvalidInput(f"--data {key}", text or "empty", f"give a number between {least:g} and {most:g}")
        return value

    def choice(self, key: str, default: str, allowed: tuple[str, ...]) -> str:
        text = self.options.get(key, default)
        if text not in allowed:
            raise InvalidInput(f"--data {key}", text or "empty", f"give one of {', '.join(allowed)}")
        return text

    def names(self, key: str) -> tuple[str, ...]:
        return tuple(filter(None, self.options.get(key, "").split("+")))


def parse(text: str) -> Spec:
    """Raises ``InvalidInput`` for an unknown key, a key given twice, and a path that is not there."""
    head, colon, tail = text.rpartition(":")
    options: dict[str, str] = {}
    if colon and _OPTIONS.fullmatch(tail) and not os.path.exists(text):
        for pair in tail.split(","):
            key, _, value = pair.partition("=")
            if key not in KEYS:
                raise InvalidInput("--data option", key, f"choose one of {', '.join(KEYS)}")
            if key in options:
                raise InvalidInput("--data option", key, "give it once")
            options[key] = value
    else:
        head = text
    path, colon, function = head.rpartition(":")
    if colon and path.endswith(".py"):
        return Spec(_there(path), function, options)
    if head.endswith(".py"):
        raise InvalidInput("--data", head, "name the function that returns the data, as loader.py:data")
    return Spec(_there(head), None, options)


def _there(text: str) -> Path:
    path = Path(text).expanduser() if text else Path()
    try:
        found = bool(text) and path.exists()
    except OSError:  # a name that no file system has
        found = False
    if not found:
        fix = (
            "there is no such file or folder; give a folder of images, sounds or CSV, a .csv, a .npz or loader.py:data"
        )
        raise InvalidInput("--data", text or "empty", fix)
    return path
