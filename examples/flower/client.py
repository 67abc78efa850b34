"""What a SuperNode runs: a session of the device's own plan, its own samples, and what it keeps in a file."""

from pathlib import Path

import numpy as np

import selvedge as sv
from selvedge.federate.client.flower import client_app
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.session import SessionTrainer
from selvedge.federate.client.store import InFile
from selvedge.federate.keys import Key


def joined(context):
    folder = Path(context.node_config["folder"])
    key, data = Key((folder / "key").read_bytes()), np.load(folder / "samples.npz")
    trainer = SessionTrainer(sv.load(folder / "artifact"), data["x"], data["y"])
    server = (folder / "server.public").read_bytes()
    return Participant(folder.name, key, server, trainer, InFile(folder / "state")), key


app = client_app("digits", joined)
