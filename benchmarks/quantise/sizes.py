"""``python -m benchmarks.quantise.sizes``: bytes of int8 files over float's, into ``docs/quantise.md``.

Weights, and what norms are folded of, are random: no two layers are alike, as when trained, so that nothing lies in a
file once that would lie there twice.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import torch
from torch import nn

import selvedge as sv
from selvedge import zoo
from selvedge.artifact import files

from ..readme import between, replaced

MODELS = ("ds_cnn", "resnet8", "mobilenet_v1_025", "deep_autoencoder", "mobilenet_v2", "resnet18")
PAGE = Path(__file__).parents[2] / "docs" / "quantise.md"
SCALES = {"channel": {}, "tensor, equalised": {"per_tensor": True, "equalise": True}}
HEAD = (
    "| model | PyTorch's state, B | a scale for each | int8 parameters | .onnx | .onnx over float .onnx "
    "| .onnx of operators | .tflite |"
)


@dataclass(frozen=True, slots=True)
class Size:
    """``state``: bytes of the float model's parameters and buffers. The others: int8's over those; ``onnx_over_onnx``:
    over the float ``.onnx`` file, whose norms are folded; ``operators``: the ``.onnx`` of that form."""

    model: str
    state: int
    scales: str
    parameters: float
    onnx: float
    onnx_over_onnx: float
    operators: float
    tflite: float

    def line(self) -> str:
        parts = (self.parameters, self.onnx, self.onnx_over_onnx, self.operators, self.tflite)
        return f"| `{self.model}` | {self.state:,} | {self.scales} | {' | '.join(f'{part:.3f}' for part in parts)} |"


def size(name: str, scales: str) -> Size:
    """One network of the zoo; ``scales``: one of :data:`SCALES`."""
    model, example, _ = zoo.make(name)
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(32, *example.shape[1:], generator=draw)
    _shifted(model, draw)
    made = sv.quantise(model.eval(), x, wanted_agreement=0.0, **SCALES[scales])
    state = sum(v.numel() * v.element_size() for v in model.state_dict().values() if v.is_floating_point())
    with tempfile.TemporaryDirectory() as folder:
        network = sv.network(made, x[:1])
        int8 = sv.save_onnx(network, Path(folder) / "int8.onnx").stat().st_size
        operators = sv.save_onnx(network, Path(folder) / "operators.onnx", form="operators").stat().st_size
        tflite = sv.save_tflite(network, Path(folder) / "int8.tflite").stat().st_size
        full = sv.save_onnx(sv.network(model, x[:1]), Path(folder) / "float.onnx").stat().st_size
    parameters = made.facts.bytes / state
    return Size(name, state, scales, parameters, int8 / state, int8 / full, operators / state, tflite / state)


def _shifted(model: nn.Module, draw: torch.Generator) -> None:
    """Biases are drawn, of norms too: those of 0 that a fresh model has would all be one."""
    with torch.no_grad():
        for name, values in model.named_parameters():
            if name.endswith("bias"):
                values.normal_(generator=draw)


def table(rows: list[Size]) -> str:
    return "\n".join([HEAD, "|---|---:|---|---:|---:|---:|---:|---:|", *(row.line() for row in rows)])


def main() -> int:
    rows = []
    for name, scales in product(MODELS, SCALES):
        rows.append(size(name, scales))
        print(rows[-1].line(), flush=True)
    files.write(PAGE, replaced(PAGE.read_text(), "sizes", f"\n{table(rows)}\n").encode())
    return 0


def shown() -> str:
    """The table as the page has it."""
    return between(PAGE.read_text(), "sizes")


if __name__ == "__main__":
    sys.exit(main())
