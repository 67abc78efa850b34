"""An authority: a folder on a machine that is not the server's. It says which public keys are devices', and keeps a
ledger of that; whoever serves a run is given what it publishes, and can make no device.

authority.key or authority.pkcs11   its private key, or where that is
ledger.jsonl                        every act, signed; all below is made of it
authority.pem                       what it publishes: for `selvedge federate serve --authority`
credentials/NAME.pem                the newest of each device, to be brought to it
devices.txt                         a list for people
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...artifact import files
from ...errors import InvalidInput
from ..keys import Signer
from ..message import Refused
from . import armour, credential, request, revocations, succession
from .credential import Credential
from .keeping import Keeping, Pin
from .ledger import Ledger, held
from .published import SUCCESSIONS, Published
from .register import Register
from .request import Request

DAY = 86400
LEDGER, PUBLISHED, CREDENTIALS, DEVICES, STEM = (
    "ledger.jsonl",
    "authority.pem",
    "credentials",
    "devices.txt",
    "authority",
)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A device as the ledger has it. ``state``: counts, ended, or revoked and why."""

    name: str
    public: bytes
    profile: str
    serial: int
    begins: int
    ends: int
    state: str


class Authority:
    """The authority of ``folder``, alone with it: :func:`opened` and :func:`begun` give one, and at their end write all
    that is made of its ledger. ``now``: seconds since 1970, whole."""

    def __init__(self, folder: Path, ledger: Ledger, keys: Keeping, now: int) -> None:
        self.folder, self._ledger, self._keys, self._now = folder, ledger, keys, now
        self._signer: Signer | None = None

    @property
    def register(self) -> Register:
        return self._ledger.register

    @property
    def head(self) -> str:
        """SHA-256 of the newest line of the ledger, in hexadecimal: whoever has noted it sees that none was lost."""
        return self._ledger.head

    def published(self) -> Published:
        return self.register.published()

    def devices(self) -> list[Enrolled]:
        """All that ever were, in the order in which they were enrolled."""
        found = []
        for serial, c in self.register.credentials.items():
            at, why = self.register.revoked.get(serial, (0, ""))
            state = f"revoked {day(at)}: {why}" if at else "ended" if self._now >= c.ends else "counts"
            found.append(Enrolled(c.name, c.public, c.profile, serial, c.begins, c.ends, state))
        return found

    def sign(self, asked: bytes, days: int, life: int) -> Credential:
        """Enrol the device that made a request, or renew its credential, which then counts ``days`` days. One of
        another key of the same device does not count any more. life: days within which a newer list of revocations is
        to follow, where one is made. Raises ``InvalidInput``."""
        if days < 1:
            raise InvalidInput("--days", days, "give a whole number >= 1")
        try:
            found = request.read(asked)
        except Refused as error:
            raise InvalidInput("request", "not usable", f"it is {error}: make it anew, by join --enrol") from None
        earlier = self._earlier(found)
        made = credential.made(
            found.name, found.public, found.profile, self.register.next_serial, self._now - DAY,
            self._now + days * DAY, self._key(),
        )  # fmt: skip
        body: dict[str, Any] = {"credential": made.data.hex()}
        if earlier:
            body |= {"revoked": earlier, "why": "another key followed", **self._listed(life, earlier)}
        self._act("enrolled", body)
        return made

    def revoke(self, names: Sequence[str], why: str, life: int) -> list[int]:
        """The credentials of these devices do not count any more; of none, the list is dated anew. The serials.
        Raises ``InvalidInput``."""
        serials: list[int] = []
        for name in names:
            of = [s for s, c in self.register.credentials.items() if c.name == name and s not in self.register.revoked]
            if not of:
                raise InvalidInput("device", name, "it is not enrolled, or revoked already: see devices.txt")
            serials += [s for s in of if s not in serials]
        body = self._listed(life, serials)
        self._act("revoked" if serials else "listed", {**({"revoked": serials, "why": why} if serials else {}), **body})
        return serials

    def rotate(self, grace: int, life: int, uri: str | None = None) -> bytes:
        """Another key signs from now on; what the old one signed counts for ``grace`` days. The new public key.
        uri: where it is, of a key in a module. Raises ``InvalidInput``."""
        if grace < 0:
            raise InvalidInput("--grace", grace, "give a whole number >= 0")
        if len(self.register.successions) >= SUCCESSIONS:
            raise InvalidInput("authority", str(self.folder), f"it has had {SUCCESSIONS} keys: begin another")
        old, new = self._key(), self._keys.next(uri)
        number = len(self.register.successions) + 1
        followed = succession.made(number, self._now, self._now + grace * DAY, old, new)
        self._ledger.add(
            self._now, "rotated", {"succession": followed.data.hex(), **self._listed(life, (), new)}, old
        )  # fmt: skip
        self._keys.advance()
        self._signer = None
        return new.public

    def write(self) -> None:
        """All that is made of the ledger, where it is not as the ledger has it: also what a crash has kept from it."""
        _put(self.folder / PUBLISHED, armour.wrapped(armour.AUTHORITY, self.published().packed()))
        live = self.register.live(self._now)
        for name in {c.name for c in self.register.credentials.values()}:
            path = self.folder / CREDENTIALS / f"{name}.pem"
            if name in live:
                _put(path, armour.wrapped(armour.CREDENTIAL, live[name].data))
            else:
                path.unlink(missing_ok=True)
        lines = [f"# authority {self.register.root.hex()}; made of the ledger: what is written here changes nothing"]
        lines += [" ".join(filter(None, (e.name, e.public.hex(), e.profile))) + _about(e) for e in self.devices()]
        _put(self.folder / DEVICES, "\n".join(lines) + "\n")

    def _key(self) -> Signer:
        if self._signer is None:
            self._signer = self._keys.present()
            if self._signer.public != self.register.key:
                fix = f"its ledger is of the key {self.register.key.hex()[:16]}...: take that key from its copy"
                raise InvalidInput("authority", str(self.folder), fix)
        return self._signer

    def _earlier(self, found: Request) -> list[int]:
        """The serials that a new credential takes the place of. Raises ``InvalidInput`` for who may have none."""
        for serial, c in self.register.credentials.items():
            if c.public == found.public and serial in self.register.revoked:
                fix = "its key was revoked: let it make another, by join --enrol --renew"
                raise InvalidInput("device", found.name, fix)
            if c.public == found.public and c.name != found.name:
                raise InvalidInput("device", found.name, f"its key is that of {c.name}: each device has its own")
        others = {
            s: c for s, c in self.register.credentials.items()
            if c.name == found.name and c.public != found.public and s not in self.register.revoked
        }  # fmt: skip
        if any(c.public != found.before for c in others.values()):
            fix = "another key has this name, and has not signed this: revoke it first if the device was lost"
            raise InvalidInput("device", found.name, fix)
        return sorted(others)

    def _listed(self, life: int, more: Sequence[int], key: Signer | None = None) -> dict[str, str]:
        if life < 1:
            raise InvalidInput("--list-days", life, "give a whole number >= 1")
        now, had = self._now, self.register.revocations
        serials = [*self.register.serials(now), *(s for s in more if now < self.register.credentials[s].ends)]
        number = 1 if had is None else had.number + 1
        return {"list": revocations.made(number, now, now + life * DAY, serials, key or self._key()).data.hex()}

    def _act(self, event: str, body: dict[str, Any]) -> None:
        self._ledger.add(self._now, event, body, self._key())

    def take_up(self) -> None:
        """What an end in the middle of a rotation has left: the ledger says which key signs."""
        following = self._keys.following()
        if following is not None and following.public == self.register.key:
            self._keys.advance()
        elif following is not None:
            self._keys.give_up()


@contextmanager
def opened(folder: Path, now: int, pin: Pin) -> Iterator[Authority]:
    """The authority of ``folder``. Raises ``InvalidInput`` where there is none."""
    if not (folder / LEDGER).is_file():
        raise InvalidInput("authority", str(folder), "there is none: selvedge federate authority init makes one")
    with held(folder), closing(Keeping(folder, STEM, pin)) as keys:
        found = Authority(folder, Ledger(folder / LEDGER), keys, now)
        found.take_up()
        try:
            yield found
        finally:
            found.write()


@contextmanager
def begun(folder: Path, now: int, pin: Pin, life: int, uri: str | None = None) -> Iterator[Authority]:
    """A new authority in ``folder``. Raises ``InvalidInput`` where there is one."""
    if (folder / LEDGER).exists():
        raise InvalidInput("authority", str(folder), "there is one already: name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise files.unwritable(folder, error) from None
    with held(folder), closing(Keeping(folder, STEM, pin)) as keys:
        key = keys.present(uri)
        ledger = Ledger(folder / LEDGER)
        listed = revocations.made(1, now, now + life * DAY, (), key)
        ledger.add(now, "began", {"key": key.public.hex(), "list": listed.data.hex()}, key)
        made = Authority(folder, ledger, keys, now)
        try:
            yield made
        finally:
            made.write()


def _put(path: Path, text: str) -> None:
    if not path.exists() or path.read_bytes() != text.encode():
        files.write(path, text.encode())


def day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _about(e: Enrolled) -> str:
    return f"  # serial {e.serial}, {day(e.begins)} to {day(e.ends)}, {e.state}"
