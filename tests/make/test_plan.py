"""A plan that fits is kept; one that does not is refused with a change that really would fit."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import selvedge as sv
from selvedge.capture import select
from selvedge.capture.select import trained_layers
from tests.oracle import relative

DEVICE = sv.Device(name="board", ram="1MiB", flash="1MiB", throughput={"float32": 1e8}, bandwidth={"ram": 1e8})


class Net(nn.Module):
    """Four layers of unlike sizes, the last ones small."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.body = nn.Conv2d(6, 8, 3, stride=2)
        self.wide = nn.Linear(8 * 9, 24)
        self.head = nn.Linear(24, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        x = torch.relu(self.body(x)).flatten(1)
        return self.head(torch.tanh(self.wide(x)))


PLAIN = sv.Trade(stream=False, recompute=False)


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    return Net().eval()


def plan(model: nn.Module, samples: int = 1, **options: Any) -> sv.Plan:
    return sv.plan(model, torch.zeros(samples, 2, 8, 8), **{"device": DEVICE, **options})


def refusal(model: nn.Module, samples: int = 1, **options: Any) -> sv.DoesNotFit:
    with pytest.raises(sv.DoesNotFit) as error:
        plan(model, samples, **options)
    return error.value


def applied(change: str, batch: int, options: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """``options`` as ``change`` says, read as a user would."""
    if found := re.search(r"batch (\d+) instead of", change):
        batch = int(found[1])
    if found := re.search(r"accumulate (\d+) instead of", change):
        options = {**options, "accumulate": int(found[1])}
    if "state_dtype int8 instead of" in change:
        options = {**options, "optimizer": replace(options["optimizer"], state_dtype="int8")}
    if "plain SGD instead of" in change:
        options = {**options, "optimizer": sv.SGD(lr=0.01)}
    if "norms folded instead of" in change:
        options = {**options, "norms": "folded"}
    if found := re.search(r"update (\S+) instead of", change):
        options = {**options, "update": found[1]}
    return batch, options


def assert_change_fits(model: nn.Module, batch: int, ram: int, *kinds: str, **options: Any) -> None:
    """The refusal's numbers are true, and its change touches just ``kinds`` and is enough."""
    options["budget"] = f"ram={ram}B"
    refused = refusal(model, batch, **options)
    needed = plan(model, batch, **{**options, "budget": None}).arena_bytes
    assert (refused.resource, refused.need, refused.have) == ("RAM", needed, ram)
    change = refused.cheapest_change
    assert change is not None
    assert [k for k in ("batch", "accumulate", "int8", "plain SGD", "update") if k in change] == list(kinds), change
    assert change in str(refused)
    batch, options = applied(change, batch, options)
    assert plan(model, batch, **options).arena_bytes <= ram


# -- refusals -----------------------------------------------------------------------------------------------------


def test_too_big_a_batch_is_told_the_largest_that_fits(net: nn.Module) -> None:
    ram = plan(net, 2).arena_bytes  # accumulators take more than a sample's activations
    assert_change_fits(net, 64, ram, "batch")
    assert refusal(net, 64, budget=f"ram={ram}B").cheapest_change == "batch 2 instead of 64"


def test_too_big_a_batch_is_told_to_accumulate_where_that_fits(net: nn.Module) -> None:
    ram = plan(net, 64, accumulate=16).arena_bytes
    assert refusal(net, 64, budget=f"ram={ram}B").cheapest_change == "accumulate 16 instead of 1"
    assert_change_fits(net, 64, ram, "accumulate")
    assert_change_fits(net, 64, plan(net, 64, accumulate=32).arena_bytes, "accumulate", accumulate=2)


def test_too_big_a_state_is_told_to_take_fewer_bytes(net: nn.Module) -> None:
    for optimizer in (sv.Adam(lr=1e-3), sv.RMSProp(lr=1e-3, momentum=0.9), sv.SGD(lr=0.1, momentum=0.9)):
        ram = plan(net, optimizer=replace(optimizer, state_dtype="int8")).arena_bytes
        assert_change_fits(net, 1, ram, "int8", optimizer=optimizer)
    both = plan(net, 64, optimizer=sv.Adam(lr=1e-3, state_dtype="int8"), accumulate=64).arena_bytes
    assert_change_fits(net, 64, both, "accumulate", "int8", optimizer=sv.Adam(lr=1e-3))


def test_too_big_an_optimiser_is_told_to_do_without_state(net: nn.Module) -> None:
    assert_change_fits(net, 1, plan(net).arena_bytes, "plain SGD", optimizer=sv.Adam(lr=1e-3))
    assert_change_fits(net, 1, plan(net).arena_bytes, "plain SGD", optimizer=sv.SGD(lr=0.1, momentum=0.9))
    assert_change_fits(net, 1, plan(net).arena_bytes, "plain SGD", optimizer=sv.RMSProp(lr=1e-3))


def test_too_big_an_update_is_told_a_smaller_one(net: nn.Module) -> None:
    ram = plan(net, update="last:2").arena_bytes
    assert_change_fits(net, 1, ram, "update")
    assert refusal(net, budget=f"ram={ram}B").cheapest_change == "update last:2 instead of full"
    assert_change_fits(net, 1, ram, "update", update="last:3")


def test_several_changes_are_told_together(net: nn.Module) -> None:
    adam = sv.Adam(lr=1e-3)
    assert_change_fits(net, 64, plan(net, 2).arena_bytes, "batch", "int8", optimizer=adam)
    assert_change_fits(net, 16, plan(net, update="last:1").arena_bytes, "accumulate", "update")
    assert_change_fits(net, 1, plan(net, update="last:1").arena_bytes, "update", optimizer=adam)
    assert_change_fits(net, 16, plan(net, update="last:1").arena_bytes, "batch", "update", optimizer=adam)
    least = plan(net, update="last:1", trade=sv.Trade(least=True)).arena_bytes
    assert_change_fits(net, 1, least, "plain SGD", "update", optimizer=adam)
    assert_change_fits(net, 16, least, "batch", "plain SGD", "update", optimizer=adam)


def test_where_nothing_fits_the_least_need_is_told(net: nn.Module) -> None:
    refused = refusal(net, 8, budget="ram=512B", optimizer=sv.Adam(lr=1e-3))
    assert refused.cheapest_change is not None
    found = re.fullmatch(r"([\d,]+) B of RAM with (batch 1 .*)", refused.cheapest_change)
    assert found is not None, refused.cheapest_change
    ram = int(found[1].replace(",", ""))
    batch, options = applied(found[2], 8, {"optimizer": sv.Adam(lr=1e-3)})
    assert plan(net, batch, budget=f"ram={ram}B", **options).arena_bytes <= ram
    with pytest.raises(sv.DoesNotFit):
        plan(net, batch, budget=f"ram={ram - 1}B", **options)
    assert plan(net, batch, trade=sv.Trade(least=True), **options).arena_bytes == ram


def test_a_model_of_a_fixed_batch_is_told_what_else_helps(net: nn.Module) -> None:
    exported = torch.export.export(net, (torch.zeros(4, 2, 8, 8),))
    ram = plan(net, 4).arena_bytes
    with pytest.raises(sv.DoesNotFit) as error:
        plan(exported, 4, budget=f"ram={ram}B", optimizer=sv.Adam(lr=1e-3))
    assert error.value.cheapest_change == "plain SGD instead of Adam"
    with pytest.raises(sv.InvalidInput, match=r"the model was exported for \(4, 2, 8, 8\)"):
        plan(exported, 4, batch=2)


def test_too_little_flash_is_refused(net: nn.Module) -> None:
    refused = refusal(net, budget="ram=64KiB,flash=1KiB")
    need = plan(net).arrangement.memory.flash
    assert (refused.resource, refused.need, refused.have) == ("flash", need, 1024)
    found = re.fullmatch(r"([\d,]+) B of flash(?: with (.*))?", refused.cheapest_change or "")
    assert found is not None, refused.cheapest_change
    flash = int(found[1].replace(",", ""))
    _, options = applied(found[2] or "", 1, {})
    assert flash <= need
    assert plan(net, budget=f"ram=64KiB,flash={flash}", **options).arrangement.memory.flash == flash
    assert refusal(net, budget=f"ram=64KiB,flash={flash - 1}", **options).need == flash


def test_limits_of_time_and_energy_are_kept(net: nn.Module) -> None:
    seconds = plan(net).arrangement.programs["step"].seconds
    assert seconds is not None
    assert plan(net, budget=f"latency={seconds * 1.01:.9f}").budget.latency_s == pytest.approx(seconds, rel=0.02)
    with pytest.raises(sv.InvalidInput, match=r"budget latency is .* s: a step needs .* s on board"):
        plan(net, budget=f"latency={seconds * 0.9:.9f}")
    faster = plan(net, budget=f"latency={seconds * 0.9:.9f}", update="auto")
    assert faster.arrangement.programs["step"].seconds <= seconds * 0.9
    assert faster.update != "full"
    with pytest.raises(sv.InvalidInput, match="budget energy is 1 J: board has no figures"):
        plan(net, budget="energy=1J")


# -- budgets ------------------------------------------------------------------------------------------------------


def test_a_budget_may_be_a_string_an_object_or_none(net: nn.Module) -> None:
    whole = plan(net).budget
    assert (whole.ram, whole.flash) == (1 << 20, 1 << 20)
    text, value = plan(net, budget="ram=64KiB").budget, plan(net, budget=sv.Budget(ram=64 << 10)).budget
    assert text == value == sv.Budget(ram=64 << 10, flash=1 << 20)
    for more in ("ram=2MiB", sv.Budget(ram=2 << 20), sv.Budget(ram=1024, flash=2 << 20)):
        with pytest.raises(
            sv.InvalidInput, match=r"budget (ram|flash) is .*: the device leaves .*: ask for at most that"
        ):
            plan(net, budget=more)


def test_what_a_device_reserves_is_not_given_away(net: nn.Module) -> None:
    ram = plan(net).arena_bytes
    kept = sv.Device(name="kept", ram=ram + 1000, reserved_ram=1000, flash="1MiB")
    assert plan(net, device=kept).arena_bytes == ram
    short = sv.Device(name="kept", ram=ram + 1000, reserved_ram=1001, flash="1MiB")
    assert refusal(net, device=short, trade=PLAIN).have == ram - 1
    assert plan(net, device=short).arena_bytes <= ram - 1  # with values made again


# -- what learns --------------------------------------------------------------------------------------------------

FULL = [f"{layer}.{part}" for layer in ("stem", "norm", "body", "wide", "head") for part in ("weight", "bias")]


@pytest.mark.parametrize(
    ("update", "updated"),
    [
        ("full", FULL),
        ("last:1", FULL[8:]),
        ("last:2", FULL[6:]),
        ("last:4", FULL),
        ("bias", FULL[1::2]),
        ("head.*", FULL[8:]),
        ("*.weight", FULL[::2]),
        ("wide.bias,stem.weight", ["stem.weight", "wide.bias"]),
        (["body.*", "head.bias"], ["body.weight", "body.bias", "head.bias"]),
        ("auto", FULL),
    ],
)
def test_update_policies_choose_by_name(net: nn.Module, update: str | list[str], updated: list[str]) -> None:
    made = plan(net, update=update)
    assert list(made.updated) == updated
    assert {n for n, s in made.arrangement.slots.items() if s.region == "state"} == set(updated)


def test_auto_takes_as_many_layers_as_fit(net: nn.Module) -> None:
    layers = trained_layers(plan(net).captured)
    assert layers == 4
    need = {k: plan(net, 2, update=f"last:{k}").arena_bytes for k in range(1, layers + 1)}
    for k in range(1, layers):
        for ram in (need[k], need[k + 1] - 1):
            made = plan(net, 2, update="auto", budget=f"ram={ram}B", trade=PLAIN)
            assert made.update == f"last:{k}"
            assert made.arena_bytes == need[k] <= ram
            with pytest.raises(sv.DoesNotFit):
                plan(net, 2, update=f"last:{k + 1}", budget=f"ram={ram}B", trade=PLAIN)
            traded = plan(net, 2, update="auto", budget=f"ram={ram}B")  # what makes values again learns no less
            assert traded.arena_bytes <= ram
            assert set(traded.updated) >= set(made.updated)
    assert plan(net, 2, update="auto", budget=f"ram={need[layers]}B").update == "full"


def test_auto_falls_back_to_biases_and_says_why() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(128, 6), nn.ReLU(), nn.Linear(6, 90))
    ram = plan(model, update="bias").arena_bytes
    assert ram < plan(model, update="last:1").arena_bytes
    made = plan(model, update="auto", budget=f"ram={ram}B")
    assert (made.update, made.updated) == ("bias", ("1.bias", "3.bias"))
    said = [f"{c.what}: {c.why}" for c in made.arrangement.choices]
    assert re.fullmatch(r"update full: 4 arrays, needs .*: does not fit .*", said[0])
    assert said[-2:] == [
        f"update bias: 2 arrays, needs {ram / 1024:.1f} KiB: fits",
        "chosen: bias: not even the last layer fits, the biases do",
    ]
    assert all(line.split(":")[0] in str(made) for line in said)
    assert refusal(model, update="auto", budget=f"ram={ram - 1}B").have == ram - 1


def test_auto_passes_over_layers_that_are_frozen(net: nn.Module) -> None:
    model = copy.deepcopy(net)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(("head", "wide")))
    ram = plan(model, update="last:1").arena_bytes
    assert plan(model, update="auto", budget=f"ram={ram}B").updated == ("head.weight", "head.bias")
    assert refusal(model, budget=f"ram={ram}B").cheapest_change == "update last:1 instead of full"
    assert plan(model, update="auto").updated == tuple(FULL[6:])


def test_auto_does_without_biases_where_there_are_none() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(128, 4, bias=False))
    refused = refusal(model, update="auto", budget="ram=64B")
    assert refused.have == 64
    assert refused.cheapest_change is not None
    assert refused.cheapest_change.endswith("B of RAM")


# -- the plan -----------------------------------------------------------------------------------------------------


def test_planning_is_deterministic(net: nn.Module) -> None:
    one, two = (plan(net, 2, optimizer=sv.Adam(lr=1e-3)) for _ in range(2))
    assert one.arrangement.digest() == two.arrangement.digest()
    assert {**one.to_dict(), "seconds_to_plan": 0} == {**two.to_dict(), "seconds_to_plan": 0}
    assert plan(net, 3, optimizer=sv.Adam(lr=1e-3)).arrangement.digest() != one.arrangement.digest()


def test_the_model_is_left_as_it_was(net: nn.Module) -> None:
    model = copy.deepcopy(net).train()
    before = copy.deepcopy(model.state_dict())
    plan(model, norms="folded")
    assert model.training
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())


def test_the_schedule_is_the_optimisers_constant_rate_unless_given(net: nn.Module) -> None:
    assert plan(net).schedule == sv.Constant(0.01)
    assert plan(net, optimizer=sv.Adam(lr=3e-4)).schedule == sv.Constant(3e-4)
    cosine = sv.Cosine(0.1, steps=10)
    assert plan(net, schedule=cosine).schedule == cosine


def test_the_batch_is_the_examples_unless_given(net: nn.Module) -> None:
    assert plan(net, 3).captured.graph.inputs["x"].shape[0] == 3
    assert plan(net, 3, batch=5).captured.graph.inputs["x"].shape[0] == 5
    assert plan(net, 3, batch=2).arrangement.digest() == plan(net, 2).arrangement.digest()
    for batch in (0, -1):
        with pytest.raises(sv.InvalidInput, match=f"batch is {batch}: give a whole number >= 1"):
            plan(net, 3, batch=batch)
    with pytest.raises(sv.InvalidInput, match="a batch needs 3 samples on its first axis"):
        sv.plan(net, (torch.zeros(3, 2, 8, 8), torch.zeros(2, 1)), device=DEVICE, batch=2)


def test_the_table_says_what_the_figures_say(net: nn.Module) -> None:
    made = plan(net, name="n" * 64, update=",".join(["*.weight"] * 30))
    text = str(made)
    assert max(map(len, text.splitlines())) <= 100
    assert f"{made.persistent_bytes:,} B that learn + {made.transient_bytes:,} B in passing" in text
    assert f"{made.arrangement.programs['step'].macs:,} MACs" in text


# -- parity -------------------------------------------------------------------------------------------------------


class Small(nn.Module):
    """Every kind of kernel a step needs, in double, in a few milliseconds; ``outputs`` of them."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.GroupNorm(2, 4)
        self.depth = nn.Conv2d(4, 4, 3, groups=4, stride=2)
        self.head = nn.Linear(4, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.silu(self.norm(self.conv(x)))
        return self.head(F.hardswish(self.depth(x)).mean((2, 3)))


class Mirror(nn.Module):
    """An autoencoder of images, whose output is laid out as its input."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(2, 3, 3, padding=1)
        self.up = nn.Conv2d(3, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(torch.tanh(self.down(x)))


def labels(loss: str, batch: int, seed: int) -> torch.Tensor | None:
    generator = torch.Generator().manual_seed(seed)
    if loss == "cross_entropy":
        return torch.randint(0, 3, (batch,), generator=generator)
    if loss == "reconstruction":
        return None
    values = torch.rand(batch, 3, generator=generator, dtype=torch.float64)
    return values if loss == "mse" else (values > 0.5).double()


LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "cross_entropy": F.cross_entropy,
    "mse": F.mse_loss,
    "bce_with_logits": F.binary_cross_entropy_with_logits,
    "reconstruction": F.mse_loss,
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def compared(
    cache: Path,
    loss: str,
    ours: Any,
    theirs: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
    steps: int = 5,
) -> None:
    """``steps`` native steps in double beside PyTorch's, predictions and losses on the way, the state at the end."""
    torch.manual_seed(1)
    model = (Mirror() if loss == "reconstruction" else Small(3)).double()
    example = torch.zeros(3, 2, 6, 5, dtype=torch.float64)
    session = sv.compile(sv.plan(model, example, loss=loss, device=DEVICE, optimizer=ours), cache=cache)
    optimizer = theirs(model.parameters())
    for i in range(steps):
        x = torch.randn(3, 2, 6, 5, generator=torch.Generator().manual_seed(i), dtype=torch.float64)
        y = labels(loss, 3, i)
        optimizer.zero_grad()
        output = model(x)
        value = LOSSES[loss](output, x if y is None else y)
        value.backward()
        expected = output.detach().numpy()
        assert relative(session.predict(x), expected) <= 1e-9
        found, again = session.evaluate(x, y)
        assert found == pytest.approx(value.item(), rel=1e-9)
        np.testing.assert_array_equal(again, session.predict(x))
        assert session.step(x, y) == pytest.approx(value.item(), rel=1e-9)
        if ours.clip_value is not None:
            nn.utils.clip_grad_value_(model.parameters(), ours.clip_value)
        optimizer.step()
    for name, value in model.state_dict().items():
        assert relative(np.asarray(session.state_dict()[name]), value.numpy()) <= 1e-9, name


@pytest.mark.parametrize("loss", list(LOSSES))
def test_programs_are_pytorchs_under_every_loss(cache: Path, loss: str) -> None:
    compared(cache, loss, sv.SGD(lr=0.1, momentum=0.9), lambda p: torch.optim.SGD(p, 0.1, 0.9))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (sv.SGD(0.1, clip_value=0.02), lambda p: torch.optim.SGD(p, 0.1)),
        (
            sv.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
            lambda p: torch.optim.SGD(p, 0.1, 0.9, nesterov=True, weight_decay=0.01),
        ),
        (sv.SGD(0.1, momentum=0.8, dampening=0.3), lambda p: torch.optim.SGD(p, 0.1, 0.8, dampening=0.3)),
        (sv.Adam(0.01, (0.8, 0.99), 1e-6, 0.1), lambda p: torch.optim.Adam(p, 0.01, (0.8, 0.99), 1e-6, 0.1)),
        (sv.Adam(0.01), lambda p: torch.optim.Adam(p, 0.01)),
        (
            sv.Adam(0.01, weight_decay=0.1, decoupled=True, clip_value=0.02),
            lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1),
        ),
        (sv.RMSProp(0.01), lambda p: torch.optim.RMSprop(p, 0.01)),
        (
            sv.RMSProp(0.01, 0.9, 1e-6, 0.8, 0.01, clip_value=0.02),
            lambda p: torch.optim.RMSprop(p, 0.01, 0.9, 1e-6, 0.01, 0.8),
        ),
    ],
    ids=lambda v: repr(v) if hasattr(v, "lr") else "",
)
def test_optimisers_are_pytorchs(cache: Path, ours: Any, theirs: Any) -> None:
    compared(cache, "cross_entropy", ours, theirs)


def test_only_what_was_chosen_changes(net: nn.Module, cache: Path) -> None:
    made = plan(net, 2, update="body.weight,head.bias", optimizer=sv.SGD(lr=0.5))
    session = sv.compile(made, cache=cache)
    before = session.state_dict()
    session.step(torch.randn(2, 2, 8, 8), torch.tensor([0, 3]))
    changed = {n for n, v in session.state_dict().items() if not torch.equal(v, before[n])}
    assert changed == {"body.weight", "head.bias"} == set(select(made.captured, made.update))
