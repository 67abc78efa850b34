"""Each loss against its paper's formula, written again in numpy, one sample, pair or triplet at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import selvedge as sv
from selvedge.compressing.distil import losses
from selvedge.compressing.distil.terms import Seen

Array = np.ndarray


def drawn(*shape: int, seed: int = 0, scale: float = 2.0) -> torch.Tensor:
    return scale * torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def shares(z: Array, temperature: float) -> Array:
    e = np.exp((z - z.max()) / temperature)
    return e / e.sum()


def divergence(p: Array, q: Array) -> float:
    return float(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))


# Hinton et al.


def hinton(student: Array, teacher: Array, temperature: float) -> float:
    each = [divergence(shares(t, temperature), shares(s, temperature)) for s, t in zip(student, teacher, strict=True)]
    return temperature**2 * sum(each) / len(each)


def test_a_number_of_the_softened_divergence_by_hand() -> None:
    """Two classes, T = 2: the teacher's logits (2 ln 3, 0) are 3 : 1, the student's are even.
    KL = 3/4 ln(3/4 / (1/2)) + 1/4 ln(1/4 / (1/2)) = 3/4 ln(3/2) - 1/4 ln 2; four times that."""
    teacher = torch.tensor([[2 * math.log(3), 0.0]], dtype=torch.float64)
    student = torch.zeros(1, 2, dtype=torch.float64)
    by_hand = 4 * (0.75 * math.log(1.5) - 0.25 * math.log(2))
    assert float(losses.soft(student, teacher, 2.0)) == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
@pytest.mark.parametrize("count", [1, 7])
def test_softened_outputs_are_hintons(count: int, temperature: float) -> None:
    s, t = drawn(count, 5, seed=1), drawn(count, 5, seed=2)
    found = losses.soft(s, t, temperature)
    assert float(found) == pytest.approx(hinton(s.numpy(), t.numpy(), temperature), rel=1e-10)


def test_logits_with_positions_are_rows() -> None:
    """As torch.nn.functional.cross_entropy takes them: a row at every position."""
    s, t, y = drawn(2, 4, 3, seed=1), drawn(2, 4, 3, seed=2), torch.arange(6).reshape(2, 3) % 4
    flat = [x.permute(0, 2, 1).reshape(6, 4) for x in (s, t)]
    assert torch.equal(losses.soft(s, t, 3.0), losses.soft(*flat, 3.0))
    args = (3.0, 1.0, 2.0)
    assert torch.equal(losses.decoupled(s, t, y.reshape(-1), *args), losses.decoupled(*flat, y.reshape(-1), *args))


def test_the_gradient_at_a_high_temperature_is_that_of_matching_logits() -> None:
    """Hinton et al., section 2.1: dC/dz -> (z - v) / N for centred logits, times our T^2 and a sample's share."""
    s, t = drawn(3, 6, seed=1).requires_grad_(), drawn(3, 6, seed=2)
    losses.soft(s, t, 1e4).backward()
    centred = [x - x.mean(1, keepdim=True) for x in (s.detach(), t)]
    torch.testing.assert_close(
        s.grad, (centred[0] - centred[1]) / 6 / 3, rtol=0, atol=2e-4
    )  # what is left out is of order 1 / T


# Zhao et al.


def test_target_and_others_by_the_papers_definitions() -> None:
    s, t, y, temperature = drawn(6, 5, seed=1), drawn(6, 5, seed=2), [0, 4, 2, 2, 1, 3], 4.0
    total = 0.0
    for z, v, target in zip(s.numpy(), t.numpy(), y, strict=True):
        q, p = shares(z, temperature), shares(v, temperature)
        tckd = divergence(np.array([p[target], 1 - p[target]]), np.array([q[target], 1 - q[target]]))
        others = [i for i in range(5) if i != target]
        nckd = divergence(p[others] / p[others].sum(), q[others] / q[others].sum())
        total += temperature**2 * (1.5 * tckd + 7.0 * nckd) / 6
    found = losses.decoupled(s, t, torch.tensor(y), temperature, 1.5, 7.0)
    assert float(found) == pytest.approx(total, rel=1e-10)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 9), st.floats(0.3, 30))
def test_the_plain_divergence_is_tckd_and_the_others_share_of_nckd(seed: int, classes: int, temperature: float) -> None:
    """Equation 6: KD = TCKD + (1 - p_target) NCKD, sample by sample."""
    s, t = drawn(4, classes, seed=seed), drawn(4, classes, seed=seed + 1)
    y = torch.arange(4) % classes
    tckd, nckd = losses.decoupled_parts(s, t, y, temperature)
    for i in range(4):
        p = shares(t[i].numpy(), temperature)
        plain = divergence(p, shares(s[i].numpy(), temperature))
        joined = float(tckd[i] + (1 - p[y[i]]) * nckd[i])
        assert joined == pytest.approx(plain, rel=1e-6, abs=1e-12)


def test_dkd_with_the_shares_in_betas_place_is_the_softened_divergence() -> None:
    """alpha = 1 and one sample, so that beta can be its 1 - p."""
    s, t, y = drawn(1, 5, seed=3), drawn(1, 5, seed=4), torch.tensor([2])
    beta = 1 - shares(t[0].numpy(), 4.0)[2]
    found = sv.DKD(alpha=1.0, beta=float(beta), temperature=4.0)(Seen(s, t, y))
    torch.testing.assert_close(found, sv.Logits(temperature=4.0)(Seen(s, t)))


def test_two_classes_have_no_others() -> None:
    s, t, y = drawn(3, 2, seed=1), drawn(3, 2, seed=2), torch.tensor([0, 1, 1])
    tckd, nckd = losses.decoupled_parts(s, t, y, 2.0)
    assert torch.equal(nckd, torch.zeros(3, dtype=torch.float64))
    assert float(4 * tckd.mean()) == pytest.approx(float(losses.soft(s, t, 2.0)), rel=1e-10)


def test_a_teacher_that_is_sure_to_the_last_bit_gives_finite_numbers() -> None:
    t = torch.tensor([[200.0, 0.0, -50.0]])
    s = torch.tensor([[-100.0, 30.0, 0.0]], requires_grad=True)
    found = losses.decoupled(s, t, torch.tensor([0]), 1.0, 1.0, 8.0) + losses.soft(s, t, 1.0)
    found.backward()
    assert torch.isfinite(found)
    assert torch.isfinite(s.grad).all()


# Romero et al., Zagoruyko and Komodakis.


def test_a_hint_is_the_mean_of_squares() -> None:
    s, t = drawn(2, 3, 2, 2, seed=1), drawn(2, 3, 2, 2, seed=2)
    each = [(a - b) ** 2 for a, b in zip(s.numpy().ravel(), t.numpy().ravel(), strict=True)]
    assert float(losses.hint(s, t)) == pytest.approx(sum(each) / len(each), rel=1e-12)


@pytest.mark.parametrize("shape", [(2, 3, 7), (2, 3, 4, 5)])
def test_attention_is_the_squared_distance_of_unit_maps(shape: tuple[int, ...]) -> None:
    s, t = drawn(*shape, seed=1), drawn(shape[0], 6, *shape[2:], seed=2)
    total = 0.0
    for a, b in zip(s.numpy(), t.numpy(), strict=True):
        maps = [np.array([sum(v * v for v in f[:, i]) for i in range(f[0].size)]) for f in (_flat(a), _flat(b))]
        unit = [m / math.sqrt(sum(m * m)) for m in maps]
        total += sum((unit[0] - unit[1]) ** 2)
    assert float(losses.attention(s, t)) == pytest.approx(total / shape[0], rel=1e-10)


def _flat(x: Array) -> Array:
    return x.reshape(len(x), -1)


def test_attention_of_unlike_sizes_averages_the_larger_map() -> None:
    s, t = drawn(2, 3, 4, 4, seed=1), drawn(2, 5, 2, 2, seed=2)
    large = (s**2).sum(1).reshape(2, 2, 2, 2, 2).mean((2, 4))  # of each 2 x 2
    small = (t**2).sum(1)
    unit = [m.reshape(2, -1) / m.reshape(2, -1).norm(dim=1, keepdim=True) for m in (large, small)]
    wanted = (unit[0] - unit[1]).square().sum(1).mean()
    torch.testing.assert_close(losses.attention(s, t), wanted)
    torch.testing.assert_close(losses.attention(t, s), wanted)


def test_attention_does_not_see_the_size_of_features() -> None:
    s, t = drawn(2, 3, 4, 4, seed=1), drawn(2, 3, 4, 4, seed=2)
    torch.testing.assert_close(losses.attention(7 * s, 0.01 * t), losses.attention(s, t))
    assert float(losses.attention(5 * s, s)) == pytest.approx(0, abs=1e-24)


# Park et al.


def huber(a: float, b: float) -> float:
    d = abs(a - b)
    return d * d / 2 if d <= 1 else d - 0.5


def apart(x: Array, i: int, j: int) -> float:
    return math.sqrt(sum((x[i] - x[j]) ** 2))


def cosine(x: Array, i: int, j: int, k: int) -> float:
    return float(sum((x[i] - x[j]) * (x[k] - x[j])) / apart(x, i, j) / apart(x, k, j))


def test_distances_are_in_units_of_the_batchs_mean() -> None:
    s, t = drawn(6, 3, seed=1), drawn(6, 8, seed=2, scale=50)
    pairs = [(i, j) for i in range(6) for j in range(6) if i != j]
    means = [sum(apart(x, i, j) for i, j in pairs) / len(pairs) for x in (s.numpy(), t.numpy())]
    each = [huber(apart(s.numpy(), i, j) / means[0], apart(t.numpy(), i, j) / means[1]) for i, j in pairs]
    assert float(losses.distances(s, t)) == pytest.approx(sum(each) / len(each), rel=1e-10)


def test_angles_are_over_all_triplets_of_distinct_samples() -> None:
    s, t = drawn(5, 3, seed=1), drawn(5, 8, seed=2)
    triplets = [(i, j, k) for i in range(5) for j in range(5) for k in range(5) if len({i, j, k}) == 3]
    each = [huber(cosine(s.numpy(), *at), cosine(t.numpy(), *at)) for at in triplets]
    assert float(losses.angles(s, t)) == pytest.approx(sum(each) / len(each), rel=1e-10)


def test_relations_do_not_see_where_a_batch_lies_nor_how_it_is_turned() -> None:
    x = drawn(6, 4, seed=1)
    turn = torch.linalg.qr(drawn(4, 4, seed=5))[0]
    moved = 3 * x @ turn + 7
    assert float(losses.distances(x, moved)) == pytest.approx(0, abs=1e-20)
    assert float(losses.angles(x, moved)) == pytest.approx(0, abs=1e-20)


@pytest.mark.parametrize("count", [1, 2])
def test_a_batch_too_small_for_a_relation_says_nothing(count: int) -> None:
    s, t = drawn(count, 3, seed=1).requires_grad_(), drawn(count, 3, seed=2)
    found = losses.angles(s, t) + (losses.distances(s, t) if count == 1 else 0)
    found.backward()
    assert float(found.detach()) == 0
    assert torch.equal(s.grad, torch.zeros_like(s))


def test_samples_on_one_point_give_finite_gradients() -> None:
    s = torch.zeros(4, 3, dtype=torch.float64)
    s[3] = 1
    s.requires_grad_()
    t = drawn(4, 3, seed=2)
    (losses.distances(s, t) + losses.angles(s, t)).backward()
    assert torch.isfinite(s.grad).all()
    assert float(s.grad.abs().max()) < 10
    whole = torch.zeros(4, 3, dtype=torch.float64, requires_grad=True)
    (losses.distances(whole, t) + losses.angles(whole, t)).backward()
    assert torch.isfinite(whole.grad).all()


# All of them.

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
LABELS = torch.tensor([1, 0, 3, 2])
EACH: dict[str, tuple[Loss, tuple[int, ...]]] = {
    "soft": (lambda s, t: losses.soft(s, t, 4.0), (4, 5)),
    "decoupled": (lambda s, t: losses.decoupled(s, t, LABELS[: len(s)], 4.0, 1.0, 8.0), (4, 5)),
    "hint": (losses.hint, (4, 3, 2, 2)),
    "attention": (losses.attention, (4, 3, 4, 2)),
    "distances": (losses.distances, (4, 3)),
    "angles": (losses.angles, (4, 3)),
}


@pytest.mark.parametrize("name", EACH)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    loss, shape = EACH[name]
    s, t = drawn(*shape, seed=3).requires_grad_(), drawn(*shape, seed=4)
    assert torch.autograd.gradcheck(lambda x: loss(x, t), s)


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("name", EACH)
def test_a_student_like_its_teacher_is_told_nothing(name: str, count: int) -> None:
    loss, shape = EACH[name]
    t = drawn(count, *shape[1:], seed=3)
    s = t.clone().requires_grad_()
    found = loss(s, t)
    found.backward()
    assert float(found.detach()) == pytest.approx(0, abs=1e-12)
    torch.testing.assert_close(s.grad, torch.zeros_like(s), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["soft", "decoupled", "hint", "attention"])
def test_a_batch_is_the_mean_of_its_samples_where_samples_stand_alone(name: str) -> None:
    loss, shape = EACH[name]
    s, t = drawn(*shape, seed=3), drawn(*shape, seed=4)
    if name == "decoupled":
        alone = [losses.decoupled(s[i : i + 1], t[i : i + 1], LABELS[i : i + 1], 4.0, 1.0, 8.0) for i in range(4)]
    else:
        alone = [loss(s[i : i + 1], t[i : i + 1]) for i in range(4)]
    torch.testing.assert_close(loss(s, t), torch.stack(alone).mean())
    assert float(loss(s, t)) > 0
