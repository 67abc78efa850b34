"""What a candidate costs on the device: exact bytes of its plan, and the planned time and energy of a prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..plan import Plan

NAMES: Mapping[str, str] = {
    "run": "RAM to run", "train": "RAM to train", "flash": "flash", "latency_s": "latency", "energy_j": "energy",
    "accuracy": "accuracy",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figures:
    """``run_bytes``: what has learned and the transient of ``predict``; ``train_bytes``: the arena of all programs.
    ``flash_bytes``: weights and, from above, code. ``macs``: of a prediction. ``seconds``, ``joules``: of one, planned;
    ``step_seconds``, ``step_joules``: of a step. ``learns``: numbers that learn, of ``parameters``."""

    run_bytes: int
    train_bytes: int
    flash_bytes: int
    weights_bytes: int
    macs: int
    step_macs: int
    seconds: float | None
    joules: float | None
    step_seconds: float | None
    step_joules: float | None
    learns: int

    @classmethod
    def of(cls, plan: Plan) -> Figures:
        memory, predict = plan.arrangement.memory, plan.arrangement.programs["predict"]
        step = plan.cost
        return cls(
            memory.persistent + predict.transient_bytes, memory.arena, memory.flash, memory.weights, predict.macs,
            step.macs, predict.seconds, predict.joules, step.seconds, step.joules,
            sum(plan.programs.learnt(n).size for n in plan.programs.updated),
        )  # fmt: skip

    def costs(self) -> Mapping[str, float | None]:
        """By the names of :class:`Limits`."""
        return {
            "run": self.run_bytes, "train": self.train_bytes, "flash": self.flash_bytes, "latency_s": self.seconds,
            "energy_j": self.joules,
        }  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
