"""`selvedge devices`: list, show, validate, measure. `selvedge devices NAME` shows NAME."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import click
import typer
from typer.core import TyperGroup


class _Devices(TyperGroup):
    """A name that is no command is a device to show."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = ["show", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(cls=_Devices, help="The devices that can be planned for, and yours.", no_args_is_help=False)
Json = Annotated[bool, typer.Option("--json", help="Figures for machines.")]


@app.callback(invoke_without_command=True)
def devices(context: typer.Context, as_json: Json = False) -> None:
    """List the device profiles; with a NAME, show one with the sources of its figures."""
    if context.invoked_subcommand is None:
        list_(as_json)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the device profiles."""
    from . import devices as shown

    typer.echo(shown.listing(as_json))


@app.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A profile's name, its .toml path, or this-machine.")],
    as_json: Json = False,
) -> None:
    """Show one device with the source of every figure.

    NAME is a profile's name, its .toml path, or this-machine.
    """
    from . import devices as shown

    before = bool(context.parent and context.parent.params.get("as_json"))
    typer.echo(shown.one(name, as_json or before))


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(help="Your profile, a .toml file.")],
    as_json: Json = False,
) -> None:
    """Every problem of your own profile, a line each (exit code 2), or what is hard to believe in it.

    FILE is your profile, a .toml file.
    """
    from . import devices_validate

    lines, refused = devices_validate.report(file, as_json)
    for line in lines:
        typer.echo(line, err=refused and not as_json)
    if refused:
        raise typer.Exit(2)


@app.command()
def measure(
    device: Annotated[str, typer.Option(help="The profile to complete with times.")] = "this-machine",
    ssh: Annotated[str | None, typer.Option(help="Measure on HOST, logged in as `ssh HOST` does.")] = None,
    ssh_config: Annotated[str | None, typer.Option(help="A file for ssh -F.")] = None,
    serial: Annotated[
        str | None, typer.Option(help="Measure on the board at PORT, flashed with what --emit wrote.")
    ] = None,
    baud: Annotated[int, typer.Option(help="Of the serial port.")] = 115200,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the board.")] = 300.0,
    emit: Annotated[Path | None, typer.Option(help="Write the timing program here, and measure nothing.")] = None,
    out: Annotated[Path | None, typer.Option(help="The profile to write; by default NAME.toml.")] = None,
    name: Annotated[str | None, typer.Option(help="The new profile's name; by default DEVICE-measured.")] = None,
    layers: Annotated[int | None, typer.Option(help="Time at most this many layers.")] = None,
    models: Annotated[bool, typer.Option(help="Check against the zoo's models too (this machine, ssh).")] = True,
    as_json: Json = False,
) -> None:
    """Fit a device's time table to the device: this machine, a Linux board, or a microcontroller."""
    from . import devices_measure

    wish = devices_measure.Wish(device, ssh, ssh_config, serial, baud, timeout, emit, out, name, layers, models)
    result = devices_measure.run(wish, quiet=as_json)
    typer.echo(json.dumps(result.to_dict(), indent=1) if as_json else str(result))
