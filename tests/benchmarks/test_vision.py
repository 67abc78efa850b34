"""The benchmark of changing light and weather: a small case on real data, one's own folder, and the committed page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.readme import between
from benchmarks.vision import page
from benchmarks.vision.__main__ import KEPT, main
from benchmarks.vision.experiment import case, closed, right, summary
from benchmarks.vision.moved import moved
from benchmarks.vision.pictures import SETS, Pictures
from benchmarks.vision.ways import WAYS
from benchmarks.vision.weather import KINDS, TURNS
from selvedge.errors import InvalidInput
from selvedge.learn.draws import Draws
from tests.data.folders import digits, shared

ROOT = Path(__file__).parents[2]


def test_no_picture_has_two_parts() -> None:
    for folder in ("fashion_mnist_sprite900", "omniglot_small"):
        shared(folder)
    for name in ("fashion", "omniglot"):
        pictures = SETS[name](3)
        each = [{x.tobytes() for x in part[0]} for part in _parts(pictures)]
        assert sum(map(len, each)) == len(set.union(*each)), name
        assert {len(np.unique(part[1])) for part in _parts(pictures)} == {pictures.classes}


def test_other_characters_and_digits_choose_than_those_of_the_table() -> None:
    for folder in ("mnist_png", "omniglot_small"):
        shared(folder)
    for name in ("mnist", "omniglot"):
        ours, theirs = ({x.tobytes() for part in _parts(SETS[name](seed)) for x in part[0]} for seed in (0, 100))
        assert not ours & theirs, name


def test_every_way_of_a_small_case() -> None:
    shared("fashion_mnist_sprite900")
    found = case("fashion", SETS["fashion"](7), "sudden", 7, length=180, updates=120)
    assert tuple(row["way"] for row in found["rows"]) == WAYS
    assert {len(row["held"]) for row in found["rows"]} == {TURNS}
    ram = {row["way"]: sum(row["ram"].values()) for row in found["rows"] if "ram" in row}
    assert ram["last layer"] < ram["learner"] <= found["habits"]["budget"]
    clean = {row["way"]: row["clean"] for row in found["rows"]}
    assert clean["frozen"] > 0.5 > 2 * clean["dummy"]
    frozen, retrained = (next(r for r in found["rows"] if r["way"] == w)["held"] for w in ("frozen", "retrained"))
    assert np.mean(retrained) > np.mean(frozen) + 0.2
    assert closed(found, "frozen") == 0
    assert closed(found, "retrained") == 1
    assert len(right(found, "learner")) == 180
    assert "fashion, sudden: 1 seed" in page.table([found])


def test_a_folder_of_ones_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.vision.__main__.UPDATES", 60)
    monkeypatch.setattr("benchmarks.vision.__main__.LENGTH", 90)
    folder = digits(tmp_path / "numbers", 24)
    arguments = ["--data", str(folder), "--seeds", "1", "--tasks", "sudden", "--out", str(tmp_path / "cases")]
    assert main(arguments) == 0
    assert "| numbers, sudden: 1 seed | dummy |" in capsys.readouterr().out
    assert len(list((tmp_path / "cases").glob("*.json"))) == 1


@pytest.mark.parametrize(("many", "said"), [(0, "--data"), (4, "--data is 40 pictures")])
def test_a_folder_of_too_little_is_one_line(tmp_path: Path, many: int, said: str) -> None:
    folder = digits(tmp_path / "numbers", many)
    with pytest.raises(InvalidInput, match=said):
        main(["--data", str(folder), "--seeds", "1", "--out", str(tmp_path / "cases")])


def test_pictures_are_moved_by_a_pixel_at_most() -> None:
    x = np.zeros((200, 2, 9, 7), np.uint8)
    x[:, :, 4, 3] = 255
    found = np.argwhere(moved(x, Draws(1))[:, 0])
    assert len(found) == 200
    assert set(map(tuple, found[:, 1:] - (4, 3))) == {(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)}


def test_the_summary_counts_seeds_and_refuses_mixed_habits() -> None:
    cases = [c for c in page.read(KEPT) if (c["set"], c["kind"]) == ("mnist", "gradual")]
    found = summary(cases)["mnist", "gradual"]
    assert found["seeds"] == len(cases)
    assert found["ways"]["learner"]["closed"][0] == pytest.approx(np.mean([closed(c, "learner") for c in cases]))
    assert found["ways"]["naive"]["before"][0] == pytest.approx(np.mean([right(c, "naive").mean() for c in cases]))
    with pytest.raises(ValueError, match="several hyper-parameters"):
        summary([*cases, {**cases[0], "habits": {}}])


def test_the_page_and_its_pictures_show_the_committed_cases() -> None:
    cases = page.read(KEPT)
    assert between((ROOT / page.DOCS).read_text(), "vision") == page.table(cases), (
        "run python -m benchmarks.vision --show --write"
    )
    for kind in KINDS:
        assert (page.PICTURES / f"vision-{kind}.svg").read_text() == page.picture(cases, kind)
    for path in KEPT.glob("*.json"):
        found = json.loads(path.read_text())
        for row in found["rows"]:
            assert sum(row.get("ram", {}).values()) <= found["habits"]["budget"]


def _parts(pictures: Pictures) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    return pictures.train, pictures.judges, pictures.stream, pictures.test
