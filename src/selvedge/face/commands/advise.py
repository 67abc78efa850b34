"""``selvedge advise``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from .. import completion
from . import options


def command(
    context: typer.Context,
    scenario: Annotated[
        str | None, typer.Argument(help="scenario.toml: data, privacy, link, limits; or the model.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Argument(
            help="zoo:NAME?key=value, file.py:factory, model.pt2, .tflite or .onnx", autocompletion=completion.models
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="A profile's name or .toml path.", autocompletion=completion.devices)
    ] = None,
    budget: options.Budget = None,
    samples: Annotated[str | None, typer.Option("--samples", help="Samples a device predicts on a day.")] = None,
    sample_bytes: Annotated[str | None, typer.Option(help="Bytes of a sample as sent, as 12KiB.")] = None,
    latency: Annotated[str | None, typer.Option(help="From a sample to its answer at most, as 200ms.")] = None,
    answered: Annotated[str | None, typer.Option(help="Share that must be answered at once, as 99.9%.")] = None,
    raw: Annotated[str | None, typer.Option(help="May samples leave the device? yes or no.")] = None,
    features: Annotated[str | None, typer.Option(help="May intermediate tensors leave? They can be inverted.")] = None,
    updates: Annotated[str | None, typer.Option(help="May what was learnt leave? yes or no.")] = None,
    up: Annotated[str | None, typer.Option(help="The link from the device, as 250kB/s or 2Mbit/s; 0: none.")] = None,
    down: Annotated[str | None, typer.Option(help="The link to the device.")] = None,
    round_trip: Annotated[str | None, typer.Option(help="Of an empty message, as 50ms.")] = None,
    availability: Annotated[str | None, typer.Option(help="Share of the time that the link is up, as 95%.")] = None,
    price: Annotated[str | None, typer.Option("--price-per-mb", help="Of 1,000,000 bytes over the link.")] = None,
    radio: Annotated[str | None, typer.Option(help="Its published energy: wifi, lte, ble or lora.")] = None,
    learn: Annotated[str | None, typer.Option("--learn", help="Times a day that it learns again; 0: never.")] = None,
    learn_samples: Annotated[str | None, typer.Option(help="Labelled samples of a device each time.")] = None,
    learn_steps: Annotated[str | None, typer.Option(help="Training steps each time.")] = None,
    fleet: Annotated[str | None, typer.Option(help="Devices.")] = None,
    energy_day: Annotated[str | None, typer.Option(help="Joules a device may draw a day, as 500J or 1Wh.")] = None,
    battery: Annotated[str | None, typer.Option(help="Or of a battery, as 1000mAh@3.7V or 3.7Wh.")] = None,
    life: Annotated[str | None, typer.Option(help="How long the battery must last (365d).")] = None,
    solar: Annotated[str | None, typer.Option(help="Or of solar cells, as 20cm2,insolation=3.")] = None,
    prefer: Annotated[str | None, typer.Option(help="What decides: money, energy, latency or bytes.")] = None,
    split_dtype: Annotated[str | None, typer.Option(help="Of the tensor that crosses: float32 or int8.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any field of the scenario, as cloud.utilisation=0.3; repeatable.")
    ] = None,
    update: Annotated[str | None, typer.Option("--update", help="What learns on the device, as of plan.")] = None,
    optimizer: Annotated[str | None, typer.Option("--optimizer", help="As of plan.")] = None,
    norms: Annotated[str | None, typer.Option("--norms", help="frozen, folded or live.")] = None,
    loss: options.Loss = None,
    shape: options.Shape = None,
    seed: options.Seed = 0,
    plot: options.Plot = None,
    as_json: options.Json = False,
) -> None:
    """Run it on the device, in the cloud, or split behind a layer - with the arithmetic.

    A scenario says how much data there is, what may leave, the link, the latency, how often it learns again, the fleet
    and its energy; docs/advise.md has every field. Options go before the file. The model's figures are those of plans;
    without a model, the file's [costs] are.
    """
    from ..advice import advice, order

    asked = order(
        scenario, model,
        {
            "data.samples_per_day": samples, "data.sample_bytes": sample_bytes, "wants.latency_s": latency,
            "wants.answered": answered, "privacy.raw_may_leave": raw, "privacy.features_may_leave": features,
            "privacy.updates_may_leave": updates, "link.up_bytes_per_s": up, "link.down_bytes_per_s": down,
            "link.round_trip_s": round_trip, "link.availability": availability, "link.price_per_mb": price,
            "link.radio": radio, "learning.times_per_day": learn, "learning.samples": learn_samples,
            "learning.steps": learn_steps, "fleet": fleet, "wants.joules_per_day": energy_day, "wants.prefer": prefer,
            "split_dtype": split_dtype,
        },
        {
            "device": device, "budget": budget, "battery": battery, "life": life, "solar": solar, "update": update,
            "optimizer": optimizer, "norms": norms, "loss": loss, "input": shape,
        },
        set_ or [], seed, plot,
    )  # fmt: skip
    made = advice(asked, bool(context.find_root().params["debug"]), as_json)
    typer.echo(json.dumps(made.to_dict(), indent=1) if as_json else str(made))
    if plot is not None and not as_json:
        typer.echo(f"\ndrawn in {plot}")
