"""A user's CNN on digits, made small in two ways with equal epochs, each run in native code and priced on a board."""

import numpy as np
from nets.small_cnn import make
from sklearn.datasets import load_digits

import selvedge as sv

digits = load_digits()
order = np.random.default_rng(0).permutation(len(digits.target))
x, y = np.float32(digits.images[order, None] / 16), digits.target[order]
parts = [(x[a:b], y[a:b]) for a, b in ((0, 1000), (1000, 1200), (1200, 1797))]  # train, choose the epoch, test
found = sv.weigh(lambda seed: make(), parts, device="nrf52832", ways=["float", "ptq", "narrow+ptq"], epochs=6, seeds=1)
print(found)
best = max(found.rows, key=lambda row: row.mean if row.costs["file_bytes"] <= 10_000 else 0)
print(f"\nin 10,000 B: {best.way}, {best.mean:.1%} right; training it all takes", end=" ")
print(f"{best.costs['training']['full_bytes']:,} B of the board's {found.device.ram:,}")
with open("ways.html", "w") as page:
    page.write(found.page())
