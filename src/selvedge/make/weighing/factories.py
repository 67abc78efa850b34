"""Where networks come from: the user's own model and another architecture, each as a function of a seed."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from functools import lru_cache, partial
from typing import cast

import torch
from torch import nn

from ...compressing.given import tried
from ...errors import InvalidInput, NotSupported, SelvedgeError, one_line
from ...zoo import make as make_zoo
from .bodies import compact
from .parts import Parts
from .stages import Factory


def factory(model: nn.Module | Factory) -> Factory:
    """``model`` as a function of a seed; the latest that it made is copied and not made again: it may have been trained
    there."""
    if isinstance(model, nn.Module):
        return lambda seed: copy.deepcopy(model)
    if not callable(cast(object, model)):
        fix = "give an nn.Module, or a function of a seed that makes one"
        raise InvalidInput("model", f"of type {type(model).__name__}", fix)

    @lru_cache(maxsize=1)
    def made(seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                found = model(seed)
            except SelvedgeError:
                raise
            except Exception as error:  # the user's own code
                text = one_line((str(error).strip() or type(error).__name__).splitlines()[0])
                raise InvalidInput(
                    "model", f"failing on seed {seed}", f"the function of a seed says: {text}"
                ) from error
        if not isinstance(found, nn.Module):
            raise InvalidInput("model", f"a {type(found).__name__}", "the function must return an nn.Module")
        return found

    return lambda seed: copy.deepcopy(made(seed))


def another(efficient: Factory | None, parts: Parts, whole: Factory, seed: int) -> tuple[Factory, str]:
    """The efficient architecture, and what it is."""
    if efficient is not None:
        name = getattr(efficient, "__name__", "")
        return factory(efficient), "" if name.startswith("<") else name  # a lambda has none
    kind = type(whole(seed))
    try:
        spec = compact(parts.shape, _classes(parts), kind)
    except NotSupported as error:
        return partial(_raising, error), ""
    return factory(lambda at: make_zoo(spec, seed=at)[0]), f"zoo:{spec}"


def require_fit(make: Factory, parts: Parts, loss: str, seed: int, field: str) -> None:
    """Raise ``InvalidInput`` where what ``make`` gives does not take the samples, tells too few classes apart, or gives
    other than the targets."""
    x = torch.from_numpy(parts.train.x[:2])
    given = tried(make(seed), (x,), f"samples for {field}")
    first = given[0] if isinstance(given, tuple | list) and given else given
    if not isinstance(first, torch.Tensor) or first.shape[:1] != x.shape[:1]:
        raise InvalidInput(field, f"with an output of type {type(first).__name__}", "its output is to be [N, ...]")
    classes = _classes(parts) if loss == "cross_entropy" else 0
    if classes and (first.dim() < 2 or first.shape[1] < classes):
        fix = f"the data has {classes}: make the last layer {classes} wide"
        raise InvalidInput(field, f"with an output {list(first.shape[1:])}", fix)
    assert parts.train.y is not None
    wanted, given_shape = list(parts.train.y.shape[1:]), list(first.shape[1:])
    if loss == "cross_entropy" and wanted != given_shape[1:]:
        fix = f"targets are {wanted} a sample: give class numbers {given_shape[1:]}"
        raise InvalidInput(field, f"with an output {given_shape}", fix)
    if loss != "cross_entropy" and math.prod(wanted) != math.prod(given_shape):
        fix = f"targets are {wanted} a sample: make the last layer {math.prod(wanted)} wide"
        raise InvalidInput(field, f"with an output {given_shape}", fix)


def _raising(error: NotSupported, seed: int) -> nn.Module:
    raise error


def _classes(parts: Parts) -> int:
    """0 where the targets are no classes."""
    targets = [part.y for part in (parts.train, parts.validation, parts.test)]
    if any(y is None or y.dtype.kind != "i" or y.ndim > 1 for y in targets):
        return 0
    return 1 + max(int(y.max()) for y in targets if y is not None)


def digest(make: Factory, seed: int) -> str:
    """Of what a factory makes: its layers and first weights."""
    try:
        model = make(seed)
    except SelvedgeError as error:
        return str(error)
    found = hashlib.sha256(repr(model).encode())
    for key, value in model.state_dict().items():
        found.update(key.encode())
        found.update(json.dumps([str(value.dtype), list(value.shape)]).encode())
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
