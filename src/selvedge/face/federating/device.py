"""``selvedge federate join`` on a small device: a plain line is read here, and typer, click and rich, which take three
megabytes, are not loaded. Any other line - help, a wrong option, --debug - is the full command line's."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

# How Python is started for a device: docstrings, numpy's above all, and the columns of tracebacks are two megabytes.
BARE = ("-OO", "-X", "no_debug_ranges")
VALUES = (
    "--store", "--data", "--device", "--name", "--credential", "--pkcs11", "--pin-file", "--members", "--budget"
)  # fmt: skip
FLAGS = ("--enrol", "--renew", "--json")


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``selvedge federate join ARGUMENTS``; exit codes as everywhere."""
    given = list(sys.argv[3:] if arguments is None else arguments)
    values = words(given)
    if values is None:
        from ..cli import main as full

        full(["federate", "join", *given] if arguments is not None else None)
        return
    if arguments is None:
        start_bare()
    try:
        from .joining import Line, run

        paths = {o: Path(values[o]) for o in ("--device", "--credential", "--pin-file") if o in values}
        line = Line(
            Path(values["--store"]), values.get("URL"), values.get("--data"), paths.get("--device"),
            values.get("--name"), "--enrol" in values, "--json" in values, "--renew" in values,
            paths.get("--credential"), values.get("--pkcs11"), paths.get("--pin-file"), values.get("--members"),
            values.get("--budget"),
        )  # fmt: skip
        code, how = run(line)
    except (Exception, KeyboardInterrupt) as error:
        from ..cli import ended

        code = ended(error, as_json="--json" in values)
    else:
        if how:
            print(f"selvedge: {how}", file=sys.stderr, flush=True)
    if code == 130 and arguments is None:
        os._exit(130)
    raise SystemExit(code)


def start_bare() -> None:
    """Start Python again, in this process, as :data:`BARE` says, where it was not started so and the line is its own.
    What else was asked of it, options and environment, stays as it is."""
    own = sys.orig_argv[-len(sys.argv[1:]) :] == sys.argv[1:]
    bare = sys.orig_argv[1 : 1 + len(BARE)] == list(BARE)  # nobody is started twice
    if own and not bare and sys.platform == "linux" and sys.executable:
        # A library of matrices that no device multiplies here would begin a thread for each core.
        around = {"OPENBLAS_NUM_THREADS": "1", **os.environ}
        os.execve(sys.executable, [sys.executable, *BARE, *sys.orig_argv[1:]], around)


def words(given: Sequence[str]) -> dict[str, str] | None:
    """By option what was given, "" for one that takes nothing, and the URL; None for what is no plain line."""
    found: dict[str, str] = {}
    rest = iter(given)
    for word in rest:
        option, equals, value = word.partition("=")
        if not equals and option in VALUES:
            value = next(rest, "-")
        if option in VALUES and not value.startswith("-"):
            found[option] = value
        elif word in FLAGS:
            found[word] = ""
        elif not word.startswith("-") and "URL" not in found:
            found["URL"] = word
        else:
            return None
    return found if "--store" in found else None
