"""The main job, from a trained network to an adapted one, and what there is to compare it with."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from ...artifact.schedule import Cosine
from ...capture.optimizer import SGD
from ...device import Budget, Device
from ...device.sizes import format_bytes
from ...errors import DoesNotFit, InvalidInput, SelvedgeError
from ...make.compile import compile as compile_plan
from ...make.compile import measured
from ...make.plan import Plan
from ...make.plan import plan as make_plan
from . import digits
from .camera import WORN
from .display import Display, Progress
from .follow import BATCH, REPLAY_BYTES, Pictures
from .model import PREPROCESS, train
from .outcome import Outcome, Point
from .pytorch import TorchLearner

DEVICE = "nrf52832"
MOMENTUM = 0.9

# The rate that was best for each update set on validation pictures, seeds 100-109.
RATE, RATE_LAST_LAYER, RATE_FULL = 0.003, 0.02, 0.0005


def tell(seed: int, display: Display) -> Outcome:
    """Run it all for one seed. Raises :class:`InvalidInput` for a bad seed, and what planning and compiling raise."""
    if not 0 <= seed < 2**32:
        raise InvalidInput("seed", seed, "give a whole number in 0..4294967295")
    start = time.perf_counter()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the native code has one
    try:
        made = _tell(seed, display)
    finally:
        torch.set_num_threads(threads)
    return replace(made, seconds=time.perf_counter() - start)


def _tell(seed: int, display: Display) -> Outcome:
    pictures = Pictures.of(digits.load(seed), seed)
    model = train(pictures.ideal.codes, pictures.ideal.labels, seed)
    job = _Job(model, _budget(), Device.load(DEVICE), len(pictures.stream))
    every = [name for name, _ in model.named_parameters()]
    unlimited = job.in_pytorch(every, RATE_FULL)
    before = pictures.judge(unlimited)
    display.say(
        f"trained on the workstation with {len(pictures.ideal)} digits: "
        f"{before.clean:.1%} right of {len(pictures.clean)} it never saw"
    )
    display.say(f"the camera changes (light gradient, low contrast, blur, noise): {before.shifted:.1%} right")
    display.say(str(job))

    refusal = job.refusal()
    display.say(f"full update with momentum refused: {refusal}")
    plan = job.plan("auto", RATE)
    display.say(f"so the plan chooses {plan.update}: {', '.join(plan.updated)} in {plan.arena_bytes:,} B")
    session, real = compile_plan(plan), measured(plan)
    if real.faults:
        raise SelvedgeError(f"the checking build found a fault: {real.faults[0]}")
    display.say(f"compiled; painted memory shows {real.arena:,} B of arena, {max(real.stack.values()):,} B of stack")

    torch_bytes = job.bytes_in_pytorch(plan.programs.updated)

    def show(point: Point, step_s: float) -> None:
        display.progress(
            Progress(
                total=len(pictures.stream),
                before=before,
                point=point,
                arena_predicted=plan.arena_bytes,
                arena_measured=real.arena,
                budget=plan.budget.ram,
                torch_bytes=torch_bytes,
                step_s=step_s,
            )
        )

    adapted = pictures.follow("Selvedge, as planned", session, show)
    display.say("the same stream for the baselines: last layer only (native), full update (PyTorch, no limit)")
    last_plan = job.plan("last:1", RATE_LAST_LAYER)
    return Outcome(
        seed=seed,
        camera=WORN,
        clean_photos=pictures.clean,
        shifted_photos=pictures.shifted,
        before=before,
        adapted=adapted,
        last_layer=pictures.follow("last layer only", compile_plan(last_plan)),
        full=pictures.follow("full update, PyTorch, no limit", unlimited),
        refusal=refusal,
        plan=plan,
        last_layer_plan=last_plan,
        measured=real,
        replay_bytes=REPLAY_BYTES,
        torch_bytes=torch_bytes,
        torch_full_bytes=job.bytes_in_pytorch(every),
        seconds=0.0,
    )


def _budget() -> Budget:
    """What stack, runtime and replay leave of the device."""
    whole = Budget.of(Device.load(DEVICE))
    return replace(whole, ram=whole.ram - REPLAY_BYTES)


@dataclass(frozen=True, slots=True)
class _Job:
    """A model to adapt on a device, over ``steps`` steps: planned, or in PyTorch."""

    model: nn.Module
    budget: Budget
    device: Device
    steps: int

    def __str__(self) -> str:
        device = self.device
        return (
            f"{device.name}: {format_bytes(device.ram)} - {format_bytes(device.reserved_ram)} for stack and runtime"
            f" - {format_bytes(REPLAY_BYTES)} of replay = {format_bytes(self.budget.ram)} to learn in"
        )

    def plan(self, update: str, rate: float) -> Plan:
        return make_plan(
            self.model,
            torch.zeros(BATCH, 1, 8, 8),
            device=self.device,
            budget=self.budget,
            optimizer=SGD(rate, momentum=MOMENTUM),
            schedule=Cosine(rate, steps=self.steps),
            update=update,
            preprocess=PREPROCESS,
            labels=[str(label) for label in range(10)],
            name="digits",
        )

    def refusal(self) -> DoesNotFit:
        """The refusal of the full update. Raises :class:`SelvedgeError` if there is none: nothing to show then."""
        try:
            plan = self.plan("full", RATE)
        except DoesNotFit as refusal:
            return refusal
        raise SelvedgeError(f"the full update fits, {plan.arena_bytes:,} of {self.budget.ram:,} B: nothing to choose")

    def in_pytorch(self, names: Sequence[str], rate: float) -> TorchLearner:
        return TorchLearner(self.model, names, PREPROCESS, Cosine(rate, steps=self.steps), MOMENTUM)

    def bytes_in_pytorch(self, names: Sequence[str]) -> int:
        """Bytes of tensors at the peak of a PyTorch step that updates ``names``."""
        learner = self.in_pytorch(names, RATE)
        return learner.step_bytes(np.zeros((BATCH, 1, 8, 8), np.uint8), np.zeros(BATCH, np.int32))
