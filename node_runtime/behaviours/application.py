"""Applications: the parts of a release that are started and stopped as a whole. Follows OTP's module `application`.

Each running application has a master process. The master calls the `start` callback, watches the top supervisor, and
shuts the top supervisor down when the application is stopped.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final, assert_never

from node_runtime.processes.crash_report import COUNTED, failures
from node_runtime.processes.errors import CallTimeout, Exit, Stop, is_being_cancelled
from node_runtime.processes.exit_reasons import describe_reason, reason_is
from node_runtime.processes.messages import EXIT
from node_runtime.processes.pid import ROOT, Pid
from node_runtime.processes.primitives import exit, link, self_pid, spawn, trap_exit, until_ended
from node_runtime.processes.process import Process
from node_runtime.processes.runtime import runtime
from node_runtime.processes.timers import check_seconds
from node_runtime.processes.transaction import current_transaction
from node_runtime.processes.wait_graph import wait_for_end
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import ProcessKind

from .application_controller import AppSpec, PendingTransition, Running, StartType, applications, applications_to_change
from .code_references import resolve_in_versions
from .gen_server import GenServer, ServerProcess
from .server_calls import call_within
from .starting import start_process
from .supervision.supervisor_reports import report_application
from .upgrade.deferred_exits import defer_exit

logger: Final = logging.getLogger("node_runtime")
CONFIG_CHANGE_SECONDS: Final = 5.0
"""Time limit of a `config_change` callback."""


class Application:
    """The callbacks of an application. Each callback runs on a new instance of the current version of the class.

    The callbacks are those of OTP's behaviour `application`.
    """

    async def start(self, start_type: str, args: Any) -> Pid:
        """Start the top supervisor, linked to the calling process, and return its pid. `start_type` is "normal".

        Follows Module:start/2.
        """
        raise NotImplementedError(f"{type(self).__qualname__} has no start()")

    async def prep_stop(self) -> None:
        """Prepare to stop, while the processes still run. Follows Module:prep_stop/1."""

    async def stop(self) -> None:
        """Clean up after the application's processes have ended. Follows Module:stop/1."""

    def health(self) -> bool | Awaitable[bool | None] | None:
        """Return whether the application works. Called once a second while its release is on probation.

        True is good, False is bad, None is unknown. An error, or a call that takes more than 5 s, counts as unknown.
        The callback may be async, and runs outside of the application's processes. OTP has no such callback.
        """
        return True

    async def config_change(self, changed: dict[str, Any], new: dict[str, Any], removed: tuple[str, ...]) -> None:
        """Apply the changes that an upgrade has made to the environment: changed values, new values, removed keys.

        Called after the upgrade, on the new version of the class, in a separate process. This process is killed after
        5 s. A failed or killed call adds a warning to the operation, but the operation still succeeds. Follows
        Module:config_change/3.
        """


@dataclass(frozen=True, slots=True)
class MasterState:
    """The state of an application's master."""

    spec: AppSpec
    type: StartType
    top: Pid


class ApplicationMaster(GenServer[MasterState]):
    """The master of one application: it starts the application, and ends when the top supervisor ends."""

    async def init(self, spec: AppSpec, start_type: StartType) -> MasterState:
        """Start the top supervisor."""
        trap_exit()
        applications().starting[spec.name].master = self_pid()
        top = await _callbacks(spec).start("normal", ())
        if not isinstance(top, Pid):
            raise Refused(f"{spec.mod} returned {top!r} from start(); return the pid of the top supervisor there")
        link(top)
        return MasterState(spec, start_type, top)

    async def shut_down(self, callbacks: Application | None = None) -> None:
        """Stop the application cleanly, with `callbacks` or, by default, the callbacks of the current version."""
        await _run_hook(self.state.spec, "prep_stop", callbacks)
        await _end(self.state.top)
        await _run_hook(self.state.spec, "stop", callbacks)
        raise Stop("normal", reply=None)

    async def handle_info(self, message: Any) -> None:
        """End the application when its top supervisor has ended."""
        if isinstance(message, EXIT) and message.pid == self.state.top:
            await _run_hook(self.state.spec, "stop")
            raise Stop(message.reason)

    async def terminate(self, reason: object) -> None:
        """Stop the top supervisor, whatever the exit reason of the master is."""
        await _end(self.state.top)


class ApplicationMasterProcess(ServerProcess):
    """The process of an application's master."""

    __slots__ = ()
    kind: ClassVar[ProcessKind] = "application"


def _callbacks(spec: AppSpec, earlier: Mapping[str, dict[str, Any]] | None = None) -> Application:
    """Return an instance of the callback class: from its module's namespace in `earlier`, else the current version."""
    try:
        cls = resolve_in_versions(spec.mod or "", earlier or {})
    except LookupError as error:
        raise Refused(f"{error.args[0]}; correct mod = {spec.mod!r} in the app.toml of {spec.name}") from None
    made: Application = cls()
    return made


async def _run_hook(
    spec: AppSpec, callback: str, callbacks: Application | None = None, arguments: tuple[Any, ...] = ()
) -> str | None:
    """Call a callback, plain or async; log an error and return it as text, else return None."""
    try:
        result = getattr(callbacks or _callbacks(spec), callback)(*arguments)
        if inspect.isawaitable(result):
            await result
    except BaseException as error:
        if is_being_cancelled():
            raise
        logger.exception("%s of application %s failed", callback, spec.name)
        return describe_reason(error)
    return None


async def _end(top: Pid) -> None:
    process = runtime().processes.get(top)
    if process is not None:
        exit(top, "shutdown")
        await wait_for_end(process)


# ------------------------------------------------------------------ changes by an upgrade


async def notify_config_changes(before: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Call `config_change` of each running application whose environment differs from that in `before`.

    Calls the applications one after the other, in the order of their starts, and waits at most 5 s for each call.
    Returns a sentence for each call that has failed.
    """
    known, failures = applications(), []
    for name, running in list(known.running.items()):
        if running.master is None or name not in before:
            continue
        was, now = before[name], known.env.get(name, {})
        changed = {key: now[key] for key in now if key in was and now[key] != was[key]}
        new = {key: now[key] for key in now if key not in was}
        removed = tuple(key for key in was if key not in now)
        if not (changed or new or removed):
            continue
        failure = await _change_config(running.spec, (changed, new, removed))
        if failure is not None:
            failures.append(f"config_change of application {name} {failure}; the application may use its old values.")
            logger.warning("%s", failures[-1])
    return failures


async def _change_config(spec: AppSpec, difference: tuple[Any, ...]) -> str | None:
    """Call `config_change` in a new process; return None, or the end of a sentence, such as "failed: ValueError"."""
    failures: list[str | None] = []

    async def config_change() -> None:
        failures.append(await _run_hook(spec, "config_change", arguments=difference))

    pid = spawn(config_change)
    try:
        async with asyncio.timeout(CONFIG_CHANGE_SECONDS):
            await until_ended(pid)
    except TimeoutError:
        exit(pid, "kill")
        return f"did not end within {CONFIG_CHANGE_SECONDS:g} s and was killed"
    return f"failed: {failures[0]}" if failures and failures[0] is not None else None


# ------------------------------------------------------------------ starting and stopping


async def start(name: str, type: StartType = "temporary") -> None:
    """Start a loaded application, after the applications that it needs. Does nothing if the application is running.

    Raises Refused if an application isn't loaded or needs itself, and Exit with the reason if a `start` callback fails.
    After a failure or a cancellation, the applications that this call has started are stopped. When a "permanent"
    application ends, or a "transient" one abnormally, `runtime().on_halt` is called. Follows
    application:ensure_all_started/2.
    """
    runtime().refuse_zombie()
    started: list[str] = []
    try:
        for spec in _in_order(name):
            if await _ensure_started(spec, type):
                started += [spec.name]
    except (Exception, asyncio.CancelledError):
        for app in reversed(started):
            await stop(app)
        raise


async def stop(name: str, timeout: float | None = None) -> None:
    """Stop an application cleanly; does nothing if it isn't running.

    Other applications keep running, even if they need this one.

    Returns when the application has stopped. If another call is already stopping the application, this call waits for
    the other call. But if a process of the application makes this call meanwhile, it returns at once. After `timeout`
    seconds the remaining processes of the application are killed; None waits forever. Raises Refused if the application
    isn't loaded, Deadlock in a process that would wait for its own end, and ValueError for an invalid time. Follows
    application:stop/1.
    """
    if timeout is not None:
        check_seconds(timeout)
    known = applications_to_change()
    running = known.running.get(name)
    if running is None:
        known.spec(name)
        await _wait_for_stop(name, timeout)
        return
    del known.running[name]
    if running.master is None:
        return
    end = partial(_stop, running.spec, running.master, timeout)
    inside = current_transaction()
    if inside is None or running.master in inside.started:
        await end()
    else:
        # The stop uses the present callbacks, because later instructions of the script may replace or delete them.
        defer_exit(
            inside,
            running.master,
            partial(end, _callbacks(running.spec, inside.previous_namespaces)),
            title=f"the stop of application {name}",
            below=running.top,
        )


async def _stop(spec: AppSpec, master: Pid, timeout: float | None, callbacks: Application | None = None) -> None:
    known, transition = applications(), PendingTransition(runtime().loop.create_future(), master)
    known.stopping[spec.name] = transition
    try:
        await call_within(timeout, master, ApplicationMaster.shut_down, callbacks)
    except CallTimeout:
        _kill(spec.name, master, timeout)
    finally:
        transition.finished.set_result(None)
        if known.stopping.get(spec.name) is transition:  # an upgrade may stop two versions
            del known.stopping[spec.name]


async def _wait_for_stop(name: str, timeout: float | None) -> None:
    """Wait until the application has stopped. Return at once if the stop itself waits for the calling process."""
    transition, caller = applications().stopping.get(name), runtime().calling_process()
    if (
        transition is None
        or transition.master is None
        or (caller is not None and transition.master in _ancestry(caller))
    ):
        return
    try:
        async with asyncio.timeout(timeout):
            await asyncio.shield(transition.finished)
    except TimeoutError:
        _kill(name, transition.master, timeout)


def _kill(name: str, master: Pid, timeout: float | None) -> None:
    """Kill the processes of an application that has not stopped in time."""
    logger.error("application %s did not stop within %g s; its processes are killed", name, timeout)
    for process in [process for process in runtime().processes.values() if master in _ancestry(process)]:
        runtime().signal(process, ROOT, "kill")


def _ancestry(process: Process) -> list[Pid]:
    """Return the pids of the process and of its living ancestors."""
    pids = [process.pid]
    while (parent := runtime().processes.get(process.parent)) is not None:
        pids.append(parent.pid)
        process = parent
    return pids


def _in_order(name: str) -> list[AppSpec]:
    """Return the application and all applications that it needs, in the order in which they are started."""
    order: list[AppSpec] = []
    path: list[str] = []

    def visit(app: str) -> None:
        if app in path:
            raise Refused(f"applications need each other in a cycle: {' -> '.join([*path, app])}")
        spec = applications().spec(app)
        if spec not in order:
            path.append(app)
            for needed in spec.applications:
                visit(needed)
            path.pop()
            order.append(spec)

    visit(name)
    return order


async def _ensure_started(spec: AppSpec, type: StartType) -> bool:
    """Start the application unless it runs; return whether this call started it.

    If another start or stop of the application is in progress, wait for its end first.
    """
    known, node = applications(), runtime()
    while (transition := known.starting.get(spec.name) or known.stopping.get(spec.name)) is not None:
        caller = node.calling_process()
        if caller is not None and transition.master in _ancestry(caller):
            reason, done = ("starting", "started") if spec.name in known.starting else ("stopping", "stopped")
            raise Exit(reason, f"application {spec.name!r} is being {done} and waits for the calling process")
        await asyncio.shield(transition.finished)
    if spec.name in known.running:
        return False
    for needed in spec.applications:
        if needed not in known.running:
            text = f"application {spec.name!r} needs {needed!r}, which has ended; start {needed!r} first"
            raise Exit(("not_running", needed), text)
    known.starting[spec.name] = PendingTransition(node.loop.create_future())
    try:
        await _start(spec, type)
    finally:
        known.starting.pop(spec.name).finished.set_result(None)
    return True


async def _start(spec: AppSpec, type: StartType) -> None:
    known, node = applications(), runtime()
    if spec.mod is None:
        known.running[spec.name] = Running(spec, type, None, None)
        report_application(spec.name, spec.vsn, None, None)
        return
    pid = await start_process(ApplicationMasterProcess, ApplicationMaster, (spec, type), {}, name=None, link=False)
    master = node.find(pid)
    assert isinstance(master, ApplicationMasterProcess)
    known.running[spec.name] = Running(spec, type, pid, master.raw_state().top)
    node.watch(master, lambda reason: _ended(spec, type, pid, reason))
    report_application(spec.name, spec.vsn, pid, spec.mod)


def _ended(spec: AppSpec, type: StartType, master: Pid, reason: object) -> None:
    known = applications()
    running = known.running.get(spec.name)
    if running is None or running.master != master:
        return
    del known.running[spec.name]
    ending = f"application {spec.name} ended: {describe_reason(reason)}"
    if not reason_is(reason, "normal"):
        failures().endings.append(ending)
    logger.error("%s", ending, extra={COUNTED: True})
    if _halts_node(type, reason):
        runtime().on_halt(reason)


def _halts_node(type: StartType, reason: object) -> bool:
    match type:
        case "permanent":
            return True
        case "transient":
            return not reason_is(reason, "normal")
        case "temporary":
            return False
        case _ as unknown:
            assert_never(unknown)
