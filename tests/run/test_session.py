"""A session refuses what it cannot use, keeps its state whole, and gives it back to PyTorch."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.errors import InvalidInput

from .models import DEVICE, batch, plan, small


@pytest.fixture
def session() -> sv.Session:
    return sv.compile(plan())


def bits(session: sv.Session) -> dict[str, bytes]:
    """Everything a session remembers."""
    state = {**session.state_dict(), **session.optimizer_state_dict()}
    return {name: np.asarray(value).tobytes() for name, value in state.items()}


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(InvalidInput) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# -- inputs -----------------------------------------------------------------------------------------------------------

X, Y = batch()


def spoilt(value: float) -> np.ndarray:
    x = X.copy()
    x[1, 1, 2, 3] = value
    return x


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (X[:1], "of shape (1, 2, 6, 5)"),
        (X.transpose(0, 2, 3, 1), "of shape (2, 6, 5, 2)"),
        (X[0, 0, 0, 0], "of shape ()"),
        (X.astype(np.int64), "of dtype int64"),
        (X.astype(complex), "of dtype complex128"),
        (X.astype(str), "of dtype <U"),
        (X.astype(object), "of dtype object"),
        ([[1.0], [1.0, 2.0]], "list"),
        (None, "of shape ()"),
        (spoilt(np.nan), "not finite"),
        (spoilt(np.inf), "not finite"),
        (spoilt(-np.inf), "not finite"),
        (X.astype(np.float64) * 1e39, "not finite"),
    ],
)
def test_bad_x(session: sv.Session, x: Any, says: str) -> None:
    before = bits(session)
    for call in (lambda: session.predict(x), lambda: session.evaluate(x, Y), lambda: session.step(x, Y)):
        message = refusal(call)
        assert message.startswith("input x is ")
        assert says in message
    assert bits(session) == before
    assert session.steps == 0


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (Y[:1], "of shape (1,)"),
        (Y.astype(np.float32), "labels must be integers"),
        (np.array([0, 3]), "0..3: labels must lie in 0..2"),
        (np.array([-1, 0]), "-1..0: labels must lie in 0..2"),
        (np.array([2**32, 0]), "labels must lie in 0..2"),
        (None, "missing"),
    ],
)
def test_bad_y(session: sv.Session, y: Any, says: str) -> None:
    before = bits(session)
    for call in (lambda: session.evaluate(X, y), lambda: session.step(X, y)):
        assert says in refusal(call)
    assert bits(session) == before


def test_label_out_of_range_is_caught_by_the_c_as_well(session: sv.Session) -> None:
    """A microcontroller has no Python in front of the step."""
    before = bits(session)
    session.step(X, Y, lr=0.0)
    session.load_optimizer_state_dict(sv.compile(plan()).optimizer_state_dict())
    port = session.manifest.programs["step"].inputs["y"]
    for label in (-1, 3, 2**31 - 1, -(2**31)):
        session._lay("step", session._inputs("step", X))
        session._view(port.offset, port)[...] = label
        assert "labels must be class indices" in refusal(lambda: session._run("step"))
    assert bits(session) == before


def test_y_where_the_loss_has_none() -> None:
    model = nn.Sequential(nn.Linear(4, 4))
    session = sv.compile(sv.plan(model, torch.zeros(1, 4), loss="reconstruction", device=DEVICE))
    x = np.ones((1, 4), np.float32)
    for call in (lambda: session.step(x, x), lambda: session.evaluate(x, x)):
        assert "has no target" in refusal(call)
    assert np.isfinite(session.step(x))


@pytest.mark.parametrize("lr", [-0.1, float("nan"), float("inf")])
def test_bad_rate(session: sv.Session, lr: float) -> None:
    before = bits(session)
    assert refusal(lambda: session.step(X, Y, lr=lr)).startswith("lr is ")
    assert bits(session) == before


def test_several_inputs_come_as_a_tuple() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Linear(4, 3), nn.Linear(5, 3)

        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return self.left(a) + self.right(b)

    model, a, b = Two(), torch.randn(2, 4), torch.randn(2, 5)
    session = sv.compile(sv.plan(model, (a, b), device=DEVICE))
    np.testing.assert_allclose(session.predict((a, b)), model(a, b).detach(), rtol=1e-5, atol=1e-6)
    assert "give them as a tuple" in refusal(lambda: session.predict(a))
    assert "give them as a tuple" in refusal(lambda: session.step((a,), Y))
    assert refusal(lambda: session.predict((a, a))).startswith("input x1 is of shape (2, 4)")


def test_inputs_in_other_forms_are_the_same_input(session: sv.Session) -> None:
    expected = session.predict(X)
    for same in (X.astype(np.float64), torch.from_numpy(X), X.tolist(), np.asfortranarray(X), X[::-1][::-1]):
        np.testing.assert_array_equal(session.predict(same), expected)


# -- steps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
@pytest.mark.parametrize("norms", ["frozen", "folded"])
def test_loss_that_is_not_finite_changes_nothing(norms: str, optimizer: str) -> None:
    session = sv.compile(plan(norms, optimizer))
    session.step(X, Y)
    before = bits(session)
    with pytest.raises(sv.NotFinite) as caught:
        session.step(np.full_like(X, 3e38), Y)
    assert "nothing was updated" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not np.isfinite(caught.value.loss)
    assert bits(session) == before
    assert session.steps == 1
    assert np.isfinite(session.step(X, Y))


def test_rate_comes_from_the_schedule() -> None:
    """Step(0.05, every=2, factor=0.5): 0.05 0.05 0.025 0.025 0.0125 0.0125."""
    scheduled, told = sv.compile(plan()), sv.compile(plan())
    for i in range(6):
        assert scheduled.steps == i
        assert scheduled.step(X, Y) == told.step(X, Y, lr=0.05 * 0.5 ** (i // 2))
    assert bits(scheduled) == bits(told)


def test_rate_zero_changes_no_parameter(session: sv.Session) -> None:
    before = {n: v.numpy().tobytes() for n, v in session.state_dict().items()}
    session.step(X, Y, lr=0.0)
    assert {n: v.numpy().tobytes() for n, v in session.state_dict().items()} == before


def test_loss_falls(session: sv.Session) -> None:
    losses = [session.step(X, Y, lr=0.05) for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]
    assert session.evaluate(X, Y)[0] < losses[-1]


def test_evaluate_and_predict_agree_and_change_nothing(session: sv.Session) -> None:
    before = bits(session)
    loss, output = session.evaluate(X, Y)
    np.testing.assert_array_equal(output, session.predict(X))
    expected = nn.functional.cross_entropy(torch.from_numpy(output), torch.from_numpy(Y))
    assert loss == pytest.approx(float(expected), rel=1e-6)
    assert bits(session) == before


def test_results_are_copies(session: sv.Session) -> None:
    output, state, own = session.predict(X), session.state_dict(), session.optimizer_state_dict()
    kept = output.copy(), {n: v.clone() for n, v in state.items()}, {n: v.copy() for n, v in own.items()}
    session.step(X, Y)
    session.predict(-X)
    np.testing.assert_array_equal(output, kept[0])
    assert all(torch.equal(state[n], kept[1][n]) for n in state)
    assert all(np.array_equal(own[n], kept[2][n]) for n in own)


@pytest.mark.parametrize("norms", ["frozen", "folded"])
def test_programs_read_only_what_they_wrote(norms: str) -> None:
    """The transient bytes full of NaN before every call: nothing of them reaches a result."""
    clean, dirty = sv.compile(plan(norms)), sv.compile(plan(norms))
    for _ in range(3):
        for call in (lambda s: s.predict(X), lambda s: s.evaluate(X, Y)[1], lambda s: np.array(s.step(X, Y))):
            dirty._arena[dirty.manifest.persistent_bytes :] = 0xFF
            np.testing.assert_array_equal(call(dirty), call(clean))
    assert bits(dirty) == bits(clean)


def test_sessions_are_independent() -> None:
    a, b = sv.compile(plan()), sv.compile(plan())
    before = bits(b)
    a.step(X, Y)
    a.load_state_dict(small(seed=1).state_dict())
    assert bits(b) == before


# -- state ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norms", ["frozen", "folded"])
def test_state_comes_from_pytorch_and_goes_back(norms: str) -> None:
    session = sv.compile(plan(norms))
    for name, value in small().state_dict().items():
        torch.testing.assert_close(session.state_dict()[name], value, rtol=1e-6, atol=1e-6)
    session.step(X, Y)
    model = small(seed=2)
    model.load_state_dict(session.state_dict())
    assert model.tied.weight is model.twice.weight
    np.testing.assert_allclose(session.predict(X), model(torch.from_numpy(X)).detach(), rtol=1e-4, atol=1e-5)
    other = small(seed=3)
    session.load_state_dict(other.state_dict())
    np.testing.assert_allclose(session.predict(X), other(torch.from_numpy(X)).detach(), rtol=1e-4, atol=1e-5)
    for name, value in other.state_dict().items():
        torch.testing.assert_close(session.state_dict()[name], value, rtol=1e-5, atol=1e-6)


def test_frozen_norms_give_the_state_back_bit_for_bit(session: sv.Session) -> None:
    other = small(seed=3).state_dict()
    session.load_state_dict(other)
    assert list(session.state_dict()) == list(other)
    for name, value in session.state_dict().items():
        assert value.dtype == other[name].dtype
        assert torch.equal(value, other[name]), name


@pytest.mark.parametrize("norms", ["frozen", "folded"])
def test_restored_session_continues_as_if_never_stopped(norms: str) -> None:
    session, other = sv.compile(plan(norms, "adam")), sv.compile(plan(norms, "adam"))
    for _ in range(3):
        session.step(X, Y)
    state, own = session.state_dict(), session.optimizer_state_dict()
    other.load_state_dict(state)
    other.load_optimizer_state_dict(own, steps=session.steps)
    for _ in range(3):
        assert other.step(X, Y) == pytest.approx(session.step(X, Y), rel=0 if norms == "frozen" else 1e-5)
    assert other.steps == session.steps == 6


def without(state: dict[str, Any], name: str) -> dict[str, Any]:
    return {n: v for n, v in state.items() if n != name}


def nan_like(value: torch.Tensor) -> torch.Tensor:
    return torch.full_like(value, float("nan"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: without(s, "head.bias"), "state dict is without head.bias"),
        (lambda s: without(s, "norm.num_batches_tracked"), "without norm.num_batches_tracked"),
        (lambda s: without(s, "tied.weight"), "without tied.weight"),
        (lambda s: {**s, "head.scale": s["head.bias"]}, "state dict is with head.scale"),
        (lambda s: {**s, "head.weight": s["head.weight"].T}, "state head.weight is of shape (6, 3)"),
        (lambda s: {**s, "stem.weight": s["stem.weight"].permute(2, 3, 1, 0)}, "state stem.weight is of shape"),
        (lambda s: {**s, "stem.weight": nan_like(s["stem.weight"])}, "state stem.weight is not finite"),
        (lambda s: {**s, "norm.running_var": nan_like(s["norm.running_var"])}, "norm.running_var is not finite"),
        (lambda s: {**s, "head.bias": s["head.bias"].double() + 1e39}, "state head.bias is not finite"),
        (lambda s: {**s, "head.bias": ["a", "b", "c"]}, "state head.bias is of dtype"),
        (lambda s: {**s, "tied.weight": s["tied.weight"] + 1}, "the model shares them"),
    ],
)
@pytest.mark.parametrize("norms", ["frozen", "folded"])
def test_bad_state_is_refused_whole(norms: str, change: Callable[[dict[str, Any]], dict[str, Any]], says: str) -> None:
    session = sv.compile(plan(norms))
    before, expected = bits(session), session.predict(X)
    assert says in refusal(lambda: session.load_state_dict(change(small(seed=1).state_dict())))
    assert bits(session) == before
    np.testing.assert_array_equal(session.predict(X), expected)


def test_scale_that_cannot_be_folded_is_refused_whole() -> None:
    session = sv.compile(plan("folded"))
    before = bits(session)
    state = small(seed=1).state_dict()
    state["norm.weight"][2] = 1e-6
    assert "too small to fold" in refusal(lambda: session.load_state_dict(state))
    assert bits(session) == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: without(s, "head.bias.momentum"), "head.bias.momentum"),
        (lambda s: {**s, "other": np.zeros(3)}, "other"),
        (lambda s: {**s, "head.bias.momentum": np.zeros(4)}, "of shape (4,)"),
        (lambda s: {**s, "head.bias.momentum": np.full(3, np.nan)}, "not finite"),
        (lambda s: {**s, "head.bias.momentum": np.array(["a", "b", "c"])}, "of dtype"),
    ],
)
def test_bad_optimizer_state_is_refused_whole(
    session: sv.Session, change: Callable[[dict[str, Any]], dict[str, Any]], says: str
) -> None:
    session.step(X, Y)
    before = bits(session)
    assert says in refusal(lambda: session.load_optimizer_state_dict(change(session.optimizer_state_dict())))
    assert bits(session) == before
    assert session.steps == 1


@pytest.mark.parametrize("steps", [-1, 1.5, None])
def test_bad_position_in_the_schedule(session: sv.Session, steps: Any) -> None:
    own = session.optimizer_state_dict()
    assert "steps is" in refusal(lambda: session.load_optimizer_state_dict(own, steps=steps))


# -- raw bytes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["predict", "evaluate", "step"])
def test_c_loads_bytes_as_the_session_does(session: sv.Session, program: str) -> None:
    """Equal but for one rounding of the product, which a compiler that fuses the multiply-add leaves out."""
    raw = np.random.default_rng(0).permutation(np.arange(120) * 255 // 119).astype(np.uint8).reshape(2, 2, 6, 5)
    port = session.manifest.programs[program].inputs["x"]
    session._lay(program, session._inputs(program, raw))
    ours = session._view(port.offset, port).copy()
    load = getattr(session._library.dll(), f"model_{program}_load")
    load.argtypes, load.restype = (ctypes.c_void_p, ctypes.c_char_p), None
    load(session._library.address, np.ascontiguousarray(raw.transpose(0, 2, 3, 1)).tobytes())
    np.testing.assert_allclose(session._view(port.offset, port), ours, rtol=0, atol=2.1 * 2**-24)
    assert abs(ours).max() > 1


def test_bytes_are_preprocessed(session: sv.Session) -> None:
    raw = np.random.default_rng(0).integers(0, 256, X.shape, dtype=np.uint8)
    scale = np.array([1 / 255, 1 / 127], np.float32).reshape(1, 2, 1, 1)
    offset = np.array([-0.5, 0.25], np.float32).reshape(1, 2, 1, 1)
    np.testing.assert_array_equal(session.predict(raw), session.predict(raw.astype(np.float32) * scale + offset))


def test_bytes_without_preprocessing_are_refused() -> None:
    session = sv.compile(sv.plan(nn.Linear(4, 2), torch.zeros(1, 4), device=DEVICE))
    assert "of dtype uint8" in refusal(lambda: session.predict(np.zeros((1, 4), np.uint8)))


def test_predictions_are_the_callers_own() -> None:
    session = sv.compile(sv.plan(torch.nn.Linear(3, 2), torch.zeros(1, 3), device=DEVICE))
    first = session.predict(np.ones((1, 3), np.float32))
    kept = first.copy()
    session.predict(np.full((1, 3), 9, np.float32))
    np.testing.assert_array_equal(first, kept)


def test_a_rate_that_float32_cannot_hold_is_refused() -> None:
    session = sv.compile(sv.plan(torch.nn.Linear(3, 2), torch.zeros(1, 3), device=DEVICE))
    before = session.state_dict()
    for lr in (1e60, float("nan"), -1.0, "fast"):
        with pytest.raises(sv.InvalidInput, match="lr"):
            session.step(np.ones((1, 3), np.float32), np.array([1]), lr=lr)
    for name, value in session.state_dict().items():
        assert torch.equal(value, before[name])


def test_threads_wait_for_each_other() -> None:
    model = torch.nn.Linear(3, 2)
    session = sv.compile(sv.plan(model, torch.zeros(1, 3), device=DEVICE))
    inputs = [np.full((1, 3), i, np.float32) for i in range(8)]
    expected = [session.predict(x) for x in inputs]

    def work(i: int) -> bool:
        return all(np.array_equal(session.predict(inputs[i]), expected[i]) for _ in range(200))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_a_tensor_that_requires_grad_is_read_as_its_numbers(session: sv.Session) -> None:
    x = torch.from_numpy(X.copy())
    np.testing.assert_array_equal(session.predict(x.requires_grad_()), session.predict(X))
