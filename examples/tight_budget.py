"""One training step in ever fewer bytes: values are made again, or paged; then what a refusal says."""

import numpy as np
import torch
from sklearn.datasets import load_digits

import selvedge as sv

torch.manual_seed(0)
convolutions = [
    (torch.nn.Conv2d(inputs, outputs, 3, stride, 1), torch.nn.GELU())
    for inputs, outputs, stride in ((1, 16, 1), (16, 16, 2), (16, 32, 1), (32, 32, 2))
]
layers = [part for pair in convolutions for part in pair]
model = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(512, 10))
digits = load_digits()
images, labels = np.float32(digits.images[:300, None].repeat(2, 2).repeat(2, 3) / 16), np.int32(digits.target[:300])
example, sgd = torch.zeros(1, 1, 16, 16), sv.SGD(lr=0.02)
device = sv.Device.load("raspberry-pi-4")  # it has a card to page to

plain = sv.plan(model, example, device=device, optimizer=sgd, trade=sv.Trade(stream=False, recompute=False))
trade = sv.Trade(page=True, slowdown=8)
learnt = {}
for share in (1.0, 0.6, 0.5, 0.4, 0.35, 0.3):
    ram = int(plain.persistent_bytes + share * plain.transient_bytes)
    try:
        plan = sv.plan(model, example, device=device, optimizer=sgd, trade=trade, budget=f"ram={ram}B")
    except sv.DoesNotFit as refused:
        print(f"\n{share:.0%}: {refused}\n{refused.changes}")
        break
    session = sv.compile(plan)
    losses = [session.step(images[i : i + 1], labels[i : i + 1]) for i in range(300)]
    weight = session.state_dict()["9.weight"]
    gave = plan.arrangement.programs["step"].saved
    learnt[share] = weight, gave.regions if gave else 0  # sums over channels are rounded a piece at a time
    did = f"{gave.regions} by channels, {gave.again} again, {gave.paged_out:,} B paged" if gave else "as it is"
    print(
        f"{share:.0%}: {plan.transient_bytes:>6,} B in passing, x {plan.cost.seconds / plain.cost.seconds:.2f}: {did}"
    )
whole = learnt[1.0][0]
print("the same bits but by channels:", all(torch.equal(whole, other) for other, cut in learnt.values() if not cut))
print(f"by channels at most {max(float((whole - other).abs().max()) for other, _ in learnt.values()):.0e} apart")
