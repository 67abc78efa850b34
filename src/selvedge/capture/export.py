"""torch.export: the user's module as one functional ATen graph, or one clear line why not."""

from __future__ import annotations

import copy
import logging
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from io import StringIO
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from ..errors import InvalidInput, NotSupported, one_line
from .first import first_takes
from .live import Live
from .source import of_error

_DATA_DEPENDENT = ("data-dependent", "GuardOnDataDependent", "Could not guard", "aten._local_scalar_dense")
_FRESH = (
    "aten.conv2d.",
    "aten.conv1d.",
    "aten.batch_norm.",
    "aten.linear.",
    "aten.group_norm.",
    "aten.layer_norm.",
    "aten.add.Tensor",
    "aten.cat.",
)
_IN_PLACE = (
    "aten.relu_.",
    "aten.hardtanh_.",
    "aten.relu6_.",
    "aten.hardswish_.",
    "aten.silu_.",
    "aten.leaky_relu_.",
    "aten.sigmoid_.",
    "aten.tanh_.",
    "aten.elu_.",
    "aten.hardsigmoid_.",
    "aten.clamp_.",
    "aten.add_.Tensor",
)
_DROPOUTS = tuple(f"aten.{kind}dropout" for kind in ("", "feature_", "alpha_", "feature_alpha_"))
_STRAIGHTEN = "make the control flow independent of tensor values, for instance with torch.where"


def export(
    model: nn.Module | ExportedProgram, example: tuple[torch.Tensor, ...], live: Live | None = None
) -> ExportedProgram:
    """``model`` at the shapes of ``example``, in eval mode or as ``live`` says, with in-place operations made
    functional.

    The module is left as it was, its training flags included. Raises ``NotSupported`` with the user's line.
    """
    mode = _evaluating if live is None else live.mode
    if isinstance(model, ExportedProgram):
        program = model
    else:
        with mode(model), _quiet(), _own_gradients_refused():
            try:
                program = torch.export.export(model, example, strict=False)
            except Exception as error:
                raise _explained(error, model, example) from error
    program = _without_aliases(program)
    if any(_mutates(node) and not _own(node) for node in program.graph.nodes):
        with _quiet():
            try:
                program = program.run_decompositions({})
            except Exception as error:  # what it mutates can be neither a result nor a buffer, say
                raise NotSupported("this model", of_error(error), _says(error)) from error
    return program


@contextmanager
def _quiet() -> Iterator[None]:
    """No warning or log of torch's own, no graph on stderr: what goes wrong is one line (:func:`_explained`)."""
    known = logging.root.manager.loggerDict.items()
    loggers = [v for n, v in known if n.startswith("torch") and isinstance(v, logging.Logger)]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        with redirect_stderr(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled


class _OwnGradient(Exception):
    """A function with a backward of its own was met."""


@contextmanager
def _own_gradients_refused() -> Iterator[None]:
    """torch.export traces the forward of an ``autograd.Function`` and forgets its backward."""
    whole = torch.autograd.Function.__dict__["apply"]

    def apply(cls: type[torch.autograd.Function], *args: Any, **kwargs: Any) -> Any:
        if not cls.__module__.startswith("torch."):
            raise _OwnGradient(cls.__name__)
        return whole.__get__(None, cls)(*args, **kwargs)

    torch.autograd.Function.apply = classmethod(apply)  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.autograd.Function.apply = whole  # type: ignore[method-assign]


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode for the time of the block; every module's own training flag is put back."""
    flags = [(module, module.training) for module in model.modules()]
    with suppress(NotImplementedError):  # an exported program's module stays in the mode that it was exported in
        model.eval()
    try:
        yield
    finally:
        for module, training in flags:
            module.training = training


def _mutates(node: torch.fx.Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return node.op == "call_function" and schema is not None and bool(schema.is_mutable)


def _own(node: torch.fx.Node) -> bool:
    """Whether an in-place operation overwrites a fresh result that nothing else reads.

    Then it means what its functional form means, and the slow functionalisation can be left out.
    """
    source = node.args[0] if node.args else None
    if not isinstance(source, torch.fx.Node) or len(source.users) != 1 or not str(node.target).startswith(_IN_PLACE):
        return False
    return str(source.target).startswith(_FRESH)


def _without_aliases(program: ExportedProgram) -> ExportedProgram:
    """``program`` without the operations that return their very input, which functionalisation takes for fresh ones."""
    if not any(_is_its_input(node) for node in program.graph.nodes):
        return program
    with _quiet():
        graph_module, signature = copy.deepcopy(program.graph_module), copy.deepcopy(program.graph_signature)
    names = {}  # a copy gives nodes other names: "input" becomes "input_1"
    for own, node in zip(program.graph.nodes, list(graph_module.graph.nodes), strict=True):
        names[own.name] = node.name
        if _is_its_input(node):
            names[own.name] = node.args[0].name
            node.replace_all_uses_with(node.args[0])
            graph_module.graph.erase_node(node)
    graph_module.recompile()
    for spec in (*signature.input_specs, *signature.output_specs):
        if getattr(spec.arg, "name", None) in names:
            spec.arg.name = names[spec.arg.name]
    with _quiet():
        return program._update(graph_module, signature)


def _is_its_input(node: torch.fx.Node) -> bool:
    """Dropout in eval mode, or a conversion to the type that the tensor has."""
    name, source = str(node.target), node.args[0] if node.args else None
    if node.op != "call_function" or not isinstance(source, torch.fx.Node):
        return False
    if name.startswith(_DROPOUTS):
        given: dict[str, Any] = {**dict(zip(("p", "train"), node.args[1:], strict=False)), **node.kwargs}
        return not given["train"] or bool(given["p"] == 0)
    return name == "aten.type_as.default" and bool(source.meta["val"].dtype == node.meta["val"].dtype)


def _explained(error: Exception, model: nn.Module, example: tuple[torch.Tensor, ...]) -> Exception:
    text = f"{type(error).__name__}: {error}"
    where = of_error(error)
    if isinstance(error, _OwnGradient):
        fix = "its backward would be lost; write it with torch's operations, and detach() what gets no gradient"
        return NotSupported(f"the autograd.Function {error}", where, fix)
    if any(sign in text for sign in _DATA_DEPENDENT):
        return NotSupported("data-dependent control flow", where, _STRAIGHTEN)
    if "aten._ctc_loss" in text:
        return NotSupported(
            "F.ctc_loss", where, "give loss=sv.CTC(longest), of logits [N, C, T], without the log-softmax"
        )
    shapes = ", ".join(str(list(x.shape)) for x in example)
    place = f"forward() fails at {where}" if where else _failing_layer(error)
    if isinstance(error, (RuntimeError, ValueError, TypeError)) and place:
        takes = first_takes(model, example)
        if takes:
            line = f"forward() fails at {where}; " if where else ""
            return InvalidInput("example", f"of shape {shapes}", line + takes)
        return InvalidInput("example", f"of shape {shapes}", f"{place} with: {_first_line(error)}")
    return NotSupported("this model", where, _says(error))


def _failing_layer(error: Exception) -> str:
    """PyTorch's own layer whose forward raised: a bare ``nn.Linear`` has no line of the user's."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = any("/torch/nn/modules/" in f.filename and f.name in ("forward", "_conv_forward") for f in frames)
    return "a layer fails" if inside else ""


def _says(error: Exception) -> str:
    return f"torch.export says: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return one_line(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__)
