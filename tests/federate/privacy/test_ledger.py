"""A budget on the device: counted before it is told, once, over kills, in one file that nobody else reads."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.federate.client.private import counted
from selvedge.federate.client.trainer import Withheld
from selvedge.federate.privacy.accountant import Accountant, Release
from selvedge.federate.privacy.budget import Budget
from selvedge.federate.privacy.ledger import Ledger, Spent

ONE = Release(4.0, discrete=True)
BUDGET = Budget(3.0, 1e-5)


def test_a_spent_budget_stops_and_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "device" / "ledger.json"
    ledger, told = Ledger(BUDGET, path), 0
    while ledger.spent.after(ONE).epsilon(1e-5) <= 3:
        ledger.spend(ONE)
        told += 1
    with pytest.raises(Spent, match=r"epsilon [\d.]+ of 3"):
        ledger.spend(ONE)
    assert told > 3
    assert ledger.spent.history == [(ONE, told)]
    assert ledger.spent.epsilon(1e-5) <= 3 < ledger.spent.after(ONE).epsilon(1e-5)
    again = Ledger(BUDGET, path)
    with pytest.raises(Spent):
        again.spend(ONE)
    assert again.spent.history == ledger.spent.history
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_holds_in_memory_as_in_a_file(tmp_path: Path) -> None:
    for ledger in (Ledger(BUDGET), Ledger(BUDGET, tmp_path / "l")):
        ledger.spend(ONE)
        ledger.spend(ONE)
        assert ledger.spent.history == [(ONE, 2)]
    assert Ledger(BUDGET, tmp_path / "l").spent.history == [(ONE, 2)]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(1.0, 9.0), max_size=25))
def test_never_more_than_the_budget_whatever_is_asked(asked: list[float]) -> None:
    ledger, mine = Ledger(BUDGET), Accountant()
    for noise in asked:
        release = Release(noise, discrete=True)
        try:
            ledger.spend(release)
        except Spent:
            assert mine.after(release).epsilon(1e-5) > 3
        else:
            mine.step(release)
        assert ledger.spent.history == mine.history
        assert mine.epsilon(1e-5) <= 3


def test_a_file_that_is_not_whole_ends_it(tmp_path: Path) -> None:
    """A device does not begin anew on its own: what it has told would be forgotten."""
    path = tmp_path / "l"
    Ledger(BUDGET, path).spend(ONE)
    whole = path.read_text()
    for text in ("", whole[:-9], "{}", "[]", whole.replace('"spent": [', '"spent": [{"noise": 1},'), "\xff"):
        path.write_text(text, encoding="latin-1")
        with pytest.raises(InvalidInput, match="privacy ledger"):
            Ledger(BUDGET, path)
    state = json.loads(whole)
    for other in (state | {"keys": []}, {n: v for n, v in state.items() if n != "spent"}):
        path.write_text(json.dumps(other))
        with pytest.raises(InvalidInput, match="damaged"):
            Ledger(BUDGET, path)
    path.write_text(whole)
    with pytest.raises(InvalidInput, match="it is of a budget of epsilon 3"):
        Ledger(Budget(30.0, 1e-5), path)
    assert Ledger(BUDGET, path).spent.history == [(ONE, 1)]


@pytest.mark.parametrize("text", ["{", "[" * 200_000, "\xff", None])
def test_an_account_that_breaks_is_told_its_owner_and_names_no_file_to_a_server(
    text: str | None, tmp_path: Path
) -> None:
    """None: it is gone, and what it has counted with it; it does not begin anew."""
    path = tmp_path / "of-ann.json"
    ledger = Ledger(BUDGET, path)
    ledger.spend(ONE)
    if text is None:
        path.unlink()
    else:
        path.write_text(text, encoding="latin-1")
    with pytest.raises(Withheld, match=r"^the account of what it has told cannot be read$"):
        counted(ledger, ONE)
    said = {None: "it is gone: what was told is not known", "\xff": "it cannot be read (it is no text)"}
    assert f"of-ann.json: {said.get(text, 'it is damaged')}" in str(ledger.broken)
    assert path.exists() == (text is not None)


SPENDS = """
import sys
from pathlib import Path
from selvedge.federate.privacy.accountant import Release
from selvedge.federate.privacy.budget import Budget
from selvedge.federate.privacy.ledger import Ledger
ledger = Ledger(Budget(1e4, 1e-5), Path(sys.argv[1]))
for i in range(int(sys.argv[2]), 10**6):
    ledger.spend(Release(4.0, discrete=True))
    print(i, flush=True)
"""


def test_a_device_that_is_killed_has_counted_all_that_it_told(tmp_path: Path) -> None:
    """What it was about to tell when it ended may be counted too, once."""
    path, begin = tmp_path / "l", 0
    for number in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", SPENDS, str(path), str(begin)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(5 + number):
            process.stdout.readline()
        time.sleep(0.001 * number)
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read().split()
        process.wait()
        process.stdout.close()
        told = int(rest[-1]) + 1 if rest else begin + 5 + number
        counted = sum(count for _, count in Ledger(Budget(1e4, 1e-5), path).spent.history)
        assert told <= counted <= told + 1
        begin = counted


@pytest.mark.parametrize(("epsilon", "delta"), [(0, 0.1), (-1, 0.1), (1, 0), (1, 1), (1, float("nan")), ("1", 0.1)])
def test_no_budget(epsilon: object, delta: object) -> None:
    with pytest.raises(InvalidInput, match="budget"):
        Budget(epsilon, delta)  # type: ignore[arg-type]
