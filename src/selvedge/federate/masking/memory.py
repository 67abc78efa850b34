"""What a member keeps of a round between its stages, as JSON can hold it; and of earlier rounds."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..message import Refused
from .agreement import KEY
from .sealed import PAIR
from .terms import STAGES, Terms
from .wire import PAST, Span


@dataclass(frozen=True, slots=True)
class Peer:
    """Another member's public keys in this round, its identity, its past, and the elements that it has."""

    channel: bytes
    mask: bytes
    identity: bytes
    past: bytes
    spans: tuple[Span, ...]


@dataclass(slots=True)
class Round:
    """``channel``: an X25519 secret; ``mask``, ``own``: seeds of the mask key and of the own mask. ``pairs``: the
    shares of both seeds of each that shared, this member's own from the beginning: none behind the last stage.
    ``past``: this member's own. ``asked``: SHA-256 of what ``shares`` asked; ``answer``: what was said. ``values``:
    SHA-256 of what was masked. ``alive``: the survivors that were signed."""

    terms: Terms
    stage: str
    channel: bytes
    mask: bytes
    own: bytes
    spans: tuple[Span, ...]
    past: bytes
    peers: dict[int, Peer] = field(default_factory=dict)
    asked: bytes = b""
    answer: bytes = b""
    pairs: dict[int, bytes] = field(default_factory=dict)
    shared: tuple[int, ...] = ()
    values: bytes = b""
    alive: tuple[int, ...] | None = None

    def state(self) -> dict[str, Any]:
        spans = sorted({peer.spans for peer in self.peers.values()})  # most members have the same
        return {
            "terms": self.terms.to_json(), "stage": self.stage, "spans": self.spans, "shared": self.shared,
            "alive": self.alive, "covers": spans,
            "peers": {str(i): [_text(p.channel + p.mask + p.identity + p.past), spans.index(p.spans)]
                      for i, p in self.peers.items()},
            "pairs": {str(i): _text(pair) for i, pair in self.pairs.items()},
            **{name: _text(getattr(self, name)) for name in _BYTES},
        }  # fmt: skip

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Round:
        """Raises :class:`Refused` for what :meth:`state` did not make."""
        try:
            covers = [_spans(own) for own in state["covers"]]
            peers = {}
            for i, (text, cover) in state["peers"].items():
                keys = _bytes(text)
                channel, mask, identity, past = (keys[at : at + KEY] for at in range(0, 4 * KEY, KEY))
                if len(past) != PAST:
                    raise ValueError("a past")
                peers[int(i)] = Peer(channel, mask, identity, past, covers[cover])
            if state["stage"] not in STAGES:
                raise ValueError("a stage")
            pairs = {int(i): _bytes(text) for i, text in state["pairs"].items()}
            if any(len(pair) != PAIR for pair in pairs.values()):
                raise ValueError("a pair")
            return cls(
                Terms.of_json(state["terms"]), state["stage"], spans=_spans(state["spans"]), peers=peers, pairs=pairs,
                shared=tuple(state["shared"]), alive=None if state["alive"] is None else tuple(state["alive"]),
                **{name: _bytes(state[name]) for name in _BYTES},
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            raise Refused("what is kept of a round cannot be read: this member is lost in it") from None


_BYTES = ("channel", "mask", "own", "past", "asked", "answer", "values")


def _text(data: bytes) -> str:
    return b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return b64decode(text, validate=True)


def _spans(listed: Any) -> tuple[Span, ...]:
    return tuple((int(start), int(end)) for start, end in listed)
