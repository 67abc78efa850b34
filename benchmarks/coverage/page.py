"""The table: what was drawn, what agreed, what was refused, and what has no entry, with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .draw import Entry
from .functions import ENTRIES as FUNCTIONS
from .modules import ENTRIES as MODULES

ENTRIES: tuple[Entry, ...] = (*MODULES, *FUNCTIONS)
_RANDOM = "it draws numbers in forward()"
_PLACES = "it needs the places of maxima"
_VALUES = "its shapes or its branches depend on values"
WITHOUT: Mapping[str, str] = {
    "nn.AdaptiveLogSoftmaxWithLoss": _VALUES,
    "nn.CTCLoss, F.ctc_loss": "as a loss it is `sv.CTC`; within a model it has no kernel",
    "nn.FractionalMaxPool2d, nn.FractionalMaxPool3d, F.fractional_max_pool2d, F.fractional_max_pool3d": _RANDOM,
    "nn.GaussianNLLLoss, F.gaussian_nll_loss": _VALUES + ": write its formula",
    "nn.MaxUnpool1d, nn.MaxUnpool2d, nn.MaxUnpool3d, F.max_unpool1d, F.max_unpool2d, F.max_unpool3d": _PLACES,
    "nn.MultiLabelMarginLoss, F.multilabel_margin_loss": "its targets end at the first -1: write it with a mask",
    "nn.DataParallel, nn.SyncBatchNorm": "it is for several machines",
    "nn.LinearCrossEntropyLoss, F.linear_cross_entropy": "use a linear layer and the loss",
    "F.gumbel_softmax": _RANDOM,
    "F.grid_sample, F.affine_grid": "it gathers at places that are computed; give constant places to index",
    "F.pdist": "it has no kernel yet: subtract with broadcasting",
    "F.hardtanh_ and other in-place forms": "they count as the function itself",
}


@dataclass(frozen=True)
class Row:
    """Draws of one entry: how many agreed, and how many were refused, with one of the reasons."""

    agreed: int
    refused: int
    reason: str = ""


def page(rows: Mapping[str, Row], draws: int) -> str:
    """The page in Markdown."""
    count, refused = sum(r.agreed + r.refused for r in rows.values()), sum(r.refused for r in rows.values())
    good = sum(r.agreed > 0 for r in rows.values())
    lines = [
        "# Coverage of torch.nn",
        "",
        f"{good} of {len(rows)} modules and functions train with PyTorch's values and gradients. Each was drawn",
        f"{draws} times over its arguments and shapes, captured, and held in float64 against autograd: every output,",
        f"the gradient of every parameter and input. {count - refused:,} of {count:,} draws agree, {refused}",
        f"({refused / count:.1%}) are refused with a reason, none is wrong. `python -m benchmarks.coverage` writes",
        "this page.",
        "",
        *_table(rows),
        "",
        "## Without an entry",
        "",
        *(f"- {', '.join(f'`{n}`' for n in names.split(', '))}: {why}." for names, why in WITHOUT.items()),
    ]
    return "\n".join(lines) + "\n"


def _table(rows: Mapping[str, Row]) -> Sequence[str]:
    lines = ["| name | agree | refused | why |", "|---|---:|---:|---|"]
    return [*lines, *(f"| `{n}` | {r.agreed} | {r.refused or '-'} | {r.reason or '-'} |" for n, r in rows.items())]
