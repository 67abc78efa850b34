"""What brings a student's feature to the shape of the teacher's: found from the shapes, trained along, thrown away."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import InvalidInput
from .features import Feature

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
MODES = ("linear", "bilinear", "trilinear")


class Adapter(nn.Module):
    """(student's [N, C, ...], teacher's [N, C', ...]) -> the two in one shape: a 1x1 convolution, or a linear layer for
    vectors, where channels differ; interpolated where positions do. Against a vector a map is averaged.

    FitNets (arXiv:1412.6550, section 2.2) has a convolutional regressor in its place. ``str()`` says what it is.
    """

    def __init__(self, ours: Feature, theirs: Feature) -> None:
        super().__init__()
        require_alike(ours, theirs)
        channels = ours.shape[0], theirs.shape[0]
        sides = ours.sides if ours.sides and theirs.sides else ()
        said = []
        self.project: nn.Module = nn.Identity()
        if channels[0] != channels[1]:
            self.project = CONVOLUTIONS[len(sides) - 1](*channels, 1) if sides else nn.Linear(*channels)
            said.append(f"{'1x1 conv' if sides else 'linear'} {channels[0]} -> {channels[1]}")
        if sides and sides != theirs.sides:
            said.append(f"resized to {'x'.join(map(str, theirs.sides))}")
        if bool(ours.sides) != bool(theirs.sides):
            said.insert(0, "averaged over positions")
        self.said = ", ".join(said) or "as it is"

    def forward(self, ours: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
        if theirs.dim() == 2 or ours.dim() == 2:
            ours, theirs = (x.flatten(2).mean(2) if x.dim() > 2 else x for x in (ours, theirs))
        ours = self.project(ours)
        if ours.shape[2:] != theirs.shape[2:]:
            ours = functional.interpolate(ours, size=theirs.shape[2:], mode=MODES[ours.dim() - 3], align_corners=False)
        return ours, theirs


def require_alike(ours: Feature, theirs: Feature, *, spatial: bool = False) -> None:
    """Refuse a sequence beside a picture; ``spatial``: and a vector."""
    fix = "pair features of as many dimensions"
    if ours.sides and theirs.sides and len(ours.sides) != len(theirs.sides):
        raise InvalidInput("pairs", f"{ours} with {theirs}", fix)
    if spatial and not (ours.sides and theirs.sides):
        raise InvalidInput("pairs", f"{ours} with {theirs}", "a map of attention needs positions: " + fix)


def made(pairs: list[tuple[Feature, Feature]], seed: int, like: Tensor) -> nn.ModuleList:
    """An adapter a pair, drawn from ``seed``; torch's own generator is left where it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        found = nn.ModuleList(Adapter(ours, theirs) for ours, theirs in pairs)
    return found.to(like.device, like.dtype)
