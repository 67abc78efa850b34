"""Arrays that a user has already: an .npz of x and y, or what a function of a Python file returns."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..artifact.preprocess import Preprocess
from ..errors import InvalidInput, one_line
from . import memory
from .dataset import Array, Indices
from .labels import ordered
from .python import function, importing_beside, told
from .raw import Finished, Raw, Source, moments
from .spec import Spec

KEYS = ("x", "y", "group", "labels")


def survey_npz(spec: Spec) -> Source:
    """An archive with "x" [n, ...] and "y" [n], and if wanted "group" [n]."""
    return _survey(spec, read_npz(spec.path, spec))


def survey_python(spec: Spec) -> Source:
    """``file.py:function``: it returns (x, y), a mapping of "x", "y", "group", or an iterable of samples (x, y)."""
    with importing_beside(spec.path):
        made = function(spec.path, spec.function or "", "loader file", "loader")
        try:
            given = made()
            arrays = _arrays(given, spec)
        except (Exception, SystemExit) as error:
            if isinstance(error, InvalidInput):
                raise
            raise InvalidInput("loader", spec.function, f"it failed with {told(error, spec.path)}") from error
    return _survey(spec, arrays)


def read_npz(path: Path, spec: Spec | None = None) -> dict[str, Array]:
    """The arrays of an .npz, or of an .npy as "x". Nothing is unpickled. Raises ``InvalidInput``."""
    try:
        if path.suffix == ".npy":
            return {"x": np.load(path, allow_pickle=False)}
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if spec is not None:
            memory.require(spec, size, path.name)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as loaded:
            found = {name.lower(): loaded[name] for name in loaded.files}
    except InvalidInput:
        raise
    except Exception as error:  # a damaged archive raises what zipfile, zlib and numpy each like to
        said = "it is no archive of arrays" if isinstance(error, zipfile.BadZipFile) else one_line(str(error))
        raise InvalidInput("arrays", str(path), f"it cannot be read ({said}): write it with numpy.savez") from None
    if "x" not in found:
        raise InvalidInput("arrays", str(path), f"it holds {', '.join(sorted(found)) or 'nothing'}: x is needed")
    return found


def fitted(x: Array, shape: tuple[int, ...], name: str) -> Array:
    """``x`` [n, ...] as [n, *shape]: a missing or last axis of channels is moved, the rest must agree."""
    own = x.shape[1:]
    if own == shape:
        return x
    if len(own) == 3 and len(shape) == 3 and (own[2], own[0], own[1]) == shape:
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    if [n for n in own if n != 1] == [n for n in shape if n != 1] or (len(shape) == 1 and math.prod(own) == shape[0]):
        return x.reshape(len(x), *shape)
    raise InvalidInput("model input", list(shape), f"the samples of {name} are {list(own)}: reshape them or the model")


def checked(x: Array, name: str) -> Array:
    """``x`` as uint8 or finite float32. Raises ``InvalidInput`` that names the first bad sample."""
    if x.dtype.kind not in "fiub" or x.ndim < 1 or not x.size:
        raise InvalidInput("x", f"{x.dtype}{list(x.shape)}", f"{name}: give numbers, [samples, ...]")
    if x.dtype == np.uint8:
        return x
    with np.errstate(over="ignore", invalid="ignore"):
        made = x.astype(np.float32)
    finite = np.isfinite(made.reshape(len(made), -1)).all(1)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise InvalidInput(
            "x", f"not finite at sample {row}", f"{name}: it holds NaN or infinity; mend or drop the sample"
        )
    return made


def _survey(spec: Spec, given: Mapping[str, Any]) -> Source:
    x = checked(np.asarray(given["x"]), str(spec))
    if x.ndim < 2:
        raise InvalidInput("x", f"of shape {x.shape}", "give [samples, ...]: one row a sample")
    y = None if given.get("y") is None else np.asarray(given["y"])
    group = None if given.get("group") is None else np.asarray(given["group"])
    for name, array in (("y", y), ("group", group)):
        if array is not None and len(np.atleast_1d(array)) != len(x):
            raise InvalidInput(name, f"{len(np.atleast_1d(array))} long", f"x has {len(x)} samples: give one each")
    labels = ordered(map(str, y.tolist())) if y is not None and y.ndim == 1 and y.dtype.kind in "iuUSb" else ()

    def read(shape: tuple[int, ...]) -> Raw:
        made = fitted(x, shape, str(spec))
        return Raw(
            len(x),
            lambda train: _finish(spec, made, train),
            y,
            None if group is None else [str(g) for g in group],
            None,
            (),
        )

    natural = x.shape[1:]
    if len(natural) == 3 and natural[2] in (1, 3) and natural[0] not in (1, 3):
        natural = (natural[2], natural[0], natural[1])
    return Source(spec, "samples", labels, tuple(natural), read)


def _finish(spec: Spec, x: Array, train: Indices) -> Finished:
    bytes_ = x.dtype == np.uint8
    how = spec.choice("normalise", "standard" if bytes_ else "none", ("standard", "unit", "none"))
    if how == "none":
        return x, Preprocess((1.0,), (0.0,)) if bytes_ else None, None
    if not bytes_:
        fix = "the same would have to be done before predicting: scale x where it is made, or give uint8"
        raise InvalidInput("--data normalise", how, f"x is {x.dtype}: {fix}")
    if how == "unit":
        return x, Preprocess(), None
    mean, std = moments(x[train].astype(np.float32))
    return x, Preprocess((1 / std,), (-mean / std,)), None


def _arrays(given: Any, spec: Spec) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        if "x" not in given:
            raise InvalidInput(
                "loader", spec.function, f"it returned {', '.join(map(str, given)) or 'nothing'}: x is needed"
            )
        return {k: _numpy(v) for k, v in given.items()}
    if isinstance(given, tuple) and len(given) in (2, 3) and all(hasattr(v, "__len__") for v in given):
        return {k: _numpy(v) for k, v in zip(("x", "y", "group"), given, strict=False)}
    if isinstance(given, Iterable) and not isinstance(given, str | bytes):
        have = memory.limit(spec)
        xs, ys, size = [], [], 0
        for sample in islice(given, 1 << 24):
            if not isinstance(sample, tuple | list) or len(sample) != 2:
                raise InvalidInput("loader", spec.function, "what it iterates must be pairs of x and y")
            xs.append(_numpy(sample[0]))
            ys.append(np.asarray(_numpy(sample[1])).item())
            size += xs[-1].nbytes
            if size > have:
                raise InvalidInput(
                    "loader", spec.function, f"it gives more than {have:,} B: stop earlier, or give memory=SIZE"
                )
        if not xs or len({x.shape for x in xs}) > 1:
            shapes = ", ".join(map(str, list({x.shape for x in xs})[:3])) or "nothing"
            raise InvalidInput("loader", spec.function, f"it gives {shapes}: every x must have the same shape")
        return {"x": np.stack(xs), "y": np.array(ys)}
    fix = "return (x, y), a mapping of x and y, or an iterable of pairs"
    raise InvalidInput("loader", spec.function, f"it returned {type(given).__name__}: {fix}")


def _numpy(value: Any) -> Array:
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
