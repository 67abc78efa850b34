"""Architectures beside the user's own: the same with fewer channels, and a compact one of the zoo."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...compressing.prune import prune
from ...errors import NotSupported
from ...zoo import make

# The first that takes the data's shape; of a signal's channels it has as many. All are for microcontrollers.
COMPACT = ("ds_cnn", "mobilenet_v1_025", "har_fcn?width=0.25", "audio_m5?width=0.25", "keyword_gru")


def narrowed(model: nn.Module, example: Tensor, macs: float, multiple: int, seed: int) -> nn.Module:
    """The architecture of ``model`` with the same share of channels gone from every layer, until ``macs`` (a share) of
    its multiplications are left, with first weights drawn from ``seed``: what Liu et al., arXiv:1810.05270, set beside
    pruning. Raises ``NotSupported`` and ``InvalidInput`` as :func:`selvedge.prune` does."""
    cut = prune(
        model, example, {"macs": macs}, criterion="random", rank="layer", multiple=multiple, seed=seed,
    ).model  # fmt: skip
    return fresh(cut, seed)


def fresh(model: nn.Module, seed: int) -> nn.Module:
    """``model`` itself, every layer that knows how to with new first weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in model.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
    return model


def compact(shape: tuple[int, ...], classes: int, unlike: type[nn.Module]) -> str:
    """The spec of a compact network of the zoo that takes samples of ``shape`` and tells ``classes`` apart, of another
    class than ``unlike``. Raises ``NotSupported`` where there is none."""
    for spec in COMPACT:
        options = [f"classes={classes}"] + [f"channels={shape[0]}"] * spec.startswith("har_fcn")
        whole = f"{spec}{'&' if '?' in spec else '?'}{'&'.join(options)}"
        module = make(whole)[0] if classes > 1 else None
        if module is not None and type(module) is not unlike and _takes(module, shape, classes):
            return whole
    told = "none takes it" if classes > 1 else "they tell classes apart, and the data has none"
    raise NotSupported(f"a compact network of the zoo for {list(shape)}", "", f"{told}: name one with efficient")


def _takes(module: nn.Module, shape: tuple[int, ...], classes: int) -> bool:
    try:
        with torch.no_grad():
            found = module.eval()(torch.zeros(2, *shape))
    except (RuntimeError, ValueError, IndexError):
        return False
    return tuple(found.shape) == (2, classes)
