"""What a run of the demonstration found, as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ...errors import DoesNotFit
from ...make.measure import Measured
from ...make.plan import Plan
from .camera import Camera
from .digits import Photos


@dataclass(frozen=True, slots=True)
class Scores:
    """Accuracy on the held-out pictures, as fractions: of the changed camera, of the ideal one."""

    shifted: float
    clean: float


@dataclass(frozen=True, slots=True)
class Point:
    """After ``seen`` samples: accuracy over the stream so far, each predicted before it was learnt from (None before
    the first), and on the held-out pictures."""

    seen: int
    stream: float | None
    scores: Scores


@dataclass(frozen=True, slots=True)
class Track:
    """One learner's way along the stream; ``step_s``: the median step here, seconds, input conversion included."""

    name: str
    points: tuple[Point, ...]
    step_s: float

    @property
    def stream(self) -> float:
        """Accuracy over the whole stream."""
        return self.points[-1].stream or 0.0

    @property
    def after(self) -> Scores:
        return self.points[-1].scores


@dataclass(frozen=True, slots=True)
class Outcome:
    """One seed. ``refusal``: of the full update. ``torch_bytes``, ``torch_full_bytes``: tensors alive in a PyTorch
    step that updates what the plan updates, and everything. ``seconds``: all of it, imports apart."""

    seed: int
    camera: Camera
    clean_photos: Photos
    shifted_photos: Photos
    before: Scores
    adapted: Track
    last_layer: Track
    full: Track
    refusal: DoesNotFit
    plan: Plan
    last_layer_plan: Plan
    measured: Measured
    replay_bytes: int
    torch_bytes: int
    torch_full_bytes: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines: accuracies as fractions, sizes in bytes, times in seconds."""
        plan, after = self.plan, self.adapted.after
        step, predict = plan.arrangement.programs["step"], plan.arrangement.programs["predict"]
        return {
            "seed": self.seed,
            "shifted_before": self.before.shifted,
            "shifted_after": after.shifted,
            "clean_before": self.before.clean,
            "clean_after": after.clean,
            "stream_accuracy": self.adapted.stream,
            "stream_samples": self.adapted.points[-1].seen,
            "device": plan.device.name,
            "device_ram": plan.device.ram,
            "reserved_ram": plan.device.reserved_ram,
            "replay_bytes": self.replay_bytes,
            "budget_ram": plan.budget.ram,
            "arena_predicted": plan.arena_bytes,
            "arena_measured": self.measured.arena,
            "stack_measured": max(self.measured.stack.values()),
            "update": plan.update,
            "updated": list(plan.updated),
            "choices": [{"what": c.what, "why": c.why} for c in plan.why],
            "full_update_bytes": self.refusal.need,
            "refusal": str(self.refusal),
            "torch_bytes": self.torch_bytes,
            "torch_full_bytes": self.torch_full_bytes,
            "step_seconds": self.adapted.step_s,
            "torch_full_step_seconds": self.full.step_s,
            "device_step_seconds": step.seconds,
            "device_predict_seconds": predict.seconds,
            "baselines": {
                "last_layer": {**_figures(self.last_layer), "arena_predicted": self.last_layer_plan.arena_bytes},
                "torch_full": {**_figures(self.full), "tensor_bytes": self.torch_full_bytes},
            },
            "camera": asdict(self.camera),
            "preprocess": plan.preprocess.to_dict() if plan.preprocess else None,
            "seconds": self.seconds,
        }


def _figures(track: Track) -> dict[str, float]:
    return {
        "shifted_after": track.after.shifted,
        "clean_after": track.after.clean,
        "stream_accuracy": track.stream,
        "step_seconds": track.step_s,
    }
