"""One CSV file: numbers by column, and each row's class and group."""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from .spec import Spec

LABELS = ("label", "labels", "class", "target", "y", "activity", "category")
CLOCKS = ("timestamp", "time", "date", "datetime", "id", "index", "")
DELIMITERS = ",;\t"
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Table:
    """``values``: float32 [rows, names]. ``targets``, ``groups``: one text a row, or empty."""

    names: tuple[str, ...]
    values: npt.NDArray[np.float32]
    targets: list[str]
    groups: list[str]
    notes: tuple[str, ...]


def read_table(path: Path, spec: Spec, label: str | None = None, columns: tuple[str, ...] = ()) -> Table:
    """``label``: the class of the whole file, where its name tells. ``columns``: instead of the options'.

    Raises ``InvalidInput`` that names file, row and column of what cannot be used.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            lines = csv.reader(file, delimiter=max(DELIMITERS, key=first.count))
            header = next(lines, None)
            if not header or not any(header):
                raise InvalidInput("--data", str(path), "it is empty: give rows below a line of column names")
            return _read(path, spec, label, columns, [h.strip() for h in header], lines)
    except UnicodeDecodeError:
        raise InvalidInput("--data", str(path), "it is no text in UTF-8: save it as CSV in UTF-8") from None
    except (OSError, csv.Error) as error:
        raise InvalidInput("--data", str(path), f"it cannot be read as CSV ({error})") from None


def _read(
    path: Path, spec: Spec, label: str | None, columns: tuple[str, ...], header: list[str], lines: Iterable[list[str]]
) -> Table:
    if all(_number(cell) is not None for cell in header):
        fix = f"its first row is numbers ({', '.join(header[:3])}): put a line of column names above, as a,b,label"
        raise InvalidInput("--data", str(path), fix)
    if len(set(header)) < len(header):
        twice = next(h for h in header if header.count(h) > 1)
        raise InvalidInput("column", twice or "empty", f"{path.name} has it twice: rename one")
    target = _target(path, spec, header) if label is None else None
    group = _known(path, header, "group", spec.options.get("group"))
    dropped = {str(_known(path, header, "drop", name)) for name in spec.names("drop")}
    clocks = [h for h in header if h.lower() in CLOCKS and h not in dropped]
    asked = columns or spec.names("columns")
    for name in asked:
        _known(path, header, "columns", name)
    names = asked or tuple(h for h in header if h not in (target, group, *dropped, *clocks))
    if not names:
        raise InvalidInput("--data", str(path), f"no column is left to learn from, of {', '.join(header)}")
    told = (
        []
        if target is None or "label" in spec.options
        else [f"column {target} is what is learnt; label= names another"]
    )
    if clocks and not asked:
        told.append(f"column {', '.join(c or 'without a name' for c in clocks)} is not learnt from; columns= would")
    notes = tuple(told)
    at = [header.index(n) for n in names]
    values, targets, groups = array("f"), [], []
    for number, row in enumerate(lines, 2):
        if not row:
            continue
        if len(row) != len(header):
            fix = f"row {number} has {len(row)} cells, the first has {len(header)}: mend the row"
            raise InvalidInput("--data", str(path), fix)
        for i in at:
            value = _number(row[i])
            if value is None or not math.isfinite(value) or abs(value) > LARGEST:
                fix = f"a finite number is needed: mend the row, or leave the column out with drop={header[i]}"
                if value is None and number == 2:
                    fix += f"; if it names whose a row is, keep those together with group={header[i]}"
                raise InvalidInput(f"{path} row {number} column {header[i]}", row[i].strip() or "empty", fix)
            values.append(value)
        if target is not None:
            text = row[header.index(target)].strip()
            if not text:
                raise InvalidInput(f"{path} row {number} column {target}", "empty", "give every row its class or value")
            targets.append(text)
        if group is not None:
            groups.append(row[header.index(group)].strip())
    if not values:
        raise InvalidInput("--data", str(path), "it has column names and no rows")
    made = np.frombuffer(values, np.float32).reshape(-1, len(names))
    if label is not None:
        targets = [label] * len(made)
    return Table(names, made, targets, groups, notes)


def _target(path: Path, spec: Spec, header: list[str]) -> str | None:
    given = spec.options.get("label")
    if given == "":
        return None
    if given is not None:
        return _known(path, header, "label", given)
    named = next((h for name in LABELS for h in header if h.lower() == name), None)
    return named if named is not None or spec.names("columns") else header[-1]


def _known(path: Path, header: list[str], option: str, name: str | None) -> str | None:
    if name is not None and name not in header:
        raise InvalidInput(f"--data {option}", name or "empty", f"{path.name} has {', '.join(header)}")
    return name


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
