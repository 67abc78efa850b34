"""Hypothesis drives a round: any order of asks, answers, copies, changes, ends and losses. Never a wrong sum, never a
hang."""

from __future__ import annotations

import json
import os

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from selvedge.federate.masking.group import Group
from selvedge.federate.masking.member import Member
from selvedge.federate.masking.terms import STAGES
from selvedge.federate.message import Refused

from .company import Company, terms

who = st.integers(0, 6)


class Round(RuleBasedStateMachine):
    """``posts``: what the network has: (member, stage, answer). ``counted``: by the books of this machine, whose answer
    to the present stage was taken, and whose input."""

    @initialize(n=st.integers(3, 7), seed=st.integers(0, 99), bits=st.sampled_from([1, 4, 8, 15]))
    def begin(self, n: int, seed: int, bits: int) -> None:
        self.company = Company(terms(n, bits=bits, size=9), seed)
        self.names = self.company.terms.cohort
        self.group = Group(self.company.terms, self.company.public)
        self.posts: list[tuple[str, str, bytes]] = []
        self.counted: set[str] = set()
        self.inputs: set[str] = set()
        self.spoilt = False

    def running(self) -> bool:
        return self.group.stage in STAGES

    @precondition(running)
    @rule(i=who, bit=st.none() | st.integers(0, 10_000))
    def ask(self, i: int, bit: int | None) -> None:
        name, stage = self.names[i % len(self.names)], self.group.stage
        try:
            answer = self.company.answer(name, stage, turned(self.group.ask(name), bit))
        except Refused:
            return
        self.posts.append((name, stage, answer))

    @precondition(running)
    @rule()
    def ask_all(self) -> None:
        for i in range(len(self.names)):
            if self.names[i] in self.group.waiting:
                self.ask(i, None)

    @precondition(lambda self: self.posts)
    @rule(at=st.integers(0, 50), keep=st.booleans(), bit=st.none() | st.integers(0, 100_000))
    def answer(self, at: int, keep: bool, bit: int | None) -> None:
        at %= len(self.posts)
        name, stage, answer = self.posts[at]
        if not keep:
            del self.posts[at]
        sent = turned(answer, bit)
        try:
            self.group.put(name, sent)
        except Refused:
            return
        self.spoilt |= stage == "unmask" and sent != answer and name not in self.counted
        self.counted.add(name)
        if stage == "input":
            self.inputs.add(name)

    @precondition(lambda self: self.posts)
    @rule()
    def answer_all(self) -> None:
        for _ in range(len(self.posts)):
            self.answer(0, False, None)

    @precondition(running)
    @rule(i=who)
    def lose(self, i: int) -> None:
        self.group.lose(self.names[i % len(self.names)])

    @precondition(running)
    @rule(i=who, blank=st.booleans())
    def end_of_a_member(self, i: int, blank: bool) -> None:
        name = self.names[i % len(self.names)]
        kept = json.loads(json.dumps(self.company.members[name].state()))
        public = self.company.public
        self.company.members[name] = Member(name, self.company.keys[name], lambda one, _: public[one])
        self.company.members[name].load({**kept, "round": None} if blank else kept)

    @rule()
    def end_of_the_server(self) -> None:
        head, arrays = self.group.state()
        self.group = Group(self.company.terms, self.company.public)
        self.group.load(json.loads(json.dumps(head)), arrays)

    @precondition(lambda self: self.running() and (not self.group.waiting or len(self.posts) > 12))
    @rule()
    def on(self) -> None:
        self.advance()

    @precondition(running)
    @rule()
    def the_clock(self) -> None:
        if len(self.counted) >= self.company.terms.threshold:
            self.advance()

    def advance(self) -> None:
        stage, enough = self.group.stage, len(self.counted) >= self.company.terms.threshold
        self.group.advance()
        assert self.group.stage != stage, "a hang"
        assert (self.group.stage != "failed") == enough or self.spoilt
        self.counted = set()

    @invariant()
    def a_sum_is_exact(self) -> None:
        if not hasattr(self, "group"):
            return
        if self.group.stage == "done":
            total, names = self.group.total()
            assert set(names) == self.inputs
            np.testing.assert_array_equal(total, self.company.sum(names))
        else:
            assert (self.group.stage == "failed") == bool(self.group.why)
            try:
                self.group.total()
            except Refused:
                return
            raise AssertionError("a sum before the end")

    def teardown(self) -> None:
        """Whatever was done, the rest of the round ends when nothing is in its way any more."""
        if not hasattr(self, "group"):
            return
        while self.running():
            self.ask_all()
            self.answer_all()
            self.advance()
            self.a_sum_is_exact()


def turned(data: bytes, bit: int | None) -> bytes:
    """``data`` with one bit turned."""
    if bit is None:
        return data
    at = bit // 8 % len(data)
    return data[:at] + bytes([data[at] ^ 1 << bit % 8]) + data[at + 1 :]


TestRound = Round.TestCase
TestRound.settings = settings(
    max_examples=int(os.environ.get("SELVEDGE_EXAMPLES") or 60), stateful_step_count=30, deadline=None
)
