"""What a user gives beside the samples - a model, flags, bits, a number of epochs - or one line why it cannot be
used."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ..artifact.number import finite
from ..capture.source import of_error
from ..errors import InvalidInput, one_line
from .export import Inputs, quiet
from .quantised import Quantised

WEIGHTS = {"int8": 8, "int4": 4}


def module(model: object) -> None:
    """Refuse what is no float module: of another type, quantised already, or in another precision."""
    if not isinstance(model, nn.Module):
        raise InvalidInput("model", f"of type {type(model).__name__}", "give an nn.Module")
    if isinstance(model, Quantised):
        raise InvalidInput("model", "already quantised", "give the float model that it was made of")
    for name, weight in model.named_parameters():
        if weight.dtype.is_floating_point and weight.dtype != torch.float32:
            raise InvalidInput("model", f"of {weight.dtype} ({name})", "give it in float32: model.float()")


def weight_bits(weights: object) -> int:
    """Of "int8" and "int4"."""
    if not isinstance(weights, str) or weights not in WEIGHTS:
        raise InvalidInput("weights", weights, f"give {' or '.join(WEIGHTS)}")
    return WEIGHTS[weights]


def layer_bits(bits: object) -> dict[str, int]:
    """Layer -> bits; whether the layers are there is seen with the graph."""
    # Not above: it loads torchao, which cutting and learning from a teacher do without.
    from .litert import FLOAT, WIDTHS

    if bits is None:
        return {}
    if not isinstance(bits, Mapping):
        raise InvalidInput("bits", bits, 'give layer -> 8, 4, or 32 to leave it float, as {"fc": 4}')
    for layer, width in bits.items():
        if not isinstance(layer, str):
            raise InvalidInput("bits", layer, 'name the layer as the model does, as {"fc": 4}')
        if not isinstance(width, int) or isinstance(width, bool) or width not in (*WIDTHS, FLOAT):
            raise InvalidInput(f"bits of {layer}", width, "give 8 or 4; 32 in bits= leaves a layer float")
    return dict(bits)


def flags(**named: object) -> None:
    """Refuse what is neither True nor False."""
    for name, value in named.items():
        if not isinstance(value, bool):
            raise InvalidInput(name, value, "give True or False")


def share(name: str, value: object) -> None:
    """Refuse what is no number."""
    if finite(value) is None:
        raise InvalidInput(name, value, "give a share, as 0.95")


def epochs(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidInput("epochs", value, "give a whole number of epochs, 1 or more")
    return value


def choice(field: str, value: object, options: Sequence[str]) -> str:
    if not isinstance(value, str) or value not in options:
        raise InvalidInput(field, value, f"give one of {', '.join(options)}")
    return value


def count(field: str, value: object, least: int = 1) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InvalidInput(field, value, f"give a whole number, {least} or more")
    return value


def called(field: str, value: object) -> None:
    if not callable(value):
        raise InvalidInput(field, "no function", "give one, or leave it out")


def names(field: str, net: nn.Module, value: object, matches: Callable[[str, str], bool]) -> tuple[str, ...]:
    """Names and globs of layers, each of which ``net`` has."""
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(k, str) for k in value):
        raise InvalidInput(field, value, 'give names of layers, or globs of them, as ["blocks.0.*"]')
    layers = [n for n, _ in net.named_modules()]
    for name in value:
        if not any(matches(layer, name) for layer in layers):
            raise InvalidInput(field, name, "the model has no layer of that name: see model.named_modules()")
    return tuple(value)


def tried(model: nn.Module, example: Inputs, field: str) -> Any:
    """What ``model`` gives in eval mode for ``example``, which is of ``field``; a copy computes it, so that the model
    stays as it was. Raises ``InvalidInput`` where the model itself cannot take it: torch.export would say so in
    twenty lines."""
    try:
        copied = copy.deepcopy(model).eval()
    except Exception as error:
        fix = "it cannot be copied; of an old torch.nn.utils.weight_norm take that of torch.nn.utils.parametrizations"
        text = one_line((str(error).strip() or type(error).__name__).splitlines()[0])
        raise InvalidInput("model", f"of type {type(model).__name__}", f"{fix} ({text[:120]})") from error
    try:
        with quiet(), torch.no_grad():
            return copied(*example)
    except Exception as error:
        raise _refused(copied, example, field, error) from error


def _refused(copied: nn.Module, example: Inputs, field: str, error: Exception) -> InvalidInput:
    text = one_line((str(error).strip() or type(error).__name__).splitlines()[0])
    if isinstance(error, TypeError) and "missing" in text and "argument" in text:
        return InvalidInput(
            field, f"with {len(example)} of the model's inputs",
            f"for several inputs give a list of tuples: [(x1, x2)] ({text})",
        )  # fmt: skip
    if any(not x.dtype.is_floating_point for x in example):
        try:
            with quiet(), torch.no_grad():
                copied(*(x.float() for x in example))
        except Exception:
            pass  # it is not the dtype: what is said is what the model said first
        else:
            return InvalidInput(field, f"of {example[0].dtype}", "the model takes float32: give x.float()")
    shapes = ", ".join(str(["N", *x.shape[1:]]).replace("'", "") for x in example)
    place = of_error(error)
    return InvalidInput(field, f"of shape {shapes}", f"the model fails on it{f' at {place}' if place else ''}: {text}")
