"""A small CNN with nine of ten weights zero: faster in native code, or refused; trained in steps, the zeros hold."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import selvedge as sv

torch.manual_seed(0)
digits = load_digits()
order = np.random.default_rng(0).permutation(len(digits.target))
x, y = torch.tensor(digits.images[order, None] / 16).float(), torch.tensor(digits.target[order])
net = nn.Sequential(
    nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 32, 1), nn.ReLU(), nn.Flatten(), nn.Linear(1152, 64), nn.ReLU(),
    nn.Linear(64, 10),
)  # fmt: skip


def epoch(model: nn.Module) -> None:
    adam = torch.optim.Adam(model.parameters(), lr=3e-3)
    for rows in torch.randperm(1300).split(50):
        adam.zero_grad()
        nn.functional.cross_entropy(model.train()(x[rows]), y[rows]).backward()
        adam.step()


for _ in range(4):
    epoch(net)
made = sv.Sparsifier(net, 0.9, steps=3).run(epoch, epochs=2)
for name, model in (("dense", net.eval()), ("sparse", made.model)):
    plan = sv.plan_inference(model, x[:1], device="stm32f746")
    session = sv.compile(sv.plan_inference(model, x[:1]))
    right = np.mean([session.predict(x[i : i + 1]).argmax() == int(y[i]) for i in range(1300, len(x))])
    print(f"{name}: {right:.1%} right, {plan.weights_bytes:,} B of weights, {plan.cost.macs:,} multiplications")
try:
    sv.plan_inference(sv.sparsify(net, 0.2).model, x[:1], sparse="for_speed")
except sv.NotSupported as error:
    print(error)
