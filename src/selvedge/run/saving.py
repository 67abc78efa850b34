"""What a session has learnt as one file, and back: everything that learns, bit for bit, and the number of steps."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..artifact.files import write
from ..errors import InvalidInput

LIMIT = 1 << 30  # no file of this kind is larger
Snapshot = dict[str, np.ndarray]


def save(path: Path, snapshot: Snapshot, steps: int, digest: str) -> None:
    """Whole or not at all. digest: of the plan. Raises :class:`InvalidInput` where it cannot be written."""
    head = np.frombuffer(json.dumps({"digest": digest, "steps": steps, "names": list(snapshot)}).encode(), np.uint8)
    arrays = {f"a{i}": array for i, array in enumerate(snapshot.values())}
    with io.BytesIO() as buffer:
        np.savez(buffer, allow_pickle=False, head=head, **arrays)
        write(path, buffer.getvalue())


def saved(path: Path, digest: str) -> tuple[Snapshot, int]:
    """(snapshot, steps). Raises :class:`InvalidInput` for a file that is damaged, or of another plan."""
    try:
        if path.stat().st_size > LIMIT:
            raise InvalidInput("saved state", str(path), "larger than 1 GiB: it is none of ours")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
                head: dict[str, Any] = json.loads(bytes(archive["head"]))
                snapshot = {str(name): archive[f"a{i}"] for i, name in enumerate(head["names"])}
        found, steps = str(head["digest"]), int(head["steps"])
    except OSError as error:
        raise InvalidInput("saved state", str(path), f"it cannot be read ({error.strerror or error})") from None
    except InvalidInput:
        raise
    except Exception:  # of a broken archive numpy and zipfile raise nearly anything
        raise InvalidInput("saved state", str(path), "damaged, or none: give what session.save has written") from None
    if found != digest:
        fix = "of another plan, or of a target that lays state otherwise: give its own, or emit again with learnt="
        raise InvalidInput("saved state", str(path), fix)
    return snapshot, steps
