"""Pictures whose gradient is the one that was seen, by search: for nets that no ratio opens.

The distance of gradients is their cosine, with total variation beside it and signs of steps (Geiping et al., NeurIPS
2020, arXiv:2003.14053); the search itself is DLG's (Zhu et al., NeurIPS 2019, arXiv:1906.08935).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

Array = npt.NDArray[np.floating]
STEPS, RATE, SMOOTH = 300, 0.1, 1e-2


def labels(bias: Array, count: int) -> npt.NDArray[np.int64]:
    """Of ``count`` examples, from the gradient [classes] of the last bias, which is the mean of softmax less one-hot
    and softmax that of a net that knows nothing: how often each class is there, rounded to ``count`` in all."""
    often = np.maximum(count * (1 / len(bias) - bias.astype(np.float64)), 0)
    often *= count / max(often.sum(), 1e-12)
    whole = np.floor(often).astype(int)
    for i in np.argsort(whole - often, kind="stable")[: count - whole.sum()]:
        whole[i] += 1
    return np.repeat(np.arange(len(bias)), whole)


def matched(
    net: nn.Module, seen: Sequence[Array], classes: npt.NDArray[np.int64], side: int, seed: int, steps: int = STEPS,
) -> Array:  # fmt: skip
    """As many pictures as ``classes``, [n, side, side] in 0..1. seen: the gradient, array by array as the net has its
    parameters; zeros stand for what was not sent."""
    aim = torch.cat([torch.from_numpy(np.ascontiguousarray(a, np.float32)).reshape(-1) for a in seen])
    sent = (aim != 0).float()
    aim = aim / aim.norm().clamp_min(1e-12)
    made = torch.rand(len(classes), 1, side, side, generator=torch.Generator().manual_seed(seed)).requires_grad_()
    told = torch.from_numpy(classes)
    optimizer = torch.optim.Adam([made], RATE)
    slower = torch.optim.lr_scheduler.MultiStepLR(optimizer, [steps // 2, steps * 4 // 5], 0.1)
    parameters = list(net.parameters())
    for _ in range(steps):
        loss = nn.functional.cross_entropy(net(made), told)
        own = torch.autograd.grad(loss, parameters, create_graph=True)
        flat = torch.cat([g.reshape(-1) for g in own]) * sent
        apart = 1 - flat @ aim / flat.norm().clamp_min(1e-12)
        (made.grad,) = torch.autograd.grad(apart + SMOOTH * _variation(made), [made])
        made.grad.sign_()
        optimizer.step()
        slower.step()
        with torch.no_grad():
            made.clamp_(0, 1)
    return made.detach()[:, 0].numpy()


def _variation(x: Tensor) -> Tensor:
    return (x[..., 1:, :] - x[..., :-1, :]).abs().mean() + (x[..., 1:] - x[..., :-1]).abs().mean()
