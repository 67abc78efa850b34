"""A run over SuperLink and SuperNodes where there is no network but loopback: ``flower_run.py FOLDER PYTHON``, in a
network namespace of its own. What devices send goes through a proxy that ends their TLS and keeps every byte; a
SuperNode, the ServerApp and the SuperLink are killed on the way. Prints what was seen, as JSON."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
UP = 0x1 | 0x8 | 0x40  # IFF_UP, IFF_LOOPBACK, IFF_RUNNING
SIOCSIFFLAGS = 0x8914


class Proxy:
    """Ends TLS with ``tls``'s certificate, passes everything on to ``port`` over TLS of its own; :attr:`sent` is what
    each connection said."""

    def __init__(self, tls: Path, port: int) -> None:
        self.sent: list[bytearray] = []
        self._to, self._port = ssl.create_default_context(cafile=str(tls / "certificate.pem")), port
        self._of = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._of.load_cert_chain(tls / "certificate.pem", tls / "key.pem")

    def serve(self, listening: socket.socket) -> None:
        while True:
            threading.Thread(target=self._one, args=(listening.accept()[0],), daemon=True).start()

    def _one(self, raw: socket.socket) -> None:
        with contextlib.suppress(OSError):
            near = self._of.wrap_socket(raw, server_side=True)
            far = self._to.wrap_socket(socket.create_connection(("127.0.0.1", self._port)), server_hostname="localhost")
            kept = bytearray()
            self.sent.append(kept)
            threading.Thread(target=_pump, args=(far, near, bytearray()), daemon=True).start()
            _pump(near, far, kept)


def _pump(of: ssl.SSLSocket, to: ssl.SSLSocket, kept: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := of.recv(1 << 16):
            kept += data
            to.sendall(data)
    for end in (of, to):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def requests(stream: bytes) -> Iterator[tuple[str, bytes]]:
    """(path, body) of HTTP/1.1; what was cut off by a kill is left out."""
    while (end := stream.find(b"\r\n\r\n")) >= 0:
        first, *lines = stream[:end].decode("latin-1").split("\r\n")
        head = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        assert "transfer-encoding" not in head, "bodies have a length here"
        length = int(head.get("content-length", 0))
        body, stream = stream[end + 4 : end + 4 + length], stream[end + 4 + length :]
        if len(body) == length:
            yield first.split(" ")[1], body


def fields(data: bytes) -> Iterator[bytes]:
    """The length-delimited fields of a protobuf message."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        kind = varint() & 7
        if kind == 0:
            varint()
        elif kind == 2:
            size = varint()
            yield data[at : at + size]
            at += size
        else:
            at += {1: 8, 5: 4}[kind]


def carried(streams: list[bytearray]) -> tuple[list[bytes], dict[str, int]]:
    """(our messages as devices sent them, the longest of all else by what it is)."""
    ours, other = [], {}
    for stream in streams:
        for path, body in requests(bytes(stream)):
            kind, longest = path, len(body)
            if path.endswith("push-object"):
                content = max(fields(body), key=len)
                kind, longest = f"object {content.split(b' ')[0].decode()}", len(content)
                if kind == "object ArrayChunk":
                    ours.append(content.partition(b"\0")[2])
                    continue
            other[kind] = max(other.get(kind, 0), longest)
    return ours, other


def no_routes() -> int:
    """Packets and connections of this namespace that would have left it."""
    names, values = (line.split() for line in Path("/proc/net/snmp").read_text().splitlines()[:2])
    found = int(values[names.index("OutNoRoutes")])
    with contextlib.suppress(FileNotFoundError):
        found += sum(
            int(line.split()[1])
            for line in Path("/proc/net/snmp6").read_text().splitlines()
            if line.startswith("Ip6OutNoRoutes")
        )
    return found


def main(folder: Path, python: str) -> dict[str, Any]:
    with socket.socket() as one:
        fcntl.ioctl(one, SIOCSIFFLAGS, struct.pack("16sh", b"lo", UP))
    listening, held = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    port = held.getsockname()[1]
    held.close()
    command = subprocess.Popen(
        [python, "-m", "selvedge.federate.grid.flower_loopback", str(ROOT / "examples" / "flower"), str(folder),
         "--port", str(port), "--through", str(listening.getsockname()[1])],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait(lambda: (folder / "tls" / "certificate.pem").exists(), command)
        proxy = Proxy(folder / "tls", port)
        threading.Thread(target=proxy.serve, args=(listening,), daemon=True).start()

        def updates() -> int:
            return sum(stream.count(b'["update"') for stream in list(proxy.sent))

        wait(lambda: updates() >= 1, command)
        os.kill(int((folder / "pids" / "board").read_text()), signal.SIGKILL)
        wait(lambda: updates() >= 4, command)
        for pid in (folder / "server" / "server.pid", folder / "pids" / "superlink"):
            os.kill(int(pid.read_text()), signal.SIGKILL)
        said = command.communicate(timeout=500)[0]
    finally:
        command.terminate()
        command.wait()
    before = no_routes()
    with contextlib.suppress(OSError), socket.socket() as one:
        one.connect(("198.51.100.1", 9))  # what the count would have been of: it does count
    ours, other = carried(proxy.sent)
    return {
        "code": command.returncode, "said": said.splitlines(), "left": before, "counts": no_routes() - before,
        "messages": [m.hex() for m in ours], "other": other, "bytes": b"".join(map(bytes, proxy.sent)).hex(),
    }  # fmt: skip


def wait(until: Any, command: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 500
    while not until():
        assert command.poll() is None, "it ended early"
        assert time.monotonic() < end, "nothing happens"
        time.sleep(1)


if __name__ == "__main__":
    json.dump(main(Path(sys.argv[1]), sys.argv[2]), sys.stdout)
