"""Models that are legal, small and awkward: masks between kernels, a parameter of the output's own shape, windows
beyond 16 bits. Gradients are PyTorch's, and the arena is the one promised."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import selvedge as sv
from tests.models import disagreements, reference
from tests.oracle import native_gradients

Forward = Callable[["Two", torch.Tensor], torch.Tensor]


class Two(nn.Module):
    """Two layers, a parameter, and what is done between them."""

    def __init__(self, first: nn.Module, last: nn.Module, shape: tuple[int, ...], forward: Forward) -> None:
        super().__init__()
        self.first, self.last, self.between = first, last, forward
        self.own = nn.Parameter(torch.randn(shape))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.between(self, x)


def rows(forward: Forward, shape: tuple[int, ...] = ()) -> tuple[nn.Module, torch.Tensor]:
    return Two(nn.Linear(16, 16), nn.Linear(16, 3), shape, forward), torch.randn(8, 16)


def images(forward: Forward) -> tuple[nn.Module, torch.Tensor]:
    return Two(nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 3), (), forward), torch.randn(2, 3, 8, 8)


def lines(forward: Forward) -> tuple[nn.Module, torch.Tensor]:
    return Two(nn.Conv1d(1, 2, 3, padding=1), nn.Linear(2, 3), (), forward), torch.randn(1, 1, 40000)


def _masked(h: torch.Tensor) -> torch.Tensor:
    return h.masked_fill(h < 0, 0.0)


def _halved(h: torch.Tensor) -> torch.Tensor:
    return torch.where(h > 0, h * 2, h * 0.5)


def _padded(h: torch.Tensor) -> torch.Tensor:
    return h * F.pad(h[:, :-1] > 0, (1, 0), value=True)


MODELS: dict[str, Callable[[], tuple[nn.Module, torch.Tensor]]] = {
    "masked_fill": lambda: rows(lambda m, x: m.last(_masked(m.first(x)))),
    "where": lambda: rows(lambda m, x: m.last(_halved(m.first(x)))),
    "where of images": lambda: images(lambda m, x: m.last(_halved(m.first(x)).mean((2, 3)))),
    "padded mask": lambda: rows(lambda m, x: m.last(_padded(m.first(x)))),
    "sliced mask": lambda: rows(lambda m, x: m.last((m.first(x) > 0)[:, ::2].repeat(1, 2) * m.first(x))),
    "parameter of the output's shape": lambda: rows(lambda m, x: m.last(m.first(x)) + m.own, (8, 3)),
    "scaled by one number": lambda: rows(lambda m, x: m.last(m.first(x)) * m.own),
    "max of a long line": lambda: lines(lambda m, x: m.last(F.max_pool1d(m.first(x), 4).mean(2))),
    "mean of a long line": lambda: lines(lambda m, x: m.last(F.adaptive_avg_pool1d(m.first(x), 1).flatten(1))),
    "mean of a long window": lambda: lines(lambda m, x: m.last(F.avg_pool1d(m.first(x), 40000).flatten(1))),
    "thinned line": lambda: lines(lambda m, x: m.last(F.max_pool1d(m.first(x), 1, 200).mean(2))),
}


@pytest.mark.parametrize("vector_bytes", [0, 64])
@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_pytorchs_in_the_promised_arena(name: str, vector_bytes: int) -> None:
    torch.manual_seed(0)
    model, x = MODELS[name]()
    y = torch.randint(0, 3, (x.shape[0],))
    device = sv.Device(name="any", ram="64MiB", flash="64MiB", vector_bytes=vector_bytes)
    plan = sv.plan(model, x, device=device, optimizer=sv.SGD(lr=0.1, momentum=0.9))
    assert not disagreements(native_gradients(sv.compile(plan), x, y), reference(model, x, y))
    found = sv.measured(plan)
    assert found.faults == ()
    assert found.arena == plan.arena_bytes


@pytest.mark.parametrize("loss", ["mse", "bce_with_logits", "reconstruction"])
@pytest.mark.parametrize("kind", ["sum", "product", "bent", "one number"])
def test_no_update_comes_before_the_loss_is_known(kind: str, loss: str) -> None:
    """Each is refused whole when its loss is not a number."""
    forwards: dict[str, tuple[Forward, tuple[int, ...]]] = {
        "sum": (lambda m, x: m.first(x) + m.own, (4, 6)),
        "product": (lambda m, x: m.first(x) * m.own, (4, 6)),
        "bent": (lambda m, x: torch.relu(m.first(x)) + m.own, (4, 6)),
        "one number": (lambda m, x: m.first(x).mean() * m.own + 0 * m.first(x), ()),
    }
    forward, shape = forwards[kind]
    torch.manual_seed(0)
    model = Two(nn.Linear(6, 6), nn.Identity(), shape, forward)
    x, y = torch.randn(4, 6), None if loss == "reconstruction" else torch.rand(4, 6)
    session = sv.compile(sv.plan(model, x, loss=loss, device=sv.Device(ram="1MiB", flash="1MiB")))
    before = session.state_dict()
    with pytest.raises(sv.NotFinite):
        session.step(np.float32(3e38) * np.where(np.arange(24).reshape(4, 6) % 2, 1, -1), y)
    for name, array in session.state_dict().items():
        assert torch.equal(array, before[name])
    first = session.step(x, y)
    assert session.step(x, y) < first


def test_a_transposed_convolution_may_stand_beside_what_it_reads() -> None:
    torch.manual_seed(0)

    class Beside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.up = nn.Conv2d(3, 4, 3, padding=1), nn.ConvTranspose2d(4, 4, 3, padding=1, bias=False)
            self.head = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = torch.relu(self.conv(x))
            return self.head((h + self.up(h)).mean((2, 3)))

    model, x, y = Beside(), torch.randn(2, 3, 6, 6), torch.tensor([0, 2])
    plan = sv.plan(model, x, device=sv.Device(ram="1MiB", flash="1MiB"), optimizer=sv.SGD(lr=0.1, momentum=0.9))
    assert not disagreements(native_gradients(sv.compile(plan), x, y), reference(model, x, y))
    assert sv.measured(plan).faults == ()


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8, torch.bool])
def test_whole_numbers_go_in_and_are_moved_as_they_are(dtype: torch.dtype) -> None:
    class Padded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(5, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(F.pad(x, (1, 2), value=1).float()[:, ::2])

    x = torch.arange(12).reshape(2, 6).to(dtype)
    model = Padded()
    session = sv.compile(sv.plan(model, x, device=sv.Device(ram="1MiB", flash="1MiB")))
    np.testing.assert_allclose(session.predict(x), model(x).detach().numpy(), rtol=1e-5, atol=1e-6)
    assert session.step(x, np.array([0, 2])) > session.step(x, np.array([0, 2]))
    with pytest.raises(sv.InvalidInput, match="input x is of dtype float32: give"):
        session.predict(np.zeros((2, 6), np.float32))


def test_labels_of_dense_outputs_are_counted_on_the_axis_of_classes() -> None:
    class Dense(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(5, 6)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(x).view(2, 3, 2)

    plan = sv.plan(Dense(), torch.randn(2, 5), device=sv.Device(ram="1MiB", flash="1MiB"))
    session = sv.compile(plan)
    session.step(torch.randn(2, 5), np.array([[0, 2], [1, 2]]))
    with pytest.raises(sv.InvalidInput, match=r"labels must lie in 0\.\.2"):
        session.step(torch.randn(2, 5), np.array([[0, 3], [1, 2]]))
    assert sv.measured(plan).faults == ()


def test_what_is_padding_does_not_count() -> None:
    """Sentences of different length, each filled up to the longest: as PyTorch with ignore_index."""
    torch.manual_seed(0)

    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru, self.fc = nn.GRU(3, 5, batch_first=True), nn.Linear(5, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.gru(x)[0]).transpose(1, 2)

    model, x, y = Tagger(), torch.randn(3, 7, 3), torch.randint(0, 4, (3, 7))
    y[0, 5:] = y[1, 2:] = -100
    session = sv.compile(sv.plan(model, x, device="raspberry-pi-4", optimizer=sv.SGD(lr=0.1)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        assert session.step(x, y) == pytest.approx(float(loss.detach()), rel=1e-5)
    for name, value in session.state_dict().items():
        np.testing.assert_allclose(value, model.state_dict()[name].numpy(), rtol=1e-4, atol=1e-6, err_msg=name)
    before = session.snapshot()
    with pytest.raises(sv.InvalidInput, match="no label counts"):
        session.step(x, torch.full_like(y, -100))  # nothing to learn from
    for name, array in session.snapshot().items():
        np.testing.assert_array_equal(array, before[name])
