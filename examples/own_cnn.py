"""Your own CNN, from your own file, learns your own images inside a microcontroller's RAM.  [IMAGES [NET.py]]"""

import runpy
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits

import selvedge as sv

path, net = (*sys.argv[1:], *(None, Path(__file__).parent / "nets" / "small_cnn.py")[len(sys.argv) - 1 :])
if path is None:
    x, y = np.float32(load_digits().images) * 16, load_digits().target
elif Path(path).is_file():  # Fashion-MNIST's sprite: 30 x 30 images of 28 x 28, three rows a class
    sheet = np.array(Image.open(path).convert("L"), np.float32)
    x, y = sheet.reshape(30, 28, 30, 28).swapaxes(1, 2).reshape(900, 28, 28), np.arange(900) // 90
else:
    files = [f for f in sorted(Path(path).glob("*/*")) if f.suffix.lower() in (".png", ".jpg", ".jpeg")]
    if not files:
        sys.exit(f"{path}: no images; give a folder that holds a folder of .png or .jpg for each class")
    x = np.stack([np.array(Image.open(f).convert("L").resize((32, 32)), np.float32) for f in files])
    y = np.unique([f.parent.name for f in files], return_inverse=True)[1]
order = np.random.default_rng(0).permutation(len(y))
x, y = (x[order, None] - x.mean()) / x.std(), y[order].astype(np.int32)
train, test = np.split(np.arange(len(y)), [len(y) * 4 // 5])
for seed in range(3):
    torch.manual_seed(seed)
    model = runpy.run_path(str(net))["make"](y.max() + 1)
    plan = sv.plan(model, torch.zeros(1, *x.shape[1:]), device="stm32f746", optimizer=sv.SGD(lr=0.002, momentum=0.9))
    session = sv.compile(plan)
    for _ in range(8):
        for i in np.random.default_rng(seed).permutation(train):
            session.step(x[i : i + 1], y[i : i + 1])
    right = np.mean([session.predict(x[i : i + 1]).argmax() == y[i] for i in test])
    print(f"seed {seed}: {right:.1%} of {len(test)} images never seen, in {plan.arena_bytes:,} B of 320 KiB")
print(f"always the commonest class: {np.bincount(y[test]).max() / len(test):.1%}")
