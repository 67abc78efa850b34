"""A split is stratified, seeded, and keeps groups whole."""

from __future__ import annotations

import numpy as np
import pytest

from selvedge.data.split import given, split
from selvedge.errors import InvalidInput

SHARES = (0.7, 0.15, 0.15)


def test_every_sample_is_in_one_part_and_every_class_in_all() -> None:
    classes = np.repeat(np.arange(5), (40, 20, 10, 7, 3)).astype(np.intp)
    parts = split(classes, None, SHARES, 0)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(classes)))
    for rows in parts.values():
        assert set(classes[rows]) == set(range(5))
    assert (np.bincount(classes[parts["test"]]) == (6, 3, 2, 1, 1)).all()


def test_a_seed_is_a_split() -> None:
    classes = np.repeat(np.arange(3), 30).astype(np.intp)
    one, same, other = (split(classes, None, SHARES, s) for s in (1, 1, 2))
    assert all((one[p] == same[p]).all() for p in one)
    assert any((one[p] != other[p]).any() for p in one)


@pytest.mark.parametrize("seed", range(20))
def test_no_group_is_on_two_sides(seed: int) -> None:
    random = np.random.default_rng(seed)
    classes = random.integers(0, 4, 400)
    groups = [f"g{random.integers(0, 12)}" for _ in range(400)]
    parts = split(classes, groups, SHARES, seed)
    owners = [{groups[i] for i in rows} for rows in parts.values()]
    assert sum(map(len, owners)) == len(set(groups))
    assert all(owners)
    assert set(classes[parts["train"]]) == set(range(4))
    assert 0.5 < len(parts["train"]) / 400 < 0.85


def test_a_class_that_one_group_has_is_trained() -> None:
    classes = np.array([0] * 30 + [1] * 30 + [2] * 5)
    groups = [f"g{i % 10}" for i in range(60)] + ["rare"] * 5
    for seed in range(10):
        parts = split(classes, groups, SHARES, seed)
        assert {60, 61, 62, 63, 64} <= set(parts["train"].tolist())


def test_too_few_samples_or_groups_are_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match=r"2 of class b: .* at least 3"):
        split(np.array([0, 0, 0, 0, 1, 1]), None, SHARES, 0, ("a", "b"))
    with pytest.raises(InvalidInput, match="group is x, y: at least 3 groups"):
        split(np.zeros(6, np.intp), ["x", "y"] * 3, SHARES, 0)


def test_parts_that_folders_name_are_kept() -> None:
    parts = ["train"] * 20 + ["test"] * 5
    made = given(parts, np.arange(25) % 2, 0.2, 0)
    assert made["test"].tolist() == [20, 21, 22, 23, 24]
    assert len(made["validation"]) == 4
    assert set(made["validation"]) | set(made["train"]) == set(range(20))
