"""What a device is asked to do with a task."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from ..artifact.number import finite
from ..errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Local:
    """What a device does with a task. mu: FedProx's pull to where it began (Li et al., MLSys 2020, arXiv:1812.06127).
    scaffold: control variates (Karimireddy et al., ICML 2020, arXiv:1910.06378)."""

    epochs: int = 1
    rate: float = 0.1
    mu: float = 0.0
    scaffold: bool = False

    def __post_init__(self) -> None:
        whole("local epochs", self.epochs, 1)
        number("local rate", self.rate, 0, above=True)
        number("local mu", self.mu, 0)
        if not isinstance(self.scaffold, bool):
            raise InvalidInput("local scaffold", self.scaffold, "give True or False")

    def text(self) -> str:
        """As JSON, the same for the same steps."""
        return json.dumps(asdict(self), sort_keys=True)


def whole(field_: str, value: object, low: int) -> None:
    """Raises ``InvalidInput`` for what is no whole number from ``low`` on."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise InvalidInput(field_, value, f"give a whole number >= {low}")


def number(field_: str, value: object, low: float, above: bool = False) -> None:
    """Raises ``InvalidInput`` for what is no finite number from ``low`` on, or, ``above``, beyond it."""
    if isinstance(value, bool) or not isinstance(value, int | float) or finite(value) is None or value < low:
        raise InvalidInput(field_, value, f"give a number {'above' if above else '>='} {low}")
    if above and value == low:
        raise InvalidInput(field_, value, f"give a number above {low}")
