"""Draws of one entry."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np
import torch

from selvedge.errors import SelvedgeError

from .draw import Draw, Entry
from .page import Row
from .parity import Wrong, compare


def drawn(entry: Entry, seeds: Iterable[int]) -> tuple[Row, list[str]]:
    """The row, and a line for each draw that is wrong. Draws that PyTorch itself refuses are drawn again."""
    agreed, refused, reason, wrong = 0, 0, "", []
    for seed in seeds:
        rng = np.random.default_rng([seed, *entry.name.encode()])
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.manual_seed(seed)
            module, inputs = _valid(entry, rng)
            try:
                compare(entry, module, inputs, rng)
                agreed += 1
            except SelvedgeError as error:
                refused, reason = refused + 1, getattr(error, "what_to_do", "") or str(error)
            except Wrong as error:
                wrong.append(f"{entry.name}, seed {seed}: {error}")
    return Row(agreed, refused, reason.replace("|", "/")), wrong


def _valid(entry: Entry, rng: np.random.Generator) -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    while True:
        try:
            module, inputs = entry.make(Draw(rng))
            module = module.double().eval()
            module(*inputs)
        except (RuntimeError, ValueError):  # a window larger than its image, say
            continue
        return module, inputs
