"""What a dishonest server may try, each twice: here it is refused, or comes to nothing; in a copy of the protocol that
has one check less it gets the victim's values, to the last bit. So each of these tests can fail."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from selvedge.federate.keys import Key
from selvedge.federate.masking import agreement, checks, group, member, ring, wire
from selvedge.federate.masking.demands import Demands
from selvedge.federate.masking.sealed import sealed
from selvedge.federate.message import Refused

from .. import lying as lies
from .company import Company, Crook, carried, nothing, pairs_of, terms

VICTIM = "device 004"


class Attacked:
    """``one``: a round of new members and what the server has of the victim then; it is the victim's own, or not."""

    def __init__(
        self, one: Callable[[], tuple[Any, Any]], check: str, why: str, module: Any = checks, also: str = ""
    ) -> None:
        """also: of a member, what keeps the same from happening once more, behind the check."""
        self.one, self.check, self.why, self.module, self.also = one, check, why, module, also

    def shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(Refused, match=self.why):
            self.one()
        monkeypatch.setattr(self.module, self.check, nothing)
        if self.also:
            monkeypatch.setattr(member.Member, self.also, nothing)
        found, own = self.one()
        np.testing.assert_array_equal(found, own)


def until_input(crook: Crook) -> tuple[str, ...]:
    names = crook.company.terms.cohort
    crook.begin(names)
    for name in names:
        crook.input(name, names)
    return names


def double_role(company: Company | None = None) -> tuple[Any, Any]:
    """Everyone is asked to unmask the victim as a survivor, and then as one that was lost."""
    crook = Crook(company or Company(terms(7)))
    names = until_input(crook)
    others = [name for name in names if name != VICTIM]
    for alive in (names, others):
        signatures = {name: crook.consent(name, alive) for name in alive}
        for name in alive:
            crook.unmask(name, alive, signatures)
    return crook.stolen(VICTIM), crook.company.values[VICTIM]


def double_role_at_once() -> tuple[Any, Any]:
    """The like, but both are signed before either is unmasked."""
    crook = Crook(Company(terms(7)))
    names = until_input(crook)
    views = (names, tuple(name for name in names if name != VICTIM))
    signed = [{name: crook.consent(name, alive) for name in alive} for alive in views]
    for alive, signatures in zip(views, signed, strict=True):
        for name in alive:
            crook.unmask(name, alive, signatures)
    return crook.stolen(VICTIM), crook.company.values[VICTIM]


def equivocation() -> tuple[Any, Any]:
    """Each member is told of other survivors, six of ten each; taken together only four are alive to at least six: the
    victim, and three whose values the server has from elsewhere. These three do as the protocol says."""
    crook = Crook(Company(terms(10)))
    names = until_input(crook)
    known = names[:3]
    rest = [name for name in names if name != VICTIM and name not in known]
    for at, name in enumerate(names):
        if name in rest:
            extra = {name, rest[(rest.index(name) + 1) % 6]}
        else:
            extra = {rest[(2 * at) % 6], rest[(2 * at + 1) % 6]}
        alive = sorted({VICTIM, *known, *extra})
        crook.unmask(name, alive, {name: crook.consent(name, alive)})
    bare = np.sum([crook.inputs[name] for name in (VICTIM, *known)], axis=0, dtype=crook.inputs[VICTIM].dtype)
    masks = []
    for name in (VICTIM, *known):
        masks.append((agreement.own_mask(crook.seed(crook.of_own, crook.place(name))), False))
    for name in rest:
        place = crook.place(name)
        secret = agreement.mask_secret(crook.seed(crook.of_mask, place))
        for other in (VICTIM, *known):
            shown = wire.keys_of(crook.keys[other], crook.company.terms)
            masks.append((agreement.between(secret, shown.mask, place, shown.place), shown.place > place))
    group.stream.mask(bare, masks)
    total = ring.signed(bare, crook.company.terms.width)
    return total - crook.company.sum(known), crook.company.values[VICTIM]


def low_threshold(demands: Demands | None = None, threshold: int = 3, helper: str | None = None) -> tuple[Any, Any]:
    """Half of the members are told that the victim is alive, half that it is dead; each half is a quorum. ``helper``:
    one that says and signs whatever the server likes."""
    company = Company(terms(9, threshold), demands=demands)
    crook = Crook(company)
    names = until_input(crook)
    others = [name for name in names if name not in (VICTIM, helper)]
    halves = ([VICTIM, *others[:3]], others[3:])
    for half in halves:
        half += [helper] if helper else []
        view = sorted(half)
        if helper:
            kept = company.members[helper].state()
        signatures = {name: crook.consent(name, view) for name in half}
        for name in half:
            crook.unmask(name, view, signatures)
        if helper:
            company.members[helper].load(kept)
    return crook.stolen(VICTIM), company.values[VICTIM]


def small_group() -> tuple[Any, Any]:
    """A group of the victim and one whose values the server has from elsewhere."""
    company = Company(terms(2, cohort=("another", VICTIM)))
    total, _ = carried(company).total()
    return total - company.values["another"], company.values[VICTIM]


def repeated_round() -> tuple[Any, Any]:
    """The same round twice; the second time the victim is left out. Sums of the same values differ by its own."""
    company = Company(terms(7))
    first, _ = carried(company).total()
    second, _ = carried(company, {"input": {VICTIM}}).total()
    return first - second, company.values[VICTIM]


def replayed_keys() -> tuple[Any, Any]:
    """The victim's generator of random numbers begins again, as that of a copied virtual machine does: its round keys
    come back. In the first round it is lost, which gives the one seed, in the second it is alive, which gives the
    other."""
    company = Company(terms(7))

    def stuck(stage: str, told: Any, ask: bytes, values: Any = None) -> bytes:
        if stage != "keys":
            return real(stage, told, ask, values)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(member.secrets, "token_bytes", lambda count: bytes(range(count)))
            return real(stage, told, ask, values)

    real = company.members[VICTIM].answer
    company.members[VICTIM].answer = stuck  # type: ignore[method-assign]
    crooks = [
        Crook(company, {name: replace(company.terms, task=task) for name in company.terms.cohort}) for task in (0, 1)
    ]
    for crook, lost in zip(crooks, ({VICTIM}, set()), strict=True):
        names = company.terms.cohort
        crook.begin(names)
        alive = [name for name in names if name not in lost]
        for name in alive:
            crook.input(name, names)
        signatures = {name: crook.consent(name, alive) for name in alive}
        for name in alive:
            crook.unmask(name, alive, signatures)
    place = crooks[1].place(VICTIM)
    mask, own = crooks[0].seed(crooks[0].of_mask, place), crooks[1].seed(crooks[1].of_own, place)
    return crooks[1].stripped(VICTIM, mask, own), company.values[VICTIM]


def alone_among(crook: Crook, key_of: Callable[[str], Key]) -> tuple[Any, Any]:
    """The victim is shown keys of the server's own making in the place of all others', each signed by ``key_of``: its
    shares are for the server, and so are its masks. No other member is asked anything."""
    company, t = crook.company, crook.company.terms
    crook.keys[VICTIM] = wire.head("keys", t.digest, True) + crook.ask(VICTIM, "keys")
    channels = {name: secrets.token_bytes(32) for name in t.cohort if name != VICTIM}
    masks = {name: secrets.token_bytes(16) for name in channels}
    for name in channels:
        public = agreement.public(channels[name]), agreement.public(agreement.mask_secret(masks[name]))
        text = wire.keys_text(t, crook.place(name), *public, bytes(32), b"", ())
        crook.keys[name] = text + key_of(name).sign(text)
    crook.share([VICTIM], [crook.keys[name] for name in t.cohort])
    got = pairs_of(crook, VICTIM, channels)
    shown = wire.keys_of(crook.keys[VICTIM], t).channel
    place = crook.place(VICTIM)
    pairs = {n: sealed(s, shown, crook.place(n), place, bytes(32)) for n, s in channels.items()}
    crook.input(VICTIM, t.cohort, pairs)
    crook.of_mask[place] = {i: pair[:16] for i, pair in got.items()}
    crook.of_own[place] = {i: pair[16:] for i, pair in got.items()}
    return crook.stolen(VICTIM), company.values[VICTIM]


def forged_keys() -> tuple[Any, Any]:
    forger = Key(bytes(32))
    return alone_among(Crook(Company(terms(7))), lambda name: forger)


def swapped_keys() -> tuple[Any, Any]:
    """Each member's place has keys that another member signed for the server: of its own name it would not."""
    crook = Crook(Company(terms(7)))
    names = [name for name in crook.company.terms.cohort if name != VICTIM]
    return alone_among(crook, lambda name: crook.company.keys[names[names.index(name) - 1]])


def one_as_many() -> tuple[Any, Any]:
    """One device that was enrolled under all the other names."""
    company, device = Company(terms(7)), Key(bytes(32))
    company.public.update({name: device.public for name in company.terms.cohort if name != VICTIM})
    return alone_among(Crook(company), lambda name: device)


def another_model() -> tuple[Any, Any]:
    """All others are told of a model of which nothing can be learnt: the sum is the victim's alone. (What the values of
    zero stand for is a model whose gradient is zero.)"""
    company = Company(terms(7))
    other = replace(company.terms, model="cd" * 32)
    names = company.terms.cohort
    for name in names:
        if name != VICTIM:
            company.values[name] = np.zeros_like(company.values[name])
    crook = Crook(company, {name: other for name in names if name != VICTIM})
    until_input(crook)
    others = [name for name in names if name != VICTIM]
    signatures = {name: crook.consent(name, names) for name in others}
    for name in others:
        crook.unmask(name, names, signatures)
    total = np.sum([crook.inputs[name] for name in names], axis=0, dtype=crook.inputs[VICTIM].dtype)
    seeds = [crook.seed(crook.of_own, crook.place(name)) for name in names]
    group.stream.mask(total, [(agreement.own_mask(seed), False) for seed in seeds])
    return ring.signed(total, company.terms.width), company.values[VICTIM]


def another_model_behind_the_same_terms() -> tuple[Any, Any]:
    """The terms are the same for all; the bytes of the model beside them are not, of whole devices: all but the victim
    are sent one of which nothing can be learnt."""
    victim, count = 4, 6
    lying = lies.Server({i: lies.participant(i, count) for i in range(count)})
    done = lying.round(range(count), 0, sent=lambda i: lies.ZEROS if i == victim else lies.DEAD)
    if lying.why:
        raise Refused(lying.why[0])
    codec, found = lies.told(done)
    own = lies.samples(victim).train(lies.ZEROS, {}, 0, None, None).vector
    return found.values * codec.step, own[codec.places]


def another_run() -> tuple[Any, Any]:
    """A second run, which the server gives another name: its tasks begin anew. The second time the victim is left
    out."""
    company = Company(terms(7), demands=Demands(run="a run/1"))
    first, _ = carried(company).total()
    second, _ = carried(company, {"input": {VICTIM}}, replace(company.terms, run="a run/2")).total()
    return first - second, company.values[VICTIM]


def two_inputs() -> tuple[Any, Any]:
    """The victim is asked for its input twice, the second time for a model of which it learns nothing: the masks are
    the same."""
    company = Company(terms(7))
    crook = Crook(company)
    names = company.terms.cohort
    crook.begin(names)
    first = crook.input(VICTIM, names)
    second = crook.input(VICTIM, names, values=np.zeros_like(company.values[VICTIM]))
    return ring.signed(first - second, company.terms.width), company.values[VICTIM]


def thin_slice() -> tuple[Any, Any]:
    """Only the victim and one that is lost have the last elements: of these the sum is the victim's own."""
    company = Company(terms(7))
    for name, own in company.values.items():
        if name not in (VICTIM, "device 005"):
            own[20:] = 0
    real = {name: m.answer for name, m in company.members.items()}
    for name, one in company.members.items():

        def answer(stage: str, told: Any, ask: bytes, values: Any = None, name: str = name) -> bytes:
            spans = () if name in (VICTIM, "device 005") or stage != "keys" else ((0, 20),)
            return real[name](stage, told, ask, values, spans)

        one.answer = answer  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group, "LEAST_COVERED", 1)  # the server's own check, which a dishonest one has not
        total, _ = carried(company, {"input": {"device 005"}}).total()
    return total[20:], company.values[VICTIM][20:]


ATTACKS = {
    "double role": Attacked(double_role_at_once, "once", "second set of survivors", also="_end"),
    "equivocation": Attacked(equivocation, "quorum", "1 signatures where 6"),
    "low threshold": Attacked(low_threshold, "group", "threshold of 3 of 9 members where 5"),
    "small group": Attacked(small_group, "group", "group of 2 members"),
    "repeated round": Attacked(repeated_round, "fresh_task", "task 0 of a run/1 was had"),
    "replayed keys": Attacked(replayed_keys, "fresh_keys", "seen in an earlier round"),
    "forged keys": Attacked(forged_keys, "signed_keys", "not signed by who they are of"),
    "swapped keys": Attacked(swapped_keys, "signed_keys", "not signed by who they are of"),
    "one as many": Attacked(one_as_many, "distinct", "two members of one identity"),
    "another model": Attacked(another_model, "same_terms", "not of the terms"),
    "another model behind the same terms": Attacked(another_model_behind_the_same_terms, "model", "not the model"),
    "another run": Attacked(another_run, "joined", "a round of a run/2 where a run/1 was joined"),
    "two inputs": Attacked(two_inputs, "again", "again with something else"),
    "thin slice": Attacked(thin_slice, "covered", "element 20 is of 1 members"),
    "colluders": Attacked(
        lambda: low_threshold(Demands(colluders=True), 5, "device 000"), "group", "threshold of 5 of 9 members where 6"
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_refused_here_and_the_victims_values_without_the_check(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ATTACKS[name].shown(monkeypatch)


def test_one_after_the_other_is_the_same_stage_no_more() -> None:
    with pytest.raises(Refused, match="consent after unmask"):
        double_role()


def test_a_majority_is_no_defence_against_a_server_with_a_helper() -> None:
    """What the mode of two thirds is for; docs/secure.md says so."""
    found, own = low_threshold(None, 5, "device 000")
    np.testing.assert_array_equal(found, own)


def test_two_thirds_keep_a_server_with_a_helper_out() -> None:
    with pytest.raises(Refused, match="5 members where 6 is the threshold"):
        low_threshold(Demands(colluders=True), 6, "device 000")


def few_survivors() -> tuple[Any, Any]:
    """The survivors are said to be the victim and one whose values the server has."""
    crook = Crook(Company(terms(7)))
    names = until_input(crook)
    alive = (VICTIM, "device 006")
    signatures = {name: crook.consent(name, alive) for name in names}
    for name in names:
        crook.unmask(name, alive, {who: signatures[who] for who in alive})
    total = crook.inputs[VICTIM] + crook.inputs["device 006"]
    masks = [(agreement.own_mask(crook.seed(crook.of_own, crook.place(name))), False) for name in alive]
    for name in names:
        if name not in alive:
            place = crook.place(name)
            secret = agreement.mask_secret(crook.seed(crook.of_mask, place))
            for other in alive:
                shown = wire.keys_of(crook.keys[other], crook.company.terms)
                masks.append((agreement.between(secret, shown.mask, place, shown.place), shown.place > place))
    group.stream.mask(total, masks)
    bare = ring.signed(total, crook.company.terms.width)
    return bare - crook.company.values["device 006"], crook.company.values[VICTIM]


def test_few_survivors_are_refused_twice_over(monkeypatch: pytest.MonkeyPatch) -> None:
    for check, why in (("enough", "2 members where 4"), ("quorum", "2 signatures where 4")):
        with pytest.raises(Refused, match=why):
            few_survivors()
        monkeypatch.setattr(checks, check, nothing)
    found, own = few_survivors()
    np.testing.assert_array_equal(found, own)


def test_a_signature_of_other_survivors_or_of_another_round_is_none() -> None:
    crook = Crook(Company(terms(5)))
    names = until_input(crook)
    signatures = {name: crook.consent(name, names) for name in names}
    other = Crook(Company(terms(5), seed=1))
    until_input(other)
    elsewhere = {name: other.consent(name, names) for name in names}
    for wrong in (elsewhere, {**signatures, names[1]: signatures[names[0]]}):
        with pytest.raises(Refused, match="not signed by"):
            crook.unmask(names[0], names, wrong)
    crook.unmask(names[0], names, signatures)


def test_members_that_saw_other_keys_or_others_that_shared_do_not_sign_the_same() -> None:
    """The view of the round is in the signature: beside the terms, all round keys and who shared."""
    t = terms(5)
    texts = {
        wire.agreed(t, wire.view(seen, shared, t), range(5))
        for seen in (b"a", b"b") for shared in (range(5), range(4))
    }  # fmt: skip
    assert len(texts) == 4


def test_a_share_that_was_changed_on_its_way_is_named() -> None:
    company = Company(terms(5))
    crook = Crook(company)
    names = company.terms.cohort
    crook.begin(names)
    bad = bytearray(crook.sealed_for(names[2], names[0]))
    bad[20] ^= 1
    with pytest.raises(Refused, match="changed on its way: of device 002"):
        crook.input(names[0], names, {names[2]: bytes(bad)})
    assert len(crook.input(names[0], names)) == company.terms.size


def test_own_keys_must_be_among_those_shown() -> None:
    company = Company(terms(5))
    crook = Crook(company)
    crook.begin(company.terms.cohort)
    fresh = Company(company.terms, seed=0)
    later = Crook(fresh)
    later.ask(VICTIM, "keys")
    with pytest.raises(Refused, match="own keys are not among"):
        later.share([VICTIM], list(crook.keys.values()))


def test_a_key_of_small_order_is_refused() -> None:
    for low in (bytes(32), (1).to_bytes(32, "little")):
        with pytest.raises(Refused, match="small order"):
            agreement.agreed(bytes(range(32)), low, b"")
