"""What the zoo knows of one architecture."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from selvedge.errors import InvalidInput

Value = int | float | str

# Options that shape the example and that no factory takes: these networks are made for any of them.
FREE = ("resolution", "length")


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a model: its default (whose type is the option's), and what is allowed.

    A string takes one of ``choices``; a number lies in [``least``, ``most``].
    """

    default: Value
    least: float = 0.0
    most: float = math.inf
    choices: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.choices:
            return "|".join(self.choices)
        bounds = f" from {self.least:g}" + (f" to {self.most:g}" if self.most < math.inf else "")
        return type(self.default).__name__ + bounds

    def parse(self, field: str, text: str) -> Value:
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
    """One architecture. ``shape``: the input's, without the batch axis; an axis may be the name of an option.

    Options in ``FREE`` shape the example alone; every other goes to ``factory``. ``tokens``: the option that says how
    many tokens there are, where the input is tokens and not numbers.
    """

    name: str
    factory: Callable[..., nn.Module]
    options: Mapping[str, Option]
    shape: tuple[int | str, ...]
    loss: str
    source: str
    tokens: str | None = None

    @property
    def defaults(self) -> dict[str, Value]:
        return {key: option.default for key, option in self.options.items()}

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of the input without the batch axis, at the default options."""
        return self.shape_of(self.defaults)

    @property
    def classes(self) -> int | None:
        """Classes at the default options; None where the output is not a class."""
        option = self.options.get("classes")
        return None if option is None else int(option.default)

    def shape_of(self, options: Mapping[str, Value]) -> tuple[int, ...]:
        """The input's without the batch axis."""
        return tuple(int(options[axis]) if isinstance(axis, str) else axis for axis in self.shape)

    def make(self, options: Mapping[str, Value]) -> tuple[nn.Module, torch.Tensor]:
        """The module and an example [1, ...], both drawn from torch's global generator: standard normal float32, or
        int32 tokens, uniform."""
        module = self.factory(**{key: value for key, value in options.items() if key not in FREE})
        shape = (1, *self.shape_of(options))
        if self.tokens is None:
            return module, torch.randn(shape)
        return module, torch.randint(int(options[self.tokens]), shape, dtype=torch.int32)
