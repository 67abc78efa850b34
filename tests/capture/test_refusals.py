"""Whatever cannot be captured is refused in one line that names the operation and the user's own source line."""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from selvedge.capture import capture
from selvedge.capture.lower import LOWERINGS
from selvedge.errors import DoesNotFit, InvalidInput, NotSupported, SelvedgeError

from .parity import predict


class Unsupported(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x * 2
        return torch.sort(x, 1)[0]


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


class Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: object, dy: torch.Tensor) -> torch.Tensor:
        return dy


class Rounding(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return Straight.apply(x * 2)


class Composed(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.msort(x)


class Looking(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(4, 3))
        self.ids = torch.tensor([0, 2])


class ByFrequency(Looking):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[0, 0] * F.embedding(self.ids, self.w, scale_grad_by_freq=True)


class Projecting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4, proj_size=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lstm(x[None])[0]


class Indices(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values, indices = x.max(1)
        return values * indices


class Training(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(x, 0.5, training=True)


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


class Random(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.rand(3)


class Shuffled(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.randperm(3).float()


class Coin(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.bernoulli(torch.full((3,), 0.5))


class Uniform(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.empty(3).uniform_()


class Unwritten(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.empty(3)


class Precise(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x * 2, (x > 0).double() * 2


CASES = [
    (Random, "aten.rand.default", "return x + torch.rand(3)"),
    (Shuffled, "aten.randperm.default", "return x * torch.randperm(3).float()"),
    (Coin, "aten.bernoulli.default", "return x * torch.bernoulli(torch.full((3,), 0.5))"),
    (Uniform, "torch.empty", "return x + torch.empty(3).uniform_()"),
    (Unwritten, "torch.empty", "return x + torch.empty(3)"),
    (Precise, "convert in float64", "return x * 2, (x > 0).double() * 2"),
    (Unsupported, "aten.sort.default", "return torch.sort(x, 1)[0]"),
    (Rounding, "the autograd.Function Straight", "return Straight.apply(x * 2)"),
    (Composed, "aten.msort.default", "return torch.msort(x)"),
    (ByFrequency, "aten.embedding.default", "return x[0, 0] * F.embedding(self.ids, self.w, scale_grad_by_freq=True)"),
    (Projecting, "aten.lstm.input", "return self.lstm(x[None])[0]"),
    (Branching, "data-dependent control flow", "if x.sum() > 0:"),
    (Counting, "aten.item.default", "return x * x.sum().item()"),
    (Writing, "assignment to seen", "self.seen += 1"),
    (Indices, "result 1 of aten.max.dim", "return values * indices"),
    (Training, "aten.dropout.default", "return F.dropout(x, 0.5, training=True)"),
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


def test_an_output_that_no_input_reaches_is_refused() -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.ones(2, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.w

    with pytest.raises(NotSupported, match=r"output 0 is not supported: forward\(\) must return tensors computed"):
        capture(Idle(), torch.randn(2, 3))


def test_memory_that_is_written_before_it_is_read_is_captured() -> None:
    class Filled(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.empty(3).fill_(2) + torch.empty(3).zero_()

    x = torch.randn(2, 3)
    np.testing.assert_allclose(predict(capture(Filled(), x), x)["output"], (x + 2).numpy())


class Holding(nn.Module):
    """A linear layer, and something under a name."""

    def __init__(self, name: str, held: torch.Tensor, read: bool = True) -> None:
        super().__init__()
        self.fc, self.name, self.read = nn.Linear(3, 3), name, read
        if isinstance(held, nn.Parameter):
            self.register_parameter(name, held)
        else:
            self.register_buffer(name, held)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x) * getattr(self, self.name) if self.read else self.fc(x)


@pytest.mark.parametrize("name", ["x", "y", "lr", "loss", "output"])
def test_state_named_as_an_input_or_output_is_refused(name: str) -> None:
    x = torch.randn(2, 3)
    for kind, held in (("parameter", nn.Parameter(torch.ones(3))), ("buffer", torch.ones(3))):
        with pytest.raises(InvalidInput) as error:
            capture(Holding(name, held), x)
        assert str(error.value) == f"model is with a {kind} called {name}: rename it: the programs use that name"
    capture(Holding("x1", torch.ones(3)), x)


@pytest.mark.parametrize(
    ("held", "message"),
    [
        (torch.ones(3, dtype=torch.bfloat16), "state kept is of bfloat16: keep it in float32, or take it out"),
        (torch.ones(3, device="meta"), "state kept is without data: give it data first"),
        (torch.full((3,), torch.nan), "state kept is not finite"),
    ],
)
def test_state_that_no_array_can_hold_is_refused(held: torch.Tensor, message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        capture(Holding("kept", held, read=False), torch.randn(2, 3))
    assert str(error.value).startswith(message)


def test_a_negative_variance_is_refused() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).eval()
    model[1].running_var[2] = -1
    for norms in ("frozen", "folded"):
        with pytest.raises(InvalidInput) as error:
            capture(model, torch.randn(1, 3, 2, 2), norms=norms)
        assert str(error.value) == "state 1.running_var is -1 in a channel: a variance is at least 0"


@pytest.mark.filterwarnings("ignore::FutureWarning")  # torch's own, in run_decompositions
def test_a_third_dimension_is_captured_in_a_decomposed_program() -> None:
    x, model = torch.randn(1, 2, 3, 3, 3), nn.Conv3d(2, 3, 2).eval()
    program = torch.export.export(model, (x,)).run_decompositions({})
    core = torch.export.export(model, (x,)).run_decompositions()
    for given in (program, core):
        np.testing.assert_allclose(predict(capture(given, x), x)["output"], model(x).detach().numpy(), atol=1e-5)


def test_what_goes_wrong_inside_a_lowering_names_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(call: object, x: object, *_: object) -> None:
        raise IndexError("no such axis")

    monkeypatch.setitem(LOWERINGS, "aten.linear.default", broken)
    with pytest.raises(NotSupported, match=r"aten.linear.default is .* IndexError: no such axis") as error:
        capture(Mismatched(), torch.randn(2, 3))
    assert isinstance(error.value.__cause__, IndexError)


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (torch.randn(2, 5), "example is of shape [2, 5]: forward() fails at "),
        ([1.0], "example is list: give a tensor or a tuple of tensors"),
        (torch.zeros(2, 3, dtype=torch.int16), "example 0 dtype is int16: give one of float32, float64, int32, int64"),
        (torch.zeros(0, 3), "example 0 shape is (0, 3): every axis must have at least 1 element"),
    ],
)
def test_bad_examples_are_refused(example: object, message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        capture(Mismatched(), example)  # type: ignore[arg-type]
    assert str(error.value).startswith(message)


class Unsqueezing(nn.Module):
    """Gives its first layer another shape than it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 4, 3), nn.Linear(7, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.head(self.conv(x.unsqueeze(1)).flatten(1))
        return hidden


IMAGES = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(3600, 2))


@pytest.mark.parametrize(
    ("model", "shape", "takes"),
    [
        (
            IMAGES,
            (1, 3, 32),
            "the first number is the batch, and Conv2d, the first layer, takes [batch, 3, height, width]",
        ),
        (IMAGES, (3, 32, 32), "takes [batch, 3, height, width], as 1x3x32x32"),
        (IMAGES, (1, 32, 32, 3), "takes [batch, 3, height, width]"),
        (nn.Sequential(nn.Conv1d(2, 4, 3)), (1, 9), "Conv1d, the first layer, takes [batch, 2, length]"),
        (nn.Sequential(nn.BatchNorm2d(3)), (3, 4, 4), "takes [batch, 3, height, width], as 1x3x4x4"),
        (nn.Sequential(nn.Linear(8, 2)), (1, 9), "Linear, the first layer, takes [batch, 8]"),
        (Unsqueezing(), (1, 8, 8), " X [7, 2]"),  # another layer's fault: torch's own words
        (nn.Sequential(nn.Flatten(), nn.Linear(8, 2)), (1, 3, 4), " X [8, 2]"),
    ],
)
def test_an_example_that_the_first_layer_cannot_take_is_told_what_it_takes(
    model: nn.Module, shape: tuple[int, ...], takes: str
) -> None:
    with pytest.raises(InvalidInput) as error:
        capture(model, torch.zeros(shape))
    assert (error.value.field, error.value.value) == ("example", f"of shape {list(shape)}")
    assert takes in error.value.fix
    assert ("first layer" in error.value.fix) == ("batch" in takes)
    assert "\n" not in str(error.value)
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_bad_norms_are_refused() -> None:
    with pytest.raises(InvalidInput, match="norms is 'alive': give one of frozen, folded, live"):
        capture(Mismatched(), torch.randn(2, 3), norms="alive")


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
