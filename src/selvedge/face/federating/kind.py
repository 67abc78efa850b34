"""Kinds of device, as the command line names them: a profile, and where it is given a model of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...device import Device
from ...device.profile import THIS_MACHINE
from ...errors import InvalidInput
from .. import named


@dataclass(frozen=True, slots=True)
class Kind:
    """``profile``: a name or a .toml path. ``model``: narrower than the run's, "" for that itself. ``name``: short."""

    name: str
    profile: str
    model: str


def kinds(given: Sequence[str], shape: str | None) -> tuple[Kind, ...]:
    """Of ``NAME`` and ``NAME=MODEL``, each once; the first is of the whole model. Raises ``InvalidInput``."""
    made: list[Kind] = []
    for text in given:
        profile, equals, model = text.partition("=")
        if equals:
            named.read(model, shape if model.rpartition(":")[0].endswith(".py") else None)
        # This machine is measured where it is planned for.
        name = profile if profile == THIS_MACHINE else Device.load(profile).name
        if any(k.name == name for k in made):
            raise InvalidInput("--device", text, "name each kind of device once")
        made.append(Kind(name, profile, model))
    if all(k.model for k in made):
        raise InvalidInput("--device", given[0], "at least one kind of device has the whole model: give NAME alone")
    return tuple(sorted(made, key=lambda k: bool(k.model)))
