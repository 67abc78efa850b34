"""The report: figures that numpy gives too, the layer that hurts, what to try, and room for the columns of others."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
import torch

import selvedge as sv
from selvedge.compressing.activations import activations
from selvedge.compressing.advice import Symptoms, advice
from selvedge.compressing.export import exported
from selvedge.compressing.report import WIDTH, Error

from .nets import chain, images

X = images(48, seed=6)


@pytest.fixture(scope="module")
def made() -> sv.Quantised:
    return sv.quantise(chain(), images(), bits={"pw": 4}, wanted_agreement=0.0)


@pytest.fixture(scope="module")
def report(made: sv.Quantised) -> sv.Report:
    return sv.compare(chain(), made, X)


def test_every_layer_has_the_figures_of_numpy(made: sv.Quantised, report: sv.Report) -> None:
    right, _ = activations(exported(chain(), (X,)), (X,))
    other, _ = activations(made, (X,))
    assert [r.layer for r in report.rows] == ["conv", "dw", "pw", "pool", "flatten", "fc"]
    for row in report.rows:
        x, y = right[row.layer].double().numpy(), other[row.layer].double().numpy()
        error = row.errors["fake-quantised"]
        assert error.sqnr_db == pytest.approx(10 * np.log10((x**2).sum() / ((x - y) ** 2).sum()))
        assert error.largest == pytest.approx(np.abs(x - y).max())
        assert error.mean == pytest.approx(np.abs(x - y).mean())
        assert (row.low, row.high) == (x.min(), x.max())
        assert 0 <= row.clipped < 0.05
    wanted = chain()(X).detach()
    assert report.output["fake-quantised"].sqnr_db == pytest.approx(
        float(10 * torch.log10(wanted.double().square().sum() / (wanted.double() - made(X).double()).square().sum()))
    )
    assert report.agreement["fake-quantised"] == float((made(X).argmax(1) == wanted.argmax(1)).float().mean())


def test_the_layer_of_four_bits_hurts_and_what_it_would_win_is_measured(report: sv.Report) -> None:
    assert report.worst.layer == "pw"
    without = sv.quantise(chain(), images(), bits={"pw": 32}, wanted_agreement=0.0)
    alone = sv.compare(chain(), without, X).output["fake-quantised"].sqnr_db
    assert report.worst.gain_db is not None
    assert report.output["fake-quantised"].sqnr_db + report.worst.gain_db == pytest.approx(alone, abs=2.5)
    assert report.worst.gain_db > 3
    assert any("4 bits" in text for text in report.worst.try_)
    assert report.verdict()[0].startswith("pw hurts most: the output has")


def test_the_table_fits_and_the_pictures_are_whole(report: sv.Report) -> None:
    assert max(map(len, str(report).split("\n\n")[0].splitlines())) <= WIDTH
    assert "pw hurts most" in str(report)
    ET.fromstring(report.picture())
    page = report.page()
    assert "pw hurts most" in page
    assert page.count('class="layer') == len(report.rows)


def test_others_put_their_columns_beside_it(made: sv.Quantised) -> None:
    own, out = activations(made, (X,))
    theirs = {"conv": own["conv"].numpy(), "output": out.numpy() + 0.5}
    found = sv.compare(chain(), made, X, others={"native int8": theirs})
    assert found.columns == ("fake-quantised", "native int8")
    conv = found.rows[0]
    assert conv.errors["native int8"].sqnr_db == conv.errors["fake-quantised"].sqnr_db
    assert "native int8" not in found.rows[1].errors
    assert found.output["native int8"].largest > 0.4
    assert max(map(len, str(found).split("\n\n")[0].splitlines())) <= WIDTH
    with pytest.raises(sv.InvalidInput, match="native int8 conv is of shape"):
        sv.compare(chain(), made, X, others={"native int8": {"conv": own["conv"].numpy()[:, :2]}})


@pytest.mark.parametrize(
    ("seen", "observer", "words"),
    [
        (Symptoms(30, 1, 1, 0.0, 4), "minmax", "4 bits"),
        (Symptoms(30, 40, 1, 0.0, 8), "minmax", "widest channel is 40 times the median one: equalise=True"),
        (Symptoms(30, 1, 1, 0.02, 8), "minmax", "2.00% of its output is cut off: calibrate with more"),
        (Symptoms(30, 1, 1, 0.02, 8), "percentile", "observer='minmax'"),
        (Symptoms(30, 1, 9, 0.0, 8), "minmax", "9 times the 99.9th percentile: observer='mse'"),
        (Symptoms(10, 1, 1, 0.0, 8), "minmax", "calibrated on 40 samples"),
    ],
)
def test_each_cause_has_its_advice(seen: Symptoms, observer: str, words: str) -> None:
    (said,) = advice(seen, 40, observer, False)
    assert words in said
    assert advice(Symptoms(40, 1, 1, 0.0, 8), 40, observer, False) == []


def test_native_code_and_the_exported_file_stand_beside_it(made: sv.Quantised) -> None:
    """Four columns of one model: native is within a step a layer of what PyTorch simulates."""
    pytest.importorskip("ai_edge_litert")
    report = sv.compare(chain(), made, X, native=True, exported=True)
    assert report.columns == ("fake-quantised", "exported", "native int8")
    for row in report.rows:
        assert set(row.errors) == set(report.columns)
        db = [row.errors[c].sqnr_db for c in report.columns]
        assert db == pytest.approx([db[0]] * 3, abs=1.5)
    assert report.agreement["native int8"] == pytest.approx(report.agreement["fake-quantised"], abs=0.05)
    assert "output, native int8: " in str(report)
    assert "native int8" in report.page()


def test_a_float_layer_has_native_figures_and_those_of_its_file(made: sv.Quantised) -> None:
    """A .tflite file says float layers between int8 ones; LiteRT computes it."""
    pytest.importorskip("ai_edge_litert")
    mixed = sv.quantise(chain(), images(), bits={"dw": 32}, wanted_agreement=0.0)
    report = sv.compare(chain(), mixed, X[:5], native=True, exported=True)
    assert set(report.columns) == {"fake-quantised", "exported", "native int8"}
    for row in report.rows:
        assert set(row.errors) == set(report.columns)
        assert row.errors["exported"].sqnr_db == pytest.approx(row.errors["fake-quantised"].sqnr_db, abs=1.5)


def test_what_is_exact_is_none_for_machines(report: sv.Report) -> None:
    """An SQNR without noise is infinite, which JSON has no number for."""
    exact = replace(report, output={"fake-quantised": Error(math.inf, 0.0, 0.0)})
    told = json.loads(json.dumps(exact.to_dict(), allow_nan=False))
    assert told["output"]["fake-quantised"] == {"sqnr_db": None, "largest": 0.0, "mean": 0.0}
    assert "output, fake-quantised: exact, the same top answer" in str(exact)
