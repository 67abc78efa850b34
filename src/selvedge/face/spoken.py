"""The Python face's refusals in the words of the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ..errors import InvalidInput


@contextmanager
def spoken(options: Mapping[str, str]) -> Iterator[None]:
    """A refusal in the block that names an argument names its option, as ``options`` has it."""
    try:
        yield
    except InvalidInput as error:
        if error.field not in options:
            raise
        raise InvalidInput(options[error.field], error.value, error.fix) from error
