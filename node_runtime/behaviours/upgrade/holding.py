"""Suspends processes on behalf of an owner: one process at a time, or all idle processes of some modules at once.

No function here sends a message or restarts a timer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Container
from contextlib import suppress
from functools import partial
from operator import attrgetter
from time import perf_counter
from typing import Any, Final

from node_runtime.behaviours.behaviour_process import BehaviourProcess
from node_runtime.behaviours.callback_class import CallbackVersion
from node_runtime.processes.errors import NoProcess
from node_runtime.processes.inspection import awaiting
from node_runtime.processes.pid import Pid, Target
from node_runtime.processes.process import DEAD, HELD, YIELDING, Process
from node_runtime.processes.runtime import runtime


class NotHeld(Exception):
    """A process could not be suspended, or is not suspended although an operation requires it.

    The sentence names the process and the cause. OTP: the `timeout` of sys:suspend/2.
    """

    def __init__(self, pid: Pid, sentence: str) -> None:
        super().__init__(sentence)
        self.pid = pid


async def hold(target: Target, *, owner: object, timeout: float) -> None:
    """Suspend the process between two callbacks: at once if it is idle, else when its callback ends.

    The process stays suspended until every owner has released it; holding it twice as the same owner counts once. While
    an owner suspends several processes, suspended processes still answer calls of processes that are not suspended yet.
    Otherwise, the callbacks of the callers could not end. Raises NoProcess if there is no such process or the process
    ends before it is suspended, and NotHeld after `timeout` seconds.
    """
    node = runtime()
    process = node.find(target)
    if not isinstance(process, BehaviourProcess):
        if process.run_state is not HELD:
            raise NotHeld(process.pid, f"{process.title()} has no callbacks, so it can't be suspended")
        process.suspend_owners = {*(process.suspend_owners or ()), owner}
        return
    first = owner not in (process.suspend_owners or ())
    process.suspend_owners = {*(process.suspend_owners or ()), owner}
    if process.run_state is HELD or process.run_state is None:
        process.run_state = HELD
        return
    held: asyncio.Future[None] = node.loop.create_future()
    process.call_after_callback(lambda: None if held.done() else held.set_result(None))
    _answer_calls_of(process)
    try:
        async with asyncio.timeout(timeout):
            await held
    except TimeoutError:
        if first:
            release(process.pid, owner=owner)
        where = ", ".join(awaiting(process)[-1:]) or process.qualname
        sentence = f"{process.title()} has not ended its callback within {round(timeout, 3):g} s: {where}"
        raise NotHeld(process.pid, sentence) from None
    except asyncio.CancelledError:
        if first:
            release(process.pid, owner=owner)
        raise
    node.find(process.pid)


def _answer_calls_of(process: Process) -> None:
    # If `process` waits for a held process, that process has to answer: otherwise the callback of `process` can't end.
    for callee, item in list((process.awaited_calls or {}).values()):
        if not isinstance(callee, BehaviourProcess) or not callee.is_held_together_with(process) or not callee.mail:
            continue
        # A request is recognised by its future, because an upgrade may have replaced the entry.
        found = next((queued for queued in callee.mail if queued[3] is item[3]), None)
        if found is not None:
            callee.mail = deque(queued for queued in callee.mail if queued is not found)
            callee.serve(found, YIELDING)


def hold_when_idle(process: BehaviourProcess, owner: object) -> None:
    """Suspend the process now if it is idle, else when its callback ends. Returns before the callback ends."""
    process.suspend_owners = {*(process.suspend_owners or ()), owner}
    if process.run_state is None:
        process.run_state = HELD
    elif process.in_callback():
        process.call_after_callback(lambda: None)


def release(target: Target, *, owner: object) -> None:
    """End this owner's suspend. Does nothing if the process has ended, or if this owner does not hold it."""
    node = runtime()
    process = node.names.get(target) if isinstance(target, str) else node.processes.get(target)
    if process is None or process.suspend_owners is None:
        return
    process.suspend_owners = {other for other in process.suspend_owners if other != owner} or None
    if process.suspend_owners is None and process.run_state is HELD:
        process.on_resumed()


def raw_states(processes: list[BehaviourProcess]) -> list[Any]:
    """Return the state objects of processes of one class: the objects themselves, not copies."""
    if processes[0].kind == "gen_server":
        with suppress(AttributeError):  # in one of the processes, `init` has not returned yet
            return list(map(_STATE, processes))
    return [process.raw_state() for process in processes]


_STATE: Final = attrgetter("instance.state")


class NewInstances:
    """The instances of a new class for the processes of one group, all made before the first process resumes.

    Making the instances fails if the class can't hold a state. Everything after that can't fail.
    """

    def __init__(self, code: CallbackVersion, version: type[Any], processes: list[BehaviourProcess]) -> None:
        self.processes = processes
        self.states: list[Any] = []
        self.instances: list[Any] = []
        self.codes: list[CallbackVersion] = []
        self._code = code
        self._version = version

    @property
    def next(self) -> BehaviourProcess:
        """The process whose instance is being made."""
        return self.processes[min(len(self.instances), len(self.processes) - 1)]

    def make(self, states: list[Any]) -> None:
        """Make an instance for each process, with its new state. Raises whatever the class raises."""
        version, code, append = self._version, self._code, self.instances.append
        if self.next.kind == "gen_server":
            new = object.__new__
            for state in states:  # `make_instance`, inlined
                made: Any = new(version)
                made.state = state
                append(made)
        else:
            for process, state in zip(self.processes, states, strict=True):
                append(process.make_instance(version, state))
        needs_call_back = self.processes[0].needs_call_back
        shared = CallbackVersion.of(version, code.module, code.qualname, None, needs_call_back=needs_call_back)
        # Only a process with a debug recorder has its own CallbackVersion.
        self.codes = [
            shared if process.code is code and code.debug is None else process.version_of(version)
            for process in self.processes
        ]
        self.states = states


class Hold:
    """All processes of some modules, suspended by one owner and grouped by their CallbackVersion.

    An install suspends the processes one after the other, and the suspended ones wait until all are suspended. So
    suspending a process has to be fast: it takes constant time and sends no message. `since` is the time at which the
    hold began. For each process that was busy at that time, `held_later` has the time at which it was suspended. Times
    are in seconds of `time.perf_counter`.
    """

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.groups: dict[CallbackVersion, list[BehaviourProcess]] = {}
        self.since = perf_counter()
        self.held_later: dict[Pid, float] = {}
        self._extras: list[Process] | None = None
        """The processes with mail or sparse attributes, and state machines; None as soon as other code may have run."""
        self._joining: frozenset[str] = frozenset()
        """The modules whose busy processes are suspended as soon as their callbacks end."""
        self._only_held: dict[str, Any] = {"suspend_owners": frozenset((owner,))}
        """The `sparse` dict that all held processes without other sparse attributes share."""

    def hold_idle(self, modules: Container[str]) -> list[BehaviourProcess]:
        """Hold the idle processes that run one of `modules`; return the busy ones, which are in a callback."""
        busy: list[BehaviourProcess] = []
        extras: list[Process] = []
        groups, only_held = self.groups, self._only_held
        wanted: dict[CallbackVersion, list[BehaviourProcess] | None] = dict(groups)
        for process in runtime().processes.values():
            if not isinstance(process, BehaviourProcess):
                extras.append(process)
                continue
            code = process.code
            try:
                group = wanted[code]
            except KeyError:
                group = wanted[code] = groups.setdefault(code, []) if code.module in modules else None
            if group is None:
                if process.mail is not None or process.sparse is not None or process.kind == "gen_statem":
                    extras.append(process)
                continue
            run_state = process.run_state
            if process.mail is not None:
                extras.append(process)
            if run_state is None and process.sparse is None:
                process.run_state = HELD
                process.sparse = only_held
                group.append(process)
                continue
            extras.append(process)
            if run_state is None or run_state is HELD:
                if process.suspend_owners is not None and self.owner in process.suspend_owners:
                    continue
                hold_when_idle(process, self.owner)
                group.append(process)
            else:
                busy.append(process)
        self._extras = extras
        runtime().loop.call_soon(self._forget_extras)
        return busy

    def _forget_extras(self) -> None:
        self._extras = None

    def processes_with_extras(self) -> list[Process] | None:
        """Return all processes, held or not, that may have queued messages, timers or other events.

        Return None if other code may have run since `hold_idle`: then the answer isn't known any more.
        """
        if self._extras is None:
            return None
        held = (group for group in self.groups.values() if group and group[0].kind == "gen_statem")
        return [*self._extras, *(process for group in held for process in group)]

    async def hold_busy(self, process: BehaviourProcess, timeout: float) -> None:
        """Hold a process that is in a callback, as `hold` does. Does nothing if the process ends instead."""
        try:
            await hold(process.pid, owner=self.owner, timeout=timeout)
        except NoProcess:
            return
        self.held_later[process.pid] = perf_counter()
        self.groups.setdefault(process.code, []).append(process)

    def hold_without_waiting(self, modules: frozenset[str]) -> None:
        """Also hold the processes of `modules`: idle ones now, busy ones as soon as their callbacks end.

        Held processes don't answer calls of a busy process.
        """
        self._joining |= modules
        for process in self.hold_idle(modules):
            self.groups.setdefault(process.code, []).append(process)
            process.call_after_callback(partial(self._join, process))

    def _join(self, process: BehaviourProcess) -> None:
        if process.run_state is not DEAD and process.module in self._joining:
            process.suspend_owners = {*(process.suspend_owners or ()), self.owner}
            process.run_state = HELD
            self.held_later[process.pid] = perf_counter()

    def users(self, module: str) -> list[BehaviourProcess]:
        """Return the live held processes whose callback class is in the module."""
        return [
            process
            for code, group in self.groups.items()
            if code.module == module
            for process in group
            if process.run_state is not DEAD
        ]

    def release(self, *, but: Container[CallbackVersion] = ()) -> None:
        """Resume all groups of processes except `but`, in one turn of the event loop. Can't fail."""
        self._joining = frozenset(code.module for code in self.groups if code in but and code.module in self._joining)
        for code, group in self.groups.items():
            if code not in but:
                for process in group:
                    self._release(process)

    def resume_as(self, made: NewInstances) -> None:
        """Give each process its new instance and resume it. Can't fail: `NewInstances.make` did what can fail."""
        only_held, plain = self._only_held, made.processes[0].kind == "gen_server"
        for process, instance, code, state in zip(made.processes, made.instances, made.codes, made.states, strict=True):
            run_state = process.run_state
            if run_state is DEAD:
                continue
            if plain:  # `take_instance`, inlined
                process.instance, process.code = instance, code
                if process.sparse is only_held and run_state is HELD and process.mail is None:
                    process.sparse = process.run_state = None
                    continue
            else:
                process.take_instance(instance, code, state)
            self._release(process)

    def _release(self, process: BehaviourProcess) -> None:
        if process.sparse is self._only_held and process.run_state is HELD and process.mail is None:
            process.sparse = None
            process.run_state = None
        else:
            release(process.pid, owner=self.owner)
