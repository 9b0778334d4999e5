"""Requests: entries of a mailbox whose sender waits for a reply."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from node_runtime.processes.errors import CallTimeout, Exit
from node_runtime.processes.process import HELD, YIELDING, MailItem, Process
from node_runtime.processes.runtime import Runtime
from node_runtime.processes.scheduler import DEFAULT_CALL_SECONDS
from node_runtime.processes.transaction import Transaction
from node_runtime.processes.wait_graph import end_waiting, refuse_deadlock

from .behaviour_process import BehaviourProcess
from .upgrade.holding import hold
from .upgrade.script_requests import script_of, serve_script


def method_name(method: Callable[..., Any]) -> str:
    """Return the name of a method. Requests contain this name instead of the method.

    Raises TypeError for an object that is not a method.
    """
    try:
        return method.__name__
    except AttributeError:
        raise not_a_method(method) from None


def not_a_method(method: object) -> TypeError:
    """Return the error that a call or a cast raises if it gets an object that is not a method."""
    return TypeError(f"{method!r} is not a method; pass a method of the server's class, like Counter.add")


def send_request(node: Runtime, process: Process, item: MailItem, seconds: float | None) -> Coroutine[Any, Any, Any]:
    """Queue `item` and return a coroutine that waits for the reply.

    The coroutine raises the errors of `wait_for_reply`. This function itself raises Deadlock and Exit, before it queues
    `item`.
    """
    if node.zombies:
        node.refuse_zombie()
    caller = node.calling_process()
    if caller is process or process.awaited_calls:
        refuse_deadlock(caller, process)
    if not isinstance(process, BehaviourProcess):
        # A coroutine never takes requests from its mailbox: a caller without a time limit would wait forever.
        raise Exit("badcall", f"{process.title()} runs a coroutine, so it can't be called; send it a message")
    if node.blocked_modules is not None and (script := script_of(process)) is not None:
        return _request_of_script(node, process, item, seconds, script)
    if caller is not None and caller.run_state is YIELDING and process.is_held_together_with(caller):
        process.serve(item, YIELDING)
    else:
        node.post(process, item)
    return _wait(node, process, item, seconds, caller)


async def _request_of_script(
    node: Runtime, process: BehaviourProcess, item: MailItem, seconds: float | None, script: Transaction
) -> Any:
    if process.run_state is not HELD:
        await hold(process.pid, owner=script.owner, timeout=script.seconds)
        script.held.append(process.pid)
    serve_script(process, item, script)
    return await wait_for_reply(node, process, item, seconds)


def wait_for_reply(node: Runtime, process: Process, item: MailItem, seconds: float | None) -> Coroutine[Any, Any, Any]:
    """Wait for the reply to `item`, which the process has already received.

    Raises CallTimeout, and Exit if the process ends before it replies.
    """
    return _wait(node, process, item, seconds, node.calling_process())


async def _wait(node: Runtime, process: Process, item: MailItem, seconds: float | None, caller: Process | None) -> Any:
    future = item[3]
    assert future is not None
    forget_deadline: Callable[[], None] | None = None
    if not future.done():
        if seconds == DEFAULT_CALL_SECONDS:
            forget_deadline = node.deadlines.add(future, _timeout, process, item, DEFAULT_CALL_SECONDS).clear
        elif seconds is not None:
            forget_deadline = node.call_later(seconds, _expire, process, item, seconds).cancel
    task = None
    if caller is not None:  # begin_waiting, inlined
        task = asyncio.current_task(node.loop)
        if caller.awaited_calls is None:
            caller.awaited_calls = {task: (process, item)}
        else:
            caller.awaited_calls[task] = (process, item)
    failure: Exception | None = None
    result: Any = None
    try:
        result = await future
    except Exception as error:
        failure = error
    finally:
        if caller is not None:
            end_waiting(caller, task)
        if forget_deadline is not None:
            forget_deadline()
    if node.zombies:
        await ensure_caller_alive(node)
    if failure is not None:
        raise failure
    return result


async def ensure_caller_alive(node: Runtime) -> None:
    """Raise Exit if the calling process has ended: it must not get a reply."""
    caller = node.calling_process()
    if caller is not None and caller.pid in node.zombies:
        await asyncio.sleep(0)
        raise Exit(caller.reason)


def _timeout(process: Process, item: MailItem, seconds: float) -> CallTimeout:
    return CallTimeout(process.name or process.pid, str(item[0]), seconds)


def _expire(process: Process, item: MailItem, seconds: float) -> None:
    if item[3] is not None and not item[3].done():
        item[3].set_exception(_timeout(process, item, seconds))
