"""A simulation that is stopped anywhere and goes on comes to the same bits; widths; samples that are dealt; keys."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import selvedge as sv
from selvedge.errors import InvalidInput
from selvedge.federate import allowed, certificate, secret
from selvedge.federate.client.session import state_of
from selvedge.federate.coordinator import Closed
from selvedge.federate.deal import deal
from selvedge.federate.keys import Key
from selvedge.federate.world import Halted, Hardware, World
from selvedge.run.session import Session

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 3, 240).astype(np.int32)
X = (np.eye(3, 6)[Y] * 2 + RNG.normal(0, 1, (240, 6))).astype(np.float32)
SHARDS = [(X[i : i + 20], Y[i : i + 20]) for i in range(0, 240, 20)]
BAD = sv.Faults(drop=0.1, duplicate=0.2, delay=0.2, crash=0.1, corrupt=0.05, late=3.0)


def session(width: int) -> Session:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, width), torch.nn.ReLU(), torch.nn.Linear(width, 3))
    return sv.compile(sv.plan(net, torch.zeros(4, 6), optimizer=sv.SGD(lr=0.05)))


@pytest.fixture(scope="module")
def hardware() -> list[Hardware]:
    return [Hardware("large", session(8), 0.01, 1e-3), Hardware("small", session(4), 0.02, 2e-3, link=1e4)]


RUNS = {
    "rounds": sv.Federation("a", 8, 4, over=1.5, least=2, deadline=20.0, up="top:0.3+int4", local=sv.Local(rate=0.05)),
    "buffered": sv.Federation(
        "b", 8, 3, mode="buffered", over=2.0, deadline=20.0, up="int4", down="int8", difference=True, seed=3
    ),
    "scaffold": sv.Federation("c", 6, 4, least=2, deadline=20.0, up="int8", local=sv.Local(scaffold=True)),
}


def done(world: World, stop: Callable[[], bool] = lambda: False, on_event: Any = None) -> None:
    def right(of: Session) -> tuple[float, float | None]:
        return 0.0, float(np.mean([of.predict(X[i : i + 4]).argmax(1) == Y[i : i + 4] for i in range(0, 40, 4)]))

    try:
        world.run(right, stop=stop, **({} if on_event is None else {"on_event": on_event}))
    finally:
        world.close()


@pytest.mark.parametrize("name", RUNS)
def test_stopped_after_any_message_it_goes_on_to_the_same_bits(
    name: str, hardware: list[Hardware], tmp_path: Path
) -> None:
    begun = {n: a.copy() for n, a in state_of(hardware[0].session).items()}

    def world(folder: str) -> World:
        hardware[0].session.load_state_dict(begun)  # as a new process has it
        kinds = [0] * 12 if name != "rounds" else [i % 2 for i in range(12)]
        return World(hardware, SHARDS, kinds, RUNS[name], tmp_path / folder, faults=BAD, spread=0.5)

    whole = world("whole")
    done(whole)
    assert whole.coordinator.phase == "done"
    assert sum(whole.faults.values()) > 5
    cuts, cut = 0, world("cut")
    while True:
        left = iter(range(9 + 5 * cuts))  # messages; more each time, so that it comes to an end
        try:
            done(cut, lambda left=left: next(left, None) is None)  # type: ignore[misc]
            break
        except Halted:
            cuts += 1
            cut = world("cut")
    assert cuts >= 2
    assert cut.resumed
    np.testing.assert_array_equal(cut.coordinator.model, whole.coordinator.model)
    assert cut.course.to_dict() == whole.course.to_dict()
    assert cut.faults == whole.faults
    assert cut.joules == whole.joules
    assert whole.last is not None
    assert whole.last.told is not None
    assert (whole.last.told[1] or 0) > 0.5


def test_what_is_counted_is_what_happened(hardware: list[Hardware], tmp_path: Path) -> None:
    run = sv.Federation("tried", 5, 6, least=1, deadline=20.0)
    world = World(hardware, SHARDS, [i % 2 for i in range(12)], run, tmp_path, faults=sv.Faults(crash=0.3))
    bytes_up: list[int] = []
    done(world, on_event=lambda event, server: bytes_up.append(server.up_bytes) if isinstance(event, Closed) else None)
    course = world.course
    assert [m.version for m in course.moves] == [1, 2, 3, 4, 5]
    assert [m.up for m in course.moves] == bytes_up
    assert all(m.asked == 6 and m.changes + m.lost == 6 for m in course.moves)
    assert course.lost == world.faults["crash"]
    assert sum(seen.taken for seen in course.devices.values()) == sum(m.changes for m in course.moves)
    # Each task is 5 steps of 4 samples, also where the change was lost, and where the device crashed behind it.
    assert world.joules is not None
    each = [5e-3, 1e-2]
    kinds = {f"device-{i:05}": i % 2 for i in range(12)}
    taken = sum(each[kinds[name]] * seen.taken for name, seen in course.devices.items())
    assert taken < world.joules <= taken + each[1] * world.faults["crash"] + 1e-9


def test_another_run_is_refused_and_models_that_are_no_part(hardware: list[Hardware], tmp_path: Path) -> None:
    World(hardware, SHARDS, [0] * 12, RUNS["rounds"], tmp_path / "a").close()
    with pytest.raises(InvalidInput, match="another run was begun there"):
        World(hardware, SHARDS[:-1], [0] * 11, RUNS["rounds"], tmp_path / "a")
    World(hardware, SHARDS, [0] * 12, RUNS["rounds"], tmp_path / "a").close()  # the refusal let go of the folder
    with pytest.raises(InvalidInput, match="cut out of"):
        World(hardware[::-1], SHARDS, [0] * 12, RUNS["rounds"], tmp_path / "b")
    with pytest.raises(InvalidInput, match="a round needs at least 2"):
        World(hardware, SHARDS[:1], [0], RUNS["rounds"], tmp_path / "c")


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 12), st.integers(12, 90), st.sampled_from(["iid", "dirichlet:0.1", "dirichlet:5"]),
    st.integers(0, 9),
)  # fmt: skip
def test_every_sample_is_dealt_once(count: int, samples: int, how: str, seed: int) -> None:
    y = np.arange(samples) % 4
    parts = deal(how, count, y, None, samples, seed)
    assert len(parts) == count
    assert min(map(len, parts)) >= 1
    assert sorted(np.concatenate(parts).tolist()) == list(range(samples))
    assert all(np.array_equal(a, b) for a, b in zip(parts, deal(how, count, y, None, samples, seed), strict=True))


def test_a_small_alpha_gives_each_device_few_classes_and_a_group_stays_together() -> None:
    y = np.arange(3000) % 10

    def classes(how: str) -> float:
        return float(np.mean([len(np.unique(y[part])) for part in deal(how, 20, y, None, 3000, 0)]))

    assert classes("dirichlet:0.05") < 5 < classes("dirichlet:1") < classes("iid") == 10
    groups = np.arange(100) % 7
    parts = deal("by-column", 0, y[:100], groups, 100, 0)
    assert [np.unique(groups[p]).tolist() for p in parts] == [[0], [1], [2], [3], [4], [5], [6]]
    three = deal("by-column", 3, y[:100], groups, 100, 0)
    assert sum(len(np.unique(groups[p])) for p in three) == 7
    for how, count, of, match in (
        ("by-column", 0, None, "the data has no groups"), ("by-column", 8, groups, "there are 7 groups"),
        ("iid", 101, None, "100 training samples"), ("dirichlet:0", 2, None, "give iid"), ("x", 2, None, "give iid"),
    ):  # fmt: skip
        with pytest.raises(InvalidInput, match=match):
            deal(how, count, y[:100], of, 100, 0)
    with pytest.raises(InvalidInput, match="has none"):
        deal("dirichlet:1", 2, None, None, 100, 0)


@pytest.mark.parametrize("host", ["localhost", "192.168.1.5", "fe80::1", "gateway.local"])
def test_openssl_reads_the_certificate_as_it_is_meant(host: str, tmp_path: Path) -> None:
    key, now = Key(), datetime(2026, 5, 4, tzinfo=UTC)
    (tmp_path / "c.pem").write_text(certificate.self_signed([host], key, now, 1 << 119))
    (tmp_path / "k.pem").write_text(certificate.private(key))

    def openssl(*arguments: str) -> str:
        made = subprocess.run(["openssl", *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
        return made.stdout

    text = openssl("x509", "-in", "c.pem", "-noout", "-text")
    assert "X509v3 Basic Constraints: critical" in text
    assert "Not Before: May  3 00:00:00 2026 GMT" in text
    assert ("DNS:" in text) == (not any(c.isdigit() for c in host))
    assert openssl("pkey", "-in", "k.pem", "-pubout") == openssl("x509", "-in", "c.pem", "-noout", "-pubkey")
    strict = ("-x509_strict", "-purpose", "sslserver", "-attime", str(int(now.timestamp()) + 9))
    which = "-verify_hostname" if "DNS:" in text else "-verify_ip"
    assert "c.pem: OK" in openssl("verify", *strict, which, host, "-CAfile", "c.pem", "c.pem")


def test_no_host_and_no_list_that_is_none(tmp_path: Path) -> None:
    for host in ("", "a b", "-x", "x..y", "a" * 64):
        with pytest.raises(InvalidInput, match="--host is"):
            certificate.check(host)
    path, one, two = tmp_path / "allowed.txt", Key().public, Key().public
    path.write_text(f"{allowed.HEADER}\n{allowed.line('a', one)}\n{allowed.line('b', two, 'small')} # the kitchen\n")
    found = allowed.read(path, ["small"])
    assert (found.keys, found.profiles) == ({"a": one, "b": two}, {"b": "small"})
    for text, match in (
        ("a", "line 1 is a: give NAME KEY"), ("a zz", "64 hexadecimal digits"),
        (f"a {one.hex()} x", "the profiles small"),
        (f"../a {one.hex()}", "give NAME KEY"), (f"a {one.hex()}\nb {one.hex()}", "line 2 is b: another device has"),
        (f"a {one.hex()}\na {two.hex()}", "each device has one line"),
    ):  # fmt: skip
        path.write_text(text)
        with pytest.raises(InvalidInput, match=match):
            allowed.read(path, ["small"])


def test_a_secret_is_its_owners_alone(tmp_path: Path) -> None:
    made = secret.key(tmp_path / "k")
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600
    assert secret.key(tmp_path / "k").public == made.public
    (tmp_path / "k").chmod(0o644)
    with pytest.raises(InvalidInput, match="others may read it"):
        secret.key(tmp_path / "k")
    (tmp_path / "k").chmod(0o600)
    (tmp_path / "k").write_text("hello")
    with pytest.raises(InvalidInput, match="it holds no key"):
        secret.key(tmp_path / "k")
