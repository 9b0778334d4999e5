"""Functions that start and stop processes with a callback class."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from node_runtime.processes.errors import CallTimeout, Exit
from node_runtime.processes.exit_reasons import reason_is
from node_runtime.processes.messages import EXIT
from node_runtime.processes.pid import ROOT, Pid, Target
from node_runtime.processes.process import HELD, YIELDING, MailItem, Process
from node_runtime.processes.reply_future import ReplyFuture
from node_runtime.processes.runtime import runtime
from node_runtime.processes.timers import check_seconds
from node_runtime.processes.transaction import current_transaction
from node_runtime.processes.wait_graph import begin_waiting, end_waiting, refuse_deadlock, wait_for_end

from .behaviour import behaviour_of
from .behaviour_process import BehaviourProcess
from .system_messages import INIT, STOP
from .upgrade.deferred_exits import defer_exit


async def start_process(
    process_type: type[BehaviourProcess],
    cls: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    name: str | None,
    link: bool,
) -> Pid:
    """Run `init` in a new process and return when `init` has returned, as proc_lib:start_link/3 does.

    If an upgrade is switching the module, the start waits for the end of the upgrade, and then runs `init` of the
    current version. If `link` is true, the new process is a child of the calling process, and ends when the calling
    process ends. Raises NameTaken, Ignore if `init` raised it, and Exit with the reason if `init` failed. After an
    error, the new process has already ended.
    """
    node = runtime()
    future = ReplyFuture(node)
    item: MailItem = (INIT, args, kwargs, future)
    process, parent = await _begin(process_type, cls, item, name=name, link=link)
    if future.done():
        future.result()
        return process.pid
    caller = node.calling_process()
    waiting = None if caller is None else begin_waiting(caller, process, item)
    try:
        await future
    except BaseException:  # the caller no longer waits, or `init` has failed
        if parent is not None:  # the parent gets the error instead of an exit signal
            node.unlink(parent, process)
        node.end(process, "killed")
        if parent is not None:
            _drop_exit(parent, process.pid)
        raise
    finally:
        if caller is not None:
            end_waiting(caller, waiting)
    return process.pid


async def spawn_process(
    process_type: type[BehaviourProcess], cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, name: str | None
) -> Pid:
    """Start a process linked to the calling process. Return its pid without waiting for its `init`.

    If an upgrade is switching the module, the start waits as in `start_process`. If `init` fails, the calling process
    gets an exit signal. Raises NameTaken. Follows proc_lib:spawn_link/3 with gen_server:enter_loop/3.
    """
    process, _ = await _begin(process_type, cls, (INIT, args, kwargs, None), name=name, link=True)
    return process.pid


async def _begin(
    process_type: type[BehaviourProcess], cls: Any, item: MailItem, *, name: str | None, link: bool
) -> tuple[BehaviourProcess, Process | None]:
    """Add a process to the runtime and call its `init`. Return the process, and its parent if it is linked."""
    behaviour = behaviour_of(cls)
    if behaviour is not process_type.behaviour:
        remedy = f"pass a subclass of {process_type.behaviour.__name__}"
        if behaviour is not None:
            home = behaviour.__module__.rpartition(".")[2]
            remedy += f", or start this {behaviour.__name__} with {home}.start_link"
        raise TypeError(f"{cls!r} can't be started as a {process_type.behaviour.__name__}; {remedy}")
    node = runtime()
    inherited = current_transaction()
    while inherited is None and (blocked := node.blocked_modules) is not None and cls.__module__ in blocked.modules:
        await blocked.unblocked.wait()
    parent = node.calling_process() if link else None
    process = process_type(node, parent.pid if parent is not None else ROOT, cls)
    node.add_process(process, name, parent)
    if inherited is not None:
        process.suspend_owners = {inherited.owner}
        inherited.started.append(process.pid)
    if process.suspend_owners:
        process.serve(item, YIELDING)
    else:
        process.serve(item)
    return process, parent


def _drop_exit(process: Process, sender: Pid) -> None:
    """Remove the EXIT of `sender` from a mailbox, as proc_lib:start_link/5 does when it fails."""
    mail = process.mail
    if mail and any(type(item[1]) is EXIT and item[1].pid == sender for item in mail):
        kept = [item for item in mail if not (type(item[1]) is EXIT and item[1].pid == sender)]
        mail.clear()  # the same queue object: its reader holds a reference to it
        mail.extend(kept)


async def stop(target: Target, reason: object = "normal", timeout: float | None = None) -> None:
    """Make a process handle the messages in its mailbox and then terminate with `reason`.

    Returns when the process has ended. A suspended process stops at once. A `timeout` of None waits
    forever. Raises NoProcess, and Exit if the process ends with another reason. Raises CallTimeout
    after `timeout` seconds; the process still stops later. Raises Deadlock for the calling process
    itself and for a process that waits for it, Exit for a process without callbacks, and ValueError
    for an invalid time. Follows gen_server:stop/3.
    """
    if timeout is not None:
        check_seconds(timeout)
    node = runtime()
    node.refuse_zombie()
    process = node.find(target)
    if not isinstance(process, BehaviourProcess):
        text = f"{process.title()} has no callbacks, so stop() can't end it; send an exit signal"
        raise Exit("badcall", text)
    inside = current_transaction()
    if inside is not None and process.pid not in inside.started:
        defer_exit(inside, process.pid, partial(stop, process.pid, reason, timeout))
        return
    refuse_deadlock(node.calling_process(), process)
    item: MailItem = (STOP, reason, None, node.loop.create_future())
    if process.run_state is HELD:
        process.serve(item)
    else:
        node.post(process, item)
    try:
        async with asyncio.timeout(timeout):
            actual = await wait_for_end(process, item)
    except TimeoutError:
        raise CallTimeout(target, "stop", timeout or 0.0) from None
    if actual is not reason and not (isinstance(reason, str) and reason_is(actual, reason)):
        raise Exit(actual)
