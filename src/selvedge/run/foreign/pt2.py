"""Programs of torch.export, run by torch: the one runtime here that is torch, and imports it when it is opened."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from ...artifact.manifest import Manifest
from ...errors import InvalidInput, one_line
from .decomposed import NAMESPACE, register
from .positional import Positional


def opened(manifest: Manifest, contents: Mapping[str, bytes], state: Mapping[str, np.ndarray]) -> Positional:
    """Raises :class:`InvalidInput` for a file that torch does not take."""
    torch = import_module("torch")
    if any(NAMESPACE in data for data in contents.values()):  # torch stores its archives as they are
        register()
    return Positional(
        manifest, contents, state, {n: _program(torch, contents[p.file], p.file) for n, p in manifest.programs.items()}
    )


def _program(torch: Any, data: bytes, file: str) -> Any:
    try:
        module = torch.export.load(io.BytesIO(data)).module()
    except Exception as error:  # of a broken file it raises kinds of its own
        raise InvalidInput("artifact file", file, f"torch refuses it: {one_line(str(error))[:200]}") from None

    def call(arrays: Sequence[np.ndarray], shapes: Sequence[tuple[tuple[int, ...], str]]) -> list[np.ndarray]:
        try:
            with torch.no_grad():
                return [m.numpy() for m in module(*(torch.from_numpy(np.array(a)) for a in arrays))]
        except Exception as error:  # of other inputs than it was exported for, kinds of its own
            raise RuntimeError(one_line(str(error))[:200]) from None

    return call
