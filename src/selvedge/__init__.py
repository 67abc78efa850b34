"""Selvedge: train machine-learning models on edge devices, inside a byte budget.

    plan = selvedge.plan(model, example, device="stm32f746", update="auto")    # what fits, and why
    session = selvedge.compile(plan)                                            # native code, same bytes
    session.step(x, y)                                                          # learn
    selvedge.emit(plan, "c", "firmware/")                                       # the same step as C99

Names are loaded when first used: a device that only runs artifacts never imports torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .advising import Advice, Costs, Scenario, advise
    from .artifact.preprocess import Preprocess
    from .artifact.schedule import Constant, Cosine, InverseSqrt, Step
    from .artifact.toolchain import NoCompiler
    from .capture.loss import CTC, MSE, BCEWithLogits, CrossEntropy, Reconstruction
    from .capture.optimizer import SGD, Adam, RMSProp
    from .capture.torch_loss import TorchLoss
    from .changes import Change
    from .choose import Contribution
    from .compressing.distil import (
        DKD,
        AttentionTransfer,
        Distil,
        Distilled,
        Hint,
        Logits,
        Relational,
        SelfTeacher,
        TeacherCache,
        distil,
    )
    from .compressing.mixed import MixedBits, mixed_bits
    from .compressing.prune import Pruned, Pruner, Width, Widths, prune
    from .compressing.qat import QAT
    from .compressing.quantise import quantise
    from .compressing.quantised import QuantisationWarning, Quantised
    from .compressing.report import Report
    from .compressing.sparse import Sparsified, Sparsifier, sparsify
    from .device import Budget, Device
    from .device.power import Battery, Solar
    from .errors import DoesNotFit, InvalidInput, NotSupported, SelvedgeError
    from .federate.aggregate.optimizer import ServerOptimizer
    from .federate.federation import Federation
    from .federate.grid.faults import Faults
    from .federate.local import Local
    from .federate.masked import Masked
    from .federate.privacy.settings import Privacy
    from .federate.simulate import simulate
    from .learn.anomaly.detector import AnomalyDetector
    from .learn.anomaly.gaussian import GaussianDetector
    from .learn.anomaly.novelty import NoveltyDetector
    from .learn.anomaly.vibration import VibrationDetector
    from .learn.augment.augment import Augment
    from .learn.augment.crop import Crop
    from .learn.augment.gain import Gain
    from .learn.augment.mask import Mask
    from .learn.augment.mix import Mix
    from .learn.augment.noise import Noise
    from .learn.augment.rotate import Rotate
    from .learn.augment.shift import Shift
    from .learn.augment.stretch import Stretch
    from .learn.drift.adwin import ADWIN
    from .learn.drift.ddm import DDM
    from .learn.drift.kswin import KSWIN
    from .learn.drift.page_hinkley import PageHinkley
    from .learn.emit.board import load_live
    from .learn.emit.emit import LiveC, emit_live
    from .learn.energy.governor import Governor
    from .learn.guard.anchor import Anchor
    from .learn.guard.collapse import Collapse
    from .learn.guard.labels import LabelGuard
    from .learn.guard.norm import NormGuard
    from .learn.habits import Habits
    from .learn.journal.journal import Journal
    from .learn.learner import Learner
    from .learn.live import Live
    from .learn.memory.replay import Replay
    from .learn.objectives.consistency import Consistency
    from .learn.objectives.entropy import Entropy
    from .learn.objectives.next_step import NextStep
    from .learn.objectives.unlabelled import Unlabelled
    from .learn.personal import personalise
    from .learn.rate.noise_scale import noise_scale
    from .learn.rate.pace import auto_rate
    from .learn.rate.range_test import range_test
    from .learn.train import fit
    from .make.by_target import label_free, remembering
    from .make.captured_network import network
    from .make.compared import compare
    from .make.compile import compile, emit, measured
    from .make.contribute import contribution
    from .make.cut import Cut, cut, emit_cut
    from .make.daily import steps_per_day
    from .make.inference import Inference, plan_inference
    from .make.learnable import LearnableFile, learnable_tflite
    from .make.learnable_onnx import OnnxModule, learnable_onnx
    from .make.network import Network, load_tflite, save_tflite
    from .make.onnx import load_onnx, save_onnx
    from .make.plan import Plan, plan
    from .make.searching import Candidate, Compressed, Limits, NothingFits, Space, compress
    from .make.sweep import Sweep, sweep
    from .make.weighing import Weighed, weigh
    from .planning.trade import Trade
    from .run.artifact import load
    from .run.build import BuildFailed
    from .run.foreign.cut import CutSession, load_cut
    from .run.ports import NotFinite
    from .run.session import Session

_HOME = {
    "Advice": "advising",
    "Costs": "advising",
    "Scenario": "advising",
    "advise": "advising",
    "Preprocess": "artifact.preprocess",
    "Constant": "artifact.schedule",
    "Cosine": "artifact.schedule",
    "InverseSqrt": "artifact.schedule",
    "Step": "artifact.schedule",
    "NoCompiler": "artifact.toolchain",
    "BCEWithLogits": "capture.loss",
    "CTC": "capture.loss",
    "CrossEntropy": "capture.loss",
    "MSE": "capture.loss",
    "Reconstruction": "capture.loss",
    "Adam": "capture.optimizer",
    "RMSProp": "capture.optimizer",
    "SGD": "capture.optimizer",
    "TorchLoss": "capture.torch_loss",
    "Change": "changes",
    "Battery": "device.power",
    "Solar": "device.power",
    "Contribution": "choose",
    "AttentionTransfer": "compressing.distil",
    "DKD": "compressing.distil",
    "Distil": "compressing.distil",
    "Distilled": "compressing.distil",
    "Hint": "compressing.distil",
    "Logits": "compressing.distil",
    "Relational": "compressing.distil",
    "SelfTeacher": "compressing.distil",
    "TeacherCache": "compressing.distil",
    "distil": "compressing.distil",
    "MixedBits": "compressing.mixed",
    "Pruned": "compressing.prune",
    "Pruner": "compressing.prune",
    "QAT": "compressing.qat",
    "QuantisationWarning": "compressing.quantised",
    "Quantised": "compressing.quantised",
    "Report": "compressing.report",
    "Sparsified": "compressing.sparse",
    "Sparsifier": "compressing.sparse",
    "sparsify": "compressing.sparse",
    "Width": "compressing.prune",
    "Widths": "compressing.prune",
    "compare": "make.compared",
    "mixed_bits": "compressing.mixed",
    "prune": "compressing.prune",
    "quantise": "compressing.quantise",
    "Budget": "device",
    "Device": "device",
    "DoesNotFit": "errors",
    "InvalidInput": "errors",
    "NotSupported": "errors",
    "SelvedgeError": "errors",
    "Augment": "learn.augment.augment",
    "Crop": "learn.augment.crop",
    "Gain": "learn.augment.gain",
    "Mask": "learn.augment.mask",
    "Mix": "learn.augment.mix",
    "Noise": "learn.augment.noise",
    "Rotate": "learn.augment.rotate",
    "Shift": "learn.augment.shift",
    "Stretch": "learn.augment.stretch",
    "ADWIN": "learn.drift.adwin",
    "DDM": "learn.drift.ddm",
    "KSWIN": "learn.drift.kswin",
    "PageHinkley": "learn.drift.page_hinkley",
    "LiveC": "learn.emit.emit",
    "emit_live": "learn.emit.emit",
    "load_live": "learn.emit.board",
    "Governor": "learn.energy.governor",
    "Anchor": "learn.guard.anchor",
    "Collapse": "learn.guard.collapse",
    "LabelGuard": "learn.guard.labels",
    "NormGuard": "learn.guard.norm",
    "Habits": "learn.habits",
    "Journal": "learn.journal.journal",
    "Learner": "learn.learner",
    "Live": "learn.live",
    "label_free": "make.by_target",
    "Consistency": "learn.objectives.consistency",
    "Entropy": "learn.objectives.entropy",
    "NextStep": "learn.objectives.next_step",
    "Unlabelled": "learn.objectives.unlabelled",
    "auto_rate": "learn.rate.pace",
    "noise_scale": "learn.rate.noise_scale",
    "range_test": "learn.rate.range_test",
    "personalise": "learn.personal",
    "Faults": "federate.grid.faults",
    "Masked": "federate.masked",
    "Federation": "federate.federation",
    "Privacy": "federate.privacy.settings",
    "Local": "federate.local",
    "ServerOptimizer": "federate.aggregate.optimizer",
    "simulate": "federate.simulate",
    "AnomalyDetector": "learn.anomaly.detector",
    "GaussianDetector": "learn.anomaly.gaussian",
    "NoveltyDetector": "learn.anomaly.novelty",
    "VibrationDetector": "learn.anomaly.vibration",
    "Replay": "learn.memory.replay",
    "remembering": "make.by_target",
    "fit": "learn.train",
    "Candidate": "make.searching",
    "Compressed": "make.searching",
    "Limits": "make.searching",
    "NothingFits": "make.searching",
    "Space": "make.searching",
    "compress": "make.searching",
    "compile": "make.compile",
    "emit": "make.compile",
    "measured": "make.compile",
    "Cut": "make.cut",
    "cut": "make.cut",
    "emit_cut": "make.cut",
    "steps_per_day": "make.daily",
    "contribution": "make.contribute",
    "Inference": "make.inference",
    "Network": "make.network",
    "LearnableFile": "make.learnable",
    "OnnxModule": "make.learnable_onnx",
    "learnable_onnx": "make.learnable_onnx",
    "learnable_tflite": "make.learnable",
    "load_tflite": "make.network",
    "save_tflite": "make.network",
    "network": "make.captured_network",
    "plan_inference": "make.inference",
    "load_onnx": "make.onnx",
    "save_onnx": "make.onnx",
    "Plan": "make.plan",
    "plan": "make.plan",
    "Sweep": "make.sweep",
    "sweep": "make.sweep",
    "Weighed": "make.weighing",
    "weigh": "make.weighing",
    "Trade": "planning.trade",
    "load": "run.artifact",
    "BuildFailed": "run.build",
    "CutSession": "run.foreign.cut",
    "load_cut": "run.foreign.cut",
    "NotFinite": "run.ports",
    "Session": "run.session",
}

__all__ = [
    "ADWIN",
    "CTC",
    "DDM",
    "DKD",
    "KSWIN",
    "MSE",
    "QAT",
    "SGD",
    "Adam",
    "Advice",
    "Anchor",
    "AnomalyDetector",
    "AttentionTransfer",
    "Augment",
    "BCEWithLogits",
    "Battery",
    "Budget",
    "BuildFailed",
    "Candidate",
    "Change",
    "Collapse",
    "Compressed",
    "Consistency",
    "Constant",
    "Contribution",
    "Cosine",
    "Costs",
    "Crop",
    "CrossEntropy",
    "Cut",
    "CutSession",
    "Device",
    "Distil",
    "Distilled",
    "DoesNotFit",
    "Entropy",
    "Faults",
    "Federation",
    "Gain",
    "GaussianDetector",
    "Governor",
    "Habits",
    "Hint",
    "Inference",
    "InvalidInput",
    "InverseSqrt",
    "Journal",
    "LabelGuard",
    "LearnableFile",
    "Learner",
    "Limits",
    "Live",
    "LiveC",
    "Local",
    "Logits",
    "Mask",
    "Masked",
    "Mix",
    "MixedBits",
    "Network",
    "NextStep",
    "NoCompiler",
    "Noise",
    "NormGuard",
    "NotFinite",
    "NotSupported",
    "NothingFits",
    "NoveltyDetector",
    "OnnxModule",
    "PageHinkley",
    "Plan",
    "Preprocess",
    "Privacy",
    "Pruned",
    "Pruner",
    "QuantisationWarning",
    "Quantised",
    "RMSProp",
    "Reconstruction",
    "Relational",
    "Replay",
    "Report",
    "Rotate",
    "Scenario",
    "SelfTeacher",
    "SelvedgeError",
    "ServerOptimizer",
    "Session",
    "Shift",
    "Solar",
    "Space",
    "Sparsified",
    "Sparsifier",
    "Step",
    "Stretch",
    "Sweep",
    "TeacherCache",
    "TorchLoss",
    "Trade",
    "Unlabelled",
    "VibrationDetector",
    "Weighed",
    "Width",
    "Widths",
    "__version__",
    "advise",
    "auto_rate",
    "compare",
    "compile",
    "compress",
    "contribution",
    "cut",
    "distil",
    "emit",
    "emit_cut",
    "emit_live",
    "fit",
    "label_free",
    "learnable_onnx",
    "learnable_tflite",
    "load",
    "load_cut",
    "load_live",
    "load_onnx",
    "load_tflite",
    "measured",
    "mixed_bits",
    "network",
    "noise_scale",
    "personalise",
    "plan",
    "plan_inference",
    "prune",
    "quantise",
    "range_test",
    "remembering",
    "save_onnx",
    "save_tflite",
    "simulate",
    "sparsify",
    "steps_per_day",
    "sweep",
    "weigh",
]


_NEEDED = {
    "torch": "torch>=2.13,<2.14",
    "torchao": "torchao>=0.18,<0.19",
    "onnx": "onnx>=1.23,<1.24",
    "ortools": "ortools>=9.15,<9.16",
    "nacl": "pynacl>=1.5,<2",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'selvedge' has no attribute {name!r}")
    try:
        module = import_module(f".{_HOME[name]}", __name__)
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        what = _NEEDED[error.name]
        raise ImportError(f"selvedge.{name} needs {what.partition('>')[0]}: pip install '{what}'") from error
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
