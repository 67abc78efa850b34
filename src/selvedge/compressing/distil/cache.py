"""A teacher's answers for a data set, computed once and kept on disk.

A folder: ``cache.json`` says of which teacher and which data, and ``00000000.answers``, ... hold a chunk of samples
each, written under a temporary name, synced and renamed. Killed at any moment, what is there is whole; the next call
goes on behind it, and ends with the same bytes. A chunk that is damaged, or of another cache, is computed again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...artifact import files
from ...errors import InvalidInput, SelvedgeError, one_line
from .. import samples
from .features import Inputs
from .stored import DTYPES, HALF_MOST, LOW, STEP, Array, bound, packed, read, unpacked, written
from .teacher import Teacher

FORMAT = 1
NAME = "cache.json"
INPUT = "\0input"  # the CRC-32 of each sample, so that another sample under its number is noticed
TRIED = 4  # samples that are computed anew to see whether it is the same teacher
SLACK = 1e-3  # that those may differ by, of their largest: a batch of another size rounds otherwise


class TeacherCache:
    """The answers of ``teacher`` for ``data``, in ``folder``: those that are there are read, the others computed.

    data: as :func:`selvedge.quantise` takes it; its rows are numbered in order. layers: paths of features that are kept
    beside the logits. dtype: "float16", "int8" or "float32"; :mod:`.stored` states the error of each. chunk: samples a
    file, and a batch of the teacher's. ``computed``: numbers of the chunks that this call computed, ``repaired`` those
    of them that were there, and damaged.

    Raises :class:`InvalidInput`: a folder of another teacher, other data or other settings, or of other files; one that
    another process fills; answers that are not finite, or too large for float16.
    """

    def __init__(
        self, folder: str | Path, teacher: Teacher, data: Any, *, layers: Sequence[str] = (), dtype: str = "float16",
        chunk: int = 256, on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:  # fmt: skip
        if dtype not in DTYPES:
            raise InvalidInput("dtype", dtype, f"give {', '.join(DTYPES)}")
        if not isinstance(chunk, int) or isinstance(chunk, bool) or chunk < 1:
            raise InvalidInput("chunk", chunk, "give a whole number of samples, 1 or more")
        self.folder, self.teacher, self.layers = Path(folder), teacher, tuple(layers)
        self.dtype, self.chunk = dtype, chunk
        self._data = _Rows(samples.batches(data, "data"))
        self.samples = len(self._data)
        self._chunks: list[dict[str, Array]] = []
        self.computed: list[int] = []
        self.repaired: list[int] = []
        first = self._answers(0, min(TRIED, self.samples))
        self.shapes = {name: value.shape[1:] for name, value in first.items()}
        self._fill(first, on_progress)

    def take(self, rows: Any, inputs: Inputs | None = None) -> dict[str, Tensor]:
        """ "" -> logits, and layer -> feature, float32 [n, ...], of the samples ``rows``.

        inputs: what those samples are; refused where it is not what was cached under these numbers.
        """
        at = self._numbers(rows)
        if inputs is not None:
            self._require_same(at, inputs)
        made = {name: np.empty((len(at), *shape), np.float32) for name, shape in self.shapes.items()}
        of = at // self.chunk
        for number in np.unique(of):
            here = np.flatnonzero(of == number)
            for name, values in made.items():
                values[here] = unpacked(name, self._chunks[number], at[here] - number * self.chunk)
        return {name: torch.from_numpy(values) for name, values in made.items()}

    @property
    def bytes(self) -> int:
        """Of the files of answers."""
        return sum(self._path(n).stat().st_size for n in range(len(self._chunks)))

    def __repr__(self) -> str:
        return f"<TeacherCache {self.folder}: {self.samples:,} samples in {self.dtype}, {self.bytes:,} B>"

    # Filling.

    def _fill(self, first: dict[str, Array], on_progress: Callable[[int, int], None]) -> None:
        about = {
            "format": FORMAT, "teacher": self.teacher.digest(), "data": self._data.digest(), "dtype": self.dtype,
            "chunk": self.chunk, "samples": self.samples, "layers": list(self.layers),
            "shapes": {name: list(shape) for name, shape in self.shapes.items()},
        }  # fmt: skip
        known = not self.folder.is_dir() or (self.folder / NAME).exists()
        if not known and any(not f.name.startswith(".") for f in self.folder.iterdir()):
            raise InvalidInput("cache", str(self.folder), "it holds other files: name a new or empty folder")
        self._key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
        with _locked(self.folder):
            self._open(about)
            for left in self.folder.glob(".selvedge-*"):
                left.unlink()  # of a process that was killed while it wrote
            kept = [self._kept(number) for number in range(-(-self.samples // self.chunk))]
            self._require_same_teacher(first, kept)
            for number, found in enumerate(kept):
                arrays = found
                if arrays is None:
                    self._compute(number)
                    arrays = self._kept(number)
                    if arrays is None:
                        raise InvalidInput("cache", str(self._path(number)), "it does not hold what was written to it")
                self._chunks.append(arrays)
                on_progress(self._span(number)[1], self.samples)

    def _open(self, about: dict[str, Any]) -> None:
        path = self.folder / NAME
        if not path.exists():
            files.write(path, json.dumps(about, indent=1).encode())
            return
        try:
            found = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise InvalidInput("cache", str(path), "it describes no cache: remove the folder, or name another")
        for field, what in (
            ("teacher", "another teacher"), ("data", "other data"), ("samples", "other data"),
            ("layers", "other layers"), ("dtype", f"dtype {found.get('dtype')}"),
            ("chunk", f"chunks of {found.get('chunk')}"), ("shapes", "another teacher"),
        ):  # fmt: skip
            if found.get(field) != about[field]:
                fix = f"it is of {what}: remove it, or name another folder"
                raise InvalidInput("cache", str(self.folder), fix)

    def _compute(self, number: int) -> None:
        start, stop = self._span(number)
        arrays: dict[str, Array] = {}
        for name, values in self._answers(start, stop).items():
            arrays.update(packed(name, values, self.dtype))
        arrays[INPUT] = self._data.marks(start, stop)
        files.write(self._path(number), written({"cache": self._key, "chunk": number}, arrays))
        self.computed.append(number)

    def _kept(self, number: int) -> dict[str, Array] | None:
        """The arrays of a chunk, looking into its file; None where it is absent, damaged or of another cache."""
        path = self._path(number)
        try:
            data = np.memmap(path, np.uint8, "r")
            return read(data, {"cache": self._key, "chunk": number}, self._expected(number))
        except FileNotFoundError:
            return None
        except (ValueError, OSError):
            if number not in self.computed:
                self.repaired.append(number)
            return None

    def _expected(self, number: int) -> dict[str, tuple[str, tuple[int, ...]]]:
        start, stop = self._span(number)
        count, made = stop - start, {}
        for name, shape in self.shapes.items():
            kind = {"float16": "<f2", "float32": "<f4", "int8": "|u1"}[self.dtype]
            made[name] = (kind, (count, *shape))
            if self.dtype == "int8":
                made.update({f"{name}{end}": ("<f4", (count,)) for end in (LOW, STEP)})
        made[INPUT] = ("<u4", (count,))
        return made

    def _answers(self, start: int, stop: int) -> dict[str, Array]:
        inputs = self._data.of(start, stop)
        try:
            found = self.teacher(inputs, self.layers)
        except SelvedgeError:
            raise
        except Exception as error:
            shapes = ", ".join(str(["N", *x.shape[1:]]).replace("'", "") for x in inputs)
            text = one_line((str(error).strip() or type(error).__name__).splitlines()[0])
            fix = f"the teacher fails on it: {text}" + ("; of pairs (x, y) give x alone" if len(inputs) > 1 else "")
            raise InvalidInput("data", f"of shape {shapes}", fix) from error
        made = {}
        for name, value in found.items():
            where = f"layer {name} of the teacher" if name else "teacher"
            if not isinstance(value, Tensor) or value.dim() < 1 or len(value) != stop - start:
                said = list(value.shape) if isinstance(value, Tensor) else f"a {type(value).__name__}"
                raise InvalidInput(where, f"giving {said}", f"it has to give [{stop - start}, ...] for as many samples")
            values = value.detach().cpu().float().numpy()
            require_finite(where, values, start)
            most = float(np.abs(values).max(initial=0))
            if self.dtype == "float16" and most > HALF_MOST:
                raise InvalidInput("dtype", "float16", f"the {where} gives {most:g}: give int8 or float32")
            made[name] = values
        return made

    def _require_same_teacher(self, first: dict[str, Array], kept: Sequence[dict[str, Array] | None]) -> None:
        """Two networks of the same weights may compute otherwise: the first chunk that is there is looked at."""
        number, arrays = next(((n, a) for n, a in enumerate(kept) if a is not None), (0, None))
        if arrays is None:
            return
        start, stop = self._span(number)
        stop = min(start + TRIED, stop)
        for name, values in (self._answers(start, stop) if number else first).items():
            near = values[: stop - start]
            slack = bound(near, self.dtype) + SLACK * np.abs(near).max(initial=0)
            if bool((np.abs(unpacked(name, arrays, slice(stop - start)) - near) > slack).any()):
                fix = "it is of another teacher, whose answers differ: remove it, or name another folder"
                raise InvalidInput("cache", str(self.folder), fix)

    def _span(self, number: int) -> tuple[int, int]:
        return number * self.chunk, min((number + 1) * self.chunk, self.samples)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:08d}.answers"

    # Reading.

    def _numbers(self, rows: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
        at = np.asarray(rows.detach().cpu() if isinstance(rows, Tensor) else rows)
        if at.ndim != 1 or not np.issubdtype(at.dtype, np.integer):
            raise InvalidInput("index", f"of {at.dtype} {list(at.shape)}", "give the row number of each sample, [N]")
        bad = at[(at < 0) | (at >= self.samples)]
        if len(bad):
            raise InvalidInput("index", int(bad[0]), f"the cache has the rows 0 to {self.samples - 1}")
        return at.astype(np.int64)

    def _require_same(self, at: Array, inputs: Inputs) -> None:
        if len(inputs[0]) != len(at):
            raise InvalidInput("index", f"of {len(at)} rows", f"x has {len(inputs[0])} samples")
        for row, mark in zip(at, marks(inputs), strict=True):
            if self._chunks[row // self.chunk][INPUT][row % self.chunk] != mark:
                fix = "x has another sample than the data that was cached there (augmented?): train without the cache"
                raise InvalidInput("index", int(row), fix)


class _Rows:
    """Batches as one list of samples."""

    def __init__(self, made: list[Inputs]) -> None:
        self.made = made
        self.ends = np.cumsum([len(b[0]) for b in made])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def of(self, start: int, stop: int) -> Inputs:
        """Rows start..stop of every input."""
        parts = []
        for batch, end in zip(self.made, self.ends, strict=True):
            begin = end - len(batch[0])
            if begin < stop and end > start:
                parts.append(tuple(x[max(0, start - begin) : stop - begin] for x in batch))
        return tuple(torch.cat(same) for same in zip(*parts, strict=True))

    def digest(self) -> str:
        """Of every input's shape and bytes; it does not matter how they are batched."""
        made = hashlib.sha256()
        for i, x in enumerate(self.made[0]):
            made.update(f"\n{x.dtype} {[len(self), *x.shape[1:]]}\n".encode())
            for batch in self.made:
                made.update(np.ascontiguousarray(batch[i].cpu().numpy()).data)
        return made.hexdigest()

    def marks(self, start: int, stop: int) -> Array:
        return marks(self.of(start, stop))


def marks(inputs: Inputs) -> Array:
    """The CRC-32 of each sample, uint32 [n]."""
    made = np.zeros(len(inputs[0]), "<u4")
    for x in inputs:
        whole = np.ascontiguousarray(x.detach().cpu().numpy())
        for i, row in enumerate(whole):
            made[i] = zlib.crc32(np.ascontiguousarray(row).data, int(made[i]))
    return made


def require_finite(where: str, values: Array, start: int = 0) -> None:
    """Refuse NaN and infinity with the number of the first sample that has them."""
    bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(1))
    if len(bad):
        said = f"not finite for {len(bad)} of {len(values)} samples, the first is {start + int(bad[0])}"
        raise InvalidInput(where, said, "mend it, or leave those samples out")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Alone in ``folder``, which is made where it is not there. The lock of a process ends with it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = open(folder / ".lock", "wb")  # noqa: SIM115
    except OSError as error:
        fix = f"cannot write there ({error.strerror or error}); name another place"
        raise InvalidInput("cache", str(folder), fix) from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            fix = "another process is filling it: wait for it, or name another folder"
            raise InvalidInput("cache", str(folder), fix) from None
        yield
