"""Whom the student learns from: a module, an ONNX file, or the average of what it was itself."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ...artifact.number import finite
from ...capture.source import of_error
from ...errors import InvalidInput, NotSupported, SelvedgeError, one_line
from ..export import quiet
from ..still import still
from .features import Feature, Inputs, Traced, chosen, traced, watched


class Teacher(Protocol):
    """fixed: whether it stays as it is, so that its answers can be kept."""

    fixed: bool

    def trace(self, inputs: Inputs) -> Traced: ...

    def __call__(self, inputs: Inputs, paths: Sequence[str]) -> dict[str, Tensor]:
        """ "" -> logits, and each path -> its feature as the module gives it."""
        ...

    def digest(self) -> str:
        """Hexadecimal, of what it computes with."""
        ...


class ModuleTeacher:
    """Any module, in evaluation mode and without gradients, left as it was."""

    fixed = True

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def trace(self, inputs: Inputs) -> Traced:
        return tried("teacher", self.module, inputs)

    def __call__(self, inputs: Inputs, paths: Sequence[str]) -> dict[str, Tensor]:
        with still(self.module), watched(chosen(self.module, paths)) as seen:
            logits = self.module(*inputs)
        return {"": logits, **seen}

    def digest(self) -> str:
        """Of its architecture as it prints, and of names, types, shapes and bytes of its state."""
        made = hashlib.sha256(repr(self.module).encode())
        for name, value in sorted(self.module.state_dict().items()):
            if isinstance(value, Tensor):
                held = value.detach().cpu().contiguous()
                made.update(f"\n{name} {held.dtype} {tuple(held.shape)}\n".encode())
                made.update(held.reshape(-1).view(torch.uint8).numpy().tobytes())
            else:
                made.update(f"\n{name} {value!r}\n".encode())
        return made.hexdigest()


class OnnxTeacher:
    """An ONNX file by ONNX Runtime, on the CPU: the first output is the logits, further ones are features by name.

    A file for a fixed number of samples is run as often as it takes. Raises ``NotSupported`` where onnxruntime is not
    installed, ``InvalidInput`` for a file that it does not read.
    """

    fixed = True

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise InvalidInput("teacher", str(path), "there is no such file: give an nn.Module or an .onnx file")
        try:
            import onnxruntime
        except ModuleNotFoundError:
            install = "pip install 'onnxruntime>=1.32,<1.33'"
            raise NotSupported("an ONNX teacher", str(path), install) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4  # what goes wrong is raised, and said in one line
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise InvalidInput("teacher", str(path), f"ONNX Runtime does not read it: {_first(error)}") from None
        self.names = [o.name for o in self.session.get_outputs()]

    def trace(self, inputs: Inputs) -> Traced:
        found = self(inputs, self.names[1:])
        made, refused = [], {}
        for i, name in enumerate(self.names[1:], 1):
            value = found[name]
            if value.dim() < 2 or len(value) != len(inputs[0]) or not value.dtype.is_floating_point:
                refused[name] = f"it gives {value.dtype} {list(value.shape)}: name one of [N, channels, ...] in float"
            else:
                made.append(Feature(name, tuple(value.shape[1:]), False, i / len(self.names)))
        return Traced(found[""], tuple(made), refused)

    def __call__(self, inputs: Inputs, paths: Sequence[str]) -> dict[str, Tensor]:
        wanted = [self.names[0], *paths]
        takes = self.session.get_inputs()
        if len(takes) != len(inputs):
            raise InvalidInput("teacher", f"of {len(takes)} inputs", f"the batch has {len(inputs)}")
        arrays = [x.detach().cpu().numpy() for x in inputs]
        count, size = len(arrays[0]), takes[0].shape[0] if takes[0].shape else None
        step = size if isinstance(size, int) else max(1, count)
        parts: list[list[np.ndarray]] = []
        for start in range(0, count, step):
            rows = np.minimum(np.arange(start, start + step), count - 1)
            given = {t.name: np.ascontiguousarray(a[rows]) for t, a in zip(takes, arrays, strict=True)}
            try:
                found = self.session.run(wanted, given)
            except Exception as error:
                raise InvalidInput("teacher", str(self.path), f"it fails on the batch: {_first(error)}") from None
            parts.append([np.asarray(f)[: count - start] for f in found])
        whole = [torch.from_numpy(np.concatenate(p)).to(inputs[0].device) for p in zip(*parts, strict=True)]
        return dict(zip(["", *paths], whole, strict=True))

    def digest(self) -> str:
        """Of the file, and of the one of weights beside it."""
        made = hashlib.sha256(self.path.read_bytes())
        beside = self.path.with_name(f"{self.path.name}.data")
        if beside.is_file():
            made.update(beside.read_bytes())
        return made.hexdigest()


@dataclass(frozen=True, slots=True)
class SelfTeacher:
    """Instead of a teacher: the exponential moving average of the student's own weights, moved at each
    ``Distil.loss`` in training mode: ``average = d * average + (1 - d) * weights``, d = min(decay, 1 - 1 / (n + 1)) at
    the n-th.

    Tarvainen and Valpola, "Mean teachers are better role models" (arXiv:1703.01780), section 2; the start as in the
    authors' code. Where gradients of k batches are summed before a step, it moves k times a step: ``decay ** (1 / k)``
    makes up for that. Buffers (statistics of norms) are the student's own. For the last generation as the teacher
    (Furlanello et al., "Born-again neural networks", arXiv:1805.04770) give ``copy.deepcopy(student)`` after training.
    """

    decay: float = 0.999

    def __post_init__(self) -> None:
        value = finite(self.decay)
        if value is None or not 0 <= value < 1:
            raise InvalidInput("decay of SelfTeacher", self.decay, "give a share of 0 to below 1, as 0.999")


class Averaged(ModuleTeacher):
    """:class:`SelfTeacher` at work, by torch's own ``AveragedModel``."""

    fixed = False

    def __init__(self, student: nn.Module, decay: float) -> None:
        def average(mean: Tensor, now: Tensor, count: Tensor | int) -> Tensor:
            return mean.lerp(now, 1 - min(decay, 1 - 1 / (int(count) + 1)))

        with quiet():
            self.average = AveragedModel(student, avg_fn=average)
        self.average.requires_grad_(False)
        super().__init__(self.average.module)

    def follow(self, student: nn.Module) -> None:
        self.average.update_parameters(student)


def teacher(given: Any, student: nn.Module) -> Teacher:
    """A module, the path of an ONNX file, or :class:`SelfTeacher`. Raises ``InvalidInput``."""
    if given is student:
        fix = "give copy.deepcopy(student) for what it is now, or sv.SelfTeacher() for its average"
        raise InvalidInput("teacher", "the student itself", fix)
    if isinstance(given, SelfTeacher):
        return Averaged(student, given.decay)
    if isinstance(given, nn.Module):
        return ModuleTeacher(given)
    if isinstance(given, str | Path):
        return OnnxTeacher(Path(given))
    fix = "give an nn.Module, the path of an .onnx file, or sv.SelfTeacher()"
    raise InvalidInput("teacher", f"of type {type(given).__name__}", fix)


def tried(who: str, model: nn.Module, inputs: Inputs, field: str = "example") -> Traced:
    """What ``model`` gives for ``inputs``, which are of ``field``, or one line why it cannot take them."""
    try:
        return traced(model, inputs)
    except SelvedgeError:
        raise
    except Exception as error:
        shapes = ", ".join(str(["N", *x.shape[1:]]).replace("'", "") for x in inputs)
        place = of_error(error)
        fix = f"the {who} fails on it{f' at {place}' if place else ''}: {_first(error)}"
        raise InvalidInput(field, f"of shape {shapes}", fix) from error


def _first(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return one_line(text.splitlines()[0])
