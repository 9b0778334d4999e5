"""Synchronous calls: a callback that isn't async can call an idle server. Calling a busy server raises an error."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from inspect import CO_COROUTINE
from time import monotonic
from typing import Any, Concatenate, Final, Never, ParamSpec, TypeVar, overload

from node_runtime.processes.errors import Deadlock, Exit, WouldWait
from node_runtime.processes.pid import Target
from node_runtime.processes.process import DEAD, HELD, MailItem, Process
from node_runtime.processes.runtime import Runtime, runtime

from .gen_server import ServerProcess
from .request import method_name
from .upgrade.script_requests import script_of, serve_script

R = TypeVar("R")
P = ParamSpec("P")

MAX_NESTED_CALLS: Final = 32
"""The maximum depth of nested calls. It is limited because each nested call adds frames to Python's stack."""
_REMEDY: Final = "use a cast, or await a call in an async callback"


@overload
def call_now(
    target: Target,
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, Any]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Never: ...
@overload
def call_now(target: Target, method: Callable[Concatenate[Any, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
def call_now(target: Target, method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a method of an idle server at once: for callbacks that aren't async and can't await a `call`.

    Like `gen_server.call`, but without a time limit. Raises WouldWait, without calling the method, if the caller would
    have to wait: if the server is busy or suspended or has messages, or if the method is async or `deferred`. Also
    raises WouldWait if the called method returns an awaitable; then the method continues, but its result is lost.
    Raises Deadlock if the server itself waits in `call_now` for the caller. OTP has no such call, because there every
    callback may wait.
    """
    node = runtime()
    node.refuse_zombie()
    name = method_name(method)
    process, caller = node.find(target), node.calling_process()
    server = _ready(node, process, caller, name)
    item: MailItem = (name, args, kwargs, node.loop.create_future())
    future = item[3]
    assert future is not None
    began = monotonic()
    if caller is not None:
        node.nested_callers.append(caller)
    try:
        if server.run_state is None:
            server.serve(item)
        elif (script := script_of(server)) is not None:
            serve_script(server, item, script)
    finally:
        elapsed = monotonic() - began
        server.spent += elapsed
        if caller is not None:
            node.nested_callers.pop()
            caller.spent -= elapsed
    if caller is not None:
        node.refuse_zombie()
    if future.done():
        return future.result()
    future.cancel()
    if server.run_state is DEAD:
        raise Exit(server.reason)
    outcome = f"{process.title()} has not finished {name} in this turn; the method continues, but its result is lost"
    raise WouldWait(f"{outcome}; {_REMEDY}")


def _ready(node: Runtime, process: Process, caller: Process | None, name: str) -> ServerProcess:
    """Return the server if it can answer now. Raises Deadlock, WouldWait, Exit."""
    if not isinstance(process, ServerProcess):
        raise Exit("badcall", f"{process.title()} is not a server; call_now works only with servers")
    callers = [*node.nested_callers, caller] if caller is not None else node.nested_callers
    if process in callers:
        raise Deadlock([(other.pid, other.title()) for other in callers[callers.index(process) :] if other is not None])
    if len(callers) > MAX_NESTED_CALLS:
        depth = f"{MAX_NESTED_CALLS + 1} deep (limit {MAX_NESTED_CALLS})"
        raise WouldWait(f"the call of {name} to {process.title()} would be nested {depth}; use a cast")
    if (process.run_state is not None or process.mail is not None) and not _answers_script(node, process):
        raise WouldWait(f"{process.title()} can't answer {name} at once: {_obstacle(process)}; {_REMEDY}")
    if process.code.home.__dict__ is not process.code.namespace:
        process.refresh()
    method = type(process.instance).__public__.get(name)
    if method is None and name not in type(process.instance).__deferred__:
        raise Exit("badcall", f"{process.module}:{process.qualname} has no public method {name!r}")
    if method is None or method.__code__.co_flags & CO_COROUTINE:
        raise WouldWait(f"{process.title()} can't answer {name} at once: the method is async or deferred; {_REMEDY}")
    return process


def _answers_script(node: Runtime, process: ServerProcess) -> bool:
    return node.blocked_modules is not None and process.run_state is HELD and script_of(process) is not None


def _obstacle(process: ServerProcess) -> str:
    if process.run_state is HELD:
        return "it is suspended"
    if process.run_state is not None:
        return f"it is running {process.current_callback() or 'a callback'}"
    return f"its mailbox is not empty (messages: {len(process.mail or ())})"
