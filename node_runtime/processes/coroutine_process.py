"""Processes without callbacks: they run a coroutine function that calls `receive`, or plain asyncio code.

A process of the kind "process" uses the runtime's functions, such as `receive`. An exit signal ends it at once, as in
OTP. A process of the kind "task" runs plain asyncio code that doesn't use the runtime. An exit signal cancels this
code; its `finally` blocks may then run until the supervisor kills the process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import Token
from inspect import CORO_CREATED, getcoroutinestate
from types import BuiltinFunctionType, CoroutineType, FunctionType, MethodType
from typing import Any, ClassVar, Final, Self, TypeAlias

from node_runtime.protocol.messages import ProcessKind

from .crash_report import report_crash
from .errors import Exit, Stop
from .pid import ROOT, Pid
from .process import BUSY, DEAD, HELD, NORMAL_END, WAITING, Process, SparseAttribute, task_process
from .reply_future import ReplyFuture
from .runtime import Runtime, runtime
from .scheduler import MAX_MESSAGES_PER_RUN
from .transaction import current_transaction

ProcessFunction: TypeAlias = Callable[..., Awaitable[object]]
NO_MESSAGE: Final[Any] = object()
FUNCTION_TYPES: Final = (FunctionType, MethodType, BuiltinFunctionType)


class CoroutineProcess(Process):
    """A process that runs one coroutine, from the start of the process to its end."""

    __slots__ = ("deferred_start", "function", "mail_waiter", "messages_without_wait")
    kind: ClassVar[ProcessKind] = "process"
    exit_requested = SparseAttribute[bool]()
    """True after an exit signal has cancelled the coroutine.

    `reason` is then the signal's reason, which may be None.
    """

    def __init__(self, runtime: Runtime, parent: Pid, function: ProcessFunction) -> None:
        Process.__init__(self, runtime, parent)  # `super()` takes 0.2 µs
        self.function = function
        self.mail_waiter: ReplyFuture | None = None
        self.messages_without_wait = 0
        self.deferred_start: tuple[tuple[Any, ...], dict[str, Any]] | None = None
        """The function's arguments, if the process was spawned inside a transaction.

        The function is called when the process is resumed.
        """

    @property
    def module(self) -> str:
        module: str | None = self._named_code().__module__
        return module or "builtins"

    @property
    def qualname(self) -> str:
        qualname: str = self._named_code().__qualname__
        return qualname

    def _named_code(self) -> Any:
        """Return the function that the process runs. For a callable of another kind, return its class.

        Reading an attribute of the callable itself could run user code.
        """
        return self.function if type(self.function) in FUNCTION_TYPES else type(self.function)

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Start the coroutine in a later turn of the event loop; inside a transaction, when the process is resumed."""
        if (inside := current_transaction()) is not None:
            self.run_state, self.suspend_owners, self.deferred_start = HELD, {inside.owner}, (args, kwargs)
            inside.started.append(self.pid)
        else:
            self._start_task(args, kwargs)

    def on_resumed(self) -> None:
        if self.deferred_start is not None:
            self.run_state = BUSY
            self._start_task(*self.deferred_start)
            self.deferred_start = None

    def _start_task(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.callback_began = time.monotonic()
        self.task = self.runtime.create_task(self._run_function(args, kwargs))

    async def _run_function(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        task_process.set(self)
        try:
            await self.function(*args, **kwargs)
            reason: object = self.reason if self.exit_requested else "normal"
        except Stop as stop:
            reason = stop.reason
            self._report(reason, stop)
        except asyncio.CancelledError as cancelled:
            reason = self.reason
            if not self.exit_requested:
                reason = cancelled
                self._report(reason, cancelled)
        except GeneratorExit:  # the event loop is closed
            raise
        except BaseException as error:
            reason = error
            self._report(reason, error)
        self.runtime.end(self, reason, inside=True)
        if self.run_state is DEAD and self.pid not in self.runtime.zombies:
            self.task = None  # otherwise a cycle of task and process would keep the function's code alive

    def _report(self, reason: object, error: BaseException) -> None:
        if self.run_state is not DEAD:
            report_crash(self, reason, error)

    def run(self) -> int:
        self.run_state = BUSY
        if self.mail_waiter is not None and not self.mail_waiter.done():
            self.mail_waiter.set_result(None)
        return 1

    async def next_message(self, timeout: float | None) -> Any:
        """Take the oldest message, waiting at most `timeout` seconds. Raises TimeoutError."""
        if self.messages_without_wait == MAX_MESSAGES_PER_RUN:
            self.messages_without_wait = 0
            await asyncio.sleep(0)  # before a message is taken, so that a cancellation loses no message
        message = self._take()
        if message is not NO_MESSAGE:
            self.messages_without_wait += 1
            return message
        async with asyncio.timeout(timeout):
            while message is NO_MESSAGE:
                await self._wait_for_mail()
                message = self._take()
        return message

    async def _wait_for_mail(self) -> None:
        if self.mail_waiter is not None:
            raise RuntimeError(f"another task of {self.title()} already waits in receive(); call it in one task only")
        self.mail_waiter = ReplyFuture(self.runtime)
        self.run_state = WAITING
        self.spent, self.callback_began = self.busy_seconds(), 0.0
        try:
            await self.mail_waiter
        finally:
            self.mail_waiter = None
            self.callback_began = time.monotonic()
            if self.run_state is WAITING:
                self.run_state = BUSY

    def _take(self) -> Any:
        if self.run_state is DEAD:
            raise Exit(self.reason)
        while mail := self.mail:
            item = mail.popleft()
            if not mail:
                self.mail = None
            self.handled += 1
            if item[0] is None:
                return item[1]
            sentence = f"{self.title()} runs a coroutine, so it can't be called; send it a message"
            self.runtime.fail(item, Exit("badcall", sentence))
        return NO_MESSAGE


class TaskProcess(CoroutineProcess):
    """A process that runs plain asyncio code, which doesn't use the runtime."""

    __slots__ = ()
    kind: ClassVar[ProcessKind] = "task"

    def take_untrapped_exit(self, reason: object) -> None:
        coroutine = None if self.task is None else self.task.get_coro()
        if self.task is None or (isinstance(coroutine, CoroutineType) and getcoroutinestate(coroutine) == CORO_CREATED):
            super().take_untrapped_exit(reason)  # a task cancelled before its first step has nothing to clean up
        else:
            self.reason, self.exit_requested = reason, True
            self.task.cancel()


class AdoptedTask(CoroutineProcess):
    """A context manager that makes the current asyncio task a process while its block runs.

    The runtime has not created the task. `function` is a function of the runtime, and is shown as the code of the
    process. The parent of the process is the calling process. If the process is killed, its task is cancelled, as for
    any other process. The caller may catch the CancelledError, call `uncancel` on the task, and continue. An error is
    reported as the crash of the process. OTP has no such process.

    Such a process can also run a function without a task: `begin_call` begins the process before the call, and
    `end_call` ends it afterwards. If the function turns out to need a task, this task enters the block, and `end_call`
    is not called.
    """

    __slots__ = ("_token", "was_killed")

    def __init__(self, function: ProcessFunction) -> None:
        node = runtime()
        caller = node.calling_process()
        parent = ROOT if caller is None else caller.pid
        if type(caller) is AdoptedTask:
            parent = caller.parent  # a task inside the block of another AdoptedTask
        CoroutineProcess.__init__(self, node, parent, function)
        self._token: Token[Process | None] | None = None
        self.was_killed = False
        """Whether an exit signal has ended the process before the end of the block."""

    def begin_call(self) -> None:
        """Begin the process before there is a task. Afterwards, a task enters the block, or `end_call` is called."""
        self.runtime.add_process(self)
        self.callback_began = time.monotonic()

    def __enter__(self) -> Self:
        if not self.callback_began:
            self.begin_call()
        elif self.run_state is DEAD:  # killed after `begin_call`, when there was no task to cancel
            self.was_killed = True
            self.runtime.last_frame_ended(self)
            raise asyncio.CancelledError
        self.task = asyncio.current_task(self.runtime.loop)
        self._token = task_process.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self.was_killed = self.run_state is DEAD
        if self._token is not None:
            task_process.reset(self._token)
            self._token = None  # the token refers to the task's context
        self._end(error)
        if not self.runtime.zombies or self.pid not in self.runtime.zombies:
            self.task = None  # the task refers to the process

    def end_call(self, error: BaseException | None) -> None:
        """End a process that `begin_call` began: its plain function has returned, or it has raised `error`."""
        if self.run_state is DEAD:
            self.runtime.last_frame_ended(self)
        else:
            self._end(error)

    def _end(self, error: BaseException | None) -> None:
        if error is None and self.run_state is BUSY and self.is_alone() and not self.runtime.subscribers:
            self._end_alone()
            return
        reason: object = "normal"
        if isinstance(error, asyncio.CancelledError):
            reason = "shutdown"
        elif error is not None:
            reason = error
            if self.run_state is not DEAD:
                report_crash(self, error, error)
        self.runtime.end(self, reason, inside=True)

    def _end_alone(self) -> None:
        """End normally, as `Runtime.end` does, but faster. Only for a process for which `is_alone` returns True."""
        self.spent, self.callback_began = self.busy_seconds(), 0.0
        self.run_state = DEAD
        self.sparse = NORMAL_END
        del self.runtime.processes[self.pid]
        self.runtime.exit_log.add_alone(self)
