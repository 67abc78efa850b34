"""`selvedge federate authority init|sign|revoke|rotate|list`: on a machine of its own, which no run is served from."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import InvalidInput
from ...federate.refused import Refused
from ..commands import options
from .pin import pin

# What signs is loaded by the commands that do: the command line starts where there is no libsodium.
if TYPE_CHECKING:
    from ...federate.identity.authority import Authority
    from ...federate.identity.request import Request

app = typer.Typer(
    no_args_is_help=True,
    help="Who may take part, said apart from whoever serves a run: a folder whose key signs credentials of devices.",
)

Folder = Annotated[Path, typer.Argument(help="The authority's folder: on no machine that serves a run.")]
Pkcs11 = Annotated[
    str | None,
    typer.Option("--pkcs11", help="Make the key in a module: pkcs11:token=T;object=NAME?module-path=/usr/lib/M.so."),
]
PinFile = Annotated[
    Path | None, typer.Option("--pin-file", help="Holds the token's PIN, mode 600; without, it is asked for.")
]
ListDays = Annotated[int, typer.Option("--list-days", help="Days within which a newer list of revocations follows.")]


@app.command()
def init(
    folder: Folder, list_days: ListDays = 30, pkcs11: Pkcs11 = None, pin_file: PinFile = None,
    as_json: options.Json = False,
) -> None:  # fmt: skip
    """Make an authority: its key, its ledger, and what it publishes."""
    from ...federate.identity.authority import PUBLISHED, begun

    if list_days < 1:
        raise InvalidInput("--list-days", list_days, "give a whole number >= 1")
    with begun(folder, _now(), pin(pin_file), list_days, pkcs11) as made:
        root = made.register.root.hex()
        said = (
            f"authority {root}\n{folder / PUBLISHED} is for whoever serves a run: serve ... --authority {PUBLISHED}\n"
            "a device of that run prints this key too: compare them"
        )
        _say(as_json, said, {"authority": root, "published": str(folder / PUBLISHED), "head": made.head})


@app.command()
def sign(
    folder: Folder,
    requests: Annotated[list[Path], typer.Argument(help="What join --enrol has written: request.pem, of each device.")],
    days: Annotated[int, typer.Option("--days", help="That a credential counts.")] = 365,
    yes: Annotated[bool, typer.Option("--yes", help="The keys were compared with what each device printed.")] = False,
    list_days: ListDays = 30,
    pin_file: PinFile = None,
    as_json: options.Json = False,
) -> None:
    """Enrol devices, or renew their credentials: each is shown, and its key is to be compared with what it printed."""
    from ...federate.identity.authority import CREDENTIALS, day, opened

    asked = [(path, *_request(path)) for path in requests]
    for _, _, found in asked:
        print(f"{found.name} {found.public.hex()} {found.profile}".rstrip(), file=sys.stderr, flush=True)
    if not yes:
        if not sys.stdin.isatty():
            raise InvalidInput("--yes", "missing", "compare each key with what its device printed, then give it")
        typer.confirm("are these the keys that the devices printed?", abort=True, err=True)
    made = []
    with opened(folder, _now(), pin(pin_file)) as authority:
        for path, data, _ in asked:
            try:
                signed = authority.sign(data, days, list_days)
            except InvalidInput as error:
                raise InvalidInput(f"{path.name}: {error.field}", error.value, error.fix) from None
            made.append(signed)
            if not as_json:
                place = folder / CREDENTIALS / f"{signed.name}.pem"
                typer.echo(f"{signed.name}: serial {signed.serial}, until {day(signed.ends)}: bring it {place}")
    if as_json:
        typer.echo(json.dumps([{"name": c.name, "serial": c.serial, "ends": c.ends} for c in made]))


@app.command()
def revoke(
    folder: Folder,
    names: Annotated[list[str] | None, typer.Argument(help="Devices; none: only date the list anew.")] = None,
    why: Annotated[str, typer.Option("--why", help="For the ledger, in a line.")] = "no reason given",
    list_days: ListDays = 30,
    pin_file: PinFile = None,
    as_json: options.Json = False,
) -> None:
    """Put devices out: bring the new list to whoever serves a run, where it counts from the next round on."""
    from ...federate.identity.authority import opened

    with opened(folder, _now(), pin(pin_file)) as authority:
        serials = authority.revoke(names or (), " ".join(why.split())[:200], list_days)
        _published(as_json, authority, f"{len(serials)} credentials revoked", {"serials": serials})


@app.command()
def rotate(
    folder: Folder,
    grace: Annotated[int, typer.Option("--grace", help="Days that what the old key signed still counts.")] = 30,
    list_days: ListDays = 30,
    pkcs11: Pkcs11 = None,
    pin_file: PinFile = None,
    as_json: options.Json = False,
) -> None:
    """Let another key sign from now on; the old one vouches for it, and is deleted where it is a file."""
    from ...federate.identity.authority import opened

    with opened(folder, _now(), pin(pin_file)) as authority:
        key = authority.rotate(grace, list_days, pkcs11).hex()
        said = f"the key {key} signs now; devices need credentials of it within {grace} days: sign their requests again"
        _published(as_json, authority, said, {"key": key})


@app.command("list")
def listed(folder: Folder, as_json: options.Json = False) -> None:
    """Who was enrolled, what counts, and the newest list of revocations; every line of the ledger is verified."""
    from ...federate.identity.authority import day, opened

    with opened(folder, _now(), pin(None)) as authority:
        devices, now = authority.devices(), authority.published().revocations
        if as_json:
            of = [
                {"name": e.name, "key": e.public.hex(), "profile": e.profile, "serial": e.serial, "begins": e.begins,
                 "ends": e.ends, "state": e.state}
                for e in devices
            ]  # fmt: skip
            told: dict[str, object] = {
                "authority": authority.register.root.hex(),
                "key": authority.register.key.hex(),
                "devices": of,
            }
            told |= {"list": {"number": now.number, "until": now.until}, "head": authority.head}
            typer.echo(json.dumps(told, indent=1))
            return
        typer.echo(f"authority {authority.register.root.hex()}, {len(authority.register.successions) + 1} keys")
        for e in devices:
            typer.echo(f"{e.serial:>6}  {e.name:<24}{e.profile or '-':<18}{day(e.begins)} to {day(e.ends)}  {e.state}")
        late = "" if _now() < now.until else "; it is past its day: selvedge federate authority revoke dates it anew"
        typer.echo(f"list {now.number}: {len(now.serials)} revoked, until {day(now.until)}{late}")
        typer.echo(f"ledger: {authority.head}")


def _published(as_json: bool, authority: Authority, says: str, told: dict[str, object]) -> None:
    from ...federate.identity.authority import PUBLISHED, day

    now, place = authority.published().revocations, authority.folder / PUBLISHED
    said = f"{says}\nlist {now.number}, until {day(now.until)}: bring {place} to whoever serves a run"
    _say(as_json, said, {**told, "number": now.number, "until": now.until, "published": str(place)})


def _say(as_json: bool, text: str, told: dict[str, object]) -> None:
    typer.echo(json.dumps(told) if as_json else text)


def _request(path: Path) -> tuple[bytes, Request]:
    from ...federate.identity import armour, request

    try:
        data = armour.read(armour.REQUEST, path.read_text(encoding="ascii"))
        return data, request.read(data)
    except (OSError, ValueError) as error:
        why = f"it is {error}" if isinstance(error, Refused) else f"it cannot be read ({error})"
        raise InvalidInput("request", str(path), f"{why}: give the request.pem that join --enrol wrote") from None


def _now() -> int:
    return int(time.time())
