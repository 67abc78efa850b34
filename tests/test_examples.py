"""Every example runs as it stands, in an empty directory, and quickly; data that is absent is named in one line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import selvedge as sv

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
DATA = Path(os.environ.get("SELVEDGE_DATA", Path(__file__).parents[2] / "shared" / "data"))
# What an example needs of the data folder, where it needs any.
NEEDS = {
    "activity_har": "har_sp_sw_23subjects/sp-sw-har-dataset.tar.xz",
    "anomaly_nab": "nab/nab_data_labels_results.tar.xz",
    "anomaly_stream": "nab/nab_data_labels_results.tar.xz",
    "spoken_digits_fsdd": "fsdd/fsdd_recordings.tar.xz",
}


def run(example: str, folder: Path, *arguments: object, data: Path = DATA) -> subprocess.CompletedProcess[str]:
    path = next(path for path in EXAMPLES if path.stem == example)
    return subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:__main__", str(path), *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "SELVEDGE_DATA": str(data), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def printed(example: str, folder: Path, *arguments: object) -> str:
    """What it prints. Skips with a reason where the data does not lie beside the project."""
    if example in NEEDS and not (DATA / NEEDS[example]).is_file():
        pytest.skip(f"{DATA / NEEDS[example]} is absent")
    done = run(example, folder, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def shares(line: str) -> dict[str, float]:
    """``frozen 61.7%, adapted 78.1%`` as numbers."""
    return {name: float(value) for name, value in re.findall(r"(\w+) ([\d.]+)%", line)}


def test_the_quickstart_runs(tmp_path: Path) -> None:
    assert "right before learning" in printed("quickstart", tmp_path)
    assert len(next(p for p in EXAMPLES if p.stem == "quickstart").read_text().splitlines()) < 40


def test_augmentation_makes_up_for_a_camera_that_trembles(tmp_path: Path) -> None:
    found = shares(printed("augment_digits", tmp_path))
    assert found["moved"] > found["still"] + 15


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short(example: Path) -> None:
    assert len([line for line in example.read_text().splitlines() if line.strip()]) < 40


def test_a_users_cnn_learns_digits(tmp_path: Path) -> None:
    *seeds, dummy = printed("own_cnn", tmp_path).splitlines()
    assert len(seeds) == 3
    assert all(float(re.search(r": ([\d.]+)%", line)[1]) > 95 for line in seeds)
    assert re.search(r"commonest class: 1\d\.\d%", dummy)


def test_a_users_cnn_learns_fashion_from_its_sprite(tmp_path: Path) -> None:
    sprite = DATA / "fashion_mnist_sprite900" / "fashion-mnist-sprite.png"
    if not sprite.is_file():
        pytest.skip(f"{sprite} is absent")
    *seeds, _ = printed("own_cnn", tmp_path, sprite).splitlines()
    assert all(float(re.search(r": ([\d.]+)%", line)[1]) > 60 for line in seeds), seeds


def test_a_users_cnn_learns_a_folder_of_images(tmp_path: Path) -> None:
    """Two classes, bright on the left and bright on the right, in a folder each; and a folder without images."""
    from PIL import Image

    for label, left in (("left", 200), ("right", 20)):
        (tmp_path / "images" / label).mkdir(parents=True)
        for i in range(20):
            image = Image.new("L", (40, 32), 220 - left + i)
            image.paste(left - i, (0, 0, 20, 32))
            image.save(tmp_path / "images" / label / f"{i}.png")
    *seeds, _ = printed("own_cnn", tmp_path, tmp_path / "images").splitlines()
    assert all("100.0% of 8 images" in line for line in seeds), seeds
    done = run("own_cnn", tmp_path, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "folder of .png" in done.stderr


def test_a_phone_learns_its_owner(tmp_path: Path) -> None:
    for line in printed("activity_har", tmp_path).splitlines():
        found = shares(line)
        assert found["dummy"] < found["frozen"] < found["adapted"] - 5, line


def test_a_speaker_that_nobody_heard_is_learnt_from_five_examples(tmp_path: Path) -> None:
    lines = printed("spoken_digits_fsdd", tmp_path).splitlines()
    assert len(lines) == 3
    for line in lines:
        found = shares(line)
        assert found["guessing"] < found["frozen"] < found["adapted"] - 5, line


def test_an_autoencoder_finds_more_windows_when_it_learns(tmp_path: Path) -> None:
    _, *lines = printed("anomaly_nab", tmp_path).splitlines()
    counts = [[int(n) for n in re.findall(r" (\d+)(?:[,:]|$)", line)] for line in lines]
    labelled, online, frozen, value = (sum(row) for row in zip(*counts, strict=True))
    assert labelled == 19
    assert online > max(frozen, value)


def test_a_model_on_a_solar_cell_notices_that_its_world_has_turned(tmp_path: Path) -> None:
    *days, last = printed("solar_digits", tmp_path).splitlines()
    found = dict(re.findall(r"day (\d+): (\d+)% right", "\n".join((*days, last))))
    assert "day 30: what it sees has changed" in days
    assert sum("has changed" in line for line in days) <= 2
    assert int(found["30"]) + 30 < min(int(found["29"]), int(found["59"]))
    with sv.Journal(tmp_path / "journal", 100_000) as journal:
        snapshot, records = journal.recover()
    assert (snapshot.head, records) == ({"hour": 60 * 24 - 1}, [])
    assert snapshot.arrays["0.weight"].shape == (32, 64)


def test_a_stream_is_watched_in_four_kibibytes_over_a_restart(tmp_path: Path) -> None:
    *lines, last = printed("anomaly_stream", tmp_path).splitlines()
    found, labelled = (sum(int(re.findall(r"(\d+) of (\d+) windows", line)[0][i]) for line in lines) for i in (0, 1))
    assert labelled == 19
    assert found >= 14
    held, score = re.findall(r"([\d,]+) B a stream; NAB's score of these ([\d.]+)", last)[0]
    assert int(held.replace(",", "")) <= 4096
    assert float(score) > 50


def test_one_step_in_ever_fewer_bytes_is_the_same_step(tmp_path: Path) -> None:
    printed_lines = printed("tight_budget", tmp_path).splitlines()
    kept = [line for line in printed_lines if "in passing" in line]
    sizes = [int(re.search(r"([\d,]+) B in passing", line)[1].replace(",", "")) for line in kept]
    again = [int(found[1]) if (found := re.search(r"(\d+) again", line)) else 0 for line in kept]
    times = [float(re.search(r"x ([\d.]+)", line)[1]) for line in kept]
    assert len(kept) == 5
    assert sizes == sorted(set(sizes), reverse=True)
    cut = [int(found[1]) if (found := re.search(r"(\d+) by channels", line)) else 0 for line in kept]
    given = list(zip(cut, again, strict=True))
    assert given == sorted(set(given))  # each gives more; what runs twice is counted, though its runs differ
    assert again[-1] > again[1] > again[0] == 0
    assert times == sorted(times)
    assert cut[2]
    assert re.search(r"[1-9][\d,]* B paged", kept[-1])
    assert any(line.startswith("30%: RAM does not fit") and "cheapest change" in line for line in printed_lines)
    assert printed_lines[-2] == "the same bits but by channels: True"
    assert float(re.search(r"by channels at most (\S+) apart", printed_lines[-1])[1]) < 1e-6


def test_a_cnn_in_eight_and_in_four_bits_is_as_good_and_much_smaller(tmp_path: Path) -> None:
    text = printed("quantise_digits", tmp_path)
    found = dict(re.findall(r"^(\w+): ([\d.]+)% right", text, re.MULTILINE))
    assert float(found["float"]) > 95
    assert float(found["int8"]) > float(found["float"]) - 1
    assert float(found["w4a8"]) > float(found["float"]) - 2
    small = re.findall(r"([\d,]+) of ([\d,]+) B", text)
    ratios = [int(a.replace(",", "")) / int(b.replace(",", "")) for a, b in small]
    assert ratios[0] < 0.27
    assert ratios[1] < 0.16
    assert "hurts most" in text


def test_a_cnn_of_fewer_channels_still_tells_digits(tmp_path: Path) -> None:
    text = printed("prune_digits", tmp_path)
    found = {name: float(value) for name, value in re.findall(r"^(\w+): ([\d.]+)% right", text, re.MULTILINE)}
    assert found["whole"] > 96
    assert found["taylor"] > found["whole"] - 4
    assert found["int8"] > found["taylor"] - 1.5
    assert all(float(share) <= 40 for share in re.findall(r"([\d.]+)% of the multiplications", text))
    assert "the same again: True" in text


def test_a_cnn_is_made_small_in_two_ways(tmp_path: Path) -> None:
    text = printed("compare_ways", tmp_path)
    found = {way: float(value) for way, value in re.findall(r"^(\S+) +([\d.]+) +-", text, re.MULTILINE)}
    assert list(found) == ["float", "ptq", "narrow+ptq"]
    assert min(found.values()) > 60
    assert "in 10,000 B: narrow+ptq" in text
    assert "<td>narrow+ptq</td>" in (tmp_path / "ways.html").read_text()


def test_a_small_cnn_learns_alone_and_from_a_teacher(tmp_path: Path) -> None:
    text = printed("distil", tmp_path)
    found = dict(re.findall(r"^(\w+), [\d,]+ parameters: ([\d.]+)% right", text, re.MULTILINE))
    assert list(found) == ["teacher", "alone", "outputs", "relations"]
    assert float(found["teacher"]) > 93
    assert float(found["alone"]) > 75
    assert min(float(found["outputs"]), float(found["relations"])) > float(found["alone"]) - 4
    assert "Relational: 5 32 <- 5 512 (no adapter)" in text


def test_int8_and_float_in_native_code(tmp_path: Path) -> None:
    text = printed("native_int8", tmp_path)
    rows = re.findall(r"^(\w+): ([\d.]+)% right, ([\d,]+) B of weights, ([\d,]+) B of RAM, \d+ us$", text, re.MULTILINE)
    (_, float_right, *float_bytes), (_, int8_right, *int8_bytes) = rows
    assert float(float_right) > 95
    assert float(int8_right) > float(float_right) - 1.5
    for whole, small in zip(float_bytes, int8_bytes, strict=True):
        assert int(small.replace(",", "")) < 0.4 * int(whole.replace(",", ""))
    assert float(re.findall(r"simulates: ([\d.]+)%", text)[0]) >= 99


def test_a_link_decides_where_a_cnn_runs(tmp_path: Path) -> None:
    lines = printed("advise", tmp_path).splitlines()
    assert [line.split(":")[0] for line in lines[::2]] == ["LoRa", "BLE", "BLE, and no pixel leaves"]
    lora, ble, kept = lines[::2]
    assert "cloud breaks energy and latency" in lora  # 8,640 x 1,024 B / 680 B/s of sending are 13,010 s of 96 mW
    assert "cloud costs more energy" in ble
    assert "cloud breaks samples leave" in kept
    assert all(re.fullmatch(r"  latency = [\d.]+ s", line) for line in lines[1::2])


@pytest.mark.parametrize("example", NEEDS)
def test_absent_data_is_one_line(example: str, tmp_path: Path) -> None:
    done = run(example, tmp_path, data=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert NEEDS[example] in done.stderr
    assert "SELVEDGE_DATA" in done.stderr or "give" in done.stderr


def test_a_cnn_of_a_tenth_of_its_weights_still_tells_digits_and_too_few_zeros_are_refused(tmp_path: Path) -> None:
    text = printed("sparse_digits", tmp_path)
    rows = re.findall(r"^(\w+): ([\d.]+)% right, ([\d,]+) B of weights, ([\d,]+) mult", text, re.MULTILINE)
    found = {name: (float(right), *(int(n.replace(",", "")) for n in rest)) for name, right, *rest in rows}
    assert found["dense"][0] > 95
    assert found["sparse"][0] > found["dense"][0] - 3
    assert found["sparse"][1] < 0.2 * found["dense"][1]
    assert found["sparse"][2] < 0.5 * found["dense"][2]
    assert "sparse='for_speed' is not supported at" in text
    assert re.search(r"at (19\.9|20\.0)% zeros", text)


def test_what_learns_best_of_a_seventh_person_is_found(tmp_path: Path) -> None:
    text = printed("compress_digits", tmp_path)
    before, after, arena = re.search(r"([\d.]+)% as shipped, ([\d.]+)% after 120 digits, in ([\d,]+) B", text).groups()
    assert float(after) > float(before)
    assert int(arena.replace(",", "")) <= 24 << 10


def test_what_the_trade_chooses_forgets_less_than_whole_samples_in_as_many_bytes(tmp_path: Path) -> None:
    lines = printed("replay_bytes", tmp_path).splitlines()
    none, whole, chosen = (float(re.findall(r": ([\d.]+)% right", line)[0]) for line in lines)
    assert lines[1].startswith("6 samples, raw: ")
    assert none < 30 < whole - 5 < chosen - 20


def test_a_learner_is_better_under_a_new_light_and_no_worse_where_it_began(tmp_path: Path) -> None:
    before, after, *told = printed("never_worse", tmp_path).splitlines()
    old, new = ([float(v) for v in re.findall(r"([\d.]+)%", line)] for line in (before, after))
    assert new[0] >= old[0] - 4
    assert new[1] >= old[1] + 5
    found = {word: int(count) for word, count in re.findall(r"'(\w+)': (\d+)", told[1])}
    assert found["committed"] >= 1
    assert found["refused"] >= 40  # the samples that are not finite; its anchor may refuse a candidate besides
    assert "'committed': " in told[1]


def test_a_model_on_a_stream_goes_on_learning_where_it_was_cut_off(tmp_path: Path) -> None:
    first, second, last = printed("live_digits", tmp_path).splitlines()
    seen = [int(line.split()[0]) for line in (first, second)]
    assert 200 < seen[0] < seen[1]
    right, frozen = (int(n) for n in re.findall(r"(\d+)%", second))
    assert right > frozen + 10
    assert "nought learnt: True" in last


def test_a_board_learns_and_what_it_learnt_comes_back(tmp_path: Path) -> None:
    before, after, told = printed("live_on_a_board", tmp_path).splitlines()
    assert float(re.findall(r"([\d.]+)%", after)[0]) > float(re.findall(r"([\d.]+)%", before)[0]) + 10
    assert "'committed': " in told


def test_a_learner_follows_the_fog_that_comes_down(tmp_path: Path) -> None:
    shipped, learnt = printed("fog", tmp_path).splitlines()
    old, new = ([float(v) for v in re.findall(r"([\d.]+)%", line)] for line in (shipped, learnt))
    assert new[0] >= old[0] - 5
    assert old[1] < 60
    assert new[1] >= old[1] + 25


def test_devices_learn_together_over_a_bad_network_though_some_lie(tmp_path: Path) -> None:
    mean, median = printed("federate_digits", tmp_path).splitlines()
    for line in (mean, median):
        assert re.search(r": done, \d+% right, [\d,]+ B sent, [1-9]\d* messages refused", line)
    assert int(re.findall(r"(\d+)% right", median)[0]) > 70
    assert int(re.findall(r"(\d+)% right", mean)[0]) < 40


def test_masked_sums_learn_over_a_bad_network(tmp_path: Path) -> None:
    *rounds, refused = printed("federate_masked", tmp_path).splitlines()
    found = [re.fullmatch(r"round (\d+): (\d+)% right, (\d+) devices in its sums, [\d,]+ B sent", r) for r in rounds]
    assert [int(m[1]) for m in found if m] == [5, 10, 15, 20]
    assert all(m is not None and 4 <= int(m[3]) <= 15 for m in found)
    assert found[-1] is not None
    assert int(found[-1][2]) > 70
    assert refused.startswith("rule with masked is median: it judges single changes")


def test_what_a_device_sends_is_hidden_until_the_budget_is_spent(tmp_path: Path) -> None:
    *runs, last = printed("federate_private", tmp_path).splitlines()
    right = [float(re.search(r": done, ([\d.]+)% right", line)[1]) for line in runs]
    # The noise is the system's: of twenty runs 80.5 % on the mean, 2.3 of deviation, 74.5 to 84.7; without it 91.6.
    assert right[0] > 88
    assert right[0] - 2 > right[1] > 65
    assert "stopped after 8 rounds of 100: the privacy budget is spent" in last
    kept = json.loads((tmp_path / "privacy.json").read_text())
    assert 1.9 < kept["epsilon"] <= kept["budget"] == 2.0


def test_three_kinds_of_device_learn_together(tmp_path: Path) -> None:
    *rounds, test, page = printed("federate_devices", tmp_path).splitlines()
    assert len(rounds) == 4
    accuracies = [int(re.search(r": (\d+)% right, [\d,]+ B sent, \d+ lost, \d+ mJ$", line)[1]) for line in rounds]
    assert accuracies[-1] > max(70, accuracies[0])
    assert int(re.search(r"(\d+)% right", test)[1]) > 70
    assert Path(page.removeprefix("the page: ")).is_file()


def test_an_authority_makes_devices_and_a_server_none(tmp_path: Path) -> None:
    first, swapped, sybil, old, new, lost = printed("federate_identity", tmp_path).splitlines()
    assert re.fullmatch(r"kitchen is [0-9a-f]{8}\.\.\.", first)
    assert swapped == "refused: a credential of kitchen, shown by cellar"
    assert sybil == "refused: sybil has a credential of an authority that is not trusted here"
    assert old == "refused: kitchen has a credential that was revoked, serial 1"
    assert re.fullmatch(r"kitchen is [0-9a-f]{8}\.\.\.", new)
    assert new != first
    assert lost == "refused: cellar has a credential that was revoked, serial 2"
    assert len(next(p for p in EXAMPLES if p.stem == "federate_identity").read_text().splitlines()) < 40


def test_digits_are_learnt_without_a_label_and_a_collapse_is_taken_back(tmp_path: Path) -> None:
    norms, whole = (line for line in printed("label_free", tmp_path).splitlines())
    found = shares(norms)
    assert found["learnt"] > found["frozen"] + 20
    assert "it holds" in norms
    assert "classes are left" in whole
    assert shares(whole)["learnt"] == shares(whole)["frozen"]
