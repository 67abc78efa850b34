"""Messages of a real mosquitto: what was not safe comes again, a broker that goes away comes back."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from paho.mqtt import client as paho

from selvedge.errors import InvalidInput
from selvedge.learn.stream.faults import Faults
from selvedge.learn.stream.mqtt import Mqtt
from selvedge.learn.stream.sample import Face, Sample
from tests.required import missing

BROKER = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
FACE = Face((2,), np.dtype(np.float32), ("a", "b"), 2)


class Broker:
    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.config = folder / "mosquitto.conf"
        self.config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self.start()

    def start(self) -> None:
        if BROKER is None:
            missing("mosquitto")
        self.process = subprocess.Popen([BROKER, "-c", str(self.config)], stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.02)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def publish(self, *payloads: str, topic: str = "home/door") -> None:
        client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        for payload in payloads:
            client.publish(topic, payload, qos=1).wait_for_publish(20)
        client.disconnect()
        client.loop_stop()

    def url(self, more: str = "?client=me") -> str:
        return f"mqtt://127.0.0.1:{self.port}/home/%23{more}"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    yield made
    made.stop()


def line(value: int, **more: object) -> str:
    return json.dumps({"x": [value, 1], "y": "b", **more})


def taken(source: Mqtt, count: int, safe: bool = True) -> list[Sample]:
    found = []
    for sample in source:
        found.append(sample)
        if safe:
            source.done(sample.number)
        if len(found) == count:
            break
    return found


def test_messages_are_samples_and_bad_ones_are_told(broker: Broker) -> None:
    told: list[str] = []
    source = Mqtt(broker.url(), FACE, faults=Faults(told.append))
    source.seek(5)
    broker.publish(line(0), "not one", line(1, time=7))
    found = taken(source, 2)
    source.close()
    assert [(s.number, s.x[0], s.y) for s in found] == [(5, 0, 1), (6, 1, 1)]
    assert found[1].time == 7
    assert "topic home/door is not one: it is no JSON" in told[0]


def test_what_was_not_safe_comes_again_and_what_came_meanwhile(broker: Broker) -> None:
    source = Mqtt(broker.url(), FACE)
    broker.publish(*(line(i, number=i) for i in range(4)))
    assert [s.number for s in taken(source, 2)] == [0, 1]
    assert [s.number for s in taken(source, 1, safe=False)] == [2]
    source.close()  # as a kill would: 2 was taken, and is not safe
    broker.publish(line(4, number=4))
    again = Mqtt(broker.url(), FACE)
    assert [s.number for s in taken(again, 3)] == [2, 3, 4]
    again.close()


def test_a_broker_that_goes_away_comes_back(broker: Broker) -> None:
    source = Mqtt(broker.url("?qos=1"), FACE)
    broker.publish(line(0))
    assert taken(source, 1)[0].x[0] == 0
    broker.stop()
    broker.start()
    end = time.monotonic() + 30
    found: list[Sample] = []
    while not found and time.monotonic() < end:  # paho waits a second or more before it tries again
        broker.publish(line(9))
        if not source._queue.empty():
            found = taken(source, 1)
        time.sleep(0.2)
    source.close()
    assert found[0].x[0] == 9


@pytest.mark.parametrize("url", ["mqtt://", "mqtt://h/", "mqtt://h:x/t", "mqtt://h/t?qos=7", "mqtt://h/t?qos=a"])
def test_a_url_that_is_none_is_one_line(url: str) -> None:
    with pytest.raises(InvalidInput, match="give mqtt://host:port/topic"):
        Mqtt(url, FACE)


def test_no_broker_is_one_line() -> None:
    with pytest.raises(InvalidInput, match="no broker answers there"):
        Mqtt("mqtt://127.0.0.1:1/t", FACE)


def test_a_broker_that_lets_nobody_in_is_one_line(tmp_path: Path) -> None:
    closed = Broker.__new__(Broker)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed.port = free.getsockname()[1]
    (tmp_path / "none").touch()
    closed.config = tmp_path / "closed.conf"
    closed.config.write_text(f"listener {closed.port} 127.0.0.1\nallow_anonymous false\n")
    closed.start()
    try:
        with pytest.raises(InvalidInput, match="the broker does not let us in"):
            Mqtt(f"mqtt://127.0.0.1:{closed.port}/t", FACE)
    finally:
        closed.stop()
