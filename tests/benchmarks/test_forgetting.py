"""The benchmark of forgetting: a small stream of real digits, what its table says, and that the page shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.forgetting import digits, keeping, latents, learning, page
from benchmarks.forgetting.__main__ import KEPT, main
from benchmarks.forgetting.experiment import FIRST_TASK, LATENTS, TRADED, WAYS, case, settings_of, summary
from benchmarks.forgetting.judging import held_out, trained
from benchmarks.readme import between
from selvedge.learn.memory.trade import CODECS, Traded, trade
from tests.data.folders import shared

ROOT = Path(__file__).parents[2]
ROWS = 4000  # of 60,000


def made_up(way: str, seed: int, final: float) -> dict[str, Any]:
    return {
        "way": way, "seed": seed, "classes": list(range(10)), "settings": {"new": 10}, "rows": 60000, "codec": "1bit",
        "capacity": 332, "replay_bytes": 32764, "arena": 465560, "steps": 6000, "after": [0.99, 0.9, 0.8, 0.7, final],
        "tests": 3000, "ranking": [{"codec": "1bit", "capacity": 332, "score": 0.98}], "seconds": 20.0,
    }  # fmt: skip


def test_the_table_has_a_line_a_way_and_judges_the_mean() -> None:
    text = page.table([made_up("naive", 0, 0.2), *(made_up(TRADED, s, 0.9 + 0.01 * s) for s in range(3))])
    assert "| naive, no replay |" in text
    assert "**91.0** | 1.0 | 90.0 91.0 92.0 |" in text
    assert "met, 91.0 % over 3 class orders" in text
    assert "| DER++, uint8 as they are | | | | | not measured yet |" in text
    assert "missed, 89.0 % over 1 class order." in page.table([made_up(TRADED, 0, 0.89)])


def test_latents_are_compared_order_by_order() -> None:
    float32, int8 = LATENTS
    cases = [made_up(way, s, 0.8 + 0.01 * s + 0.004 * (way == int8)) for way in (float32, int8) for s in range(2)]
    assert "at equal count, order by order: +0.40 +0.40; mean +0.40 ± 0.00 (two standard errors): within 0.5" in (
        page.table(cases)
    )
    for case_, final in zip(cases, (0.7, 0.71, 0.8, 0.811), strict=True):
        case_["after"][-1] = final
    assert "+10.00 +10.10; mean +10.05 ± 0.10 (two standard errors): beyond 0.5 points" in page.table(cases)
    cases[0]["after"][-1] = 0.9
    assert "mean +0.05 ± 20.10 (two standard errors): too uncertain to tell" in page.table(cases)
    assert "± inf (two standard errors): too uncertain to tell" in page.table(cases[::2])


def test_cases_of_several_settings_are_not_put_together() -> None:
    with pytest.raises(ValueError, match="naive: cases of several settings"):
        summary([made_up("naive", 0, 0.2), {**made_up("naive", 1, 0.2), "settings": {"new": 20}}])


def test_the_committed_cases_are_of_these_settings_and_the_page_shows_them() -> None:
    cases = page.read(KEPT)
    assert {c["way"] for c in cases} >= set(WAYS) - set(keeping.WAYS)
    for found in cases:
        assert found["settings"] == learning.settled(settings_of(found["way"]))
        if found["way"] in keeping.WAYS:
            assert found["weights"] == keeping.told(keeping.WAYS[found["way"]])
        assert (found["rows"], found["tests"]) == (digits.TRAIN, 3000)
        assert found["classes"] == digits.classes(found["seed"]).tolist()
        assert found["seed"] != digits.VALIDATION
        assert found["replay_bytes"] <= learning.REPLAY or found["way"] == LATENTS[0]
    assert between((ROOT / page.DOCS).read_text(), page.NAME) == page.table(cases), (
        "run `python -m benchmarks.forgetting --show --write`"
    )


def test_every_digit_comes_once_in_five_tasks_of_two() -> None:
    shared(digits.NEEDS)
    _, y = digits.mnist()
    order = digits.stream(y, 3)
    assert np.array_equal(np.sort(order), np.arange(digits.TRAIN))
    changes = np.flatnonzero(np.diff(np.repeat(np.arange(5), 2)[np.argsort(digits.classes(3))][y[order]]))
    assert len(changes) == 4
    assert not np.array_equal(order, digits.stream(y, 4))


def test_less_is_forgotten_with_a_replay_than_without_and_the_same_case_comes_again() -> None:
    shared(digits.NEEDS)
    naive, kept = case("naive", 0, ROWS), case(FIRST_TASK, 0, ROWS)
    assert naive["after"][-1] < 0.3
    assert kept["after"][-1] > naive["after"][-1] + 0.2
    assert kept["codec"] == kept["ranking"][0]["codec"]
    assert {r["codec"] for r in kept["ranking"]} == set(CODECS)
    assert kept["replay_bytes"] <= learning.REPLAY
    assert sum(kept["held"]) == kept["capacity"]
    learning.learnt.cache_clear()
    again = case(FIRST_TASK, 0, ROWS)
    assert {**again, "seconds": 0} == {**kept, "seconds": 0}


def test_the_network_judges_a_trade_and_begins_anew_each_time() -> None:
    """Of eight digits a class it learns more than of one; asked again, it tells the same."""
    shared(digits.NEEDS)
    x, y = held_out()
    judge = trained(learning.Settings(), steps=400)

    def asked() -> tuple[Traded, ...]:
        return trade(8192, x[:1200], y[:1200], judge, classes=10, candidates=("1bit", "raw"), as_kept=True, rounds=1)

    one, again = asked(), asked()
    assert one == again
    assert [t.named for t in one] == ["1bit", "raw"]
    assert one[0].score > one[1].score + 0.1


def test_latents_in_int8_are_held_as_many_as_in_float32() -> None:
    shared(digits.NEEDS)
    found = {way: case(way, 0, ROWS) for way in LATENTS}
    float32, int8 = (found[way] for way in LATENTS)
    assert float32["capacity"] == int8["capacity"] == 63
    assert int8["replay_bytes"] <= learning.REPLAY < float32["replay_bytes"] == 62 + 63 * (4 * latents.WIDTH + 1)


def test_stored_logits_and_what_consolidation_holds_are_counted() -> None:
    """On a short stream: DER++ within the replay's bytes, and keeps; EWC with two arrays a parameter, and does not."""
    shared(digits.NEEDS)
    dark, held = case("der++", 0, ROWS), case("ewc", 0, ROWS)
    plain = learning.Replay(learning.REPLAY, (1, 28, 28), classes=10, codec="half+2bit")
    assert dark["after"][-1] > held["after"][-1] + 0.2
    assert 0 < dark["capacity"] < plain.capacity  # logits take of the same bytes
    assert dark["replay_bytes"] <= learning.REPLAY
    assert (dark["beside_bytes"], held["replay_bytes"], held["beside_bytes"]) == (0, 0, 2 * 4 * 11_018)
    assert held["weights"] == keeping.told(keeping.WAYS["ewc"])


def test_epochs_have_no_meaning(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shared(digits.NEEDS)
    with pytest.raises(SystemExit) as stopped:
        main(["--tasks", "naive", "--seeds", "1", "--epochs", "2", "--out", str(tmp_path)])
    assert stopped.value.code == 2
    assert "--epochs has no meaning in one pass" in capsys.readouterr().err
