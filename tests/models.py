"""Random models: forks, residuals, shared parameters, odd shapes, strides, dilations, paddings, groups.

``random_models()`` is a hypothesis strategy; ``reference`` asks PyTorch for every parameter's gradient and for how
far its own float32 is from its float64; ``disagreements`` compares gradients from anywhere with that.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "none": lambda x: x,
    "relu": F.relu,
    "relu_": lambda x: F.relu_(x + 0),
    "relu6": F.relu6,
    "hardswish": F.hardswish,
    "hardsigmoid": F.hardsigmoid,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.1),
    "elu": F.elu,
    "softplus": F.softplus,
}


with warnings.catch_warnings():
    # PyTorch says once a process that an even kernel padded to "same" costs a copy: let it be now.
    warnings.simplefilter("ignore")
    F.conv1d(torch.zeros(1, 1, 4), torch.zeros(1, 1, 2), padding="same")


@dataclass(frozen=True)
class RandomModel:
    """A model in eval mode, an example (N, C, H, W) and labels [N]. ``plan`` is its recipe, for error messages."""

    model: nn.Module
    x: torch.Tensor
    y: torch.Tensor
    plan: tuple[str, ...]

    def __repr__(self) -> str:
        return f"RandomModel(x={tuple(self.x.shape)}, {'; '.join(self.plan)})"


Parts = nn.ModuleList
Step = Callable[[Parts, list[torch.Tensor]], torch.Tensor]


class Net(nn.Module):
    """Steps over a growing list of feature maps, in eval mode; a step calls its modules by their place in ``parts``,
    so that copies of the net are whole."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList()
        self.steps: list[Step] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = [x]
        for step in self.steps:
            maps.append(step(self.parts, maps))
        return maps[-1]


class Free(nn.Module):
    """``x + p`` or ``x * p``: p has the shape of the whole batch (of its first part, where x is another batch)."""

    def __init__(self, shape: tuple[int, ...], kind: str, batch: int) -> None:
        super().__init__()
        self.p = nn.Parameter(1 + 0.3 * torch.randn(shape))
        self.kind, self.batch = kind, batch

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        p = self.p if x.shape[0] == self.batch else self.p[:1]
        return x + p if self.kind == "add" else x * p


def _plus(x: torch.Tensor, branch: nn.Module) -> torch.Tensor:
    return x + branch(x)


class _Builder:
    """Draws steps, keeping the shape of every map so that each drawn step is valid."""

    def __init__(self, draw: Callable[[Any], Any]) -> None:
        self.draw = draw
        self.net = Net()
        self.plan: list[str] = []
        self.n = self.integer(1, 3)
        self.shapes = [(self.integer(1, 5), self.integer(3, 9), self.integer(3, 9))]

    def integer(self, low: int, high: int) -> int:
        return int(self.draw(st.integers(low, high)))

    def choice(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def part(self, module: nn.Module) -> int:
        self.net.parts.append(module)
        return len(self.net.parts) - 1

    def add(self, label: str, step: Step) -> None:
        """Append a step; its shape is what it gives."""
        self.net.steps.append(step)
        with torch.no_grad():
            maps = [torch.zeros(2, *shape) for shape in self.shapes]
            self.shapes.append(tuple(step(self.net.parts, maps).shape[1:]))
        self.plan.append(f"{label} -> {self.shapes[-1]}")

    def source(self) -> int:
        """One of the last three maps, so that values fork."""
        return max(0, len(self.shapes) - 1 - self.integer(0, 2))

    def convolution(self) -> None:
        i = self.source()
        c, h, w = self.shapes[i]
        groups = self.choice(*(g for g in range(1, c + 1) if c % g == 0))
        kernel = (self.integer(1, min(3, h)), self.integer(1, min(3, w)))
        dilation = tuple(
            self.integer(1, 2) if k == 1 or 2 * (k - 1) < n else 1 for k, n in zip(kernel, (h, w), strict=True)
        )
        if self.choice(True, False):
            stride, padding = (self.integer(1, 2), self.integer(1, 2)), (self.integer(0, 2), self.integer(0, 2))
        else:
            stride, padding = (1, 1), "same"
        outs = groups * self.integer(1, 3)
        bias = self.choice(True, False)
        module = self.part(nn.Conv2d(c, outs, kernel, stride, padding, dilation, groups, bias))
        norm = self.norm(outs)
        name = self.choice(*ACTIVATIONS)
        geometry = f"{kernel} stride {stride} pad {padding} dilation {dilation} groups {groups}"
        self.add(
            f"{i}: conv {geometry} {self.net.parts[norm]} {name}",
            lambda p, maps: ACTIVATIONS[name](p[norm](p[module](maps[i]))),
        )

    def norm(self, channels: int) -> int:
        kind = self.choice("none", "batch", "group")
        if kind == "none":
            return self.part(nn.Identity())
        if kind == "group":
            groups = self.choice(*(g for g in range(1, channels + 1) if channels % g == 0))
            return self.part(nn.GroupNorm(groups, channels))
        return self.part(nn.BatchNorm2d(channels))

    def residual(self) -> None:
        i = self.source()
        c = self.shapes[i][0]
        module = self.part(nn.Conv2d(c, c, 3, padding=1, groups=self.choice(1, c), bias=self.choice(True, False)))
        self.add(f"{i}: x + relu(conv 3x3 (x))", lambda p, maps: maps[i] + F.relu(p[module](maps[i])))

    def shared(self) -> None:
        """One convolution used twice in a row, or the transpose of its weight used behind it."""
        i = self.source()
        c = self.shapes[i][0]
        module = self.part(nn.Conv2d(c, c, 1))
        if self.choice(True, False):
            self.add(f"{i}: shared conv twice", lambda p, maps: p[module](torch.tanh(p[module](maps[i]))))
        else:
            tied = self.part(nn.Conv2d(c, c, 1, bias=False))
            self.net.parts[tied].weight = self.net.parts[module].weight
            self.add(f"{i}: tied convs", lambda p, maps: p[tied](torch.sigmoid(p[module](maps[i]))) * maps[i])

    def pool(self) -> None:
        i = self.source()
        _, h, w = self.shapes[i]
        kernel, stride = self.integer(1, min(3, h, w)), self.integer(1, 2)
        padding, ceil = self.integer(0, kernel // 2), self.choice(True, False)
        if self.choice(True, False):
            label = f"{i}: max {kernel}/{stride}"
            self.add(label, lambda _, m: F.max_pool2d(m[i], kernel, stride, padding, 1, ceil))
        else:
            count = self.choice(True, False)
            label = f"{i}: avg {kernel}/{stride}"
            self.add(label, lambda _, m: F.avg_pool2d(m[i], kernel, stride, padding, ceil, count))

    def attention(self) -> None:
        """Squeeze and excitation."""
        i = self.source()
        c = self.shapes[i][0]
        module = self.part(nn.Linear(c, c))
        self.add(
            f"{i}: squeeze and excitation",
            lambda p, maps: maps[i] * torch.sigmoid(p[module](maps[i].mean((2, 3))))[:, :, None, None],
        )

    def fork(self) -> None:
        i = self.source()
        c = self.shapes[i][0]
        left = self.part(nn.Conv2d(c, 2, 1))
        right = self.part(nn.Conv2d(c, 3, 3, padding=1))
        self.add(
            f"{i}: cat of two branches", lambda p, maps: torch.cat([p[left](maps[i]), F.silu(p[right](maps[i]))], 1)
        )

    def rearrange(self) -> None:
        i = self.source()
        kinds: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
            "transpose": lambda x: x.transpose(2, 3),
            "pad": lambda x: F.pad(x, (1, 0, 0, 2)),
            "slice": lambda x: x[:, :, 1 % x.shape[2] :, ::2],  # all of a single row: never an empty map
            "swap": lambda x: torch.cat(x.chunk(2, 1)[::-1], 1),
            "scale": lambda x: (x - 0.5) / 2 * x.abs().clamp(max=2),
            "rows": lambda x: x.reshape(x.shape[0], x.shape[1] * x.shape[2], 1, x.shape[3]),
            "softmax": lambda x: x.softmax(1),
            "layer_norm": lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (x.shape[1],)).permute(0, 3, 1, 2),
        }
        name = self.choice(*kinds)
        self.add(f"{i}: {name}", lambda _, maps: kinds[name](maps[i]))

    def mask(self) -> None:
        """Comparisons, alone or moved about, behind a product or not."""
        i = self.source()
        c = self.shapes[i][0]
        module = self.part(self.choice(nn.Identity(), nn.Conv2d(c, c, 1, bias=self.choice(True, False))))
        kinds: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
            "masked_fill": lambda x: x.masked_fill(x < 0, 0.0),
            "where": lambda x: torch.where(x > 0.1, torch.tanh(x), -x),
            "masks twice": lambda x: x * (x >= -0.5).to(x.dtype) + torch.where(x <= 0.5, x, x * x),
            "padded mask": lambda x: torch.where(F.pad(x[..., 1:] > 0, (1, 0), value=1), x, 0.5 * x),
            "joined mask": lambda x: x.masked_fill(torch.cat([x[:, :1] > 0.2, x < 0.2], 1)[:, : x.shape[1]], 0.3),
        }
        name = self.choice(*kinds)
        self.add(f"{i}: {name}", lambda p, maps: kinds[name](p[module](maps[i])))

    def back(self) -> None:
        """A residual whose branch is a transposed convolution: its gradient meets its own operand at the fork."""
        i = self.source()
        c = self.shapes[i][0]
        module = self.part(nn.ConvTranspose2d(c, c, 3, padding=1, bias=self.choice(True, False)))
        self.add(f"{i}: relu(x) + transposed conv (relu(x))", lambda p, maps: _plus(F.relu(maps[i]), p[module]))

    def free(self) -> None:
        """A parameter as large as a map of the whole batch."""
        i = self.source()
        kind = self.choice("add", "mul")
        own = self.part(Free((self.n, *self.shapes[i]), kind, batch=self.n))
        self.add(f"{i}: {kind} a parameter", lambda p, maps: p[own](maps[i]))

    def head(self) -> None:
        c, h, w = self.shapes[-1]
        kind = self.choice("flatten", "mean", "adaptive", "max")
        size = self.integer(1, 3)
        reduce: dict[str, tuple[int, Callable[[torch.Tensor], torch.Tensor]]] = {
            "flatten": (c * h * w, lambda x: x.flatten(1)),
            "mean": (c, lambda x: x.mean((2, 3))),
            "adaptive": (c * size * size, lambda x: F.adaptive_avg_pool2d(x, size).flatten(1)),
            "max": (c, lambda x: F.adaptive_max_pool2d(x, 1).flatten(1)),
        }
        width, function = reduce[kind]
        inner, last = self.part(nn.Linear(width, 4)), self.part(nn.Linear(4, 3))
        ends = self.choice("", "add", "mul")
        own = self.part(Free((self.n, 3), ends, batch=self.n) if ends else nn.Identity())
        self.net.steps.append(lambda p, maps: p[own](p[last](torch.tanh(p[inner](function(maps[-1]))))))
        self.plan.append(f"head {kind} {ends}")


@st.composite
def random_models(draw: Callable[[Any], Any], most_steps: int = 6) -> RandomModel:
    """Models of 1 to ``most_steps`` steps and a classifier of 3 classes, with random weights and statistics."""
    seed = draw(st.integers(0, 2**20))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        b = _Builder(draw)
        kinds = (b.convolution, b.residual, b.shared, b.pool, b.attention, b.fork, b.rearrange, b.mask, b.back, b.free)
        for _ in range(b.integer(1, most_steps)):
            b.choice(*kinds)()
        b.head()
        for module in b.net.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.running_mean)
                nn.init.uniform_(module.running_var, 0.5, 2.0)
            if isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias)
        x = torch.randn(b.n, *b.shapes[0])
        y = torch.randint(0, 3, (b.n,))
    return RandomModel(b.net.eval(), x, y, tuple(b.plan))


@dataclass(frozen=True)
class Reference:
    """``gradients``: float64, by PyTorch name, of the parameters that have one. ``noise``: the norm of the
    difference between PyTorch's own float32 and float64."""

    gradients: Mapping[str, np.ndarray]
    noise: Mapping[str, float]


Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def _gradients(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, loss: Loss, dtype: torch.dtype
) -> dict[str, np.ndarray]:
    model = copy.deepcopy(model).to(dtype)
    x, y = (v.to(dtype) if v.is_floating_point() else v for v in (x, y))
    loss(model(x), y).backward()
    return {n: p.grad.double().numpy() for n, p in model.named_parameters() if p.grad is not None}


def reference(model: nn.Module, x: torch.Tensor, y: torch.Tensor, loss: Loss = F.cross_entropy) -> Reference:
    """PyTorch's gradients of ``loss(model(x), y)`` for ``model`` in eval mode. The model is not touched."""
    exact, own = (_gradients(model, x, y, loss, dtype) for dtype in (torch.float64, torch.float32))
    return Reference(exact, {name: float(np.linalg.norm(own[name] - exact[name])) for name in exact})


def disagreements(gradients: Mapping[str, np.ndarray], expected: Reference, tolerance: float = 1e-4) -> list[str]:
    """A line for each parameter whose gradient is further from PyTorch's float64 than allowed.

    Allowed is ``tolerance`` relative to its norm, or 3 times PyTorch's own float32 error. A gradient that is zero
    but for rounding (a bias before a norm) is measured against 1e-6 of the largest gradient.
    """
    floor = 1e-6 * max(float(np.linalg.norm(g)) for g in expected.gradients.values())
    lines = []
    for name, exact in expected.gradients.items():
        error, norm = float(np.linalg.norm(gradients[name] - exact)), float(np.linalg.norm(exact))
        allowed = max(tolerance * norm, 3 * expected.noise[name], floor)
        if not error <= allowed:
            lines.append(f"{name}: error {error:.3g} of norm {norm:.3g}, allowed {allowed:.3g}")
    return lines
