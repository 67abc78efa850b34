"""`selvedge federate simulate|serve|join|status|authority`."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import InvalidInput
from ..commands import options
from . import authority as authorities

if TYPE_CHECKING:
    from .report import Report

app = typer.Typer(
    no_args_is_help=True,
    help="Many devices learn one model, and no sample leaves any: try it here, serve it, join it, see how it stands.",
)

app.add_typer(authorities.app, name="authority")

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
Masked = Annotated[
    str,
    typer.Option(
        "--masked",
        help="The server learns sums of changes and no change: bits of a value, as 4, or "
        "bits=4,group=64,threshold=two-thirds,covered=3,stage=60.",
    ),
]
Private = Annotated[
    str,
    typer.Option(
        "--privacy",
        help="Bounds what is told of a device, and ends the run before it is more: epsilon=8,delta=1e-3,clip=1, and "
        "where=local or where=distributed (with --masked); also noise, rate, colluders, unit=example with examples.",
    ),
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
    masked: Masked = "",
    privacy: Private = "",
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

    MODEL is zoo:NAME?key=value or file.py:factory. Each kind of device runs the native code of its own plan; what does
    not fit it is refused at once. Faults, codecs, rules and messages are the real ones.

    In --out: the model (an artifact, and model.npz for PyTorch), a page with plots, and the journal: after Ctrl-C or
    any other end the same line goes on, and comes to the same bits.
    """
    from .. import early
    from .kind import kinds
    from .wish import Wish, kept

    given = tuple(device or DEFAULT)
    if clients == 0 and split != "by-column":
        raise InvalidInput("--clients", 0, "give a whole number >= 1; 0 is one a group, of --split by-column")
    if per_round is not None and per_round < 1:
        raise InvalidInput("--per-round", per_round, "give a whole number >= 1")
    wish = Wish(
        model, data, given, rounds, per_round or 0, name, codec, down,
        difference, rule, mode, over, least, deadline, patience, epochs, lr, mu, scaffold, server_optimizer, batch,
        norms, loss, shape, seed, clients, split, faults, spread, link, masked, privacy,
    )  # fmt: skip
    early.federating(wish=wish, out=out, every=every)
    of = kinds(given, shape)
    kept(out, wish)

    from .report import line
    from .simulating import simulate as work

    debug = bool(context.find_root().params["debug"])
    report, notes = work(
        wish, of, out, every, debug, as_json, lambda move: typer.echo(json.dumps(line(move))) if as_json else None
    )
    _end(report, notes, out, as_json)


@app.command()
def serve(
    context: typer.Context,
    model: options.Model,
    out: Run,
    data: Annotated[
        str, typer.Option("--data", help="Samples of the server's own: they scale inputs, name classes, judge rounds.")
    ] = "",
    device: Devices = None,
    rounds: Rounds = 20,
    per_round: Annotated[int, typer.Option("--per-round", help="Answers that a round goes by.")] = 3,
    host: Annotated[str, typer.Option("--host", help="The name or address that devices call.")] = "localhost",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: one that is free.")] = 8443,
    listen: Annotated[
        str | None,
        typer.Option("--listen", help="Address to bind; by default 127.0.0.1 for localhost, else all of this machine."),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="PEM; by default one of its own, made in --out.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Of --certificate, PEM.")] = None,
    allow: Annotated[
        Path | None,
        typer.Option("--allow", help="Public keys of devices, a line each; by default allowed.txt in --out."),
    ] = None,
    authority: Annotated[
        Path | None,
        typer.Option(
            "--authority", help="The authority.pem of who vouches for devices: instead of the list, or beside --allow."
        ),
    ] = None,
    name: Name = "federation",
    codec: Codec = "float32",
    down: Down = "float32",
    difference: Difference = False,
    rule: Rule = "mean",
    mode: Mode = "rounds",
    over: Over = 1.0,
    least: Annotated[
        int | None,
        typer.Option(
            "--least", help="Devices that a round needs; by default more than half of --per-round, and a group."
        ),
    ] = None,
    deadline: Deadline = 600.0,
    patience: Patience = 3,
    epochs: Epochs = 1,
    lr: Rate = 0.05,
    mu: Mu = 0.0,
    scaffold: Scaffold = False,
    server_optimizer: ServerOptimizer = "sgd",
    masked: Masked = "",
    privacy: Private = "",
    batch: Batch = None,
    norms: options.Norms = "frozen",
    loss: options.Loss = None,
    shape: options.Shape = None,
    seed: options.Seed = 0,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON an event, and one at the end.")] = False,
) -> None:
    """Serve a run over HTTPS to devices that join, until it is done.

    Who may take part is in allowed.txt, a public key a line, which may be edited while it runs; nobody else is
    answered. With --authority, whoever has a credential of it may: who serves then cannot make up devices. What devices
    need - the artifact of their plan, the certificate, the server's public key - is in
    --out/devices/PROFILE, to be copied to each.

    Every event is in the journal before it counts: after Ctrl-C or any other end the same line goes on.
    """
    from ...federate.certificate import check
    from .. import early
    from . import enrolled
    from .kind import kinds
    from .wish import Wish, kept, needed

    given = tuple(device or DEFAULT)
    if (certificate is None) != (key is None):
        raise InvalidInput("--certificate", certificate or "missing", "give --certificate and --key, or neither")
    wish = Wish(
        model, data, given, rounds, per_round, name, codec, down, difference, rule, mode, over,
        needed(per_round, masked, privacy) if least is None else least, deadline,
        patience, epochs, lr, mu, scaffold, server_optimizer, batch, norms, loss, shape, seed, masked=masked,
        privacy=privacy,
    )  # fmt: skip
    early.federating(wish=wish, out=out, every=1)
    of = kinds(given, shape)
    check(host)
    if find_spec("uvicorn") is None:
        raise InvalidInput("selvedge federate serve", "without uvicorn", "pip install 'selvedge[gateway]'")
    if authority is not None:
        enrolled.read(authority)
    kept(out, wish)

    from .kit import kits
    from .report import line
    from .serving import Address
    from .serving import serve as work

    made, judge, notes = kits(wish, of, out, bool(context.find_root().params["debug"]), as_json)
    local = host in ("localhost", "127.0.0.1", "::1")
    address = Address(host, port, listen or ("127.0.0.1" if local else "0.0.0.0"), certificate, key)
    report = work(
        wish, made, judge, out, address, allow, authority, as_json,
        lambda says, told: typer.echo(json.dumps(told) if as_json else says),
        lambda move: typer.echo(json.dumps(line(move))) if as_json else None,
    )  # fmt: skip
    _end(report, notes, out, as_json)


@app.command()
def join(
    store: Annotated[Path, typer.Option("--store", help="The device's own folder: its key, and what it keeps.")],
    url: Annotated[str | None, typer.Argument(help="https://HOST:PORT, as serve has printed it.")] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", help="A .csv, .npz, .jsonl or a folder; options follow as PLACE:label=COLUMN."),
    ] = None,
    device: Annotated[
        Path | None, typer.Option("--device", help="The folder that serve has written for this kind of device.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Of this device, once; by default the machine's.")] = None,
    enrol: Annotated[
        bool,
        typer.Option(
            "--enrol", help="Make the device's key, print its line for allowed.txt, write request.pem, and end."
        ),
    ] = False,
    renew: Annotated[
        bool, typer.Option("--renew", help="With --enrol: ask for a credential of another key, which this one signs.")
    ] = False,
    credential: Annotated[
        Path | None,
        typer.Option("--credential", help="What the authority has signed for this device; kept in --store."),
    ] = None,
    pkcs11: Annotated[
        str | None,
        typer.Option(
            "--pkcs11", help="Make the key in a module: pkcs11:token=T;object=NAME?module-path=/usr/lib/M.so."
        ),
    ] = None,
    pin_file: Annotated[
        Path | None, typer.Option("--pin-file", help="Holds the token's PIN, mode 600; without, it is asked for.")
    ] = None,
    members: Annotated[
        str | None,
        typer.Option("--members", help="Of a group of a masked run, at the least: a smaller one is refused (8)."),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            help="What may be told of this device in all, as epsilon=8,delta=1e-3: once it is spent, it takes part no "
            "more. By default what the run promises, where devices add the noise.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON an event, and one at the end.")] = False,
) -> None:
    """Take part as a device: learn from samples that stay here. Needs no torch.

    The private key is made in --store and stays there. Ctrl-C ends it; the same line goes on, as after any other end.
    Where the privacy budget is spent it ends with exit code 3.
    """
    from ..interrupt import Interrupted
    from .joining import SPENT, Line, run

    line = Line(store, url, data, device, name, enrol, as_json, renew, credential, pkcs11, pin_file, members, budget)
    code, how = run(line)
    if code == SPENT:
        typer.echo(f"selvedge: {how}", err=True)
        raise typer.Exit(SPENT)
    if code:
        raise Interrupted(how)


@app.command()
def status(
    run: Annotated[
        str, typer.Argument(help="A run's folder, or a device's --store; or https://HOST:PORT of a server.")
    ],
    operator: Annotated[
        Path | None, typer.Option("--operator", help="Of a server: the operator.json out of its run's folder.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """What a run has done: rounds, devices, bytes, how good the model is, and what was refused and why."""
    from .status import data, of_device, of_folder, of_server, words

    remote = run.startswith("https://")
    if remote and operator is None:
        raise InvalidInput("--operator", "missing", "a server answers its operator alone: give its operator.json")
    if not remote and operator is not None:
        raise InvalidInput("--operator", operator, "it is of a server: give https://HOST:PORT, or leave it out")
    if not remote and (told := of_device(Path(run))) is not None:
        typer.echo(json.dumps(told.data, indent=1) if as_json else str(told))
        return
    found = of_server(run, operator) if remote and operator is not None else of_folder(Path(run))
    typer.echo(json.dumps(data(*found), indent=1) if as_json else words(*found))


def _end(report: Report, notes: tuple[str, ...], out: Path, as_json: bool) -> None:
    """What is said of a run at its end."""
    if as_json:
        told = report.to_dict()
        del told["course"]
        typer.echo(json.dumps({**told, "notes": list(notes), "out": str(out)}))
        return
    typer.echo(str(report))
    for note in notes:
        typer.echo(f"note: {note}")
    typer.echo(f"\nin {out}: federation.html with the plots, model/ for selvedge predict, model.npz for PyTorch")
