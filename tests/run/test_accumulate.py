"""Micro-batches in native code: PyTorch's accumulated gradients, refusals that lose nothing, state that travels."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import selvedge as sv
from selvedge.errors import InvalidInput, SelvedgeError

from .models import DEVICE, small

K, N = 3, 6
OPTIMIZERS: dict[str, Any] = {
    "sgd": (sv.SGD(lr=0.05), lambda p: torch.optim.SGD(p, 0.05)),
    "adam, clipped": (sv.Adam(lr=0.01, clip_norm=0.1), lambda p: torch.optim.Adam(p, 0.01)),
}


@cache
def plan(optimizer: str = "sgd", accumulate: int = K) -> sv.Plan:
    return sv.plan(
        small(),
        torch.zeros(N, 2, 6, 5),
        device=DEVICE,
        optimizer=OPTIMIZERS[optimizer][0],
        accumulate=accumulate,
        preprocess=sv.Preprocess((1 / 255,), (-0.5,)),
    )


def batch(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, 2, 6, 5)).astype(np.float32), rng.integers(0, 3, N)


def parts(seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    x, y = batch(seed)
    return list(zip(np.split(x, K), np.split(y, K), strict=True))


def everything(session: sv.Session) -> bytes:
    return session.persistent()


def theirs(optimizer: str, steps: int) -> tuple[nn.Module, list[float]]:
    """PyTorch in double, its gradients accumulated over the same micro-batches."""
    model = copy.deepcopy(small()).double().eval()
    updates = OPTIMIZERS[optimizer][1](model.parameters())
    losses = []
    for step in range(steps):
        updates.zero_grad()
        total = 0.0
        for x, y in parts(step):
            loss = F.cross_entropy(model(torch.from_numpy(x).double()), torch.from_numpy(y))
            (loss / K).backward()
            total += loss.item() / K
        most = OPTIMIZERS[optimizer][0].clip_norm
        if most is not None:
            nn.utils.clip_grad_norm_(model.parameters(), most)
        updates.step()
        losses.append(total)
    return model, losses


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_is_pytorchs_over_its_micro_batches(optimizer: str) -> None:
    session = sv.compile(plan(optimizer))
    losses = [session.step(*batch(step)) for step in range(8)]
    model, expected = theirs(optimizer, 8)
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    for name, tensor in model.state_dict().items():
        np.testing.assert_allclose(session.state_dict()[name], tensor, rtol=2e-3, atol=2e-5, err_msg=name)
    assert (session.steps, session.accumulated) == (8, 0)


def test_the_programs_one_by_one_are_the_step_bit_for_bit(tmp_path: Path) -> None:
    whole, single = sv.compile(plan()), sv.load(sv.emit(plan(), "c", tmp_path / "model"))
    for step in range(3):
        loss = whole.step(*batch(step))
        found = [single.accumulate(x, y) for x, y in parts(step)]
        assert single.accumulated == K
        single.apply()
        assert loss == float(np.mean(found))
        assert everything(whole) == everything(single)
    assert single.steps == whole.steps == 3
    manifest = single.manifest
    assert set(manifest.programs) == {"predict", "evaluate", "accumulate", "apply"}
    assert (manifest.accumulate, manifest.batch, manifest.step_batch) == (K, N // K, N)


def test_raw_bytes_are_divided_too() -> None:
    session, other = sv.compile(plan()), sv.compile(plan())
    raw = np.random.default_rng(0).integers(0, 256, (N, 2, 6, 5), np.uint8)
    assert session.step(raw, batch(0)[1]) == other.step(plan().preprocess(raw), batch(0)[1])
    assert everything(session) == everything(other)


def test_accumulating_over_one_sample_each_is_the_batch() -> None:
    """The same update as without accumulation, within rounding."""
    one, whole = sv.compile(plan(accumulate=N)), sv.compile(plan(accumulate=1))
    for step in range(4):
        np.testing.assert_allclose(one.step(*batch(step)), whole.step(*batch(step)), rtol=1e-5)
    for name, tensor in whole.state_dict().items():
        np.testing.assert_allclose(one.state_dict()[name], tensor, rtol=1e-4, atol=1e-6)


def test_what_was_accumulated_survives_a_loss_that_is_not_finite() -> None:
    session = sv.compile(plan())
    first, second, third = parts(0)
    huge = np.full_like(first[0], 3e38)
    session.accumulate(*first)
    kept = everything(session)
    with pytest.raises(sv.NotFinite, match="the accumulate was refused and nothing was added"):
        session.accumulate(huge, first[1])
    assert everything(session) == kept
    assert session.accumulated == 1
    session.accumulate(*second)
    session.accumulate(*third)
    session.apply()
    again = sv.compile(plan())
    again.step(*batch(0))
    assert everything(again) == everything(session)


def test_a_whole_step_is_all_or_nothing() -> None:
    session = sv.compile(plan())
    x, y = batch(0)
    session.step(x, y)
    kept = everything(session)
    x[-1] = 3e38  # in the last micro-batch
    with pytest.raises(sv.NotFinite):
        session.step(x, y)
    assert everything(session) == kept
    assert session.steps == 1


def test_a_norm_that_is_not_finite_is_refused_before_the_first_update() -> None:
    for accumulate in (1, K):
        session = sv.compile(plan("adam, clipped", accumulate))
        kept = everything(session)
        state = session.state_dict()
        session.load_state_dict({**state, "head.weight": 1e25 * state["head.weight"]})
        spoilt = everything(session)
        with pytest.raises(sv.NotFinite) as error:  # losses of 1e25, gradients whose squares are beyond float32
            session.step(*batch(0))
        assert np.isfinite(error.value.loss)
        assert "the gradients' norm is inf" in str(error.value)
        assert everything(session) == spoilt
        session.load_state_dict(state)
        assert everything(session) == kept
        session.step(*batch(0))


def test_accumulators_travel_with_the_state() -> None:
    """As a board's bytes, as the optimiser's arrays and as a snapshot: each goes on to the same bits."""
    whole = sv.compile(plan("adam, clipped"))
    whole.step(*batch(0))
    began, rest = parts(1)[:1], parts(1)[1:]
    for x, y in began:
        whole.accumulate(x, y)
    others = [sv.compile(plan("adam, clipped")) for _ in range(3)]
    others[0].load_persistent(whole.persistent(), steps=whole.steps)
    others[1].load_state_dict(whole.state_dict())
    others[1].load_optimizer_state_dict(whole.optimizer_state_dict(), whole.steps)
    others[2].restore(whole.snapshot(), whole.steps)
    for session in (whole, *others):
        assert session.accumulated == 1
        for x, y in rest:
            session.accumulate(x, y)
        session.apply()
        assert everything(session) == everything(whole)


def test_an_emitted_session_goes_on_in_the_middle_of_a_batch(tmp_path: Path) -> None:
    session = sv.compile(plan())
    session.accumulate(*parts(0)[0])
    loaded = sv.load(sv.emit(plan(), "c", tmp_path / "model", learnt=session))
    assert loaded.accumulated == 1
    assert everything(loaded) == everything(session)


def test_training_resumes_to_the_same_bits(tmp_path: Path) -> None:
    x, y = (np.concatenate(arrays) for arrays in zip(*(batch(i) for i in range(5)), strict=True))
    straight, broken = sv.compile(plan()), sv.compile(plan())
    assert sv.fit(straight, (x, y), epochs=3).history[-1].steps == 15
    calls = iter(range(100))
    path = tmp_path / "checkpoint.npz"
    ended = sv.fit(broken, (x, y), epochs=3, checkpoint=path, stop=lambda: next(calls) == 7)
    assert ended.ended == "interrupted"
    resumed = sv.compile(plan())
    sv.fit(resumed, (x, y), epochs=3, checkpoint=path, resume=True)
    assert everything(resumed) == everything(straight)


def refusal(call: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_makes_no_sense_is_refused() -> None:
    session, plain = sv.compile(plan()), sv.compile(plan(accumulate=1))
    x, y = batch(0)
    assert "nothing" not in refusal(session.apply)
    assert refusal(session.apply) == "apply is without gradients: call accumulate(x, y) first"
    assert "call accumulate(x, y)" in refusal(lambda: session.apply(lr=-1.0))
    for call in (lambda: plain.accumulate(x, y), plain.apply, plain.discard):
        assert refusal(call) == "plan is without accumulators: plan with accumulate=K, or call step(x, y)"
    assert "of shape (6, 2, 6, 5): the plan was made for (2, 2, 6, 5)" in refusal(lambda: session.accumulate(x, y))
    assert "a step takes 3 micro-batches" in refusal(lambda: session.step(x[:5], y[:5]))
    assert "a step takes 3 micro-batches" in refusal(lambda: session.step(x, y[:4]))
    assert "the plan was made for (2, 2, 6, 5)" in refusal(lambda: session.step(x[:3], y[:3]))
    assert "labels must lie in 0..2" in refusal(lambda: session.step(x, np.append(y[:-1], 3)))
    assert everything(session) == everything(sv.compile(plan()))
    for a, b in parts(0):
        session.accumulate(a, b)
    assert refusal(lambda: session.accumulate(x[:2], y[:2])) == "accumulate is the micro-batch 4: call apply() first"
    assert "call apply() or discard() first" in refusal(lambda: session.step(x, y))
    session.discard()
    assert everything(session) == everything(sv.compile(plan()))
    session.step(x, y)


def test_plans_name_a_batch_that_cannot_be_divided() -> None:
    for accumulate, says in ((4, "the batch of 6 must be a multiple of it"), (0, "a whole number >= 1"), (7, "of 6")):
        assert says in refusal(lambda a=accumulate: plan.__wrapped__("sgd", a))
    with pytest.raises(SelvedgeError, match="accumulate is of type float"):
        plan.__wrapped__("sgd", 2.0)


def test_fewer_micro_batches_count_the_others_as_zeros() -> None:
    session = sv.compile(plan())
    x, y = parts(0)[0]
    session.accumulate(x, y)
    session.apply()
    model = copy.deepcopy(small()).double().eval()
    (F.cross_entropy(model(torch.from_numpy(x).double()), torch.from_numpy(y)) / K).backward()
    for name, parameter in model.named_parameters():
        expected = (parameter - 0.05 * parameter.grad).detach()
        np.testing.assert_allclose(session.state_dict()[name], expected, rtol=1e-4, atol=1e-6)
