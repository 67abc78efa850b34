"""Small models that together make the C target emit every kernel family and every elementwise expression."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

import selvedge as sv
from selvedge.capture.lower import LOWERINGS
from selvedge.ir import TABLE


class Pictures(nn.Module):
    """Convolutions of every kind, pooling, and the moving of pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(4, 6, 3, padding=1)
        self.grouped = nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=2)
        self.left = nn.Conv2d(6, 5, 3, padding=2, dilation=2)
        self.right = nn.Conv2d(6, 5, 1)
        self.depthwise = nn.Conv2d(10, 10, 3, padding=1, groups=10)
        self.norm = nn.BatchNorm2d(10)
        self.head = nn.Linear(80, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.stem(F.max_pool2d(x, 2)))
        x = F.relu6(self.grouped(x))
        x = torch.cat([self.left(x), self.right(x)], 1)
        x = F.hardswish(self.norm(self.depthwise(x.transpose(2, 3))))
        x = F.pad(x, (1, 0, 0, 1), value=0.5)[:, :, 1:, ::2]
        x = F.max_pool2d(x, 2, stride=1, padding=1) + F.avg_pool2d(x, 2, stride=1, padding=1)
        return self.head(F.adaptive_avg_pool2d(x, (4, 2)).flatten(1))


class Words(nn.Module):
    """Attention over a sequence, in log-probabilities."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.LayerNorm(8)
        self.query, self.key, self.value = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.groups = nn.GroupNorm(2, 4)
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        q, k, v = (part(x).reshape(2, 5, 2, 4).transpose(1, 2) for part in (self.query, self.key, self.value))
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(2, 5, 8)
        grouped = self.groups((x + mixed).reshape(2, 4, 10, 1)).reshape(2, 5, 8)
        return F.log_softmax(self.head(grouped), -1)


class Functions(nn.Module):
    """Every elementwise function, each behind its own scale so that it has a gradient."""

    PARTS: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = (
        torch.relu, F.relu6, F.hardswish, F.hardsigmoid, torch.sigmoid, torch.tanh, F.silu, F.gelu,
        lambda x: F.gelu(x, approximate="tanh"), lambda x: F.leaky_relu(x, 0.1), F.elu, F.softplus, torch.exp,
        torch.abs, torch.square, torch.erf, torch.sign, torch.neg,
        lambda x: torch.log(x.abs() + 1), lambda x: torch.log1p(x.abs()), lambda x: torch.sqrt(x.abs() + 1),
        lambda x: torch.rsqrt(x.abs() + 1), lambda x: torch.reciprocal(x.abs() + 1), lambda x: x.clamp(-0.5, 0.5),
        lambda x: (x.abs() + 1) ** 1.5, lambda x: x**3, lambda x: torch.maximum(x, -x),
        lambda x: torch.minimum(x, 0.3 * x), lambda x: torch.where(x < 0.1, x, 2 * x),
        lambda x: torch.where(x <= 0.1, x, 2 * x), lambda x: torch.where(x > 0.1, x, 2 * x),
        lambda x: torch.where(x >= 0.1, x, 2 * x), lambda x: torch.where(x == 0.1, x, 2 * x),
        lambda x: torch.where((x != 0.1) & ~(x < 0), x, 2 * x), lambda x: torch.asin(x.clamp(-0.9, 0.9)),
        lambda x: torch.acosh(2 + x.abs()),
        lambda x: x * (x > 0).to(x.dtype), lambda x: F.hardtanh(x, -0.3, 0.4), lambda x: 1 / (2 + x.abs()) - x,
        lambda x: x.amax(-1, keepdim=True) + x, lambda x: F.softmax(x, -1),
    )  # fmt: skip

    # Rows that are ATen operators of one tensor as they stand are found by themselves.
    FOUND = (
        *(
            getattr(torch.ops.aten, name)
            for name, row in TABLE.items()
            if row.unary and not row.numbers and f"aten.{name}.default" in LOWERINGS
            and name not in ("asin", "acos", "acosh", "atanh")
        ),
        lambda x: torch.acos(0.9 / (1 + x)),
        lambda x: torch.atanh(0.9 / (1 + x)),
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.scales = nn.Parameter(torch.linspace(0.5, 1.5, len(self.PARTS)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.stack([part(x * self.scales[i]) for i, part in enumerate(self.PARTS)]).sum(0)
        return y + torch.stack([found(0.1 + (x * self.scales[i]).abs()) for i, found in enumerate(self.FOUND)]).sum(0)


class Saved(nn.Module):
    """What is saved as a mask, and as codes, of numbers that do not fill a byte."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.second(torch.relu(self.first(x)))
        return (F.relu6(y) + y.clamp(-1, 2) * F.silu(y)).mean((2, 3))  # silu's gradient keeps y, and clamp's reads it


class Text(nn.Module):
    """Tokens through every recurrent cell, by number and along an axis; the table learns in the rows that were read."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 4, padding_idx=0)
        self.gru, self.lstm = nn.GRU(4, 5, bidirectional=True), nn.LSTM(10, 6, batch_first=True)
        self.tanh, self.relu = nn.RNN(6, 5), nn.RNN(5, 3, nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.lstm(self.gru(self.embedding(x))[0])[0]
        y = self.relu(self.tanh(y.roll(1, 1).cumsum(1))[0])[0]
        y = F.interpolate(y.transpose(1, 2), size=7, mode="linear").transpose(1, 2)
        return y.index_add(1, x[0], y[:, x[1]]).mean(1)


class Spoken(nn.Module):
    """Classes at every step of a sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv1d(3, 5, 3), nn.Conv1d(5, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(torch.relu(self.a(x)))


class Live(nn.Module):
    """What is done only while it learns."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm, self.b = nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Linear(5, 4)
        self.channels, self.rows = nn.Dropout2d(0.3), nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.channels(torch.relu(self.norm(self.a(x)))).mean((2, 3))
        return self.b(self.rows(torch.tanh(x)))


@dataclass(frozen=True)
class Case:
    """What ``sv.plan`` is asked for."""

    model: Callable[[], nn.Module]
    shape: tuple[int, ...]
    loss: str | sv.CTC
    optimizer: sv.SGD | sv.Adam | sv.RMSProp
    preprocess: sv.Preprocess | None = None
    accumulate: int = 1
    trade: sv.Trade | None = None
    norms: str = "frozen"
    dropout: int | None = None
    tokens: int = 0  # of which the example is made, instead of numbers

    def plan(self, dtype: torch.dtype, vector_bytes: int) -> sv.Plan:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = self.model().eval().to(dtype)
            example = torch.randn(self.shape, dtype=dtype)
            if self.tokens:
                example = torch.randint(0, self.tokens, self.shape)
        device = sv.Device(name="bench", ram="1GiB", flash="1GiB", vector_bytes=vector_bytes)
        return sv.plan(
            model, example, loss=self.loss, device=device, optimizer=self.optimizer, preprocess=self.preprocess,
            accumulate=self.accumulate, trade=self.trade, norms=self.norms, dropout=self.dropout,
        )  # fmt: skip


CASES = {
    "spoken": Case(Spoken, (2, 3, 9), sv.CTC(longest=3, zero_infinity=True), sv.SGD(lr=0.01)),
    "live": Case(Live, (3, 3, 8, 8), "cross_entropy", sv.SGD(lr=0.01), norms="live", dropout=3),
    "pictures": Case(
        Pictures,
        (2, 4, 14, 12),
        "cross_entropy",
        sv.SGD(lr=0.01, momentum=0.9, dampening=0.5, weight_decay=0.01, clip_value=1.0),
        sv.Preprocess((1 / 255,), (-0.5,)),
    ),
    "words": Case(
        Words, (2, 5, 8), "mse", sv.Adam(lr=0.01, weight_decay=0.01, decoupled=True, clip_norm=1.0, state_dtype="int8")
    ),
    "functions": Case(
        Functions, (2, 37), "bce_with_logits", sv.RMSProp(lr=0.01, momentum=0.5, state_dtype="bfloat16"), accumulate=2
    ),
    "text": Case(Text, (2, 3), "cross_entropy", sv.SGD(lr=0.01), tokens=7),
    "saved": Case(
        Saved,
        (2, 3, 9, 9),
        "mse",
        sv.SGD(lr=0.01),
        trade=sv.Trade(stream=False, recompute=False, int8_activations=True, least=True),
    ),
}
