"""A small CNN on an nRF52840: on the device, in the cloud, or split? For three links, from the plans' own figures."""

import torch
from torch import nn

import selvedge as sv
from selvedge.advising import Cut, Data, Learning, Link, Privacy, Run, Step, Wants

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 10),
)  # fmt: skip
example = torch.zeros(1, 1, 32, 32)
device = sv.Device.load("nrf52840")

whole, step = sv.plan_inference(model, example, device=device), sv.plan(model, example, device=device)
run = Run(whole.cost.macs, whole.cost.seconds, whole.arena_bytes, whole.arrangement.memory.flash, whole.cost.joules)
learnt = Step(step.cost.macs, step.cost.seconds, step.arena_bytes, step.arrangement.memory.flash,
              step.persistent_bytes, step.cost.joules)  # fmt: skip
cuts = []
for layers in (2, 5):  # behind the first ReLU, and behind the pool
    part = sv.plan_inference(model[:layers], example, device=device)
    crosses = model[:layers](example).numel()
    cuts.append(Cut(f"layer {layers}", crosses, part.cost.macs, part.cost.seconds, part.arena_bytes, 0,
                    part.cost.joules))  # fmt: skip
room = sv.Budget.of(device)
costs = sv.Costs("cnn", device.name, run, tuple(cuts), learnt, ram_bytes=room.ram, flash_bytes=room.flash,
                 model_bytes=whole.weights_bytes)  # fmt: skip

data, learning = Data(samples_per_day=8640, sample_bytes=1024), Learning(1, samples=50, steps=100)
limits = Wants(latency_s=0.2, joules_per_day=20)
for name, link, privacy in (
    ("LoRa", Link(680, 680, round_trip_s=1, radio="lora"), Privacy()),
    ("BLE", Link(50_000, 50_000, round_trip_s=0.03, radio="ble"), Privacy()),
    ("BLE, and no pixel leaves", Link(50_000, 50_000, round_trip_s=0.03, radio="ble"), Privacy(raw_may_leave=False)),
):
    advice = sv.advise(sv.Scenario(data, link, privacy, limits, learning), costs)
    print(f"{name}: {advice.verdict}")
    print(f"  {advice.best.sum('latency')}")
