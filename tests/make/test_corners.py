"""The corners of fusing, tiling and emitting: PyTorch's loss and gradients, in exactly the arena promised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import selvedge as sv
from selvedge.make import measure

LOSSES = {
    "mse": F.mse_loss,
    "bce_with_logits": F.binary_cross_entropy_with_logits,
    "reconstruction": F.mse_loss,
}
Function = Callable[["Net", torch.Tensor], torch.Tensor]


class Net(nn.Module):
    """``function`` over two linear layers, a convolution and its transpose, and a free parameter ``p``."""

    def __init__(self, function: Function, wide: int = 6, p: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(wide, wide), nn.Linear(wide, 3)
        self.conv, self.back = nn.Conv2d(3, 4, 3, padding=1), nn.ConvTranspose2d(4, 4, 3, padding=1, bias=False)
        self.p = nn.Parameter(torch.linspace(0.5, 1.5, int(np.prod(p))).reshape(p))
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self, x)


def masked(net: Net, x: torch.Tensor) -> torch.Tensor:
    h = net.a(x)
    return net.b(h.masked_fill(h < 0, 0.0))


def chosen(net: Net, x: torch.Tensor) -> torch.Tensor:
    h = net.a(x)
    return net.b(torch.where(h > 0.1, torch.tanh(h), -h))


def onto_its_own_operand(net: Net, x: torch.Tensor) -> torch.Tensor:
    h = F.relu(net.conv(x))
    return h + net.back(h)


def padded_mask(net: Net, x: torch.Tensor) -> torch.Tensor:
    h = net.a(x)
    return torch.where(F.pad(h[:, 1:5:2] > 0, (1, 3), value=1), h, x)


CASES: dict[str, tuple[Callable[[], Net], tuple[int, ...], str]] = {
    "masked_fill, tile in place": (lambda: Net(masked, 16), (8, 16), "mse"),
    "where, tile in place": (lambda: Net(chosen, 16), (8, 16), "mse"),
    "a gradient onto its own operand": (lambda: Net(onto_its_own_operand), (2, 3, 5, 6), "mse"),
    "a mask is cut and padded": (lambda: Net(padded_mask), (3, 6), "mse"),
    **{
        f"{name}, {loss}": (lambda f=f: Net(f, p=(4, 6)), (4, 6), loss)  # type: ignore[misc]
        for loss in LOSSES
        for name, f in {
            "plus a parameter like the output": lambda n, x: n.a(x) + n.p,
            "times a parameter like the output": lambda n, x: n.a(x) * n.p,
            "relu plus a parameter like the output": lambda n, x: F.relu(n.a(x)) + n.p,
        }.items()
    },
    "a gain on one number": (lambda: Net(lambda n, x: n.a(x).mean() * n.p), (2, 6), "mse"),
    "a gain on one row": (lambda: Net(lambda n, x: (n.a(x).sum() * n.p).view(1, 1), p=(1, 1)), (2, 6), "mse"),
}


def agree(model: nn.Module, x: torch.Tensor, loss: str, **options: object) -> sv.Plan:
    """The plan, whose first step had PyTorch's loss and gradients and stayed in its arena without a fault."""
    target = x if loss == "reconstruction" else torch.rand_like(model(x).detach())
    expected = LOSSES[loss](model(x), target)
    expected.backward()
    device = options.pop("device", sv.Device(name="board", ram="8MiB", flash="8MiB", vector_bytes=32))
    plan = sv.plan(model, x, loss=loss, device=device, optimizer=sv.SGD(lr=0.1, momentum=0.9), **options)
    session = sv.compile(plan)
    given = (x,) if loss == "reconstruction" else (x, target)
    assert session.step(*given, lr=0.0) == pytest.approx(expected.item(), rel=1e-4)
    momentum = session.optimizer_state_dict()
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            wanted = parameter.grad.numpy()
            np.testing.assert_allclose(
                momentum[f"{name}.momentum"], wanted, rtol=1e-4, atol=2e-6 * np.abs(wanted).max() + 1e-9
            )
    found = sv.measured(plan)
    assert found.faults == ()
    assert found.arena == plan.arena_bytes
    return plan


@pytest.mark.parametrize("case", CASES)
def test_corners_agree_with_pytorch(case: str) -> None:
    make, shape, loss = CASES[case]
    torch.manual_seed(0)
    agree(make().eval(), torch.randn(shape), loss)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.bool])
def test_padding_of_any_type_stays_in_its_place(dtype: torch.dtype) -> None:
    """Of a buffer, so that only the kernel is asked."""

    class Padded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(6, 6)
            self.register_buffer("mask", (torch.arange(9).reshape(3, 3) % 2).to(dtype))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x) * F.pad(self.mask, (1, 2), value=1).to(x.dtype)

    torch.manual_seed(0)
    agree(Padded().eval(), torch.randn(3, 6), "mse")


@pytest.mark.parametrize(
    "pool", [nn.AdaptiveAvgPool1d(1), nn.AvgPool1d(40000), nn.MaxPool1d(4), nn.AvgPool1d(3, 2, 1)], ids=str
)
def test_pooling_reaches_beyond_sixteen_bits(pool: nn.Module) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(1, 2, 1), pool).eval().double()  # sums of 40000 numbers, to the last digit
    agree(model, torch.randn(1, 1, 40000, dtype=torch.float64), "mse")


def test_two_real_types_are_refused_in_one_line() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(6, 3)

        def forward(self, x: torch.Tensor, k: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.linear(x), k.double() * 2

    given = (torch.randn(2, 6), torch.ones(2, 3, dtype=torch.int32))
    with pytest.raises(sv.NotSupported, match="float64") as caught:
        sv.plan(Mixed().eval(), given, loss="mse", device=sv.Device(name="board", ram="1MiB", flash="1MiB"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("alignment", [1, 2, 4])
def test_no_alignment_is_less_than_a_number(alignment: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)).eval().to(dtype)
    device = sv.Device(name="board", ram="1MiB", flash="1MiB", vector_bytes=0, alignment=alignment)
    plan = agree(model, torch.randn(3, 5, dtype=dtype), "mse", device=device)
    assert plan.arrangement.align >= dtype.itemsize


@pytest.mark.parametrize("name", ["a*/b", "a/*b", "a\nb", "a\\", "ü"])
def test_a_name_may_hold_what_ends_a_comment(name: str) -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module(name, nn.Linear(4, 4))
            self.register_parameter(name + "p", nn.Parameter(torch.ones(4)))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return getattr(self, name)(x) * getattr(self, name + "p")

    torch.manual_seed(0)
    agree(Named().eval(), torch.randn(2, 4), "mse")


def test_a_stack_that_cannot_be_measured_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = sv.plan(nn.Linear(4, 3), torch.zeros(1, 4), device=sv.Device(name="board", ram="1MiB", flash="1MiB"))
    assert sv.measured(plan).faults == ()
    monkeypatch.setattr(measure, "STACK", 512)  # less than a thread may have
    found = sv.measured(plan)
    assert [f for f in found.faults if "step: no thread" in f]
    assert found == replace(found, stack=dict.fromkeys(plan.arrangement.programs, 0))
