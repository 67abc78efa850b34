"""Parts of a model: where their elements are, and what becomes of devices of several sizes together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.store import InMemory
from selvedge.federate.coordinator import Coordinator
from selvedge.federate.cover import Cover, widths
from selvedge.federate.federation import Federation
from selvedge.federate.grid.virtual import Device, VirtualGrid
from selvedge.federate.layout import Layout
from selvedge.federate.server import Server

from .toward import SERVER, Toward, key, name

WHOLE = Layout({"in.weight": (6, 4), "in.bias": (6,), "out.weight": (3, 6), "out.bias": (3,), "scale": ()})


@given(seed=st.integers(0, 999))
def test_a_part_is_what_numpy_cuts_out(seed: int) -> None:
    random, indices = np.random.default_rng(seed), {}
    for n, shape in WHOLE.shapes.items():
        if random.random() < 0.6:
            indices[n] = tuple(tuple(random.permutation(s)[: random.integers(s + 1)].tolist()) for s in shape)
    if not indices:
        return
    cover, vector = Cover(WHOLE, indices), np.arange(WHOLE.size)
    whole = WHOLE.arrays(vector)
    part = cover.part.arrays(vector[cover.where])
    assert list(part) == [n for n in WHOLE.shapes if n in indices]
    for n, axes in indices.items():
        shape = WHOLE.shapes[n]
        cut = whole[n][np.ix_(*(a or range(s) for a, s in zip(axes, shape, strict=True)))] if shape else whole[n]
        np.testing.assert_array_equal(part[n], cut)
    assert len(set(cover.where)) == len(cover.where) == cover.part.size


def test_widths_are_the_first_channels_or_roll_on() -> None:
    part = Layout({"in.weight": (4, 4), "in.bias": (4,), "out.weight": (3, 4), "out.bias": (3,)})
    first = widths(WHOLE, part)
    assert first.indices["out.weight"] == ((), (0, 1, 2, 3))
    assert first.part.shapes == part.shapes
    assert "scale" not in first.indices
    rolled = widths(WHOLE, part, 4)
    assert rolled.indices["in.bias"] == ((4, 5, 0, 1),)
    assert rolled.indices["out.weight"] == ((), (4, 5, 0, 1))
    assert Cover.all(WHOLE).is_whole
    assert not first.is_whole


def test_parts_that_are_none() -> None:
    with pytest.raises(InvalidInput, match="cover is of: the model has"):
        Cover(WHOLE, {"of": ()})
    with pytest.raises(InvalidInput, match="the array has 1"):
        Cover(WHOLE, {"in.bias": ()})
    with pytest.raises(InvalidInput, match="once at the most"):
        Cover(WHOLE, {"in.bias": ((1, 1),)})
    with pytest.raises(InvalidInput, match="cut out of"):
        widths(WHOLE, Layout({"in.bias": (7,)}))


def test_devices_of_three_sizes_learn_one_model(tmp_path: Path) -> None:
    """Each element comes to the mean of the points of those who have it, by weight; what nobody has stays."""
    small = Layout({"in.weight": (2, 4), "in.bias": (2,), "out.weight": (3, 2), "out.bias": (3,)})
    middle = Layout({"in.weight": (4, 4), "in.bias": (4,), "out.weight": (3, 4), "out.bias": (3,)})
    covers = {"small": widths(WHOLE, small), "middle": widths(WHOLE, middle)}
    kinds = ["small", "small", "middle", "", "middle", "small"]
    devices, trainers = {}, []
    for i, kind in enumerate(kinds):
        layout = covers[kind].part if kind else WHOLE
        trainers.append(Toward(np.full(layout.size, 1.0 + i), layout, weight=1 + i))
        participant = Participant(name(i), key(i), SERVER.public, trainers[-1], InMemory(), seed=i)
        devices[name(i)] = Device(participant.handle, kind)
    settings = Federation("mixed", rounds=40, clients=6, up="int8")
    coordinator = Coordinator(settings, WHOLE, np.zeros(WHOLE.size, np.float32), covers)
    server = Server(coordinator, tmp_path, SERVER, {name(i): key(i).public for i in range(6)})
    server.run(VirtualGrid(devices))
    server.close()
    sums, weights = np.zeros(WHOLE.size), np.zeros(WHOLE.size)
    for i, kind in enumerate(kinds):
        where = covers[kind].where if kind else np.arange(WHOLE.size)
        sums[where] += (1 + i) * (1.0 + i)
        weights[where] += 1 + i
    assert not server.refused
    np.testing.assert_allclose(coordinator.model, sums / weights, rtol=0.02)
    assert len(set(np.round(sums / weights, 6))) == 3
