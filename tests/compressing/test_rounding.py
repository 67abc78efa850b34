"""AdaRound and bias correction: on their steps, and nearer to the float model than rounding to the nearest."""

from __future__ import annotations

import numpy as np
import torch

from selvedge.compressing import quantise
from selvedge.compressing.adaround import adaround, learnt
from selvedge.compressing.bias import corrected, means
from selvedge.compressing.fold import folded, layer_modules
from selvedge.compressing.litert import WIDTHS, Wanted
from selvedge.compressing.scales import scales, stepped
from selvedge.compressing.worst import sqnr

from .nets import chain, images

DATA = [(images(64),)]


def wanted(bits: int) -> tuple[torch.nn.Module, Wanted]:
    net = folded(chain(), DATA[0])
    plain = Wanted(bits)
    return net, Wanted(bits, scales=scales(net, DATA[0], plain, "minmax"))


def test_rounding_learns_what_the_exhaustive_search_finds() -> None:
    """A linear layer of four weights: sixteen ways to round, of which the best is known."""
    torch.manual_seed(1)
    layer = torch.nn.Linear(4, 1, bias=False)
    x = torch.randn(64, 4) + 1.0  # means that nearest rounding does not care for
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.31, 0.42, -0.36, 0.7]]))
    scale = torch.tensor([0.1])
    found = learnt(layer, x, layer(x).detach(), scale, 7, 400, torch.Generator().manual_seed(0))
    whole = layer.weight.detach().numpy() / 0.1
    best = min(
        float(np.mean((x.numpy() @ ((np.floor(whole) + ways) * 0.1 - layer.weight.detach().numpy()).T) ** 2))
        for ways in (np.array(list(np.binary_repr(i, 4)), float) for i in range(16))
    )
    error = float(((x @ (found - layer.weight.detach()).T) ** 2).mean())
    nearest = float(((x @ (stepped(layer.weight.detach(), scale, 4) - layer.weight.detach()).T) ** 2).mean())
    assert error <= 1.05 * best + 1e-9
    assert error < nearest


def test_rounded_weights_lie_next_to_the_float_ones_on_their_steps() -> None:
    net, given = wanted(4)
    made = adaround(net, DATA, given, steps=60)
    for name, module in layer_modules(made, DATA[0]).items():
        scale = given.scales[name].reshape(-1, *(1,) * (module.weight.dim() - 1))
        steps = (module.weight / scale).detach()
        torch.testing.assert_close(steps, steps.round(), rtol=0, atol=1e-3)
        assert float(steps.abs().max()) <= WIDTHS[4] + 1e-3
        assert float((steps - net.get_submodule(name).weight.detach() / scale).abs().max()) < 1 + 1e-3
    right = net(*DATA[0])
    near = folded(chain(), DATA[0])
    with torch.no_grad():
        for name, module in layer_modules(near, DATA[0]).items():
            module.weight.copy_(stepped(module.weight, given.scales[name], 4))
    assert sqnr(right, made(*DATA[0])) > sqnr(right, near(*DATA[0]))


def test_corrected_biases_bring_every_mean_back() -> None:
    net, given = wanted(4)
    made = corrected(net, DATA, given)
    with torch.no_grad():
        for name, module in layer_modules(made, DATA[0]).items():
            module.weight.copy_(stepped(module.weight, given.scales[name], 4))
        right = means(net, layer_modules(net, DATA[0]), DATA)
        found = means(made, layer_modules(made, DATA[0]), DATA)
    for name in right:
        np.testing.assert_allclose(found[name].numpy(), right[name].numpy(), atol=1e-5)


def test_quantising_keeps_what_was_rounded() -> None:
    net, given = wanted(4)
    made = quantise(chain(), DATA[0][0], weights="int4", correct_bias=True, wanted_agreement=0.0)
    for name, scale in given.scales.items():
        assert torch.equal(made.state_dict()[f"{name}.weight_scale"], scale)
    plain = quantise(chain(), DATA[0][0], weights="int4", wanted_agreement=0.0)
    assert sqnr(net(*DATA[0]), made(*DATA[0])) > sqnr(net(*DATA[0]), plain(*DATA[0]))
