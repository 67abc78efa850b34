"""`selvedge federate simulate|serve|join|status`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ...errors import InvalidInput
from ..commands import options

app = typer.Typer(
    no_args_is_help=True,
    help="Many devices learn one model, and no sample leaves any: try it here, serve it, join it, see how it stands.",
)

DEFAULT = ("this-machine",)
Devices = Annotated[
    list[str] | None,
    typer.Option(
        "--device",
        help="A kind of device: a profile's name or .toml, or NAME=MODEL with a narrower model of the same names; "
        "repeatable. By default this machine.",
    ),
]
Rounds = Annotated[int, typer.Option("--rounds", help="Times that the model moves.")]
Name = Annotated[str, typer.Option("--name", help="Of the run.")]
Codec = Annotated[
    str, typer.Option("--codec", help="Of changes: float32, int8, int4, sign, top:0.03+int4, seeded:0.25+int4, rank:2.")
]
Down = Annotated[str, typer.Option("--down", help="Codec of the model on its way to devices.")]
Difference = Annotated[bool, typer.Option("--difference", help="Send devices only what changed in the model.")]
Rule = Annotated[str, typer.Option("--rule", help="mean, median, trimmed:SHARE or krum:LIARS.")]
Mode = Annotated[str, typer.Option("--mode", help="rounds; or buffered, which waits for nobody.")]
Over = Annotated[float, typer.Option("--over", help="Times as many devices are asked as answers are wanted.")]
Least = Annotated[int, typer.Option("--least", help="Answers that do when the deadline is over.")]
Deadline = Annotated[float, typer.Option("--deadline", help="Seconds that a round may take.")]
Patience = Annotated[int, typer.Option("--patience", help="Rounds in a row that may have fewer answers than --least.")]
Epochs = Annotated[int, typer.Option("--epochs", help="Times that a device sees its samples in a round.")]
Rate = Annotated[float, typer.Option("--lr", help="Rate at which devices learn, by SGD.")]
Mu = Annotated[float, typer.Option("--mu", help="FedProx: how strongly a device is held near the model.")]
Scaffold = Annotated[bool, typer.Option("--scaffold", help="Control variates against unlike devices.")]
ServerOptimizer = Annotated[
    str, typer.Option("--server-optimizer", help="sgd, adam or yogi, as sgd:rate=1,momentum=0.9 or adam:rate=0.01.")
]
Batch = Annotated[int | None, typer.Option("--batch", help="Samples a step; by default the most of 8 to 1 that fit.")]
Run = Annotated[Path, typer.Option("--out", help="The run's folder; the same line goes on there.")]


@app.command()
def simulate(
    context: typer.Context,
    model: options.Model,
    data: options.Data,
    out: Run,
    clients: Annotated[
        int, typer.Option("--clients", help="Devices in all; 0, with --split by-column: one a group.")
    ] = 20,
    split: Annotated[str, typer.Option("--split", help="iid, dirichlet:ALPHA, by-column (the group).")] = "iid",
    rounds: Rounds = 20,
    per_round: Annotated[
        int | None, typer.Option("--per-round", help="Answers that a round goes by; by default 10, or all.")
    ] = None,
    device: Devices = None,
    name: Name = "federation",
    codec: Codec = "float32",
    down: Down = "float32",
    difference: Difference = False,
    rule: Rule = "mean",
    mode: Mode = "rounds",
    over: Over = 1.0,
    least: Least = 1,
    deadline: Deadline = 600.0,
    patience: Patience = 3,
    epochs: Epochs = 1,
    lr: Rate = 0.05,
    mu: Mu = 0.0,
    scaffold: Scaffold = False,
    server_optimizer: ServerOptimizer = "sgd",
    batch: Batch = None,
    norms: options.Norms = "frozen",
    loss: options.Loss = None,
    shape: options.Shape = None,
    faults: Annotated[
        str, typer.Option("--faults", help="Of network and devices, as drop=0.05,crash=0.02,delay=0.1,liars=0.2.")
    ] = "",
    spread: Annotated[
        float, typer.Option("--spread", help="How unequally fast devices are: sigma of a log-normal.")
    ] = 0.0,
    link: Annotated[float, typer.Option("--link", help="Bytes a second of a device, both ways.")] = 1e5,
    every: Annotated[int, typer.Option("--every", help="Rounds between two looks at how good the model is.")] = 1,
    seed: options.Seed = 0,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON a round, and one at the end.")] = False,
) -> None:
    """See how devices would learn MODEL together: the data is dealt to them, time is virtual, all else is real.

    MODEL is zoo:NAME?key=value, file.py:factory, or an exported model.pt2. Each kind of device runs the native code of
    its own plan; what does not fit it is refused at once. Faults, codecs, rules and messages are the real ones.

    In --out: the model (an artifact, and model.npz for PyTorch), a page with plots, and the journal: after Ctrl-C or
    any other end the same line goes on, and comes to the same bits.
    """
    from .. import early
    from .kind import kinds
    from .wish import Wish, keep

    given = tuple(device or DEFAULT)
    if clients == 0 and split != "by-column":
        raise InvalidInput("--clients", 0, "give a whole number >= 1; 0 is one a group, of --split by-column")
    few = 10 if per_round is None else per_round
    wish = Wish(
        model, data, given, rounds, min(few, clients or few) if per_round is None else few, name, codec, down,
        difference, rule, mode, over, least, deadline, patience, epochs, lr, mu, scaffold, server_optimizer, batch,
        norms, loss, shape, seed, clients, split, faults, spread, link,
    )  # fmt: skip
    early.federating(wish=wish, out=out, every=every)
    of = kinds(given, shape)
    keep(out, wish)

    from .report import line
    from .simulating import simulate as work

    debug = bool(context.find_root().params["debug"])
    report, notes = work(
        wish, of, out, every, debug, as_json, lambda move: typer.echo(json.dumps(line(move))) if as_json else None
    )
    if as_json:
        told = report.to_dict()
        del told["course"]
        typer.echo(json.dumps({**told, "notes": list(notes), "out": str(out)}))
        return
    typer.echo(str(report))
    for note in notes:
        typer.echo(f"note: {note}")
    typer.echo(f"\nin {out}: federation.html with the plots, model/ for selvedge predict, model.npz for PyTorch")
