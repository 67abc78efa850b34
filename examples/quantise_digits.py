"""A small CNN in int8 after training, and with 4-bit weights in training; and what hurts."""

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


def learn(net: torch.nn.Module, epochs: object, rate: float) -> None:
    adam = torch.optim.Adam(net.parameters(), lr=rate)
    for _ in epochs:
        for rows in torch.randperm(1300).split(50):
            adam.zero_grad()
            torch.nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            adam.step()


def right(net: torch.nn.Module) -> str:
    return f"{(net(x[test]).argmax(1) == y[test]).float().mean():.1%} right"


learn(model := make(), range(8), 3e-3)
more = copy.deepcopy(model)
learn(more, range(4), 1e-3)  # float has as many epochs as what is trained in integers
int8 = sv.quantise(more, x[train])
learn(qat := sv.QAT(model, x[train], weights="int4", learned_step=True), qat.epochs(4), 1e-3)
w4a8 = qat.convert()
for name, net, facts in (("float", more, None), ("int8", int8, int8.facts), ("w4a8", w4a8, w4a8.facts)):
    print(f"{name}: {right(net)}" + (f", {facts.bytes:,} of {facts.float_bytes:,} B" if facts else ""))
print(sv.compare(more, int8, x[test], native=True))
