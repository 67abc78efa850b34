"""The fields of operators, signatures and variables that are written are those of the generated schema."""

from __future__ import annotations

import numpy as np
import pytest

from selvedge import ir
from selvedge.formats import tflite
from selvedge.formats.tflite import schema as ours
from selvedge.formats.tflite.schema import OPERATORS
from selvedge.formats.tflite.written_kinds import WRITTEN

from .litert import schema
from .said import camel
from .test_read import offset

NAMES = {"adj_x": "AdjX", "activation": "FusedActivationFunction", "subgraph": "InitSubgraphIndex"}


@pytest.mark.parametrize("name", WRITTEN)
def test_the_options_that_are_written_are_the_generated_ones(name: str) -> None:
    s, kind = schema(), WRITTEN[name]
    assert getattr(s.BuiltinOperator, name) == kind.number
    assert kind.number not in OPERATORS
    table = next((k for k, v in vars(s.BuiltinOptions).items() if v == kind.options_type), None)
    for option in kind.options:
        assert table is not None
        assert 4 + 2 * option.number == offset(table, NAMES.get(option.name, camel(option.name)))


@pytest.mark.parametrize(
    ("enum", "table", "names"),
    [
        ("SignatureField", "SignatureDef", {"KEY": "SignatureKey", "SUBGRAPH": "SubgraphIndex"}),
        ("NamedField", "TensorMap", {"TENSOR": "TensorIndex"}),
    ],
)
def test_the_fields_of_signatures_are_the_generated_ones(enum: str, table: str, names: dict[str, str]) -> None:
    for field in getattr(ours, enum):
        assert 4 + 2 * field == offset(table, names.get(field.name, camel(field.name)))
    assert ours.RESOURCE == schema().TensorType.RESOURCE


def test_signatures_are_read_by_the_generated_schema_as_they_were_meant() -> None:
    x, w = ir.input_leaf("x", ir.Spec((2,))), ir.state_leaf("w", ir.Spec((2,)), "parameter")
    step = ir.Graph({"x": x}, {"w": w}, {"loss": ir.reduce("reduce_sum", x, (0,)), "w": ir.apply("add", w, x)})
    data = tflite.written(tflite.program({"train": step}, {"w": np.ones(2, np.float32)}))
    read = schema().ModelT.InitFromObj(schema().Model.GetRootAs(data, 0))
    told = [(s.signatureKey, s.subgraphIndex, s.inputs, s.outputs) for s in read.signatureDefs]
    names = [
        (key.decode(), n, [i.name.decode() for i in ins or []], [o.name.decode() for o in outs or []])
        for key, n, ins, outs in told
    ]
    assert names == [("train", 0, ["x"], ["loss"]), ("save", 1, [], ["w"]), ("restore", 2, ["w"], [])]
    assert len(read.subgraphs) == 4
