"""A scripted node: the real structs over real sockets with CURVE, and a world that a test writes.

It does what a real node rarely does on demand: fall silent, skip events, restart, fail in the middle.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import zmq
import zmq.asyncio

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.cookie import make_keys
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.run_directory import NodeAddress, NodeRecord, locate, remove_record, write_record
from node_runtime.protocol.wire import MAX_REQUEST_BYTES, pack, prepare_socket, unpack
from tests.support.dashboard.fil_world import PHASES, World, a_release, a_result, fil_world
from tests.support.dashboard.scripted_processes import ScriptedProcesses
from tests.support.dashboard.scripted_queries import process_page, tree_page

VITALS_SECONDS: Final = 0.25
"""The pause between two events with vitals. The dashboard draws the screen anew for each of them."""


class Peer:
    """`start` returns the address; then a test changes `world`, `refuse`, `held`, `silent`, and reads `requests`."""

    def __init__(self, directory: Path, world: World | None = None, *, tick: float = VITALS_SECONDS) -> None:
        self.world = world if world is not None else fil_world()
        self.requests: list[tuple[str, Any]] = []
        self.refuse: dict[str, str] = {}
        self.silent = False
        self.held: dict[str, asyncio.Event] = {}
        """The methods whose answers are held until their event is set. The answers to later requests wait, too."""
        self.outcome: str = "installed"
        self.ends_aborted = True
        """Whether an abort ends the operation before it is answered."""
        self.uploaded = bytearray()
        self._directory = directory
        self._tick = tick
        self._keys = make_keys(directory)
        self._context: zmq.asyncio.Context | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._port = 0
        self._subscribers: set[bytes] = set()
        self._seq = 0
        self._kept: list[m.NodeEvent] = []
        self._methods = {method.name: method for method in methods.METHODS}
        self._answers: dict[str, Callable[[Any], m.WireStruct]] = {
            "hello": lambda _: self.world.info(),
            "subscribe": lambda _: m.Subscription(seq=self._seq),
            "unsubscribe": lambda _: m.Empty(),
            "releases": lambda _: m.ReleaseList(releases=tuple(self.world.releases)),
            "summary": lambda _: self.world.summary(self._seq),
            "processes": lambda query: process_page(self.world, query),
            "tree": lambda query: tree_page(self.world, query),
            "state": self._state,
            **ScriptedProcesses(self).answers(),
            "plan": lambda params: self._plan(params.vsn),
            "operation": lambda params: self._operation(params.operation),
            "operations": lambda _: m.OperationList(operations=tuple(self.world.operations)),
            "events": lambda params: m.EventList(events=tuple(self._kept[-params.limit :])),
            "install": lambda params: self._install(params.vsn, "install", params),
            "rollback": lambda params: self._install(self.world.permanent, "revert", params),
            "commit": self._commit,
            "approve": self._approve,
            "abort": self._abort,
            "remove": self._remove,
            "old_code": lambda _: m.OldCodeList(modules=tuple(self.world.old_code)),
            "source": lambda params: self.world.sources[params.module],
            "purge": self._purge,
            "restart_process": self._end_process,
            "kill_process": self._end_process,
            "stage_begin": lambda _: m.Upload(upload="u1"),
            "stage_chunk": self._chunk,
            "stage_end": lambda _: self._staged(),
        }

    def _purge(self, params: m.PurgeModule) -> m.Purged:
        self.world.old_code = [one for one in self.world.old_code if one.module != params.module]
        return m.Purged(module=params.module, dropped=True, cancelled=("task poller (fil.poll)",))

    def _remove(self, params: m.ReleaseVsn) -> m.ReleaseList:
        self.world.releases = [one for one in self.world.releases if one.vsn != params.vsn]
        return m.ReleaseList(releases=tuple(self.world.releases))

    # -------------------------------------------------------------- life

    def start(self) -> NodeAddress:
        """Serve, and write a record into the run directory."""
        self._context = zmq.asyncio.Context()
        self._router = self._context.socket(zmq.ROUTER)
        prepare_socket(self._router, MAX_REQUEST_BYTES)
        self._router.curve_server = True
        self._router.curve_secretkey = self._keys.secret
        self._port = self._router.bind_to_random_port("tcp://127.0.0.1")
        self._subscribers = set()
        self._seq, self._kept = 0, []
        self._tasks = [asyncio.create_task(work()) for work in (self._answer, self._beat)]
        write_record(
            NodeRecord(
                name=self.world.name, os_pid=os.getpid(), boot_id=self.world.boot_id, host="127.0.0.1", port=self._port,
                events_port=self._port, directory=str(self._directory), release="fil", vsn=self.world.vsn,
                started=time.time(),
            )
        )  # fmt: skip
        return locate(self.world.name)

    def stop(self) -> None:
        """Stop without notice."""
        for task in self._tasks:
            task.cancel()
        if self._context is not None:
            remove_record(self.world.name, self.world.boot_id)
            self._context.destroy(linger=0)
            self._context = None

    def restart(self, world: World) -> None:
        """Come back as another boot, on other ports."""
        self.stop()
        self.world = world
        self.start()

    def install_anew(self, world: World) -> None:
        """Come back in the same directory, with other keys."""
        shutil.rmtree(self._directory)
        self._keys = make_keys(self._directory)
        self.restart(world)

    # -------------------------------------------------------------- what a test makes it say

    def emit(
        self,
        kind: m.NodeEventKind,
        text: str = "",
        operation: m.Operation | None = None,
        vitals: m.Vitals | None = None,
        at: float | None = None,
        trace: tuple[str, ...] = (),
    ) -> None:
        """Publish an event of the time `at`, or of now."""
        self._seq += 1
        event = m.NodeEvent(
            boot_id=self.world.boot_id, seq=self._seq, at=time.time() if at is None else at, kind=kind, text=text,
            vitals=vitals, operation=operation, trace=trace,
        )  # fmt: skip
        if kind != "vitals":
            self._kept.append(event)
        for subscriber in self._subscribers:
            self._router.send_multipart([subscriber, pack(m.Reply(id=0, event=pack(event)))])

    def asked(self, method: str) -> list[Any]:
        """The parameters of each request of this method."""
        return [params for name, params in self.requests if name == method]

    def lose_events(self, number: int) -> None:
        """Skip so many event numbers."""
        self._seq += number

    def advance(self) -> m.Operation:
        """Move the running operation to its next phase; after the last one it ends with `outcome`."""
        operation = self.world.operations[-1]
        now = time.time()
        steps = list(operation.steps)
        if steps:
            steps[-1] = msgspec.structs.replace(steps[-1], seconds=now - steps[-1].started)
        if len(steps) < len(PHASES):
            phase = PHASES[len(steps)]
            steps.append(m.OperationStep(phase=phase, started=now))
            operation = msgspec.structs.replace(operation, phase=phase, steps=tuple(steps))
        else:
            operation = self._ended(msgspec.structs.replace(operation, steps=tuple(steps), ended=now))
        self.world.operations[-1] = operation
        self.emit(
            "operation", f"{operation.kind} {operation.to_vsn}: {operation.outcome or operation.phase}", operation
        )
        return operation

    def _ended(self, operation: m.Operation) -> m.Operation:
        change = msgspec.structs.replace
        if self.outcome == "installed":
            until = time.time() + 600
            self.world.vsn = operation.to_vsn
            self.world.generation += 1
            self.world.releases = [
                change(one, status="current", probation_until=until) if one.vsn == operation.to_vsn else one
                for one in self.world.releases
            ]
            self.world.modules = [
                change(one, vsn=operation.to_vsn, old_vsn=operation.from_vsn) if one.name == "fil.color_fsm" else one
                for one in self.world.modules
            ]
            return change(
                operation, outcome="installed", phase="on probation", probation_until=until, pause=0.0041,
                results=(a_result(new_vsn=operation.to_vsn),),
            )  # fmt: skip
        failed = a_result(outcome="failed", reason="KeyError: 'turns'", after=a_result().before)
        return change(
            operation, outcome=self.outcome, phase=self.outcome, error="code_change of fil_color_fsm raised KeyError",
            results=(failed,),
        )  # fmt: skip

    # -------------------------------------------------------------- answers

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._tick)
            if not self.silent:
                self.emit("vitals", vitals=self.world.vitals())

    async def _answer(self) -> None:
        while True:
            routing_id, body = await self._router.recv_multipart()
            request = unpack(body, m.Request)
            params = unpack(request.params, self._methods[request.method].params)
            self.requests.append((request.method, params))
            if self.silent:
                continue
            if request.method in self.held:
                await self.held[request.method].wait()
            if request.method == "subscribe":
                self._subscribers.add(routing_id)
            elif request.method == "unsubscribe":
                self._subscribers.discard(routing_id)
            try:
                if request.method in self.refuse:
                    raise Refused(self.refuse[request.method])
                reply = m.Reply(id=request.id, result=pack(self._answers[request.method](params)))
            except Refused as refusal:
                reply = m.Reply(id=request.id, failure=m.ErrorReply(code=int(refusal.code), sentence=refusal.sentence))
            await self._router.send_multipart([routing_id, pack(reply)])

    def _state(self, params: m.GetState) -> m.StateView:
        process = next((one for one in self.world.processes if one.pid == params.pid), None)
        if process is None:
            raise Refused(f"There is no process <{params.pid}> any more.")
        state = self.world.states.get(params.pid, m.Term(type="NoneType", text="None"))
        return m.StateView(process=process, state=state, at=time.time())

    def _plan(self, vsn: str) -> m.Plan:
        if vsn not in self.world.plans:
            raise Refused(f"There is no release {vsn} here; stage it first.")
        return self.world.plans[vsn]

    def _operation(self, wanted: str | None) -> m.Operation:
        for operation in reversed(self.world.operations):
            if wanted in (None, operation.id):
                return operation
        raise Refused(f"This node knows of no operation {wanted}.")

    def _install(self, vsn: str, kind: Any, params: Any) -> m.OperationStarted:
        operation = m.Operation(
            id=f"op-{len(self.world.operations) + 1}", kind=kind, from_vsn=self.world.vsn, to_vsn=vsn,
            who="alice@example", started=time.time(), phase="starting", reason=params.reason,
            direction=params.direction if kind == "install" else None,
        )  # fmt: skip
        self.world.operations.append(operation)
        self.emit("operation", f"{kind} {vsn}: starting", operation)
        return m.OperationStarted(operation=operation.id)

    def _commit(self, params: m.Commit) -> m.Operation:
        now = time.time()
        operation = m.Operation(
            id=f"op-{len(self.world.operations) + 1}", kind="commit", from_vsn=self.world.permanent,
            to_vsn=self.world.vsn, who="alice@example", started=now, phase="committed", ended=now,
            outcome="committed", reason=params.reason,
        )  # fmt: skip
        self.world.permanent = self.world.vsn
        self.world.releases = [
            msgspec.structs.replace(
                one, status="permanent" if one.vsn == self.world.vsn else "old", probation_until=None
            )
            for one in self.world.releases
        ]
        self.world.operations.append(operation)
        return operation

    def begin(self, operation: m.Operation) -> None:
        """Begin an operation that another client has requested."""
        self.world.operations.append(operation)
        self.emit("operation", f"{operation.kind} {operation.to_vsn}: {operation.phase}", operation)

    def change_operation(self, **fields: object) -> None:
        """Change fields of the newest operation, and report it."""
        operation = msgspec.structs.replace(self.world.operations[-1], **fields)
        self.world.operations[-1] = operation
        self.emit("operation", f"{operation.kind} {operation.to_vsn}: {operation.phase}", operation)

    def _approve(self, params: m.Approve) -> m.Approval:
        return m.Approval(vsn=params.target, approved_by=("bob@example",), first="alice@example")

    def _abort(self, params: m.Abort) -> m.OperationStarted:
        error = f"alice aborted it{f': {params.reason}' if params.reason else ''}."
        if self.ends_aborted:
            self.change_operation(ended=time.time(), outcome="aborted", error=error, waits_for="")
        return m.OperationStarted(operation=self.world.operations[-1].id)

    def _end_process(self, params: m.ProcessTarget) -> m.Empty:
        known = any(process.pid == params.pid for process in self.world.processes)
        if params.boot_id != self.world.boot_id or not known:
            raise Refused(f"<{params.pid}> of that boot does not live any more; look again.")
        return m.Empty()

    def _chunk(self, params: m.StageChunk) -> m.Empty:
        self.uploaded[params.offset :] = params.data
        return m.Empty()

    def _staged(self) -> m.ReleaseInfo:
        release = a_release("1986.d", "unpacked", up=True)
        self.world.releases = [*self.world.releases, release]
        return release
