"""An int8 network of the MCUNet files computed in integers, as a device does: the oracle of the dequantised one.

Jacob et al., arXiv:1712.05877, section 2.2: q = clamp(round(sum w_q (x_q - x_zero) + b_q) x_scale w_scale / y_scale) +
y_zero, -128, 127). Nothing here uses the zoo.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional


class IntegerNetwork:
    """``description``: NAME.json beside NAME.npz. Every activation is int8 in a float64 tensor."""

    def __init__(self, description: Path) -> None:
        self.described = json.loads(description.read_text())
        with np.load(description.with_suffix(".npz"), allow_pickle=False) as arrays:
            self.arrays = {name: torch.from_numpy(arrays[name]).double() for name in arrays.files}

    def conv(self, x: torch.Tensor, layer: dict[str, Any]) -> torch.Tensor:
        p = layer["params"]
        weight, bias, scales = (self.arrays[p[key]["array"]] for key in ("weight", "bias", "w_scales"))
        padding = layer["kernel_size"][0] // 2
        total = functional.conv2d(x - p["x_zero"], weight, bias, layer["stride"], padding, groups=layer["groups"])
        y = torch.round(total * (p["x_scale"] * scales / p["y_scale"])[:, None, None]) + p["y_zero"]
        return y.clamp(-128, 127)

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """Images [N,3,H,W] in -1 .. 1 -> logits [N,classes], dequantised."""
        first = self.described["first_conv"]
        p = first["params"]
        x = (torch.round(image.double() / p["x_scale"]) + p["x_zero"]).clamp(-128, 127)
        x = self.conv(x, first)
        for block in self.described["blocks"]:
            y = x
            for part in ("pointwise1", "depthwise", "pointwise2"):
                if block[part] is not None:
                    y = self.conv(y, block[part])
            if block["residual"] is not None:
                r, own = block["residual"]["params"], block["pointwise2"]["params"]
                real = (x - r["x_zero"]) * r["x_scale"] + (y - own["y_zero"]) * own["y_scale"]
                y = (torch.round(real / r["y_scale"]) + r["y_zero"]).clamp(-128, 127)
            x = y
        head = self.described["classifier"]
        logits = self.conv(torch.round(x.mean((2, 3), keepdim=True)), head)
        return (logits - head["params"]["y_zero"])[:, :, 0, 0] * head["params"]["y_scale"]
