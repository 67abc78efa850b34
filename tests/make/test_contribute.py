"""Contributions of a real net: PyTorch is the oracle of the gradients, a plan of one tensor that of learning alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.choose import FRACTIONS
from selvedge.choose.measure import Alone, allocation, batches, first_order, fisher, shares
from selvedge.learn.metrics import Arrays, score

ADAM = sv.Adam(lr=3e-3)


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(6, 3)).eval()


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=48).astype(np.int32)
    return np.float32(rng.normal(size=(48, 1, 8, 8)) + y[:, None, None, None]), y


def session(net: nn.Module, optimizer: object, batch: int, update: object = "full") -> sv.Session:
    return sv.compile(sv.plan(net, torch.zeros(batch, 1, 8, 8), optimizer=optimizer, update=update))


def test_fisher_is_the_mean_square_of_pytorchs_gradients(net: nn.Module, data: tuple[np.ndarray, np.ndarray]) -> None:
    found = fisher(session(net, sv.SGD(lr=0.0, momentum=1.0), 1), Arrays(data[0][:6], data[1][:6]))
    expected = {n: torch.zeros_like(p) for n, p in net.named_parameters()}
    for x, y in zip(data[0][:6], data[1][:6], strict=True):
        net.zero_grad()
        nn.functional.cross_entropy(net(torch.tensor(x[None])), torch.tensor([int(y)])).backward()
        for n, p in net.named_parameters():
            expected[n] += p.grad**2 / 6
    assert found.keys() == expected.keys()
    for n, each in found.items():
        np.testing.assert_allclose(each, expected[n].numpy(), rtol=2e-4, atol=1e-9)


def test_first_order_is_the_square_of_pytorchs_mean_gradient(
    net: nn.Module, data: tuple[np.ndarray, np.ndarray]
) -> None:
    found = first_order(session(net, sv.SGD(lr=0.0, momentum=1.0), 1), Arrays(*data))
    net.zero_grad()
    nn.functional.cross_entropy(net(torch.tensor(data[0])), torch.tensor(data[1]).long()).backward()
    for n, p in net.named_parameters():
        np.testing.assert_allclose(found[n], p.grad.numpy() ** 2, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("names", [["3.weight"], ["0.bias", "6.weight"]])
def test_what_learns_alone_is_what_a_plan_of_it_learns(
    net: nn.Module, data: tuple[np.ndarray, np.ndarray], names: list[str]
) -> None:
    rows, samples = batches(48, 5, 4, 0), Arrays(*data)
    whole = session(net, ADAM, 4)
    Alone(whole).train(names, samples, lambda step: 3e-3, rows)
    own = session(net, ADAM, 4, names)
    for batch in rows:
        own.step(*samples.take(batch), lr=3e-3)
    for name, array in own.state_dict().items():
        np.testing.assert_array_equal(whole.state_dict()[name].numpy(), array.numpy(), err_msg=name)


def test_an_allocation_sums_to_the_loss_that_is_lost(net: nn.Module, data: tuple[np.ndarray, np.ndarray]) -> None:
    path, gradients = session(net, ADAM, 4), session(net, sv.SGD(lr=0.0, momentum=1.0), 1)
    train, held_out, rows = (
        Arrays(data[0][:32], data[1][:32]),
        Arrays(data[0][32:], data[1][32:]),
        batches(32, 24, 4, 0),
    )
    before, start = score(path, held_out).loss, path.snapshot()
    found = allocation(path, gradients, train, held_out, rows, 3e-3, 24)
    assert all(np.array_equal(a, start[n]) for n, a in path.snapshot().items())
    for i, batch in enumerate(rows):
        path.step(*train.take(batch), lr=sv.Cosine(3e-3, 24).lr(i))
    lost = before - score(path, held_out).loss
    assert lost > 0.01
    assert sum(v.sum() for v in found.values()) == pytest.approx(lost, rel=0.05)


def test_shares_are_of_the_first_input_channels() -> None:
    each = np.array([[1.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 4.0]])
    assert shares(each, 1) == (0.125, 0.125, 0.5)
    assert shares(each.T, 0) == (0.125, 0.125, 0.5)
    assert shares(np.ones((9, 1)), 1) == shares(np.zeros((2, 8)), 1) == ()
    assert shares(np.array([[2.0, -1.0, 0.0]]), 1) == (1.0, 1.0, 1.0)  # what the rest would lose is not to be had
    assert shares(np.array([[-1.0, 2.0, 0.0]]), 1) == (0.0, 0.0, 1.0)


def test_it_is_kept_after_each_tensor_and_goes_on(
    net: nn.Module, data: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    def measured(name: str, most: int = 99) -> sv.Contribution:
        asked = iter(range(99))
        return sv.contribution(
            net, data, method="loss_decrease", steps=6, file=tmp_path / name, stop=lambda: next(asked) >= most
        )

    whole = measured("whole.toml")
    assert whole.complete
    assert any(t.score > 0 for t in whole.tensors)
    part = measured("part.toml", 3)
    assert (len(part.tensors), part.total, part.complete) == (3, 8, False)
    assert sv.Contribution.load(tmp_path / "part.toml").ranked() == part.ranked()
    with pytest.raises(sv.InvalidInput, match="of 3 tensors of 8"):
        sv.plan(net, torch.zeros(1, 1, 8, 8), update="auto", contribution=part)
    assert measured("part.toml").ranked() == whole.ranked()
    assert (tmp_path / "part.toml").read_text() == (tmp_path / "whole.toml").read_text()
    with pytest.raises(sv.InvalidInput, match="measured on another model, data or settings"):
        sv.contribution(net, (data[0] + 1, data[1]), method="loss_decrease", steps=6, file=tmp_path / "part.toml")


def test_auto_takes_what_contributes_most_of_what_fits(
    net: nn.Module, data: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    found = sv.contribution(net, data, steps=20, file=tmp_path / "c.toml")
    worth = {t.name: t.score for t in found.tensors}
    cuts = {t.name: dict(zip(FRACTIONS, t.shares, strict=False)) for t in found.tensors}

    def gain(made: sv.Plan) -> float:
        """Of what learns; of a part, the share of the fraction that it is."""
        programs = made.programs
        total = 0.0
        for n in programs.updated:
            part = programs.parts.get(n)
            counts = {} if part is None else {ceil(f * part.of): share for f, share in cuts[n].items()}
            total += worth[n] * (1.0 if part is None else counts[part.count])
        return total

    def planned(update: object, **terms: Any) -> sv.Plan:
        """For a device, not for this machine: how many sets are planned until one is proven best goes by its lanes."""
        return sv.plan(net, torch.zeros(1, 1, 8, 8), update=update, device="stm32f746", **terms)

    full, least = (planned(u).arena_bytes for u in ("full", "6.bias"))
    gained, sets = [], set()
    for ram in range(least, full + 1, max(1, (full - least) // 5)):
        made = planned("auto", contribution=tmp_path / "c.toml", budget=f"ram={ram}B")
        assert made.arena_bytes <= ram
        gained.append(gain(made))
        sets.add(made.updated)
        said = {c.what: c.why for c in made.why}
        assert f"{len(made.updated)} of 8 tensors" in said["chosen"]
        assert "no set that fits without a trade has more (proven)" in said["best"]
        try:
            other = planned("auto", budget=f"ram={ram}B")
        except sv.DoesNotFit:
            continue
        assert gained[-1] >= gain(other) - 1e-5 * sum(worth.values())
    assert all(b >= a - 1e-5 * sum(worth.values()) for a, b in pairwise(gained))
    assert any("[:" in name for names in sets for name in names)
    assert len(sets) > 2
    real = sv.measured(made)
    assert (real.arena, real.faults) == (made.arena_bytes, ())


def test_a_persons_choice_is_kept(net: nn.Module, data: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    found = sv.contribution(net, data, method="fisher", samples=8)
    found.save(tmp_path / "c.toml")
    text = (tmp_path / "c.toml").read_text()
    parts = text.split("[[tensor]]")
    edited = [
        p.replace('"open"', '"never"')
        if '"3.weight"' in p
        else p.replace('"open"', '"always"')
        if '"0.bias"' in p
        else p
        for p in parts
    ]
    (tmp_path / "c.toml").write_text("[[tensor]]".join(edited))
    made = sv.plan(net, torch.zeros(1, 1, 8, 8), update="auto", contribution=str(tmp_path / "c.toml"))
    assert "3.weight" not in made.updated
    assert "0.bias" in made.updated
    two = sv.plan(net, torch.zeros(2, 1, 8, 8), update="auto", accumulate=2, contribution=str(tmp_path / "c.toml"))
    assert two.updated == made.updated


def _choices(found: sv.Contribution, path: Path, **choices: str) -> Path:
    """The file of ``found`` as a person edits it: state name (with _ for .) -> choice."""
    tensors = tuple(replace(t, choice=choices.get(t.name.replace(".", "_"), t.choice)) for t in found.tensors)
    replace(found, tensors=tensors).save(path)
    return path


def test_a_choice_is_obeyed_or_refused_but_never_passed_over(
    net: nn.Module, data: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    found, example = sv.contribution(net, data, method="fisher", samples=8), torch.zeros(1, 1, 8, 8)
    plain = sv.Trade(stream=False, recompute=False, masks=False)
    whole = sv.plan(net, example, update="full", trade=plain).arena_bytes
    last = sv.plan(net, example, update="6.bias", trade=plain).arena_bytes
    always = _choices(found, tmp_path / "always.toml", **{"0_weight": "always", "3_weight": "always"})
    with pytest.raises(sv.DoesNotFit):
        sv.plan(net, example, update="auto", contribution=always, budget=f"ram={last}B", trade=plain)
    some = {t.name.replace(".", "_"): "never" for t in found.tensors if t.name not in ("6.bias", "6.weight")}
    never = _choices(found, tmp_path / "never.toml", **some)
    made = sv.plan(net, example, update="auto", contribution=never, budget=f"ram={whole}B")
    assert {name.partition("[")[0] for name in made.updated} <= {"6.bias", "6.weight"}
    nothing = _choices(found, tmp_path / "no.toml", **{t.name.replace(".", "_"): "never" for t in found.tensors})
    with pytest.raises(sv.InvalidInput, match='without a tensor that may learn: set the choice of one to "open"'):
        sv.plan(net, example, update="auto", contribution=nothing)


def test_without_a_score_nothing_is_guessed(net: nn.Module, data: tuple[np.ndarray, np.ndarray]) -> None:
    found, example = sv.contribution(net, data, method="fisher", samples=8), torch.zeros(1, 1, 8, 8)
    on: dict[str, Any] = {"device": "stm32f746", "update": "auto"}

    def unscored(**choices: str) -> sv.Contribution:
        """All open and without a score; those that are named are chosen so and keep theirs."""
        names = {name.replace("_", "."): choice for name, choice in choices.items()}
        made = (
            replace(t, choice=names[t.name]) if t.name in names else replace(t, score=0.0, choice="open")
            for t in found.tensors
        )
        return replace(found, tensors=tuple(made))

    for contribution, count in ((unscored(), 8), (unscored(**{"3_weight": "never"}), 7)):
        with pytest.raises(sv.InvalidInput) as refused:
            sv.plan(net, example, contribution=contribution, **on)
        assert str(refused.value).startswith(f"contribution is 0 for each of {count} tensors that may learn: ")
        assert 'set the choice of one to "always"' in str(refused.value)
    made = sv.plan(net, example, contribution=unscored(**{"6_bias": "always"}), **on)
    assert made.updated == ("6.bias",)
    # What has no score does not learn in the place of what has one and does not fit.
    scored = unscored(**{"0_weight": "open"})
    plain = sv.Trade(stream=False, recompute=False, masks=False)
    need, least = (
        sv.plan(net, example, **on | {"update": u, "trade": plain}).arena_bytes for u in ("0.weight", "bias")
    )
    assert least < need
    with pytest.raises(sv.DoesNotFit) as over:
        sv.plan(net, example, contribution=scored, budget=f"ram={least}B", trade=plain, **on)
    assert over.value.have == least


def test_every_plan_on_the_way_is_told(net: nn.Module, data: tuple[np.ndarray, np.ndarray]) -> None:
    found, example = sv.contribution(net, data, method="fisher", samples=8), torch.zeros(1, 1, 8, 8)
    told: list[int] = []
    sv.plan(net, example, device="stm32f746", on_progress=told.append)
    assert told == [1]
    full = sv.plan(net, example, device="stm32f746", trade=sv.Trade(stream=False, recompute=False, masks=False))
    told.clear()
    on: dict[str, Any] = {"device": "stm32f746", "contribution": found, "budget": f"ram={full.arena_bytes - 1}B"}
    made = sv.plan(net, example, update="auto", on_progress=told.append, **on)
    said = {c.what: c.why for c in made.why}["best"]
    sets = int(said.partition(" sets were planned")[0].split()[-1])
    assert told == list(range(1, len(told) + 1))
    assert len(told) > sets > 2  # beside the sets, the plan of all and those with what a trade saves
    told.clear()
    with pytest.raises(sv.DoesNotFit):
        sv.plan(net, example, device="stm32f746", update="full", budget="ram=512B", on_progress=told.append)
    assert len(told) > 1
    with pytest.raises(sv.InvalidInput, match="on_progress is no function: give one, or leave it out"):
        sv.plan(net, example, on_progress=3)  # type: ignore[arg-type]


def test_what_a_trade_saves_lets_more_learn(
    net: nn.Module, data: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    found, example = sv.contribution(net, data, method="fisher", samples=8), torch.zeros(1, 1, 8, 8)
    found.save(tmp_path / "c.toml")
    plain = sv.Trade(stream=False, recompute=False, masks=False)
    full, light = (
        sv.plan(net, example, update="full", trade=t).arena_bytes for t in (plain, sv.Trade(least=True, slowdown=4))
    )
    assert light < full
    ask: dict[str, Any] = {"update": "auto", "contribution": tmp_path / "c.toml", "budget": f"ram={full - 1}B"}
    without = sv.plan(net, example, trade=plain, **ask)
    made = sv.plan(net, example, trade=sv.Trade(slowdown=4), **ask)
    assert made.arena_bytes < full
    learns = [{name.partition("[")[0] for name in p.updated} for p in (without, made)]
    assert learns[0] < learns[1]
    said = {c.what: c.why for c in made.why}
    assert said["beside it"].endswith("fits with what the trade saves")


def test_settings_that_cannot_be_are_one_line(net: nn.Module, data: tuple[np.ndarray, np.ndarray]) -> None:
    for given, said in (
        ({"method": "guess"}, "allocation, loss_decrease, fisher, first_order"),
        ({"steps": 0}, "steps is 0"),
        ({"optimizer": sv.SGD(lr=1e6)}, "diverges at that rate"),
    ):
        with pytest.raises(sv.InvalidInput, match=said):
            sv.contribution(net, data, **given)
    for field, value in (("seed", -1), ("seed", None), ("seed", 0.5), ("file", 3), ("file", b"a"), ("stop", None)):
        with pytest.raises(sv.InvalidInput, match=f"^{field} is ") as error:
            sv.contribution(net, data, **{"method": "fisher", field: value})  # type: ignore[arg-type]
        assert "\n" not in str(error.value)
    with pytest.raises(sv.InvalidInput, match="at least 4"):
        sv.contribution(net, (data[0][:3], data[1][:3]))
    other = sv.contribution(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), data, method="fisher", samples=4)
    with pytest.raises(sv.InvalidInput, match="measure this"):
        sv.plan(net, torch.zeros(1, 1, 8, 8), update="auto", contribution=other)
    with pytest.raises(sv.InvalidInput, match='give update="auto"'):
        sv.plan(net, torch.zeros(1, 1, 8, 8), update="full", contribution=other)
