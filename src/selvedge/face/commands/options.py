"""Options that several commands have, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import completion

Model = Annotated[
    str,
    typer.Argument(
        help="zoo:NAME?key=value, file.py:factory, model.pt2, .tflite or .onnx",
        autocompletion=completion.models,
    ),
]
Data = Annotated[
    str,
    typer.Option(
        "--data",
        help="A folder of images, .wav or CSV (a class a folder, or :pattern={label}_{group}_{}.wav), a .csv, an .npz "
        "of x and y, or loader.py:function. Options follow as PATH:group=COLUMN,window=128,hop=64.",
    ),
]
Device = Annotated[
    str, typer.Option("--device", help="A profile's name or .toml path.", autocompletion=completion.devices)
]
Budget = Annotated[str | None, typer.Option("--budget", help="Limits, as ram=48KiB,flash=256KiB.")]
Update = Annotated[
    str,
    typer.Option(
        "--update",
        help="full, auto, last:K, bias, or names; NAME[:25%] or NAME[:16] for input channels.",
        autocompletion=completion.updates,
    ),
]
Contribution = Annotated[
    Path | None,
    typer.Option("--contribution", help="For --update auto: what selvedge contribute has written, edited or not."),
]
Optimizer = Annotated[
    str,
    typer.Option(
        "--optimizer",
        help="sgd, adam or rmsprop, as sgd:lr=0.01,momentum=0.9 or adam:state=int8,clip_norm=1",
        autocompletion=completion.optimizers,
    ),
]
UsualOptimizer = Annotated[
    str | None,
    typer.Option(
        "--optimizer",
        help="As sgd:lr=0.01,momentum=0.9 or adam:state=int8,clip_norm=1; by default sgd with momentum 0.9 and "
        "a rate of 0.00125 a sample of the batch.",
        autocompletion=completion.optimizers,
    ),
]
Accumulate = Annotated[int, typer.Option("--accumulate", help="Micro-batches of a step; --batch is all of them.")]
Norms = Annotated[str, typer.Option("--norms", help="frozen, folded or live.", autocompletion=completion.norms)]
Dropout = Annotated[
    int | None, typer.Option(help="Draw the masks of dropout while it learns, by this seed; else it is off.")
]
Dynamic = Annotated[
    str | None,
    typer.Option(
        "--dynamic", help='Smaller inputs that run too, by axis: "0:1..8" samples, "0:1..8; 1:16,32" lengths.'
    ),
]
Loss = Annotated[
    str | None,
    typer.Option("--loss", help="By default a zoo model's own, else cross_entropy.", autocompletion=completion.losses),
]
Shape = Annotated[str | None, typer.Option("--input", help="Shape of an example, as 1x3x32x32.")]
Seed = Annotated[int, typer.Option("--seed", help="Of weights, split and order.")]
Epochs = Annotated[int, typer.Option("--epochs", help="Times that all training samples are seen.")]
Schedule = Annotated[
    str,
    typer.Option("--schedule", help="cosine, constant, step or inverse_sqrt.", autocompletion=completion.schedules),
]
Plot = Annotated[Path | None, typer.Option("--plot", help="Write a page with the pictures here (.html).")]
Json = Annotated[bool, typer.Option("--json", help="Figures for machines, and nothing else on stdout.")]
