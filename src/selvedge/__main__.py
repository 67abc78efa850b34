"""``python -m selvedge``: the command line."""

from .face.cli import main

main()
