"""Commands, a module each. What they need of torch is imported when they run."""

from __future__ import annotations

import typer

from . import (
    advise,
    compare,
    compile,
    compress,
    contribute,
    cut,
    doctor,
    emit,
    inspect,
    predict,
    quantise,
    sparsify,
    targets,
    train,
    trial,
    verify,
    zoo,
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Enter every command of this room."""
    app.command("compile")(compile.command)
    app.command("contribute")(contribute.command)
    app.command("emit")(emit.command)
    app.command("cut")(cut.command)
    app.command("targets")(targets.command)
    app.command("verify")(verify.command)
    app.command("train")(train.command)
    app.command("predict")(predict.command)
    app.command("try")(trial.command)
    app.command("advise")(advise.command)
    app.command("quantise")(quantise.command)
    app.command("sparsify")(sparsify.command)
    app.command("compress")(compress.command)
    app.command("compare")(compare.command)
    app.command("inspect")(inspect.command)
    app.command("zoo")(zoo.command)
    app.command("doctor")(doctor.command)
