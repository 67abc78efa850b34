"""Whatever cannot be captured is refused in one line that names the operation and the user's own source line."""

from __future__ import annotations

import inspect
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from selvedge.capture import capture
from selvedge.errors import DoesNotFit, InvalidInput, NotSupported, SelvedgeError


class Unsupported(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x * 2
        return torch.cumsum(x, 1)


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.sum() > 0:
            return x
        return -x


class Counting(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * x.sum().item()


class Mismatched(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x)


class Writing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += 1
        return x * self.seen


class Reflecting(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.pad(x, (1, 1), mode="reflect")


class Indices(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values, indices = x.max(1)
        return values * indices


class Training(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(x, 0.5, training=True)


class Detached(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x * self.w
        return x * x.detach()


class Muted(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            y = x * 2
        return x + y


class Constant(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ones(3)


class Integers(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.int() + 1


class Empty(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + x[2:].mean()


CASES = [
    (Unsupported, "aten.cumsum.default", "return torch.cumsum(x, 1)"),
    (Branching, "data-dependent control flow", "if x.sum() > 0:"),
    (Counting, "aten.item.default", "return x * x.sum().item()"),
    (Writing, "assignment to seen", "self.seen += 1"),
    (Reflecting, "aten.pad.default", 'return F.pad(x, (1, 1), mode="reflect")'),
    (Indices, "result 1 of aten.max.dim", "return values * indices"),
    (Training, "aten.dropout.default", "return F.dropout(x, 0.5, training=True)"),
    (Detached, "aten.detach", "return x * x.detach()"),
    (Muted, "set_grad_enabled", "y = x * 2"),
    (Integers, "aten.to.dtype", "return x.int() + 1"),
    (Empty, "an empty tensor (0, 3)", "return x + x[2:].mean()"),
]


@pytest.mark.parametrize(("model", "op", "code"), CASES, ids=lambda v: v.__name__ if isinstance(v, type) else "")
def test_refusals_name_the_operation_and_the_line(model: type[nn.Module], op: str, code: str) -> None:
    with pytest.raises(NotSupported) as error:
        capture(model(), torch.randn(2, 3))
    lines, first = inspect.getsourcelines(model)
    numbers = [first + i for i, line in enumerate(lines) if code in line]
    message = str(error.value)
    assert message.startswith(f"{error.value.op} is not supported at ")
    assert op in error.value.op
    assert f"test_refusals.py:{numbers[0]}: {code}" in message
    assert "\n" not in message
    assert error.value.what_to_do


def test_a_constant_output_is_refused() -> None:
    with pytest.raises(NotSupported, match=r"output 0 is not supported: forward\(\) must return tensors computed"):
        capture(Constant(), torch.randn(2, 3))


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (torch.randn(2, 5), "example is of shape [2, 5]: forward() fails at "),
        ([1.0], "example is list: give a tensor or a tuple of tensors"),
        (torch.zeros(2, 3, dtype=torch.int64), "example 0 dtype is int64: give one of float32, float64, int32, uint8"),
        (torch.zeros(0, 3), "example 0 shape is (0, 3): every axis must have at least 1 element"),
    ],
)
def test_bad_examples_are_refused(example: object, message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        capture(Mismatched(), example)  # type: ignore[arg-type]
    assert str(error.value).startswith(message)


def test_bad_norms_are_refused() -> None:
    with pytest.raises(InvalidInput, match="norms is 'live': give one of frozen, folded"):
        capture(Mismatched(), torch.randn(2, 3), norms="live")


ERRORS: list[tuple[SelvedgeError, str]] = [
    (InvalidInput("lr", -1, "it must be >= 0"), "lr is -1: it must be >= 0"),
    (NotSupported("aten.foo", "a.py:3: foo(x)", "do not"), "aten.foo is not supported at a.py:3: foo(x): do not"),
    (DoesNotFit("RAM", 70000, 65536), "RAM does not fit: needs 70,000 B, has 65,536 B"),
    (
        DoesNotFit("RAM", 70000, 65536, "update last:2"),
        "RAM does not fit: needs 70,000 B, has 65,536 B; cheapest change: update last:2",
    ),
]


@pytest.mark.parametrize(("error", "message"), ERRORS)
def test_errors_are_one_line_with_fields_and_can_be_pickled(error: SelvedgeError, message: str) -> None:
    assert str(error) == message
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == message
    assert vars(again) == vars(error)
