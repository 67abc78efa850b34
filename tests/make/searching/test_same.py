"""A folder goes on with the search that it is of, and with no other: what was given is told by what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv

from .people import DEVICE, digits

BRIEFLY = {"epochs": 3, "learn": 5, "lr": 1e-2, "finalists": 1, "distil": False, "bits": ("float",)}


class Stopped(Exception):
    pass


def stop(part: str, done: int, total: int) -> None:
    raise Stopped


def flat() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y, who = digits()
    return x.reshape(len(x), -1), y, who


def mlp(width: int = 8) -> nn.Module:
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 4))


def begun(folder: Path, model: Any, **given: Any) -> None:
    """A search that gets as far as to its first piece."""
    x, y, who = flat()
    with pytest.raises(Stopped):
        sv.compress(model, (x, y), who=who, folder=folder, on_progress=stop, **{"device": DEVICE, **BRIEFLY, **given})


def seeded(seed: int, width: int = 8) -> nn.Module:
    torch.manual_seed(seed)
    return mlp(width)


def shifted(x: torch.Tensor, drawn: torch.Generator) -> torch.Tensor:
    return x + 0.1 * torch.rand(x.shape, generator=drawn)


class Bent(nn.Module):
    """Two networks of the same layers and numbers."""

    def __init__(self, bend: Any) -> None:
        super().__init__()
        self.a, self.b, self.bend = nn.Linear(64, 8), nn.Linear(8, 4), bend

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.bend(self.a(x)))


def space(make: Any) -> sv.Space:
    return sv.Space(make, width=(8,))


@pytest.mark.parametrize(
    ("first", "then", "differs"),
    [
        ({"model": seeded(0)}, {"model": seeded(1)}, "space"),
        ({"model": space(lambda width: mlp(width))}, {"model": space(lambda width: mlp(width + 1))}, "space"),
        ({"model": space(lambda width: Bent(torch.relu))}, {"model": space(lambda width: Bent(torch.tanh))}, "space"),
        ({"teacher": seeded(0)}, {"teacher": seeded(1)}, "teacher"),
        ({"augment": shifted}, {"augment": lambda x, drawn: 2 * shifted(x, drawn)}, "augment"),
        ({"budget": "train=20000B"}, {"budget": "train=20001B"}, "budget"),
    ],
)
def test_what_was_changed_between_two_calls_is_noticed(tmp_path, first, then, differs):
    usual = {"model": space(mlp)}
    begun(tmp_path / "w", **{**usual, **first})
    begun(tmp_path / "w", **{**usual, **first})
    with pytest.raises(sv.InvalidInput, match=f"of a search with (another )?{differs}"):
        begun(tmp_path / "w", **{**usual, **then})


def test_the_first_setting_that_differs_is_the_one_that_is_named(tmp_path):
    """In the order of what follows from what: another seed draws other weights and judges."""
    begun(tmp_path / "w", space(mlp))
    for given, named in (({"bits": ("int8",), "learn": 7, "lr": 2e-2, "keep": 3}, "bits"), ({"seed": 9}, "seed")):
        with pytest.raises(sv.InvalidInput, match=f"of a search with (another )?{named}"):
            begun(tmp_path / "w", space(mlp), **given)


def test_this_machine_is_measured_once_for_a_folder(tmp_path):
    """Its free memory and speed are others each time: they are not a change of the search."""
    begun(tmp_path / "w", space(mlp), device="this-machine")
    begun(tmp_path / "w", space(mlp), device=None)
    with pytest.raises(sv.InvalidInput, match="with another device: "):
        begun(tmp_path / "w", space(mlp), device=DEVICE)


def test_killed_in_its_first_write_a_folder_is_still_its_own(tmp_path):
    (tmp_path / ".selvedge-0123456789abcdef").write_bytes(b"{")
    begun(tmp_path, space(mlp))


def test_any_piece_that_is_gone_or_empty_is_made_again(tmp_path):
    x, y, who = flat()
    call = {"who": who, "device": DEVICE, "folder": tmp_path, **BRIEFLY}
    found = sv.compress(sv.Space(mlp, width=(4, 8)), (x, y), **call)
    alone = sv.compress(sv.Space(mlp, width=(4, 8)), (x, y), **{**call, "folder": None})
    assert [c.to_dict() for c in alone.candidates] == [c.to_dict() for c in found.candidates]
    resumed = sv.compress(sv.Space(mlp, width=(4, 8)), (x, y), **call)
    assert resumed.here == found.here
    assert alone.here.keys() == found.here.keys()  # the times are others, and no part of what is the same
    pieces = sorted(f for f in tmp_path.iterdir() if f.name != "search.json")
    for i, piece in enumerate(np.random.default_rng(0).permutation(np.array(pieces, object))):
        if i % 3 == 0:
            piece.unlink()
        elif i % 3 == 1:
            piece.write_bytes(b"")
    again = sv.compress(sv.Space(mlp, width=(4, 8)), (x, y), **call)
    assert [c.to_dict() for c in again.candidates] == [c.to_dict() for c in found.candidates]


def test_an_augmentation_is_the_same_twice_and_of_as_many():
    x, y, who = flat()
    for augment, says in (
        (lambda x, drawn: x + float(np.random.default_rng().random()), "another each time: draw from the torch"),
        (lambda x, drawn: x[:1], "augment is giving something of "),
        (lambda x, drawn: None, "of type NoneType"),
    ):
        with pytest.raises(sv.InvalidInput, match=says):
            sv.compress(space(mlp), (x, y), who=who, device=DEVICE, augment=augment, **BRIEFLY)


def test_pruning_does_not_hang_on_the_callers_threads(tmp_path):
    """What is cut is chosen by sums of gradients, whose order hangs on the number of threads."""
    seen, before = [], torch.get_num_threads()

    class Watching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = seeded(0, 32)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(torch.get_num_threads())
            return self.net(x)

    torch.set_num_threads(2)
    try:
        begun(tmp_path / "w", Watching(), multiple=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}
