"""Features travel as plain data, and a manifest from elsewhere can ask for nothing that is out of bounds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from selvedge.artifact.features import Columns, Features, LogMel, Picture, Waveform, from_dict, to_dict

GOOD: list[Features] = [
    Picture(3, 8, 9, (3, 8, 9)),
    Picture(1, 8, 8, (64,)),
    LogMel(8000, 5, 64, 40, 64, 6, 20.0, 4000.0, (1, 5, 6), True, -3.5, 2.0),
    Waveform(16000, 100, (1, 100), 0.1, 0.2),
    Columns(("a", "b"), (2, 16), 16, 4, False, (0.0, 1.0), (1.0, 2.0)),
    Columns(("a",), (1,)),
]


@pytest.mark.parametrize("features", GOOD, ids=lambda f: type(f).__name__)
def test_they_come_back_from_json(features: Features) -> None:
    assert from_dict(json.loads(json.dumps(to_dict(features)))) == features


@pytest.mark.parametrize(
    ("which", "change", "says"),
    [
        (0, {"kind": "shell"}, "kind is 'shell'"),
        (0, {"command": "rm"}, "field is 'command'"),
        (0, {"channels": 4}, "channels is 4"),
        (0, {"height": 1 << 29}, "height is"),
        (0, {"height": True}, "height is True"),
        (0, {"shape": [3, 8, 8]}, "shape is"),
        (0, {"shape": [1 << 40]}, "shape is"),
        (2, {"fft": 32}, "fft is 32"),
        (2, {"fft": 1 << 30}, "fft is"),
        (2, {"hop": 0}, "hop is 0"),
        (2, {"high": 9000.0}, "high is 9000.0"),
        (2, {"std": 0.0}, "std is 0.0"),
        (2, {"mean": float("nan")}, "mean is nan"),
        (3, {"samples": -1}, "samples is -1"),
        (4, {"names": []}, "names is"),
        (4, {"std": [1.0, 0.0]}, "std is"),
        (4, {"mean": [1.0]}, "mean is"),
        (4, {"window": -1}, "window is -1"),
    ],
)
def test_what_is_out_of_bounds_is_refused(which: int, change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        from_dict({**to_dict(GOOD[which]), **change})


def test_a_missing_field_is_refused() -> None:
    for features in GOOD:
        data = to_dict(features)
        del data["shape"]
        with pytest.raises(ValueError, match="shape"):
            from_dict(data)
