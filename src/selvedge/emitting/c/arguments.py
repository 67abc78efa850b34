"""What a row of the C target's lowering table is given, and the pieces of C that rows share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...planning.kernel import Kernel


@dataclass(frozen=True, slots=True)
class Arguments:
    """C expressions for one call. ``dtype``: of its first result; ``out``: where the call writes (a tile or a whole
    array); ``scratch``: behind any tile; first/last: the range of tile units; ``zeros``: a row of zero reals in flash.
    """

    kernel: Kernel
    dtype: str
    reads: Sequence[str]
    writes: Sequence[str]
    out: str
    scratch: str
    first: str
    last: str
    zeros: str

    @property
    def params(self) -> Mapping[str, Any]:
        return self.kernel.params


@dataclass(frozen=True, slots=True)
class Row:
    """headers: native files to include. lines(arguments): declarations and the call."""

    header: str
    lines: Callable[[Arguments], list[str]]
    zeros: Callable[[Mapping[str, Any]], int] = lambda params: 0


CONV_FIELDS = ("n", "h", "w", "c", "oh", "ow", "k", "kh", "kw", "sh", "sw", "ph", "pw", "dh", "dw", "groups")


def table(name: str, kind: str, values: Sequence[int]) -> str:
    """A constant array."""
    return f"static const {kind} {name}[] = {{{', '.join(map(str, values))}}};"


def windows(params: Mapping[str, Any]) -> list[str]:
    """The windows of a pool: wh and ww."""
    both = (("wh", params["windows_h"]), ("ww", params["windows_w"]))
    return [table(name, "sv_window", [n for window in given for n in window]) for name, given in both]
