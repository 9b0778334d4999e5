"""The role of a node's OS process: worker 1, which leads, or another worker, which follows."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import msgspec

from node_runtime.cli.heartbeat import Heartbeat
from node_runtime.code import CodeServer
from node_runtime.processes.runtime import Runtime
from node_runtime.releases.cold_upgrade import ORDINARY_BOOT, ColdBoot
from node_runtime.releases.following_handler import FollowingReleaseHandler
from node_runtime.releases.operation_history import PreviousExit
from node_runtime.releases.release_handler import ReleaseHandler
from node_runtime.releases.workers import ONLY_WORKER, LedWorkers, WorkerPlace
from node_runtime.releases.workers.led_workers import ParentRequests
from node_runtime.releases.workers.worker_number import Worker

from .mail import WorkerMail

LEADER: Final = 1
WORKERS_LAUNCHER_VERSION: Final = 8
"""The first version of the launcher whose parent boots several workers."""

logger: Final = logging.getLogger("node_runtime")


class WorkerBoot(msgspec.Struct, frozen=True):
    """How the parent boots this process, and as which worker. `mail` is the pipe with messages of other workers."""

    cold: ColdBoot = ORDINARY_BOOT
    place: WorkerPlace = ONLY_WORKER
    mail: int | None = None


ONLY_BOOT: Final = WorkerBoot()


class WorkerRole:
    """The role of the worker `boot.place`: to lead the other workers, or to follow worker 1."""

    def __init__(self, boot: WorkerBoot, heart: Heartbeat) -> None:
        self.place = boot.place
        self._heart = heart
        self._parent = boot.cold.parent
        self._mail = WorkerMail(heart, boot.mail)
        self._count = 1

    def begin(self, runtime: Runtime, wanted: int) -> None:
        """Record how many workers the node has: `wanted`, the number in node.toml. Called before any socket listens."""
        self._count = wanted
        if wanted > 1 and self._parent < WORKERS_LAUNCHER_VERSION:
            remedy = "stop the node and start it with bin/<name>" if not self._parent else "stop the node and start it"
            why = "has no parent process" if not self._parent else "was started by an older launcher"
            logger.warning("only 1 of the %s workers in node.toml runs, because the node %s; %s", wanted, why, remedy)
            self._count = 1
        worker = runtime.singleton(Worker)
        worker.number, worker.count = self.place.number, self._count

    def number_in_log(self) -> int | None:
        """Return the number of the worker if the node has several workers; else None."""
        return self.place.number if self._count > 1 or not self.place.leads else None

    def open_handler(self, directory: Path, vsn: str, code: CodeServer, last: PreviousExit) -> ReleaseHandler:
        """Return the release handler of the worker."""
        if not self.place.leads:
            send = self._mail.send
            return FollowingReleaseHandler(
                directory, vsn, code, last, self.place, lambda message: send(LEADER, message)
            )
        handler = ReleaseHandler(directory, vsn, code, last)
        requests = ParentRequests(self._mail.send, self._heart.restart_worker, self._heart.current)
        handler.lead(LedWorkers(self._count, requests))
        return handler

    def ready(self, handler: ReleaseHandler) -> None:
        """Begin to lead the other workers, or to follow worker 1. Called when the applications are started."""
        if isinstance(handler, FollowingReleaseHandler):
            self._mail.receive(lambda sender, message: handler.receive(message))
            handler.ready()
            return
        self._mail.receive(handler.workers.receive)
        self._heart.workers(self._count)
        handler.workers.announce(handler.vsn)
        handler.workers.greet()

    def close(self) -> None:
        """Receive no more messages."""
        self._mail.close()
