"""Differencing: two sums over one model that differ by a member are that member's values. Shown, and refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selvedge.federate.keys import Key
from selvedge.federate.masking.apart import APART, Apart, resting
from selvedge.federate.masking.group import Group
from selvedge.federate.masking.member import Member
from selvedge.federate.masking.terms import STAGES, Terms
from selvedge.federate.message import Refused

NAMES = tuple("abcdefg")
KEYS = {name: Key() for name in NAMES}
PUBLIC = {name: key.public for name, key in KEYS.items()}
VALUES = {name: np.arange(5, dtype=np.int32) * (i - 3) for i, name in enumerate(NAMES)}
MODEL, OTHER = "0" * 64, "1" * 64


def devices(apart: int) -> dict[str, Apart]:
    return {n: Apart(Member(n, KEYS[n], lambda name, certificate: PUBLIC[name]), apart) for n in NAMES}


def terms(task: int, cohort: Sequence[str], model: str = MODEL) -> Terms:
    return Terms("r", task, 0, tuple(cohort), len(cohort) // 2 + 1, 5, 8, model, "int8")


def summed(of: Mapping[str, Apart], agreed: Terms, lost: Sequence[str] = ()) -> tuple[Group, list[str]]:
    """A round in which ``lost`` do not send their values; what members refused."""
    group, refused = Group(agreed, PUBLIC), list[str]()
    while group.stage in STAGES:
        stage = group.stage
        for name in sorted(group.waiting):
            if stage == "input" and name in lost:
                continue
            values = VALUES[name] if stage == "input" else None
            try:
                group.put(name, of[name].answer(stage, agreed, group.ask(name), values))
            except Refused as error:
                refused.append(str(error))
        group.advance()
    return group, refused


@pytest.mark.parametrize("lost", [False, True], ids=["never asked", "lost"])
def test_the_difference_of_two_sums_is_one_members_values_and_is_refused(lost: bool) -> None:
    """A server that asks the same again without one member, or with one whose answer it throws away. Without the
    condition it has that member's values to the bit."""
    cohort, gone = (NAMES, ("g",)) if lost else (NAMES[:-1], ())
    for apart in (1, 2):
        of = devices(apart)
        first, _ = summed(of, terms(1, NAMES))
        second, refused = summed(of, terms(2, cohort), gone)
        if apart == 1:
            np.testing.assert_array_equal(first.total()[0] - second.total()[0], VALUES["g"])
        else:
            assert second.stage == "failed"
            assert set(refused) == {"a sum 1 members apart from an earlier one of this model: 2 are the least"}
            with pytest.raises(Refused):
                second.total()


def test_what_is_far_enough_apart_the_same_again_or_of_another_model_is_agreed_to() -> None:
    of = devices(2)
    assert summed(of, terms(1, NAMES))[0].stage == "done"
    assert summed(of, terms(2, NAMES))[0].stage == "done"
    assert summed(of, terms(3, NAMES[:-2]))[0].stage == "done"
    assert summed(of, terms(4, NAMES[:-1], OTHER))[0].stage == "done"
    assert summed(devices(4), terms(1, NAMES[:-3]))[0].stage == "done"


def test_a_round_that_was_never_unmasked_is_no_sum() -> None:
    """Or a fleet of which all take part could not do it again with one less."""
    of = devices(2)
    group = Group(agreed := terms(1, NAMES), PUBLIC)
    for stage in STAGES[:-1]:  # up to their consent, and then nobody comes to unmask
        for name in sorted(group.waiting):
            values = VALUES[name] if stage == "input" else None
            group.put(name, of[name].answer(stage, agreed, group.ask(name), values))
        group.advance()
    assert group.stage == "unmask"
    assert summed(of, terms(2, NAMES[:-1]))[0].stage == "done"


def test_what_was_summed_is_remembered_over_a_restart() -> None:
    of = devices(2)
    summed(of, terms(1, NAMES))
    again = devices(2)
    for name, device in again.items():
        device.load(of[name].state())
    assert summed(again, terms(2, NAMES[:-1]))[0].stage == "failed"
    before = again["a"].state()
    for bad in ({**before, "sums": [1]}, {n: v for n, v in before.items() if n != "sums"}, {**before, "tasks": 3}):
        with pytest.raises(Refused):
            again["a"].load(bad)
    assert again["a"].state() == before


@given(
    st.sets(st.sampled_from(NAMES), min_size=3),
    st.lists(st.sets(st.sampled_from(NAMES), min_size=3), max_size=3),
    st.sets(st.sampled_from(NAMES), max_size=3),
    st.booleans(),
)
def test_who_rests_lets_the_others_be_summed_whoever_gets_lost(
    members: set[str], earlier: list[set[str]], lost: set[str], same: bool
) -> None:
    """By what members themselves go by; and nobody rests in vain."""
    rest = resting(members, earlier, same)
    assert set(rest) <= members
    assert len(rest) <= APART

    def agreed(alive: set[str]) -> bool:
        return not any(0 < len(one ^ alive) < APART for one in earlier)

    left = members - set(rest)
    if all(len(one - left) >= APART for one in earlier):
        assert agreed(left - lost)
    elif same and all(one == left or len(one - left) >= APART for one in earlier):
        assert agreed(left)
    else:
        assert not rest
    if rest:
        assert not all(len(one - members) >= APART or (same and one == members) for one in earlier)
    if len(earlier) == 1:
        assert all(len(one - left) >= APART or (same and one == left) for one in earlier) or len(earlier[0]) < APART
