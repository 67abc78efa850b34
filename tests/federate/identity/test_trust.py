"""Whom a device believes, and whom it does not: each refusal by its reason."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.federate.identity import credential, revocations, succession
from selvedge.federate.identity.published import Published
from selvedge.federate.identity.trust import Trust
from selvedge.federate.keys import Key
from selvedge.federate.message import Refused

FIRST, SECOND, THIRD, OTHER, DEVICE = (Key(bytes([i] * 32)) for i in range(1, 6))
BEGINS, NOW, ENDS = 1_000, 5_000, 10_000
UNTIL = 20_000


class Clock:
    def __init__(self, at: float = NOW) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def vouched(name: str = "kitchen", serial: int = 1, by: Key = FIRST, key: Key = DEVICE, ends: int = ENDS) -> bytes:
    return credential.made(name, key.public, "", serial, BEGINS, ends, by).data


def told(
    number: int, serials: tuple[int, ...] = (), by: Key = FIRST, issued: int = BEGINS, until: int = UNTIL
) -> bytes:
    return Published(FIRST.public, steps(by), revocations.made(number, issued, until, serials, by)).packed()


def steps(by: Key) -> tuple[succession.Succession, ...]:
    chain = (succession.made(1, 2_000, 6_000, FIRST, SECOND), succession.made(2, 3_000, 7_000, SECOND, THIRD))
    return chain[: (FIRST, SECOND, THIRD).index(by)]


def trust(*published: bytes, clock: Clock | None = None, fresh: bool = False) -> Trust:
    return Trust(FIRST.public, published, clock or Clock(), fresh)


def test_a_device_is_believed_by_its_name_and_key() -> None:
    assert trust(told(1)).open("kitchen", vouched()) == DEVICE.public
    assert trust().open("kitchen", vouched()) == DEVICE.public


def test_wrong_name() -> None:
    with pytest.raises(Refused, match="a credential of kitchen, shown by cellar"):
        trust().open("cellar", vouched())


def test_swapped_credentials() -> None:
    """A server that gives each of two devices the other's: neither takes the other for itself."""
    pair = {"a": vouched("a", 1, key=DEVICE), "b": vouched("b", 2, key=OTHER)}
    for name, other in (("a", "b"), ("b", "a")):
        with pytest.raises(Refused, match=f"a credential of {other}, shown by {name}"):
            trust().open(name, pair[other])


def test_forged_by_a_server_that_has_no_authority() -> None:
    """A Sybil: the name of the authority on it, and a signature of somebody else."""
    false = bytearray(vouched(by=OTHER))
    false[60:92] = FIRST.public
    with pytest.raises(Refused, match="not signed"):
        trust().open("kitchen", bytes(false))
    with pytest.raises(Refused, match="an authority that is not trusted"):
        trust().open("kitchen", vouched(by=OTHER))
    with pytest.raises(Refused, match="an authority that is not trusted"):
        trust().open("kitchen", vouched(by=DEVICE))  # no device vouches for another


def test_truncated() -> None:
    good = vouched()
    for end in range(len(good)):
        with pytest.raises(Refused):
            trust().open("kitchen", good[:end])


def test_before_its_day_and_behind_it() -> None:
    clock = Clock()
    believed = trust(clock=clock)
    for at, why in ((BEGINS - 1, "begins 1970-01-01 00:16"), (ENDS, "ended 1970-01-01 02:46")):
        clock.at = at
        with pytest.raises(Refused, match=why):
            believed.open("kitchen", vouched())
    clock.at = ENDS - 1
    assert believed.open("kitchen", vouched()) == DEVICE.public


def test_a_revoked_one_is_replayed() -> None:
    """Also once its key was replaced: the old credential is refused, the new one is not."""
    believed = trust(told(1))
    assert believed.open("kitchen", vouched()) == DEVICE.public
    assert believed.learn(told(2, (1,)))
    with pytest.raises(Refused, match="was revoked, serial 1"):
        believed.open("kitchen", vouched())
    assert believed.open("kitchen", vouched(serial=2, key=OTHER)) == OTHER.public


def test_an_older_list_never_counts_again() -> None:
    believed = trust(told(2, (1,)))
    with pytest.raises(Refused, match="of number 1, where 2 is known"):
        believed.learn(told(1))
    with pytest.raises(Refused, match="another list of revocations of number 2"):
        believed.learn(told(2))
    assert not believed.learn(told(2, (1,)))
    again = trust(*believed.published())  # as a device keeps it
    with pytest.raises(Refused, match="of number 1, where 2 is known"):
        again.learn(told(1))
    with pytest.raises(Refused, match="was revoked"):
        again.open("kitchen", vouched())


def test_a_list_past_its_day_is_said_and_where_it_is_asked_refused() -> None:
    clock = Clock()
    believed, strict = trust(told(1), clock=clock), trust(told(1), clock=clock, fresh=True)
    assert believed.said() == []
    clock.at = UNTIL
    assert believed.said() == [
        f"the list of revocations 1 of the authority {FIRST.public.hex()[:16]} ended 1970-01-01 05:33"
    ]
    long = vouched(ends=90_000)
    assert believed.open("kitchen", long) == DEVICE.public
    with pytest.raises(Refused, match="the list of revocations 1 of"):
        strict.open("kitchen", long)
    assert strict.learn(told(2, until=90_000))
    assert strict.open("kitchen", long) == DEVICE.public
    never = trust(clock=clock, fresh=True)
    assert never.said() == [f"no list of revocations of the authority {FIRST.public.hex()[:16]} is known"]
    with pytest.raises(Refused, match="no list of revocations"):
        never.open("kitchen", long)


def test_a_clock_that_was_set_back_ends_at_the_newest_list() -> None:
    """Or whoever sets it would have ended credentials again: such are taken off the list."""
    clock = Clock(0)
    believed = trust(told(1, issued=ENDS), clock=clock)
    with pytest.raises(Refused, match="ended"):
        believed.open("kitchen", vouched())


def test_keys_of_an_authority_follow_one_another() -> None:
    clock = Clock(5_500)
    believed = trust(told(1), clock=clock)
    new = vouched(serial=2, by=SECOND, key=OTHER)
    with pytest.raises(Refused, match="an authority that is not trusted"):
        believed.open("kitchen", new)
    assert believed.learn(told(2, by=SECOND))
    assert believed.open("kitchen", new) == OTHER.public
    assert believed.open("kitchen", vouched()) == DEVICE.public  # within the grace of the old key
    assert believed.learn(told(3, by=THIRD))  # and one that was asleep follows several at once
    assert trust(told(3, by=THIRD), clock=clock).open("kitchen", new) == OTHER.public
    clock.at = 6_000
    with pytest.raises(Refused, match="of an authority's key that ended 1970-01-01 01:40"):
        believed.open("kitchen", vouched())
    assert believed.open("kitchen", new) == OTHER.public


def test_a_key_that_was_followed_signs_nothing_new() -> None:
    """Nor a second successor: whoever has stolen the old key comes too late."""
    believed = trust(told(2, (7,), by=SECOND))
    with pytest.raises(Refused, match="whose keys are others than they were"):
        believed.learn(told(9))
    fork = Published(FIRST.public, (succession.made(1, 2_000, 6_000, FIRST, OTHER),),
                     revocations.made(9, BEGINS, UNTIL, (), OTHER)).packed()  # fmt: skip
    with pytest.raises(Refused, match="whose keys are others than they were"):
        believed.learn(fork)
    with pytest.raises(Refused, match="was revoked"):
        believed.open("kitchen", vouched(serial=7, by=SECOND))


def test_two_authorities_speak_each_for_its_own() -> None:
    other = Published(OTHER.public, (), revocations.made(1, BEGINS, UNTIL, (1,), OTHER)).packed()
    believed = Trust([FIRST.public, OTHER.public], [other], Clock())
    assert believed.open("kitchen", vouched()) == DEVICE.public  # serial 1 of the other one
    with pytest.raises(Refused, match="was revoked"):
        believed.open("kitchen", vouched(by=OTHER))
    with pytest.raises(Refused, match="not trusted here"):
        trust().learn(other)


@given(st.permutations(range(6)), st.integers(0, 5))
@settings(max_examples=100)
def test_in_whatever_order_lists_come_no_revocation_is_lost(order: list[int], restart: int) -> None:
    """Number n revokes the serials below n: what has ever been refused as revoked is so for ever, over restarts too."""
    believed = trust()
    newest = -1
    for i, number in enumerate(order):
        try:
            believed.learn(told(number, tuple(range(number))))
        except Refused:
            assert number < newest
        newest = max(newest, number)
        if i == restart:
            believed = trust(*believed.published())
        for serial in range(6):
            try:
                believed.open("kitchen", vouched(serial=serial))
            except Refused:
                assert serial < newest
            else:
                assert serial >= newest


def test_what_was_refused_has_changed_nothing() -> None:
    believed = trust(told(2, (3,)))
    before = believed.published()
    for bad in (b"", told(1), told(3)[:-1], told(2), told(4, by=FIRST)[:-64] + bytes(64)):
        with pytest.raises(Refused):
            believed.learn(bad)
    assert believed.published() == before


def test_every_key_of_the_wrong_place_is_refused() -> None:
    """Credentials of each key, under each key's own name: only those of the chain count."""
    believed = trust(told(3, by=THIRD))
    for signer, claimed in itertools.product((FIRST, SECOND, THIRD, OTHER), repeat=2):
        data = bytearray(vouched(by=signer))
        data[60:92] = claimed.public
        if signer is claimed and signer is not OTHER:
            assert believed.open("kitchen", bytes(data)) == DEVICE.public
        else:
            with pytest.raises(Refused):
                believed.open("kitchen", bytes(data))
