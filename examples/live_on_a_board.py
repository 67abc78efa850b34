"""A learner as C99 for a microcontroller: here it runs on this machine, and what it learnt comes back to Python."""

import subprocess

import numpy as np
import torch
from nets.small_cnn import make
from sklearn.datasets import load_digits

import selvedge as sv
from selvedge.artifact.toolchain import find_compiler

FIRMWARE = """#include <stdio.h>
#include "net_live.h"
#include "net_weights.h"
int main(void) {
    static unsigned char arena[NET_ARENA_BYTES] __attribute__((aligned(NET_ALIGNMENT)));
    static net_live live; static net_context context; struct { float x[NET_LIVE_SAMPLE]; int32_t y; } sensor;
    net_init(&context, arena, net_weights); net_live_init(&live, &context);
    while (fread(&sensor, sizeof sensor, 1, stdin)) net_live_learn(&live, &context, sensor.x, sensor.y);
    return fwrite(&live, sizeof live, 1, stdout) != 1; }"""
x, y = load_digits(return_X_y=True)
x, y = np.float32(x.reshape(-1, 1, 8, 8) / 16), np.int32(y)
_, model = torch.manual_seed(0), make()
adam = torch.optim.Adam(model.parameters(), lr=3e-3)
for rows in (rows for _ in range(12) for rows in torch.randperm(600).split(25)):
    adam.zero_grad()
    torch.nn.functional.cross_entropy(model(torch.from_numpy(x[rows])), torch.from_numpy(y[rows]).long()).backward()
    adam.step()
sv.emit(sv.plan(model.eval(), torch.zeros(8, 1, 8, 8), optimizer=sv.SGD(lr=0.004), name="net"), "c", "firmware/net")
memory = sv.Replay(4096, (1, 8, 8), np.float32, classes=10, codec="int4")
learner = sv.Learner(sv.load("firmware/net"), memory=memory, anchor=sv.Anchor(x[600:1100], y[600:1100], margin=0.06))
made, grey = sv.emit_live(learner, "firmware/live"), 0.3 * x + 0.6
command = [*find_compiler().command, "-std=c99", "-O2", "-ffp-contract=off", "-Ifirmware/net", "-Ifirmware/live"]
command += ["firmware/net/net.c", "firmware/live/net_live.c", "-x", "c", "-", "-lm", "-o", "firmware/board"]
subprocess.run(command, input=FIRMWARE.encode(), check=True)
stream = b"".join(grey[i].tobytes() + y[i].tobytes() for i in range(1100, 1500))
print(f"before {(learner.predict_many(grey[1500:]).argmax(1) == y[1500:]).mean():.1%} right under the new light")
sv.load_live(learner, subprocess.run(["firmware/board"], input=stream, capture_output=True, check=True).stdout)
print(
    f"after {(learner.predict_many(grey[1500:]).argmax(1) == y[1500:]).mean():.1%}, in {made.state:,} B and the arena"
)
print(learner.diary.counts)
