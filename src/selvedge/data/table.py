"""CSV files: a row a sample, or windows of a time series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..artifact.features import Columns
from ..errors import InvalidInput
from . import memory
from .dataset import Array, Indices
from .find import find
from .labels import ordered, thinned
from .raw import Finished, Raw, Source, normalised
from .rows import Table, read_table
from .spec import Spec

STRETCHES = 32  # a series without groups is cut into about so many, each on one side of a split
Numbers = npt.NDArray[np.float32]


def survey(spec: Spec) -> Source:
    """Look at a .csv or a folder of them. ``window=`` makes samples of so many rows."""
    files, named, parts = _files(spec)
    memory.require(spec, sum(f.stat().st_size for f in files) * 2, f"{len(files)} CSV files")
    tables = [read_table(file, spec, None if named[0] is None else named[0][i]) for i, file in enumerate(files)]
    names = tables[0].names
    for file, table in zip(files, tables, strict=True):
        if table.names != names:
            fix = f"its columns are {', '.join(table.names)}, those of {files[0].name} {', '.join(names)}"
            raise InvalidInput("--data", str(file), fix)
    labels = ordered(v for t in tables for v in t.targets) if tables[0].targets else ()
    window = spec.whole("window", 0, 2)
    hop = spec.whole("hop", max(1, window // 2))
    natural = (len(names), window) if window else (len(names),)

    def read(shape: tuple[int, ...]) -> Raw:
        columns = described(shape, names, window, hop)
        return (
            _windows(spec, tables, named[1], parts, columns)
            if columns.window
            else _rows(spec, tables, named[1], parts, columns)
        )

    return Source(spec, "windows" if window else "rows", labels, natural, read)


def described(shape: tuple[int, ...], names: tuple[str, ...], window: int, hop: int) -> Columns:
    """How columns become samples of ``shape``. Raises ``InvalidInput``."""
    count, size = len(names), math.prod(shape)
    flat = [n for n in shape if n != 1] or [1]
    if not window and size != count and len(flat) == 2 and count in flat:
        window = flat[1] if flat[0] == count else flat[0]
        hop = max(1, window // 2)
    if size != count * max(1, window):
        made = (
            f"{count} columns x {window} rows"
            if window
            else f"{count} columns ({', '.join(names[:6])}{', ...' if count > 6 else ''})"
        )
        fix = f"the data has {made}; choose columns=, window= or a model that takes them"
        raise InvalidInput("model input", list(shape), fix)
    if window and len(flat) == 2 and flat not in ([count, window], [window, count]):
        raise InvalidInput("model input", list(shape), f"windows are {[count, window]} or {[window, count]}")
    time_first = bool(window) and flat == [window, count] and flat != [count, window]
    return Columns(names, shape, window, hop, time_first)


def samples(values: Numbers, columns: Columns) -> Numbers:
    """Rows [n, columns] -> samples [n or windows, *shape], normalised as ``columns`` says."""
    if not columns.window:
        cut = values
    else:
        cut = np.lib.stride_tricks.sliding_window_view(values, columns.window, axis=0)[:: columns.hop]
    return _arranged(cut, columns)


def _arranged(cut: Numbers, columns: Columns) -> Numbers:
    """[n, columns] or [n, columns, window] -> [n, *shape]."""
    if columns.mean:
        axes = (-1,) + (1,) * (cut.ndim - 2)
        mean, std = (np.asarray(v, np.float32).reshape(axes) for v in (columns.mean, columns.std))
        cut = normalised(cut, mean, std)
    turned = cut.transpose(0, 2, 1) if columns.time_first else cut
    return np.ascontiguousarray(turned, np.float32).reshape(len(cut), *columns.shape)


def _files(
    spec: Spec,
) -> tuple[tuple[Path, ...], tuple[tuple[str, ...] | None, tuple[str, ...] | None], tuple[str, ...] | None]:
    """Files, (class and group of each by its name), parts."""
    if spec.path.is_file():
        return (spec.path,), (None, None), None
    found = find(spec, "tables")
    return found.paths, (found.labels, found.groups), found.parts


def _rows(
    spec: Spec, tables: Sequence[Table], groups: Sequence[str] | None, parts: Sequence[str] | None, columns: Columns
) -> Raw:
    values = np.concatenate([t.values for t in tables])
    keep = _within_limit(spec, [v for t in tables for v in t.targets], len(values))
    owner = [i for i, t in enumerate(tables) for _ in range(len(t.values))]
    return Raw(
        len(keep),
        lambda train: _finish(spec, values[keep], columns, train),
        _targets([v for t in tables for v in t.targets], keep),
        _spread(tables, groups, owner, keep),
        None if parts is None else [parts[owner[i]] for i in keep],
        tuple(dict.fromkeys(n for t in tables for n in t.notes)),
    )


def _windows(
    spec: Spec, tables: Sequence[Table], groups: Sequence[str] | None, parts: Sequence[str] | None, columns: Columns
) -> Raw:
    """Windows of one class each. Without groups, neighbours that may overlap stay in one part: a group is a stretch
    of the series, and what would reach over its end is left out."""
    cut: list[Numbers] = []
    targets: list[str] = []
    owner: list[int] = []
    blocks: list[str] = []
    mixed = across = 0
    length = max(2 * columns.window, sum(len(t.values) for t in tables) // STRETCHES)
    own = groups is not None or any(t.groups for t in tables)
    for number, table in enumerate(tables):
        for start in range(0, len(table.values) - columns.window + 1, columns.hop):
            end = start + columns.window
            if table.targets and len(set(table.targets[start:end])) > 1:
                mixed += 1
                continue
            if table.groups and len(set(table.groups[start:end])) > 1:
                mixed += 1
                continue
            if not own and start // length != (end - 1) // length and columns.hop < columns.window:
                across += 1
                continue
            cut.append(table.values[start:end].T)
            owner.append(number)
            blocks.append(table.groups[start] if table.groups else f"{number}:{start // length}")
            if table.targets:
                targets.append(table.targets[start])
    if not cut:
        longest = max(len(t.values) for t in tables)
        fix = f"the longest series has {longest} rows" + (f", and {mixed} windows mix classes" if mixed else "")
        raise InvalidInput("--data window", columns.window, f"no window of so many rows: {fix}; give fewer")
    keep = _within_limit(spec, targets, len(cut))
    memory.require(spec, len(keep) * math.prod(columns.shape) * 4, f"{len(keep)} windows")
    values = np.stack([cut[i] for i in keep])
    held = [groups[owner[i]] for i in keep] if groups is not None else [blocks[i] for i in keep]
    notes = [f"windows of {columns.window} rows, {columns.hop} apart"]
    if mixed:
        notes.append(f"{mixed} windows over two classes or groups are left out")
    if across:
        notes.append(f"{across} windows that would share rows between training and test are left out")
    return Raw(
        len(keep),
        lambda train: _finish(spec, values, columns, train),
        _targets(targets, keep),
        held,
        None if parts is None else [parts[owner[i]] for i in keep],
        (*dict.fromkeys(n for t in tables for n in t.notes), *notes),
    )


def _finish(spec: Spec, values: Numbers, columns: Columns, train: Indices) -> Finished:
    if spec.choice("normalise", "standard", ("standard", "none")) == "standard":
        axes = (0,) + (2,) * (values.ndim - 2)
        mean, std = values[train].mean(axes, dtype=np.float64), values[train].std(axes, dtype=np.float64)
        std = np.where(std > 1e-12, std, 1.0)
        columns = replace(columns, mean=tuple(map(float, mean)), std=tuple(map(float, std)))
    return _arranged(values, columns), None, columns


def _targets(targets: Sequence[str], keep: Sequence[int]) -> Array | Sequence[str] | None:
    return [targets[i] for i in keep] if targets else None


def _spread(
    tables: Sequence[Table], groups: Sequence[str] | None, owner: Sequence[int], keep: Sequence[int]
) -> list[str] | None:
    """The group of every kept row: the file's, or the row's own."""
    if groups is not None:
        return [groups[owner[i]] for i in keep]
    if not any(t.groups for t in tables):
        return None
    whole = [g for t in tables for g in t.groups]
    return [whole[i] for i in keep]


def _within_limit(spec: Spec, targets: Sequence[str], count: int) -> Sequence[int]:
    """The numbers of at most ``limit`` samples of each class."""
    most = spec.whole("limit", 0)
    return thinned(targets or [""] * count, most) if most else range(count)
