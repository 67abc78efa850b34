"""What the SuperLink runs: our server and its journal, over Flower's messages."""

import json
import os
from pathlib import Path

import numpy as np
from flwr.serverapp import ServerApp

import selvedge as sv
from selvedge.federate.coordinator import Coordinator
from selvedge.federate.cover import widths
from selvedge.federate.grid.flower import FlowerGrid
from selvedge.federate.grid.flower_link import SuperLink
from selvedge.federate.keys import Key
from selvedge.federate.layout import Layout
from selvedge.federate.server import Server

app = ServerApp()


@app.main()
def main(grid, context):
    folder = Path(context.run_config["folder"])
    (folder / "server.pid").write_text(str(os.getpid()))
    given = json.loads((folder / "run.json").read_text())
    settings = sv.Federation(**given["federation"], local=sv.Local(**given["local"]))
    start = dict(np.load(folder / "start.npz"))
    whole = Layout.of(start)
    covers = {
        name: widths(whole, Layout({n: tuple(s) for n, s in part.items()})) for name, part in given["covers"].items()
    }
    devices = {name: bytes.fromhex(public) for name, public in given["devices"].items()}
    server = Server(
        Coordinator(settings, whole, whole.vector(start), covers), folder / "journal",
        Key((folder / "key").read_bytes()), devices, print,
    )  # fmt: skip
    link, again = SuperLink(grid), given["again"]
    carried = FlowerGrid(link, devices, settings.name, 1 << 20, given["parts"], again=again, log=print)
    server.run(carried, lambda event: print(type(event).__name__, server.coordinator.version, flush=True))
    server.close()
    done = server.coordinator
    np.savez(folder / "model.npz", **whole.arrays(done.model.astype(np.float32)))
    told = {"phase": done.phase, "why": done.why, "rounds": done.version, "refused": dict(server.refused)}
    told |= {"changes": [m.changes for m in done.moved], "losses": [m.loss for m in done.moved]}
    (folder / "told.part").write_text(json.dumps(told))
    (folder / "told.part").rename(folder / "told.json")
