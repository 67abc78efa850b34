"""A loss for learning without forgetting: labels, stored logits and a teacher, by weights in the target."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..artifact.number import finite
from ..capture.torch_loss import TorchLoss
from ..errors import InvalidInput

SHUT = 1e4  # below every logit: a class that is not the teacher's takes no part


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
    if not isinstance(classes, int) or isinstance(classes, bool) or classes < 2:
        raise InvalidInput("classes", classes, "give the number of the model's logits, 2 or more")
    heat, c = finite(temperature), classes
    if heat is None or heat <= 0:
        raise InvalidInput("temperature", temperature, "give a number above 0")

    def loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        wanted, weight, stored = target[:, :c], target[:, c], target[:, c + 1 : 2 * c + 1]
        soft, open_to = target[:, 2 * c + 1 : 3 * c + 1], target[:, 3 * c + 1 :]
        labels = -(wanted * F.log_softmax(output, 1)).sum(1)
        dark = weight * (output - stored).square().mean(1)
        taught = -(soft * F.log_softmax(output * (1 / heat) + (open_to - 1) * SHUT, 1)).sum(1)
        return (labels + dark + heat * heat * taught).mean()

    return TorchLoss(loss, torch.zeros(1, 4 * classes + 1))
