"""A model learns handwritten digits as they come, in native code, inside the RAM of a microcontroller."""

import numpy as np
import torch
from sklearn.datasets import load_digits

import selvedge as sv

torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.Conv2d(1, 16, 3, padding=1),
    torch.nn.ReLU(),
    torch.nn.MaxPool2d(2),
    torch.nn.Flatten(),
    torch.nn.Linear(256, 10),
)
digits = load_digits()
images, labels = (digits.images[:, None] / 16).astype(np.float32), digits.target.astype(np.int32)
stream = [(images[i : i + 1], labels[i : i + 1]) for i in range(len(images))]

device = sv.Device.load("stm32f746")
plan = sv.plan(model, torch.zeros(1, 1, 8, 8), device=device, optimizer=sv.SGD(lr=0.01, momentum=0.9), update="auto")
print(plan)  # what learns, in how many bytes, how fast, and why

session = sv.compile(plan)  # native code for this machine; same plan, same bytes
right = 0
for x, y in stream:
    right += int(session.predict(x).argmax() == y[0])  # first predict, then learn
    session.step(x, y)
print(f"\nright before learning: {right / len(stream):.1%} of {len(stream)} digits")

model.load_state_dict(session.state_dict())  # and back to PyTorch
sv.emit(plan, "c", "firmware/", learnt=session)  # the same step as C99 for the microcontroller
