"""Samples out of .npy and .npz files, which stay on the disk until they are asked for where that can be."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data.arrays import fitted, read_npz
from ...errors import InvalidInput, one_line
from .faults import Faults
from .sample import Face, Sample

Array = npt.NDArray[Any]


class Arrays:
    """ "x" [n, ...] of an .npz, with "y" [n] and "time" [n] where it has them; or an .npy, and ``y`` from another.

    An .npy, and what numpy.savez wrote without compression, are mapped into memory; the rest is read at once.
    """

    seekable = True

    def __init__(
        self, path: Path | str, face: Face, *, y: Path | str | None = None, faults: Faults | None = None
    ) -> None:
        """Raises ``InvalidInput`` for a file that cannot be read, and for arrays that do not go together or that the
        model does not take."""
        self.name, self._face, self._faults, self._from = str(path), face, faults or Faults(), 0
        path = Path(path)
        found = mapped(path)
        if y is not None:
            found["y"] = mapped(Path(y))["x"]
        self._x, self._y, self._time = found["x"], found.get("y"), found.get("time")
        if self._x.ndim < 2 or self._x.dtype.kind not in "fiub":
            raise InvalidInput("stream x", f"{self._x.dtype}{list(self._x.shape)}", "give numbers, [samples, ...]")
        for name, array in (("y", self._y), ("time", self._time)):
            if array is not None and array.shape != self._x.shape[:1]:
                fix = f"x has {len(self._x)} samples: give one each"
                raise InvalidInput(f"stream {name}", f"of shape {list(array.shape)}", fix)
        fitted(self._x[:1], face.shape, path.name)

    def seek(self, position: int) -> None:
        self._from = position

    def done(self, number: int) -> None:
        """It is a file: it can be read again."""

    def close(self) -> None:
        """The files are unmapped when nothing refers to them."""

    def __iter__(self) -> Iterator[Sample]:
        for number in range(self._from, len(self._x)):
            x = fitted(np.array(self._x[number : number + 1]), self._face.shape, self.name)[0]
            if x.dtype != self._face.dtype:
                if self._face.dtype == np.uint8:
                    self._faults.note(f"{self.name} sample {number}", x.dtype, "the model takes bytes: give uint8")
                    continue
                x = x.astype(self._face.dtype)
            label = None
            if self._y is not None and self._face.classes:
                try:
                    label = self._face.label(str(self._y[number]))
                except ValueError as error:
                    self._faults.note(f"{self.name} y {number}", str(self._y[number]), str(error))
                    continue
            yield Sample(number, float(number if self._time is None else self._time[number]), x, label)


def mapped(path: Path) -> dict[str, Array]:
    """The arrays of a file by name, mapped where they lie as they are. Raises ``InvalidInput``."""
    try:
        if path.suffix == ".npy":
            return {"x": np.load(path, mmap_mode="r", allow_pickle=False)}
        with zipfile.ZipFile(path) as archive:
            found = {Path(entry.filename).stem: _member(path, archive, entry) for entry in archive.infolist()}
    except Exception as error:  # a damaged archive raises what zipfile, zlib and numpy each like to
        fix = f"it cannot be read ({one_line(str(error))}): write it with numpy.save or numpy.savez"
        raise InvalidInput("stream", str(path), fix) from None
    whole = {name: array for name, array in found.items() if array is not None}
    if len(whole) < len(found):
        whole = {**read_npz(path), **whole}
    if "x" not in whole:
        raise InvalidInput("stream", str(path), f"it holds {', '.join(sorted(whole)) or 'nothing'}: x is needed")
    return whole


def _member(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Array | None:
    """The array of an entry that is stored as it is; None of one that is compressed, or that cannot be mapped."""
    if entry.compress_type != zipfile.ZIP_STORED:
        return None
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        head = file.tell()
    if dtype.hasobject or fortran or 0 in shape:
        return None
    with path.open("rb") as raw:  # behind its own header: 30 bytes, its name, and what is added to it
        raw.seek(entry.header_offset + 26)
        name, extra = (int.from_bytes(raw.read(2), "little") for _ in range(2))
    offset = entry.header_offset + 30 + name + extra + head
    return np.memmap(path, dtype, "r", offset, shape or (1,)).reshape(shape)
