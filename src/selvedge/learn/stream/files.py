"""Images, sounds and arrays as files of a folder: those that are there, or each as it appears."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...artifact.features import Columns, Features, Picture
from ...data.find import IMAGES, SOUNDS
from ...data.inputs import read
from ...errors import InvalidInput, SelvedgeError
from .faults import Faults
from .sample import Face, Sample

ORDERS = ("name", "time")


class Files:
    """A sample a file, of the first one in it. Its class is the name of the folder that it lies in below ``folder``,
    where the model has a class of that name, or, of a model without names, of that number; its time is that of its
    last change.

    watch: seconds between looks for new files; 0: those that are there now, and no more, by ``order``: "name", with
    which one class comes after another, or "time", of their last change, as they were taken. A file is taken
    when its size stands still from a look to the next. The number of a watched file is the moment that its entry last
    changed (ctime, nanoseconds), so that a file may be removed once it was taken, and one that was moved in is new.
    """

    seekable = True

    def __init__(
        self,
        folder: Path | str,
        face: Face,
        features: Features | None,
        *,
        watch: float = 0.0,
        order: str = "name",
        faults: Faults | None = None,
    ) -> None:
        """Raises ``InvalidInput`` for what is no folder, an empty one that is not watched, a model of tables, and
        another order."""
        folder = Path(folder)
        if not folder.is_dir():
            raise InvalidInput("stream", str(folder), "there is no such folder")
        if isinstance(features, Columns):
            raise InvalidInput("stream", str(folder), "this model takes rows of a table: give a .csv or JSON lines")
        self.name, self._folder, self._face, self._features = str(folder), folder, face, features
        kinds = IMAGES if isinstance(features, Picture) else () if features is None else SOUNDS
        self._kinds = (*kinds, ".npy")
        if order not in ORDERS:
            raise InvalidInput("order", order, f"give one of {', '.join(ORDERS)}")
        self._watch, self._order, self._faults, self._from = watch, order, faults or Faults(), 0
        self._closed = threading.Event()
        if not watch and not self._there():
            raise InvalidInput("stream", str(folder), f"it holds no {', '.join(self._kinds[:3])} files")

    def seek(self, position: int) -> None:
        self._from = position

    def done(self, number: int) -> None:
        """Files stay where they are."""

    def close(self) -> None:
        self._closed.set()

    def __iter__(self) -> Iterator[Sample]:
        if self._watch:
            yield from self._watched()
            return
        there = sorted(self._there())
        if self._order == "time":
            there.sort(key=_changed)
        for number, path in enumerate(there):
            if number >= self._from:
                yield from self._sample(number, path)

    def _watched(self) -> Iterator[Sample]:
        taken: set[tuple[str, int]] = set()  # of the files that are there
        sizes: dict[str, int] = {}
        last = self._from - 1
        while not self._closed.is_set():
            found: list[tuple[int, str, int, Path]] = []
            for path in self._there():
                try:
                    stat = path.stat()
                except OSError:  # removed meanwhile
                    continue
                found.append((stat.st_ctime_ns, str(path), stat.st_size, path))
            taken &= {(name, changed) for changed, name, _, _ in found}
            for changed, name, size, path in sorted(found):
                if changed < self._from or (name, changed) in taken or sizes.get(name) != size:
                    continue
                taken.add((name, changed))
                last = max(changed, last + 1)
                yield from self._sample(last, path)
            sizes = {name: size for _, name, size, _ in found}
            self._closed.wait(self._watch)

    def _there(self) -> list[Path]:
        try:
            return [p for p in self._folder.rglob("*") if p.suffix.lower() in self._kinds and p.is_file()]
        except OSError as error:
            raise InvalidInput("stream", self.name, f"it cannot be read ({error.strerror})") from None

    def _sample(self, number: int, path: Path) -> Iterator[Sample]:
        """One, or none where it cannot be used."""
        try:
            if path.suffix.lower() == ".npy":
                x = np.asarray(np.load(path, allow_pickle=False))
            else:
                x = read(path, self._features, self._face.shape)[0]
            if x.shape != self._face.shape or x.dtype.kind not in "fiub":
                raise InvalidInput("sample", f"{x.dtype}{list(x.shape)}", f"the model takes {list(self._face.shape)}")
            changed = path.stat().st_mtime
        except (SelvedgeError, OSError, ValueError, EOFError) as error:
            self._faults.note(str(path), "not used", str(error))
            return
        if self._face.dtype == np.uint8 and x.dtype != np.uint8:
            self._faults.note(str(path), x.dtype, "the model takes bytes: give uint8")
            return
        below = path.relative_to(self._folder).parts
        label = None
        if len(below) > 1 and (below[0] in self._face.labels or not self._face.labels):
            with contextlib.suppress(ValueError):
                label = self._face.label(below[0])
        yield Sample(number, changed, x.astype(self._face.dtype), label)


def _changed(path: Path) -> int:
    """Nanoseconds; of what is gone 0: it is told when it is its turn."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
