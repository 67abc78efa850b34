"""nn.Module -> graphs: torch.export, loss, autodiff, optimiser. State keeps its PyTorch names."""

from .autodiff import gradients
from .capture import NORMS, capture
from .captured import Captured
from .layers import Layer
from .loss import CTC, MSE, BCEWithLogits, CrossEntropy, Loss, Reconstruction, loss
from .optimizer import SGD, Adam, Optimizer, RMSProp
from .programs import Programs, programs
from .select import select

__all__ = [
    "CTC",
    "MSE",
    "NORMS",
    "SGD",
    "Adam",
    "BCEWithLogits",
    "Captured",
    "CrossEntropy",
    "Layer",
    "Loss",
    "Optimizer",
    "Programs",
    "RMSProp",
    "Reconstruction",
    "capture",
    "gradients",
    "loss",
    "programs",
    "select",
]
