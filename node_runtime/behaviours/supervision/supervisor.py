"""Supervisors: processes that start, watch, restart and stop others. Follows supervisor of OTP.

A supervisor is a server that traps exits. Its state is one `ChildTable`, which observers read without a message and
an upgrade can replace and restore.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Sequence
from functools import partial
from types import CoroutineType
from typing import Any, ClassVar, Final, Literal, TypeAlias, assert_never

from node_runtime.behaviours.code_references import resolve_reference
from node_runtime.behaviours.gen_server import GenServer, ServerProcess
from node_runtime.behaviours.upgrade.deferred_exits import defer_exit
from node_runtime.processes.crash_report import failures
from node_runtime.processes.errors import Ignore, NameTaken, Stop
from node_runtime.processes.exit_reasons import describe_reason, is_orderly
from node_runtime.processes.messages import EXIT
from node_runtime.processes.pid import Pid
from node_runtime.processes.primitives import link, self_pid, spawn_task, trap_exit
from node_runtime.processes.process import MailItem
from node_runtime.processes.runtime import runtime
from node_runtime.processes.transaction import current_transaction, outside_transactions
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import ProcessKind

from .child_shutdown import shut_down_children
from .child_spec import ChildSpec
from .child_table import AutoShutdown, BackOff, Child, ChildSpecChangeCounter, ChildTable
from .restart_strategy import RestartStrategy, stopped_for_restart
from .supervisor_reports import report_child, report_started, wants_progress

ChildRefusalReason: TypeAlias = Literal[
    "already_started",
    "already_present",
    "not_found",
    "running",
    "restarting",
    "start_failed",
    "simple_one_for_one",
    "bad_spec",
]

logger: Final = logging.getLogger("node_runtime")


class ChildRefused(Refused):
    """A supervisor has refused a request. `reason` is the word in OTP's error.

    `pid` is set if the child runs. `failure` is the error of the start function, if it raised an error. OTP: `{error,
    Reason}`, which the functions of module supervisor return.
    """

    def __init__(
        self, reason: ChildRefusalReason, sentence: str, pid: Pid | None = None, failure: BaseException | None = None
    ) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.pid = pid
        self.failure = failure


class Supervisor(GenServer[ChildTable]):
    """A supervisor. Subclasses set the flags as class attributes and return the children from `children`.

    `children` gets the arguments of `start_link`. The supervisor makes at most `intensity` restarts in `period`
    seconds. When a child ends:

    - "one_for_one" restarts it.
    - "one_for_all" stops all other children in reverse start order, then starts all in start order.
    - "rest_for_one" does the same, but only with the children that were started after the child.
    - "simple_one_for_one" has one specification and any number of instances, started by `start_child`. An instance that
      ends is restarted with the same arguments.

    A failed restart is retried in a later turn of the event loop, and each retry counts as a restart. `back_off` delays
    retries. `auto_shutdown` ends the supervisor, with the reason shutdown, after significant children have ended by
    themselves and are not restarted: after the first one ("any_significant"), or when all have ended
    ("all_significant"). Follows the behaviour supervisor and its supervisor:sup_flags().
    """

    __behaviour__ = True
    __protocol__ = ("start_child", "terminate_child", "restart_child", "delete_child", "_try_again")
    strategy: ClassVar[RestartStrategy] = "one_for_one"
    intensity: ClassVar[int] = 1
    period: ClassVar[float] = 5.0
    auto_shutdown: ClassVar[AutoShutdown] = "never"
    back_off: ClassVar[BackOff | None] = None

    def children(self, *args: Any, **kwargs: Any) -> list[ChildSpec]:
        """Return the children in start order. Called at the start, and when an upgrade changes the class.

        Must have no side effects. May raise Ignore: at the start, this ends the supervisor; in an upgrade, nothing
        changes.
        """
        raise NotImplementedError(f"{type(self).__qualname__} has no children()")

    @classmethod
    def __outline__(cls, raw_state: object) -> dict[str, object] | None:
        return raw_state.outline() if type(raw_state) is ChildTable else None

    # ------------------------------------------------------------------ callbacks of the server

    async def init(self, *args: Any, **kwargs: Any) -> ChildTable:
        """Start the children in start order; when a child fails to start, stop the children before it."""
        trap_exit()
        self.state = table = ChildTable.of(self, args, kwargs)
        for child in list(table.children.values()):
            failure = await self._start(child)
            if failure is not None:
                await self._stop_all(list(table.children.values()))
                raise Stop(("shutdown", ("failed_to_start_child", child.spec.id, failure)))
        return table

    async def handle_info(self, message: Any) -> None:
        """Handle the exit of a child; other messages are logged and ignored."""
        if not isinstance(message, EXIT):
            super().handle_info(message)
            return
        child = self.state.by_pid.get(message.pid)
        if child is not None and child.pid == message.pid:
            await self._ended(child, message.reason)

    async def terminate(self, reason: object) -> None:
        """Stop the children in reverse start order; stop the instances of a simple_one_for_one supervisor at once."""
        template = self.state.template
        if template is None:
            await self._stop_all(list(self.state.children.values()))
            return
        instances = [child.pid for child in self.state.by_pid.values() if child.pid is not None]
        self.state.by_pid.clear()
        await shut_down_children(self._title(), self_pid(), template, instances, self.state.unhandled_exits)

    # ------------------------------------------------------------------ requests; a refusal is returned, not raised

    async def start_child(self, spec: ChildSpec | Sequence[Any]) -> Pid | ChildRefused | None:
        """See management.start_child."""
        if self.state.template is not None:
            return await self._start_instance(self.state.template, spec)
        try:
            spec = self.state.flags.check(spec)
        except ValueError as error:
            return ChildRefused("bad_spec", f"{self._title()}: {error}")
        known = self.state.children.get(spec.id)
        if known is not None:
            if known.pid is not None:
                return ChildRefused(
                    "already_started", f"child {spec.id!r} is already running as {known.pid}", known.pid
                )
            return ChildRefused("already_present", f"child {spec.id!r} already exists; restart or delete it")
        child = self.state.children[spec.id] = Child(spec)
        failure = await self._start(child)
        if failure is not None:
            del self.state.children[spec.id]
            return _start_failed(child, failure)
        runtime().singleton(ChildSpecChangeCounter).changed(spec)
        return child.pid

    async def terminate_child(self, key: str | int) -> ChildRefused | None:
        """See management.terminate_child."""
        table = self.state
        if table.template is not None and isinstance(key, str):
            return self._no_ids("pass the pid of one instance")
        child = table.find(key) if table.template is not None or isinstance(key, str) else None
        if child is not None:
            table.by_pid.pop(key, None) if isinstance(key, int) else None
            await self._stop(child)
        elif table.template is None or key in runtime().processes:
            return self._not_found(key)
        return None

    async def restart_child(self, id: str) -> Pid | ChildRefused | None:
        """See management.restart_child."""
        child = self._idle_child(id)
        if isinstance(child, ChildRefused):
            return child
        failure = await self._start(child, keep=True)
        return child.pid if failure is None else _start_failed(child, failure)

    def delete_child(self, id: str) -> ChildRefused | None:
        """See management.delete_child."""
        child = self._idle_child(id)
        if isinstance(child, ChildRefused):
            return child
        runtime().singleton(ChildSpecChangeCounter).changed(child.spec)
        del self.state.children[id]
        return None

    def _idle_child(self, id: str) -> Child | ChildRefused:
        """Return the child if it neither runs nor is being restarted; otherwise, the refusal of the request."""
        if self.state.template is not None:
            return self._no_ids("end an instance with terminate_child, or start one with start_child")
        child = self.state.children.get(id)
        if child is None:
            return self._not_found(id)
        if child.pid is not None:
            return ChildRefused("running", f"child {id!r} is running; terminate it first", child.pid)
        if child.restarting:
            return ChildRefused("restarting", f"child {id!r} is being restarted; terminate it first")
        return child

    async def _start_instance(self, template: ChildSpec, extra: object) -> Pid | ChildRefused | None:
        if not isinstance(extra, tuple | list):
            return ChildRefused("bad_spec", f"{self._title()} is simple_one_for_one: pass a list of arguments")
        child = Child(template, (*template.args, *extra))
        failure = await self._start(child)
        return child.pid if failure is None else _start_failed(child, failure)

    # ------------------------------------------------------------------ restarts

    async def _ended(self, child: Child, reason: object) -> None:
        restarts = child.spec.restarts_after(reason)
        if restarts or not is_orderly(reason):
            report_child("child_terminated", self._title(), child.spec, child.pid, reason)
        key: str | Pid = child.spec.id if child.args is None else child.pid or Pid(0)
        self.state.ended(child)
        if not restarts:
            if self.state.shuts_down_after(child):
                logger.info("%s shuts down because its significant child %r has ended", self._title(), child.spec.id)
                raise Stop("shutdown")
        elif delay := self.state.restart_delay(child):
            await self._stop_group(child)
            self._restart_later(child, key, delay)
        else:
            await self._restart(child, key)

    async def _try_again(self, key: str | int) -> None:
        child = self.state.find(key)
        if child is not None and child.restarting:
            child.ensure_retry_state().retry = None
            await self._restart(child, key)

    async def _restart(self, child: Child, key: str | int) -> None:
        """Restart `child`, whose key was `key`, and the siblings that the strategy restarts with it."""
        if not self.state.may_restart():
            flags = self.state.flags
            too_often = f"more than {flags.intensity} restarts in {flags.period:g} s"
            report_child("shutdown", self._title(), child.spec, None, too_often)
            raise Stop("shutdown")
        child.restarts += 1
        with failures().restart():
            for sibling in await self._stop_group(child):
                failure = await self._start(sibling)
                if failure is not None:
                    # Retry in a later turn, so that requests are answered in between. Each retry counts as a restart.
                    self._restart_later(
                        sibling, sibling.spec.id if sibling.args is None else key, self.state.restart_delay(sibling)
                    )
                    return
        if isinstance(key, int):
            self.state.by_pid.pop(key, None)

    def _restart_later(self, child: Child, key: str | int, seconds: float) -> None:
        node = runtime()
        own_process = node.find(self_pid())
        child.restarting = True
        if isinstance(key, int):
            self.state.by_pid[key] = child
        item: MailItem = ("_try_again", (key,), {}, None)
        if seconds:
            failures().expect_retry(seconds)
            child.ensure_retry_state().retry = node.call_later(seconds, node.post, own_process, item)
        else:
            child.ensure_retry_state().retry = node.loop.call_soon(node.post, own_process, item, context=node.context)

    async def _stop_group(self, child: Child) -> list[Child]:
        """Stop the siblings restarted with `child`; return all children to start, in start order."""
        group = stopped_for_restart(self.state.flags.strategy, child, self.state.children.values())
        if not group:
            return [child]
        await self._stop_all(group)
        return [sibling for sibling in group if sibling.spec.id in self.state.children]

    # ------------------------------------------------------------------ one child

    async def _start(self, child: Child, *, keep: bool = False) -> BaseException | None:
        """Start the child; return the error if the start failed.

        If `keep` is true, a temporary child that raises Ignore is kept.
        """
        spec = child.spec
        args = spec.args if child.args is None else child.args
        try:
            function = resolve_reference(spec.start)
            pid: Any
            match spec.type:
                case "task":
                    pid = spawn_task(function, *args)
                case "worker" | "supervisor":
                    pid = function(*args)
                    if type(pid) is CoroutineType or inspect.isawaitable(pid):
                        inside = current_transaction()
                        pid = await (pid if inside is None else inside.await_start(pid))
                case _ as unknown:
                    assert_never(unknown)
            if not isinstance(pid, Pid):
                raise TypeError(f"{spec.start} returned {pid!r}; a start function must return the pid of its process")
            link(pid)
        except Ignore:
            pid = None
        except BaseException as error:
            if _is_own_end(error):
                raise
            report_child("start_error", self._title(), spec, None, error)
            return error
        self.state.started(child, pid, keep=keep)
        if wants_progress():
            report_started(self._title(), spec, pid)
        return None

    async def _stop_all(self, children: list[Child]) -> None:
        for child in reversed(children):
            await self._stop(child)

    async def _stop(self, child: Child) -> None:
        pid, gone = child.pid, self.state.unhandled_exits
        if pid is None:
            self.state.ended(child)
            return
        gone = {pid: gone[pid]} if pid in gone else {}
        self.state.ended(child)
        end = partial(shut_down_children, self._title(), self_pid(), child.spec, [pid], gone)
        inside = current_transaction()
        if inside is None or pid in inside.started:
            await end()
        elif pid in inside.ends_at_once:
            with outside_transactions():
                await end()
        else:
            defer_exit(inside, pid, end, title=f"the end of the child {child.spec.id} of {self._title()}")

    # ------------------------------------------------------------------ messages

    def _title(self) -> str:
        return runtime().find(self_pid()).title()

    def _not_found(self, key: str | int) -> ChildRefused:
        return ChildRefused("not_found", f"{self._title()} has no child {_key_text(key)}")

    def _no_ids(self, remedy: str) -> ChildRefused:
        return ChildRefused(
            "simple_one_for_one", f"{self._title()} is simple_one_for_one, so its children have no ids; {remedy}"
        )


class SupervisorProcess(ServerProcess):
    """A supervisor's process. Observers read its children without sending a message."""

    __slots__ = ()
    kind: ClassVar[ProcessKind] = "supervisor"
    behaviour = Supervisor

    def take_trapped_exit(self, sender: Pid, reason: object) -> None:
        table: ChildTable | None = self.raw_state()
        if table is not None and sender in table.by_pid:
            table.unhandled_exits[sender] = reason
        super().take_trapped_exit(sender, reason)


def _key_text(key: str | int) -> str:
    return repr(key) if isinstance(key, str) else str(Pid(key))


def _is_own_end(error: BaseException) -> bool:
    """Return whether this error ends the supervisor itself; False for an error of the start function."""
    task = asyncio.current_task()
    return isinstance(error, GeneratorExit) or (
        isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
    )


def _start_failed(child: Child, failure: BaseException) -> ChildRefused:
    id = child.spec.id
    if isinstance(failure, NameTaken):
        sentence = f"child {id!r} is already running outside of this supervisor: {failure}"
        return ChildRefused("already_started", sentence, failure.pid, failure)
    return ChildRefused("start_failed", f"child {id!r} did not start: {describe_reason(failure)}", failure=failure)
