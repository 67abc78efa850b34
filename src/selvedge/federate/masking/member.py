"""A device's side: an ask in, an answer or a refusal out (Bonawitz et al. 2017, ePrint 2017/281, figure 4)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..keys import SIGNATURE, Signer
from ..message import Refused
from . import agreement, checks, ring, sealed, shares, stream, wire
from .agreement import SEED
from .demands import Demands
from .memory import Peer, Round
from .past import NONE, carriers
from .ring import IntVector
from .sealed import PAIR, SEALED
from .terms import STAGES, Terms
from .wire import Span

RUNS = 1024  # of which the latest task is remembered
KEYS = 4096  # round keys of others that are remembered


class Member:
    """``trust(name, certificate)``: the Ed25519 public key of a member, or it raises :class:`Refused`. ``certificate``:
    this member's own.

    Keep :meth:`state` before an answer leaves: whoever has lost it is lost in that round, as its task was had.
    """

    def __init__(
        self,
        name: str,
        key: Signer,
        trust: Callable[[str, bytes], bytes],
        certificate: bytes = b"",
        demands: Demands | None = None,
    ) -> None:
        self.name, self._key, self._trust, self._certificate = name, key, trust, bytes(certificate)
        self.demands = demands or Demands()
        self._tasks: dict[str, int] = {}
        self._seen: dict[bytes, None] = {}
        self._round: Round | None = None

    def answer(
        self,
        stage: str,
        terms: Terms,
        ask: bytes,
        values: IntVector | None = None,
        spans: tuple[Span, ...] = (),
        past: bytes = NONE,
    ) -> bytes:
        """The answer to ``ask``; asked the same again, the same again.

        values: int [size], only for ``input``: within ``terms.bits`` bits. spans: elements, from and to, only for
        ``keys``, outside of which they will be 0; none: anywhere. past: only for ``keys``: which rounds have left it
        what it adds where :meth:`carries` says so. Raises :class:`Refused` with the reason; then nothing
        leaves, and this member may be counted as lost.
        """
        if stage not in STAGES:
            raise Refused(f"no stage {stage!r}")
        if (values is None) != (stage != "input"):
            raise Refused(f"{stage}: {'with' if stage != 'input' else 'without'} values")
        content = wire.body(ask, stage, terms, False)
        checks.same_terms(wire.digest(ask), terms)
        if stage == "keys":
            return self._keys(terms, content, tuple(spans), past)
        kept = self._under_way(stage, terms)
        if stage == "shares":
            made = self._shares(kept, content)
        elif stage == "input":
            assert values is not None
            made = self._input(kept, content, values)
        elif stage == "consent":
            made = self._consent(kept, content)
        else:
            made = self._unmask(kept, content)
        kept.stage = stage
        return wire.head(stage, terms.digest, True) + made

    def carries(self, terms: Terms, ask: bytes) -> bool:
        """Whether what earlier rounds have left is a part of the values that ``ask``, of the stage ``input``, is to be
        answered with. Raises :class:`Refused` for all that :meth:`answer` would be refused for but its values, so that
        nothing is learnt, and no budget spent, for an ask that has no answer; and for another one than was answered."""
        content = wire.body(ask, "input", terms, False)
        checks.same_terms(wire.digest(ask), terms)
        kept = self._under_way("input", terms)
        if kept.stage == "input":
            raise Refused("the values of this round were said")
        shared, _ = self._opened(kept, content)
        return terms.index(self.name) in self._carriers(kept, shared)

    def _under_way(self, stage: str, terms: Terms) -> Round:
        if (kept := self._round) is None or kept.terms != terms:
            raise Refused(f"{stage} of a round that this member has no keys of")
        checks.order(kept.stage, stage)
        return kept

    @staticmethod
    def _carriers(kept: Round, shared: Iterable[int]) -> frozenset[int]:
        return carriers({place: kept.peers[place].past for place in shared}, kept.terms)

    # -- the stages -------------------------------------------------------------------------------------------------

    def _keys(self, terms: Terms, content: bytes, spans: tuple[Span, ...], past: bytes) -> bytes:
        if content:
            raise Refused("keys: an ask with something in it")
        terms.index(self.name)
        wire.ordered(spans, terms.size)
        kept = self._round
        if kept is not None and kept.terms == terms and kept.stage == "keys":
            checks.again(repr((kept.spans, kept.past)).encode(), repr((spans, past)).encode())
        else:
            checks.joined(terms, self.demands)
            checks.group(terms, self.demands)
            checks.fresh_task(self._tasks.get(terms.run), terms)
            channel, mask, own = (secrets.token_bytes(size) for size in (agreement.KEY, SEED, SEED))
            kept = Round(terms, "keys", channel, mask, own, spans, past)
            self._tasks.pop(terms.run, None)
            self._tasks[terms.run] = terms.task
            _trim(self._tasks, RUNS)
            self._round = kept
        text = self._said(kept)
        return text + self._key.sign(text)

    def _said(self, kept: Round) -> bytes:
        """What this member says of its keys."""
        return wire.keys_text(
            kept.terms,
            kept.terms.index(self.name),
            agreement.public(kept.channel),
            agreement.public(agreement.mask_secret(kept.mask)),
            agreement.commitment(kept.own),
            self._certificate,
            kept.spans,
            kept.past,
        )

    def _shares(self, kept: Round, content: bytes) -> bytes:
        terms, me = kept.terms, kept.terms.index(self.name)
        asked = hashlib.sha256(content).digest()
        if kept.stage == "shares":
            checks.again(kept.asked, asked)
            return kept.answer
        found = {keys.place: keys for keys in wire.unlisted(content, terms)}
        checks.enough(found, range(len(terms.cohort)), terms, me)
        checks.mine(found.get(me), self._said(kept))
        identities = {}
        for place, keys in found.items():
            identity = self._trust(terms.cohort[place], keys.certificate) if place != me else self._key.public
            checks.same_terms(keys.digest, terms)
            checks.signed_keys(keys, identity)
            identities[place] = identity
        round_keys = [key for keys in found.values() for key in (keys.channel, keys.mask)]
        checks.distinct(list(identities.values()), round_keys)
        checks.fresh_keys(self._seen, {terms.cohort[place]: (k.channel, k.mask) for place, k in found.items()})
        checks.covered([keys.spans for keys in found.values()], terms, self.demands)
        n = len(terms.cohort)
        of_mask, of_own = (shares.split(seed, terms.threshold, n) for seed in (kept.mask, kept.own))
        pairs = {place: of_mask[place] + of_own[place] for place in found}
        kept.answer = b"".join(
            sealed.sealed(kept.channel, keys.channel, me, place, pairs[place])
            for place, keys in found.items()
            if place != me
        )
        kept.pairs = {me: pairs[me]}
        kept.peers = {
            i: Peer(keys.channel, keys.mask, identities[i], keys.past, keys.spans) for i, keys in found.items()
        }
        kept.asked = asked
        self._seen.update({checks.mark(key): None for key in round_keys})
        _trim(self._seen, KEYS)
        return kept.answer

    def _opened(self, kept: Round, content: bytes) -> tuple[tuple[int, ...], dict[int, bytes]]:
        """(who shared, the shares of each of these that are this member's) of what the stage ``input`` asks."""
        terms, me = kept.terms, kept.terms.index(self.name)
        shared = wire.set_of(content[: wire.set_size(terms)], terms)
        checks.enough(shared, kept.peers, terms, me)
        checks.covered([kept.peers[place].spans for place in shared], terms, self.demands)
        data = content[wire.set_size(terms) :]
        others = [place for place in shared if place != me]
        if len(data) != SEALED * len(others):
            raise Refused("input: other than a share of each that shared")
        pairs = {me: kept.pairs[me]}
        for at, place in enumerate(others):
            share = data[at * SEALED : (at + 1) * SEALED]
            try:
                pairs[place] = sealed.opened(kept.channel, kept.peers[place].channel, place, me, share)
            except Refused as error:
                raise Refused(f"{error}: of {terms.cohort[place]}", of=terms.cohort[place]) from None
        return shared, pairs

    def _input(self, kept: Round, content: bytes, values: IntVector) -> bytes:
        terms, me = kept.terms, kept.terms.index(self.name)
        shared, pairs = self._opened(kept, content)
        total = self._words(kept, values)
        seen = hashlib.sha256(repr(shared).encode() + b"".join(pairs.values()) + total.tobytes()).digest()
        if kept.stage == "input":
            checks.again(kept.values, seen)
        kept.pairs, kept.shared, kept.values, kept.answer = pairs, shared, seen, b""
        secret = agreement.mask_secret(kept.mask)
        keys = [(agreement.own_mask(kept.own), True)]
        keys += [(agreement.between(secret, kept.peers[j].mask, me, j), me < j) for j in shared if j != me]
        stream.mask(total, keys)
        packed = ring.pack(total, terms.width)
        return packed + self._key.sign(wire.masked(terms, packed))

    def _words(self, kept: Round, values: IntVector) -> ring.Words:
        terms = kept.terms
        if not isinstance(values, np.ndarray) or values.dtype.kind != "i" or values.shape != (terms.size,):
            raise Refused(f"input: values that are no whole numbers [{terms.size}]")
        if kept.spans:
            outside = np.ones(terms.size, bool)
            for start, end in kept.spans:
                outside[start:end] = False
            if values[outside].any():
                raise Refused("input: a value outside of the elements that this member said it has")
        return ring.words(values, terms.bits, terms.width)

    def _consent(self, kept: Round, content: bytes) -> bytes:
        alive = self._alive(kept, content)
        kept.alive = alive
        return self._key.sign(self._agreed(kept, alive))

    def _alive(self, kept: Round, content: bytes) -> tuple[int, ...]:
        terms = kept.terms
        alive = wire.set_of(content, terms)
        checks.enough(alive, kept.shared, terms, terms.index(self.name))
        checks.covered([kept.peers[place].spans for place in alive], terms, self.demands)
        checks.carried(alive, self._carriers(kept, kept.shared), self.demands)
        checks.once(kept.alive, alive)
        return alive

    def _agreed(self, kept: Round, alive: tuple[int, ...]) -> bytes:
        return wire.agreed(kept.terms, wire.view(kept.asked, kept.shared, kept.terms), alive)

    def _unmask(self, kept: Round, content: bytes) -> bytes:
        terms, size = kept.terms, wire.set_size(kept.terms)
        alive = self._alive(kept, content[:size])
        signers, data = wire.set_of(content[size : 2 * size], terms), content[2 * size :]
        if len(data) != SIGNATURE * len(signers) or not set(signers) <= set(alive):
            raise Refused("unmask: other than a signature of each that signed")
        signatures = {place: data[at * SIGNATURE : (at + 1) * SIGNATURE] for at, place in enumerate(signers)}
        identities = {place: peer.identity for place, peer in kept.peers.items()}
        checks.quorum(self._agreed(kept, alive), signatures, identities, terms)
        if kept.pairs:
            # Who is not alive is dead: that no member is both is in the form of this answer.
            kept.answer = b"".join(
                kept.pairs[place][SEED:PAIR] if place in alive else kept.pairs[place][:SEED] for place in kept.shared
            )
        self._end(kept)
        return kept.answer

    @staticmethod
    def _end(kept: Round) -> None:
        """Nothing is asked of these any more, and who takes them from a threshold of members has what no sum tells."""
        kept.channel = kept.mask = kept.own = b""
        kept.pairs = {}

    # -- what is kept -----------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What JSON can hold; secrets of this round are in it."""
        return {
            "tasks": dict(self._tasks),
            "seen": [mark.hex() for mark in self._seen],
            "round": None if self._round is None else self._round.state(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Raises :class:`Refused` for what :meth:`state` did not make; nothing is changed then."""
        try:
            tasks = {str(run): int(task) for run, task in state["tasks"].items()}
            seen = {bytes.fromhex(mark): None for mark in state["seen"]}
            kept = state["round"]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Refused("what is kept of rounds cannot be read") from None
        found = None if kept is None else Round.of(kept)
        self._tasks, self._seen, self._round = tasks, seen, found


def _trim(kept: dict[Any, Any], most: int) -> None:
    for old in list(kept)[: max(0, len(kept) - most)]:
        del kept[old]
