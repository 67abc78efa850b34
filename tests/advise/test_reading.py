"""Tables and texts with units; each fault is one line that names the field, the value and the fix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import selvedge as sv
from selvedge.advising import RADIOS, Link, read_costs, read_scenario

from .base import COSTS, costs, scenario

GIVEN: dict[str, Any] = {
    "data": {"samples_per_day": 1440, "sample_bytes": "3KiB"},
    "link": {"up_bytes_per_s": "1Mbit/s", "down_bytes_per_s": "250kB/s"},
}


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("link.up_bytes_per_s", "1Mbit/s", 125_000.0),
        ("link.up_bytes_per_s", "5.47kbit/s", 683.75),
        ("link.up_bytes_per_s", "2MiB/s", 2_097_152.0),
        ("link.up_bytes_per_s", "0", 0.0),
        ("link.round_trip_s", "50ms", 0.05),
        ("wants.latency_s", "2min", 120.0),
        ("link.availability", "95%", 0.95),
        ("data.sample_bytes", "12kB", 12_000),
        ("link.up_j_per_byte", "2.5uJ/B", 2.5e-6),
        ("board.idle_w", "5mW", 0.005),
        ("wants.joules_per_day", "1Wh", 3600.0),
        ("wants.joules_per_day", "0.5kJ", 500.0),
        ("cloud.macs_per_s", "4.05TMAC/s", 4.05e12),
        ("privacy.raw_may_leave", "no", False),
        ("data.samples_per_day", "86,400", 86_400.0),
        ("data.sample_bytes", "1,234,567.5kB", 1_234_567_500),
        ("learning.rounds", "1/7", 1 / 7),
        ("cloud.macs_per_s", "1e100", 1e100),
        ("fleet", "1e6", 1e6),
    ],
)
def test_a_text_is_read_in_its_unit(path: str, text: str, value: object) -> None:
    made: Any = read_scenario(GIVEN, {path: text})
    for name in path.split("."):
        made = getattr(made, name)
    assert made == value
    assert type(made) is type(value)


def test_a_table_is_read_and_options_go_before_it() -> None:
    made = read_scenario(GIVEN | {"fleet": 7, "wants": {"latency_s": 1}}, {"wants.latency_s": "20ms"})
    assert (made.data.sample_bytes, made.link.down_bytes_per_s, made.fleet) == (3072, 250_000.0, 7.0)
    assert made.wants.latency_s == 0.02
    assert {name for name, _, _ in made.assumed()} >= {"cloud.macs_per_s", "cloud.utilisation", "link.availability"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dat": {}}, "key is dat: did you mean data? choose one of"),
        ({"data": {"samples_per_day": 1, "sample_byte": 1}}, "did you mean sample_bytes?"),
        ({"data": {"samples_per_day": 1}}, "data.sample_bytes is missing: give bytes of one sample"),
        ({"data": {"samples_per_day": 0, "sample_bytes": 1}}, "data.samples_per_day is 0: give a number > 0"),
        ({"data": {"samples_per_day": True, "sample_bytes": 1}}, "data.samples_per_day is True"),
        ({"data": {"samples_per_day": float("nan"), "sample_bytes": 1}}, "data.samples_per_day is nan"),
        ({"data": {"samples_per_day": 1, "sample_bytes": 1.5}}, "data.sample_bytes is 1.5: give a whole number"),
        ({"data": 3}, "data is 3: give a table, [data]"),
        ({"link": GIVEN["link"] | {"up_bytes_per_s": "fast"}}, "link.up_bytes_per_s is fast: give bytes a second"),
        ({"link": GIVEN["link"] | {"up_bytes_per_s": "3s"}}, "link.up_bytes_per_s is 3s"),
        ({"link": GIVEN["link"] | {"up_bytes_per_s": -1}}, "link.up_bytes_per_s is -1"),
        ({"link": GIVEN["link"] | {"availability": 1.2}}, "link.availability is 1.2: give a share from 0 to 1"),
        ({"link": GIVEN["link"] | {"radio": "smoke"}}, "link.radio is smoke: give one of lte, wifi, ble, lora"),
        ({"privacy": {"raw_may_leave": "perhaps"}}, "privacy.raw_may_leave is perhaps: give yes or no"),
        ({"privacy": {"raw_may_leave": 1}}, "privacy.raw_may_leave is 1: give true or false"),
        ({"wants": {"prefer": "speed"}}, "wants.prefer is speed: give one of money"),
        ({"wants": {"latency_s": 0}}, "wants.latency_s is 0: give seconds > 0"),
        ({"learning": {"times_per_day": 1}}, "learning.steps is 0: give the training steps"),
        ({"learning": {"times_per_day": 1, "steps": 5}}, "learning.samples is 0"),
        ({"learning": {"batch": 0.5}}, "learning.batch is 0.5: give a whole number of samples a step"),
        ({"learning": {"batch": "1.5"}}, "learning.batch is 1.5: give a whole number of samples a step"),
        ({"learning": {"times_per_day": 2, "steps": 5, "samples": 1000}}, "learning.samples x times_per_day is 2000"),
        ({"cloud": {"macs_per_s": 0}}, "cloud.macs_per_s is 0"),
        ({"fleet": 0}, "scenario.fleet is 0: give a number > 0"),
        ({"split_dtype": "int4"}, "scenario.split_dtype is int4: give one of float32, int8"),
    ],
)
def test_a_fault_is_one_line(change: dict[str, Any], says: str) -> None:
    with pytest.raises(sv.InvalidInput) as refused:
        read_scenario(GIVEN | change)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    ["1,5", "1,5s", "10,00", "1,0000", "1,000,00", ",5", "1/0", "1e400", "1e99999999", "9" * 5000, "1e-9999", "1.2.3"],
)
def test_a_number_that_could_be_another_or_is_none_is_one_line(text: str) -> None:
    """A decimal comma would make ten of one; an exponent of eight digits would never end."""
    for path in ("link.round_trip_s", "data.samples_per_day", "data.sample_bytes", "link.price_per_mb"):
        with pytest.raises(sv.InvalidInput) as refused:
            read_scenario(GIVEN, {path: text})
        said = str(refused.value)
        assert said.startswith(f"{path} is {text[:20]}")
        assert len(said) < 200
        assert ("behind a point" in said) == ("," in text)


def test_a_whole_number_of_thousands_of_digits_is_one_line() -> None:
    for data in ({"samples_per_day": 10**5000}, {"sample_bytes": 10**5000}):
        with pytest.raises(sv.InvalidInput, match="is a number of 16,610 bits: give a"):
            read_scenario(GIVEN | {"data": GIVEN["data"] | data})


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("links.radio", "did you mean link.radio?"),
        ("link.radios", "did you mean radio?"),
        ("latency_s", "did you mean wants.latency_s?"),
    ],
)
def test_an_unknown_option_is_corrected(path: str, says: str) -> None:
    with pytest.raises(sv.InvalidInput, match="did you mean") as refused:
        read_scenario(GIVEN, {path: "1"})
    said = str(refused.value)
    assert says in said
    known = said.partition("choose one of ")[2].split(", ")
    assert len(set(known)) == len(known)


def test_costs_are_read() -> None:
    made = read_costs(
        {
            "run": {"macs": "10MMAC", "seconds": "100ms", "ram_bytes": "100kB", "flash_bytes": 200_000, "joules": 0.01},
            "cut": [{"name": "c1", "elements": 4096, "macs": 2e6, "seconds": 0.02}],
            "ram_bytes": "256KiB",
        },
        "net", "board", None, 1_000_000,
    )  # fmt: skip
    assert made.run == COSTS.run
    assert (made.ram_bytes, made.flash_bytes, made.cuts[0].elements, made.step) == (262_144, 1_000_000, 4096, None)
    for table, says in (
        ({}, "costs.run is missing"),
        ({"run": {"macs": 1}}, "costs.run.seconds is missing"),
        ({"run": {"macs": 1, "second": 1}}, "did you mean seconds?"),
        ({"run": {"macs": 1, "seconds": 1}, "cut": {}}, "write each as"),
        ({"run": {"macs": 1, "seconds": 1}, "cuts": []}, "did you mean cut?"),
        ({"run": {"macs": 1, "seconds": 1}, "cut": [{"name": "c", "elements": 1, "macs": 2, "seconds": 1}]},
         "macs of cut c is 2: the whole model has 1"),
    ):  # fmt: skip
        with pytest.raises(sv.InvalidInput) as refused:
            read_costs(table, "net", "board", None, None)
        assert says in str(refused.value)


def test_an_energy_limit_wants_figures_of_energy() -> None:
    with pytest.raises(sv.InvalidInput, match=r"give board\.active_w"):
        sv.advise(scenario(wants_joules_per_day=1), costs(run=COSTS.run.__class__(1.0, 1.0), cuts=()))
    asked = scenario(wants_joules_per_day=1, link_up_j_per_byte=None, link_down_j_per_byte=None)
    with pytest.raises(sv.InvalidInput, match=r"give link\.radio"):
        sv.advise(asked, COSTS)
    # Where the board's watts are said, they go before: 1,000 x 0.1 s x 0.2 W.
    assert sv.advise(scenario(board_active_w=0.2), COSTS).edge.joules_per_day == pytest.approx(20.0)


def test_a_radio_is_its_published_figures_and_the_links_own_go_before() -> None:
    # Huang et al., MobiSys 2012: 438.39 mW/Mbit/s is 438.39e-9 J a bit; 1060 mW for 11.576 s behind each message.
    lte = RADIOS["lte"]
    assert lte.up_j_per_byte == pytest.approx(438.39e-9 * 8)
    assert lte.message_j == pytest.approx(0.31490307 + 12.27056)
    assert all(radio.source for radio in RADIOS.values())
    own = Link(1, 1, radio="lte", message_j=0.5).energy
    assert own is not None
    assert (own.message_j, own.up_w) == (0.5, lte.up_w)
    assert Link(1, 1).energy is None
    told = sv.advise(scenario(link_radio="lte"), COSTS).notes
    assert any("transcribed, not read again" in note for note in told)
    assert own.source == f"{lte.source}; message_j as given"
    figures = {"up_j_per_byte": 1e-6, "down_j_per_byte": 0, "up_w": 0, "down_w": 0, "message_j": 0.1}
    alone = Link(1, 1, radio="lte", **figures)
    assert alone.energy == Link(1, 1, **figures).energy
    told = sv.advise(replace(scenario(), link=alone), COSTS).notes
    assert not any("Huang" in note for note in told), "none of its figures is used"


def test_it_says_when_energy_holds_only_as_predicted() -> None:
    made = sv.advise(scenario(wants_joules_per_day=12), costs(energy_band=0.5))  # 10 J, and 15 at the high end
    assert any(note.startswith("edge: energy holds as predicted") for note in made.notes)
    sure = sv.advise(scenario(wants_joules_per_day=16), costs(energy_band=0.5))
    assert not any("as predicted" in note for note in sure.notes if note.startswith("edge"))
