"""Our grid behind Flower over flwr's own link state, messages and ClientApps, in one process of an environment that has
flwr: a line of JSON in, a run, a line of JSON out. SuperNodes are ``supernodes``'; what flwr does between its processes
is not here, but in ``test_flower``."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

from flwr.app import Context, Message, RecordDict
from flwr.common.constant import SUPERLINK_NODE_ID
from flwr.server.superlink.linkstate import LinkStateFactory
from flwr.supercore.constant import FLWR_IN_MEMORY_DB_NAME, TaskType
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.federation import NoOpFederationManager
from flwr.superlink.grid import InMemoryGrid

from selvedge.federate.client.flower import client_app
from selvedge.federate.flower_record import HELLO, packed, unpacked
from selvedge.federate.grid.flower_link import Reply, SuperLink

from .grids import Case, over
from .supernodes import Node, nodes
from .toward import key

ALIVE = 1e6  # seconds between two heartbeats
AWAY = 0.3  # seconds until a node that died is back


class Link(SuperLink):
    """flwr's, whose nodes do what is theirs when it is looked at."""

    def __init__(self, devices: list[Node]) -> None:
        self._state = LinkStateFactory(FLWR_IN_MEMORY_DB_NAME, NoOpFederationManager(), ObjectStoreFactory()).state()
        run = self._state.create_run(None, None, None, {}, "@none/default", None, "", TaskType.SERVER_APP)
        TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = run, 1, SUPERLINK_NODE_ID
        grid = InMemoryGrid(Factory(self._state))
        grid.set_run(self._state.get_run_info(run_ids=[run])[0])
        super().__init__(grid)
        self._devices = {self._joined(): device for device in devices}
        self._context = {n: Context(run, n, {}, RecordDict(), {}) for n in self._devices}
        self._back: dict[int, float] = {}

    def _joined(self) -> int:
        node = self._state.create_node("", "", secrets.token_bytes(32), ALIVE)
        self._state.activate_node(node, ALIVE)
        return int(node)

    def nodes(self) -> Mapping[int, str]:
        for node, at in list(self._back.items()):
            if time.monotonic() >= at:
                del self._back[node]
                self._state.activate_node(node, ALIVE)
        return super().nodes()

    def pull(self, ids: Iterable[str]) -> Iterator[Reply]:
        for node in self._devices:
            if node not in self._back:
                for message in self._state.get_message_ins(node, None):
                    self._done(node, message)
        return super().pull(ids)

    def _done(self, number: int, message: Message) -> None:
        node = self._devices[number]
        ticks = iter([float(node.polled())])
        app = client_app("tried", lambda context: (node.participant, key(node.i)), lambda: next(ticks))
        reply = app(message, self._context[number])
        said: list[bytes | None] = [unpacked(reply.content)]
        if message.metadata.message_type != HELLO and said[0] is not None:
            answer = node.answer(said[0])
            if node.died(answer):
                self._back[number] = time.monotonic() + AWAY
                self._state.deactivate_node(number)
                return
            said = list(node.mouth.says(answer))
        for data in said:
            sent = Message(packed(data), reply_to=message)
            sent.metadata.__dict__["_message_id"] = str(uuid4())
            self._state.store_message_res(sent)


class Factory:
    def __init__(self, state: Any) -> None:
        self._state = state

    def state(self) -> Any:
        return self._state


def main() -> None:
    for line in sys.stdin:
        given, folder = json.loads(line)
        case = Case(**given)
        link = Link(nodes(Path(folder), case.fault, case.kill, case.masked))
        told = over(link, case, Path(folder), again=1.0, pause=0.01)
        print(json.dumps(asdict(told)), flush=True)


if __name__ == "__main__":
    main()
