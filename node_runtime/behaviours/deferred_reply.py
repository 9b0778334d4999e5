"""Deferred replies: a call is answered later, or by another process. Follows gen_server:reply/2."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from types import FunctionType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from node_runtime.processes.pid import Pid
from node_runtime.processes.reply_future import AnyReplyFuture
from node_runtime.processes.runtime import runtime

S = TypeVar("S")
R = TypeVar("R")
P = ParamSpec("P")


class From(Generic[R]):
    """The identity of a caller that waits for a reply. May be stored and passed to other processes.

    `pid` is the called process. If it ends without a reply, the caller gets an Exit. Follows gen_server:from().
    """

    __slots__ = ("_future", "pid")

    def __init__(self, pid: Pid, future: AnyReplyFuture | None) -> None:
        self.pid = pid
        self._future = future

    def __repr__(self) -> str:
        return f"<a call to {self.pid}>"


def reply(to: From[R], answer: R) -> None:
    """Answer a call that has no answer yet. A second answer, or an answer to a caller that no longer waits, is dropped.

    Follows gen_server:reply/2 and gen_statem:reply/2.
    """
    node = runtime()
    node.refuse_zombie()
    future = to._future
    if future is None:
        return
    process = node.processes.get(to.pid)
    if process is not None:
        process.forget_pending_reply(future)
    if not future.done():
        future.set_result(answer)
        if process is not None:
            process.on_pending_reply_sent(future, answer)


@overload
def deferred(
    method: Callable[Concatenate[S, From[R], P], Coroutine[Any, Any, None]],
) -> Callable[Concatenate[S, P], R]: ...
@overload
def deferred(method: Callable[Concatenate[S, From[R], P], None]) -> Callable[Concatenate[S, P], R]: ...
def deferred(method: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a public method that answers its calls later: by `reply(from_, answer)`, in any process.

    The method gets a From as its first argument and returns nothing. Callers don't pass the From. Example: `@deferred
    def take(self, from_: From[Loaf], size: int) -> None` is called by `await call(bakery, Bakery.take, 3)`, and the
    call returns a Loaf. A cast of the method also passes a From, but an answer to it is dropped. OTP: `noreply` of
    gen_server:handle_call/3.
    """
    method.__dict__["deferred"] = True
    return method


def is_deferred(method: FunctionType) -> bool:
    """Return whether a method is marked with `deferred`."""
    return "deferred" in method.__dict__
