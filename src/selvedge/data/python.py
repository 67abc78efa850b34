"""A function of a user's own file, by name."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from ..errors import InvalidInput


@contextmanager
def importing_beside(path: Path) -> Iterator[None]:
    """The file's own directory is searched first, as when python runs it."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def function(path: Path, name: str, file_field: str, name_field: str) -> Callable[..., Any]:
    """``name`` of the file ``path``, which is imported. Raises ``InvalidInput`` that names the field and the fault."""
    # A name of its own: a file called torch.py must not become the module torch.
    spec = importlib.util.spec_from_file_location(f"selvedge_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InvalidInput(file_field, str(path), "python cannot import it")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InvalidInput(file_field, str(path), f"importing it failed with {told(error)}") from error
    found = getattr(module, name, None)
    if not callable(found):
        known = [n for n, v in vars(module).items() if callable(v) and getattr(v, "__module__", "") == spec.name]
        raise InvalidInput(name_field, name or "empty", f"{path.name} has {', '.join(known) or 'no functions'}")
    return cast("Callable[..., Any]", found)


def told(error: BaseException) -> str:
    """The error's type and text."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
