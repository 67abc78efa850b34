"""Every detector by the name that a command line gives it."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from types import MappingProxyType

from ...errors import InvalidInput
from .adwin import ADWIN
from .ddm import DDM
from .detector import Detector
from .kswin import KSWIN
from .page_hinkley import PageHinkley

DETECTORS: Mapping[str, type[Detector]] = MappingProxyType(
    {"page-hinkley": PageHinkley, "adwin": ADWIN, "kswin": KSWIN, "ddm": DDM}
)


def detector(text: str) -> Detector:
    """Read "page-hinkley", or "page-hinkley:threshold=20,mode=up". Raises ``InvalidInput``."""
    name, colon, rest = (part.strip() for part in text.partition(":"))
    if name not in DETECTORS:
        raise InvalidInput("detector", name, f"give one of {', '.join(DETECTORS)}")
    known = {n: p.annotation for n, p in signature(DETECTORS[name]).parameters.items() if p.annotation in _READ}
    given: dict[str, object] = {}
    for part in rest.split(",") if colon else ():
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if key not in known or not equals or key in given:
            fix = f"behind the colon give each once, as {next(iter(known))}=..., of {', '.join(known)}"
            raise InvalidInput(f"detector {name}", part.strip(), fix)
        try:
            given[key] = _READ[known[key]](value)
        except ValueError:
            raise InvalidInput(f"{name} {key}", value, f"give a number ({known[key]})") from None
    made: Detector = DETECTORS[name](**given)
    return made


_READ = MappingProxyType({"int": int, "float": float, "str": str})  # by what the constructor says of itself
