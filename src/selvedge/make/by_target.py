"""A loss whose target says, sample by sample, what is lowered: labels, entropy, stored logits, a teacher."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from ..artifact.number import finite
from ..capture.torch_loss import TorchLoss
from ..errors import InvalidInput

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
SHUT = 1e4  # below every logit: a class that is not the teacher's takes no part


def label_free(classes: int) -> TorchLoss:
    """Of logits [N, classes] p = softmax(z): mean(-q . log p + w H(p)), for a target [N, classes + 1] of q, then w.

    q = 0, w = 1: the entropy of a prediction (Tent, arXiv:2006.10726, eq. 1). q: probabilities, w = 0: the cross
    entropy to them, as to what was said of another view of the sample (consistency), or to a label, one-hot. q = 0,
    w = 0: the sample counts for nothing. ``learn.objectives`` writes such targets; they need no torch.

    Raises ``InvalidInput`` for fewer than 2 classes.
    """
    return TorchLoss(_by_target(_classes(classes), None), torch.zeros(1, classes + 1))


def remembering(classes: int, temperature: float = 2.0) -> TorchLoss:
    """Of logits z [N, C]: the mean over samples of -q . log softmax(z) + a |z - t|^2 / C + T^2 (-p . log softmax(z / T)
    over open classes), for a target [N, 4 C + 1] of q [C], a, t [C], p [C] and open [C], 1 or 0.

    q: a label, one-hot, times its weight: experience replay. a, t: dark experience replay (Buzzega et al.,
    arXiv:2004.07211, eq. 6), of logits that were stored with a sample. p: softmax(teacher / T) over the classes that
    the teacher knows, times a weight: learning without forgetting (Li & Hoiem, arXiv:1606.09282, eq. 2 and 3, with the
    T^2 of Hinton et al., arXiv:1503.02531). What is 0 counts for nothing, so that one compiled step serves for all of
    them, mixed freely. :class:`selvedge.learn.objectives.wanted.Wanted` writes such targets, without torch.

    Raises ``InvalidInput`` for fewer than 2 classes and a temperature that is not above 0.
    """
    heat = finite(temperature)
    if _classes(classes) and (heat is None or heat <= 0):
        raise InvalidInput("temperature", temperature, "give a number above 0")
    return TorchLoss(_by_target(classes, heat), torch.zeros(1, 4 * classes + 1))


def _classes(classes: int) -> int:
    if not isinstance(classes, int) or isinstance(classes, bool) or classes < 2:
        raise InvalidInput("classes", classes, "give the number of the model's logits, 2 or more")
    return classes


def _by_target(c: int, heat: float | None) -> Loss:
    """heat: None: the weight behind q is that of the entropy; else that of stored logits, and a teacher follows."""

    def loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        logs, wanted, weight = F.log_softmax(output, 1), target[:, :c], target[:, c]
        if heat is None:
            return -((wanted + weight[:, None] * logs.exp()) * logs).sum(1).mean()
        stored, soft, open_to = target[:, c + 1 : 2 * c + 1], target[:, 2 * c + 1 : 3 * c + 1], target[:, 3 * c + 1 :]
        labels = -(wanted * logs).sum(1)
        dark = weight * (output - stored).square().mean(1)
        taught = -(soft * F.log_softmax(output * (1 / heat) + (open_to - 1) * SHUT, 1)).sum(1)
        return (labels + dark + heat * heat * taught).mean()

    return loss
