"""A SuperLink and its SuperNodes on this machine: TLS, a key a node, nothing installed and nothing told to anybody.

``python -m selvedge.federate.grid.flower_loopback APP FOLDER`` starts them, submits the Flower app APP, starts again
what ends before the run is over, and ends them all. Of FOLDER it takes

    nodes/NAME/  one for each SuperNode, told to its ClientApp as node_config "folder"
    server/      told to the ServerApp as run_config "folder". It writes server.pid there when it begins, and told.json
                 when the run is over: where neither lives, the app is submitted again, and goes on from its journal

and makes tls/ (a certificate and the nodes' keys, for this machine only), flwr/ (what flwr keeps), logs/ and pids/.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import io
import ipaddress
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...artifact import files
from ...errors import InvalidInput, SelvedgeError
from ..flower_record import flwr

HOST = "127.0.0.1"
PID, TOLD = "server.pid", "told.json"
PATIENCE = 60.0  # seconds until what was started is there
# Nothing is sent to its makers, looked up or installed.
QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1", "RAY_USAGE_STATS_ENABLED": "0",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1", "NO_PROXY": "*", "no_proxy": "*",
}  # fmt: skip


class Loopback:
    """``app``: the folder of a Flower app. through: the port that SuperNodes are to take for the SuperLink's, for a
    proxy of one's own between them.

    Raises ``InvalidInput`` where flwr is not installed, and for folders that are none.
    """

    def __init__(self, app: Path, folder: Path, through: int | None = None, port: int | None = None) -> None:
        self.folder = folder.resolve()
        os.environ |= self._around("superlink")  # before flwr is looked at: it reads it then
        flwr("flwr")
        if not (app / "pyproject.toml").is_file():
            raise InvalidInput("app", str(app), "give a folder with the pyproject.toml of a Flower app")
        self.app = app.resolve()
        self.names = sorted(f.name for f in (self.folder / "nodes").glob("*") if f.is_dir())
        if not self.names or not (self.folder / "server").is_dir():
            raise InvalidInput("folder", str(folder), "give one with nodes/NAME/, a SuperNode each, and server/")
        self.port = port or _free()
        self._entry = through or self.port
        self._ports = {name: _free() for name in self.names}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._submitted = float("-inf")
        self.tls = self.folder / "tls"
        for made in ("logs", "pids", "flwr", "tls"):
            (self.folder / made).mkdir(exist_ok=True)
        if not (self.tls / "certificate.pem").exists():
            certify(self.tls, self.names)

    @property
    def told(self) -> Path:
        return self.folder / "server" / TOLD

    def run(self) -> None:
        """Until the app has written told.json, whatever is killed meanwhile."""
        try:
            self._start_superlink()
            for name in self.names:
                self._call("supernode", "register", str(self.tls / f"{name}.pub"), "loopback")
            for name in self.names:
                self._start_node(name)
            while not self.told.exists():
                self._look()
                time.sleep(0.5)
        finally:
            self.close()

    def close(self) -> None:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _look(self) -> None:
        for name, process in list(self._running.items()):
            if process.poll() is not None:
                print(f"{name} ended ({process.returncode}): it is started again", flush=True)
                if name == "superlink":
                    self._start_superlink()
                else:
                    self._start_node(name)
        if not _lives(self.folder / "server" / PID) and time.monotonic() > self._submitted + PATIENCE:
            self._submitted = time.monotonic()
            said = self._call("run", str(self.app), "loopback", "--run-config", f'folder="{self.folder / "server"}"')
            print(said.strip().splitlines()[-1], flush=True)

    def _start_superlink(self) -> None:
        _write(
            self._home("superlink") / "config.toml",
            f'[superlink]\ndefault = "loopback"\n\n[superlink.loopback]\naddress = "{HOST}:{self.port}"\n'
            f'root-certificates = "{self.tls / "certificate.pem"}"\ninsecure = false\n',
        )
        self._start(
            "superlink", "flower-superlink", "--host", HOST, "--port", str(self.port), "--enable-supernode-auth",
            "--database", str(self.folder / "flwr" / "superlink.db"), "--disable-runtime-dependency-installation",
            *self._certificates(),
        )  # fmt: skip
        self._submitted = float("-inf")  # a run ends with its SuperLink
        (self.folder / "server" / PID).unlink(missing_ok=True)
        end = time.monotonic() + PATIENCE
        while not _listens(self.port):
            if time.monotonic() > end or self._running["superlink"].poll() is not None:
                raise InvalidInput("SuperLink", f"not there on port {self.port}", f"see {self._log('superlink')}")
            time.sleep(0.1)

    def _start_node(self, name: str) -> None:
        self._start(
            name, "flower-supernode", "--superlink", f"{HOST}:{self._entry}", "--host", HOST,
            "--port", str(self._ports[name]), "--root-certificates", str(self.tls / "certificate.pem"),
            "--auth-supernode-private-key", str(self.tls / name),
            "--node-config", f'folder="{self.folder / "nodes" / name}"', *self._certificates(),
        )  # fmt: skip

    def _certificates(self) -> Sequence[str]:
        certificate = str(self.tls / "certificate.pem")
        return (
            "--ssl-certfile",
            certificate,
            "--ssl-keyfile",
            str(self.tls / "key.pem"),
            "--ssl-ca-certfile",
            certificate,
        )

    def _start(self, name: str, command: str, *arguments: str) -> None:
        with self._log(name).open("ab") as log:
            process = subprocess.Popen(
                [_command(command), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._around(name),
            )
        self._running[name] = process
        _write(self.folder / "pids" / name, str(process.pid))

    def _call(self, *arguments: str) -> str:
        """What flwr's command says: in this process, for it takes seconds to load. Raises ``InvalidInput``."""
        command = flwr("typer").main.get_command(flwr("flwr.cli.app").app)
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                command(list(arguments), standalone_mode=False)
        except (Exception, SystemExit) as error:
            message = getattr(error, "message", "") or str(error) or said.getvalue()
            raise InvalidInput("flwr", " ".join(arguments[:2]), f"it failed: {message.strip()[-300:]}") from None
        return said.getvalue()

    def _around(self, name: str) -> Mapping[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        # A home each: all of them unpack the app into it.
        return {**os.environ, **QUIET, "PATH": path, "FLWR_HOME": str(self._home(name))}

    def _home(self, name: str) -> Path:
        return self.folder / "flwr" / name

    def _log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"


def certify(folder: Path, nodes: Sequence[str]) -> None:
    """certificate.pem and key.pem for this machine's loopback address, and of each node an ECDSA key (P-384), as flwr
    reads it: NAME and NAME.pub."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def secret(key: ec.EllipticCurvePrivateKey, form: serialization.PrivateFormat) -> bytes:
        found: bytes = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        return found

    for name in nodes:
        key = ec.generate_private_key(ec.SECP384R1())
        _secret(folder / name, secret(key, serialization.PrivateFormat.OpenSSH))
        public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        files.write(folder / f"{name}.pub", public)
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "selvedge loopback")])
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(HOST))])
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=30))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    _secret(folder / "key.pem", secret(key, serialization.PrivateFormat.PKCS8))
    files.write(folder / "certificate.pem", made.public_bytes(serialization.Encoding.PEM))


def _secret(path: Path, data: bytes) -> None:
    path.touch(0o600)
    files.write(path, data)


def _write(path: Path, text: str) -> None:
    files.write(path, text.encode())


def _command(name: str) -> str:
    path = Path(sys.executable).parent / name
    if not path.is_file():
        raise InvalidInput("flwr", f"without {path}", "pip install 'selvedge[flower]'")
    return str(path)


def _free() -> int:
    with socket.socket() as made:
        made.bind((HOST, 0))
        return int(made.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as made:
        return made.connect_ex((HOST, port)) == 0


def _lives(pid: Path) -> bool:
    try:
        os.kill(int(pid.read_text()), 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return False
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 done, 1 the run stopped, 2 what was given is wrong, 130 Ctrl-C."""
    parser = argparse.ArgumentParser(prog="flower_loopback", description="SuperLink and SuperNodes on this machine.")
    parser.add_argument("app", type=Path, help="the folder of the Flower app")
    parser.add_argument("folder", type=Path, help="with nodes/NAME/ and server/")
    parser.add_argument("--through", type=int, help="the port that SuperNodes take for the SuperLink's")
    parser.add_argument("--port", type=int, help="of the SuperLink; else one that is free")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        loopback = Loopback(given.app, given.folder, given.through, given.port)
        loopback.run()
    except SelvedgeError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    said = json.loads(loopback.told.read_text())
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(said), flush=True)
    return 0 if said["phase"] == "done" else 1


if __name__ == "__main__":
    sys.exit(main())
