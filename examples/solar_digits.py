"""A model on a solar cell: it learns when it may, notices that its world has changed, and is switched off and on."""

import numpy as np
import torch
from sklearn.datasets import load_digits

import selvedge as sv
from selvedge.learn.energy.governor import Variant
from selvedge.learn.energy.senses import look
from selvedge.learn.energy.simulated import SimulatedClock, SolarBattery, Weather

images, labels = load_digits(return_X_y=True)
upright = np.float32(images).reshape(-1, 8, 8) / 16
turned = np.rot90(upright, axes=(1, 2))  # from the 30th day on the camera hangs on its side
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
plan = sv.plan(net, torch.zeros(8, 64), device="nrf52832", optimizer=sv.SGD(lr=0.1))
joules = plan.to_dict()["joules_per_step"]
session, detector = sv.compile(plan), sv.DDM(warm_start=400)
governor = sv.Governor(100 * joules, [Variant("all", joules)], only_charging=True, predict_joules=joules / 3)
clock, rng = SimulatedClock(), np.random.default_rng(0)
battery = SolarBattery(300 * joules, 0.01 * joules, Weather(rng), clock)
journal, right = sv.Journal("journal", 100_000), []
for hour in range(60 * 24):  # eight pictures an hour
    clock.pass_time(3600)
    battery.pass_time(3600)
    some = rng.integers(0, len(labels), 8)
    x, y = (turned if hour >= 30 * 24 else upright)[some].reshape(8, 64), labels[some]
    right.append(session.predict(x).argmax(1) == y)
    for wrong in ~right[-1]:
        detector.update(wrong)
        if detector.drift:
            print(f"day {hour // 24}: what it sees has changed")
    for _ in range(governor.grant(look(clock, battery), steps=20).steps):
        battery.draw(joules * (session.step(x, y) > 0))
    if hour % 24 == 23:
        journal.snapshot({"hour": hour}, session.state_dict())
    if hour // 24 in (29, 30, 59) and hour % 24 == 23:
        print(f"day {hour // 24}: {np.mean(right[-24:]):.0%} right, {len(right)} hours, {journal.bytes:,} B kept")
