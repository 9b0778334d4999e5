"""Suspending processes for an owner: one of them and waiting for it, or all idle ones at once.

Nothing here sends a message or restarts a timer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Container
from contextlib import suppress
from operator import attrgetter
from time import perf_counter
from typing import Any, Final

from node_runtime.behaviours.behaviour_process import BehaviourProcess
from node_runtime.behaviours.callback_class import CodeInUse
from node_runtime.processes.errors import NoProcess
from node_runtime.processes.inspection import awaiting
from node_runtime.processes.pid import Pid, Target
from node_runtime.processes.process import DEAD, HELD, YIELDING, Process
from node_runtime.processes.runtime import runtime


class NotHeld(Exception):
    """The process could not be suspended; the sentence says why and names it. OTP: the `timeout` of sys:suspend/2."""

    def __init__(self, pid: Pid, sentence: str) -> None:
        super().__init__(sentence)
        self.pid = pid


async def hold(target: Target, *, owner: object, timeout: float) -> None:
    """Suspend the process between two callbacks: at once if it is idle, else when its callback ends.

    It stays suspended until every owner has released it; holding twice as the same owner counts once. While
    several are being held, a held one still answers calls of those whose callback has to end first. Raises NoProcess
    when there is no such process or it ends meanwhile, and NotHeld after `timeout` seconds.
    """
    node = runtime()
    process = node.find(target)
    if not isinstance(process, BehaviourProcess):
        if process.gate is not HELD:
            raise NotHeld(process.pid, f"{process.title()} has no callbacks between which it could be suspended")
        process.held = {*(process.held or ()), owner}
        return
    first = owner not in (process.held or ())
    process.held = {*(process.held or ()), owner}
    if process.gate is HELD or process.gate is None:
        process.gate = HELD
        return
    held: asyncio.Future[None] = node.loop.create_future()
    process.between_callbacks(lambda: None if held.done() else held.set_result(None))
    _answer_for(process)
    try:
        async with asyncio.timeout(timeout):
            await held
    except TimeoutError:
        if first:
            release(process.pid, owner=owner)
        where = ", ".join(awaiting(process)[-1:]) or process.qualname
        sentence = f"{process.title()} has not ended its callback within {timeout:g} s: {where}"
        raise NotHeld(process.pid, sentence) from None
    except asyncio.CancelledError:
        if first:
            release(process.pid, owner=owner)
        raise
    node.find(process.pid)


def _answer_for(process: Process) -> None:
    # It waits for one that is held already: let that one answer, or neither ends.
    for asked, item in list((process.calling or {}).values()):
        if not isinstance(asked, BehaviourProcess) or not asked.held_with(process) or not asked.mail:
            continue
        others = deque(queued for queued in asked.mail if queued is not item)
        if len(others) < len(asked.mail):
            asked.mail = others
            asked.serve(item, YIELDING)


def hold_soon(process: BehaviourProcess, owner: object) -> None:
    """Suspend the process now if it is idle, else when its callback ends; nobody waits for that."""
    process.held = {*(process.held or ()), owner}
    if process.gate is None:
        process.gate = HELD
    elif process.in_callback():
        process.between_callbacks(lambda: None)


def release(target: Target, *, owner: object) -> None:
    """End this owner's suspend. Does nothing to a process that has ended or isn't held by it."""
    node = runtime()
    process = node.names.get(target) if isinstance(target, str) else node.processes.get(target)
    if process is None or process.held is None:
        return
    process.held = {other for other in process.held if other != owner} or None
    if process.held is None and process.gate is HELD:
        process.resumed()


def raw_states(processes: list[BehaviourProcess]) -> list[Any]:
    """The very state objects of processes of one class."""
    if processes[0].kind == "gen_server":
        with suppress(AttributeError):  # one's `init` has not returned yet
            return list(map(_STATE, processes))
    return [process.raw_state() for process in processes]


_STATE: Final = attrgetter("instance.state")


class Hold:
    """All processes of some modules, suspended by one owner, by the code that they share.

    It costs O(1) a process and no message, since a pause is as long as the sum of that. `since` is when they were
    held, by the clock `time.perf_counter`, in seconds; `later` has that of those that were busy then.
    """

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.groups: dict[CodeInUse, list[BehaviourProcess]] = {}
        self.since = perf_counter()
        self.later: dict[Pid, float] = {}
        self._alone: dict[str, Any] = {"held": frozenset((owner,))}
        """What is seldom of a process that is held by this owner, and of which nothing else is."""

    def idle(self, modules: Container[str]) -> list[BehaviourProcess]:
        """Hold those that are idle and run one of the modules; returns those that are in a callback."""
        busy: list[BehaviourProcess] = []
        groups, alone = self.groups, self._alone
        wanted: dict[CodeInUse, list[BehaviourProcess] | None] = dict(groups)
        for process in runtime().processes.values():
            if not isinstance(process, BehaviourProcess):
                continue
            code = process.code
            try:
                group = wanted[code]
            except KeyError:
                group = wanted[code] = groups.setdefault(code, []) if code.module in modules else None
            if group is None:
                continue
            gate = process.gate
            if gate is None and process.seldom is None:
                process.gate = HELD
                process.seldom = alone
            elif gate is None or gate is HELD:
                if process.held is not None and self.owner in process.held:
                    continue
                hold_soon(process, self.owner)
            else:
                busy.append(process)
                continue
            group.append(process)
        return busy

    async def busy(self, process: BehaviourProcess, timeout: float) -> None:
        """Hold one that is in a callback, as `hold` does; it may end instead."""
        try:
            await hold(process.pid, owner=self.owner, timeout=timeout)
        except NoProcess:
            return
        self.later[process.pid] = perf_counter()
        self.groups.setdefault(process.code, []).append(process)

    def users(self, module: str) -> list[BehaviourProcess]:
        """The held processes with a callback class of the module that are alive."""
        return [
            process
            for code, group in self.groups.items()
            if code.module == module
            for process in group
            if process.gate is not DEAD
        ]

    def release(self, *, but: Container[CodeInUse] = ()) -> None:
        """End the suspend of all but some groups', in one turn. It can't fail."""
        for code, group in self.groups.items():
            if code not in but:
                for process in group:
                    self._let_go(process)

    def resume_as(
        self, code: CodeInUse, version: type[Any], processes: list[BehaviourProcess], states: list[Any]
    ) -> None:
        """Give processes of the group `code` an instance of `version` each and its new state, and end its suspend.

        It can't fail.
        """
        group: CodeInUse | None = None
        new, alone = object.__new__, self._alone
        for process, state in zip(processes, states, strict=True):
            gate = process.gate
            if gate is DEAD:
                continue
            if process.code is not code or group is None:  # the first one, or one that is being recorded since
                process.take_class(version)
                process.take_state(state)
                group = process.code if process.code.debug is None and process.kind == "gen_server" else None
            else:
                made: Any = new(version)
                made.state = state
                process.instance = made
                process.code = group
                if process.seldom is alone and gate is HELD and process.mail is None:
                    process.seldom = process.gate = None
                    continue
            self._let_go(process)

    def _let_go(self, process: BehaviourProcess) -> None:
        if process.seldom is self._alone and process.gate is HELD and process.mail is None:
            process.seldom = None
            process.gate = None
        else:
            release(process.pid, owner=self.owner)
