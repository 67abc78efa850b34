"""ExecuTorch without a delegate: the same runtime."""

from .executorch import opened as opened
