"""The command line: ``selvedge``, and ``python -m selvedge``."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Ctrl-C ends with 130 from the first moment: what the command line itself imports takes half a second."""
    try:
        from .face.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("selvedge: interrupted\n")
        sys.stderr.flush()
        os._exit(130)
    run()


if __name__ == "__main__":
    main()
