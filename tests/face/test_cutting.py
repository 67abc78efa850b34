"""Where a network is cut, against PyTorch: its own activations cross, and its own count of operations is divided."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import selvedge as sv
from selvedge.face.cutting import before, places
from selvedge.face.model import NamedModel
from selvedge.face.model_costs import Training, _network, costs
from selvedge.zoo import make


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.one, self.two = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        x = x + self.two(torch.relu(self.one(x)))
        out: torch.Tensor = self.head(x.mean((2, 3)))
        return out


@pytest.fixture
def residual() -> NamedModel:
    torch.manual_seed(0)
    return NamedModel("residual", Residual().eval(), (torch.randn(1, 3, 16, 16),), None)


def flops(model: nn.Module, x: torch.Tensor) -> dict[str, int]:
    """Operations by module, as PyTorch counts them: two a multiply-accumulate."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x)
    return {name: sum(found.values()) for name, found in counter.get_flop_counts().items()}


def test_a_residual_block_is_not_cut_inside(residual: NamedModel) -> None:
    found, macs = places(*_network(residual))
    # Behind the stem and its ReLU [8, 8, 8]; behind the block, once the mean has made it [8].
    assert [(p.layer, p.value.spec.size) for p in found] == [("stem", 512), ("two", 8)]
    counted = flops(residual.model, residual.example[0])  # type: ignore[arg-type]
    assert macs == counted["Residual"] // 2
    assert found[0].macs == counted["Residual.stem"] // 2
    assert found[1].macs == macs - counted["Residual.head"] // 2


def test_what_crosses_is_pytorchs_own_activation(residual: NamedModel) -> None:
    network, names = _network(residual)
    model: Any = residual.model
    x = residual.example[0]
    with torch.no_grad():
        stem = torch.relu(model.stem(x))
        block = (stem + model.two(torch.relu(model.one(stem)))).mean((2, 3))
    for place, wanted in zip(places(network, names)[0], (stem, block), strict=True):
        session = sv.compile(sv.plan_inference(before(network, place)))
        got = np.asarray(session.predict(x.numpy())).reshape(place.value.shape)
        if got.ndim == 4:  # our images are NHWC inside
            got = got.transpose(0, 3, 1, 2)
        np.testing.assert_allclose(got.reshape(wanted.shape), wanted.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["ds_cnn", "resnet8"])
def test_a_zoo_models_cuts_are_named_in_order_and_share_its_operations(name: str) -> None:
    module, example, _ = make(name, seed=0)
    network, names = _network(NamedModel(name, module.eval(), (example,), None))
    found, macs = places(network, names)
    assert macs == flops(module.eval(), example[:1])["Global"] // 2
    assert [p.macs for p in found] == sorted({p.macs for p in found})
    assert 0 < found[0].macs < found[-1].macs < macs
    layers = [n for n, m in module.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    order = [layers.index(p.layer) for p in found]
    assert order == sorted(order)


class Quiet:
    def part(self, name: str, total: int | None = None) -> None: ...

    def at(self, done: int, says: str = "") -> None: ...


def test_a_recurrent_layer_is_cut_behind_it_and_not_inside() -> None:
    """Between its input's product and its steps lie 25 x 3 x 154 numbers that no layer gives."""
    module, example, _ = make("keyword_gru", seed=0)
    network, names = _network(NamedModel("keyword_gru", module.eval(), (example,), None))
    found, total = places(network, names)
    assert [(p.layer, p.value.spec.size, total - p.macs) for p in found] == [("rnn", 154, 154 * 12)]


def test_costs_are_those_of_the_plans() -> None:
    device = sv.Device.load("nrf52832")
    found = costs("zoo:resnet8", None, device, sv.Budget.of(device), Training(1, "full", "sgd", "frozen", None), 0,
                  Quiet())  # fmt: skip
    module, example, _ = make("resnet8", seed=0)
    room = sv.Device.load("stm32h743")
    whole = sv.plan_inference(module.eval(), example, device=room)
    assert found.run.macs == whole.cost.macs
    # 64 KiB do not hold it: its bytes are those of a plan without a limit, and not refused here.
    assert found.ram_bytes == 60 * 1024 < found.run.ram_bytes
    assert found.step is not None
    assert found.step.ram_bytes > found.run.ram_bytes
    assert found.step.update_bytes == 4 * sum(p.numel() for p in module.parameters())
    assert found.model_bytes == whole.weights_bytes
    for earlier, later in zip(found.cuts, found.cuts[1:], strict=False):
        assert earlier.flash_bytes <= later.flash_bytes
        assert earlier.seconds < later.seconds < found.run.seconds
