"""What ``selvedge federate status`` looks at: a run's folder, or a server that runs elsewhere. Loads no torch."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from ...errors import InvalidInput
from ...federate.client.https import STATUS, Connection
from ...learn.journal.files import LOCK
from ..figures import percent
from .budget import Told, told
from .clock import span
from .joining import BUDGET, NAME
from .place import read_operator
from .report import FILE, Report

MOST = 64 << 20  # bytes of an answer
JOURNAL = "journal"


def of_folder(folder: Path) -> tuple[Report, bool]:
    """How the run in ``folder`` stands, and whether a process is at it. Raises ``InvalidInput``."""
    path = folder / FILE
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        fix = "no run has begun there: name what was --out of selvedge federate simulate or serve"
        raise InvalidInput("folder", str(folder), fix) from None
    except (OSError, ValueError) as error:
        raise InvalidInput("folder", str(folder), f"its {FILE} cannot be read ({error})") from None
    return Report.of(given, str(path)), _held(folder / JOURNAL / LOCK)


def of_device(folder: Path) -> Told | None:
    """How much was told of the device whose ``--store`` is ``folder``; None for what is no such folder, or has no
    account. Raises ``InvalidInput``."""
    if (folder / FILE).exists() or not (folder / BUDGET).is_file():
        return None
    try:
        name = (folder / NAME).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        name = folder.name
    return told(name, folder / BUDGET)


def of_server(url: str, operator: Path) -> tuple[Report, bool]:
    """The same of a server. Raises ``InvalidInput`` where it cannot be asked."""
    who = read_operator(operator)
    with tempfile.TemporaryDirectory() as place:
        trusted = Path(place) / "certificate.pem"
        trusted.write_text(who.certificate, encoding="ascii")
        connection = Connection(url, trusted if who.certificate else None)
    try:
        status, body, _ = connection.ask(STATUS, who.token.encode(), MOST)
    except OSError as error:
        raise InvalidInput("server", url, f"it does not answer ({error or type(error).__name__})") from None
    finally:
        connection.close()
    if status != 200:
        why = (
            "it does not know this token: take the operator.json of its own run" if status == 403 else "it is no server"
        )
        raise InvalidInput("--operator", str(operator), why)
    try:
        return Report.of(json.loads(body), url), True
    except ValueError as error:
        raise InvalidInput("server", url, f"its answer is none of ours ({error})") from None


def words(report: Report, running: bool) -> str:
    """For people: the whole, the last rounds, and each device, the busiest first."""
    c = report.course
    lines = [str(report), "a process is at it" if running else "no process is at it: the line that began it goes on"]
    if report.phase in ("done", "stopped") and not running:
        lines.pop()
    if c.moves:
        lines += ["", f"{'round':>7}{'held out':>10}{'loss':>10}{'changes':>9}{'lost':>6}{'bytes up':>14}{'time':>14}"]
        for m in c.moves[-5:]:
            right = percent(m.told[1]) if m.told is not None and m.told[1] is not None else "-"
            lines.append(
                f"{m.version:>7}{right:>10}{m.loss:>10.4g}{m.changes:>9}{m.lost:>6}{m.up:>14,}{span(m.seconds):>14}"
            )
    if c.devices:
        lines += ["", f"{'device':<24}{'asked':>7}{'counted':>9}  last"]
        busiest = sorted(c.devices.items(), key=lambda pair: (-pair[1].taken, pair[0]))
        for name, seen in busiest[:20]:
            last = "never" if seen.last is None else f"after {span(seen.last)}"
            lines.append(f"{name:<24}{seen.asked:>7}{seen.taken:>9}  {last}")
        if len(busiest) > 20:
            lines.append(f"... and {len(busiest) - 20:,} others (--json has them)")
    return "\n".join(lines)


def data(report: Report, running: bool) -> dict[str, Any]:
    """For machines."""
    made = report.to_dict()
    course = made.pop("course")
    return {**made, "running": running, "moves": course["moves"], "devices": course["devices"]}


def _held(path: Path) -> bool:
    """Whether a process holds the journal."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
