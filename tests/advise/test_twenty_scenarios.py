"""More than twenty scenarios, each with its calculation by hand: the numbers below are literals and never come from us.

The base (tests/advise/base.py): 1,000 samples a day of 10,000 B, answers and labels of 4 B; a model of 10 MMAC that
takes 0.1 s and 0.01 J; cuts c1 (4,096 numbers; 2 MMAC, 0.02 s, 0.002 J, 50,000 B of RAM) and c2 (512; 6 MMAC, 0.06 s,
0.006 J, 60,000 B); a step of 30 MMAC, 0.3 s, 0.03 J, 300,000 B of RAM, of which 50,000 B learn; a board of 400,000 B; a
link of 100,000 B/s, 0.05 s, 5e-6 J/B up and 1e-6 J/B down; a cloud of 1e12 x 0.5 MAC/s.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import selvedge as sv
from selvedge.advising import Advice, Cut, Privacy, Run, Way

from .base import COSTS, costs, scenario
from .check import check


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-9)


def broken(way: Way) -> set[str]:
    return {limit.name for limit in way.broken}


def advised(asked: sv.Scenario, given: sv.Costs = COSTS) -> Advice:
    made = sv.advise(asked, given)
    check(made)
    return made


def test_1_without_limits_the_least_energy_wins() -> None:
    made = advised(scenario())
    # Cloud: 10,000 / 100,000 + 0.05 + 10e6 / 5e11 + 4 / 100,000.
    assert made.cloud.latency_s == near(0.1 + 0.05 + 0.00002 + 0.00004)
    # c1: 0.02 + 16,384 / 100,000 + 0.05 + 8e6 / 5e11 + 0.00004.
    # c2: 0.06 + 2,048 / 100,000 + 0.05 + 4e6 / 5e11 + 0.00004.
    assert [way.latency_s for way in made.splits] == near([0.233896, 0.130528])
    assert made.edge.latency_s == near(0.1)
    # A day: 1,000 x 10,000 B up, 1,000 x 4 B down.
    assert (made.cloud.up_bytes_per_day, made.cloud.down_bytes_per_day) == (10_000_000, 4_000)
    assert [way.up_bytes_per_day for way in made.splits] == [16_384_000, 2_048_000]
    # Edge: 1,000 x 0.01. Cloud: 1e7 x 5e-6 + 4,000 x 1e-6. c2: 1,000 x 0.006 + 2,048,000 x 5e-6 + 0.004.
    assert made.edge.joules_per_day == near(10.0)
    assert made.cloud.joules_per_day == near(50.004)
    assert [way.joules_per_day for way in made.splits] == near([2 + 81.92 + 0.004, 6 + 10.24 + 0.004])
    assert (made.best, made.split) == (made.edge, made.splits[1])
    assert made.edge.busy_s_per_day == near(100.0)


def test_2_strict_privacy_leaves_the_edge_though_it_costs_more() -> None:
    # 0.1 J a prediction: 100 J a day beside the cloud's 50.004 J.
    dear = costs(run=replace(COSTS.run, joules=0.1))
    assert advised(scenario(), dear).best.kind == "split"  # 16.244 J
    made = advised(
        scenario(privacy_raw_may_leave=False, privacy_features_may_leave=False, privacy_updates_may_leave=False), dear
    )
    assert made.best is made.edge
    assert made.best.joules_per_day == near(100.0)
    assert broken(made.cloud) == {"samples leave"}
    assert all(broken(way) == {"features leave"} for way in made.splits)
    assert made.best.leaves == ()


def test_3_features_that_may_not_leave_forbid_every_split_and_not_the_cloud() -> None:
    dear = costs(run=replace(COSTS.run, joules=0.1))
    made = advised(scenario(privacy_features_may_leave=False), dear)
    assert made.best is made.cloud  # 50.004 J against the edge's 100 J
    assert made.best.joules_per_day == near(50.004)
    assert not any(way.feasible for way in made.splits)


def test_4_raw_data_stays_and_the_board_runs_a_part_only() -> None:
    # 55,000 B: c1 needs 50,000, c2 60,000, the whole 100,000.
    made = advised(scenario(privacy_raw_may_leave=False), costs(ram_bytes=55_000))
    assert (made.best, made.best.at) == (made.splits[0], 1)
    assert made.best.latency_s == near(0.233896)
    assert broken(made.edge) == broken(made.splits[1]) == {"RAM to run"}
    assert broken(made.cloud) == {"samples leave"}
    assert any("inverted" in note for note in made.notes)
    assert "private" not in made.verdict


def test_5_a_slow_link_makes_the_cloud_late() -> None:
    made = advised(scenario(link_up_bytes_per_s=1_000, wants_latency_s=1.0))
    # 10,000 / 1,000 + 0.05 + 0.00002 + 0.00004; c2: 0.06 + 2.048 + 0.05 + 0.000008 + 0.00004.
    assert made.cloud.latency_s == near(10.05006)
    assert made.splits[1].latency_s == near(2.158048)
    assert broken(made.cloud) == broken(made.splits[1]) == {"latency"}
    assert made.best is made.edge
    assert {limit.name: limit.used for limit in made.best.limits}["latency"] == near(0.1)
    assert made.best.binds is not None
    assert (made.best.binds.name, made.best.binds.used) == ("RAM to run", near(0.25))  # what is nearest to breaking


def test_6_an_expensive_link_is_money_of_the_fleet() -> None:
    made = advised(scenario(link_price_per_mb=2.0, fleet=50))
    # 50 x (10,000,000 + 4,000) / 1e6 x 2; c1: 50 x 16.388 x 2; c2: 50 x 2.052 x 2.
    assert made.cloud.money_per_day == near(1000.4)
    assert [way.money_per_day for way in made.splits] == near([1638.8, 205.2])
    assert (made.best, made.edge.money_per_day) == (made.edge, 0.0)
    limited = advised(scenario(link_price_per_mb=2.0, fleet=50, wants_money_per_day=200.0), costs(ram_bytes=70_000))
    assert not limited.feasible  # 205.2 of 200 is nearer than 100,000 of 70,000 B (1.43), and 1000.4 of 200
    assert limited.best is limited.splits[1]
    assert limited.best.binds is not None
    assert limited.best.binds.used == near(1.026)


def test_7_without_a_link_only_the_edge_answers() -> None:
    made = advised(scenario(link_up_bytes_per_s=0, link_down_bytes_per_s=0))
    assert made.best is made.edge
    assert made.cloud.latency_s == float("inf")
    assert broken(made.cloud) == {"link up", "link down"}
    assert made.to_dict()["ways"][1]["latency_s"] is None


def test_8_without_a_link_a_board_that_is_too_small_has_nothing() -> None:
    made = advised(scenario(link_up_bytes_per_s=0, link_down_bytes_per_s=0), costs(ram_bytes=40_000))
    assert not made.feasible
    assert made.best is made.edge  # more RAM can be had; a link that is absent cannot be stretched
    assert made.best.binds is not None
    assert (made.best.binds.name, made.best.binds.used) == ("RAM to run", near(2.5))
    assert "nothing keeps every limit" in made.verdict


def test_9_a_latency_that_nobody_keeps_names_the_nearest() -> None:
    made = advised(scenario(wants_latency_s=0.01))
    # 0.1 / 0.01 = 10, 0.130528 / 0.01 = 13.0528, 0.15006 / 0.01 = 15.006.
    assert not made.feasible
    assert [way.binds.used for way in made.ways if way.binds] == near([10.0, 15.006, 13.0528])
    assert made.best is made.edge


def test_10_a_tight_latency_over_a_fast_link_takes_the_cloud() -> None:
    asked = scenario(link_up_bytes_per_s=10e6, link_down_bytes_per_s=10e6, link_round_trip_s=0.005,
                     wants_latency_s=0.05)  # fmt: skip
    made = advised(asked)
    # 10,000 / 1e7 + 0.005 + 0.00002 + 4 / 1e7; c1: 0.02 + 16,384 / 1e7 + 0.005 + 0.000016 + 4 / 1e7.
    assert made.cloud.latency_s == near(0.0060204)
    assert made.splits[0].latency_s == near(0.0266548)
    assert broken(made.edge) == broken(made.splits[1]) == {"latency"}  # 0.1 s and 0.065213 s
    assert made.splits[1].latency_s == near(0.06 + 0.0002048 + 0.005 + 0.000008 + 0.0000004)
    assert made.best is made.cloud  # 50.004 J against c1's 83.924 J


def test_11_a_huge_fleet_fills_the_way_into_the_cloud() -> None:
    asked = scenario(fleet=1_000_000, cloud_ingress_bytes_per_s=1e8)
    made = advised(asked, costs(ram_bytes=70_000))
    # 1e6 x 1e7 / 86,400 = 115,740,740.7 B/s; c1: 189,629,629.6; c2: 23,703,703.7.
    assert made.cloud.sum("fleet sends, on average").value == near(115_740_740.740740740)
    assert made.splits[0].sum("fleet sends, on average").value == near(189_629_629.629629629)
    assert made.splits[1].sum("fleet sends, on average").value == near(23_703_703.703703703)
    assert broken(made.cloud) == broken(made.splits[0]) == {"ingress of the cloud"}
    assert made.best is made.splits[1]


def test_12_machines_by_the_hour_for_a_fleet() -> None:
    # The device is the dearer: 0.1 J. A model of 10 GMAC takes 0.02 s there; 1,000 x 0.02 s = 20 s a day and device.
    big = costs(run=Run(10e9, 0.1, 100_000, 200_000, joules=0.1), cuts=())
    asked = scenario(fleet=10_000, cloud_price_per_hour=3.6, cloud_machines=2, wants_prefer="energy")
    made = advised(asked, big)
    # 10,000 x 20 / 3,600 x 3.6 = 200; 10,000 x 20 / 86,400 = 2.3148 machines.
    assert made.cloud.money_per_day == near(200.0)
    assert made.cloud.sum("machines of the cloud").value == near(2.314814814814815)
    assert broken(made.cloud) == {"machines of the cloud"}
    assert made.best is made.edge
    assert advised(replace(asked, cloud=replace(asked.cloud, machines=3)), big).best.kind == "cloud"


def test_13_a_battery_bounds_the_day() -> None:
    # 13,320 J over 1,110 days without self-discharge: 12 J a day.
    battery = sv.Battery(13_320, 1_110, self_discharge=0.0)
    made = advised(scenario(wants_joules_per_day=battery.joules_a_day))
    assert made.best is made.edge  # 10 of 12 J
    assert made.best.binds is not None
    assert (made.best.binds.name, made.best.binds.used) == ("energy", near(10 / 12))
    assert broken(made.cloud) == broken(made.splits[1]) == {"energy"}


def test_14_a_frugal_radio_makes_the_cloud_the_way_to_save_a_battery() -> None:
    asked = scenario(link_up_j_per_byte=None, link_down_j_per_byte=None, link_radio="ble", wants_joules_per_day=5.0)
    made = advised(asked)
    # 4.8 mA x 3 V x 100 s of sending + 4.6 mA x 3 V x 0.04 s of receiving.
    assert made.cloud.joules_per_day == near(0.0048 * 3 * 100 + 0.0046 * 3 * 0.04)
    assert broken(made.edge) == {"energy"}  # 10 J
    # c1: 2 J + 0.0144 W x 163.84 s + 0.000552 J.
    assert made.splits[0].joules_per_day == near(2 + 2.359296 + 0.000552)
    assert made.best is made.cloud


def test_15_solar_cells_carry_the_edge_and_not_a_radio_that_wakes_a_thousand_times() -> None:
    # 2 cm2 x 3 kWh/m2 x 0.2 x 0.75 = 324 J a day; 3 mW of idling are 259.2 J of it.
    sun = sv.Solar(2e-4)
    asked = scenario(link_up_j_per_byte=None, link_down_j_per_byte=None, link_radio="wifi", board_idle_w=0.003,
                     wants_joules_per_day=sun.joules_a_day)  # fmt: skip
    made = advised(asked)
    assert sun.joules_a_day == near(324.0)
    assert made.edge.joules_per_day == near(259.2 + 10)
    # alpha 283.17 nJ/bit x 8 x 1e7 B = 22.6536 J; 0.13286 W x (100 + 0.04) s = 13.2913144 J; down 137.01 nJ/bit x 8 x
    # 4,000 B = 0.00438432 J; promotion and tail 1,000 x (0.1244 x 0.0791 + 0.1193 x 0.2381) J = 38.24537 J.
    assert made.cloud.joules_per_day == near(259.2 + 22.6536 + 13.2913144 + 0.00438432 + 38.24537)
    assert made.best is made.edge
    assert broken(made.cloud) == {"energy"}  # 333.39 of 324


def test_16_without_drift_a_board_that_cannot_train_is_enough() -> None:
    made = advised(scenario(), costs(ram_bytes=250_000))
    assert (made.best, made.best.learning, made.best.train_ram_bytes) == (made.edge, "never", None)


def test_17_with_drift_a_board_that_runs_and_cannot_train_is_taught_by_the_cloud() -> None:
    asked = scenario(learning_times_per_day=1, learning_samples=50, learning_steps=100)
    made = advised(asked, costs(ram_bytes=250_000))
    alone, federated, central = made.learnings
    assert broken(alone) == broken(federated) == {"RAM to train"}  # 300,000 of 250,000 B
    # 50 x (10,000 + 4) up, 180,000 down; 10 J + 500,200 x 5e-6 + 180,000 x 1e-6.
    assert (central.up_bytes_per_day, central.down_bytes_per_day) == (500_200, 180_000)
    assert central.joules_per_day == near(10 + 2.501 + 0.18)
    assert (made.best, made.best.learning) == (central, "in the cloud")
    # With 400,000 B it learns there: 10 + 100 x 0.03 J, 1,000 x 0.1 + 100 x 0.3 s, nothing sent.
    roomy = advised(asked)
    assert roomy.learnings[0].joules_per_day == near(13.0)
    assert roomy.learnings[0].busy_s_per_day == near(130.0)
    assert roomy.best.leaves == ("samples", "labels")  # 12.681 J is less than 13 J
    assert advised(replace(asked, privacy=Privacy(raw_may_leave=False))).best.learning == "on the device"


def test_18_drift_where_neither_raw_data_leaves_nor_the_board_trains_is_for_a_split() -> None:
    asked = scenario(learning_times_per_day=1, learning_samples=50, learning_steps=100, privacy_raw_may_leave=False)
    made = advised(asked, costs(ram_bytes=250_000))
    assert made.best is made.splits[1]
    # 1,000 x 2,048 + 50 x 4 B; the cloud: 1,000 x 8e-6 + 100 x 30e6 x 4/10 / 5e11 s.
    assert made.best.up_bytes_per_day == 2_048_200
    assert made.best.sum("cloud busy a day, for a device").value == near(0.008 + 0.0024)
    assert made.best.leaves == ("features", "labels")


def test_19_federated_updates_cost_less_than_the_samples() -> None:
    asked = scenario(learning_times_per_day=1, learning_samples=50, learning_steps=100, learning_rounds=2,
                     learning_together=True, link_price_per_mb=1.0, fleet=10)  # fmt: skip
    made = advised(asked)
    alone, federated, central = made.learnings
    assert broken(alone) == {"the others learn of it"}
    # 2 x 50,000 up and down; 10 x 200,000 / 1e6 = 2. Central: 10 x (500,200 + 180,000) / 1e6 = 6.802.
    assert (federated.up_bytes_per_day, federated.down_bytes_per_day) == (100_000, 100_000)
    assert federated.money_per_day == near(2.0)
    assert central.money_per_day == near(6.802)
    # 10 + 3 J + 100,000 x 5e-6 + 100,000 x 1e-6.
    assert federated.joules_per_day == near(13.6)
    assert (made.best, made.best.leaves) == (federated, ("updates",))


def test_20_few_samples_cost_less_than_federated_updates() -> None:
    asked = scenario(learning_times_per_day=1, learning_samples=10, learning_steps=100, learning_rounds=4,
                     learning_together=True, link_price_per_mb=1.0, fleet=10)  # fmt: skip
    made = advised(asked)
    _, federated, central = made.learnings
    # 10 x 400,000 / 1e6 = 4 against 10 x (10 x 10,004 + 180,000) / 1e6 = 2.8004.
    assert (federated.money_per_day, central.money_per_day) == (near(4.0), near(2.8004))
    assert made.best is central
    # Taught once for all ten: 100 x 30e6 / 5e11 / 10 s.
    assert central.sum("cloud busy a day, for a device").value == near(0.0006)
    closed = replace(asked, privacy=Privacy(raw_may_leave=False, features_may_leave=False))
    assert advised(closed).best.learning == "federated"


def test_21_a_board_that_runs_nothing_sends_the_samples() -> None:
    made = advised(scenario(), costs(ram_bytes=40_000))
    assert made.best is made.cloud
    assert (made.cloud.run_ram_bytes, made.cloud.run_flash_bytes) == (10_000, 0)  # one sample
    assert all(broken(way) == {"RAM to run"} for way in (made.edge, *made.splits))


def test_22_nothing_is_feasible_and_the_nearest_says_what_is_missing() -> None:
    asked = scenario(privacy_raw_may_leave=False, privacy_features_may_leave=False)
    made = advised(asked, costs(ram_bytes=80_000))
    assert not made.feasible
    assert made.best is made.edge
    assert made.verdict.endswith("RAM to run: needs 100,000 B, has 80,000 B")
    assert made.to_dict()["best"]["binds"] == "RAM to run"


def test_23_ties_go_to_what_is_preferred_and_then_to_what_leaves_least() -> None:
    # Nobody knows the radio: joules do not count, money is 0 for all, and the edge takes as long as the cloud.
    silent = scenario(link_up_j_per_byte=None, link_down_j_per_byte=None)
    even = costs(run=replace(COSTS.run, seconds=0.15006), cuts=())
    made = advised(silent, even)
    assert made.edge.latency_s == near(made.cloud.latency_s)
    assert made.best is made.edge  # fewer bytes
    assert advised(silent, costs(run=replace(COSTS.run, seconds=0.1501), cuts=())).best.kind == "cloud"
    twins = tuple(Cut(name, 512, 6e6, 0.06, 60_000, 80_000, joules=0.006) for name in ("first", "second"))
    again = advised(scenario(privacy_raw_may_leave=False), costs(ram_bytes=70_000, cuts=twins))
    assert again.best.at == 1
    # What is preferred turns the answer: the edge draws 10 J in 0.1 s, the cloud over a fast link 50.004 J in 6 ms.
    fast = scenario(link_up_bytes_per_s=10e6, link_down_bytes_per_s=10e6, link_round_trip_s=0.005)
    assert advised(fast).best.kind == "edge"
    assert advised(replace(fast, wants=replace(fast.wants, prefer="latency"))).best.kind == "cloud"


def test_24_a_link_that_is_often_down() -> None:
    asked = scenario(link_availability=0.95, wants_answered=0.999)
    made = advised(asked)
    assert made.best is made.edge
    assert broken(made.cloud) == {"samples answered"}
    # At 1,000 B/s and up 5 % of the time: 1,000 x 86,400 x 0.05 = 4,320,000 B of 10,000,000.
    rare = advised(scenario(link_up_bytes_per_s=1_000, link_availability=0.05))
    assert rare.cloud.sum("link can carry up a day").value == near(4_320_000)
    assert broken(rare.cloud) == {"link up"}
    assert rare.splits[1].feasible  # 2,048,000 B


def test_25_headers_an_allowance_and_features_in_a_byte() -> None:
    asked = scenario(link_message_bytes=40, link_most_bytes_per_day=600_000, split_dtype="int8",
                     privacy_raw_may_leave=False)  # fmt: skip
    made = advised(asked, costs(ram_bytes=70_000))
    # 1,000 x (512 + 40) up, 1,000 x (4 + 40) down; 0.06 + 552 / 100,000 + 0.05 + 0.000008 + 44 / 100,000 s.
    assert (made.best, made.best.up_bytes_per_day, made.best.down_bytes_per_day) == (made.splits[1], 552_000, 44_000)
    assert made.best.latency_s == near(0.06 + 0.00552 + 0.05 + 0.000008 + 0.00044)
    assert broken(made.splits[0]) == {"bytes sent"}  # 1,000 x 4,136
    assert made.best.binds is not None
    assert (made.best.binds.name, made.best.binds.used) == ("bytes sent", near(0.92))
    assert any("int8" in note for note in made.notes)
