"""Flower's SecAgg+: ``python -m benchmarks.masked.flower CASE``, in an environment with flwr. Prints what it took.

Both sides are flwr's own code, as an app of it runs them: ``flwr.server.workflow.SecAggPlusWorkflow`` asks, and
``secaggplus_mod`` answers. In place of SuperLink and SuperNodes is one process that hands each message over as the
bytes that it is on the wire; what that takes is counted for neither side, nor are learning and FedAvg's own mean.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Error, Message, RecordDict
from flwr.client.mod import secaggplus_mod
from flwr.common import Code, FitIns, FitRes, Parameters, Status, ndarrays_to_parameters, parameters_to_ndarrays
from flwr.common.constant import SUPERLINK_NODE_ID
from flwr.common.secure_aggregation.secaggplus_constants import RECORD_KEY_CONFIGS, Key, Stage
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
from flwr.compat.common import recorddict_compat as compat
from flwr.proto.recorddict_pb2 import RecordDict as Proto
from flwr.server import LegacyContext
from flwr.server.workflow import SecAggPlusWorkflow
from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD, MAIN_PARAMS_RECORD
from flwr.server.workflow.constant import Key as Main
from flwr.supercore.task_identity import TaskIdentity

RUN, FIRST = 1 << 62, 1 << 40
CLIP, WEIGHT = 8.0, 1  # flwr's own range; the weight of everybody, who all have as many samples
FORGIVEN = 2 * CLIP / 4194304  # of a value: a step of quantisation is rounded by lot, and the mean of many is nearer


class Proxy:
    """All that the workflow asks of a client."""

    def __init__(self, node_id: int) -> None:
        self.node_id = node_id


class Everybody:
    """A strategy that asks all and takes the mean as the workflow has found it."""

    def __init__(self, nodes: Iterable[int]) -> None:
        self._nodes = list(nodes)
        self.found: Any = None

    def configure_fit(self, server_round: int, parameters: Parameters, client_manager: Any) -> list[Any]:
        return [(Proxy(node), FitIns(Parameters([], "numpy.ndarray"), {})) for node in self._nodes]

    def aggregate_fit(self, server_round: int, results: list[Any], failures: list[Any]) -> tuple[None, dict[str, Any]]:
        self.found = parameters_to_ndarrays(results[0][1].parameters)[0]
        return None, {}


class Nodes:
    """The grid: nodes of this process, of which those in ``lost`` are gone once they have shared their keys."""

    def __init__(self, clients: int, parameters: int, lost: int) -> None:
        self.nodes = [FIRST + i for i in range(clients)]
        self.lost = set(self.nodes[:lost])
        self._parameters = parameters
        self._contexts = {node: Context(RUN, node, {}, RecordDict(), {}) for node in self.nodes}
        self.seconds = dict.fromkeys(self.nodes, 0.0)
        self.up = dict.fromkeys(self.nodes, 0)
        self.vector = 0  # bytes of a masked vector, of what is in up
        self.apart = 0.0  # seconds that are not the server's

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        began = time.process_time()
        replies = [self._answered(message) for message in messages]
        self.apart += time.process_time() - began
        return replies

    def vectors(self, node: int) -> np.ndarray:
        return np.float32(np.random.default_rng(node - FIRST).normal(0, 0.01, self._parameters))

    def _answered(self, message: Message) -> Message:
        node = message.metadata.dst_node_id
        stage = message.content.config_records[RECORD_KEY_CONFIGS][Key.STAGE]
        if node in self.lost and stage in (Stage.COLLECT_MASKED_VECTORS, Stage.UNMASK):
            return Message(Error(0, "lost"), reply_to=message)
        asked = Message(_over(message.content)[0], metadata=message.metadata)
        fitted = 0.0

        def fit(asked: Message, context: Context) -> Message:
            nonlocal fitted
            begun = time.process_time()
            own = ndarrays_to_parameters([self.vectors(node)])
            result = FitRes(Status(Code.OK, ""), own, WEIGHT, {})
            made = Message(compat.fitres_to_recorddict(result, keep_input=False), reply_to=asked)
            fitted = time.process_time() - begun
            return made

        began = time.process_time()
        reply = secaggplus_mod(asked, self._contexts[node], fit)
        self.seconds[node] += time.process_time() - began - fitted
        content, size = _over(reply.content)
        self.up[node] += size
        if stage == Stage.COLLECT_MASKED_VECTORS:
            self.vector = size
        return Message(content, metadata=reply.metadata)


def _over(content: RecordDict) -> tuple[RecordDict, int]:
    """What comes out at the other end of a wire, and its bytes there."""
    data = recorddict_to_proto(content).SerializeToString()
    return recorddict_from_proto(Proto.FromString(data)), len(data)


def measured(clients: int, parameters: int, lost: int, shares: float) -> dict[str, Any]:
    """shares: of all clients, who each has neighbours (1.0: everybody is everybody's)."""
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = RUN, SUPERLINK_NODE_ID, 1
    nodes = Nodes(clients, parameters, lost)
    everybody = Everybody(nodes.nodes)
    context = LegacyContext(Context(RUN, SUPERLINK_NODE_ID, {}, RecordDict(), {}), strategy=everybody)
    context.state.config_records[MAIN_CONFIGS_RECORD] = ConfigRecord({Main.CURRENT_ROUND: 1})
    context.state.array_records[MAIN_PARAMS_RECORD] = ArrayRecord()
    workflow = SecAggPlusWorkflow(shares, 0.51, max_weight=WEIGHT, clipping_range=CLIP)
    began = time.process_time()
    workflow(nodes, context)
    server = time.process_time() - began - nodes.apart
    if everybody.found is None:
        raise RuntimeError("SecAgg+ halted before it had a sum")
    staying = [node for node in nodes.nodes if node not in nodes.lost]
    due = np.mean([nodes.vectors(node) for node in staying], axis=0, dtype=np.float64)
    off = float(np.abs(everybody.found - due).max())
    if off > FORGIVEN:
        raise RuntimeError(f"a mean that is {off:g} off")
    return {
        "client": [round(nodes.seconds[node], 4) for node in staying], "server": round(server, 4),
        "up": sum(nodes.up[node] for node in staying) / len(staying), "vector": nodes.vector, "off": off,
    }  # fmt: skip


if __name__ == "__main__":
    logging.disable(logging.INFO)
    measured(4, 10, 0, 1.0)  # what is imported late is nobody's time
    print(json.dumps(measured(**json.loads(sys.argv[1]))))
