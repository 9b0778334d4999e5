"""Processes without callbacks: a coroutine function that reads its own mail, or plain asyncio code.

A "process" knows the runtime and calls `receive`. A "task" is an asyncio coroutine function as it is: it need not
know that it is supervised. To a task an exit signal is a cancellation, so its `finally` blocks have the time until
the supervisor kills it; a process ends by an exit signal at once, as in OTP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import CORO_CREATED, getcoroutinestate
from types import BuiltinFunctionType, CoroutineType, FunctionType, MethodType
from typing import Any, ClassVar, Final, TypeAlias

from node_runtime.protocol.messages import Kind

from .crash_report import report_crash
from .errors import Exit, Stop
from .pid import Pid
from .process import BUSY, DEAD, HELD, WAITING, Process, here
from .reply_future import Answer
from .runtime import Runtime
from .scheduler import QUANTUM
from .sparse import Seldom
from .transaction import current_barrier

Function: TypeAlias = Callable[..., Awaitable[object]]
NOTHING: Final[Any] = object()
FUNCTIONS: Final = (FunctionType, MethodType, BuiltinFunctionType)


class CoroutineProcess(Process):
    """Runs one coroutine from its birth to its end."""

    __slots__ = ("begins", "function", "waiter", "without_wait")
    kind: ClassVar[Kind] = "process"
    told = Seldom[bool]()
    """It has been told to end, for its `reason`, which may be None."""

    def __init__(self, runtime: Runtime, parent: Pid, function: Function) -> None:
        super().__init__(runtime, parent)
        self.function = function
        self.waiter: Answer | None = None
        self.without_wait = 0
        self.begins: tuple[tuple[Any, ...], dict[str, Any]] | None = None
        """What its function is called with, once nobody holds it: it was born inside a barrier."""

    @property
    def module(self) -> str:
        module: str | None = self._named().__module__
        return module or "builtins"

    @property
    def qualname(self) -> str:
        qualname: str = self._named().__qualname__
        return qualname

    def _named(self) -> Any:
        """Its function, or the class of a callable object, whose own attributes may be code: looking runs none."""
        return self.function if type(self.function) in FUNCTIONS else type(self.function)

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Start the coroutine; its first step runs in a later turn, inside a barrier after its release."""
        if (inside := current_barrier()) is not None:
            self.gate, self.held, self.begins = HELD, {inside.owner}, (args, kwargs)
            inside.born.append(self.pid)
        else:
            self._go(args, kwargs)

    def resumed(self) -> None:
        if self.begins is not None:
            self.gate = BUSY
            self._go(*self.begins)
            self.begins = None

    def _go(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.since = time.monotonic()
        self.task = self.runtime.create_task(self._live(args, kwargs))

    async def _live(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        here.set(self)
        try:
            await self.function(*args, **kwargs)
            reason: object = self.reason if self.told else "normal"
        except Stop as stop:
            reason = stop.reason
            self._report(reason, stop)
        except asyncio.CancelledError as cancelled:
            reason = self.reason
            if not self.told:
                reason = cancelled
                self._report(reason, cancelled)
        except GeneratorExit:  # the event loop is gone
            raise
        except BaseException as error:
            reason = error
            self._report(reason, error)
        self.runtime.end(self, reason, inside=True)
        if self.gate is DEAD and self.pid not in self.runtime.zombies:
            self.task = None  # its context refers to the process: a ring would keep the function's code loaded

    def _report(self, reason: object, error: BaseException) -> None:
        if self.gate is not DEAD:
            report_crash(self, reason, error)

    def run(self) -> int:
        self.gate = BUSY
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)
        return 1

    async def next_message(self, timeout: float | None) -> Any:
        """The oldest message; waits at most `timeout` seconds. Raises TimeoutError."""
        if self.without_wait == QUANTUM:
            self.without_wait = 0
            await asyncio.sleep(0)  # before it takes a message, which would be lost if it were cancelled here
        message = self._take()
        if message is not NOTHING:
            self.without_wait += 1
            return message
        async with asyncio.timeout(timeout):
            while message is NOTHING:
                await self._wait_for_mail()
                message = self._take()
        return message

    async def _wait_for_mail(self) -> None:
        if self.waiter is not None:
            raise RuntimeError(f"{self.title()} waits in receive() already; one task of a process may read its mail")
        self.waiter = Answer(self.runtime)
        self.gate = WAITING
        self.spent, self.since = self.busy_seconds(), 0.0
        try:
            await self.waiter
        finally:
            self.waiter = None
            self.since = time.monotonic()
            if self.gate is WAITING:
                self.gate = BUSY

    def _take(self) -> Any:
        if self.gate is DEAD:
            raise Exit(self.reason)
        while mail := self.mail:
            item = mail.popleft()
            if not mail:
                self.mail = None
            self.handled += 1
            if item[0] is None:
                return item[1]
            self.runtime.fail(item, Exit("badcall", f"{self.title()} runs a coroutine and answers no calls"))
        return NOTHING


class TaskProcess(CoroutineProcess):
    """Runs asyncio code that needs no knowledge of the runtime."""

    __slots__ = ()
    kind: ClassVar[Kind] = "task"

    def die(self, reason: object) -> None:
        coroutine = None if self.task is None else self.task.get_coro()
        if self.task is None or (isinstance(coroutine, CoroutineType) and getcoroutinestate(coroutine) == CORO_CREATED):
            super().die(reason)  # it has nothing to clean up: a task that is cancelled before it begins runs nothing
        else:
            self.reason, self.told = reason, True
            self.task.cancel()
