"""Small networks with what pruning can stumble over, and random ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional


class Net(nn.Module):
    """Layers by name, and what forward does with them."""

    def __init__(self, forward: Callable[[Net, torch.Tensor], torch.Tensor], **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.does = forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.does(self, x)


def conv(i: int, o: int, k: int = 3, groups: int = 1, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(i, o, k, stride, k // 2, groups=groups)


def head(x: torch.Tensor) -> torch.Tensor:
    return x.mean((2, 3))


def residual() -> Net:
    return Net(
        lambda n, x: n.fc(head(torch.relu((a := torch.relu(n.bn1(n.a(x)))) + n.bn2(n.c(torch.relu(n.b(a))))))),
        a=conv(3, 8), bn1=nn.BatchNorm2d(8), b=conv(8, 12), c=conv(12, 8), bn2=nn.BatchNorm2d(8), fc=nn.Linear(8, 5),
    )  # fmt: skip


def concatenated() -> Net:
    return Net(
        lambda n, x: n.fc(head(torch.relu(n.c(torch.cat([torch.relu(n.a(x)), n.b(x)], 1))))),
        a=conv(3, 8), b=conv(3, 4), c=conv(12, 8), fc=nn.Linear(8, 5),
    )  # fmt: skip


def squeezed() -> Net:
    """Squeeze and excitation round a depthwise layer."""

    def forward(n: Net, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu6(n.dw(functional.hardswish(n.a(x))))
        gate = torch.sigmoid(n.up(torch.relu(n.down(x.mean((2, 3), keepdim=True)))))
        return n.fc(head(n.b(x * gate)))

    return Net(
        forward, a=conv(3, 16), dw=conv(16, 16, groups=16), down=conv(16, 8, 1), up=conv(8, 16, 1), b=conv(16, 8),
        fc=nn.Linear(8, 5),
    )  # fmt: skip


def flattened() -> Net:
    """Four positions a channel go into a linear layer."""
    return Net(
        lambda n, x: n.fc(torch.relu(n.hidden(functional.adaptive_max_pool2d(n.act(n.a(x)), 2).flatten(1)))),
        a=conv(3, 8), act=nn.PReLU(8), hidden=nn.Linear(32, 16), fc=nn.Linear(16, 5),
    )  # fmt: skip


def grouped() -> Net:
    return Net(
        lambda n, x: n.fc(head(torch.relu(n.b(torch.relu(n.a(x)))))),
        a=conv(3, 16), b=conv(16, 24, groups=4), fc=nn.Linear(24, 5),
    )  # fmt: skip


def multiplied() -> Net:
    """A depthwise layer that makes two channels of one."""
    return Net(
        lambda n, x: n.fc(head(torch.relu(n.b(n.dw(torch.relu(n.a(x))))))),
        a=conv(3, 8), dw=conv(8, 16, groups=8), b=conv(16, 8), fc=nn.Linear(8, 5),
    )  # fmt: skip


def gated() -> Net:
    """A gated linear unit: channel i and i + 8 make one."""

    def forward(n: Net, x: torch.Tensor) -> torch.Tensor:
        a, b = n.a(x).chunk(2, 1)
        return n.fc(head(n.b(a * torch.sigmoid(b))))

    return Net(forward, a=conv(3, 16), b=conv(8, 8), fc=nn.Linear(8, 5))


def shuffled() -> Net:
    """Channels shuffled between two convolutions: 8 stay 8 only because forward computes the size."""

    def forward(n: Net, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(n.b(torch.relu(n.a(x))))
        s, c, h, w = x.shape
        return n.fc(head(n.c(x.view(s, 2, c // 2, h, w).transpose(1, 2).reshape(s, c, h, w))))

    return Net(forward, a=conv(3, 8), b=conv(8, 8), c=conv(8, 8), fc=nn.Linear(8, 5))


def transposed() -> Net:
    return Net(
        lambda n, x: n.out(torch.relu(n.up(torch.relu(n.down(x))))),
        down=conv(3, 8, stride=2), up=nn.ConvTranspose2d(8, 16, 2, 2), out=conv(16, 3),
    )  # fmt: skip


def attended() -> Net:
    """A mean over channels weighs every position: cutting one channel changes all others."""

    def forward(n: Net, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(n.b(torch.relu(n.a(x))))
        return n.fc(head(n.c(x * torch.sigmoid(x.mean(1, keepdim=True)))))

    return Net(forward, a=conv(3, 8), b=conv(8, 8), c=conv(8, 8), fc=nn.Linear(8, 5))


def normed() -> Net:
    """A layer norm over the hidden features, and one hidden layer more."""
    return Net(
        lambda n, x: n.fc(torch.relu(n.ln(n.b(torch.relu(n.a(x.flatten(1))))))),
        a=nn.Linear(192, 16), b=nn.Linear(16, 16), ln=nn.LayerNorm(16), fc=nn.Linear(16, 5),
    )  # fmt: skip


ALL = {
    f.__name__: f
    for f in (
        residual, concatenated, squeezed, flattened, grouped, multiplied, gated, shuffled, transposed, attended, normed,
    )
}  # fmt: skip


def images(count: int = 4, side: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def made(name: str, seed: int = 0) -> Net:
    """With random weights everywhere, norms' statistics too, in eval mode."""
    torch.manual_seed(seed)
    net = ALL[name]()
    with torch.no_grad():
        for key, tensor in net.state_dict().items():
            if key.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif tensor.dtype.is_floating_point and tensor.dim() == 1:
                tensor.normal_(0.3, 0.5)
    return net.eval()


class RandomCNN(nn.Module):
    """Blocks drawn from a list of (kind, width): plain, residual, depthwise, grouped, concatenation, gate."""

    def __init__(self, blocks: list[tuple[str, int]], norm: bool, flat: bool) -> None:
        super().__init__()
        self.kinds = [k for k, _ in blocks]
        self.parts, channels = nn.ModuleList(), 3
        for kind, width in blocks:
            made, channels = self._block(kind, channels, 4 * width, norm)
            self.parts.append(made)
        self.flat = flat
        self.fc = nn.Linear(channels * (4 if flat else 1), 3)

    @staticmethod
    def _unit(i: int, o: int, norm: bool, groups: int = 1) -> nn.Sequential:
        return nn.Sequential(conv(i, o, groups=groups), nn.BatchNorm2d(o) if norm else nn.Identity(), nn.ReLU())

    def _block(self, kind: str, i: int, o: int, norm: bool) -> tuple[nn.ModuleList, int]:
        unit = self._unit
        if kind == "residual":
            return nn.ModuleList([unit(i, o, norm), unit(o, o, norm)]), o
        if kind == "depthwise":
            return nn.ModuleList([unit(i, o, norm), unit(o, o, norm, o)]), o
        if kind == "grouped":
            return nn.ModuleList([unit(i, o, norm), unit(o, o, norm, 2)]), o
        if kind == "concat":
            return nn.ModuleList([unit(i, o, norm), unit(i, 4, norm)]), o + 4
        if kind == "gate":
            return nn.ModuleList([unit(i, o, norm), conv(o, 4, 1), conv(4, o, 1)]), o
        return nn.ModuleList([unit(i, o, norm)]), o

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for kind, part in zip(self.kinds, self.parts, strict=True):
            if kind == "residual":
                x = part[0](x)
                x = x + part[1](x)
            elif kind == "concat":
                x = torch.cat([part[0](x), part[1](x)], 1)
            elif kind == "gate":
                x = part[0](x)
                x = x * torch.sigmoid(part[2](torch.relu(part[1](x.mean((2, 3), keepdim=True)))))
            else:
                for step in part:
                    x = step(x)
        x = functional.adaptive_avg_pool2d(x, 2).flatten(1) if self.flat else head(x)
        return self.fc(x)
