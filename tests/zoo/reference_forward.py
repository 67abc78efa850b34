"""What the reference implementations compute, written on their state alone, from their ``forward`` and their tables.

Sources as in :mod:`tests.zoo.reference_state`. Evaluation: dropout and stochastic depth do nothing. Nothing here uses
the zoo, so that an activation, a residual, a stride or an order that is wrong there shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch.nn import functional as F

Act = Callable[[torch.Tensor], torch.Tensor]
Tensors = Mapping[str, torch.Tensor]


def same(x: torch.Tensor) -> torch.Tensor:
    return x


class Reference:
    """``state``: a network's, under the reference's names."""

    def __init__(self, state: Tensors, eps: float = 1e-5) -> None:
        self.state, self.eps = state, eps

    def has(self, prefix: str) -> bool:
        return any(name.startswith(f"{prefix}.") for name in self.state)

    def conv(self, x: torch.Tensor, name: str, stride: int = 1, tensorflow: bool = False) -> torch.Tensor:
        """Groups and padding as the weight's shape says: kernel // 2, or TensorFlow's "SAME"."""
        weight, bias = self.state[f"{name}.weight"], self.state.get(f"{name}.bias")
        kernel = weight.shape[-1]
        padding = kernel // 2
        if tensorflow:
            total = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[2:]]
            x = F.pad(x, (total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2))
            padding = 0
        return F.conv2d(x, weight, bias, stride, padding, groups=x.shape[1] // weight.shape[1])

    def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        mean, var, weight, bias = (
            self.state[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(var + self.eps) * weight + bias

    def pair(self, x: torch.Tensor, name: str, act: Act = same, stride: int = 1) -> torch.Tensor:
        return act(self.norm(self.conv(x, f"{name}.0", stride), f"{name}.1"))

    def linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return x @ self.state[f"{name}.weight"].T + self.state[f"{name}.bias"]

    def squeeze(self, x: torch.Tensor, name: str, act: Act, gate: Act) -> torch.Tensor:
        mean = x.mean((2, 3), keepdim=True)
        return x * gate(self.conv(act(self.conv(mean, f"{name}.fc1")), f"{name}.fc2"))


def mobilenet_v3(state: Tensors, x: torch.Tensor, large: bool) -> torch.Tensor:
    """activation and stride columns of _mobilenet_v3_conf."""
    rows = (
        "RE1 RE2 RE1 RE2 RE1 RE1 HS2 HS1 HS1 HS1 HS1 HS1 HS2 HS1 HS1"
        if large
        else "RE2 RE2 RE1 HS2 HS1 HS1 HS1 HS1 HS2 HS1 HS1"
    ).split()
    r = Reference(state, eps=1e-3)
    x = r.pair(x, "features.0", F.hardswish, 2)
    for i, row in enumerate(rows, 1):
        act, stride, name, y, at = {"RE": F.relu, "HS": F.hardswish}[row[:2]], int(row[2]), f"features.{i}.block", x, 0
        depthwise = 1 if r.has(f"{name}.3") or (r.has(f"{name}.2") and not r.has(f"{name}.1.fc1")) else 0
        for at in range(depthwise + 1):
            y = r.pair(y, f"{name}.{at}", act, stride if at == depthwise else 1)
        if r.has(f"{name}.{at + 1}.fc1"):
            at += 1
            y = r.squeeze(y, f"{name}.{at}", F.relu, F.hardsigmoid)
        y = r.pair(y, f"{name}.{at + 1}")
        x = x + y if stride == 1 and x.shape == y.shape else y
    x = r.pair(x, f"features.{len(rows) + 1}", F.hardswish).mean((2, 3))
    return r.linear(F.hardswish(r.linear(x, "classifier.0")), "classifier.3")


def efficientnet_b0(state: Tensors, x: torch.Tensor) -> torch.Tensor:
    r = Reference(state)
    x = r.pair(x, "features.0", F.silu, 2)
    for stage, (first_stride, layers) in enumerate(((1, 1), (2, 2), (2, 2), (2, 3), (1, 3), (2, 4), (1, 1)), 1):
        for layer in range(layers):
            name, stride, y = f"features.{stage}.{layer}.block", first_stride if layer == 0 else 1, x
            at = 0 if stage == 1 else 1
            if at:
                y = r.pair(y, f"{name}.0", F.silu)
            y = r.pair(y, f"{name}.{at}", F.silu, stride)
            y = r.squeeze(y, f"{name}.{at + 1}", F.silu, torch.sigmoid)
            y = r.pair(y, f"{name}.{at + 2}")
            x = x + y if stride == 1 and x.shape == y.shape else y
    return r.linear(r.pair(x, "features.8", F.silu).mean((2, 3)), "classifier.1")


def timm(state: Tensors, x: torch.Tensor, strides: tuple[int, ...], lite: bool, tensorflow: bool) -> torch.Tensor:
    """mobilenetv1_100 and (tf_)efficientnet_lite*: ``strides`` of the first block of each stage."""
    r = Reference(state, eps=1e-3 if tensorflow else 1e-5)

    def unit(x: torch.Tensor, name: str, conv: str, bn: str, act: Act = F.relu6, stride: int = 1) -> torch.Tensor:
        return act(r.norm(r.conv(x, f"{name}{conv}", stride, tensorflow), f"{name}{bn}"))

    x = unit(x, "", "conv_stem", "bn1", stride=2)
    for stage, first_stride in enumerate(strides):
        block = 0
        while r.has(f"blocks.{stage}.{block}"):
            name, stride, y = f"blocks.{stage}.{block}.", first_stride if block == 0 else 1, x
            if f"{name}conv_pwl.weight" in state:
                y = unit(y, name, "conv_pw", "bn1")
                y = unit(y, name, "conv_dw", "bn2", stride=stride)
                y = unit(y, name, "conv_pwl", "bn3", same)
            else:
                y = unit(y, name, "conv_dw", "bn1", stride=stride)
                y = unit(y, name, "conv_pw", "bn2", same if lite else F.relu6)
            x = x + y if lite and stride == 1 and x.shape == y.shape else y
            block += 1
    if lite:
        x = unit(x, "", "conv_head", "bn2")
    return r.linear(x.mean((2, 3)), "classifier")


def shufflenet_v2(state: Tensors, x: torch.Tensor) -> torch.Tensor:
    r = Reference(state)
    x = F.max_pool2d(r.pair(x, "conv1", F.relu, 2), 3, 2, 1)
    for stage, repeats in ((2, 4), (3, 8), (4, 4)):
        for i in range(repeats):
            name, stride = f"stage{stage}.{i}", 2 if i == 0 else 1
            first, second = (x, x) if i == 0 else torch.chunk(x, 2, 1)
            if i == 0:
                first = r.norm(r.conv(first, f"{name}.branch1.0", 2), f"{name}.branch1.1")
                first = F.relu(r.norm(r.conv(first, f"{name}.branch1.2"), f"{name}.branch1.3"))
            second = F.relu(r.norm(r.conv(second, f"{name}.branch2.0"), f"{name}.branch2.1"))
            second = r.norm(r.conv(second, f"{name}.branch2.3", stride), f"{name}.branch2.4")
            second = F.relu(r.norm(r.conv(second, f"{name}.branch2.5"), f"{name}.branch2.6"))
            x = F.channel_shuffle(torch.cat((first, second), 1), 2)
    return r.linear(r.pair(x, "conv5", F.relu).mean((2, 3)), "fc")


def resnet18(state: Tensors, x: torch.Tensor) -> torch.Tensor:
    r = Reference(state)
    x = F.max_pool2d(F.relu(r.norm(r.conv(x, "conv1", 2), "bn1")), 3, 2, 1)
    for layer in range(1, 5):
        for block in range(2):
            name, stride = f"layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1
            y = F.relu(r.norm(r.conv(x, f"{name}.conv1", stride), f"{name}.bn1"))
            y = r.norm(r.conv(y, f"{name}.conv2"), f"{name}.bn2")
            if r.has(f"{name}.downsample"):
                x = r.pair(x, f"{name}.downsample", stride=stride)
            x = F.relu(x + y)
    return r.linear(x.mean((2, 3)), "fc")
