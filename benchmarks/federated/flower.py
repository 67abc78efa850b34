"""Flower's FedAvg: ``python -m benchmarks.federated.flower FOLDER``, in an environment with flwr.

Strategy and loop are flwr's own, ``flwr.serverapp.strategy.FedAvg`` and its ``start``; so are ClientApp, messages and
the objects that these are taken apart into. SuperLink and SuperNodes are one process: over real ones a round takes ten
seconds. FOLDER: what :func:`.peer.through_flower` lays there; what it reads is laid beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.app.message.message import remove_content_from_message
from flwr.clientapp import ClientApp
from flwr.common.constant import SUPERLINK_NODE_ID
from flwr.common.serde import message_to_proto
from flwr.proto.fleet_pb2 import PullMessagesResponse, PushMessagesRequest
from flwr.proto.message_pb2 import PullObjectResponse, PushObjectRequest, PushObjectResponse
from flwr.proto.node_pb2 import Node
from flwr.serverapp.strategy import FedAvg
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree, iterate_object_tree
from flwr.supercore.inflatable.inflatable_protobuf_utils import make_push_object_fn_protobuf
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents, push_objects
from flwr.supercore.object_store.in_memory_object_store import InMemoryObjectStore
from flwr.supercore.task_identity import TaskIdentity

import selvedge as sv
from selvedge.federate.client.session import SessionTrainer

RUN, FIRST = 1 << 62, 1 << 63  # as long as the numbers that a SuperLink draws


class Nodes:
    """flwr's ``Grid`` over nodes of this process. rounds: the devices of each, who alone are there in it, so that a
    strategy that asks all asks these.

    ``up``, ``down``: bytes of the protobuf messages in which a SuperNode pushes an answer and pulls a task, with every
    object in them; not of what it asks in between, of HTTP's headers, or of TLS.
    """

    def __init__(self, app: Callable[[Any, Any], Any], rounds: Sequence[Sequence[int]]) -> None:
        self._app, self._rounds, self._done = app, rounds, 0
        self._store = InMemoryObjectStore()  # the SuperLink's
        self.up = self.down = 0

    def get_node_ids(self) -> Iterable[int]:
        return [FIRST + device for device in self._rounds[self._done]]

    def send_and_receive(self, messages: Iterable[Any], *, timeout: float | None = None) -> Iterable[Any]:
        asked = list(messages)
        replies = []
        for message in asked:
            node = message.metadata.dst_node_id
            context = Context(RUN, node, {"device": node - FIRST}, RecordDict(), {})
            replies.append(self._pushed(self._app(self._pulled(message), context), node))
        self._done += bool(asked)
        return replies

    def _pulled(self, message: Any) -> Any:
        """``message`` as the node has it."""
        head, tree = _parts(message)
        self.down += PullMessagesResponse(messages_list=[head], message_object_trees=[tree]).ByteSize()
        contents = {name: found.deflate() for name, found in get_all_nested_objects(message).items()}
        for content in contents.values():
            answer = PullObjectResponse(object_found=True, object_available=True, object_content=content)
            self.down += answer.ByteSize()
        return _whole(tree.object_id, contents)

    def _pushed(self, message: Any, node: int) -> Any:
        """``message`` as the SuperLink has it."""
        head, tree = _parts(message)
        of = Node(node_id=node)
        self.up += PushMessagesRequest(
            node=of, messages_list=[head], message_object_trees=[tree], clientapp_runtime_list=[1.0]
        ).ByteSize()

        def put(request: PushObjectRequest) -> PushObjectResponse:
            self.up += request.ByteSize()
            self._store.put(request.object_id, request.object_content)
            return PushObjectResponse(stored=True)

        missing = set(self._store.preregister(RUN, tree))
        push = make_push_object_fn_protobuf(put, of, RUN, str(uuid4()))
        push_objects(get_all_nested_objects(message), push, object_ids_to_push=missing, max_concurrent_pushes=1)
        found = {part.object_id: self._store.get(part.object_id) for part in iterate_object_tree(tree)}
        self._store.delete(tree.object_id)
        return _whole(tree.object_id, found)


def _parts(message: Any) -> tuple[Any, Any]:
    """What names a message's objects, which are sent apart from it."""
    message.metadata.__dict__["_message_id"] = message.object_id  # as flwr itself sets it
    return message_to_proto(remove_content_from_message(message)), get_object_tree(message)


def _whole(name: str, contents: Mapping[str, Any]) -> Any:
    message = inflate_object_from_contents(name, dict(contents))
    message.metadata.__dict__["_message_id"] = name
    return message


def client_app(trainers: Sequence[SessionTrainer], local: Mapping[str, Any]) -> Any:
    """Devices that learn as ours do: the same steps, on the same samples in the same order."""

    def train(message: Any, context: Any) -> Any:
        trainer = trainers[context.node_config["device"]]
        start = trainer.layout.vector({name: a.numpy() for name, a in message.content["arrays"].items()})
        task = message.content["config"]["server-round"] - 1
        found = trainer.train(start, dict(local), task, None, None)
        arrays = {name: Array(a) for name, a in trainer.layout.arrays(found.vector).items()}
        metrics = MetricRecord({"num-examples": found.weight})
        return Message(RecordDict({"arrays": ArrayRecord(arrays), "metrics": metrics}), reply_to=message)

    app = ClientApp()
    app.train()(train)
    return app


def main(folder: Path) -> None:
    """Writes models.npy, float32 [evaluations, size], and told.json: "up" and "down" until each."""
    given, session = json.loads((folder / "run.json").read_text()), sv.load(folder / "artifact")
    samples = np.load(folder / "samples.npz")
    devices = range(len(samples.files) // 2)
    trainers = [SessionTrainer(session, samples[f"x{i}"], samples[f"y{i}"], seed=i) for i in devices]
    layout = trainers[0].layout
    begin = layout.arrays(np.load(folder / "begin.npy"))
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = RUN, SUPERLINK_NODE_ID, 1
    nodes = Nodes(client_app(trainers, given["local"]), given["rounds"])
    told: dict[str, list[int]] = {"up": [], "down": []}
    models = []

    def judged(number: int, arrays: Any) -> None:
        if number and number % given["every"] == 0:
            models.append(layout.vector({name: a.numpy() for name, a in arrays.items()}))
            told["up"].append(nodes.up)
            told["down"].append(nodes.down)

    strategy = FedAvg(fraction_train=1.0, fraction_evaluate=0.0, min_train_nodes=1, min_available_nodes=1)
    record = ArrayRecord({name: Array(np.ascontiguousarray(a)) for name, a in begin.items()})
    strategy.start(nodes, record, num_rounds=len(given["rounds"]), evaluate_fn=judged)
    np.save(folder / "models.npy", np.stack(models))
    (folder / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
