"""A compiled prediction without what Python does around it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ..artifact.manifest import Manifest
from ..run.build import build
from ..run.session import Session
from .compile import bundled
from .inference import Inference
from .plan import Plan

PREDICT = "predict"


class Alone(Session):
    """A session whose prediction can be called again and again on one input."""

    @classmethod
    def read(cls, folder: Path) -> Alone:
        """That of an artifact which this process, or one before it, has emitted to ``folder``."""
        manifest = Manifest.from_json((folder / "manifest.json").read_text(encoding="utf-8"), str(folder))
        units = [n for n in manifest.files if n.endswith((".c", ".h")) and not n.endswith("_weights.h")]
        sources = {n: (folder / n).read_text(encoding="utf-8") for n in units}
        library = build(sources, manifest.lanes, manifest.dtype)
        return cls(manifest, library, (folder / "weights.bin").read_bytes())

    @classmethod
    def of(cls, plan: Plan | Inference) -> Alone:
        """That of ``plan``, as :func:`selvedge.compile` builds it."""
        made = bundled(plan)
        library = build(made.sources, plan.arrangement.lanes, plan.arrangement.dtype)
        return cls(made.manifest, library, made.weights, made.extra)

    def again(self, x: npt.NDArray[Any]) -> Callable[[], int]:
        """A call that puts ``x`` into the arena, as it is stored, and runs the native code: nothing is looked at."""
        self._lay(PREDICT, self._inputs(PREDICT, x))
        views = [self._view(port.offset, port) for port in self.manifest.programs[PREDICT].inputs.values()]
        stored = [view.copy() for view in views]

        def call() -> int:
            for view, values in zip(views, stored, strict=True):
                view[...] = values
            return self._library.call(PREDICT)

        return call
