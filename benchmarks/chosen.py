"""The options of a benchmark whose cells lie along axes - targets, models, kinds - of each of which some are chosen."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Chosen:
    """of: axis -> what was chosen of it, in the order given. show: make nothing. write: what is kept, into pages."""

    of: Mapping[str, Sequence[str]]
    show: bool
    write: bool


def chosen(
    name: str,
    tells: str,
    epilog: str,
    axes: Mapping[str, Collection[str]],
    pages: str,
    arguments: Sequence[str] | None = None,
    shown: str = "the table",
) -> Chosen | None:
    """What ``arguments`` of ``python -m benchmarks.NAME`` choose; None, and one line, where a word is of no axis.

    tells, epilog: what the help says. axes: option -> all that it may name, which it does where it is not given. pages:
    which --write writes. shown: what --show shows.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=tells, epilog=epilog)
    for axis, all_of in axes.items():
        parser.add_argument(f"--{axis}", default=",".join(all_of), help="with commas between")
    parser.add_argument("--show", action="store_true", help=f"only {shown} of what is there")
    parser.add_argument("--write", action="store_true", help=f"all that is kept, into {pages}")
    given = parser.parse_args(arguments)
    of = {axis: getattr(given, axis).split(",") for axis in axes}
    for axis, words in of.items():
        for word in words:
            if word not in axes[axis]:
                some = ", ".join(axes[axis])
                print(f"benchmarks.{name}: --{axis} is {word}: give some of {some}", file=sys.stderr)
                return None
    return Chosen(of, given.show, given.write)
