"""Attacks succeed on what is not protected and fail on what is: on real digits, sent by real participants."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.nn import functional

from benchmarks.attacks import analytic, experiment, likeness, matching, membership, page, seen, together, victims
from benchmarks.attacks.__main__ import KEPT, main
from benchmarks.attacks.inversion import Row, View, rows, unpacked
from benchmarks.attacks.strip import png
from benchmarks.readme import between
from selvedge.federate.privacy.randomness import Keystream
from tests.data.folders import shared

ROOT = Path(__file__).parents[2]
SEED = 40  # of no case on the page


def attacked(kind: str, view: View, count: int = 2, steps: int = 120) -> Row:
    shared("mnist_png")
    (row,) = rows(kind, SEED, count, [view], steps)
    assert max(row.dummies["mean"] + row.dummies["digit"]) < 0.95
    return row


# -- inversion --------------------------------------------------------------------------------------------------------


def test_an_update_of_one_example_is_that_example() -> None:
    row = attacked("dense", View())
    assert min(row.correlation) > 0.999
    assert row.found == [1, 1]
    assert row.labels == [1, 1]


def test_a_search_finds_what_no_ratio_gives() -> None:
    assert attacked("conv", View(), 1).correlation[0] > 0.9


def test_a_search_fails_on_the_sum_of_twenty() -> None:
    row = attacked("conv", View(20), 1, 60)
    assert row.found == [0]
    assert row.correlation[0] < row.dummies["mean"][0] < 0.9


def test_what_one_device_sends_masked_says_nothing() -> None:
    row = attacked("dense", View(5, form="masked"))
    assert np.abs(row.correlation).max() < 0.3
    assert row.found == [0, 0]


def test_a_sum_of_many_examples_of_eight_devices_gives_no_picture() -> None:
    row = attacked("dense", View(8, 32, 5), 1)
    assert row.found == [0]
    assert row.correlation[0] < 0.95


def test_a_sum_of_single_examples_still_gives_some() -> None:
    """Masks do not help where one unit was active for one device alone."""
    assert attacked("dense", View(8), 1).found[0] > 0.5


def test_a_model_that_is_made_to_tell_opens_a_sum_and_noise_shuts_it() -> None:
    assert attacked("dense", View(20, model="made to tell"), 1).found[0] > 0.5
    row = attacked("dense", View(20, model="made to tell", noise=1.0), 1)
    assert row.found == [0]
    assert abs(row.correlation[0]) < 0.3


def test_noise_ends_it_and_very_little_does_not() -> None:
    assert np.abs(attacked("dense", View(noise=1.0)).correlation).max() < 0.3
    assert min(attacked("dense", View(noise=0.01)).correlation) > 0.8


def test_the_masked_sum_is_the_sum_to_the_last_bit() -> None:
    changes = np.random.default_rng(3).normal(0, 0.01, (4, 300)).astype(np.float32)
    found = seen.masked(changes)
    np.testing.assert_array_equal(found.mean, seen.mean(changes))
    np.testing.assert_allclose(found.mean, changes.mean(0), atol=seen.step(changes))
    assert abs(likeness.correlation(found.input, changes[0])) < 0.3


def test_noise_is_as_large_as_it_is_said_to_be() -> None:
    changes = np.zeros((5, 4000), np.float32)
    changes[:, 0] = 100  # cut to 2, ten together
    found = 5 * seen.noised(changes, 0.5, Keystream(b"noise"), 2.0)
    assert np.std(found[1:]) == pytest.approx(0.5 * 2, rel=0.05)
    assert found[0] == pytest.approx(10, abs=5)
    assert seen.epsilon(1.0) < seen.epsilon(1.0, 10) < seen.epsilon(0.1, 10)


def test_labels_are_read_off_the_bias_of_a_net_that_knows_nothing() -> None:
    told = np.array([3, 3, 7, 0, 9, 9, 9, 1])
    share = np.full((8, 10), 0.1) - np.eye(10)[told]
    np.testing.assert_array_equal(matching.labels(share.mean(0), 8), np.sort(told))


def test_the_attacker_prefers_a_picture_to_a_mixture_and_to_noise() -> None:
    shared("mnist_png")
    x, _ = victims.public()
    noise = np.random.default_rng(1).random((1, 28, 28))
    assert analytic.chosen(np.concatenate([x[:8].mean(0)[None], noise, 3 * x[1:2] - x[2:3], x[:1]])) == 3


# -- measures ---------------------------------------------------------------------------------------------------------


def test_measures_of_likeness() -> None:
    draw = np.random.default_rng(2)
    a, b = draw.random((2, 28, 28))
    assert likeness.correlation(a, b) == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1])
    assert likeness.correlation(a, np.ones_like(a)) == 0
    assert likeness.psnr(a, a + 0.1) == pytest.approx(20)
    assert likeness.ssim(a, a) == pytest.approx(1)
    assert likeness.ssim(a, b) < 0.2
    # One window, by the formula, with the same weights.
    at = np.arange(11) - 5
    weights = np.exp(-(at[:, None] ** 2 + at**2) / 4.5)
    weights /= weights.sum()
    c, d = a[:11, :11], b[:11, :11]
    mc, md = (weights * c).sum(), (weights * d).sum()
    vc, vd, both = (
        (weights * (c - mc) ** 2).sum(),
        (weights * (d - md) ** 2).sum(),
        (weights * (c - mc) * (d - md)).sum(),
    )
    due = (2 * mc * md + 1e-4) * (2 * both + 9e-4) / ((mc**2 + md**2 + 1e-4) * (vc + vd + 9e-4))
    assert likeness.ssim(c, d) == pytest.approx(due)
    assert likeness.found(np.stack([a, b]), np.stack([b, draw.random((28, 28))])) == 0.5


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=30),
    st.lists(st.integers(0, 9), min_size=1, max_size=30),
    st.sampled_from([0.01, 0.1, 0.5]),
)
def test_areas_and_shares_by_counting(members: list[int], others: list[int], false: float) -> None:
    wins = np.mean([(m > o) + 0.5 * (m == o) for m in members for o in others])
    assert membership.area(np.array(members), np.array(others)) == pytest.approx(wins)
    shares = [
        np.mean([m > limit for m in members])
        for limit in range(-1, 10)
        if np.mean([o > limit for o in others]) <= false
    ]
    assert membership.found(np.array(members), np.array(others), false) == pytest.approx(max(shares))


# -- membership -------------------------------------------------------------------------------------------------------


def test_gradients_are_those_of_torch() -> None:
    model, chosen = together.beginning(), np.arange(3)
    net = together.net()
    x, y = together.digits()
    for i, own in zip(chosen, together.gradients(model, chosen), strict=True):
        loss = functional.cross_entropy(net(torch.from_numpy(x[i : i + 1])), torch.from_numpy(y[i : i + 1]).long())
        due = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, list(net.parameters()))]).numpy()
        np.testing.assert_allclose(own, due, atol=1e-6)
        assert together.losses(model, np.array([i]))[0][0] == pytest.approx(float(loss.detach()), abs=1e-5)


def test_shadows_tell_more_than_the_loss_where_examples_differ() -> None:
    """Losses whose middle differs by example, and a little by membership: what the ratio is for."""
    draw = np.random.default_rng(4)
    hard = draw.normal(0, 3, 400)
    inside = draw.random((17, 400)) < 0.5
    logits = hard + inside * 1.0 + draw.normal(0, 0.5, inside.shape)
    losses = np.log1p(np.exp(-logits))
    own = inside[0]
    score = membership.by_shadows(losses[0], losses[1:], inside[1:])
    plain = membership.by_loss(losses[0])
    assert membership.area(plain[own], plain[~own]) < 0.65
    assert membership.area(score[own], score[~own]) > 0.85


def test_a_final_model_tells_who_was_learnt_and_a_sum_less_than_a_change() -> None:
    plain, noised = experiment.members(SEED, models=5, rounds=25, noises=(None, 5.0))
    assert plain["train"] > plain["test"] + 0.03
    assert plain["shadows"][0] > 0.55
    assert abs(noised["shadows"][0] - 0.5) < 0.1
    assert plain["test"] > noised["test"] + 0.2
    found = {(r["round"], r["devices"], r["noise"]): r["change"][0] for r in experiment.updates(SEED, crowd=20)}
    assert found[0, 1, None] > 0.75 > found[0, 20, None] + 0.1
    assert found[0, 1, 1.0] < found[0, 1, None] - 0.1


# -- the page ---------------------------------------------------------------------------------------------------------


def test_a_strip_holds_the_pictures_themselves_in_sixteen_greys() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png(picture)))), np.rint(picture / 17) * 17)


def test_the_page_and_its_pictures_show_the_committed_cases() -> None:
    cases = page.read(KEPT)
    text = (ROOT / page.DOCS).read_text()
    for name, table in page.parted(cases).items():
        assert between(text, name) == table, "run python -m benchmarks.attacks --show --write"
    drawn = page.drawn(cases)
    assert set(drawn) == {"attacks-dense.svg", "attacks-conv.svg"}
    for name, picture in drawn.items():
        assert (page.PICTURES / name).read_text() == picture
    first = next(case for case in cases if case["task"] == "dense")["rows"][0]
    near, guess = (np.float32(unpacked(text)) for text in first["pictures"][0])
    assert likeness.correlation(near, guess) == pytest.approx(first["correlation"][0], abs=0.01)


def test_a_task_without_its_data_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.attacks.__main__.FOLDER", tmp_path)
    assert main(["--tasks", "dense", "--seeds", "1", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.strip().endswith("set SELVEDGE_DATA")
