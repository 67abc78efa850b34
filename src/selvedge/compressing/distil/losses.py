"""What a student is told of its teacher, as functions of tensors; each is 0, with gradient 0, where the two agree.

Logits are [N, C], or [N, C, ...] with a row at every position, as in ``torch.nn.functional.cross_entropy``. Features
are [N, C, ...], channels first. Results are scalars, means over the batch, of the dtype of what is given, and
float32 of 16 bits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def wide(x: Tensor) -> Tensor:
    """In float32 at least: autocast gives 16 bits, in which differences of logits and distances are not to be had."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def rows(logits: Tensor) -> Tensor:
    """[N, C, ...] -> [N * ..., C], in float32 at least."""
    logits = wide(logits)
    return logits.movedim(1, -1).reshape(-1, logits.shape[1])


def soft(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """``T^2 KL(softmax(teacher / T) || softmax(student / T))``.

    Hinton, Vinyals, Dean, "Distilling the knowledge in a neural network" (arXiv:1503.02531), section 2: the gradient
    of the soft targets scales as 1 / T^2, hence the factor. For large T it tends to half the mean over classes of
    squared differences of the centred logits (section 2.1).
    """
    p = functional.log_softmax(rows(teacher) / temperature, 1)
    q = functional.log_softmax(rows(student) / temperature, 1)
    return temperature**2 * functional.kl_div(q, p, reduction="sum", log_target=True) / len(p)


def decoupled_parts(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """(TCKD, NCKD), [rows] each, without the factor T^2: the divergence of the two shares (target, all others), and
    that of the others among themselves.

    Zhao et al., "Decoupled knowledge distillation" (arXiv:2203.08679), section 3.1: with p the teacher's share of the
    target, ``KL = TCKD + (1 - p) NCKD`` (equation 6). labels: int64 in 0..C-1, [rows].
    """
    targets = functional.one_hot(labels, student.shape[1]).bool()
    tckd, nckd = [], []
    for z in (rows(teacher) / temperature, rows(student) / temperature):
        others = z[~targets].reshape(len(z), -1)
        whole = torch.logsumexp(z, 1)
        tckd.append(torch.stack([z[targets] - whole, torch.logsumexp(others, 1) - whole], 1))
        nckd.append(functional.log_softmax(others, 1))
    return _kl(*tckd), _kl(*nckd)


def decoupled(
    student: Tensor, teacher: Tensor, labels: Tensor, temperature: float, alpha: float, beta: float
) -> Tensor:
    """``T^2 (alpha TCKD + beta NCKD)`` (Zhao et al., equation 7; the factor as in the authors' code)."""
    tckd, nckd = decoupled_parts(student, teacher, labels, temperature)
    return temperature**2 * (alpha * tckd + beta * nckd).mean()


def hint(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean squared difference of features of one shape.

    Romero et al., "FitNets" (arXiv:1412.6550), equation 3 is half the sum of squares of a sample; the mean does not
    depend on the layer's size, so that a weight means the same for every layer.
    """
    return functional.mse_loss(wide(student), wide(teacher))


def attention_map(feature: Tensor) -> Tensor:
    """[N, C, ...] -> [N, 1, ...]: ``sum over channels of |A|^2`` (Zagoruyko and Komodakis, arXiv:1612.03928, section
    3.1, with p = 2)."""
    return wide(feature).square().sum(1, keepdim=True)


def attention(student: Tensor, teacher: Tensor) -> Tensor:
    """``sum over positions of (Q_S / |Q_S| - Q_T / |Q_T|)^2``, Q the attention maps, 0 to 2.

    Zagoruyko and Komodakis, "Paying more attention to attention" (arXiv:1612.03928), equation 2 with p = 2, squared as
    in the authors' code, which then takes the mean over positions. Maps of unlike size: the larger is averaged down.
    """
    maps = [attention_map(student), attention_map(teacher)]
    sides = [min(s, t) for s, t in zip(student.shape[2:], teacher.shape[2:], strict=True)]
    q, p = (functional.normalize(_pooled(m, sides).flatten(1), dim=1) for m in maps)
    return (q - p).square().sum() / len(q)


def distances(student: Tensor, teacher: Tensor) -> Tensor:
    """The Huber loss (delta 1) of all pairs' distances, each in units of its batch's mean distance; 0 for one sample.

    Park et al., "Relational knowledge distillation" (arXiv:1904.05068), equations 5 to 8, the mean over pairs instead
    of the sum. Features [N, D] each, whose D need not be the same.
    """
    if len(student) < 2:
        return student.sum() * 0
    student, teacher = wide(student), wide(teacher)
    ours, theirs = (functional.pdist(x) for x in (student, teacher))
    ours, theirs = (d / torch.where(d.mean() > 0, d.mean(), 1) for d in (ours, theirs))
    return functional.huber_loss(ours, theirs)


def angles(student: Tensor, teacher: Tensor) -> Tensor:
    """The Huber loss (delta 1) of the cosines at j of all triplets (i, j, k) of distinct samples; 0 for fewer than
    three (Park et al., equations 9 to 11, the mean over triplets). Takes N^3 numbers."""
    count = len(student)
    if count < 3:
        return student.sum() * 0
    student, teacher = wide(student), wide(teacher)
    ours, theirs = _cosines(student), _cosines(teacher)
    same = torch.eye(count, dtype=torch.bool, device=student.device)
    distinct = ~(same[:, :, None] | same[:, None, :] | same[None])
    return functional.huber_loss(ours[distinct], theirs[distinct])


def _cosines(x: Tensor) -> Tensor:
    """[j, i, k]: the cosine at j of the angle to i and k. 0 where two samples are one point."""
    apart = x[None] - x[:, None]
    length = torch.linalg.vector_norm(apart, dim=2, keepdim=True)
    # Divided by 1 where there is no direction: by a tiny number the gradient would be huge.
    unit = apart / torch.where(length > 0, length, 1)
    return unit @ unit.transpose(1, 2)


def _kl(teacher: Tensor, student: Tensor) -> Tensor:
    """Of log-probabilities [rows, C]: [rows]."""
    return functional.kl_div(student, teacher, reduction="none", log_target=True).sum(1)


def _pooled(x: Tensor, sides: list[int]) -> Tensor:
    if list(x.shape[2:]) == sides:
        return x
    pools: tuple[Any, ...] = (
        functional.adaptive_avg_pool1d,
        functional.adaptive_avg_pool2d,
        functional.adaptive_avg_pool3d,
    )
    made: Tensor = pools[x.dim() - 3](x, sides)
    return made
