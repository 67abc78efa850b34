"""Whoever is lost, whenever: the exact sum of those whose input came, or no sum and the reason."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest

from benchmarks import again, prove_masking
from benchmarks.prove_masking import SCHEDULES, Schedule
from selvedge.federate.masking import checks, wire
from selvedge.federate.masking.agreement import SEED
from selvedge.federate.masking.cohort import together
from selvedge.federate.masking.demands import Demands
from selvedge.federate.masking.group import Group
from selvedge.federate.masking.member import Member
from selvedge.federate.masking.split import groups
from selvedge.federate.masking.terms import STAGES
from selvedge.federate.masking.threshold import two_thirds
from selvedge.federate.message import Refused

from .company import Company, carried, terms

N = 20
LEFT = {1: 2, 2: 2, 3: 2, 4: 1, 5: 1}  # a tenth of those that are left, one stage after the other
TENTH = [
    {stage: LEFT[i + 1] for i, stage in enumerate(stages)} for k in range(1, 6) for stages in combinations(STAGES, k)
]
THIRTY = [{stage: 6} for stage in STAGES]
TOO_MANY = [{stage: 10} for stage in STAGES]


def lost(company: Company, counts: dict[str, int], seed: int) -> dict[str, set[str]]:
    """So many of each stage, by lot, nobody twice."""
    names = list(company.terms.cohort)
    np.random.default_rng(seed).shuffle(names)
    return {stage: {names.pop() for _ in range(count)} for stage, count in counts.items()}


@pytest.mark.parametrize("counts", [{}, *TENTH, *THIRTY], ids=str)
def test_a_tenth_at_every_stage_or_thirty_percent_at_one_and_the_sum_is_exact(counts: dict[str, int]) -> None:
    seed = len(counts) + sum(map(ord, "".join(counts)))
    company = Company(terms(N), seed)
    gone = lost(company, counts, seed)
    total, who = carried(company, gone).total()
    early = [name for stage in ("keys", "shares", "input") for name in gone.get(stage, ())]
    assert set(who) == set(company.terms.cohort) - set(early), "lost behind its input, one still counts"
    np.testing.assert_array_equal(total, company.sum(who))


@pytest.mark.parametrize("counts", TOO_MANY, ids=str)
def test_below_the_threshold_there_is_no_sum_and_the_reason_is_named(counts: dict[str, int]) -> None:
    company = Company(terms(N))
    group = carried(company, lost(company, counts, 1))
    (stage,) = counts
    assert (group.stage, group.why) == ("failed", f"10 of 20 answered {stage}, and 11 must")
    with pytest.raises(Refused, match=group.why):
        group.total()
    assert not group.waiting
    assert not group.state()[1]["sum"].size


def test_at_the_threshold_there_is_one() -> None:
    for stage in STAGES:
        company = Company(terms(7))
        total, who = carried(company, {stage: set(company.terms.cohort[:3])}).total()
        np.testing.assert_array_equal(total, company.sum(who))


def test_two_thirds_and_other_widths() -> None:
    for bits in (1, 3, 5, 13, 28):
        company = Company(terms(9, two_thirds(9), bits=bits), bits, Demands(colluders=True))
        total, who = carried(company, {"shares": {"device 000"}, "input": {"device 003", "device 008"}}).total()
        assert len(who) == 6
        np.testing.assert_array_equal(total, company.sum(who))


def test_the_largest_sums_there_are_do_not_wrap() -> None:
    for n in (3, 4, 5, 8):
        for bits in (1, 8, 12):
            company = Company(terms(n, bits=bits))
            for edge in (-(1 << bits - 1), (1 << bits - 1) - 1):
                company.values = {name: np.full(33, edge, np.int32) for name in company.terms.cohort}
                company.members = Company(company.terms).members
                total, _ = carried(company).total()
                assert (total == n * edge).all()


def test_a_tenth_of_a_large_group() -> None:
    company = Company(terms(40, size=500))
    gone = lost(company, dict.fromkeys(STAGES, 3), 3)
    total, who = carried(company, gone).total()
    assert len(who) == 40 - 9
    np.testing.assert_array_equal(total, company.sum(who))


def test_sixty_schedules_of_mixed_faults() -> None:
    ends = [Schedule(seed).run() for seed in range(SCHEDULES, SCHEDULES + 60)]
    assert ends.count("done") >= 20, "most come through"
    assert len(set(ends)) > 2, "and some do not"


def test_a_tenth_of_the_schedules_is_seen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove_masking, "SCHEDULES", 30)
    count, told = again.masked({}, "a digest")
    assert count == 3
    assert "came to the exact sum" in told


# -- members and servers that end and begin again -------------------------------------------------------------------


def test_members_and_server_that_begin_again_between_any_two_messages() -> None:
    company = Company(terms(5))
    group = Group(company.terms, company.public)
    for stage in STAGES:
        for name in company.terms.cohort:
            ask = group.ask(name)
            answer = company.answer(name, stage, ask)
            kept = json.loads(json.dumps(company.members[name].state()))
            company.members[name] = Company(company.terms).members[name]
            company.members[name].load(kept)
            assert company.answer(name, stage, ask) == answer, "asked again, the same again"
            group.put(name, answer)
            head, arrays = group.state()
            group = Group(company.terms, company.public)
            group.load(json.loads(json.dumps(head)), arrays)
            group.put(name, answer)
        group.advance()
    total, _ = group.total()
    np.testing.assert_array_equal(total, company.sum(company.terms.cohort))
    head, arrays = group.state()
    after = Group(company.terms, company.public)
    after.load(head, arrays)
    np.testing.assert_array_equal(after.total()[0], total)


def test_who_has_lost_what_it_kept_is_lost_in_that_round_and_has_no_second_key() -> None:
    company = Company(terms(5))
    group = Group(company.terms, company.public)
    name = company.terms.cohort[2]
    for one in company.terms.cohort:
        group.put(one, company.answer(one, "keys", group.ask(one)))
    kept = company.members[name].state()
    company.members[name] = Company(company.terms).members[name]
    with pytest.raises(Refused, match="answers keys again with something else"):
        group.put(name, company.answer(name, "keys", group.ask(name)))  # a device that knows nothing any more
    company.members[name].load({**kept, "round": None})  # one that knows what it has had
    with pytest.raises(Refused, match="task 0 of a run/1 was had"):
        company.answer(name, "keys", group.ask(name))
    group.advance()
    with pytest.raises(Refused, match="has no keys of"):
        company.answer(name, "shares", group.ask(name))


def test_what_cannot_be_read_is_refused_and_changes_nothing() -> None:
    company = Company(terms(3))
    name = company.terms.cohort[0]
    one = company.members[name]
    company.answer(name, "keys", Group(company.terms, company.public).ask(name))
    kept = one.state()
    for wrong in (
        {}, {**kept, "tasks": 3}, {**kept, "seen": ["g"]}, {**kept, "round": {}},
        {**kept, "round": {**kept["round"], "stage": "another"}}, {**kept, "round": {**kept["round"], "mask": "="}},
    ):  # fmt: skip
        with pytest.raises(Refused):
            one.load(wrong)
    assert one.state() == kept


def test_what_a_member_keeps_is_small_and_has_none_of_its_values() -> None:
    company = Company(terms(24, size=40_000))
    carried(company)
    kept = len(json.dumps(company.members["device 000"].state()))
    assert kept < 24 * 450, "of 24 members; nothing of 40,000 values"


def test_what_is_remembered_of_runs_and_keys_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from selvedge.federate.masking import member

    monkeypatch.setattr(member, "RUNS", 2)
    monkeypatch.setattr(member, "KEYS", 20)
    company = Company(terms(3))
    for run in "abcd":
        told = terms(3, run=run)
        carried(company, told=told).total()
        carried(company, told=terms(3, run=run, task=5)).total()
    state = company.members["device 000"].state()
    assert state["tasks"] == {"c": 5, "d": 5}
    assert len(state["seen"]) == 20


# -- members that lie ------------------------------------------------------------------------------------------------


def until(company: Company, stage: str) -> Group:
    group = Group(company.terms, company.public)
    for one in STAGES[: STAGES.index(stage)]:
        for name in sorted(group.waiting):
            if (one, name) != ("input", "device 006"):
                group.put(name, company.answer(name, one, group.ask(name)))
        group.advance()
    return group


def test_false_shares_of_some_members_do_not_change_a_sum_while_enough_are_right() -> None:
    company = Company(terms(9))
    group = until(company, "unmask")
    for name in sorted(group.waiting):
        answer = company.answer(name, "unmask", group.ask(name))
        false = name in ("device 000", "device 004")
        group.put(name, answer[: -SEED * 9] + bytes(SEED * 9) if false else answer)
    group.advance()
    total, who = group.total()
    assert "device 006" not in who
    np.testing.assert_array_equal(total, company.sum(who))


def test_false_shares_where_all_are_needed_end_the_round_and_whose_is_named() -> None:
    company = Company(terms(9))
    group = until(company, "unmask")
    for name in sorted(group.waiting)[:5]:
        answer = company.answer(name, "unmask", group.ask(name))
        group.put(name, answer[:-SEED] + bytes(SEED) if name == "device 001" else answer)
    group.advance()
    assert group.stage == "failed"
    assert "committed to by device 008" in group.why


@pytest.mark.parametrize("liar", ["device 000", "device 004", "device 007"])
@pytest.mark.parametrize("there", [8, 10])
def test_one_who_gives_false_shares_spoils_no_sum_and_has_nobody_left_out_where_one_more_is_there(
    liar: str, there: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of twelve members seven must say what is so: whichever is left out, the others are tried, by no lot."""
    monkeypatch.setattr("selvedge.federate.masking.group.ATTEMPTS", 1)
    company = Company(terms(12))
    group = until(company, "unmask")
    for name in sorted(group.waiting)[:there]:
        answer = company.answer(name, "unmask", group.ask(name))
        group.put(name, answer[:36] + bytes(len(answer) - 36) if name == liar else answer)
    group.advance()
    assert (group.stage, group.false) == ("done", ())


def test_who_gives_false_shares_together_has_not_all_others_left_out() -> None:
    """More members cannot have lied than a group is to withstand: who gave the shares has, and nothing tells who."""
    company = Company(terms(9))
    group = until(company, "unmask")
    for name in sorted(group.waiting)[:6]:
        answer = company.answer(name, "unmask", group.ask(name))
        group.put(name, answer[:36] + bytes(len(answer) - 36) if name in ("device 000", "device 001") else answer)
    group.advance()
    assert (group.stage, group.sure, group.false) == ("failed", True, ())
    assert "committed to by device 000, device 001" in group.why


def test_a_sum_changed_on_its_way_is_not_taken() -> None:
    company = Company(terms(5))
    group = until(company, "input")
    answer = bytearray(company.answer("device 000", "input", group.ask("device 000")))
    answer[40] ^= 1
    with pytest.raises(Refused, match="not signed by device 000"):
        group.put("device 000", bytes(answer))
    assert group.waiting == set(company.terms.cohort)


def test_a_member_is_refused_before_it_can_stop_the_others() -> None:
    company = Company(terms(5))
    group = Group(company.terms, company.public, {"device 001": b"another certificate"})
    with pytest.raises(Refused, match="another certificate than that of device 001"):
        group.put("device 001", company.answer("device 001", "keys", group.ask("device 001")))
    mine = company.answer("device 000", "keys", group.ask("device 000"))
    with pytest.raises(Refused, match="not signed by device 002"):
        group.put("device 002", mine)
    group.put("device 000", mine)
    group.put("device 000", mine)
    with pytest.raises(Refused, match="of other terms"):
        Group(terms(5, task=1), company.public).put("device 000", mine)
    for stage in STAGES[1:]:
        with pytest.raises(Refused, match="of a round that this member has no keys of"):
            Member("device 003", company.keys["device 003"], lambda *_: b"").answer(
                stage, company.terms, group.ask("device 000")[:3] + bytes([STAGES.index(stage)]) + mine[4:36],
                company.values["device 003"] if stage == "input" else None,
            )  # fmt: skip


def test_whom_the_others_would_refuse_is_refused_by_the_server() -> None:
    company = Company(terms(5))
    assert len(carried(company).marks) == 10
    later = Company(terms(5, task=1))
    group = Group(later.terms, later.public)
    one = later.answer("device 000", "keys", group.ask("device 000"))
    again = Group(later.terms, later.public, seen={checks.mark(wire.keys_of(one, later.terms).mask): 0})
    with pytest.raises(Refused, match="round key of device 000 that was used before"):
        again.put("device 000", one)
    double = Group(later.terms, {**later.public, "device 001": later.public["device 000"]})
    double.put("device 000", one)
    twice = later.members["device 001"]
    twice._key = later.keys["device 000"]
    with pytest.raises(Refused, match="device 001 has the identity of another member"):
        double.put("device 001", twice.answer("keys", later.terms, double.ask("device 001")))


def test_a_group_that_failed_is_dropped_and_named() -> None:
    names = [f"device {i:03}" for i in range(18)]
    parts = groups(names, "public", 6)
    companies = [Company(terms(6, group=i, cohort=part), i) for i, part in enumerate(parts)]
    lost_in = ({}, {"consent": set(parts[1][:3])}, {"input": {parts[2][0]}})
    done = [carried(company, gone) for company, gone in zip(companies, lost_in, strict=True)]
    found = together(done)
    assert found.dropped == {1: "3 of 6 answered consent, and 4 must"}
    assert found.members == tuple(sorted({*parts[0], *parts[2][1:]}))
    own = companies[0].sum(parts[0]) + companies[2].sum(parts[2][1:])
    np.testing.assert_array_equal(found.total, own)
    with pytest.raises(Refused, match="no group came through: group 1: 3 of 6"):
        together(done[1:2])
    with pytest.raises(Refused, match="group 0 is under way"):
        together([Group(companies[0].terms, companies[0].public)])


def test_who_was_given_up_is_not_waited_for() -> None:
    company = Company(terms(5))
    group = Group(company.terms, company.public)
    group.lose("device 003")
    assert "device 003" not in group.waiting
    with pytest.raises(Refused, match="given up"):
        group.put("device 003", company.answer("device 003", "keys", group.ask("device 003")))
    with pytest.raises(Refused, match="nobody is not of this group"):
        group.ask("nobody")


def test_values_outside_of_the_bits_or_of_what_a_member_said_it_has_are_refused() -> None:
    company = Company(terms(3))
    group = until(company, "input")
    ask = group.ask("device 000")
    for values, why in (
        (np.full(33, 128, np.int32), "outside of what 8 bits hold, -128 to 127"),
        (np.full(33, -129, np.int32), "what 8 bits hold"),
        (np.zeros(32, np.int32), "no whole numbers"),
        (np.zeros(33, np.float32), "no whole numbers"),
    ):
        with pytest.raises(Refused, match=why):
            company.answer("device 000", "input", ask, values=values)
    answer = company.answer("device 000", "input", ask)
    assert len(answer) == 36 + 42 + 64, "10 bits of 33 values, and a signature"
    alone = Company(terms(3))
    group = Group(alone.terms, alone.public)
    for name, one in alone.members.items():
        group.put(name, one.answer("keys", alone.terms, group.ask(name), spans=((0, 5), (9, 33))))
    group.advance()
    for name in alone.members:
        group.put(name, alone.answer(name, "shares", group.ask(name)))
    group.advance()
    with pytest.raises(Refused, match="outside of the elements"):
        alone.answer("device 000", "input", group.ask("device 000"), values=np.ones(33, np.int32))
    later = terms(3, task=2)
    with pytest.raises(Refused, match="in order, apart"):
        alone.members["device 000"].answer("keys", later, Group(later, {}).ask("device 000"), spans=((4, 4),))


def test_an_element_left_to_one_member_ends_the_round() -> None:
    company = Company(terms(5))
    group = Group(company.terms, company.public)
    for name, one in company.members.items():
        spans = () if name in ("device 000", "device 001") else ((0, 30),)
        group.put(name, one.answer("keys", company.terms, group.ask(name), spans=spans))
        if spans:
            company.values[name][30:] = 0
    group.advance()
    for stage in ("shares", "input"):
        for name in sorted(group.waiting - ({"device 001"} if stage == "input" else set())):
            group.put(name, company.answer(name, stage, group.ask(name)))
        group.advance()
    assert (group.stage, group.why) == ("failed", "input: element 30 is left to 1 members, and 2 must have it")
