"""Plans to draw: a straight net, forks, a wide one, one without a budget nearby, in several programs."""

from __future__ import annotations

from functools import cache

import selvedge as sv
from selvedge import zoo

BOARD = sv.Device(
    name="board", ram="64MiB", flash="64MiB", reserved_ram="4KiB", throughput={"float32": 1e8}, bandwidth={"ram": 1e8}
)
PLANS = {
    "resnet8": ("resnet8", {"update": "last:3"}),
    "ds_cnn": ("ds_cnn", {"norms": "folded", "optimizer": sv.SGD(lr=0.1, momentum=0.9)}),
    "autoencoder": ("deep_autoencoder", {"optimizer": sv.Adam(lr=1e-3)}),
    "mobilenet_v2": ("mobilenet_v2?width=0.35&resolution=96", {"budget": "ram=12MiB"}),
}


@cache
def planned(name: str) -> sv.Plan:
    spec, options = PLANS[name]
    model, example, loss = zoo.make(spec, seed=0)
    return sv.plan(model, example, loss=loss, device=BOARD, name=name, **options)
