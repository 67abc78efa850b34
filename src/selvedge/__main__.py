"""The command line: ``selvedge``, and ``python -m selvedge``."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Ctrl-C ends with 130 from the first moment: what the command line itself imports takes half a second."""
    try:
        if sys.argv[1:3] == ["federate", "join"]:  # also on devices that have no room for what draws the others
            from .face.federating.device import main as run
        else:
            from .face.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("selvedge: interrupted\n")
        sys.stderr.flush()
        os._exit(130)
    run()


if __name__ == "__main__":
    main()
