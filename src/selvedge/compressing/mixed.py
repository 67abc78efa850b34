"""Bits of each layer under a byte budget: what each width costs, and the exact choice; a file that a person may
edit."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..artifact import files
from ..artifact.number import finite
from ..device.sizes import parse_bytes
from ..errors import DoesNotFit, InvalidInput
from . import given, samples
from .layers import constant, weighted
from .litert import WIDTHS, Wanted
from .quantise import calibrate, prepare
from .quantised import packed
from .sensitivity import Progress, sensitivity
from .simulate import first

DETERMINISTIC_SECONDS = 5.0  # OR-Tools' own clock, which counts work: the same on every machine
FINE = 10**12  # whole numbers at most that the greatest cost is divided into
LIMIT = 1 << 24  # bytes: no file of ours is larger
METRICS = {
    "noise": "noise over signal at the output if this layer alone has these bits",
    "loss": "rise of the cross-entropy if this layer alone has these bits",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A layer: ``bytes`` and ``cost`` of its weight at each number of bits, and the ``bits`` that were chosen."""

    layer: str
    bytes: Mapping[int, int]
    cost: Mapping[int, float]
    bits: int


@dataclass(frozen=True, slots=True)
class MixedBits:
    """``metric``: what costs are. ``budget``: bytes for everything that is stored: weights, and ``other_bytes`` of
    biases, scales and constants."""

    metric: str
    budget: int
    other_bytes: int
    choices: tuple[Choice, ...]

    @property
    def bits(self) -> dict[str, int]:
        """What ``sv.quantise(..., bits=)`` and ``sv.QAT(..., bits=)`` take."""
        return {c.layer: c.bits for c in self.choices}

    @property
    def bytes(self) -> int:
        """Of the weights as chosen, with biases, scales and constants."""
        return self.other_bytes + sum(c.bytes[c.bits] for c in self.choices)

    @property
    def cost(self) -> float:
        """The sum over layers, which is what was made least."""
        return sum(c.cost[c.bits] for c in self.choices)

    def save(self, path: str | Path) -> None:
        """Write it as JSON, a line a layer, whole or not at all."""
        head = {
            "metric": self.metric,
            "cost": METRICS[self.metric],
            "budget": self.budget,
            "other_bytes": self.other_bytes,
        }
        rows = [
            json.dumps(
                {"layer": c.layer, "bits": c.bits, "bytes": _keyed(c.bytes), "cost": _keyed(c.cost)}, ensure_ascii=False
            )
            for c in self.choices
        ]
        lines = [f"  {json.dumps(k)}: {json.dumps(v)}," for k, v in head.items()]
        body = ",\n    ".join(rows)
        files.write(Path(path), ("{\n" + "\n".join(lines) + f'\n  "layers": [\n    {body}\n  ]\n}}\n').encode())

    @classmethod
    def load(cls, path: str | Path) -> MixedBits:
        """Read what :meth:`save` wrote, edited or not. Raises ``InvalidInput`` naming the layer and the fix."""
        try:
            with Path(path).open("rb") as file:
                given = json.loads(file.read(LIMIT))
        except (OSError, ValueError, RecursionError) as error:
            said = error.strerror if isinstance(error, OSError) else str(error)
            raise InvalidInput("bits file", str(path), f"it cannot be read ({said}): choose the bits anew") from None
        if (
            not isinstance(given, dict)
            or given.get("metric") not in METRICS
            or not isinstance(given.get("layers"), list)
            or not _whole(given.get("budget"))
            or not _whole(given.get("other_bytes"))
        ):
            fix = "it needs metric, budget, other_bytes and layers: choose the bits anew"
            raise InvalidInput("bits file", str(path), fix)
        choices = tuple(_choice(row) for row in given["layers"])
        names = [c.layer for c in choices]
        for name in names:
            if names.count(name) > 1:
                raise InvalidInput(f"bits of {name}", "there twice", "remove one of the two")
        return cls(given["metric"], given["budget"], given["other_bytes"], choices)

    def __str__(self) -> str:
        width = max([5, *(len(c.layer) for c in self.choices)])
        lines = [f"{'layer':<{width}} {'bits':>4} {'bytes':>10} {'cost':>11}   at 4 and at 8 bits"]
        lines += [
            f"{c.layer:<{width}} {c.bits:>4} {c.bytes[c.bits]:>10,} {c.cost[c.bits]:>11.3g}   "
            + ", ".join(f"{c.cost[b]:.3g}" for b in sorted(c.cost))
            for c in self.choices
        ]
        said = f"{self.bytes:,} B of {self.budget:,} B, {self.other_bytes:,} B of them biases and scales"
        return "\n".join([*lines, f"{said}; cost: {METRICS[self.metric]}"])


def mixed_bits(
    model: nn.Module,
    calibration: Any,
    *,
    budget: int | str,
    labels: Any = None,
    bits: Sequence[int] = (4, 8),
    allow_few: bool = False,
    on_progress: Progress = lambda done, total, name: None,
) -> MixedBits:
    """The bits of each layer's weight of the least summed cost under which the quantised model takes at most ``budget``
    bytes: weights, int32 biases and float32 scales together, ``facts.bytes`` of what :func:`selvedge.quantise` gives.

    budget: a whole number, or a string as "64KiB". calibration: as :func:`selvedge.quantise` takes it.
    labels: [N] class numbers of those samples; then the cost of a layer is what the cross-entropy rises by, else the
    noise at the output. Each cost is measured with that layer alone at those bits; that costs add up is the assumption
    of the choice (independent errors). The choice itself is exact: a multiple-choice knapsack by CP-SAT (OR-Tools).

    Raises :class:`DoesNotFit` where even the fewest bits take more, and what :func:`selvedge.quantise` raises.
    """
    given.module(model)
    given.flags(allow_few=allow_few)
    limit, widths = parse_bytes(budget, "budget"), _widths(bits)
    if limit < 1:
        raise InvalidInput("budget", budget, "give 1 byte or more")
    data = samples.batches(calibration)
    samples.check(data, allow_few)
    example = tuple(x[:2] for x in data[0])
    out = first(given.tried(model, example, "calibration"))
    classes = None if labels is None else _classes(labels, samples.count(data), out)
    prepared = prepare(model, example, Wanted(), "minmax")
    calibrate(prepared, data, "minmax")
    costs = sensitivity(prepared, data, widths, classes, on_progress)
    sizes, other = _sizes(prepared, widths)
    chosen = cheapest({k: sizes[k] for k in costs}, costs, limit - other)
    if chosen is None:
        least = other + sum(min(sizes[k].values()) for k in costs)
        raise DoesNotFit("the model", least, limit, f"a budget of {least:,} B, all at {min(widths)} bits")
    made = tuple(Choice(k, sizes[k], costs[k], chosen[k]) for k in costs)
    return MixedBits("noise" if classes is None else "loss", limit, other, made)


def cheapest(
    sizes: Mapping[str, Mapping[int, int]], costs: Mapping[str, Mapping[int, float]], budget: int
) -> dict[str, int] | None:
    """Name -> the option taken: the least sum of costs within ``budget``, then of bytes; None where nothing fits."""
    from ortools.sat.python import cp_model  # it takes a second to load

    model = cp_model.CpModel()
    taken = {(k, o): model.new_bool_var(f"{k} {o}") for k, options in sizes.items() for o in options}
    for k, options in sizes.items():
        model.add_exactly_one(taken[k, o] for o in options)
    size = sum(sizes[k][o] * literal for (k, o), literal in taken.items())
    model.add(size <= budget)
    most = (
        sum(max(options.values()) for options in sizes.values()) + 1
    )  # more than all bytes: one step of cost counts more
    fine = max(1, min(FINE, 2**62 // (most * max(1, len(sizes)))))
    unit = max((c for options in costs.values() for c in options.values()), default=0.0) / fine or 1.0
    cost = sum(round(costs[k][o] / unit) * literal for (k, o), literal in taken.items())
    model.minimize(cost * most + size)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = DETERMINISTIC_SECONDS
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    return {k: next(o for o in options if solver.boolean_value(taken[k, o])) for k, options in sizes.items()}


def _sizes(prepared: Any, bits: Sequence[int]) -> tuple[dict[str, dict[int, int]], int]:
    """(layer -> bits -> bytes of its weight, bytes of all biases, scales and constants)."""
    found, other, parts = dict[str, dict[int, int]](), 0, set[str]()
    for layer, node in weighted(prepared.graph):
        weight = constant(prepared, node.args[1].args[0])
        found[layer] = {b: packed(weight.numel(), b) for b in bits}
        biased = len(node.args) > 2 and node.args[2] is not None
        other += 4 * len(weight) * (2 if biased else 1)
        parts |= {str(node.args[1].args[0].target), *([str(node.args[2].target)] if biased else [])}
    constants = {str(n.target): n for n in prepared.graph.nodes if n.op == "get_attr" and n.users}
    for name in constants.keys() - parts:
        tensor = constant(prepared, constants[name])
        other += tensor.numel() * tensor.element_size()
    return found, other


def _widths(bits: object) -> tuple[int, ...]:
    """The widths to choose of, each once."""
    fix = f"give some of {', '.join(map(str, sorted(WIDTHS)))}, as (4, 8)"
    if isinstance(bits, str) or not isinstance(bits, Sequence) or not bits:
        raise InvalidInput("bits", bits, fix)
    for width in bits:
        if not _whole(width) or width not in WIDTHS:
            raise InvalidInput("bits", width, fix)
    return tuple(dict.fromkeys(bits))


def _classes(labels: Any, count: int, out: torch.Tensor) -> torch.Tensor:
    """[count], int64: ``labels`` as class numbers of an output [N, C]."""
    try:
        read = np.asarray(labels)
    except ValueError:  # rows of unlike lengths
        read = np.asarray(None)
    if read.dtype.kind not in "iuf":
        raise InvalidInput("labels", f"of type {read.dtype}", "give class numbers, from 0")
    if read.shape != (count,):
        fix = f"give one class number for each of the {count} calibration samples"
        raise InvalidInput("labels", f"of shape {list(read.shape)}", fix)
    if out.dim() != 2:
        shape = str(["N", *out.shape[1:]]).replace("'", "")
        raise InvalidInput("labels", "given", f"the model gives {shape}, not a figure a class [N, C]: leave labels out")
    wrong = read[~((read >= 0) & (read < out.shape[1]) & (read == np.floor(read)))]
    if len(wrong):
        fix = f"the model has {out.shape[1]} classes: give 0 to {out.shape[1] - 1}"
        raise InvalidInput("labels", wrong[0].item(), fix)
    return torch.from_numpy(read.astype(np.int64))


def _keyed(values: Mapping[int, Any]) -> dict[str, Any]:
    return {str(k): v for k, v in values.items()}


def _choice(row: object) -> Choice:
    if not isinstance(row, dict) or not isinstance(row.get("layer"), str):
        raise InvalidInput("bits file", "a layer without a name", "give each of layers its name")
    name = row["layer"]

    def read(field: str, valid: Callable[[Any], bool], fix: str) -> dict[int, Any]:
        given = row.get(field)
        if not isinstance(given, dict) or set(given) - {str(b) for b in WIDTHS} or not all(map(valid, given.values())):
            raise InvalidInput(f"{field} of {name}", given, fix)
        return {int(k): v for k, v in given.items()}

    sizes = read("bytes", _whole, "give a whole number of bytes for 4 and for 8 bits")
    costs = read("cost", lambda v: finite(v) is not None, "give a number for 4 and for 8 bits")
    if not _whole(row.get("bits")) or row["bits"] not in sizes or row["bits"] not in costs:
        raise InvalidInput(
            f"bits of {name}", repr(row.get("bits")), f"give one of {', '.join(map(str, sorted(sizes)))}"
        )
    return Choice(name, sizes, costs, row["bits"])


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
