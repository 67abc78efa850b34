"""The public face: every name is there and documented, and importing it costs no torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

import selvedge


@pytest.mark.parametrize("name", [n for n in selvedge.__all__ if n != "__version__"])
def test_every_public_name_exists_and_is_documented(name: str) -> None:
    value = getattr(selvedge, name)
    assert value.__name__ == name
    assert value.__module__.startswith("selvedge.")
    own = value.__doc__
    assert own
    # What dataclasses write by themselves is no documentation.
    assert not own.startswith(f"{name}("), own


def test_the_names_are_listed_once_and_in_order() -> None:
    assert len(set(selvedge.__all__)) == len(selvedge.__all__)
    assert set(dir(selvedge)) == set(selvedge.__all__)
    assert set(selvedge.__all__) - {"__version__"} == set(selvedge._HOME)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'selvedge' has no attribute 'plam'"):
        selvedge.plam  # noqa: B018


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_importing_selvedge_imports_neither_torch_nor_numpy() -> None:
    code = "import sys, selvedge; print(selvedge.__version__, *sorted({'torch', 'numpy'} & set(sys.modules)))"
    assert python(code).split() == [selvedge.__version__]


def test_the_names_of_the_device_wing_need_no_torch() -> None:
    names = "Session, NotFinite, load, Preprocess, Cosine, Replay, Budget, Device, DoesNotFit, ADWIN, Governor, Journal"
    names += ", Learner, Habits, Anchor, Live, personalise"
    assert python(f"import sys\nfrom selvedge import {names}\nprint('torch' in sys.modules)") == "False\n"


def test_the_command_line_starts_without_torch() -> None:
    code = "import sys\nfrom selvedge.face import cli\nprint('torch' in sys.modules)"
    assert python(code) == "False\n"


def test_the_module_runs_as_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "selvedge", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"selvedge {selvedge.__version__}\n"
