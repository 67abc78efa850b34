"""What a replay promises: its bytes, its balance, its repeatability."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.learn.memory.replay import Replay

PIXELS = (8, 8)


def image(i: int) -> np.ndarray:
    """A sample that carries its own number in its first four bytes."""
    x = np.zeros(PIXELS, np.uint8)
    x.reshape(-1)[:4] = np.frombuffer(np.uint32(i).tobytes(), np.uint8)
    return x


def number(x: np.ndarray) -> int:
    return int(np.frombuffer(x.reshape(-1)[:4].tobytes(), np.uint32)[0])


def fill(replay: Replay, labels: list[int]) -> Replay:
    for i, label in enumerate(labels):
        replay.add(image(i), label)
    return replay


def everything(replay: Replay) -> tuple[np.ndarray, np.ndarray]:
    x, y = replay.sample(len(replay))
    return x, y


labels_in_any_order = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 60)), max_size=12).map(
    lambda runs: [label for label, length in runs for _ in range(length)]
)


@given(
    capacity=st.integers(0, 6000),
    shape=st.lists(st.integers(1, 9), max_size=3).map(tuple),
    dtype=st.sampled_from(["uint8", "int16", "float32", "float64"]),
    classes=st.integers(1, 256),
)
def test_bytes_never_exceed_the_capacity_and_waste_less_than_a_sample(
    capacity: int, shape: tuple[int, ...], dtype: str, classes: int
) -> None:
    item = int(np.prod(shape, dtype=int)) * np.dtype(dtype).itemsize + 1
    smallest = 12 + 5 * classes + item
    if capacity < smallest:
        with pytest.raises(ValueError, match=f"capacity_bytes is {capacity}: one sample needs {smallest} B"):
            Replay(capacity, shape, dtype, classes=classes)
        return
    replay = Replay(capacity, shape, dtype, classes=classes)
    assert capacity - item < replay.bytes <= capacity
    assert replay.bytes == sum(array.nbytes for array in replay.state_dict().values())
    sample = np.ones(shape, dtype)
    before = replay.bytes
    for i in range(replay.capacity + 3):
        replay.add(sample, i % classes)
    assert (replay.bytes, len(replay)) == (before, replay.capacity)
    assert np.array_equal(replay.sample(1)[0][0], sample)


def test_two_kibibytes_hold_thirty_digits_and_all_bookkeeping() -> None:
    replay = Replay(2048, PIXELS, classes=10)
    assert (replay.capacity, replay.bytes) == (30, 30 * 65 + 62)


@settings(max_examples=200)
@given(labels=labels_in_any_order, seed=st.integers(0, 2**64 - 1), slots=st.integers(1, 40))
def test_every_class_is_whole_or_within_one_of_the_largest(labels: list[int], seed: int, slots: int) -> None:
    replay = Replay(62 + 65 * slots, PIXELS, classes=10, seed=seed)
    seen = np.zeros(10, int)
    for i, label in enumerate(labels):
        replay.add(image(i), label)
        seen[label] += 1
        held = replay.held
        assert len(replay) == held.sum() == min(i + 1, slots)
        if len(replay) == slots:
            assert np.all((held == seen) | (held >= held.max() - 1)), (held, seen)
    x, y = everything(replay)
    numbers = [number(sample) for sample in x]
    assert len(set(numbers)) == len(numbers), "a sample is held twice"
    assert [labels[n] for n in numbers] == y.tolist(), "a sample lost its label"


@given(labels=labels_in_any_order, seed=st.integers(0, 2**32), cut=st.integers(0, 300))
def test_the_same_seed_and_stream_give_the_same_bytes_also_through_a_checkpoint(
    labels: list[int], seed: int, cut: int
) -> None:
    one = fill(Replay(1024, PIXELS, classes=10, seed=seed), labels)
    first = fill(Replay(1024, PIXELS, classes=10, seed=seed), labels[:cut])
    two = Replay(1024, PIXELS, classes=10, seed=seed + 1)
    two.load_state_dict(first.state_dict())
    for i, label in list(enumerate(labels))[cut:]:
        two.add(image(i), label)
    for name, array in one.state_dict().items():
        assert np.array_equal(array, two.state_dict()[name]), name
    n = len(one) // 2
    assert all(np.array_equal(a, b) for a, b in zip(one.sample(n), two.sample(n), strict=True))


def test_another_seed_keeps_other_samples() -> None:
    labels = [i % 10 for i in range(500)]
    kept = {
        tuple(sorted(map(number, everything(fill(Replay(1024, PIXELS, classes=10, seed=s), labels))[0])))
        for s in range(8)
    }
    assert len(kept) == 8


def test_what_is_held_of_a_class_is_a_uniform_sample_of_what_was_seen() -> None:
    """One class, 100 samples, 10 slots: each is kept one time in ten (5 sigma of 2,000 runs)."""
    kept = np.zeros(100)
    for seed in range(2000):
        x, _ = everything(fill(Replay(65 * 10 + 12 + 5, PIXELS, classes=1, seed=seed), [0] * 100))
        kept[[number(sample) for sample in x]] += 1
    assert np.abs(kept / 2000 - 0.1).max() < 5 * np.sqrt(0.1 * 0.9 / 2000)


def test_a_sample_is_drawn_uniformly_and_never_twice_at_once() -> None:
    replay = fill(Replay(65 * 10 + 62, PIXELS, classes=10), list(range(10)))
    drawn = np.zeros(10)
    for _ in range(5000):
        x, y = replay.sample(3)
        assert (x.shape, x.dtype, y.dtype) == ((3, 8, 8), np.uint8, np.int32)
        assert len(set(y.tolist())) == 3
        drawn[y] += 1
    assert np.abs(drawn / 5000 - 0.3).max() < 5 * np.sqrt(0.3 * 0.7 / 5000)


def test_a_drawn_sample_is_a_copy() -> None:
    replay = fill(Replay(1024, PIXELS, classes=10), [3])
    replay.sample(1)[0][...] = 255
    assert number(replay.sample(1)[0][0]) == 0


@pytest.mark.parametrize(
    ("x", "label", "message"),
    [
        (np.zeros((8, 7), np.uint8), 0, r"sample is uint8\[8, 7\]: give uint8\[8, 8\]"),
        (np.zeros((8, 8), np.float32), 0, r"sample is float32\[8, 8\]: give uint8\[8, 8\]"),
        (np.zeros((8, 8), np.uint8), 10, r"label is 10: give 0\.\.9"),
        (np.zeros((8, 8), np.uint8), 1.5, r"label is 1\.5: give a whole number"),
        (np.zeros((8, 8), np.uint8), -1, r"label is -1: give 0\.\.9"),
    ],
)
def test_a_bad_sample_is_refused_and_changes_nothing(x: np.ndarray, label: int, message: str) -> None:
    replay = fill(Replay(1024, PIXELS, classes=10), list(range(10)) * 3)
    before = replay.state_dict()
    with pytest.raises(InvalidInput, match=message):
        replay.add(x, label)
    after = replay.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("n", [-1, 5])
def test_more_than_is_held_cannot_be_drawn(n: int) -> None:
    with pytest.raises(InvalidInput, match=f"n is {n}: 4 samples are held"):
        fill(Replay(1024, PIXELS, classes=10), [0, 1, 2, 3]).sample(n)


@pytest.mark.parametrize("classes", [0, 257])
def test_a_label_is_one_byte(classes: int) -> None:
    with pytest.raises(ValueError, match=f"classes is {classes}: give 1..256"):
        Replay(4096, PIXELS, classes=classes)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"capacity_bytes": "4KiB"}, "capacity_bytes is 4KiB: give a whole number"),
        ({"sample_shape": 64}, "sample_shape is 64: give a tuple"),
        ({"sample_shape": (8, 8.0)}, "sample_shape is 8.0: give a whole number"),
        ({"dtype": "pixels"}, "dtype is pixels: give one of numpy's"),
        ({"classes": "ten"}, "classes is ten: give a whole number"),
        ({"seed": None}, "seed is None: give a whole number"),
    ],
)
def test_a_setting_of_another_kind_is_refused_in_one_line(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Replay(**{"capacity_bytes": 4096, "sample_shape": PIXELS, "classes": 10, **wrong})


def test_all_are_copies() -> None:
    replay = fill(Replay(1024, PIXELS, classes=10), [1, 2])
    before = replay.state_dict()["samples"].tobytes()
    for array in replay.all():
        array[...] = 0
    assert replay.state_dict()["samples"].tobytes() == before


def test_what_is_no_array_is_one_line() -> None:
    with pytest.raises(InvalidInput, match=r"sample is no array .*: give uint8"):
        Replay(1024, PIXELS, classes=10).add([[1, 2], [3]], 0)


def _without(name: str) -> Any:
    return lambda state: {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: None, "replay state is of type NoneType: give what state_dict"),
        (lambda s: s | {"seen": s["seen"].tolist()}, "replay state seen is of type list: give an array"),
        (_without("labels"), "replay state is of names"),
        (lambda s: s | {"seen": s["seen"][:9]}, r"replay state seen is uint32\[9\]: give uint32\[10\]"),
        (lambda s: s | {"samples": s["samples"].astype(np.int16)}, "replay state samples is int16"),
        (lambda s: s | {"count": np.array([999], np.uint32)}, "replay state count is 999"),
        (
            lambda s: s | {"labels": np.full_like(s["labels"], 77)},
            "labels is of another replay: a class is out of range",
        ),
        (lambda s: s | {"seen": s["seen"] * 0}, "replay state labels is .* holds more than was seen"),
    ],
)
def test_a_bad_state_is_refused_and_changes_nothing(change: Any, message: str) -> None:
    replay = fill(Replay(1024, PIXELS, classes=10), list(range(10)))
    before = replay.state_dict()
    with pytest.raises(InvalidInput, match=message):
        replay.load_state_dict(change(before))
    after = replay.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)
