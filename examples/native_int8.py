"""A small CNN on digits: float against int8, both in native code, one image at a time."""

import time

import numpy as np
import torch
from nets.small_cnn import make
from sklearn.datasets import load_digits

import selvedge as sv

torch.manual_seed(0)
digits = load_digits()
order = np.random.default_rng(0).permutation(len(digits.target))
x, y = torch.tensor(digits.images[order, None] / 16).float(), torch.tensor(digits.target[order])
model = make()
adam = torch.optim.Adam(model.parameters(), lr=3e-3)
for _ in range(10):
    for rows in torch.randperm(1300).split(50):
        adam.zero_grad()
        torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        adam.step()
int8 = sv.quantise(model.eval(), x[:1300])
answers = {}
for name, net in (("float", model), ("int8", int8)):
    plan = sv.plan_inference(net, x[:1])
    session, told, seconds = sv.compile(plan), [], []
    for image in x[1300:].numpy()[:, None]:
        start = time.perf_counter()
        told.append(session.predict(image).argmax())
        seconds.append(time.perf_counter() - start)
    answers[name], right = np.array(told), (np.array(told) == y[1300:].numpy()).mean()
    size = f"{plan.weights_bytes:,} B of weights, {plan.arena_bytes:,} B of RAM"
    print(f"{name}: {right:.1%} right, {size}, {1e6 * np.median(seconds):.0f} us")
print(f"native int8 says what PyTorch simulates: {(answers['int8'] == int8(x[1300:]).argmax(1).numpy()).mean():.1%}")
