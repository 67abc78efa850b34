"""What a model does only while it learns: batch norm over the batch, and dropout; native code against PyTorch."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import selvedge as sv
from selvedge.capture.live import DRAWN, Live
from selvedge.ir.ops.chance import kept
from tests import oracle

SEED = 11
LABELS = torch.tensor([0, 1, 1, 0])


class Normed(nn.Module):
    """Norms of images and of rows; one reads the other's."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.na = nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6)
        self.b, self.nb = nn.Conv2d(6, 5, 3, stride=2), nn.BatchNorm2d(5, momentum=0.3, eps=1e-3)
        self.c, self.nc = nn.Linear(5, 7), nn.BatchNorm1d(7, affine=False)
        self.d = nn.Linear(7, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu_(self.na(self.a(x)))
        x = F.relu(self.nb(self.b(x)) + 0.1).mean((2, 3))
        return self.d(torch.tanh(self.nc(self.c(x))))


class Dropping(nn.Module):
    """Dropout of numbers and of channels, and of what lies as an image."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 6, 3), nn.Linear(6, 8), nn.Linear(8, 2)
        self.image, self.channels, self.rows = nn.Dropout(0.2), nn.Dropout2d(0.4), nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.channels(self.image(torch.relu(self.a(x))))
        return self.c(self.rows(torch.relu(self.b(x.mean((2, 3))))))


@contextmanager
def masks(step: int, seed: int = SEED) -> Iterator[None]:
    """PyTorch's dropout with Selvedge's masks of ``step``, in the order of execution."""
    live = Live(False, seed)

    def drop(x: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> torch.Tensor:
        return _dropped(x, p, live.mask("float32")[1], False) if training else x

    def drop_channels(x: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> torch.Tensor:
        return _dropped(x, p, live.mask("float32")[1], True) if training else x

    def _dropped(x: torch.Tensor, p: float, salt: int, whole: bool) -> torch.Tensor:
        last = x.permute(0, *range(2, x.ndim), 1) if x.ndim > 2 else x
        a, c = last.shape[0], last.shape[-1]
        shape = (a, last.numel() // (a * c), c) if whole else (1, 1, last.numel())
        mask = torch.from_numpy(kept(shape, step, p, salt, whole).copy()).reshape(last.shape)
        mask = mask.permute(0, -1, *range(1, x.ndim - 1)) if x.ndim > 2 else mask
        return torch.where(mask, x / (1 - p), torch.zeros(()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(F, "dropout", drop)
        patch.setattr(F, "dropout2d", drop_channels)
        yield


def _assert_same(session: sv.Session, twin: nn.Module, but: str = "num_batches_tracked") -> None:
    found = session.state_dict()
    for name, value in twin.state_dict().items():
        if not name.endswith(but):
            np.testing.assert_allclose(found[name], value.numpy(), rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_batch_norm_over_the_batch_is_pytorchs(accumulate: int) -> None:
    torch.manual_seed(0)
    model, labels = Normed(), LABELS.repeat(2)
    before = {n: v.clone() for n, v in model.state_dict().items()}
    plan = sv.plan(
        model, torch.randn(8, 3, 9, 9), norms="live", accumulate=accumulate, device=oracle.WIDE,
        optimizer=sv.SGD(lr=0.1, momentum=0.9),
    )  # fmt: skip
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())
    assert model.training
    assert plan.updated == tuple(n for n, _ in model.named_parameters())
    session, twin = sv.compile(plan), copy.deepcopy(model).train()
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9)
    for step in range(4):
        x = torch.randn(8, 3, 9, 9, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        losses = []
        for part, own in zip(x.chunk(accumulate), labels.chunk(accumulate), strict=True):
            loss = F.cross_entropy(twin(part), own)
            (loss / accumulate).backward()
            losses.append(float(loss.detach()))
        optimizer.step()
        assert session.step(x, labels) == pytest.approx(np.mean(losses), rel=1e-4)
    _assert_same(session, twin)
    x = torch.randn(8 // accumulate, 3, 9, 9)
    with torch.no_grad():
        np.testing.assert_allclose(session.predict(x), twin.eval()(x).numpy(), rtol=1e-3, atol=1e-5)
    found = sv.measured(plan)
    assert not found.faults
    assert found.arena == plan.arena_bytes


def test_what_the_norms_have_learnt_survives_the_device(tmp_path) -> None:
    torch.manual_seed(1)
    model, x = Normed(), torch.randn(4, 3, 9, 9)
    plan = sv.plan(model, x, norms="live", device=oracle.WIDE, optimizer=sv.SGD(lr=0.1))
    session = sv.compile(plan)
    for _ in range(3):
        session.step(x, LABELS)
    sv.emit(plan, "c", tmp_path / "made")
    again = sv.load(tmp_path / "made")
    again.load_persistent(session.persistent())
    np.testing.assert_array_equal(again.predict(x), session.predict(x))
    assert again.step(x, LABELS) == session.step(x, LABELS)
    model.load_state_dict(session.state_dict())
    with torch.no_grad():
        np.testing.assert_allclose(model.eval()(x).numpy(), session.predict(x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_dropout_with_the_same_masks_is_pytorchs(accumulate: int) -> None:
    torch.manual_seed(0)
    model, x = Dropping(), torch.randn(4, 3, 7, 7)
    plan = sv.plan(
        model, x, dropout=SEED, accumulate=accumulate, device=oracle.WIDE, optimizer=sv.SGD(lr=0.1, momentum=0.9)
    )
    session, twin = sv.compile(plan), copy.deepcopy(model).train()
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9)
    draws = 0
    for _ in range(4):
        optimizer.zero_grad()
        for part, labels in zip(x.chunk(accumulate), LABELS.chunk(accumulate), strict=True):
            with masks(draws):
                (F.cross_entropy(twin(part), labels) / accumulate).backward()
            draws += 1
        optimizer.step()
        session.step(x, LABELS)
    _assert_same(session, twin)
    assert session.optimizer_state_dict()[DRAWN] == draws
    with torch.no_grad():  # predict and evaluate drop nothing
        x = x[: 4 // accumulate]
        np.testing.assert_allclose(session.predict(x), twin.eval()(x).numpy(), rtol=1e-4, atol=1e-6)


def test_masks_take_no_bytes_and_go_on_where_a_snapshot_was_taken() -> None:
    torch.manual_seed(0)
    model, x = Dropping(), torch.randn(4, 3, 7, 7)
    on, off = (sv.plan(model, x, dropout=seed, device=oracle.WIDE, optimizer=sv.SGD(lr=0.1)) for seed in (SEED, None))
    assert on.arrangement.memory.transient <= off.arrangement.memory.transient + 64  # of a scalar or two
    session = sv.compile(on)
    session.step(x, LABELS)
    kept_state, steps = session.snapshot(), session.steps
    first = [session.step(x, LABELS) for _ in range(3)]
    session.restore(kept_state, steps)
    assert [session.step(x, LABELS) for _ in range(3)] == first
    assert len(set(first)) == 3
    other = sv.compile(sv.plan(model, x, dropout=SEED + 1, device=oracle.WIDE, optimizer=sv.SGD(lr=0.1)))
    assert other.step(x, LABELS) != sv.compile(on).step(x, LABELS)


def test_dropout_between_recurrent_layers_and_in_attention() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(4, 8, 2, batch_first=True, dropout=0.5)
            self.attention = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.3, batch_first=True)
            self.fc = nn.Linear(8, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.attention(self.gru(x)[0]).mean(1))

    torch.manual_seed(0)
    model, x = Both(), torch.randn(4, 6, 4)
    plan = sv.plan(model, x, dropout=SEED, device=oracle.WIDE, optimizer=sv.SGD(lr=0.05))
    masks_drawn = plan.to_dict()["masks_drawn"]
    assert masks_drawn == 2 * 5  # of the GRU, of the attention's weights, and of three places behind: there and back
    session = sv.compile(plan)
    losses = np.array([session.step(x, LABELS) for _ in range(60)])
    assert losses[-10:].mean() < losses[:10].mean() - 0.1
    _against_the_interpreter(plan, x)


def _against_the_interpreter(plan: sv.Plan, x: torch.Tensor) -> None:
    """Native code and the meaning of the rows, whose masks are drawn by numpy, agree over a step."""
    session = sv.compile(plan)
    state = {**plan.captured.stored(), **plan.programs.optimizer_state}
    graph = plan.programs.step
    given = {"x": plan.captured.layouts["x"].store(x.numpy()), "y": LABELS.numpy().astype(np.int32)}
    found = sv.ir.interpret(graph, {**given, "lr": np.float32(0.05)}, {n: state[n] for n in graph.state})
    assert session.step(x, LABELS) == pytest.approx(float(found["loss"]), rel=1e-5)
    after = session.state_dict()
    for name in plan.updated:
        expected = plan.captured.layout(name).restore(found[name])
        np.testing.assert_allclose(after[name], expected, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (lambda: (Normed(), torch.randn(1, 3, 9, 9)), {"norms": "live"}, r"Expected more than 1 value per channel"),
        (lambda: (Dropping(), torch.randn(2, 3, 7, 7)), {"dropout": 0.5}, r"dropout.*give the seed of its masks"),
        (lambda: (Dropping(), torch.randn(2, 3, 7, 7)), {"norms": "alive"}, r"norms is 'alive'.*frozen, folded, live"),
    ],
)
def test_what_cannot_be_live_is_refused(build, options, message) -> None:
    model, x = build()
    with pytest.raises((sv.InvalidInput, sv.NotSupported), match=message):
        sv.plan(model, x, device=oracle.WIDE, **options)


def test_a_model_with_other_outputs_while_it_learns_is_refused() -> None:
    class Other(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(3, 2), nn.Linear(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.b(x) if self.training else self.a(x)

    with pytest.raises(sv.NotSupported, match=r"other outputs while it learns.*the same in train\(\) and eval\(\)"):
        sv.plan(Other(), torch.randn(2, 3), device=oracle.WIDE, dropout=1)


@pytest.mark.parametrize("axes", [1, 3])
def test_norms_of_lines_and_volumes_live(axes: int) -> None:
    torch.manual_seed(axes)
    convolution, norm = ((nn.Conv1d, nn.BatchNorm1d), (nn.Conv2d, nn.BatchNorm2d), (nn.Conv3d, nn.BatchNorm3d))[
        axes - 1
    ]
    model = nn.Sequential(convolution(2, 3, 3), norm(3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 2**axes, 2))
    session = sv.compile(sv.plan(model, torch.zeros(4, 2, *([4] * axes)), optimizer=sv.SGD(lr=0.1), norms="live"))
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        x = torch.randn(4, 2, *([4] * axes))
        loss = F.cross_entropy(model(x), LABELS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert session.step(x, LABELS) == pytest.approx(loss.item(), abs=1e-5)
    for name, array in session.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            np.testing.assert_allclose(array, model.state_dict()[name], atol=2e-5)
