"""A token of SoftHSM: of this process, for its tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.required import missing

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "31415926"


def uri(label: str) -> str:
    return f"pkcs11:token=tests;object={label}?module-path={MODULE}"


@pytest.fixture(scope="session")
def token(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which SoftHSM keeps the token ``tests``."""
    if not Path(MODULE).is_file() or shutil.which("softhsm2-util") is None:
        missing("SoftHSM (softhsm2)")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    config = folder / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(config)  # the module reads it when it is loaded, once in a process
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", "tests", "--pin", PIN, "--so-pin", "27182818"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder / "tokens"
