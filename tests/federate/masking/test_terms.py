"""Terms, thresholds, groups, and the bytes of a round."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.federate.masking import ring, wire
from selvedge.federate.masking import threshold as thresholds
from selvedge.federate.masking.covering import thinnest
from selvedge.federate.masking.demands import Demands
from selvedge.federate.masking.sizes import sizes
from selvedge.federate.masking.split import groups
from selvedge.federate.masking.terms import MEMBERS, STAGES, Terms
from selvedge.federate.message import Refused

from .company import Company, carried, terms


def test_terms_are_written_in_one_way() -> None:
    t = terms(5)
    assert Terms.of_json(t.to_json()) == t
    assert Terms.of_json(t.to_json()).digest == t.digest
    others = [replace(t, **{field: value}) for field, value in (
        ("run", "b"), ("task", 1), ("group", 1), ("cohort", tuple("abc")), ("threshold", 2), ("size", 34), ("bits", 7),
        ("model", "cd" * 32), ("codec", "int8 of 0.02"), ("covered", 2), ("least", 5), ("rules", "ef" * 32),
    )]  # fmt: skip
    assert len({t.digest, *(other.digest for other in others)}) == 13


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("run", "", "run"), ("run", "a\nb", "run"), ("task", -1, "task"), ("task", True, "task"),
        ("group", 1.0, "group"),
        ("cohort", ("a",), "2 to 512"), ("cohort", ("b", "a", "c"), "sorted"), ("cohort", ("a", "a", "b"), "twice"),
        ("cohort", tuple(f"{i:03}" for i in range(MEMBERS + 1)), "2 to 512"), ("cohort", ("a", 2), "no name"),
        ("threshold", 1, "threshold"), ("threshold", 6, "threshold"), ("size", 0, "size"), ("bits", 0, "bits"),
        ("bits", 30, "bits is 30: 1 to 29"), ("model", "AB" * 32, "model"), ("model", "ab", "model"),
        ("codec", 5, "codec"), ("covered", 0, "covered"), ("covered", 6, "covered"),
        ("least", 1, "least"), ("least", 6, "least is 6: 2 to 5"), ("least", True, "least"), ("rules", "ab", "rules"),
        ("rules", 5, "rules"),
    ],
)  # fmt: skip
def test_terms_that_make_no_round_are_refused(field: str, value: Any, why: str) -> None:
    with pytest.raises(Refused, match=why):
        replace(terms(5), **{field: value})


def test_terms_that_are_not_as_they_are_written_are_refused() -> None:
    text = terms(3).to_json()
    found = json.loads(text)
    for wrong in ("", "[]", "[" * 100_000, text + " ", text[:-1], json.dumps(found), json.dumps({**found, "more": 1}),
                  json.dumps({**found, "cohort": "abc"}, sort_keys=True, separators=(",", ":"))):  # fmt: skip
        with pytest.raises(Refused):
            Terms.of_json(wrong)


@settings(max_examples=150)
@given(data=st.binary(max_size=400), stage=st.sampled_from(STAGES))
def test_any_bytes_are_read_or_refused_in_one_way(data: bytes, stage: str) -> None:
    company = Company(terms(3))
    t, one = company.terms, company.members["device 000"]
    for sent in (data, wire.head(stage, t.digest, False) + data):
        try:
            one.answer(stage, t, sent, company.values["device 000"] if stage == "input" else None)
        except Refused:
            continue
        assert (stage, sent[36:]) == ("keys", b"")
    for read in (wire.keys_of, wire.unlisted, wire.set_of):
        for sent in (data, wire.head("keys", t.digest, True) + data):
            try:
                read(sent, t)  # type: ignore[operator]
            except Refused:
                continue


def test_more_bytes_than_a_stage_has_are_not_looked_at() -> None:
    company = Company(terms(3))
    for stage in STAGES:
        long = wire.head(stage, company.terms.digest, False) + bytes(wire.most_ask(stage, company.terms))
        with pytest.raises(Refused, match=f"{stage}: .* B where at most"):
            company.answer("device 000", stage, long)


def test_no_message_of_a_round_is_longer_than_it_may_be_and_the_sizes_are_those_sent() -> None:
    from selvedge.federate.masking.group import Group

    company = Company(terms(9, size=501))
    group, counted = Group(company.terms, company.public), sizes(company.terms)
    for stage in STAGES:
        for name in company.terms.cohort:
            ask = group.ask(name)
            answer = company.answer(name, stage, ask)
            assert (len(answer), len(ask)) == (counted.up[stage], counted.down[stage])
            assert max(len(answer), len(ask)) <= wire.most(stage, company.terms)
            group.put(name, answer)
        group.advance()
    assert group.stage == "done"


def test_a_million_parameters_of_a_hundred_clients_go_up_in_at_most_1_95_bytes_each() -> None:
    t = terms(100, size=1_000_000)
    found = sizes(t, certificate=300)
    assert t.width == 15
    assert found.plain == 1_875_000 == len(ring.pack(np.zeros(1_000_000, np.uint16), t.width))
    assert found.a_parameter <= 1.95
    assert found.overhead < 0.04
    up = 36 + 98 + 16 + 2 + 300 + 2 + 64  # keys, and the past
    up += 36 + 99 * 60  # a sealed pair of shares for each other
    up += 36 + 1_875_000 + 64  # the sum's bits, signed
    up += 36 + 64  # consent
    up += 36 + 100 * 16  # a share of each
    assert sum(found.up.values()) == up
    assert "B a parameter up" in str(found)


def test_and_once_truly() -> None:
    """As many parameters, of fewer clients: what is sent is what was counted."""
    company = Company(terms(3, size=1_000_000))
    sent = dict.fromkeys(STAGES, 0)
    real = company.members["device 001"].answer

    def answer(stage: str, *given: Any) -> bytes:
        made = real(stage, *given)
        sent[stage] += len(made)
        return made

    company.members["device 001"].answer = answer  # type: ignore[method-assign]
    total, who = carried(company).total()
    np.testing.assert_array_equal(total, company.sum(who))
    assert sent == dict(sizes(company.terms).up)
    assert sum(sent.values()) / 1_000_000 == sizes(company.terms).a_parameter < 1.26


# -- thresholds, groups, coverage -------------------------------------------------------------------------------------


def test_two_quorums_always_share_a_member_that_helps_nobody() -> None:
    for n in range(2, MEMBERS + 1):
        assert 2 * thresholds.majority(n) > n
        helpers = -(-n // 3) - 1  # fewer than a third
        assert 2 * thresholds.two_thirds(n) > n + helpers
        assert Demands().threshold(n) == thresholds.majority(n) <= n
        assert Demands(colluders=True).threshold(n) == thresholds.two_thirds(n) <= n


def test_how_often_a_group_fails_is_how_often_too_few_are_left() -> None:
    rng = np.random.default_rng(0)
    for n, need, loss in ((64, 43, 0.3), (10, 6, 0.3), (5, 3, 0.5)):
        seen = (rng.binomial(n, 1 - loss, 200_000) < need).mean()
        assert abs(thresholds.failure_rate(n, need, loss) - seen) < 0.005
    assert thresholds.failure_rate(64, 33, 0.0) == 0
    assert thresholds.failure_rate(64, 33, 1.0) == 1
    assert len(thresholds.table().splitlines()) == 9


@given(n=st.integers(2, 700), most=st.integers(2, 512), seed=st.text(max_size=5))
def test_a_cohort_is_split_alike_by_everyone_and_everyone_is_in_one_group(n: int, most: int, seed: str) -> None:
    names = [f"device {i}" for i in range(n)]
    found = groups(names, seed, most)
    assert found == groups(reversed(names), seed, most)
    assert sorted(name for one in found for name in one) == sorted(names)
    assert len(found) == -(-n // most)
    assert max(map(len, found)) <= most
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert all(list(one) == sorted(one) for one in found)


def test_groups_are_others_by_another_seed_and_none_is_too_small() -> None:
    names = [f"device {i}" for i in range(1000)]
    assert groups(names, "1", 64) != groups(names, "2", 64)
    assert {len(one) for one in groups(names, "1", 64)} == {62, 63}
    for wrong in (1, 513):
        with pytest.raises(InvalidInput, match="2 to 512"):
            groups(names, "1", wrong)
    with pytest.raises(InvalidInput, match="fewer than two"):
        groups(["a"], "1")
    with pytest.raises(InvalidInput, match="members is 1"):
        Demands(members=1)


spans = st.lists(st.integers(0, 30), unique=True, max_size=6).map(
    lambda edges: tuple(zip(sorted(edges)[0 : len(edges) // 2 * 2 : 2], sorted(edges)[1::2], strict=False))
)


@given(of=st.lists(spans, min_size=1, max_size=5))
def test_the_thinnest_element_is_found(of: list[tuple[tuple[int, int], ...]]) -> None:
    count = np.zeros(30, int)
    for own in of:
        for start, end in own or ((0, 30),):
            count[start:end] += 1
    least, where = thinnest(of, 30)
    assert least == min(count[count > 0])
    assert count[where] == least
