"""The work of ``selvedge advise``: a scenario in a file or on the line, a model or its costs -> advice."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..advising import Advice, Costs, Scenario, advise, read_costs, read_scenario
from ..advising.reading import near
from ..artifact import files
from ..device import Budget, Device
from ..device.profile import THIS_MACHINE
from ..errors import InvalidInput, one_line
from . import completion, named, network_file, optimizer_name, place
from .held import held
from .progress import Work
from .source import source

# What a scenario's file may say beside the scenario; an option of the same name goes before it.
BESIDE = ("model", "input", "device", "budget", "update", "optimizer", "norms", "loss", "battery", "life", "solar")


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for, before anything was computed. ``beside``: of ``BESIDE``, what was given."""

    scenario: Scenario
    beside: Mapping[str, str]
    costs: Mapping[str, Any] | None
    seed: int
    plot: Path | None


def order(
    first: str | None,
    second: str | None,
    options: Mapping[str, str | None],
    beside: Mapping[str, str | None],
    sets: list[str],
    seed: int,
    plot: Path | None,
) -> Order:
    """Everything that can be refused before torch is loaded. ``first``, ``second``: the scenario's file and the model,
    or either alone. ``options``: "section.field" -> text. ``sets``: "section.field=text", the last word. Raises
    ``InvalidInput``."""
    if plot is not None:
        place.page(plot)
    path, model = _sorted(first, second)
    table = {} if path is None else _toml(path)
    known = {key: _text(key, table.pop(key)) for key in BESIDE if key in table}
    costs = table.pop("costs", None)
    if costs is not None and not isinstance(costs, Mapping):
        raise InvalidInput("costs", costs, "give a table, [costs.run] and its like")
    _require_known(table)
    given = {key: value for key, value in options.items() if value is not None} | _set(sets)
    told = known | {key: value for key, value in beside.items() if value is not None}
    if model is not None:
        told["model"] = model
        costs = None if path is None else costs
    if path is not None and "model" in told and told["model"] == known.get("model"):
        told["model"] = _beside(path, told["model"])
    if path is not None and told.get("device", "").endswith(".toml") and told["device"] == known.get("device"):
        told["device"] = str(path.parent / told["device"])
    scenario = read_scenario(table, given)
    if path is not None and "name" not in table and "name" not in given:
        scenario = replace(scenario, name=path.stem)
    _check(told, costs)
    return Order(_powered(scenario, told), told, costs, seed, plot)


def advice(asked: Order, debug: bool, silent: bool) -> Advice:
    """Raises ``SelvedgeError`` before anything is written."""
    with Work(silent=silent) as work, held(debug):
        made = advise(asked.scenario, _costs(asked, work))
        if asked.plot is not None:
            from .advice_page import page

            files.write(asked.plot, page(made).encode())
    return made


def _costs(asked: Order, work: Work) -> Costs:
    told = asked.beside
    name = told.get("device", THIS_MACHINE)
    if asked.costs is not None and "model" not in told:
        ram = flash = None
        if "device" in told:
            limits = _budget(name, told.get("budget"))[1]
            ram, flash = limits.ram, limits.flash
        return read_costs(asked.costs, "a model whose costs are given", told.get("device", "a device"), ram, flash)
    device, budget = _budget(name, told.get("budget"))
    from .model_costs import Training, costs

    learning = asked.scenario.learning
    training = None
    if learning.times_per_day:
        training = Training(
            int(learning.batch), told.get("update", "full"), told.get("optimizer", "sgd"), told.get("norms", "frozen"),
            told.get("loss"),
        )  # fmt: skip
    return costs(told["model"], told.get("input"), device, budget, training, asked.seed, work)


def _budget(name: str, text: str | None) -> tuple[Device, Budget]:
    device = Device.load(name)
    own = Budget.of(device)
    return device, own if text is None else Budget.parse(text, own)


def _sorted(first: str | None, second: str | None) -> tuple[Path | None, str | None]:
    """(the scenario's file, the model): a scenario ends in .toml."""
    given = [text for text in (first, second) if text is not None]
    paths = [text for text in given if text.endswith(".toml")]
    models = [text for text in given if not text.endswith(".toml")]
    if len(paths) > 1:
        raise InvalidInput("scenario", paths[1], "give one .toml file; a device's profile goes to --device")
    if len(models) > 1:
        fix = "give one model and one scenario, whose name ends in .toml"
        raise InvalidInput("scenario", models[0], fix)
    return (Path(paths[0]) if paths else None), (models[0] if models else None)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput("scenario", path, f"give the path of a readable .toml file ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InvalidInput("scenario", path, "it is no text in UTF-8, which TOML is: save it so") from None
    except (ValueError, RecursionError) as error:  # TOML's own, numbers of thousands of digits, brackets in brackets
        raise InvalidInput("scenario", path, f"mend the TOML: {one_line(str(error))}") from None


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInput(key, value, "write it as a text, in quotes")
    return value


def _require_known(table: Mapping[str, Any]) -> None:
    """A key of the file that is neither a scenario's nor one of ``BESIDE``: with the one that was meant."""
    from ..advising.reading import OWN
    from ..advising.scenario import SECTIONS

    for key in table:
        if key not in (*OWN, *SECTIONS):
            raise InvalidInput("key of the scenario", key, near(key, (*OWN, *SECTIONS, *BESIDE, "costs")))


def _set(sets: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in sets:
        path, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise InvalidInput("--set", text or "empty", "write it as link.round_trip_s=50ms")
        found[path] = value
    return found


def _beside(path: Path, spec: str) -> str:
    """A model's file as the scenario's file names it, from where that lies."""
    head, colon, factory = spec.rpartition(":")
    file = head if colon and head.endswith(".py") else spec
    if spec.startswith("zoo:") or Path(file).is_absolute():
        return spec
    return str(path.parent / file) + (f":{factory}" if file == head else "")


def _check(told: Mapping[str, str], costs: Mapping[str, Any] | None) -> None:
    if "model" not in told and costs is None:
        fix = (
            "give a model (zoo:NAME, file.py:factory, a .tflite or .onnx file), or its costs as [costs.run] in the file"
        )
        raise InvalidInput("model", "missing", fix)
    if "model" in told:
        if network_file.is_one(told["model"]):
            named.file(told["model"])
        else:
            named.read(told["model"], told.get("input"))
    if told.get("device", THIS_MACHINE) != THIS_MACHINE:
        _budget(told["device"], told.get("budget"))
    elif "budget" in told:
        Budget.parse(told["budget"], Budget(1 << 62))
    if "optimizer" in told:
        optimizer_name.check(told["optimizer"])
    for key, choices in (("norms", completion.NORMS), ("loss", completion.LOSSES)):
        if key in told and told[key] not in choices:
            raise InvalidInput(key, told[key] or "empty", f"give one of {', '.join(choices)}")


def _powered(scenario: Scenario, told: Mapping[str, str]) -> Scenario:
    """``scenario`` with the joules a day of a battery or of solar cells."""
    power = source(told.get("battery"), told.get("life"), told.get("solar"))
    if power is None:
        return scenario
    if scenario.wants.joules_per_day is not None:
        raise InvalidInput("wants.joules_per_day", f"{scenario.wants.joules_per_day:g}",
                           "leave it out: the battery or the solar cells say it")  # fmt: skip
    return replace(scenario, wants=replace(scenario.wants, joules_per_day=power.joules_a_day))
