"""A model learns under a new light and through a loose contact, and keeps what it began with; a log says how."""

import numpy as np
import torch
from nets.small_cnn import make
from sklearn.datasets import load_digits

import selvedge as sv
from selvedge.learn.guard.anchor import Anchor
from selvedge.learn.learner import Learner

torch.manual_seed(0)
digits = load_digits()
order = np.random.default_rng(0).permutation(len(digits.target))
x, y = np.float32(digits.images[order, None] / 16), np.int32(digits.target[order])
model = make()
adam = torch.optim.Adam(model.parameters(), lr=3e-3)
for rows in (rows for _ in range(12) for rows in torch.randperm(600).split(25)):
    adam.zero_grad()
    torch.nn.functional.cross_entropy(model(torch.from_numpy(x[rows])), torch.from_numpy(y[rows]).long()).backward()
    adam.step()

session = sv.compile(sv.plan(model.eval(), torch.zeros(8, 1, 8, 8), optimizer=sv.SGD(lr=0.002, momentum=0.9)))
remembered = {
    name: sv.Replay(n, (1, 8, 8), np.float32, classes=10) for name, n in (("memory", 16384), ("held_out", 4096))
}
learner = Learner(session, **remembered, anchor=Anchor(x[600:1100], y[600:1100], margin=0.04))
grey = 0.3 * x + 0.6
for when in ("before", "after"):
    old, new = ((learner.predict_many(part[1500:]).argmax(1) == y[1500:]).mean() for part in (x, grey))
    print(f"{when}: as it was {old:.1%}, under the new light {new:.1%}")
    for i in range(1100, 1500) if when == "before" else ():
        sample = grey[i] if i % 10 else np.full_like(x[i], np.nan)  # a loose contact
        learner.learn_one(sample, int(y[i]))
print(learner, learner.diary.counts, *list(learner.diary)[-3:], sep="\n")
