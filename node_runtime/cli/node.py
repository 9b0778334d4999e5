"""The node's OS process: boots a release from disk, runs its applications, and shuts them down."""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import gc
import json
import logging
import os
import secrets
import signal
import sys
import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

from node_runtime.behaviours.application_controller import applications
from node_runtime.code import CodeServer
from node_runtime.control import Control, NodeIdentity
from node_runtime.control.audit import node_entry
from node_runtime.processes.errors import CRASH_EXCEPTIONS
from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.processes.runtime import Runtime, declared_vsn
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.process_stat import start_ticks
from node_runtime.protocol.run_directory import NodeRecord, hold_node_name, remove_record, run_directory, write_record
from node_runtime.releases.cold_upgrade import ColdBoot, RestartRequests
from node_runtime.releases.files.config import Configuration, read_configuration
from node_runtime.releases.files.python_floor import python_warning
from node_runtime.releases.files.schemas import NodeConfig
from node_runtime.releases.operation_history import CLEAN_EXIT, PreviousExit
from node_runtime.releases.planning.app_env import register_sources
from node_runtime.releases.release_handler import ReleaseHandler
from node_runtime.releases.store import commit_record
from node_runtime.releases.store.catalog import Catalog
from node_runtime.releases.store.launcher_update import keep_launcher_current
from node_runtime.releases.store.unpacked_release import UnpackedRelease
from node_runtime.releases.workers import WorkerPlace

from .directory_lock import hold_directory, lock_path
from .event_loops import check_loop, loop_factory, run
from .heartbeat import Ending, Heartbeat
from .launcher.left_processes import end_left_processes
from .log_lines import log_to_stderr
from .running_applications import start_applications, stop_applications
from .workers import ONLY_BOOT, WorkerBoot, WorkerRole

SIGNALS: Final[dict[int, Ending]] = {
    signal.SIGTERM: "stopped",
    signal.SIGINT: "stopped",
    signal.SIGHUP: "restart",
}

GC_YOUNG_THRESHOLD: Final = 10_000
"""The number of new objects that starts a garbage collection. Python's 700 is too low for a node with many objects."""

RECORD_RETRY_SECONDS: Final = 5.0
"""The time between two attempts to write the node's record to a full disk."""

OTHER_WORKERS_LISTEN: Final = "127.0.0.1:0"
"""The address of the control plane of a worker other than worker 1: a free port, since node.toml has only one
address."""

CANCELLED: Final = (
    "The node's main task was cancelled, but nothing asked the node to stop: code outside of all processes must have "
    "cancelled the tasks of the event loop."
)

logger: Final = logging.getLogger("node_runtime")


class Node:
    """One run of the node in `directory` with release `vsn`.

    `heart` is the descriptor of the pipe to the parent. `fallback_reason` says why this release boots if another
    release is permanent. `last` says how the previous run of the node ended. `boot` says which worker the node's OS
    process is, and how the parent boots it.
    """

    def __init__(
        self,
        directory: Path,
        vsn: str,
        heart: int | None,
        fallback_reason: str | None = None,
        last: PreviousExit = CLEAN_EXIT,
        boot: WorkerBoot = ONLY_BOOT,
    ) -> None:
        self.directory = directory
        self.vsn = vsn
        self.development = False
        """Whether the node runs a project from its sources, for `node-runtime dev` or for a test."""
        self._fallback_reason = fallback_reason
        self._last = last
        self._boot = boot.cold
        self.boot_id = secrets.token_hex(8)
        self.started = time.time()
        self._heart = Heartbeat(heart, lambda: self._end("stopped", "The parent process has ended."))
        self._role = WorkerRole(boot, self._heart)
        self._handler: ReleaseHandler | None = None
        self._task: asyncio.Task[None] | None = None
        self._ending: Ending | None = None
        self._sentence = ""
        self._cause = ""

    def release(self) -> str:
        """Return the version of the release that runs now."""
        return self.vsn if self._handler is None else self._handler.vsn

    def worker_in_log(self) -> int | None:
        """Return the number of this worker, if the node has several; else None."""
        return self._role.number_in_log()

    async def run(self) -> int:
        """Run until the node is stopped or restarted, or fails; return the exit code."""
        gc.set_threshold(GC_YOUNG_THRESHOLD, *gc.get_threshold()[1:])
        loop = asyncio.get_running_loop()
        for number, ending in SIGNALS.items():
            loop.add_signal_handler(number, self._end, ending, "", f"signal {signal.Signals(number).name}")
        self._task = asyncio.create_task(self._live())
        try:
            await self._task
        except asyncio.CancelledError:
            if self._ending is None:
                self._ending, self._sentence = "failed", CANCELLED
        except Refused as refused:
            self._ending, self._sentence = "failed", refused.sentence
        except CRASH_EXCEPTIONS as error:
            logger.exception("the node failed")
            self._ending, self._sentence = "failed", f"The node failed: {describe_reason(error)}"
        self._sentence = shown(self._sentence)
        if self._sentence:
            logger.critical("%s", self._sentence)
        self._heart.end(self._ending or "stopped", self._sentence)
        return 1 if self._ending == "failed" else 0

    def _end(self, ending: Ending, sentence: str = "", cause: str = "") -> None:
        """Shut down the node, at the first call; `cause` is for the audit log."""
        if self._ending is None and self._task is not None:
            self._ending, self._sentence, self._cause = ending, sentence, cause or sentence
            self._task.cancel()

    def _halt(self, reason: object) -> None:
        """End the node because an application or an operation requires it."""
        clause = describe_reason(reason)
        if self._handler is not None:
            self._handler.record_halt(f"the node halted: {clause}")
        self._end("failed", f"The node halts: {clause}.")

    async def _live(self) -> None:
        """Start all parts of the node; they stop in the reverse order, however the node ends."""
        configuration = read_configuration(self.directory, self.vsn)
        async with AsyncExitStack() as stack:
            check_loop(configuration.node, self.vsn)
            beating = asyncio.create_task(self._heart.beat(configuration.node.heart))
            stack.callback(beating.cancel)
            name, place = self._role.place.node_name(configuration.node.name), self._role.place
            lock = lock_path(self.directory, place)
            stack.enter_context(hold_directory(self.directory, "stop it first", self._end_forks, lock))
            stack.enter_context(hold_node_name(name))
            if place.leads:
                self._keep_record()
            release = Catalog(self.directory).release(self.vsn)
            runtime = await stack.enter_async_context(Runtime())
            runtime.on_halt = self._halt
            code = CodeServer()
            register_sources(code, release, release)
            code.install()
            runtime.vsn_of = partial(_vsn_of, code)
            stack.callback(code.uninstall)
            self._role.begin(runtime, configuration.node.web.workers)
            control, handler = self._open_control(runtime, code, configuration)
            port = control.start()
            stack.callback(control.stop)
            stack.push(lambda kind, error, trace: self._record_end(control, error))
            control.record_boot(f"release {self.vsn}, process {os.getpid()}", self._last.why, self._fallback_reason)
            stack.push_async_callback(stop_applications)
            stack.push_async_callback(handler.stop)
            await self._start_in_time(release, configuration)
            if self._fallback_reason is not None:
                await handler.record_fallback(self._fallback_reason)
            self._publish(self._node_record(configuration, release, control, port))
            stack.callback(remove_record, name, self.boot_id)
            if self._boot.on_trial:
                handler.cold.begin_probation(self.vsn, configuration.node.probation)
            if handler.permanent == self.vsn and place.leads:  # in case the commit of this release was interrupted
                keep_launcher_current(self.directory, release.manifest)
            logger.info("%s runs %s", name, self.vsn)
            signature_warnings = (one.signature.warning for one in handler.releases() if one.vsn == self.vsn)
            for warning in (python_warning(), *signature_warnings):
                if warning is not None:
                    logger.warning("%s", warning)
            stack.callback(self._role.close)
            self._role.ready(handler)
            addresses = [address for listening in applications().addresses.values() for address in listening()]
            self._heart.listens(addresses, f"{control.host}:{port}")
            self._heart.ready(run_directory())
            await asyncio.Event().wait()

    def _end_forks(self) -> None:
        """End the forks of an earlier node in this directory, which was killed together with its parent."""
        logger.warning("%s", end_left_processes(lock_path(self.directory, self._role.place)))

    def _keep_record(self) -> None:
        """Write the commit record of a newly unpacked directory: the release that boots first is permanent."""
        if commit_record.load(self.directory) is None:
            commit_record.save(self.directory, commit_record.first_record(self.vsn))

    def _open_control(
        self, runtime: Runtime, code: CodeServer, configuration: Configuration
    ) -> tuple[Control, ReleaseHandler]:
        handler = self._handler = self._role.open_handler(self.directory, self.vsn, code, self._last)
        handler.cold.restarts = RestartRequests(self._restart_into, self._boot.parent)
        handler.on_phase = self._heart.phase
        handler.releases()  # begins to verify the releases, so that damage is known when a client asks
        control = Control(
            handler,
            runtime,
            code,
            self._identity(configuration),
            on_stop=lambda restart: self._end("restart" if restart else "stopped", cause="an operator's request"),
            listen=configuration.node.listen if self._role.place.leads else OTHER_WORKERS_LISTEN,
        )
        return control, handler

    def _identity(self, configuration: Configuration) -> NodeIdentity:
        return NodeIdentity(
            configuration.node.name,
            self.boot_id,
            self.directory,
            self.started,
            development=self.development,
            place=self._role.place,
        )

    def _record_end(self, control: Control, error: BaseException | None) -> None:
        """Write to the audit log that the node ends, and why."""
        cause = self._cause
        if self._ending is None and error is not None:
            cause = error.sentence if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
        control.record(node_entry("end", self._ending or "failed", cause or "unknown cause"))

    def _restart_into(self, vsn: str) -> None:
        """Shut down the node, and let the parent boot `vsn` on probation; "" means the permanent release."""
        if vsn:
            self._heart.trial(vsn)
        self._end("restart", cause=f"a restart into {f'release {vsn}' if vsn else 'the permanent release'}")

    async def _start_in_time(self, release: UnpackedRelease, configuration: Configuration) -> None:
        """Start the applications; for a release on trial, within the time of its probation."""
        seconds = configuration.node.probation.deadline if self._boot.on_trial else 0.0
        try:
            async with asyncio.timeout(seconds or None) as limit:
                await start_applications(release, configuration)
        except TimeoutError:
            if not limit.expired():
                raise
            raise Refused(
                f"Release {self.vsn} did not start within {seconds:g} s, the deadline of its probation."
            ) from None

    def _node_record(
        self, configuration: Configuration, release: UnpackedRelease, control: Control, port: int
    ) -> NodeRecord:
        return NodeRecord(
            name=self._role.place.node_name(configuration.node.name),
            os_pid=os.getpid(),
            boot_id=self.boot_id,
            host=control.host,
            port=port,
            events_port=port,
            directory=str(self.directory),
            release=release.manifest.name,
            vsn=self.vsn,
            started=self.started,
            began=start_ticks(os.getpid()),
            server=control.public_key,
            worker=self._role.place.number,
        )

    def _publish(self, record: NodeRecord) -> None:
        """Write the record by which clients find the node; on a full disk, retry later."""
        try:
            write_record(record)
        except OSError as error:
            logger.error(
                "clients can't find %s, because its record can't be written: %s; free disk space", record.name, error
            )
            asyncio.get_running_loop().call_later(RECORD_RETRY_SECONDS, self._publish, record)


def _vsn_of(code: CodeServer, module: str, namespace: dict[str, Any]) -> str:
    """Return which version of the module has this namespace."""
    for version in code.versions(module):
        if version is not None and version.namespace is namespace:
            return version.vsn
    return declared_vsn(module, namespace)


def _node_config(directory: Path, vsn: str) -> NodeConfig:
    """Return the settings of node.toml. If the file can't be read, return defaults; the error is reported later."""
    try:
        return read_configuration(directory, vsn).node
    except Refused:
        return NodeConfig(name="node@127.0.0.1")


def _reset_signals() -> None:
    """Reset the signal handlers in a fork of the node. Signals such as SIGTERM then end the fork."""
    signal.set_wakeup_fd(-1)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def _read_all(descriptor: int) -> bytes:
    """Read the parent's pipe to its end, close it, and return the bytes."""
    with open(descriptor, "rb") as pipe:
        return pipe.read()


def main(arguments: list[str]) -> None:
    """Run the node in DIRECTORY with release VSN until it ends. The parent passes the options."""
    parser = argparse.ArgumentParser(prog="node")
    parser.add_argument("directory", type=Path)
    parser.add_argument("vsn")
    parser.add_argument("--heart", type=int, help="The descriptor of the pipe to the parent.")
    parser.add_argument("--development", action="store_true", help="The node runs a project from its sources.")
    parser.add_argument(
        "--reasons", type=int, help="The descriptor of a pipe with the values of the options below, as JSON."
    )
    # A parent from a launcher before version 2 passes the four values as arguments.
    parser.add_argument("--because", default="", help="Why VSN boots instead of the permanent release.")
    parser.add_argument("--after", default="", help="Why the previous run ended; empty if orderly.")
    parser.add_argument("--during", default="", help="The phase of the operation during which the previous run ended.")
    parser.add_argument("--blame", action="store_true", help="The node itself caused the end of its previous run.")
    options = parser.parse_args(arguments)
    reasons = vars(options) if options.reasons is None else json.loads(_read_all(options.reasons))
    last = PreviousExit(reasons["after"], reasons["during"], reasons["blame"])
    cold = ColdBoot(reasons.get("trial", False), reasons.get("parent", 0))
    boot = WorkerBoot(cold, WorkerPlace(reasons.get("worker", 1)), reasons.get("mail"))
    os.umask(0o077)
    os.register_at_fork(after_in_child=_reset_signals)
    faulthandler.enable()
    node = Node(options.directory, options.vsn, options.heart, reasons["because"] or None, last, boot)
    node.development = options.development
    config = _node_config(options.directory, options.vsn)
    log_to_stderr(config.log, node.release, node.worker_in_log)
    if options.development:  # each release is committed at once, so a warning about a missing way back would be useless
        logging.getLogger("node_runtime.releases.probation").setLevel(logging.ERROR)
    with asyncio.Runner(loop_factory=loop_factory(config)) as runner:
        sys.exit(run(runner.get_loop(), node.run()))
