"""A function of a user's own file, by name."""

from __future__ import annotations

import importlib.util
import linecache
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from ..errors import InvalidInput

_HERE = Path(__file__).resolve().parents[1]


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
        raise InvalidInput(file_field, str(path), f"importing it failed with {told(error, path)}") from error
    found = getattr(module, name, None)
    if not callable(found):
        known = [n for n, v in vars(module).items() if callable(v) and getattr(v, "__module__", "") == spec.name]
        raise InvalidInput(name_field, name or "empty", f"{path.name} has {', '.join(known) or 'no functions'}")
    return cast("Callable[..., Any]", found)


def told(error: BaseException, path: Path) -> str:
    """The error's type and text, and the line of the user's code where it was raised, or of ``path`` that leads there.

    An error of the call itself, as of a missing argument, has no such line.
    """
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    folder = path.resolve().parent
    frames = [(Path(f.f_code.co_filename), line) for f, line in traceback.walk_tb(error.__traceback__)]
    own = [(file, line) for file, line in frames if file.is_relative_to(folder) and not _installed(file, folder)]
    if not own:
        return text
    file, line = own[-1]
    code = linecache.getline(str(file), line).strip()
    return f"{text} at {file.relative_to(folder)}:{line}" + (f": {code}" if code else "")


def _installed(file: Path, folder: Path) -> bool:
    """Whether ``file`` belongs to a package of an environment that lies within the user's folder, or to this one."""
    return "site-packages" in file.relative_to(folder).parts or file.is_relative_to(_HERE)
