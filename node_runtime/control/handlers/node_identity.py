"""The attributes of a node that do not change between boot and exit."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from node_runtime.releases.workers import ONLY_WORKER, WorkerPlace


class NodeIdentity(msgspec.Struct, frozen=True):
    """The identity of a node and of its worker in this OS process. A `development` node runs a project's sources."""

    name: str
    boot_id: str
    directory: Path
    started: float = msgspec.field(default_factory=time.time)
    os_pid: int = msgspec.field(default_factory=os.getpid)
    development: bool = False
    place: WorkerPlace = ONLY_WORKER

    @property
    def own_name(self) -> str:
        """The name by which clients reach this worker of the node `name`."""
        return self.place.node_name(self.name)
