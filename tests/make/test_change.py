"""Each change that a refusal proposes fits when it is applied, at the price and the bytes that it says."""

from __future__ import annotations

import os
import pickle
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import HealthCheck, given, settings

import selvedge as sv
from selvedge.make import change as change_module
from selvedge.make.change import MOST
from selvedge.make.plan import attempt
from selvedge.make.wish import drafted, wished
from selvedge.planning import lighten
from tests.models import RandomModel, random_models

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "10"))
DEVICE = sv.Device(
    name="board", ram="16MiB", flash="16MiB", storage={"size": "64MiB", "endurance": 10_000},
    throughput={"float32": 1e8}, bandwidth={"ram": 1e8, "storage": 1e6, "storage_write": 1e5},
    energy={"static_w": 0.01},
)  # fmt: skip
OPTIMIZERS = (sv.SGD(lr=0.1), sv.SGD(lr=0.1, momentum=0.9), sv.Adam(lr=1e-3), sv.RMSProp(lr=1e-3))


@st.composite
def asked(draw: Any) -> tuple[RandomModel, dict[str, Any], float]:
    """A model, how it is planned, and the budget as a share of what that needs."""
    options = {
        "batch": draw(st.sampled_from([None, None, 1, 4, 7])),
        "optimizer": draw(st.sampled_from(OPTIMIZERS)),
        "update": draw(st.sampled_from(["full", "full", "last:2", "bias", "auto"])),
        "norms": draw(st.sampled_from(["frozen", "folded"])),
        "trade": draw(st.sampled_from([None, sv.Trade(recompute=False), sv.Trade(slowdown=1.2)])),
    }
    return draw(random_models(most_steps=4)), options, draw(st.floats(0.2, 0.99))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(asked())
def test_every_proposed_change_fits_when_applied(given: tuple[RandomModel, dict[str, Any], float]) -> None:
    model, options, share = given
    options["device"] = DEVICE

    def plan(**more: Any) -> sv.Plan:
        return sv.plan(model.model, model.x, **{**options, **more})

    try:
        whole = plan()
    except (sv.InvalidInput, sv.NotSupported):
        return  # a model without biases, of a fixed batch, or of fewer layers
    budget = sv.Budget(ram=max(1, int(share * whole.arena_bytes)))
    try:
        made = plan(budget=budget)
        assert made.arena_bytes <= budget.ram
        return
    except sv.DoesNotFit as error:
        refused = error
    assert len(refused.changes) <= MOST
    assert len({change.text for change in refused.changes}) == len(refused.changes)
    assert [c.gives_up for c in refused.changes] == sorted(c.gives_up for c in refused.changes)
    for change in refused.changes:
        made = plan(budget=budget, **change.apply)
        assert made.arena_bytes == change.arena_bytes <= budget.ram
        assert made.arrangement.memory.flash == change.flash_bytes
        figures = made.to_dict()
        assert (figures["batch"], figures["learnt_parameters"]) == (change.batch, change.learns_parameters)
        assert (figures["seconds_per_step"], figures["joules_per_step"]) == (change.seconds, change.joules)
        assert change.seconds is not None
        assert change.time_factor is not None
        assert 0 <= change.gives_up <= 1
    if refused.changes:
        assert refused.changes[0].text == refused.cheapest_change
        assert refused.cheapest_change in str(refused)


@pytest.fixture(scope="module")
def refused() -> sv.DoesNotFit:
    model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
    with pytest.raises(sv.DoesNotFit) as error:
        sv.plan(model, torch.zeros(64, 64), device="nrf52832", optimizer=sv.Adam(lr=1e-3), budget="ram=50KiB")
    return error.value


def test_changes_are_of_different_kinds_and_priced(refused: sv.DoesNotFit) -> None:
    kinds = [frozenset(change.apply) for change in refused.changes]
    assert len(kinds) == MOST
    assert not any(a < b or (a == b and i != j) for i, a in enumerate(kinds) for j, b in enumerate(kinds))
    assert {kind for kinds_of in kinds for kind in kinds_of} == {"accumulate", "batch", "optimizer"}
    for change in refused.changes:
        assert ("update" in change.apply) == (change.gives_up > 0)


def test_changes_are_a_table_data_and_can_be_sent(refused: sv.DoesNotFit) -> None:
    shown = str(refused.changes).splitlines()
    assert len(shown) == 2 * len(refused.changes)
    assert all(change.text in line for change, line in zip(refused.changes, shown[::2], strict=True))
    again = pickle.loads(pickle.dumps(refused))
    assert (again.changes, again.cheapest_change, str(again)) == (
        refused.changes,
        refused.cheapest_change,
        str(refused),
    )
    data = refused.changes.to_dict()
    assert [d["text"] for d in data] == [c.text for c in refused.changes]
    assert str(sv.DoesNotFit("RAM", 2, 1).changes) == "no change that was tried fits"


def test_more_time_is_proposed_where_recomputing_makes_it_fit() -> None:
    """The same numbers at the price of time alone come first."""
    torch.manual_seed(0)
    layers = [m for _ in range(8) for m in (torch.nn.Conv2d(4, 4, 3, padding=1), torch.nn.Tanh())]
    net = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(4 * 144, 2)).eval()
    options: dict[str, Any] = {"device": DEVICE, "trade": sv.Trade(recompute=False)}
    ram = int(0.8 * sv.plan(net, torch.zeros(1, 4, 12, 12), **options).arena_bytes)
    with pytest.raises(sv.DoesNotFit) as error:
        sv.plan(net, torch.zeros(1, 4, 12, 12), budget=f"ram={ram}B", **options)
    first = error.value.changes[0]
    assert first.text == "recomputing in up to 4 x the time"
    assert set(first.apply) == {"trade"}
    assert (first.gives_up, first.learns_parameters) == (0.0, sum(p.numel() for p in net.parameters()))
    assert first.time_factor is not None
    assert 1 < first.time_factor <= 4


@settings(max_examples=max(3, EXAMPLES // 4), deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(random_models(most_steps=3), st.sampled_from(["full", "last:1"]))
def test_no_plan_needs_fewer_bytes_than_the_floor_that_refuses_it_unplanned(model: RandomModel, update: str) -> None:
    trade = sv.Trade(page=True, least=True, slowdown=1e6)
    wish = wished(model.model, model.x, device=DEVICE, update=update, trade=trade)
    captured = wish.captured()
    draft = drafted(wish, captured).draft
    assert attempt(wish, captured).arena_bytes >= draft.floor > draft.persistent


def test_what_is_hopeless_is_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """An input that alone is larger than the RAM: no value that is made again could help."""
    layers = [layer for _ in range(4) for layer in (torch.nn.Conv2d(3, 3, 3, padding=1), torch.nn.Tanh())]
    model = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(3 * 256, 3))

    def never(*given: object) -> None:
        raise AssertionError(f"searched for {given}")

    monkeypatch.setattr(lighten, "save", never)
    with pytest.raises(sv.DoesNotFit, match=r"B of RAM with batch 1 instead of 2, plain SGD") as refused:
        sv.plan(model, torch.zeros(2, 3, 16, 16), device=DEVICE, budget="ram=3000B", optimizer=sv.Adam(lr=1e-3))
    assert refused.value.changes == ()


PLAIN = sv.Trade(stream=False, recompute=False, masks=False)
BARE = sv.Device(name="bare", ram="16MiB", flash="16MiB")
NORMED: dict[str, Any] = {"device": BARE, "optimizer": sv.SGD(lr=0.1), "trade": PLAIN}


@pytest.fixture(scope="module")
def normed() -> torch.nn.Module:
    torch.manual_seed(0)
    layers: list[torch.nn.Module] = []
    for _ in range(3):
        layers += [torch.nn.Conv2d(4, 4, 3, padding=1, bias=False), torch.nn.BatchNorm2d(4), torch.nn.Tanh()]
    return torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(144, 4)).eval()


def test_fewer_layers_of_folded_norms_are_proposed_where_more_learns_so(normed: torch.nn.Module) -> None:
    """Against the plans of folded norms and of fewer layers, each made here."""
    x = torch.zeros(1, 4, 6, 6)
    kinds = [(norms, f"last:{k}") for norms in ("frozen", "folded") for k in range(1, 5)]
    needs = {kind: sv.plan(normed, x, norms=kind[0], update=kind[1], **NORMED).arena_bytes for kind in kinds}
    ram = needs["folded", "last:3"]
    assert needs["frozen", "last:2"] <= ram < min(needs["frozen", "last:3"], needs["folded", "last:4"])
    with pytest.raises(sv.DoesNotFit) as error:
        sv.plan(normed, x, budget=f"ram={ram}B", **NORMED)
    both = next(c for c in error.value.changes if c.apply == {"norms": "folded", "update": "last:3"})
    alone = next(c for c in error.value.changes if c.apply == {"update": "last:2"})
    assert both.learns_parameters > alone.learns_parameters
    assert sv.plan(normed, x, budget=f"ram={ram}B", **{**NORMED, **both.apply}).arena_bytes == ram


def test_what_only_all_changes_together_fit_is_proposed(normed: torch.nn.Module) -> None:
    """Folded norms, one sample and plain SGD leave the most to learn, and none of the three can be left out."""
    own = {"optimizer": sv.SGD(lr=0.1, momentum=0.9), "batch": 8, "norms": "frozen"}
    given = {"optimizer": sv.SGD(lr=0.1), "batch": 1, "norms": "folded"}
    x, device = torch.zeros(1, 4, 6, 6), {"device": BARE, "trade": PLAIN}
    ram = sv.plan(normed, x, **device, **given).arena_bytes
    for kind in given:
        assert sv.plan(normed, x, **{**device, **given, kind: own[kind]}).arena_bytes > ram
    with pytest.raises(sv.DoesNotFit) as error:
        sv.plan(normed, x, budget=f"ram={ram}B", **device, **own)
    assert error.value.changes[0].apply == given
    assert error.value.changes[0].arena_bytes == ram


def test_folded_norms_are_tried_before_nothing_is_said_to_fit() -> None:
    """The budget is what the least of folded norms needs, which is below the least of frozen ones."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.BatchNorm1d(64), torch.nn.Linear(64, 2)).eval()
    x = torch.zeros(1, 8)
    least = {
        norms: min(
            sv.plan(
                model, x, norms=norms, update=update, **{**NORMED, "trade": sv.Trade(least=True, slowdown=8)}
            ).arena_bytes
            for update in ("last:1", "bias")
        )
        for norms in ("frozen", "folded")
    }
    assert least["folded"] < least["frozen"]
    with pytest.raises(sv.DoesNotFit) as error:
        sv.plan(model, x, budget=f"ram={least['folded']}B", **NORMED)
    assert error.value.changes[0].apply["norms"] == "folded"
    with pytest.raises(sv.DoesNotFit, match=r"B of RAM with .*norms folded instead of frozen"):
        sv.plan(model, x, budget=f"ram={least['folded'] // 2}B", **NORMED)


def _refused(model: torch.nn.Module, x: torch.Tensor, **options: Any) -> sv.DoesNotFit:
    with pytest.raises(sv.DoesNotFit) as error:
        sv.plan(model, x, **options)
    return error.value


def _dense() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.ReLU(), torch.nn.Linear(64, 8))


def test_the_limit_that_nothing_keeps_is_named_where_the_bytes_are_kept() -> None:
    refused = _refused(_dense(), torch.zeros(8, 16), device="nrf52832", budget="ram=8KiB,latency=1us")
    assert refused.changes == ()
    assert refused.cheapest_change is not None
    assert refused.cheapest_change.startswith("none, nothing that was tried keeps 1e-06 s a step; the least needs ")


def test_the_price_counts_only_what_was_to_learn() -> None:
    """Of the first layer nothing learns with the last alone, however much that is."""
    model, x = _dense(), torch.zeros(64, 16)
    whole = sum(p.numel() for p in model[0].parameters())
    for change in _refused(model, x, device=BARE, update="0.*", budget="ram=14KiB", trade=PLAIN).changes:
        update = change.apply.get("update", "0.*")
        asked = {"0.*": whole, "bias": model[0].bias.numel()}.get(update, 0)
        assert change.gives_up == 1 - asked / whole


def test_folding_is_not_proposed_where_no_norm_folds() -> None:
    model = torch.nn.Sequential(
        torch.nn.BatchNorm2d(1), torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.Tanh(), torch.nn.Flatten(),
        torch.nn.Linear(288, 4),
    ).eval()  # fmt: skip
    refused = _refused(model, torch.zeros(1, 1, 6, 6), **NORMED, budget="ram=2000B")
    assert refused.cheapest_change is not None
    assert "folded" not in str(refused)
    assert not any("norms" in change.apply for change in refused.changes)


def test_a_change_is_proposed_only_where_it_fits_at_every_size() -> None:
    device = sv.Device(name="small", ram="8KiB", flash=33899)
    options: dict[str, Any] = {"device": device, "dynamic": {0: range(1, 9)}}
    refused = _refused(_dense(), torch.zeros(8, 16), **options)
    assert refused.changes
    for change in refused.changes:
        made = sv.plan(_dense(), torch.zeros(8, 16), **{**options, **change.apply})
        assert (made.arena_bytes, made.arrangement.memory.flash) == (change.arena_bytes, change.flash_bytes)


def test_what_is_refused_for_flash_keeps_its_batch() -> None:
    device = sv.Device(name="small", ram="2MiB", flash="4KiB")
    assert "B of flash" in (told := str(_refused(_dense(), torch.zeros(8, 16), device=device)))
    assert "batch" not in told


def test_state_in_8_bits_stands_instead_of_the_type_it_had() -> None:
    device = sv.Device(name="small", ram="16KiB", flash="1MiB")
    refused = _refused(_dense(), torch.zeros(8, 16), device=device, optimizer=sv.Adam(lr=1e-3))
    assert "state_dtype int8 instead of float32" in [c.text for c in refused.changes]


def test_less_work_is_fewer_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    options = {"device": "nrf52832", "optimizer": sv.Adam(lr=1e-3), "budget": "ram=12KiB", "on_progress": made.append}
    _refused(_dense(), torch.zeros(32, 16), **options)
    monkeypatch.setattr(change_module, "WORK", 4000)
    many = made[-1]
    made.clear()
    assert len(_refused(_dense(), torch.zeros(32, 16), **options).changes) >= 1
    assert made[-1] < many
