"""What an upgrade's script does to processes, so that it can be taken back exactly: parked ends, kept tables, births.

A parked process is held with all that is below it, and goes on living, though for the script it has ended: another one
may be started under its name. It ends when the script has succeeded, by the code that it had when it was parked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Final

from node_runtime.behaviours.behaviour_process import BehaviourProcess
from node_runtime.behaviours.supervision.child_table import Table
from node_runtime.processes.errors import NoProcess, is_cancelled
from node_runtime.processes.pid import Pid
from node_runtime.processes.process import DEAD, Process
from node_runtime.processes.runtime import runtime
from node_runtime.processes.transaction import Barrier
from node_runtime.processes.wait_graph import ends_of

from .holding import NotHeld, hold, hold_soon, release

logger: Final = logging.getLogger("node_runtime")
PATIENCE: Final = 60.0
"""Seconds for which an upgrade waits for the end of what it has stopped."""
ENDING_SECONDS: Final = 5.0
"""How long processes that are taken back may take to end in order."""

_lingering: Final[set[asyncio.Future[None]]] = set()


# ------------------------------------------------------------------ inside


def park(inside: Barrier, pid: Pid, end: Callable[[], Awaitable[object]], *, below: Pid | None = None) -> None:
    """Put the end of a process off. `below` is whose processes are held until then, if it isn't the process itself."""
    node = runtime()
    process = node.processes.get(pid)
    if process is None:
        return
    inside.parked[pid] = process
    held = [one for one in _tree(pid if below is None else below) if isinstance(one, BehaviourProcess)]
    for one in held:
        hold_soon(one, inside)
    inside.inverses.append(partial(_go_on, inside, [one.pid for one in held]))
    inside.endings.append(partial(_end, inside, held, end))


def keep(inside: Barrier, process: BehaviourProcess) -> None:
    """Note what a supervisor is, before the script changes it for the first time. Its state may be replaced then."""
    if process.pid in inside.kept:
        return
    inside.kept.add(process.pid)
    instance, code, state = process.instance, process.code, process.raw_state()

    def back() -> None:
        if process.gate is not DEAD:
            process.instance, process.code = instance, code
            process.take_state(state)

    inside.inverses.append(back)


def _tree(pid: Pid) -> Iterator[Process]:
    """The process and all below it that supervisors know."""
    process = runtime().processes.get(pid)
    if process is None:
        return
    yield process
    state = process.raw_state() if isinstance(process, BehaviourProcess) else None
    for child in list(state.by_pid.values()) if isinstance(state, Table) else ():
        if child.pid is not None:
            yield from _tree(child.pid)


def _go_on(inside: Barrier, pids: Iterable[Pid]) -> None:
    for pid in pids:
        release(pid, owner=inside)


# ------------------------------------------------------------------ the script has succeeded


async def carry_out(inside: Barrier) -> None:
    """End what was parked, in the order of the script. What fails is logged: it can't be taken back any more.

    An end that takes longer than `PATIENCE` goes on beside the others.
    """
    for end in inside.endings:
        ending = asyncio.ensure_future(_ended(end))
        done, _ = await asyncio.wait([ending], timeout=PATIENCE)
        if not done:
            _lingering.add(ending)
            ending.add_done_callback(_lingering.discard)
            logger.warning("what an upgrade has stopped has not ended within %g s; it goes on by itself", PATIENCE)


async def _ended(end: Callable[[], Awaitable[object]]) -> None:
    try:
        await end()
    except BaseException:
        if is_cancelled():
            raise
        logger.exception("something that an upgrade has put off failed")


async def _end(inside: Barrier, held: list[BehaviourProcess], end: Callable[[], Awaitable[object]]) -> None:
    for process in held:
        if process.in_callback():
            with suppress(NoProcess, NotHeld):
                await hold(process.pid, owner=inside, timeout=ENDING_SECONDS)
    await end()


# ------------------------------------------------------------------ the script has failed


def take_back(inside: Barrier) -> None:
    """Everything is as it was before the script, in this turn; what was born inside is alone, and has to be ended.

    Calls to a name that something born inside had meanwhile go to the process that has it again. It can't fail.
    """
    node = runtime()
    born = set(inside.born)
    for pid in inside.born:
        process = node.processes.get(pid)
        for other in process.linked() if process is not None else ():
            if process is not None and other.pid not in born:
                node.unlink(process, other)
    for name, holder in reversed(inside.given):
        _returned(name, holder)
    for inverse in reversed(inside.inverses):
        inverse()
    for pid in inside.born:
        process = node.processes.get(pid)
        if process is not None and process.name is not None:
            node.unregister(process.name)


def _returned(name: str, holder: Process) -> None:
    node = runtime()
    meanwhile = node.names.pop(name, None)
    asked = []
    if meanwhile is not None:
        meanwhile.name = None
        mail = meanwhile.mail or ()
        asked = [item for item in mail if item[3] is not None or isinstance(item[0], str)]
        meanwhile.mail = type(meanwhile.mail)(item for item in mail if item not in asked) if meanwhile.mail else None
    if holder.gate is DEAD:
        return
    node.names[name] = holder
    holder.name = name
    for item in asked:
        node.post(holder, item)


async def end_born(inside: Barrier) -> None:
    """End in order what was born inside of what failed, the last one first; what takes too long is killed."""
    node = runtime()
    born = [node.processes[pid] for pid in reversed(inside.born) if pid in node.processes]
    pids = {process.pid for process in born}
    roots = [process for process in born if process.parent not in pids]
    for process in roots:
        node.signal(process, process.parent, "shutdown")
    with suppress(TimeoutError):
        async with asyncio.timeout(ENDING_SECONDS):
            await ends_of(born)
    for process in born:
        if process.gate is not DEAD:
            node.signal(process, process.parent, "kill")
