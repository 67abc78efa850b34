"""What of a run composes with masks, and what does not and why: one table, for refusals, tests and the
documentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import InvalidInput
from ..codec.codec import Codec
from ..codec.deflate import Deflate
from ..codec.ints import Ints
from ..codec.low_rank import LowRank
from ..codec.masked import share_of
from ..codec.named import codec
from ..codec.raw import Raw
from ..codec.seeded import Seeded
from ..codec.sign import Sign
from ..codec.top import Top

SINGLE = "it judges single changes, and masks hide these: only their sum can be read"
OLD = "masks cancel only within a cohort that begins and ends together, so there are no old answers"
CONTROL = "a control variate is a second vector from each device, which is not masked here"
ALIKE = "no device says how many samples it has: each counts alike"
CLIPS = "the server clips single changes before it adds noise, and masks hide these"
CARRIED = "what error feedback adds of earlier rounds is beyond the clip that its noise is made for"
CODECS: Mapping[type, str] = {
    Raw: "halves are no whole numbers, and do not add up in a ring",
    Sign: "the mean magnitude beside the signs is each device's own: a sum of signs cannot be read by it",
    Top: "the places of a device's largest elements are its own: they do not add up, and tell of its samples",
    LowRank: "a sum of products is not the product of the sums of their factors",
    Deflate: "masked values do not repeat, and how short each device's become would tell of them",
}


@dataclass(frozen=True, slots=True)
class Row:
    """``given``: what asks for it, as fields of ``sv.Federation``; of ``apart``, as ``sv.simulate`` is asked. runs:
    whether it composes with masks; ``why`` not, or how."""

    what: str
    runs: bool
    why: str
    given: Mapping[str, Any] = field(default_factory=dict)
    apart: str = ""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """``of``: (settings) -> what is asked for and does not compose, None where it does; ``why``: (settings) -> a
    line."""

    name: str
    of: Callable[[Any], object]
    why: Callable[[Any], str]
    fix: str


def _why_codec(s: Any) -> str:
    inner = _last(codec(s.up))
    if isinstance(inner, Ints):
        return f"its values have {inner.bits} bits and masked ones {s.masked.bits}"
    return CODECS[type(inner)]


def _last(given: Codec) -> Codec:
    return _last(given.inner) if isinstance(given, Seeded) else given


_REFUSALS = (
    _Refusal(
        "up", lambda s: s.up if share_of(codec(s.up), s.masked.bits) is None else None, _why_codec,
        "give float32, or seeded:SHARE+float32",
    ),
    _Refusal("mode", lambda s: None if s.mode == "rounds" else s.mode, lambda s: OLD, "give rounds"),
    _Refusal("rule", lambda s: None if s.rule == "mean" else s.rule, lambda s: SINGLE, "give mean"),
    _Refusal("scaffold", lambda s: s.local.scaffold or None, lambda s: CONTROL, "leave it out"),
    _Refusal(
        "privacy", lambda s: None if s.privacy is None or s.privacy.where == "local" else s.privacy.where,
        lambda s: CLIPS if s.privacy.where == "central" else CARRIED, "give where='local'",
    ),
    _Refusal("most_samples", lambda s: s.most_samples, lambda s: ALIKE, "leave it out"),
)  # fmt: skip


def check(settings: Any) -> None:
    """Of a ``Federation`` that is masked. Raises ``InvalidInput`` for what does not compose, which says why."""
    for refusal in _REFUSALS:
        if (value := refusal.of(settings)) is not None:
            raise InvalidInput(f"{refusal.name} with masked", value, f"{refusal.why(settings)}: {refusal.fix}")
    least = settings.masked.fewest
    if settings.clients < least:
        raise InvalidInput(
            "clients with masked", settings.clients, f"a group has at least {least} members: give so many"
        )
    count = -(-settings.asked // settings.masked.group)
    if settings.asked // count < least:
        fix = f"{settings.asked} devices in groups of at most {settings.masked.group} are {count}, the smallest of "
        fix += f"{settings.asked // count}: give a larger group, or at most that"
        raise InvalidInput("masked members", least, fix)


_NOISE = {"clip": 1.0, "noise": 1.0, "epsilon": 1000.0, "delta": 1e-5}
ROWS = (
    Row("`float32` (all elements)", True, "masked values stand in its place", {"up": "float32"}),
    Row("`int2`, `int4`, `int8`", True, "of as many bits as masked values have", {"up": "int4"}),
    Row("`int2`, `int4`, `int8` of other bits", False, "its values have 8 bits and masked ones 4", {"up": "int8"}),
    Row("`seeded:0.25+...`", True, "all send the same places", {"up": "seeded:0.25+int4"}),
    Row("`float16`", False, CODECS[Raw], {"up": "float16"}),
    Row("`sign`", False, CODECS[Sign], {"up": "sign"}),
    Row("`top:0.03+...`", False, CODECS[Top], {"up": "top:0.03+int4"}),
    Row("`rank:2+...`", False, CODECS[LowRank], {"up": "rank:2+int4"}),
    Row("`...+deflate`", False, CODECS[Deflate], {"up": "int4+deflate"}),
    Row("over-selection", True, "a group goes on with the first inputs of its members", {"over": 1.5}),
    Row("buffered, asynchrony", False, OLD, {"mode": "buffered"}),
    Row("median", False, SINGLE, {"rule": "median"}),
    Row("trimmed mean", False, SINGLE, {"rule": "trimmed", "robust": {"share": 0.1}}),
    Row("Krum", False, SINGLE, {"rule": "krum", "least": 4, "robust": {"liars": 0, "keep": 1}}),
    Row("SCAFFOLD", False, CONTROL, {"local": {"scaffold": True}}),
    Row("FedProx", True, "the pull is the device's own affair", {"local": {"mu": 0.1}}),
    Row("momentum", True, "it is of the mean, which is what is read", {"optimizer": {"momentum": 0.5, "rate": 0.5}}),
    Row("FedAdam", True, "the same", {"optimizer": {"kind": "adam", "rate": 0.1, "momentum": 0.9}}),
    Row("FedYogi", True, "the same", {"optimizer": {"kind": "yogi", "rate": 0.1, "momentum": 0.9}}),
    Row("codecs of the model", True, "all are shown one model", {"down": "int8"}),
    Row("differences downstream", True, "the model they lead to is the one that all agree on",
        {"down": "top:0.5+int8", "difference": True}),
    Row("weights by samples", False, ALIKE, {"most_samples": 100}),
    Row("privacy, local noise", True, "it is in the change before that is rounded and masked", apart="private"),
    Row("privacy, central noise", False, CLIPS, {"privacy": {**_NOISE, "where": "central"}}),
    Row("privacy, distributed noise", False, CARRIED, {"privacy": {**_NOISE, "where": "distributed"}}),
    Row("mixed widths", True, "those of a width are groups of their own", apart="widths"),
    Row("personal layers", True, "they stay where they are", apart="personal"),
)  # fmt: skip


def table() -> str:
    """The rows, for the documentation."""
    lines = ["| beside masks | | how, or why not |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {r.what} | {'runs' if r.runs else 'refused'} | {r.why} |" for r in ROWS)])
