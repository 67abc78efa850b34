"""Profiles as tables: the built-in TOML files, the user's own, and the machine this runs on."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

from selvedge.device import measure
from selvedge.errors import InvalidInput

THIS_MACHINE = "this-machine"


def devices() -> tuple[str, ...]:
    """The names that ``Device.load`` knows, sorted; "this-machine" last."""
    files = (file.name for file in resources.files("selvedge.device").joinpath("profiles").iterdir())
    return (*sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml")), THIS_MACHINE)


def read(name: str | Path) -> dict[str, Any]:
    """The table of a built-in name, of a ``.toml`` file, or of this machine. Raises :class:`InvalidInput`."""
    if not isinstance(name, str | Path):
        raise InvalidInput("device", f"of type {type(name).__name__}", "give a profile's name or path")
    if "\0" in str(name):
        raise InvalidInput("device", str(name).replace("\0", "\\0"), "a name has no zero byte: give another")
    if name == THIS_MACHINE:
        return measure.this_machine()
    if isinstance(name, Path) or name.endswith(".toml"):
        return _parse(str(name), Path(name))
    if name not in devices():
        near = _near(name, (*devices(), *_beside(Path(name))))
        fix = f"choose one of {', '.join(devices())}, or give the path of a .toml profile"
        raise InvalidInput("device", name, near + fix)
    file = resources.files("selvedge.device").joinpath("profiles", f"{name}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _near(name: str, known: Iterable[str]) -> str:
    """ "did you mean ...? " where the last part of one of ``known`` is spelt much like that of ``name``, else ""."""
    spelt = {Path(one).name.lower(): one for one in known}
    found = get_close_matches(Path(name).name.lower(), spelt, n=1)
    return f"did you mean {spelt[found[0]]}? " if found else ""


def _beside(path: Path) -> list[str]:
    """The .toml files in the folder where ``path`` would be, as paths."""
    try:
        return sorted(str(file) for file in path.parent.iterdir() if file.suffix == ".toml")
    except OSError:
        return []


def _parse(name: str, path: Path) -> dict[str, Any]:
    try:
        return {"name": path.stem} | tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        near = _near(str(path), _beside(path)) if isinstance(error, FileNotFoundError) else ""
        fix = f"{near}give the path of a readable .toml profile ({error.strerror})"
        raise InvalidInput("device", name, fix) from None
    except UnicodeDecodeError:
        raise InvalidInput("device", name, "it is no text in UTF-8, which TOML is: save it so") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput("device", name, f"mend the TOML: {error}") from None
