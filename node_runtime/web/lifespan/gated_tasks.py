"""Tasks that can be parked: while their gate is closed, they take no step.

A task that an application's startup creates runs its coroutine through a `GatedCoroutine`. While the gate is closed,
the GatedCoroutine answers each step with a future that is done when the gate opens, and then takes the step. A
cancellation reaches the coroutine even if the gate is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final


class TaskGate:
    """The gate of the tasks that one startup creates."""

    def __init__(self, *, closed: bool) -> None:
        self.closed = closed
        self.tasks: set[asyncio.Task[Any]] = set()
        """The tasks that have not ended."""
        self._waiting: set[asyncio.Future[None]] = set()

    def close(self) -> None:
        """Let the tasks take no further step."""
        self.closed = True

    def open(self) -> None:
        """Let the tasks continue where they stopped."""
        self.closed = False
        self.nudge()

    def nudge(self) -> None:
        """Wake each waiting task, which then checks again whether it may continue."""
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def cancel(self) -> None:
        """Cancel all tasks, and let them end."""
        for task in list(self.tasks):
            task.cancel()
        self.open()

    def add(self, task: asyncio.Task[Any]) -> None:
        """Remember a task until it ends."""
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def passage(self) -> asyncio.Future[None]:
        """Return a future that is done when the gate opens, in the form in which a coroutine yields it to its task."""
        future: Any = asyncio.get_running_loop().create_future()
        future._asyncio_future_blocking = True  # what `await future` sets, so that the task waits for it
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        waiting: asyncio.Future[None] = future
        return waiting


class GatedCoroutine(Coroutine[Any, Any, Any]):
    """A coroutine that takes no step while its gate is closed, unless it was freed."""

    __slots__ = ("__dict__", "__weakref__", "_coroutine", "_gate", "_step", "freed")

    def __init__(self, coroutine: Any, gate: TaskGate) -> None:
        self._coroutine = coroutine
        self._gate = gate
        self._step: Callable[[], Any] | None = None
        self.freed = False
        self.__name__ = getattr(coroutine, "__name__", type(coroutine).__name__)
        self.__qualname__ = getattr(coroutine, "__qualname__", self.__name__)

    def send(self, value: Any) -> Any:
        return self._take(lambda: self._coroutine.send(value))

    def throw(self, error: Any, value: Any = None, traceback: Any = None) -> Any:
        if isinstance(error, asyncio.CancelledError):
            self._step = None
            return self._coroutine.throw(error)
        return self._take(lambda: self._coroutine.throw(error))

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        waiting: Awaitable[Any] = self._coroutine
        return waiting.__await__()

    def _take(self, step: Callable[[], Any]) -> Any:
        """If the gate is open, take the kept step, or else `step`. If the gate is closed, keep the step and return a
        future.
        """
        if self._step is None:
            self._step = step
        if self._gate.closed and not self.freed:
            return self._gate.passage()
        step, self._step = self._step, None
        return step()

    # The attributes of coroutines that inspect and asyncio read.

    @property
    def cr_frame(self) -> Any:
        return getattr(self._coroutine, "cr_frame", None)

    @property
    def cr_code(self) -> Any:
        return getattr(self._coroutine, "cr_code", None)

    @property
    def cr_running(self) -> bool:
        return bool(getattr(self._coroutine, "cr_running", False))

    @property
    def cr_suspended(self) -> bool:
        return bool(getattr(self._coroutine, "cr_suspended", False))

    @property
    def cr_await(self) -> Any:
        return getattr(self._coroutine, "cr_await", None)


startup_gate: Final[ContextVar[TaskGate | None]] = ContextVar("node_runtime.startup_gate", default=None)
"""The gate of the startup in whose context the code runs."""


@contextmanager
def gating_tasks(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Inside the block, a task that is created in the context of a startup gets the gate of this startup."""
    previous: Any = loop.get_task_factory()

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        gate = startup_gate.get()
        if gate is not None:
            coroutine = GatedCoroutine(coroutine, gate)
        task: asyncio.Task[Any]
        if previous is None:
            task = asyncio.Task(coroutine, loop=loop, **options)
        else:
            task = previous(loop, coroutine, **options)
        if gate is not None:
            gate.add(task)
        return task

    loop.set_task_factory(factory)
    try:
        yield
    finally:
        if loop.get_task_factory() is factory:
            loop.set_task_factory(previous)
