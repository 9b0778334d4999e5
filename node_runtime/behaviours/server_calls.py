"""Calls and casts to servers. Follows gen_server:call/3 and cast/2 of OTP.

The caller passes a method of the class, so that a type checker can check the arguments and the result. Only the *name*
of the method is sent: the server runs the method that the current version of its class has under this name.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, overload

from node_runtime.processes import current_runtime
from node_runtime.processes.errors import NoProcess
from node_runtime.processes.pid import Target
from node_runtime.processes.process import BUSY, MailItem, Process
from node_runtime.processes.reply_future import ReplyFuture
from node_runtime.processes.runtime import runtime
from node_runtime.processes.scheduler import DEFAULT_CALL_SECONDS
from node_runtime.processes.timers import check_seconds

from .behaviour_process import CALLBACK_ERRORS
from .request import ensure_caller_alive, method_name, not_a_method, send_request, wait_for_reply

R = TypeVar("R")
P = ParamSpec("P")

_ABSENT: Final[Any] = object()
_NO_KWARGS: Final[dict[str, Any]] = {}
"""The shared dict of all requests without keywords. Separate dicts would make the garbage collector run more often."""


def _request(
    name: str, argument: Any, args: tuple[Any, ...], kwargs: dict[str, Any], answer: ReplyFuture | None
) -> MailItem:
    """Return a request as an entry of a mailbox."""
    if argument is _ABSENT:
        return (name, (), kwargs or _NO_KWARGS, answer)
    if args or kwargs:
        return (name, (argument, *args), kwargs or _NO_KWARGS, answer)
    return (name, argument, None, answer)


@overload
async def call(
    target: Target, method: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
) -> R: ...
@overload
async def call(target: Target, method: Callable[Concatenate[Any, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
async def call(  # noqa: PLR0912
    target: Target, method: Callable[..., Any], argument: Any = _ABSENT, /, *args: Any, **kwargs: Any
) -> Any:
    """Call a method of a server and wait for the answer, at most 5 s: `await call("counter", Counter.add, 3)`.

    Returns the result of the method. If the server is idle and the method is not async, the method runs at once, inside
    the caller's `call`, with the caller's context variables.

    Raises CallTimeout after 5 s, and Exit with the reason if the server ends before it answers. Raises NoProcess at
    once if there is no such process, and Deadlock at once if the server waits for the caller, directly or through other
    processes. If the server has no such method, raises Exit with the reason "badcall"; the server keeps running. Raises
    TypeError for an object that is not a method.

    Follows gen_server:call/2.
    """
    node = current_runtime.node or runtime()
    if node.zombies:
        node.refuse_zombie()
    known: dict[Any, Any] = node.names if isinstance(target, str) else node.processes
    try:
        name = method.__name__
        process: Any = known[target]
    except KeyError:
        raise NoProcess(target) from None
    except AttributeError:
        raise not_a_method(method) from None
    mail, began = process.mail, 0.0
    # `run_state` is None only for processes with callbacks, and `methods` is empty for all but servers.
    if (
        process.run_state is not None
        or mail is not None
        or (code := process.code).home.__dict__ is not code.namespace
        or (function := code.methods.get(name)) is None
        or (node.inline_credit <= node.check_clock_at and not (began := node.inline_start_time()))
    ):
        return await send_request(
            node, process, _request(name, argument, args, kwargs, ReplyFuture(node)), DEFAULT_CALL_SECONDS
        )
    node.inline_credit -= 1
    # From here on, this is BehaviourProcess.serve, but without a future for the answer.
    failure: BaseException | None = None
    result: Any = None
    process.run_state = BUSY
    process.handled += 1
    node.current = process
    try:
        if argument is _ABSENT:
            result = function(process.instance, **kwargs)
        elif args or kwargs:
            result = function(process.instance, argument, *args, **kwargs)
        else:  # with one argument, Python makes the call without a C frame
            result = function(process.instance, argument)
    except CALLBACK_ERRORS as error:
        failure = error
    finally:
        node.current = None
        if began:
            node.count_inline_call(process, began)
    if failure is None and process.run_state is BUSY and type(result) is not CoroutineType:
        process.run_state = None
        if process.mail is not None:
            node.make_ready(process)
        if node.zombies:
            await ensure_caller_alive(node)
        return result
    item = _request(name, argument, args, kwargs, ReplyFuture(node))
    if failure is None and type(result) is CoroutineType:
        process.continue_in_task(result, item)
    else:
        process.finish_inline_call(item, result, failure)
    return await wait_for_reply(node, process, item, DEFAULT_CALL_SECONDS)


@overload
async def call_within(
    seconds: float | None,
    target: Target,
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R: ...
@overload
async def call_within(
    seconds: float | None,
    target: Target,
    method: Callable[Concatenate[Any, P], R],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R: ...
async def call_within(
    seconds: float | None, target: Target, method: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> Any:
    """Like `call`, with a time limit of `seconds` seconds; None waits forever.

    Also raises ValueError for an invalid time. Follows gen_server:call/3.
    """
    node, name = runtime(), method_name(method)
    if seconds is not None:
        check_seconds(seconds)
    process = node.find(target)
    return await send_request(node, process, (name, args, kwargs, ReplyFuture(node)), seconds)


@overload
def cast(
    target: Target,
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, Any]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> None: ...
@overload
def cast(target: Target, method: Callable[Concatenate[Any, P], Any], /, *args: P.args, **kwargs: P.kwargs) -> None: ...
def cast(target: Target, method: Callable[..., Any], argument: Any = _ABSENT, /, *args: Any, **kwargs: Any) -> None:
    """Send a request to a server and don't wait for its result. Does nothing if there is no such process.

    Raises TypeError for an object that is not a method. Follows gen_server:cast/2.
    """
    node = current_runtime.node or runtime()
    if node.zombies:
        node.refuse_zombie()
    known: dict[Any, Process] = node.names if isinstance(target, str) else node.processes
    try:
        process = known[target]
        if not (args or kwargs) and argument is not _ABSENT:
            item: MailItem = (method.__name__, argument, None, None)
        else:
            item = _request(method.__name__, argument, args, kwargs, None)
    except KeyError:
        method_name(method)
        return
    except AttributeError:
        raise not_a_method(method) from None
    if (mail := process.mail) is not None:
        mail.append(item)
    else:
        node.post(process, item)
