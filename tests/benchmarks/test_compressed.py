"""The benchmark of what is compressed: a small case on real data, what its tables say of made-up ones, and that the
pages show the committed cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import answers
from benchmarks.compressed import nets, page, paired, views
from benchmarks.compressed.__main__ import KEPT, main
from benchmarks.compressed.experiment import ALL, ALONE, ITSELF, KINDS, PAIRS, TAUGHT, case, packed, summary, unpacked
from benchmarks.compressed.tasks import TASKS, Row, labelled
from benchmarks.compressed.ways import PARTS, TEACHERS, Several, settings
from benchmarks.readme import between
from tests.data.folders import shared

ROOT = Path(__file__).parents[2]
TESTS = 2003


def made_up(seed: int, lost: dict[str, float], part: str = "cut") -> dict[str, Any]:
    """A case whose ways tell 90 % right, less what each loses."""
    rng = np.random.default_rng(seed)
    right = rng.random(TESTS) < 0.9
    rows = []
    for way in PARTS[part]:
        text = packed(right & (rng.random(TESTS) >= lost.get(way, 0.0)))
        rows.append({"way": way, "epoch": 1, "share": {"macs": 0.5, "bytes": 0.5}, "best": text, "last": text})
    return {
        "task": "har", "part": part, "seed": seed, "fold": 0, "settings": {"epochs": [1, 2, 3]},
        "samples": [1, 1, TESTS], "dummy": 0.1, "rows": rows, "seconds": 60.0,
    }  # fmt: skip


def line(text: str, *words: str) -> str:
    return next(found for found in text.splitlines() if all(word in found for word in words))


def test_what_is_lost_is_paired_and_judged_beyond_two_standard_errors() -> None:
    lost = {"-60 %, int8": 0.05, "-50 %": 0.011, "-50 %, int8": 0.002}
    cases = [made_up(seed, lost) for seed in range(5)]
    row = summary(cases, "cut")["har"]["ways"]["-60 %, int8"]["best lost"]
    assert row["low"] <= row["mean"] <= row["high"]
    assert row["mean"] == pytest.approx(0.045, abs=0.006)
    text = page.compressed(cases)
    assert "≤ 1.5: missed" in line(text, "| -60 %, int8 |")
    assert "≤ 1: open" in line(text, "| -50 % |")
    assert "≤ 1: met" in line(text, "| -50 %, int8 |")
    assert "5 seeds, 5 cases, 10,015 tests" in text


@pytest.mark.parametrize(("part", "table"), [("student", page.taught), ("few", page.few)])
@pytest.mark.parametrize(
    ("alone", "taught", "said"), [(0.1, 0.0, "better"), (0.0, 0.05, "worse"), (0.02, 0.02, "open")]
)
def test_a_taught_student_is_judged(part: str, table: Any, alone: float, taught: float, said: str) -> None:
    cases = [made_up(seed, {ALONE: alone, TAUGHT: taught}, part) for seed in range(4)]
    assert line(table(cases), "har, 1-D CNN").split(" | ")[9] == said
    assert line(table(cases[:1]), "har, 1-D CNN").split(" | ")[9] == f"{said} (one seed)"
    assert table(cases).endswith(f"{int(said == 'better')} of 1 tasks with several seeds.")
    assert table(cases[:1]).endswith("0 of 0 tasks with several seeds.")


def test_what_is_gained_where_few_have_labels_stands_in_its_own_table_alone() -> None:
    plain, few = (
        [made_up(seed, {ALONE: less}, part) for seed in range(4)] for part, less in (("student", 0.0), ("few", 0.1))
    )
    for cases in (plain + few, few + plain):
        assert page.taught(cases) == page.taught(plain)
        assert page.few(cases) == page.few(few)
    assert page.taught(few).endswith("0 of 0 tasks with several seeds.")


def test_what_samples_without_labels_bring_is_not_counted_as_the_teachers() -> None:
    cases = [made_up(seed, {ALONE: 0.1, ITSELF: 0.1, TAUGHT: 0.05}, "few") for seed in range(4)]
    found = summary(cases, "few")["har"]
    assert found["of the teacher"]["best"]["mean"] == pytest.approx(0.045, abs=0.015)
    said = line(page.few(cases), "har, 1-D CNN").split(" | ")
    assert said[10] == f"{100 * found['ways'][ITSELF]['best']:.2f}"
    assert said[13] == "better"
    less = [made_up(seed, {ALONE: 0.1, TAUGHT: 0.05}, "few") for seed in range(4)]
    said = line(page.few(less), "har, 1-D CNN").split(" | ")
    assert (said[9], said[13]) == ("better", "worse")


def test_all_three_are_set_beside_the_best_pair_and_the_best_of_as_many_multiplications() -> None:
    first, second, third = PAIRS
    text = page.compressed([made_up(s, {second: 0.1, third: 0.04, ALL: 0.04}) for s in range(4)])
    assert "worse, the best pair" in line(text.split("all three less")[1], f"| {first} |")
    assert "| better |" in line(text.split("all three less")[1], f"| {second} |")
    assert "open, the best of its MACs" in line(text.split("all three less")[1], f"| {third} |")


def test_cases_of_several_settings_are_not_put_together() -> None:
    other = {**made_up(1, {}), "settings": {"epochs": [9, 9, 9]}}
    with pytest.raises(ValueError, match="har: cases of several settings"):
        summary([made_up(0, {}), other], "cut")
    assert summary([made_up(0, {}), {**other, "part": "student"}], "cut")["har"]["cases"] == 1


def test_the_committed_cases_are_of_these_settings_and_of_every_part() -> None:
    cases = page.read(KEPT)
    assert {found["part"] for found in cases} == set(PARTS)
    for found in cases:
        row = TASKS[found["task"]]
        assert sorted(r["way"] for r in found["rows"]) == sorted(PARTS[found["part"]])
        assert found["settings"] == settings(row, found["part"])
        assert found["fold"] < row.folds


@pytest.mark.parametrize("name", page.TABLES)
def test_the_page_shows_the_committed_cases(name: str) -> None:
    where, table = page.TABLES[name]
    said = between((ROOT / where).read_text(), name)
    assert said == table(page.read(KEPT)), "run `python -m benchmarks.compressed --show --write`"


def test_one_case_has_every_way() -> None:
    shared("har_sp_sw_23subjects")
    found = case("har", "cut", 0, 0, epochs=3)
    assert sorted(r["way"] for r in found["rows"]) == sorted(PARTS["cut"])
    for row in found["rows"]:
        way = row["way"]
        assert row["share"]["macs"] <= (0.5 if "-50" in way else 0.4 if "-60" in way else 1)
        assert (row["share"]["bytes"] < 0.3) == ("int8" in way or "QAT" in way)
        assert (6 <= row["epoch"] < 9) == (way != "teacher")
    ready = unpacked(found)
    assert all(len(r[kind]) == found["samples"][2] for r in ready["rows"] for kind in KINDS)
    assert summary([found], "cut")["har"]["epochs"] == [3, 3, 3]


@pytest.mark.parametrize("part", ["student", "few"])
def test_one_student_is_taught_by_several_and_is_the_same_alone(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shared("har_sp_sw_23subjects")
    monkeypatch.setitem(TASKS, "har", _third(TASKS["har"]))  # type: ignore[arg-type]
    found = case("har", part, 0, 0, epochs=1)
    assert [r["way"] for r in found["rows"]] == list(PARTS[part])
    _, several, alone, *taught = found["rows"]
    for row in taught:
        assert row["share"] == alone["share"]
        assert row["last"] != alone["last"]
    assert alone["share"]["bytes"] < 0.5
    assert several["share"]["macs"] == TEACHERS
    assert summary([found], part)["har"]["epochs"] == [1, 1]


def _third(row: Row) -> Row:
    """With every third sample to train on."""

    def split(seed: int, fold: int) -> Any:
        data, (train, *others) = row.split(seed, fold)
        return data, [train[::3], *others]

    return replace(row, split=split)


@pytest.mark.parametrize("name", TASKS)
def test_few_samples_are_labelled_and_seen_as_often_as_all_others_together(name: str) -> None:
    shared(TASKS[name].needs)
    task = TASKS[name].task(name, 0, 0)
    less, again, other = labelled(task, 0), labelled(task, 0), labelled(task, 1)
    assert less.train[0].shape == task.train[0].shape
    rows = {x.numpy().tobytes(): int(y) for x, y in zip(*task.train, strict=True)}
    seen = [(x.numpy().tobytes(), int(y)) for x, y in zip(*less.train, strict=True)]
    assert all(rows[x] == y for x, y in seen)
    assert len({x for x, _ in seen}) == task.few.labelled
    counts = np.unique([x for x, _ in seen], return_counts=True)[1]
    assert counts.max() - counts.min() <= 1
    assert torch.equal(less.train[0], again.train[0])
    assert not torch.equal(less.train[0], other.train[0])
    assert less.validation is task.validation
    assert less.test is task.test


def test_several_say_the_mean_of_what_each_says() -> None:
    torch.manual_seed(0)
    first, second = nets.series().eval(), nets.series().eval()
    x = torch.randn(3, 6, 100)
    assert torch.allclose(Several([first, second]).eval()(x), (first(x) + second(x)) / 2)


def test_other_epochs_do_not_go_among_the_committed_cases(capsys: pytest.CaptureFixture[str]) -> None:
    shared("mnist_png")
    absent_yet = ["--tasks", "mnist", "--seeds", "1000", "--epochs", "1"]
    with pytest.raises(SystemExit) as stopped:
        main(absent_yet)
    assert stopped.value.code == 2
    assert "give --out" in capsys.readouterr().err


def test_answers_are_kept_to_the_bit() -> None:
    answers = np.random.default_rng(0).random(TESTS) < 0.5
    found = {"samples": [0, 0, TESTS], "rows": [{"best": packed(answers), "last": packed(~answers)}]}
    row = unpacked(found)["rows"][0]
    assert row["best"] == "".join("01"[int(a)] for a in answers)
    assert row["last"] == row["best"].translate({48: 49, 49: 48})


def test_what_ways_differ_by_is_what_drawing_samples_by_number_gives() -> None:
    cases = [unpacked(made_up(seed, {"-50 %": 0.03 + 0.01 * seed})) for seed in range(3)]
    found, other = (of(cases, "-50 %", "unpruned", "best") for of in (paired.difference, answers.difference))
    for key in ("mean", "error"):
        assert found[key] == pytest.approx(other[key], rel=1e-12)
    for key in ("low", "high"):
        assert found[key] == pytest.approx(other[key], abs=0.0015)


@pytest.mark.parametrize("name", TASKS)
def test_nobody_is_in_two_parts_and_each_fold_tests_others(name: str) -> None:
    shared(TASKS[name].needs)
    tested: list[np.ndarray] = []
    for fold in range(TASKS[name].folds):
        _, parts = TASKS[name].split(0, fold)
        rows = np.concatenate(parts)
        assert len(set(rows.tolist())) == len(rows)
        tested.append(parts[2])
    every = np.concatenate(tested)
    assert len(set(every.tolist())) == len(every)
    if TASKS[name].folds > 1:
        assert len(every) == len(TASKS[name].split(0, 0)[0][1])


@pytest.mark.parametrize(
    ("make", "shape"), [(nets.ds_cnn, (1, 49, 10)), (nets.resnet8, (1, 28, 28)), (nets.series, (6, 100))]
)
def test_a_student_is_the_network_made_narrow(make: Any, shape: tuple[int, ...]) -> None:
    whole, narrow = make(1.0), make(0.25)
    assert [type(m) for m in whole.modules()] == [type(m) for m in narrow.modules()]
    assert 6 * _parameters(narrow) < _parameters(whole)
    assert whole(torch.zeros(2, *shape)).shape == narrow(torch.zeros(2, *shape)).shape


def _parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("name", TASKS)
def test_views_begin_with_the_samples_and_are_drawn_by_seed(name: str) -> None:
    shape = {"fsdd": (1, 49, 10), "har": (6, 100)}.get(name, (1, 28, 28))
    x = torch.rand(5, *shape)
    first, again, other = (views.views(x, TASKS[name].draw, 3, seed) for seed in (0, 0, 1))
    assert torch.equal(first[:5], x)
    assert torch.equal(first, again)
    assert not torch.equal(first[5:], other[5:])
    assert not torch.equal(first[5:10], first[10:])
    assert first.shape == (15, *shape)
