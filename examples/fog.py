"""Digits before a camera while fog comes down: a shipped model alone, and one that goes on learning."""

import numpy as np
import torch
from nets.small_cnn import make
from sklearn.datasets import load_digits

import selvedge as sv
from selvedge.learn.camera_model.camera import Camera
from selvedge.learn.camera_model.course import Gradual
from selvedge.learn.stream.sample import Sample

torch.manual_seed(0)
digits, random = load_digits(), np.random.default_rng(0)
order = random.permutation(len(digits.target))
scenes, y = np.float32(digits.images[order, None] / 16), np.int32(digits.target[order])
day, dusk = Camera(full_well=4000), Camera(full_well=4000, fog=1.5, exposure=0.2, gain=2, slope=0.5, blur=0.4)
clear = day.see(scenes, random)
model = make()
adam = torch.optim.Adam(model.parameters(), lr=3e-3)
for rows in (rows for _ in range(12) for rows in torch.randperm(600).split(25)):
    adam.zero_grad()
    x = torch.from_numpy(clear[rows].astype(np.float32) / 255)
    torch.nn.functional.cross_entropy(model(x), torch.from_numpy(y[rows.numpy()]).long()).backward()
    adam.step()

bytes_to_numbers = sv.Preprocess(scale=(1 / 255,), offset=(0.0,))
sgd = sv.SGD(lr=0.01)
session = sv.compile(sv.plan(model.eval(), torch.zeros(4, 1, 8, 8), optimizer=sgd, preprocess=bytes_to_numbers))
memory = sv.Replay(8 << 10, (1, 8, 8), np.uint8, classes=10, codec="int4")
anchor, habits = sv.Anchor(clear[600:1000], y[600:1000], margin=0.08), sv.Habits(hold_out=0, blends=(1.0, 0.9, 0.8))
live = sv.Live(sv.Learner(session, memory=memory, anchor=anchor, habits=habits))
fog, asked = Gradual(day, dusk), {"clear": clear[1600:], "fog": dusk.see(scenes[1600:], random)}
for when in ("shipped", "learnt"):
    right = {name: (live.learner.predict_many(x).argmax(1) == y[1600:]).mean() for name, x in asked.items()}
    print(when, *(f"{name} {share:.1%}" for name, share in right.items()), f"{live.learner.tally.commits} commits")
    for i in range(1000, 1600) if when == "shipped" else ():
        live.feed(Sample(i, float(i), fog.at((i - 1000) / 600).see(scenes[i : i + 1], random)[0], int(y[i])))
