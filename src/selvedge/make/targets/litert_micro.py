"""LiteRT for Microcontrollers: a ``.tflite`` file, and the same as a C array. It predicts."""

from __future__ import annotations

from ...emitting.foreign import Written
from ...emitting.litert import header, source
from ...formats import tflite
from . import Given
from .litert import programs
from .unrolled import unrolled


def written(given: Given) -> Written:
    """The file, NAME_model.h and NAME_model.c."""
    given = unrolled(given)
    (graph,) = given.programs.values()
    data = tflite.written(tflite.program({"infer": graph}, {}))
    name = given.name
    files = {
        f"{name}.tflite": data,
        f"{name}_model.h": header(name, len(data)).encode(),
        f"{name}_model.c": source(name, data).encode(),
    }
    return Written(files, programs(given, f"{name}.tflite"))
