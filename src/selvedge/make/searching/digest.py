"""What a folder's search was of: networks and augmentation as digests, by what they are and by what they answer."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import InvalidInput, NotSupported
from .space import Architecture
from .training import Transform

SEEN = 4  # samples that are answered


def of_module(net: nn.Module, x: Tensor) -> str:
    """Of its layers, numbers, and answers to the first samples of ``x``, in evaluation mode, in which ``net`` is."""
    made = hashlib.sha256(repr(net).encode())
    for name, value in net.state_dict().items():
        made.update(name.encode())
        _add(made, value)
    made.update(repr([p.requires_grad for p in net.parameters()]).encode())
    try:
        with torch.no_grad():
            _add(made, net(x[:SEEN]))
    except Exception as error:  # planning will say what it makes of that
        made.update(type(error).__name__.encode())
    return made.hexdigest()


def of_architecture(one: Architecture, x: Tensor, seed: int) -> str:
    """As it is before training; of one that cannot be made, the refusal."""
    try:
        return of_module(one.built(seed).eval(), x)
    except (InvalidInput, NotSupported) as error:
        return str(error)


def of_augment(augment: Transform, x: Tensor) -> str:
    """Of what it makes of samples. Raises ``InvalidInput`` where that is not as many, or another each time."""
    given = x[: 8 * SEEN]
    twice = []
    for _ in range(2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            found = augment(given.clone(), torch.Generator().manual_seed(0))
        if not isinstance(found, Tensor) or len(found) != len(given):
            what = f"of {list(found.shape)}" if isinstance(found, Tensor) else f"of type {type(found).__name__}"
            raise InvalidInput("augment", f"giving something {what}", f"give a tensor of {len(given)} for as many")
        made = hashlib.sha256()
        _add(made, found)
        twice.append(made.hexdigest())
    if twice[0] != twice[1]:
        raise InvalidInput("augment", "another each time", "draw from the torch generator that it is given")
    return twice[0]


def _add(made: hashlib._Hash, value: Any) -> None:
    if isinstance(value, Tensor):
        made.update(f"{value.dtype} {list(value.shape)}".encode())
        made.update(value.detach().contiguous().numpy().tobytes())
    elif isinstance(value, tuple | list):
        for part in value:
            _add(made, part)
