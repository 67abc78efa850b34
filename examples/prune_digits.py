"""A small CNN cut to 40 % of its multiplications in three steps, by gradients and at random; saved, read, made int8."""

import copy

import numpy as np
import torch
from nets.small_cnn import make
from sklearn.datasets import load_digits

import selvedge as sv

torch.manual_seed(0)
digits = load_digits()
order = np.random.default_rng(0).permutation(len(digits.target))
x, y = torch.tensor(digits.images[order, None] / 16).float(), torch.tensor(digits.target[order])
train, test = slice(0, 1300), slice(1300, None)


def epoch(net: torch.nn.Module) -> None:
    adam = torch.optim.Adam(net.parameters(), lr=3e-3)
    for rows in torch.randperm(1300).split(50):
        adam.zero_grad()
        torch.nn.functional.cross_entropy(net.train()(x[rows]), y[rows]).backward()
        adam.step()


def right(net: torch.nn.Module) -> str:
    return f"{(net.eval()(x[test]).argmax(1) == y[test]).float().mean():.1%} right"


def trained(net: torch.nn.Module, epochs: int) -> torch.nn.Module:
    for _ in range(epochs):
        epoch(net)
    return net


model = trained(make(), 6)
whole = trained(copy.deepcopy(model), 6)  # as many epochs as the pruned ones have
print(f"whole: {right(whole)}")
for criterion in ("random", "taylor"):
    data = (x[:256], y[:256])
    pruner = sv.Pruner(model, x[:1], {"macs": 0.4}, steps=3, criterion=criterion, data=data, multiple=4)
    small = pruner.run(epoch, epochs=2)
    print(f"{criterion}: {right(small)}, {pruner.share['macs']:.1%} of the multiplications")
pruner.widths.save("widths.json")
fresh = sv.Widths.load("widths.json").apply(make(), x[:1])
fresh.load_state_dict(small.state_dict())
print(f"the same again: {torch.equal(fresh.eval()(x), small(x))}")
int8 = sv.quantise(small, x[train])
print(f"int8: {(int8(x[test]).argmax(1) == y[test]).float().mean():.1%} right, {int8.facts.bytes:,} B")
