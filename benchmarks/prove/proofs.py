"""All proofs, by name, in the order in which they are made and shown."""

from __future__ import annotations

from collections.abc import Mapping

from .federated import FEDERATED
from .learning import LEARNING
from .proof import Proof
from .quantised import QUANTISED
from .random_models import RANDOM_MODELS
from .steps import STEPS

PROOFS: Mapping[str, Proof] = {**RANDOM_MODELS, **STEPS, **LEARNING, **FEDERATED, **QUANTISED}

# Not proven on this code, and why: nothing may quote them. `make prove` leaves them out unless they are named.
UNPROVEN: Mapping[str, str] = {
    "a learner killed 1,000 times": "it takes long; ten kills are seen with every change",
}
