"""A server on loopback, and the certificate that it shows."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from selvedge.federate.grid.https import HttpsGrid

from .toward import DEVICES


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-out", str(files[0]), "-keyout", str(files[1])],
        check=True, capture_output=True,
    )  # fmt: skip
    return files


@pytest.fixture
def grid(certificate: tuple[Path, Path]) -> Iterator[HttpsGrid]:
    made_ = HttpsGrid("127.0.0.1", 0, *certificate, DEVICES, "tried", 1 << 20, again=0.02)
    yield made_
    made_.close()
