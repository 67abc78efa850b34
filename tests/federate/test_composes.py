"""What composes with masks runs to its end; what does not is refused with its reason; and the documentation says
which."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.errors import InvalidInput
from selvedge.federate.aggregate.optimizer import ServerOptimizer
from selvedge.federate.client.session import state_of
from selvedge.federate.cover import widths
from selvedge.federate.federation import Federation
from selvedge.federate.layout import Layout
from selvedge.federate.local import Local
from selvedge.federate.masked import Masked
from selvedge.federate.masking.composes import ROWS, Row, table
from selvedge.federate.privacy.settings import Privacy

from .toward import World

ROOT = Path(__file__).parents[2]


def settings(given: Any) -> Federation:
    made = dict(given)
    for name, of in (("local", Local), ("optimizer", ServerOptimizer), ("privacy", Privacy)):
        if name in made:
            made[name] = of(**made[name])
    return Federation("tried", **{"rounds": 3, "clients": 4, "deadline": 50.0, "masked": Masked(members=3), **made})


@pytest.mark.parametrize("row", [r for r in ROWS if r.runs and not r.apart], ids=lambda r: r.what)
def test_what_composes_runs(row: Row, tmp_path: Path) -> None:
    world = World(settings(row.given), 6, tmp_path)
    server = world.server()
    server.run(world.grid)
    server.close()
    c = server.coordinator
    assert (c.phase, [m.changes for m in c.moved]) == ("done", [4, 4, 4]), c.why
    assert not server.refused
    assert all(m.loss > 0 for m in c.moved)
    assert np.abs(c.model).max() > 0


@pytest.mark.parametrize("row", [r for r in ROWS if not r.runs], ids=lambda r: r.what)
def test_what_does_not_is_refused_with_its_reason(row: Row) -> None:
    unmasked = {"masked": None} | dict(row.given)
    settings(unmasked)  # it is a run, but for the masks
    with pytest.raises(InvalidInput) as error:
        settings(row.given)
    assert "with masked" in error.value.field
    assert row.why in error.value.fix


def compiled(hidden: int) -> sv.Session:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, hidden), nn.ReLU(), nn.Linear(hidden, 3))
    return sv.compile(sv.plan(model, torch.zeros(4, 8), device="stm32f746", optimizer=sv.SGD(0.1)))


@pytest.fixture(scope="module")
def sessions() -> dict[str, sv.Session]:
    return {"": compiled(6), "small": compiled(3)}


@pytest.mark.parametrize("row", [r for r in ROWS if r.apart], ids=lambda r: r.what)
def test_what_composes_beside_the_settings_runs(row: Row, sessions: dict[str, sv.Session]) -> None:
    assert row.runs
    random, session = np.random.default_rng(0), sessions[""]
    y = np.arange(48, dtype=np.int32) % 3
    x = (random.normal(size=(48, 8)) + y[:, None]).astype(np.float32)
    shards = [(x[i::8], y[i::8]) for i in range(8)]
    begun = {n: a.copy() for n, a in state_of(session).items()}
    run = Federation("tried", 3, 8, least=6, masked=Masked(bits=8, members=3), local=Local(rate=0.05))
    if row.apart == "widths":
        whole, part = Layout.of(state_of(session)), Layout.of(state_of(sessions["small"]))
        told = sv.simulate(
            session, shards, run, covers={"small": widths(whole, part)}, sessions={"small": sessions["small"]},
            parts=["", "small"] * 4,
        )  # fmt: skip
        # What only the whole model has was learnt too, and so was what all have.
        assert all((told.state[n] != begun[n]).any(axis=None) for n in begun)
    elif row.apart == "private":
        noisy = replace(run, privacy=Privacy(0.5, 0.5, 1000.0, 1e-5, where="local"))
        told = sv.simulate(session, shards, noisy)
        assert told.statement["where"] == "local"
        assert [p.loss for p in told.points] == [0.0, 0.0, 0.0]  # nobody's is told
    else:
        assert row.apart == "personal"
        names = list(begun)[-2:]
        told = sv.simulate(session, shards, run, personal=names)
        assert all((told.state[n] == begun[n]).all() for n in names)
        assert len({own[names[0]].tobytes() for own in told.personal}) == 8
    session.load_state_dict(begun)
    assert (told.phase, [p.changes for p in told.points]) == ("done", [8, 8, 8])
    assert not told.refused


def test_the_documentation_has_the_table() -> None:
    text = (ROOT / "docs" / "secure.md").read_text()
    start, end = "<!-- composes -->\n", "\n<!-- /composes -->"
    assert text[text.index(start) + len(start) : text.index(end)] == table()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"bits": 1}, "masked bits"), ({"bits": 17}, "masked bits"), ({"bits": True}, "masked bits"),
        ({"group": 2}, "masked group"), ({"group": 513}, "masked group"), ({"threshold": "third"}, "masked threshold"),
        ({"covered": 1}, "masked covered"), ({"covered": 9, "group": 8}, "masked covered"),
        ({"members": 2}, "masked members"), ({"members": 9, "group": 8}, "masked members"),
        ({"stage": 0}, "masked stage"), ({"stage": float("nan")}, "masked stage"),
    ],
)  # fmt: skip
def test_settings_that_are_none(given: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as error:
        Masked(**given)
    assert error.value.field == field


def test_a_run_of_too_few_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least 3 members"):
        settings({"clients": 2})
    with pytest.raises(InvalidInput, match="15 devices in groups of at most 8 are 2, the smallest of 7"):
        settings({"clients": 15, "masked": Masked(group=8, members=8)})
    with pytest.raises(InvalidInput, match="at least 8 members"):
        settings({"clients": 7, "masked": Masked()})
    with pytest.raises(InvalidInput, match=r"give sv.Masked"):
        settings({"masked": {"bits": 4}})
