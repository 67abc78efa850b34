"""Imported once by the process that commands are forked from: what torch loads when it first exports is loaded here."""

from __future__ import annotations

import torch

from selvedge.capture import capture
from selvedge.face import model
from selvedge.make import compile

__all__ = ["compile", "model"]

torch.set_num_threads(1)
capture(torch.nn.Linear(1, 1), torch.zeros(1, 1))
