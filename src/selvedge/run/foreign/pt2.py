"""Programs of torch.export, run by torch: the one runtime here that is torch, and imports it when it is opened."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from ...artifact.manifest import Manifest
from ...errors import InvalidInput, one_line
from .positional import Positional

QUANTISED = ("torchao.quantization.pt2e.quantize_pt2e", "torch.ao.quantization.fx._decomposed")
"""The modules that register ``quantized_decomposed``, which a file of int8 rows calls; the first that is there."""


def opened(manifest: Manifest, contents: Mapping[str, bytes], state: Mapping[str, np.ndarray]) -> Positional:
    """Raises :class:`InvalidInput` for a file that torch does not take."""
    torch = import_module("torch")
    _registered(torch)
    return Positional(
        manifest, contents, state, {n: _program(torch, contents[p.file], p.file) for n, p in manifest.programs.items()}
    )


def _registered(torch: Any) -> None:
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)  # torchao tells of each library for other machines that it does not find
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in QUANTISED:
                if hasattr(torch.ops.quantized_decomposed, "quantize_per_tensor"):
                    return
                try:
                    import_module(name)
                except ImportError:
                    continue
    finally:
        logging.disable(before)


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
