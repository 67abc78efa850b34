"""Which part of which parameter an update means, and the one line that refuses what it cannot mean."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from selvedge.capture import capture, select
from selvedge.capture.captured import Captured
from selvedge.errors import InvalidInput


class Net(nn.Module):
    """Every kind of weight: of convolutions plain, depthwise, grouped and transposed, of linear layers, of a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3, padding=1)
        self.point = nn.Conv2d(12, 12, 1)
        self.norm = nn.GroupNorm(3, 12)
        self.depth = nn.Conv2d(12, 12, 3, padding=1, groups=12)
        self.grouped = nn.Conv2d(12, 12, 1, groups=3)
        self.back = nn.ConvTranspose2d(12, 12, 1)
        self.line = nn.Conv1d(12, 10, 3)
        self.tied = nn.Linear(8, 8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.point(self.stem(x)))
        x = self.back(self.grouped(self.depth(x))).flatten(2)
        x = self.line(x).mean(1)[:, :8]
        return self.head(self.tied(self.tied(x)) @ self.tied.weight)


def captured() -> Captured:
    torch.manual_seed(0)
    return capture(Net().eval(), (torch.zeros(2, 3, 4, 4),))


CHOSEN = [
    ("stem.weight[:2]", {"stem.weight": (2, 3)}),
    ("stem.weight[:34%]", {"stem.weight": (2, 3)}),  # rounded up
    ("point.weight[:25%],head.bias", {"point.weight": (3, 12), "head.bias": None}),
    ("point.weight[:0.5%]", {"point.weight": (1, 12)}),
    (["head.weight[:2]", "line.weight[:50%]"], {"line.weight": (6, 12), "head.weight": (2, 8)}),
    ("point.weight[:100%]", {"point.weight": None}),
    ("point.weight[:12]", {"point.weight": None}),
    ("point.bias[:100%]", {"point.bias": None}),
    # A glob takes the part of what has one, and nothing of the rest; a count is a bound.
    ("*[:50%]", {"stem.weight": (2, 3), "point.weight": (6, 12), "line.weight": (6, 12), "head.weight": (4, 8)}),
    ("*.weight[:4]", {"stem.weight": None, "point.weight": (4, 12), "line.weight": (4, 12), "head.weight": (4, 8)}),
    # The most of what is said.
    ("head.weight[:2],head.weight[:50%],head.weight[:1]", {"head.weight": (4, 8)}),
    ("head.weight[:2],head.*", {"head.weight": None, "head.bias": None}),
    ("head.*,head.weight[:2]", {"head.weight": None, "head.bias": None}),
]


@pytest.mark.parametrize(("update", "expected"), CHOSEN)
def test_an_update_means_these_parts(update: str | list[str], expected: dict[str, tuple[int, int] | None]) -> None:
    found = select(captured(), update)
    assert {n: part and (part.count, part.of) for n, part in found.items()} == expected
    assert list(found) == [n for n in captured().state if n in found]


REFUSED = [
    ("head.weight[:0%]", "more than none"),
    ("head.weight[:0]", "more than none"),
    ("head.weight[:101%]", "at most 100%"),
    ("head.weight[:-1]", "write a part as"),
    ("head.weight[:]", "write a part as"),
    ("head.weight[:a quarter]", "write a part as"),
    ("head.weight[:1e999]", "write a part as"),
    ("head.weight[:²]", "write a part as"),
    ("head.weight[25%]", "write a part as"),
    ("head.weight[2:4]", "write a part as"),
    ("head.weight[:9]", "it has 8 input channels"),
    ("head.bias[:1]", "head.bias has no part to learn"),
    ("norm.weight[:25%]", "norm.weight has no part to learn"),
    ("depth.weight[:25%]", "depthwise"),
    ("grouped.weight[:25%]", "3 groups"),
    ("back.weight[:25%]", "no weight of a convolution or linear layer"),
    ("tied.weight[:25%]", "different axes"),
    ("*bias[:25%]", "has no part to learn"),
    ("haed.weight[:25%]", 'did you mean "head.weight"'),
    ("full[:25%]", "names of"),
    ("last:2[:25%]", "layers train"),
]


@pytest.mark.parametrize(("update", "said"), REFUSED)
def test_what_has_no_part_is_refused_in_one_line(update: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        select(captured(), update)
    assert refusal.value.field == "update"
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 400
