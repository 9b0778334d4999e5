"""The process of a request that a route answers.

Each request is a process below its listener, which operators can inspect and kill. If its handler is a plain function,
the handler is called where the request is parsed: nothing else runs on the event loop before the response is written,
so a task would only cost time. All other handlers run in the task that uvicorn makes for the request.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR, CO_ITERABLE_COROUTINE
from types import FunctionType
from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from node_runtime.behaviours.code_references import ParsedReference
from node_runtime.processes.coroutine_process import AdoptedTask
from node_runtime.processes.crash_report import COUNTED, failures
from node_runtime.processes.process import DEAD, task_process

from .whole_response import is_complete, write_whole

logger: Final = logging.getLogger("node_runtime")

NOT_PLAIN: Final = CO_COROUTINE | CO_ITERABLE_COROUTINE | CO_GENERATOR | CO_ASYNC_GENERATOR

_FAILED: Final = PlainTextResponse("Internal Server Error", status_code=500)


class RequestCount:
    """The number of the running requests that use something, such as one version of the routes of a listener."""

    __slots__ = ("number", "on_unused")

    def __init__(self) -> None:
        self.number = 0
        self.on_unused: Callable[[], None] | None = None
        """Called when the last request has ended."""

    def __enter__(self) -> None:
        self.number += 1

    def __exit__(self, *_: object) -> None:
        self.number -= 1
        if self.on_unused is not None and not self.number:
            self.on_unused()


class Begun(NamedTuple):
    """A request whose handler, a plain function, has returned `response`. A task has to send the response."""

    process: AdoptedTask
    response: object


def answer_at_once(
    handler: ParsedReference, count: RequestCount, scope: Scope, start_task: Callable[..., None], cycle: Any
) -> bool:
    """Answer a request without a task, if the handler is a plain function, and return True. Otherwise return False.

    `cycle` is uvicorn's object for the request. `start_task(cycle, application)` runs an application in a task; it is
    called if the response of the function can't be written at once.
    """
    try:
        function = handler.resolve()
    except (LookupError, ImportError):
        return False
    if type(function) is not FunctionType or function.__code__.co_flags & NOT_PLAIN:
        return False
    # As in a task, the function has a context of its own.
    copy_context().run(_call, partial(respond, handler, count), function, handler, scope, start_task, cycle)
    return True


def _call(
    respond_later: Callable[..., Any],
    function: Callable[[Request], Any],
    handler: ParsedReference,
    scope: Scope,
    start_task: Callable[..., None],
    cycle: Any,
) -> None:
    process = AdoptedTask(respond)
    process.begin_call()
    task_process.set(process)
    request = Request(scope, cycle.receive)
    try:
        response = function(request)
    except Exception:
        response = _failed(handler, request)
    except BaseException as error:
        process.end_call(error)
        response = _FAILED
    is_dead = process.run_state is DEAD
    if is_dead:
        response = _FAILED
    if is_complete(response) and write_whole(cycle, response):
        process.end_call(None)
    elif is_dead:
        process.end_call(None)
        start_task(cycle, response)
    else:
        start_task(cycle, partial(respond_later, begun=Begun(process, response)))


async def respond(
    handler: ParsedReference,
    count: RequestCount,
    scope: Scope,
    receive: Receive,
    send: Send,
    begun: Begun | None = None,
) -> None:
    """Run a request's process in the current task: look up the handler by name, call it, and send its response."""
    began = False
    process = AdoptedTask(respond) if begun is None else begun.process
    try:
        with count, process:
            request = Request(scope, receive)
            try:
                response = handler.resolve()(request) if begun is None else begun.response
                if not isinstance(response, Response):
                    response = await _awaited(handler, response)
            except Exception:
                response = _failed(handler, request)
            if not is_complete(response):

                async def observed(message: Message) -> None:
                    nonlocal began
                    began = True
                    await send(message)

                await response(scope, receive, observed)
            elif not write_whole(getattr(send, "__self__", None), response):
                # This is what the response itself would do, but without a coroutine for it.
                began = True
                await send(
                    {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
                )
                await send({"type": "http.response.body", "body": response.body})
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if not process.was_killed or task is None:
            raise
        task.uncancel()
        if not began:
            await _FAILED(scope, receive, send)
    except Exception as error:
        if began:
            raise RuntimeError(f"the response of {handler} could not be sent") from error
        await _FAILED(scope, receive, send)


async def _awaited(handler: ParsedReference, response: object) -> Response:
    """Return the response of a handler that may be `async def`. Raises TypeError if it isn't a Response."""
    if inspect.isawaitable(response):
        response = await response
    if not isinstance(response, Response):
        raise TypeError(f"{handler} must return a Response, not {type(response).__name__}")
    return response


def _failed(handler: ParsedReference, request: Request) -> Response:
    """Log the exception that a handler has raised, and return the response for the client."""
    failures().crashes += 1
    extra = {COUNTED: True}
    logger.exception("%s failed to answer %s %s", handler, request.method, request.url.path, extra=extra)
    return _FAILED
