"""How a benchmark ends that is a command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from selvedge.errors import SelvedgeError


def command(name: str, main: Callable[[], int]) -> NoReturn:
    """Exits with what ``main`` returns; 2 and one line for what a user can do something about, 130 interrupted."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        sys.exit(main())
    except SelvedgeError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
