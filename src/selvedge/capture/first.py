"""What a model's first layer takes, where the example is not like that: torch's own words name no batch."""

from __future__ import annotations

from contextlib import ExitStack, suppress

import torch
from torch import nn

CONVOLUTIONS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Conv1d: ("length",),
    nn.Conv2d: ("height", "width"),
    nn.Conv3d: ("depth", "height", "width"),
}
NORMS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.BatchNorm2d: ("height", "width"),
    nn.BatchNorm3d: ("depth", "height", "width"),
}


def first_takes(model: nn.Module, example: tuple[torch.Tensor, ...]) -> str:
    """In words the shape that the first layer takes, where the example reaches it as it is and has another; "" where
    it fits, or nothing is known of that layer. ``model`` is run until it fails, as it stands."""
    met: list[tuple[nn.Module, torch.Size]] = []

    def note(layer: nn.Module, args: tuple[object, ...]) -> None:
        if not met and args and isinstance(args[0], torch.Tensor):
            met.append((layer, args[0].shape))

    with ExitStack() as hooks:
        for layer in model.modules():
            if not list(layer.children()):
                hooks.callback(layer.register_forward_pre_hook(note).remove)
        with torch.no_grad(), suppress(Exception):
            model(*example)
    if not met or met[0][1] not in [x.shape for x in example]:
        return ""
    wanted, good = _wanted(*met[0])
    if not wanted or good:
        return ""
    kind, shape = type(met[0][0]).__name__, list(met[0][1])
    lacks_batch = len(shape) == len(wanted) - 1 and wanted[1] == str(shape[0])
    as_in = f", as {'x'.join(map(str, [1, *shape]))}" if lacks_batch else ""
    return f"the first number is the batch, and {kind}, the first layer, takes [{', '.join(wanted)}]{as_in}"


def _wanted(layer: nn.Module, shape: torch.Size) -> tuple[tuple[str, ...], bool]:
    """(the axes that ``layer`` takes, whether ``shape`` has them); no axes where nothing is known of it."""
    if isinstance(layer, nn.Linear):
        width = layer.in_features
        return ("batch", str(width)), len(shape) > 1 and shape[-1] == width
    for kinds, channels in ((CONVOLUTIONS, "in_channels"), (NORMS, "num_features")):
        for kind, axes in kinds.items():
            if isinstance(layer, kind):
                width = getattr(layer, channels)
                return ("batch", str(width), *axes), len(shape) == 2 + len(axes) and shape[1] == width
    return (), True
