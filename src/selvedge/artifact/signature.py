"""The order in which a program of an artifact takes and gives arrays, for runtimes that know no names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from .manifest import Manifest

FILE = "signature.json"


@dataclass(frozen=True, slots=True)
class Signature:
    """takes: inputs and state arrays. gives: results, and state arrays that are new."""

    takes: tuple[str, ...]
    gives: tuple[str, ...]


def written(signatures: Mapping[str, Signature]) -> bytes:
    """By program, as the file holds it."""
    found = {name: {"takes": s.takes, "gives": s.gives} for name, s in signatures.items()}
    return json.dumps(found, indent=1, sort_keys=True).encode()


def read(contents: Mapping[str, bytes], manifest: Manifest) -> dict[str, Signature]:
    """Those of the manifest's programs. Raises ``ValueError`` where the file does not go together with it."""
    if FILE not in contents:
        raise ValueError(f"{FILE} is missing")
    found = json.loads(contents[FILE])
    made = {}
    for name, program in manifest.programs.items():
        takes, gives = (tuple(map(str, found[name][way])) for way in ("takes", "gives"))
        for way, names, ports in (("takes", takes, program.inputs), ("gives", gives, program.outputs)):
            odd = [n for n in names if n not in ports and n not in manifest.state]
            odd += [n for n in ports if n not in names]
            if odd or len(set(names)) != len(names):
                why = ", ".join(odd) or "twice the same"
                raise ValueError(f"{FILE}: what {name} {way} is not what the manifest says ({why})")
        made[name] = Signature(takes, gives)
    return made
