"""An artifact in its runtime beside a reference: where the first difference is.

ONNX and LiteRT show what is inside a program: each operator is fed what the runtime itself computed for it, so that a
difference is where it arises and does not grow. Of the others the results are compared, with those of another artifact
of the same plan.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..artifact.litert import signature_of
from ..artifact.targets import require
from ..errors import InvalidInput, NotSupported
from ..run.artifact import load
from ..run.foreign.cut import FROZEN, TAIL
from .verifying import litert, onnx
from .verifying.beside import beside as end_to_end
from .verifying.said import CLOSE, Difference, Verified, drawn

__all__ = ["Difference", "Verified", "verify"]

BESIDE = "{target} shows no inner tensors: give --beside FOLDER, the same plan emitted for another target, as c"


def verify(folder: Path, seed: int = 0, beside: Path | None = None, within: float = CLOSE) -> tuple[Verified, ...]:
    """Every program of the artifact in ``folder``, for random inputs.

    beside: another artifact of the same plan: what both predict, their losses and their state after three steps are
        compared end to end. Without it, operator by operator: of "onnx" beside the ONNX project's reference, of
        "litert" beside LiteRT's reference kernels.
    within: how far results may be end to end, of the largest number of each; of integers it is a step on the mean.

    Raises :class:`InvalidInput`, and :class:`NotSupported` for a target that shows nothing inside.
    """
    if seed < 0:
        raise InvalidInput("seed", seed, "give a whole number of 0 or more")
    if not 0 < within < float("inf"):
        raise InvalidInput("within", within, "give a share of the largest number, as 1e-4")
    for place in (folder, beside):
        if place is not None and (place / FROZEN / "manifest.json").is_file():
            fix = f"it is a plan that was cut: verify its parts, {place / FROZEN} and {place / TAIL}"
            raise InvalidInput("artifact", str(place), fix)
    if beside is not None:
        return end_to_end(folder, beside, seed, within)
    session = load(folder)
    target, programs = session.manifest.target, session.manifest.programs
    rng = np.random.default_rng(seed)
    if target == "onnx":
        require("onnx", to_run=False)
        state = {name: session._fetched(name) for name in session.manifest.state}
        return tuple(
            onnx.operators(name, (folder / entry.file).read_bytes(), {**state, **drawn(session.manifest, name, rng)})
            for name, entry in programs.items()
        )
    if target == "litert":
        require("litert", to_run=True)
        return tuple(
            litert.operators(
                name, signature_of(name), (folder / entry.file).read_bytes(), drawn(session.manifest, name, rng)
            )
            for name, entry in programs.items()
        )
    raise NotSupported(f"verifying target {target} alone", str(folder), BESIDE.format(target=target))
