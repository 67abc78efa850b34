"""The published int8 models as one compiled unit, every tensor of them: bit by bit LiteRT's reference kernels.

Planned, checked and emitted as any graph: a program a model, every tensor an output of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from selvedge import ir
from selvedge.artifact.native import native_sources
from selvedge.device import Device
from selvedge.emitting.c.source import header, source
from selvedge.formats import tflite
from selvedge.planning.arrange import arrange
from selvedge.planning.check import check
from selvedge.planning.schedule import Arrangement
from selvedge.run.build import build
from selvedge.run.library import OK, Library, aligned
from tests.data.folders import fsdd, shared

from .inputs import photographs, spoken
from .litert import Reference
from .test_compute import INT8, drawn
from .test_read import published

MCUNETS = ("vww",)


@dataclass(frozen=True)
class Compiled:
    """Every model's program over one arena. ``name``: of a program -> the file and its model."""

    plan: Arrangement
    library: Library
    arena: np.ndarray
    models: dict[str, tuple[bytes, tflite.Model]]

    def run(self, name: str, array: np.ndarray) -> dict[int, np.ndarray]:
        """Tensor index -> array, for what operators make."""
        p = self.plan.programs[name]

        def view(i: int) -> np.ndarray:
            spec = p.instances[i].spec
            return self.arena[p.offsets[i] : p.offsets[i] + spec.bytes].view(spec.dtype).reshape(spec.shape)

        view(p.inputs["x"])[...] = array
        assert self.library.call(name) == OK
        return {int(key.removeprefix("t")): view(i).copy() for key, i in p.outputs.items()}


def paths(vectors: bool) -> dict[str, Path]:
    """Those of MLPerf Tiny, and one from floats to floats; of the plain kernels, which take longer, two."""
    tiny = {f"m{i}": published(INT8[name][0], name) for i, name in enumerate(INT8)}
    if not vectors:
        return dict(list(tiny.items())[:2])
    return {**tiny, **{f"n{i}": shared("mcunet_int8") / f"{name}.tflite" for i, name in enumerate(MCUNETS)}}


@pytest.fixture(scope="module", params=[32, 0], ids=["vectors", "plain"])
def compiled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    graphs, models = {}, {}
    for name, path in paths(bool(request.param)).items():
        data = path.read_bytes()
        model = tflite.parse(data)
        read = tflite.graph(model)
        made = {f"t{i}": value for i, value in read.values.items() if i not in model.inputs}
        graphs[name] = ir.frozen(ir.Graph(read.graph.inputs, read.graph.state, made), read.state)
        models[name] = (data, model)
    plan = arrange(graphs, Device(ram="64MiB", flash="64MiB", vector_bytes=request.param))
    check(plan)
    sources = {"all.c": source(plan, "all", None), "all.h": header(plan, "all", None), **native_sources()}
    library = build(sources, plan.lanes, cache=tmp_path_factory.mktemp("cache"))
    weights = aligned(plan.memory.weights)
    for name, slot in plan.constants.items():
        weights[slot.initial : slot.initial + slot.bytes] = plan.values[name].reshape(-1).view(np.uint8)
    arena = aligned(plan.memory.arena)
    made_library = Library(library, "all", plan.programs, arena, weights)
    made_library.init()
    return Compiled(plan, made_library, arena, models)


def test_every_tensor_of_every_model_is_the_references(compiled: Compiled, tmp_path: Path) -> None:
    recordings, tensors = fsdd(tmp_path, 1), 0
    for name, (data, model) in compiled.models.items():
        tensor, reference = model.tensors[model.inputs[0]], Reference(data)
        inputs = drawn(tensor.shape, tensor.dtype, 1)
        kind = list(INT8.values())[int(name[1:])][1] if name[0] == "m" else ""
        if kind:
            inputs += photographs(tensor, 1) if kind == "photographs" else spoken(tensor, recordings, 1, kind)
        for array in inputs:
            got = compiled.run(name, array)
            assert len(got) == len(model.operators)
            expected = reference.run([array], list(got))
            for i, found in got.items():
                assert math.prod(found.shape) == expected[i].size  # a reshape shares the bytes of what it reads
                np.testing.assert_array_equal(
                    found.reshape(expected[i].shape), expected[i], err_msg=f"{name} {model.tensors[i].name}"
                )
            tensors += len(got)
    assert tensors > 60
