"""Was this digit among those that were learnt? By the loss, by shadow models, and by one round's change.

Scores are higher for members. What is told of them: the area under the curve, and the share of members that are found
where one in a hundred others is taken for one (Carlini et al., IEEE S&P 2022, arXiv:2112.03570, section III).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
FALSE = 0.01


def by_loss(loss: Array) -> Array:
    """The lower the loss, the likelier (Yeom et al., CSF 2018, arXiv:1709.01604)."""
    return -loss


def by_shadows(loss: Array, shadows: Array, inside: npt.NDArray[np.bool_]) -> Array:
    """The likelihood ratio of two normal distributions of the logit of the right class's share, over shadow models
    that had the example and those that had not (LiRA, ibid., algorithm 1; variances over all examples together, as
    section VI-A has it for few shadows).

    loss: of the attacked model, [n]; shadows: [models, n]; inside: [models, n].
    """
    mine, theirs = _logit(loss), _logit(shadows)
    had, had_not = np.ma.masked_array(theirs, ~inside), np.ma.masked_array(theirs, inside)
    score = np.zeros_like(mine)
    for sign, part in ((1, had), (-1, had_not)):
        middle = part.mean(0)
        spread = float((part - middle).std()) + 1e-6
        score += sign * -0.5 * np.asarray((mine - middle.filled(np.mean(middle))) / spread) ** 2
    return score


def by_change(change: Array, gradients: Array) -> Array:
    """How far the change [size] goes against each example's own gradient [n, size]: their cosine (Li, Li and Ribeiro,
    ICLR 2023, the cosine attack)."""
    lengths = np.linalg.norm(gradients, axis=1) * np.linalg.norm(change)
    return -(gradients @ change) / np.maximum(lengths, 1e-30)


def area(members: Array, others: Array) -> float:
    """The share of pairs in which the member has the higher score, half for equal ones."""
    both = np.sort(others)
    below, upto = np.searchsorted(both, members, "left"), np.searchsorted(both, members, "right")
    return float(np.mean((below + upto) / 2) / len(others))


def found(members: Array, others: Array, false: float = FALSE) -> float:
    """The share of members above a threshold that at most the share ``false`` of the others is above."""
    most = int(false * len(others))
    limit = np.sort(others)[::-1][most]
    return float(np.mean(members > limit))


def _logit(loss: Array) -> Array:
    """log(p / (1 - p)) of p = exp(-loss)."""
    loss = np.clip(loss, 1e-12, 50)
    return -loss - np.log(-np.expm1(-loss))
