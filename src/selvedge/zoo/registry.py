"""The zoo's rows, and the way from ``NAME[?key=value&...]`` to a module."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import nn

from selvedge.errors import InvalidInput
from selvedge.zoo.convolution import NORMS, PADDINGS
from selvedge.zoo.deep_autoencoder import DeepAutoencoder
from selvedge.zoo.ds_cnn import DSCNN
from selvedge.zoo.mobilenet_v1 import MobileNetV1
from selvedge.zoo.mobilenet_v2 import MobileNetV2
from selvedge.zoo.resnet8 import ResNet8


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a model: its default (whose type is the option's), and what is allowed.

    A string takes one of ``choices``; a number lies in [``least``, ``most``].
    """

    default: int | float | str
    least: float = 0.0
    most: float = math.inf
    choices: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.choices:
            return "|".join(self.choices)
        bounds = f" from {self.least:g}" + (f" to {self.most:g}" if self.most < math.inf else "")
        return type(self.default).__name__ + bounds

    def parse(self, field: str, text: str) -> int | float | str:
        """The value that ``text`` writes; :class:`InvalidInput` naming ``field`` if it is none."""
        if self.choices:
            if text in self.choices:
                return text
            raise InvalidInput(field, text, f"write one of {', '.join(self.choices)}")
        try:
            value = type(self.default)(text)
        except ValueError:
            raise InvalidInput(field, text, f"write {self}") from None
        if not self.least <= value <= self.most:  # type: ignore[operator]  # an int may be beyond every float
            raise InvalidInput(field, text, f"write {self}")
        return value


@dataclass(frozen=True, slots=True)
class Entry:
    """One architecture. ``input_shape`` is without the batch axis, at the default options.

    An option ``resolution`` replaces the last two axes of the input; every other option goes to ``factory``.
    """

    name: str
    factory: Callable[..., nn.Module]
    options: Mapping[str, Option]
    input_shape: tuple[int, ...]
    loss: str
    source: str

    @property
    def defaults(self) -> dict[str, int | float | str]:
        return {key: option.default for key, option in self.options.items()}

    @property
    def classes(self) -> int | None:
        """Classes at the default options; None where the output is not a class."""
        option = self.options.get("classes")
        return None if option is None else int(option.default)


def _options(**rows: Option) -> Mapping[str, Option]:
    return MappingProxyType(rows)


MOST_CLASSES, MOST_PIXELS = 100_000, 8192
_NORM = Option("batch", choices=NORMS)
_PADDING = Option("symmetric", choices=PADDINGS)

_ROWS = (
    Entry(
        "resnet8", ResNet8, _options(classes=Option(10, 2, MOST_CLASSES), norm=_NORM, padding=_PADDING),
        (3, 32, 32), "cross_entropy", "arXiv:2106.07597",
    ),
    Entry(
        "ds_cnn", DSCNN, _options(classes=Option(12, 2, MOST_CLASSES), norm=_NORM, padding=_PADDING),
        (1, 49, 10), "cross_entropy", "arXiv:1711.07128",
    ),
    Entry(
        "mobilenet_v1_025", MobileNetV1,
        _options(
            width=Option(0.25, 1 / 32, 8.0), resolution=Option(96, 1, MOST_PIXELS),
            classes=Option(2, 2, MOST_CLASSES), norm=_NORM, padding=_PADDING,
        ),
        (3, 96, 96), "cross_entropy", "arXiv:1704.04861",
    ),
    Entry(
        "deep_autoencoder", DeepAutoencoder, _options(norm=_NORM),
        (640,), "reconstruction", "arXiv:2006.05822",
    ),
    Entry(
        "mobilenet_v2", MobileNetV2,
        _options(
            width=Option(1.0, 1 / 32, 8.0), resolution=Option(224, 1, MOST_PIXELS),
            classes=Option(1000, 2, MOST_CLASSES), norm=_NORM, dropout=Option(0.2, 0.0, 1.0),
        ),
        (3, 224, 224), "cross_entropy", "arXiv:1801.04381",
    ),
)  # fmt: skip

ENTRIES: Mapping[str, Entry] = MappingProxyType({row.name: row for row in _ROWS})


def names() -> tuple[str, ...]:
    """The names that :func:`make` accepts, sorted."""
    return tuple(sorted(ENTRIES))


def entry(name: str) -> Entry:
    """The row of one architecture; :class:`InvalidInput` lists the names if there is none."""
    if name not in ENTRIES:
        raise InvalidInput("model", name, f"choose one of {', '.join(names())}")
    return ENTRIES[name]


def parse(spec: str) -> tuple[Entry, dict[str, int | float | str]]:
    """``NAME[?key=value&...]`` -> the row and its options, defaults filled in, or :class:`InvalidInput`."""
    name, asked, query = spec.partition("?")
    row = entry(name)
    options = row.defaults
    seen: set[str] = set()
    for pair in query.split("&") if asked else ():
        key, given, text = pair.partition("=")
        if not key or not given:
            raise InvalidInput("model", spec, "write the options as NAME?key=value&key=value")
        if key not in row.options:
            known = ", ".join(f"{key} ({option})" for key, option in row.options.items())
            raise InvalidInput(f"{name} option", key, f"choose one of {known}")
        if key in seen:
            raise InvalidInput(f"{name} option", key, "give it once")
        seen.add(key)
        options[key] = row.options[key].parse(f"{name} option {key}", text)
    return row, options


def make(spec: str, seed: int = 0) -> tuple[nn.Module, torch.Tensor, str]:
    """Build ``NAME[?key=value&...]`` with weights drawn from ``seed``.

    Returns the module (float32, in training mode), an example input (float32, batch 1, standard normal,
    NCHW for images), and the name of its loss. PyTorch's global random state is left as it was. Raises
    :class:`InvalidInput` for an unknown model or option, or a bad value.
    """
    row, options = parse(spec)
    shape = row.input_shape
    if "resolution" in options:
        side = int(options.pop("resolution"))
        shape = (shape[0], side, side)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return row.factory(**options), torch.randn(1, *shape), row.loss
    except RuntimeError as error:  # torch's word for a tensor that no memory holds
        raise InvalidInput("model", spec, f"torch cannot build it ({str(error).splitlines()[0]})") from None
