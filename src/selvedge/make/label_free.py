"""A loss for learning without labels: its target says what it lowers, so that one compiled step serves for all."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..capture.torch_loss import TorchLoss
from ..errors import InvalidInput


def _mixed(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    logs = F.log_softmax(output, 1)
    wanted, entropy = target[:, :-1], target[:, -1:]
    return -((wanted + entropy * logs.exp()) * logs).sum(1).mean()


def label_free(classes: int) -> TorchLoss:
    """Of logits [N, classes] p = softmax(z): mean(-q . log p + w H(p)), for a target [N, classes + 1] of q, then w.

    q = 0, w = 1: the entropy of a prediction (Tent, arXiv:2006.10726, eq. 1). q: probabilities, w = 0: the cross
    entropy to them, as to what was said of another view of the sample (consistency), or to a label, one-hot. q = 0,
    w = 0: the sample counts for nothing. ``learn.objectives`` writes such targets; they need no torch.

    Raises ``InvalidInput`` for fewer than 2 classes.
    """
    if not isinstance(classes, int) or isinstance(classes, bool) or classes < 2:
        raise InvalidInput("classes", classes, "give the number of the model's logits, 2 or more")
    return TorchLoss(_mixed, torch.zeros(1, classes + 1))
