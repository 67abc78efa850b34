"""What a test needs of the machine: where everything is required its absence is a failure, else a skip."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    if os.environ.get("SELVEDGE_REQUIRE_ALL"):
        pytest.fail(f"{what} is missing and SELVEDGE_REQUIRE_ALL is set")
    pytest.skip(f"{what} is missing")
