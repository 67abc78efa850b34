"""Batch norm that has never seen data gets its statistics before they are frozen."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..capture.source import of_error
from ..data import Dataset
from ..errors import InvalidInput

SAMPLES, BATCH = 512, 32


def calibrate(model: nn.Module, data: Dataset) -> int:
    """Set running means and variances to those of training samples, and return how many it took: 0 where a norm has
    statistics of its own already, or there is none.

    A plan freezes these statistics. At their initial 0 and 1 a network without norms would be trained, and badly. The
    average over the batches is cumulative (PyTorch's ``momentum=None``). ``model`` is changed, and back in eval mode.
    Raises ``InvalidInput`` where it does not take the samples.
    """
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    fresh = [m for m in norms if m.num_batches_tracked is not None and int(m.num_batches_tracked) == 0]
    rows = data.split["train"]
    if not norms or len(fresh) < len(norms) or len(rows) < 2:
        return 0
    some = rows[np.unique(np.linspace(0, len(rows) - 1, min(SAMPLES, len(rows))).astype(np.intp))]
    before = [(m, m.momentum) for m in norms]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums in one order: the same statistics on every run
    model.train()
    try:
        for norm, _ in before:
            norm.momentum = None
        with torch.no_grad():
            # Random, not sorted by class; and no batch of one, of which nothing has a variance.
            for batch in np.array_split(np.random.default_rng(0).permutation(some), max(1, len(some) // BATCH)):
                x = np.asarray(data.x[batch])
                if data.preprocess is not None and x.dtype == np.uint8:
                    x = data.preprocess(x)
                _see(model, torch.from_numpy(np.ascontiguousarray(x, np.float32)), data.name)
    finally:
        model.eval()
        torch.set_num_threads(threads)
        for norm, momentum in before:
            norm.momentum = momentum
    return len(some)


def _see(model: nn.Module, x: torch.Tensor, name: str) -> None:
    """One forward pass in training mode."""
    try:
        model(x)
    except Exception as error:
        where = of_error(error)
        why = next(iter(str(error).splitlines()), type(error).__name__)
        fix = f"the model does not take them: forward() fails{f' at {where}' if where else ''} with: {why}"
        raise InvalidInput("samples", f"{list(x.shape[1:])} of {name}", fix) from error
