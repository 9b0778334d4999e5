"""The exits, starts and supervisor changes of an upgrade's script, which are undone if the script fails.

The script's transaction records these changes. A process whose exit is deferred stays alive and held (suspended), and
so do its descendants. The script treats the process as ended: another process may be started under the same name. When
the script has succeeded, the process exits. Until then, it keeps the code that it had when the exit was deferred.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Final

from node_runtime.behaviours.behaviour_process import BehaviourProcess
from node_runtime.behaviours.supervision.child_table import ChildTable
from node_runtime.processes.errors import NoProcess, is_being_cancelled
from node_runtime.processes.pid import Pid
from node_runtime.processes.process import DEAD, Process
from node_runtime.processes.runtime import runtime
from node_runtime.processes.transaction import DeferredAction, Transaction
from node_runtime.processes.wait_graph import wait_for_ends

from .holding import NotHeld, hold, hold_when_idle, release

logger: Final = logging.getLogger("node_runtime")
EXIT_TIMEOUT_SECONDS: Final = 60.0
"""The time limit, in seconds, of each deferred exit."""
SHUTDOWN_TIMEOUT_SECONDS: Final = 5.0
"""The time limit of the shutdown of processes that a failed script has started. Afterwards they are killed.

A busy process has the same time to end its callback before its deferred exit.
"""

_lingering: Final[set[asyncio.Future[None]]] = set()


# ------------------------------------------------------------------ while the script runs


def defer_exit(
    transaction: Transaction,
    pid: Pid,
    end: Callable[[], Awaitable[object]],
    *,
    title: str | None = None,
    below: Pid | None = None,
) -> None:
    """Defer the exit of the process `pid`. Until the exit, hold the process and its descendants.

    `end` is called to make the process exit, and `title` names the exit in the log, for example "the end of lamp <4>".
    If `below` is given, hold the process `below` and its descendants instead.
    """
    node = runtime()
    process = node.processes.get(pid)
    if process is None:
        return
    transaction.exiting[pid] = process
    held = [process for process in _tree(pid if below is None else below) if isinstance(process, BehaviourProcess)]
    for process in held:
        hold_when_idle(process, transaction)
    transaction.undo_actions.append(partial(_release_all, transaction, [process.pid for process in held]))
    transaction.defer(title or f"the end of {process.title()}", partial(_hold_and_exit, transaction, held, end))


def end_at_once(transaction: Transaction, pid: Pid) -> None:
    """Let a process exit during the script, instead of deferring the exit. Release it and its descendants now."""
    transaction.ends_at_once.add(pid)
    _release_all(transaction.owner, [process.pid for process in _tree(pid)])


def record_supervisor_state(transaction: Transaction, process: BehaviourProcess) -> None:
    """Record a supervisor's state before the script first replaces it, so that the state can be restored."""
    if process.pid in transaction.saved_supervisors:
        return
    transaction.saved_supervisors.add(process.pid)
    instance, code, state = process.instance, process.code, process.raw_state()

    def restore() -> None:
        if process.run_state is not DEAD:
            process.instance, process.code = instance, code
            process.take_state(state)

    transaction.undo_actions.append(restore)


def _tree(pid: Pid) -> Iterator[Process]:
    """Yield the process and all its descendants that are in the tables of supervisors."""
    process = runtime().processes.get(pid)
    if process is None:
        return
    yield process
    state = process.raw_state() if isinstance(process, BehaviourProcess) else None
    for child in list(state.by_pid.values()) if isinstance(state, ChildTable) else ():
        if child.pid is not None:
            yield from _tree(child.pid)


def _release_all(owner: object, pids: Iterable[Pid]) -> None:
    for pid in pids:
        release(pid, owner=owner)


# ------------------------------------------------------------------ after the script has succeeded


async def run_deferred_exits(transaction: Transaction) -> None:
    """Run the deferred exits in the order of the script. A failed exit is only logged, since the script has succeeded.

    An exit that takes longer than `EXIT_TIMEOUT_SECONDS` continues in the background.
    """
    for action in transaction.deferred_actions:
        ending = asyncio.ensure_future(_run(action))
        done, _ = await asyncio.wait([ending], timeout=EXIT_TIMEOUT_SECONDS)
        if not done:
            _lingering.add(ending)
            ending.add_done_callback(_lingering.discard)
            logger.warning(
                "%s, which an upgrade has deferred, has taken more than %g s; it continues in the background",
                action.title,
                EXIT_TIMEOUT_SECONDS,
            )


async def _run(action: DeferredAction) -> None:
    try:
        await action.run()
    except BaseException:
        if is_being_cancelled():
            raise
        logger.exception("%s, which an upgrade has deferred, failed", action.title)


async def _hold_and_exit(
    transaction: Transaction, held: list[BehaviourProcess], end: Callable[[], Awaitable[object]]
) -> None:
    for process in held:
        if process.in_callback():
            with suppress(NoProcess, NotHeld):
                await hold(process.pid, owner=transaction, timeout=SHUTDOWN_TIMEOUT_SECONDS)
    await end()


# ------------------------------------------------------------------ after the script has failed


def put_back_processes(transaction: Transaction) -> None:
    """Undo what a failed script has done to processes, in one turn of the event loop. Can't fail.

    Processes that the script has started are unlinked from all other processes; `end_started_processes` ends them
    later. If a started process has taken the name of another process, that process gets the name back, together with
    the requests in the started process's mailbox.
    """
    node = runtime()
    born = set(transaction.started)
    for pid in transaction.started:
        process = node.processes.get(pid)
        for other in process.linked() if process is not None else ():
            if process is not None and other.pid not in born:
                node.unlink(process, other)
    for name, holder in reversed(transaction.moved_names):
        _give_name_back(name, holder)
    for inverse in reversed(transaction.undo_actions):
        inverse()
    for pid in transaction.started:
        process = node.processes.get(pid)
        if process is not None and process.name is not None:
            node.unregister(process.name)


def _give_name_back(name: str, holder: Process) -> None:
    node = runtime()
    user = node.names.pop(name, None)
    requests = []
    if user is not None:
        user.name = None
        mail = user.mail or ()
        requests = [item for item in mail if item[3] is not None or isinstance(item[0], str)]
        user.mail = type(user.mail)(item for item in mail if item not in requests) if user.mail else None
    if holder.run_state is DEAD:
        return
    node.names[name] = holder
    holder.name = name
    for item in requests:
        node.post(holder, item)


async def end_started_processes(transaction: Transaction) -> None:
    """Shut down the processes that a failed script has started, the last one first; kill those that take too long.

    A start function that has not ended is interrupted, because otherwise its supervisor would wait for ever.
    """
    node = runtime()
    transaction.interrupt_starts()
    born = [node.processes[pid] for pid in reversed(transaction.started) if pid in node.processes]
    pids = {process.pid for process in born}
    roots = [process for process in born if process.parent not in pids]
    for process in roots:
        node.signal(process, process.parent, "shutdown")
    with suppress(TimeoutError):
        async with asyncio.timeout(SHUTDOWN_TIMEOUT_SECONDS):
            await wait_for_ends(born)
    for process in born:
        if process.run_state is not DEAD:
            node.signal(process, process.parent, "kill")
