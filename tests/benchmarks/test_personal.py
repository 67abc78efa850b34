"""A character model's owners: their texts apart, and one small case of every way on a text made here."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import selvedge as sv
from benchmarks.personal import speakers, study, ways
from benchmarks.proofs_page import page
from selvedge.zoo.char_gru import CharGRU

WORDS = (
    "the",
    "rose",
    "and",
    "thorn",
    "upon",
    "thy",
    "pale",
    "brow",
    "shall",
    "wither",
    "ere",
    "night",
    "doth",
    "fall",
)


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Twelve speakers of whom the n-th speaks less than the one before; each repeats words of its own."""
    rng = np.random.default_rng(0)
    blocks = []
    for speech in range(6):
        for n in range(12):
            own = [WORDS[(n + i) % len(WORDS)] for i in rng.integers(0, 4, 80)]
            blocks.append(f"SPEAKER {n}:\n{' '.join(own)[: 250 - 9 * n]}, {speech}.")
    (tmp_path / "tinyshakespeare").mkdir()
    packed = gzip.compress("\n\n".join(blocks).encode())
    (tmp_path / "tinyshakespeare" / "input.txt.gz").write_bytes(packed)
    monkeypatch.setattr(speakers, "FOLDER", tmp_path)
    speakers.plays.cache_clear()
    yield tmp_path
    speakers.plays.cache_clear()


def test_the_owners_are_who_speak_most_and_their_texts_lie_apart(text: Path) -> None:
    assert speakers.absent() is None
    made = speakers.plays()
    assert [o.name for o in made.owners] == [f"SPEAKER {n}" for n in range(10)]
    raw = gzip.decompress((text / "tinyshakespeare" / "input.txt.gz").read_bytes()).decode()
    said = [block.partition(":\n") for block in raw.split("\n\n")]
    code = sorted(set(raw))
    for owner in made.owners:
        parts = np.concatenate([owner.train, owner.validation, owner.test])
        own = "".join(f"{words}\n\n" for name, _, words in said if name == owner.name)
        assert "".join(code[i] for i in parts) == own
        assert len(owner.train) == len(own) * 60 // 100
    public = np.concatenate([made.public, made.public_validation])
    assert len(public) == sum(len(words) + 2 for name, _, words in said if name in ("SPEAKER 10", "SPEAKER 11"))


def test_bits_are_those_of_the_probabilities() -> None:
    """Of a model that gives every symbol the same, log2 of their number; of one that knows, none."""
    rng = np.random.default_rng(0)
    symbols = rng.integers(0, 8, 200).astype(np.int32)
    x, y = speakers.windows(symbols)
    assert x.shape == y.shape == (3, speakers.LENGTH)
    assert np.array_equal(x.ravel()[1:], y.ravel()[:-1])
    assert ways.bits(lambda batch: np.zeros((len(batch), 8, speakers.LENGTH)), symbols) == pytest.approx(3)
    knowing = 100.0 * np.eye(8)[y].transpose(0, 2, 1)
    assert ways.bits(lambda batch: knowing, symbols) == pytest.approx(0, abs=1e-9)
    assert ways.guessing(np.arange(8, dtype=np.int32), symbols, 8) == pytest.approx(3)


def test_a_seed_of_one_owner_makes_a_row_of_every_way(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "EPOCHS", 1)
    monkeypatch.setattr(ways, "PUBLIC_EPOCHS", 1)
    found = study.seed(0, owners=1, show=False)
    (row,) = found["rows"]
    told = {f"{study.READING}, {update}": update for update in ways.UPDATES}
    assert set(row) - {"owner", "characters", "guessing"} == {
        study.BASE, study.RETRAINED, study.TUNED, *ways.UPDATES, *told
    }  # fmt: skip
    for name, update in told.items():
        assert row[name]["arena"] == row[update]["arena"], "the same step, other windows"
        assert row[name]["rate"] in ways.READING_RATES
    symbols = speakers.plays().symbols
    for update in ways.UPDATES:
        way = row[update]
        assert way["epoch"] in (0, 1)
        assert way["rate"] in ways.RATES
        assert 0 < way["best"] < 2 * math.log2(symbols)
        if way["epoch"] == 0:  # native code, before anything is learned, has the model's own figure
            assert way["best"] == pytest.approx(row[study.BASE], abs=1e-3)
    assert row["last:1"]["arena"] < row["full"]["arena"]
    made = study.summary([found])
    assert made["ways"][study.BASE]["best"]["gain"] == 0
    assert made["ways"]["full"]["best"]["gain"] == pytest.approx(row[study.BASE] - row["full"]["best"], abs=1e-4)
    assert "| full | " in study.table(made)
    name = "a character model's ten owners"
    told = page({name: {"digest": "", "seconds": 1.0, "figures": made}}, [name])
    assert "1 owners, 1 seeds" in told
    assert study.table(made) in told


def test_what_is_read_is_told_before_it_is_learned(text: Path) -> None:
    """At a rate of nothing the bits are the model's own; at one that learns, the first window's are too."""
    model, owner = CharGRU(ways.SYMBOLS).eval(), speakers.plays().owners[0]
    session = sv.compile(ways.planned(model, "full"))
    start = session.snapshot()
    own = [ways.bits(ways.predictor(model), text) for text in (owner.validation, owner.test)]
    assert ways._told(session, start, owner, 0.0) == pytest.approx(own, abs=1e-4)
    first = speakers.Owner("", *(owner.train[: speakers.LENGTH + 1],) * 3)
    learned = ways._told(session, start, first, 0.1)
    assert learned[1] < learned[0] < ways.bits(ways.predictor(model), first.test) - 0.01


def test_the_interval_holds_the_gain_and_counts_who_gains() -> None:
    rng = np.random.default_rng(0)
    seeds = [
        {
            "seed": s,
            "rows": [
                {
                    "owner": f"{o}",
                    "characters": [],
                    study.BASE: 3.0,
                    "way": 3.0 - 0.2 - (0.1 * rng.normal() if o else 0.9),
                }
                for o in range(10)
            ],
        }
        for s in range(3)
    ]
    way = study.summary(seeds)["ways"]["way"]
    low, high = way["best"]["interval"]
    assert low < way["best"]["gain"] < high
    assert way["arena"] is None
    assert way["best"] == way["last"]
    rows = np.array([[3.0 - row["way"] for row in s["rows"]] for s in seeds])
    assert way["best"]["owners_that_gain"] == int((rows.mean(0) > 0).sum())
