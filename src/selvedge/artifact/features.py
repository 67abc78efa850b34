"""How a file became the model's input, as data that travels with the model: predicting does what training did.

No code and no formula is in here but by name; :mod:`selvedge.data` holds those. Every number is checked when a value is
made, so that a manifest from elsewhere cannot ask for memory without end. Raises ``ValueError``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

MOST = 1 << 28  # elements of one sample


@dataclass(frozen=True, slots=True)
class Picture:
    """An image file as uint8: ``channels`` 1 (grey) or 3 (RGB), stretched to ``height`` x ``width``, then ``shape``."""

    channels: int
    height: int
    width: int
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        _counts(self, "height", "width")
        _require(self.channels in (1, 3), "channels", self.channels, "1 or 3")
        _shape(self.shape, self.channels * self.height * self.width)


@dataclass(frozen=True, slots=True)
class LogMel:
    """A sound of ``rate`` Hz as the logarithm of mel-band energies: ``frames`` windows of ``window`` samples, ``hop``
    apart, an FFT of ``fft``, ``bands`` bands from ``low`` to ``high`` Hz, then (v - ``mean``) / ``std``.

    ``shape``: the sample's; its axes are frames x bands where ``time_first``, else bands x frames.
    """

    rate: int
    frames: int
    window: int
    hop: int
    fft: int
    bands: int
    low: float
    high: float
    shape: tuple[int, ...]
    time_first: bool = True
    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        _counts(self, "rate", "frames", "window", "hop", "bands")
        _require(self.window <= self.fft <= 1 << 20, "fft", self.fft, f"{self.window}..{1 << 20}")
        _require(0 <= self.low < self.high <= self.rate / 2, "high", self.high, f"above {self.low}, to {self.rate / 2}")
        _require(self.samples <= MOST, "frames", self.frames, "a shorter sound")
        _finite(self, "mean", "std")
        _shape(self.shape, self.frames * self.bands)

    @property
    def samples(self) -> int:
        """Samples of sound that one input covers."""
        return (self.frames - 1) * self.hop + self.window


@dataclass(frozen=True, slots=True)
class Waveform:
    """A sound of ``rate`` Hz as its first ``samples`` samples in -1..1, then (v - ``mean``) / ``std``."""

    rate: int
    samples: int
    shape: tuple[int, ...]
    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        _counts(self, "rate", "samples")
        _finite(self, "mean", "std")
        _shape(self.shape, self.samples)


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a table by name, each (v - ``mean``) / ``std``; ``window`` rows a sample, ``hop`` apart (window 0: a
    row is a sample). ``shape``: the sample's; windows are columns x rows, or rows x columns where ``time_first``."""

    names: tuple[str, ...]
    shape: tuple[int, ...]
    window: int = 0
    hop: int = 1
    time_first: bool = False
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _counts(self, "hop")
        _require(bool(self.names) and all(isinstance(n, str) for n in self.names), "names", self.names, "names")
        _require(_whole(self.window) and 0 <= self.window <= MOST, "window", self.window, f"0..{MOST}")
        for name in ("mean", "std"):
            values = getattr(self, name)
            _require(len(values) in (0, len(self.names)), name, values, f"{len(self.names)} numbers")
            _require(all(math.isfinite(v) for v in values), name, values, "finite numbers")
        _require(all(v > 0 for v in self.std), "std", self.std, "numbers > 0")
        _shape(self.shape, len(self.names) * max(1, self.window))


Features = Picture | LogMel | Waveform | Columns
_KINDS: Mapping[str, type[Any]] = {
    "picture": Picture,
    "log_mel": LogMel,
    "waveform": Waveform,
    "columns": Columns,
}


def to_dict(features: Features) -> dict[str, Any]:
    """Plain data for a manifest."""
    kind = next(name for name, made in _KINDS.items() if isinstance(features, made))
    return {"kind": kind, **asdict(features)}


def from_dict(data: Mapping[str, Any]) -> Features:
    """The inverse of :func:`to_dict`. Raises ``ValueError`` for an unknown kind or field, and for bad figures."""
    given = dict(data)
    kind = given.pop("kind", None)
    _require(kind in _KINDS, "kind", kind, f"one of {', '.join(_KINDS)}")
    made = _KINDS[str(kind)]
    known = {f.name for f in fields(made)}
    for name in given:
        _require(name in known, "field", name, f"one of {', '.join(sorted(known))}")
    try:
        features: Features = made(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})
    except TypeError as error:
        raise ValueError(f"features {kind}: {error}") from None
    return features


def _require(ok: bool, field: str, value: object, allowed: str) -> None:
    if not ok:
        raise ValueError(f"features {field} is {value!r}: give {allowed}")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _counts(made: object, *names: str) -> None:
    for name in names:
        value = getattr(made, name)
        _require(_whole(value) and 1 <= value <= MOST, name, value, f"a whole number in 1..{MOST}")


def _finite(made: object, *names: str) -> None:
    for name in names:
        value = getattr(made, name)
        _require(isinstance(value, int | float) and math.isfinite(value), name, value, "a finite number")
    _require(getattr(made, "std", 1.0) > 0, "std", getattr(made, "std", 1.0), "a number > 0")


def _shape(shape: Sequence[int], elements: int) -> None:
    _require(bool(shape) and all(_whole(n) and n >= 1 for n in shape), "shape", shape, "whole numbers >= 1")
    _require(math.prod(shape) == elements <= MOST, "shape", shape, f"{elements} elements, at most {MOST}")
