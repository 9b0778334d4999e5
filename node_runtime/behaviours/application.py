"""Applications: what a release is made of, started and stopped as wholes. Follows application of OTP.

A running application has a process of its own, its master: it called `start`, watches the top supervisor and stops it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final

from node_runtime.processes.errors import CallTimeout, Exit, Stop, describe_reason, is_cancelled, is_word
from node_runtime.processes.messages import EXIT
from node_runtime.processes.pid import ROOT, Pid
from node_runtime.processes.primitives import exit, link, self_pid, trap_exit
from node_runtime.processes.process import Process
from node_runtime.processes.runtime import runtime
from node_runtime.processes.timers import check_seconds
from node_runtime.processes.transaction import current_barrier
from node_runtime.processes.wait_graph import end_of
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Kind

from .application_controller import AppSpec, Running, StartType, UnderWay, applications, to_change
from .gen_server import GenServer, ServerProcess, call_within
from .starting import resolve_in, start_process
from .supervision.supervisor_reports import report_application
from .upgrade.deferred_exits import park

logger: Final = logging.getLogger("node_runtime")
CONFIG_SECONDS: Final = 5.0


class Application:
    """Callbacks of an application; an instance is made for each call, from the current version of the class.

    Follows the callbacks of module application.
    """

    async def start(self, start_type: str, args: Any) -> Pid:
        """Start the top supervisor, linked, and return its pid. `start_type` is "normal".

        Follows application:start/2 of the callbacks.
        """
        raise NotImplementedError(f"{type(self).__qualname__} has no start()")

    async def prep_stop(self) -> None:
        """The application is about to be stopped; its processes still run. Follows application:prep_stop/1."""

    async def stop(self) -> None:
        """The application's processes have ended. Follows application:stop/1 of the callbacks."""

    def health(self) -> bool | Awaitable[bool | None] | None:
        """Whether the application does what it is for, asked once a second while its release is on probation.

        True is good, False is bad, None can't tell; what raises or takes longer than 5 s can't tell either. It may be
        async, and runs beside the application's processes. OTP has nothing of the kind.
        """
        return True

    async def config_change(self, changed: dict[str, Any], new: dict[str, Any], removed: tuple[str, ...]) -> None:
        """An upgrade has changed the application's environment: these keys are different, new, or gone.

        Called when the upgrade is over, in the new version of the class; what it raises is logged and changes nothing.
        Follows Module:config_change/3.
        """


@dataclass(frozen=True, slots=True)
class Master:
    """The state of an application's master."""

    spec: AppSpec
    type: StartType
    top: Pid


class MasterServer(GenServer[Master]):
    """Starts one application, and ends with its top supervisor."""

    async def init(self, spec: AppSpec, start_type: StartType) -> Master:
        """Start the top supervisor."""
        trap_exit()
        applications().starting[spec.name].master = self_pid()
        top = await _callbacks(spec).start("normal", ())
        if not isinstance(top, Pid):
            raise TypeError(f"{spec.mod} returned {top!r} from start(); it returns the pid of the top supervisor")
        link(top)
        return Master(spec, start_type, top)

    async def shut_down(self, callbacks: Application | None = None) -> None:
        """Stop the application in order; with its current callbacks, if no others are given."""
        await self._told("prep_stop", (callbacks or _callbacks(self.state.spec)).prep_stop())
        await _end(self.state.top)
        await self._told("stop", (callbacks or _callbacks(self.state.spec)).stop())
        raise Stop("normal", reply=None)

    async def tell_of_change(self, changed: dict[str, Any], new: dict[str, Any], removed: tuple[str, ...]) -> None:
        """Tell the application what is different in its environment."""
        await self._told("config_change", _callbacks(self.state.spec).config_change(changed, new, removed))

    async def handle_info(self, message: Any) -> None:
        """The top supervisor has ended: so has the application."""
        if isinstance(message, EXIT) and message.pid == self.state.top:
            await self._told("stop", _callbacks(self.state.spec).stop())
            raise Stop(message.reason)

    async def terminate(self, reason: object) -> None:
        """Whatever ends the master ends the application."""
        await _end(self.state.top)

    async def _told(self, callback: str, awaitable: Awaitable[None]) -> None:
        """A hook that fails is no reason to leave the rest undone."""
        try:
            await awaitable
        except BaseException:
            if is_cancelled():
                raise
            logger.exception("%s of application %s failed", callback, self.state.spec.name)


class MasterProcess(ServerProcess):
    """The process of an application's master."""

    __slots__ = ()
    kind: ClassVar[Kind] = "application"


def _callbacks(spec: AppSpec, earlier: Mapping[str, dict[str, Any]] | None = None) -> Application:
    """The application's callbacks; of its module in `earlier`, if that is there."""
    made: Application = resolve_in(spec.mod or "", earlier or {})()
    return made


async def _end(top: Pid) -> None:
    process = runtime().processes.get(top)
    if process is not None:
        exit(top, "shutdown")
        await end_of(process)


# ------------------------------------------------------------------ an upgrade


async def tell_of_changes(before: Mapping[str, Mapping[str, Any]]) -> None:
    """Call `config_change` of each running application whose environment was another one in `before`.

    One after the other, in the order in which they were started; one that takes longer than 5 s is left to itself.
    """
    known = applications()
    for name, running in list(known.running.items()):
        if running.master is None or name not in before:
            continue
        was, now = before[name], known.env.get(name, {})
        changed = {key: now[key] for key in now if key in was and now[key] != was[key]}
        new = {key: now[key] for key in now if key not in was}
        removed = tuple(key for key in was if key not in now)
        if not (changed or new or removed):
            continue
        try:
            await call_within(CONFIG_SECONDS, running.master, MasterServer.tell_of_change, changed, new, removed)
        except Exit as error:
            logger.warning("application %s was not told of its changed environment: %s", name, error)


# ------------------------------------------------------------------ starting and stopping


async def start(name: str, type: StartType = "temporary") -> None:
    """Start a loaded application after those that it needs; does nothing to a running one.

    Raises Refused for one that isn't loaded or needs itself, and Exit with the reason when `start` of its callbacks
    fails. Then, and when this is cancelled, those that were started for it are stopped again. When a "permanent"
    application ends, or a "transient" one abnormally, `runtime().on_halt` is called. Follows
    application:ensure_all_started/2.
    """
    runtime().refuse_zombie()
    begun: list[str] = []
    try:
        for spec in _in_order(name):
            started_now = await _begun(spec, type)
            begun += [spec.name] * started_now
    except (Exception, asyncio.CancelledError):
        for started in reversed(begun):
            await stop(started)
        raise


async def stop(name: str, timeout: float | None = None) -> None:
    """Stop an application in order; does nothing to one that isn't running. Others may need it: they go on.

    Returns when it has stopped, also where somebody else stops it already, but at once in what belongs to that one.
    After `timeout` seconds what is left of its processes is killed; None waits for ever. Raises Refused for one that
    isn't loaded, Deadlock in a process that waits for its own end, and ValueError for what is no time. Follows
    application:stop/1.
    """
    if timeout is not None:
        check_seconds(timeout)
    known = to_change()
    running = known.running.get(name)
    if running is None:
        known.spec(name)
        await _stopped(name, timeout)
        return
    del known.running[name]
    if running.master is None:
        return
    end = partial(_stop, running.spec, running.master, timeout)
    inside = current_barrier()
    if inside is None or running.master in inside.born:
        await end()
    else:
        # With the callbacks that it has by the script's word: what comes next in that may replace or delete them.
        park(inside, running.master, partial(end, _callbacks(running.spec, inside.earlier)), below=running.top)


async def _stop(spec: AppSpec, master: Pid, timeout: float | None, callbacks: Application | None = None) -> None:
    known, under_way = applications(), UnderWay(runtime().loop.create_future(), master)
    known.stopping[spec.name] = under_way
    try:
        await call_within(timeout, master, MasterServer.shut_down, callbacks)
    except CallTimeout:
        _kill(spec.name, master, timeout)
    finally:
        under_way.over.set_result(None)
        if known.stopping.get(spec.name) is under_way:  # an upgrade may stop an earlier one of that name
            del known.stopping[spec.name]


async def _stopped(name: str, timeout: float | None) -> None:
    """Wait for the stop of the application that is under way, if there is one that doesn't wait for the caller."""
    under_way, me = applications().stopping.get(name), runtime().me()
    if under_way is None or under_way.master is None or (me is not None and under_way.master in _ancestry(me)):
        return
    try:
        async with asyncio.timeout(timeout):
            await asyncio.shield(under_way.over)
    except TimeoutError:
        _kill(name, under_way.master, timeout)


def _kill(name: str, master: Pid, timeout: float | None) -> None:
    """The application has not stopped in time."""
    logger.error("application %s did not stop within %g s; it is killed", name, timeout)
    for process in [one for one in runtime().processes.values() if master in _ancestry(one)]:
        runtime().signal(process, ROOT, "kill")


def _ancestry(process: Process) -> list[Pid]:
    """The process and those above it, as far as they live."""
    found = [process.pid]
    while (above := runtime().processes.get(process.parent)) is not None:
        found.append(above.pid)
        process = above
    return found


def _in_order(name: str) -> list[AppSpec]:
    order: list[AppSpec] = []
    path: list[str] = []

    def visit(app: str) -> None:
        if app in path:
            raise Refused(f"applications need each other in a circle: {' -> '.join([*path, app])}")
        spec = applications().spec(app)
        if spec not in order:
            path.append(app)
            for needed in spec.applications:
                visit(needed)
            path.pop()
            order.append(spec)

    visit(name)
    return order


async def _begun(spec: AppSpec, type: StartType) -> bool:
    """Start it unless it runs; whether it was this call that did. Two starts at once are one."""
    known, node = applications(), runtime()
    while (under_way := known.starting.get(spec.name) or known.stopping.get(spec.name)) is not None:
        me = node.me()
        if me is not None and under_way.master in _ancestry(me):
            reason, done = ("starting", "started") if spec.name in known.starting else ("stopping", "stopped")
            raise Exit(reason, f"application {spec.name!r} is being {done}, and waits for the one who asks")
        await asyncio.shield(under_way.over)
    if spec.name in known.running:
        return False
    for needed in spec.applications:
        if needed not in known.running:
            raise Exit(("not_running", needed), f"application {spec.name!r} needs {needed!r}, which has ended")
    known.starting[spec.name] = UnderWay(node.loop.create_future())
    try:
        await _start(spec, type)
    finally:
        known.starting.pop(spec.name).over.set_result(None)
    return True


async def _start(spec: AppSpec, type: StartType) -> None:
    known, node = applications(), runtime()
    if spec.mod is None:
        known.running[spec.name] = Running(spec, type, None, None)
        report_application(spec.name, spec.vsn, None, None)
        return
    pid = await start_process(MasterProcess, MasterServer, (spec, type), {}, name=None, link=False)
    master = node.find(pid)
    assert isinstance(master, MasterProcess)
    known.running[spec.name] = Running(spec, type, pid, master.raw_state().top)
    node.watch(master, lambda reason: _ended(spec, type, pid, reason))
    report_application(spec.name, spec.vsn, pid, spec.mod)


def _ended(spec: AppSpec, type: StartType, master: Pid, reason: object) -> None:
    known = applications()
    running = known.running.get(spec.name)
    if running is None or running.master != master:
        return
    del known.running[spec.name]
    logger.error("application %s ended: %s", spec.name, describe_reason(reason))
    if type == "permanent" or (type == "transient" and not is_word(reason, "normal")):
        runtime().on_halt(reason)
