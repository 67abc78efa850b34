"""Rows of one seed: what was made of each way, run in native code, and of the first seed priced."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from torch import nn

from ...artifact import files
from ...compressing.quantise import quantise
from ...device import Budget, Device
from ...errors import SelvedgeError
from ...learn.metrics import Score
from ..captured_network import network
from ..compile import compile, emit
from ..inference import Inference, plan_inference
from ..measured_network import Training, measured_network, training_of, written
from .native import native
from .stages import Stages
from .ways import GIVEN, PTQ, QAT, WHOLE, Way

NATIVE = ".native"  # a folder with the C of a way's network


def piece_of(way: Way, seed: int) -> str:
    """Under which name the facts of ``way`` are kept."""
    return f"way {way.name} {seed}"


class Bench:
    """Rows of one seed: what was made of each way, run natively, and of the first seed priced."""

    def __init__(
        self, stages: Stages, device: Device, budget: Budget | str | None, here: Device, name: str, priced: bool
    ) -> None:
        self.stages, self.device, self.budget, self.here = stages, device, budget, here
        self.name, self.priced = name, priced
        self._trainings: dict[str, Training] = {}

    def row(self, way: Way) -> dict[str, Any]:
        """The facts of ``way``, read back or made."""
        stages = self.stages
        piece = piece_of(way, stages.seed)
        facts = stages.store.get(piece)
        if facts is not None:
            return facts
        try:
            return self._made(way, piece)
        except SelvedgeError as error:
            if way == Way(WHOLE):
                raise
            return stages.store.put(piece, {"refused": str(error)})

    def _made(self, way: Way, piece: str) -> dict[str, Any]:
        stages, terms = self.stages, self.stages.terms
        own = 0.0
        best: nn.Module
        last: nn.Module
        if way.bits == QAT:
            made = stages.quantised(way.body, way.taught)
            best, last, epoch, floats, own = made.best, made.last, made.epoch, made.floats, made.seconds
            after = made.after
        else:
            stage = stages.given() if way.body == GIVEN else stages.finished(way.body, way.taught)
            best, last, epoch, floats = stage.best, stage.last, stage.epoch, stage.best
            after = (stage.name,) if stage.name else ()
            if way.bits == PTQ:
                x, _ = stages.parts.some(terms.samples, stages.seed)
                start = time.process_time()
                best = quantise(stage.best, x, allow_few=True, wanted_agreement=0.0)
                own = time.process_time() - start
                alike = stage.last is stage.best
                last = best if alike else quantise(stage.last, x, allow_few=True, wanted_agreement=0.0)
        example = stages.example[:1]
        read = network(best, example, name=self.name)
        plan = plan_inference(read, device=self.here)
        test = final = self._scored(way, plan)
        if last is not best:
            final = self._scored(way, plan_inference(last, example, name=self.name, device=self.here))
        known = self._training(floats)
        cost = measured_network(read, example, device=self.device, budget=self.budget, training=known)
        beside = []
        if self.priced:
            emit(plan, "c", stages.store.fresh(piece, NATIVE))
            beside.append(NATIVE)
            ending, held = written(read)
            if held is not None:
                files.write(stages.store.path(piece, ending), held)
                beside.append(ending)
        facts = {
            "refused": "", "seed": stages.seed, "test": asdict(test), "last": asdict(final), "epoch": epoch,
            "seconds": own + stages.seconds(after), "costs": cost.to_dict(),
        }  # fmt: skip
        return stages.store.put(piece, facts, beside=beside)

    def _scored(self, way: Way, plan: Inference) -> Score:
        stages = self.stages
        says = f"{way.name}, seed {stages.seed}, running"
        return native(
            compile(plan), stages.parts.test, stages.terms.loss, lambda done: stages.tell(f"{says}, {done} samples")
        )

    def _training(self, floats: nn.Module) -> Training:
        """Of a float network, once for all of the same shapes."""
        shapes = str({n: tuple(t.shape) for n, t in floats.state_dict().items()})
        if not self.priced:
            return Training(None, "", None, "of the first seed")
        if shapes not in self._trainings:
            self._trainings[shapes] = training_of(
                floats, self.stages.example, device=self.device, budget=self.budget, loss=self.stages.terms.loss
            )
        return self._trainings[shapes]
