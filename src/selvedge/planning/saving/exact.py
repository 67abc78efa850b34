"""The best sequence with repeats, proven, for small programs: an integer program over steps of time.

Jain et al., *Checkmate: breaking the memory wall with optimal tensor rematerialization*, MLSys 2020, section 4, but
any order is allowed, not only a given one, so that a step of time is one run of one kernel; and results
may take the place of operands that die. Solved by CP-SAT on one thread with a limit that counts work, not seconds: the
same answer on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from ortools.sat.python import cp_model

from .trace import Facts, profile

MOST = 14  # kernels of a program that is solved exactly
MORE = 6  # runs beyond the sequence that the solver starts from
WORK = 4.0  # of CP-SAT's deterministic seconds
SCALE = 100_000  # parts of the dearest kernel: costs as whole numbers


@dataclass(frozen=True, slots=True)
class Solved:
    """The best sequence found, its objective (bytes or cost) and a bound that no sequence of so many runs beats."""

    sequence: tuple[int, ...]
    bytes: int
    cost: float
    proven: bool


def solve(
    facts: Facts,
    start: Sequence[int],
    once: frozenset[int],
    *,
    limit: int | None,
    most: float = inf,
    work: float = WORK,
) -> Solved | None:
    """The cheapest sequence of at most ``limit`` bytes, or, where that is None, that of the fewest bytes; in at most
    ``most`` seconds either way.

    start: a sequence to begin from; every kernel of the program is in it. once: kernels that run
    exactly once. None where the solver finds nothing within its work.
    """
    return _Model(facts, start, once, limit, most).solve(work)


class _Model:
    def __init__(
        self, facts: Facts, start: Sequence[int], once: frozenset[int], limit: int | None, most: float
    ) -> None:
        self.facts, self.start, self.once = facts, list(start), once
        self.model = cp_model.CpModel()
        self.steps = len(self.start) + MORE
        self.kernels = sorted(facts.kernels)
        self.values = sorted({i for k in self.kernels for i in (*facts.reads[k], *facts.writes[k])} | facts.pinned)
        steps, model = self.steps, self.model
        self.run = {(t, k): model.new_bool_var(f"run {t} {k}") for t in range(steps) for k in self.kernels}
        self.live = {(t, v): model.new_bool_var(f"live {t} {v}") for t in range(steps + 1) for v in self.values}
        self._flow()
        self._once()
        self._pages()
        peak = model.new_int_var(0, sum(facts.size.values()), "peak")
        for t in range(steps):
            model.add(self._bytes(t) <= peak)
        cost, seconds = self._sum(facts.cost), self._sum(facts.seconds)
        if most < inf:
            unit = max(facts.seconds.values()) / SCALE
            model.add(seconds <= int(most / unit))
        if limit is None:
            # Bytes first; among sequences of the fewest bytes, few runs.
            runs = sum(self.run.values())
            model.minimize(peak * (len(self.run) + 1) + runs)
        else:
            model.add(peak <= limit)
            model.minimize(cost)
        self._hint()

    def _sum(self, of: Mapping[int, float]) -> cp_model.LinearExprT:
        unit = max(of.values()) / SCALE or 1.0
        return sum(int(of[k] / unit) * self.run[t, k] for t in range(self.steps) for k in self.kernels)

    def _flow(self) -> None:
        facts, model = self.facts, self.model
        makers: dict[int, list[int]] = {v: [] for v in self.values}
        for k in self.kernels:
            for w in facts.writes[k]:
                makers[w].append(k)
        for v in self.values:
            model.add(self.live[0, v] == int(v in facts.inputs))
            if v in facts.pinned:
                model.add(self.live[self.steps, v] == 1)
        for t in range(self.steps):
            model.add_at_most_one(self.run[t, k] for k in self.kernels)
            if t:  # idle steps come last
                model.add(sum(self.run[t, k] for k in self.kernels) <= sum(self.run[t - 1, k] for k in self.kernels))
            for v in self.values:
                model.add(self.live[t + 1, v] <= self.live[t, v] + sum(self.run[t, k] for k in makers[v]))
            for k in self.kernels:
                for r in facts.reads[k]:
                    model.add_implication(self.run[t, k], self.live[t, r])

    def _once(self) -> None:
        """An update runs exactly once, after every run that reads the old value and after the loss."""
        facts, model = self.facts, self.model
        position = {k: model.new_int_var(0, self.steps - 1, f"at {k}") for k in self.once}
        for k in sorted(self.once):
            model.add(sum(self.run[t, k] for t in range(self.steps)) == 1)
            model.add(position[k] == sum(t * self.run[t, k] for t in range(self.steps)))
            others = [o for o in self.kernels if o != k and facts.old[o] & facts.updates[k]]
            waits = [o for o in facts.waits.get(k, ()) if o != k]
            for t in range(self.steps):
                for o in others:
                    model.add(position[k] > t).only_enforce_if(self.run[t, o])
            for o in waits:
                first = [model.new_bool_var(f"{o} by {t} before {k}") for t in range(self.steps)]
                for t in range(self.steps):
                    model.add_implication(first[t], self.run[t, o])
                    model.add(position[k] > t).only_enforce_if(first[t])
                model.add_bool_or(first)

    def _pages(self) -> None:
        facts, model = self.facts, self.model
        for k in self.kernels:
            kernel = facts.kernels[k]
            if kernel.family != "page_in":
                continue
            out = next(o for o in self.kernels if facts.kernels[o].family == "page_out"
                       and facts.kernels[o].params["of"] == kernel.params["of"])  # fmt: skip
            for t in range(self.steps):
                model.add(sum(self.run[s, out] for s in range(t)) >= 1).only_enforce_if(self.run[t, k])

    def _bytes(self, t: int) -> cp_model.LinearExprT:
        facts, model = self.facts, self.model
        terms: list[cp_model.LinearExprT] = [facts.size[v] * self.live[t, v] for v in self.values]
        for k in self.kernels:
            terms.append(facts.scratch[k] * self.run[t, k])
            for w in facts.writes[k]:
                # What is still there when it is made again takes no second place.
                both = model.new_bool_var("")
                model.add_implication(both, self.live[t, w])
                model.add_implication(both, self.run[t, k])
                terms += [facts.size[w] * self.run[t, k], -facts.size[w] * both]
            shares: dict[int, list[cp_model.IntVar]] = {}
            for w, r in facts.pairs[k]:
                share = model.new_bool_var("")
                model.add_implication(share, self.run[t, k])
                model.add_implication(share, ~self.live[t + 1, r])
                model.add_implication(share, ~self.live[t, w])
                shares.setdefault(w, []).append(share)
                shares.setdefault(~r, []).append(share)
                terms.append(-facts.size[w] * share)
            for group in shares.values():
                model.add_at_most_one(group)
        return sum(terms)

    def _hint(self) -> None:
        facts = self.facts
        needed = set(facts.pinned)
        alive = [set(needed)]
        for k in reversed(self.start):
            needed = (needed - set(facts.writes[k])) | set(facts.reads[k])
            alive.append(set(needed))
        alive.reverse()
        for t in range(self.steps):
            now = self.start[t] if t < len(self.start) else None
            for k in self.kernels:
                self.model.add_hint(self.run[t, k], int(k == now))
        for t in range(self.steps + 1):
            for v in self.values:
                self.model.add_hint(self.live[t, v], int(v in alive[min(t, len(self.start))]))

    def solve(self, work: float) -> Solved | None:
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = 0
        solver.parameters.max_deterministic_time = work
        status = solver.solve(self.model)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return None
        taken = tuple(k for t in range(self.steps) for k in self.kernels if solver.value(self.run[t, k]))
        cost = sum(self.facts.cost[k] for k in taken)
        return Solved(taken, max(profile(self.facts, taken)), cost, status == cp_model.OPTIMAL)
