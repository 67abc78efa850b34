"""What a device is given beforehand, by hand: which run, where, whose word counts, and the model to train.

FOLDER/invitation.json   run, url, the server's public key, the profile, the authority's first key; of a masked run
                         what it promises, and which of all runs of its name it is; of a private one what it promises
FOLDER/certificate.pem   what vouches for the server; absent: the system's authorities
FOLDER/model/            the artifact
FOLDER/members.txt       of a masked run that no authority vouches for: the devices that take part in it
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..artifact import files
from ..errors import InvalidInput
from .keys import PUBLIC

if TYPE_CHECKING:
    from .masked import Masked
    from .masking.demands import Demands
    from .privacy.settings import Privacy

FILE, CERTIFICATE, MODEL = "invitation.json", "certificate.pem", "model"
MEMBERS = "members.txt"  # of a masked run without an authority: whom its devices believe, as allowed.txt has them


@dataclass(frozen=True, slots=True)
class Invitation:
    """``server``: its public key, in hexadecimal; ``authority``: of who vouches for devices, "" where nobody does.
    ``masked``: THRESHOLD:COVERED:MEMBERS of a run whose server learns sums alone, "" of one that is not: a device that
    has joined a masked run sends no change by itself, whatever it is asked. ``begun``: of a masked run, which of all of
    this name it is: a device answers for that one alone. ``privacy``: of a private run, what its devices are promised,
    as JSON (:func:`private`), "" of another: what is their part of that they do, whatever they are asked."""

    run: str
    url: str
    server: str
    profile: str
    authority: str = ""
    masked: str = ""
    begun: str = ""
    privacy: str = ""

    @property
    def promise(self) -> Privacy | None:
        """How much is told of a device at the most; None of a run that adds no noise. Raises ``ValueError``."""
        if not self.privacy:
            return None
        from .privacy.settings import Privacy  # a device of another run is to have the memory

        return Privacy(**json.loads(self.privacy))

    @property
    def demands(self) -> Demands | None:
        """What a device of a masked run demands of each group; None of another run. Raises ``ValueError``."""
        if not self.masked:
            return None
        from .masked import MOST, Masked  # a device of another run is to have the memory

        threshold, covered, members = self.masked.split(":")
        made = Masked(group=MOST, threshold=cast(Any, threshold), covered=int(covered), members=int(members))
        if not self.begun.startswith(f"{self.run}/"):
            raise ValueError("a masked run that does not say which it is")
        said = rules(self.server, self.authority, self.masked)
        return replace(made.demands, run=self.begun, rules=said)

    def write(self, folder: Path, certificate: str | None) -> None:
        if certificate is not None:
            files.write(folder / CERTIFICATE, certificate.encode())
        files.write(folder / FILE, (json.dumps(asdict(self), indent=1) + "\n").encode())


def promised(masked: Masked) -> str:
    """:attr:`Invitation.masked` of a run."""
    return f"{masked.threshold}:{masked.covered}:{masked.members}"


def private(privacy: Privacy | None) -> str:
    """:attr:`Invitation.privacy` of a run."""
    return "" if privacy is None else json.dumps(asdict(privacy), sort_keys=True)


def rules(server: str, authority: str, masked: str) -> str:
    """What the devices of a masked run were invited to, as the terms of its rounds have it: SHA-256, in hexadecimal, of
    these fields of an invitation. Devices that were promised different things are in no round together."""
    return hashlib.sha256(json.dumps([server, authority, masked]).encode()).hexdigest()


def read(folder: Path) -> Invitation:
    """Raises ``InvalidInput`` for a folder that is none."""
    path = folder / FILE
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        made = Invitation(**{f.name: given[f.name] for f in fields(Invitation) if f.name in given})
        if not all(isinstance(v, str) for v in asdict(made).values()) or len(bytes.fromhex(made.server)) != PUBLIC:
            raise ValueError("a field of another type")
        if made.authority and len(bytes.fromhex(made.authority)) != PUBLIC:
            raise ValueError("an authority that is no key")
        _ = made.demands, made.promise  # that they can be read
    except FileNotFoundError:
        fix = "it holds no invitation.json: name the folder that selvedge federate serve has written for such devices"
        raise InvalidInput("--device", str(folder), fix) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput("--device", str(folder), f"its {FILE} cannot be read ({error})") from None
    return made
