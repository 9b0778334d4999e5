"""One lifespan of an ASGI application: its startup, the tasks that the startup has created, and its shutdown.

As in uvicorn, an application that doesn't understand the lifespan protocol is served without a lifespan.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from contextvars import Context, copy_context
from itertools import count
from typing import Any, Final

from starlette.types import Message

from node_runtime.processes import Pid
from node_runtime.protocol.exit_codes import Refused

from .awaited_tasks import awaited_tasks, last_future, may_set
from .gated_tasks import GatedCoroutine, TaskGate, gating_tasks, startup_gate

logger: Final = logging.getLogger("node_runtime")

POLL_SECONDS: Final = 0.01
"""While the gate is closed, the node checks at this interval whether the startup awaits tasks of its own."""
FREE_ALL_SECONDS: Final = 5.0
"""After this time, all tasks of a startup may run: the startup may wait for them in a way that the check doesn't see.
"""
SHUTDOWN_SECONDS: Final = 60.0
"""The time limit of a shutdown after an upgrade."""


_numbers: Final = count(1)


class Lifespan:
    """One lifespan of the application `application`, whose name in messages is `reference`.

    When the listener's process, `process`, ends, it ends the lifespan. With `waits`, the tasks that the startup creates
    take their first step only when the gate is opened, except tasks for which the startup itself waits.
    """

    def __init__(
        self, reference: str, application: Any, process: Pid, *, state: dict[str, Any], waits: bool = False
    ) -> None:
        self.reference = reference
        self.application = application
        self.process = process
        self.state = state
        """The state of which each request gets a copy as `scope["state"]`. A startup may fill it."""
        self.gate = TaskGate(closed=waits)
        self.supported = True
        """Whether the application understands the protocol."""
        self.main: asyncio.Task[None] | None = None
        self._name = f"lifespan-{next(_numbers)} of {reference}"
        """The name of the task `main`. It is unique, because `hotdash purge` ends tasks by their names."""
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._received = False
        self._misused = False
        self._failure: str | None = None
        self._shutdown_failure: str | None = None
        self._started = asyncio.Event()
        self._ended = asyncio.Event()

    async def startup(self, context: Context | None = None) -> None:
        """Run the application's startup. Raises `Refused` if it fails. `context` is that of the listener's process."""
        loop = asyncio.get_running_loop()
        context = (context or copy_context()).copy()
        context.run(startup_gate.set, self.gate)
        self._events.put_nowait({"type": "lifespan.startup"})
        with gating_tasks(loop):
            self.main = loop.create_task(self._run(), name=self._name, context=context)
            try:
                await self._until_started()
            except BaseException:
                await self.end_at_once()
                raise
        if self._failure is not None:
            await self.end_at_once()
            raise Refused(f"the startup of {self.reference} failed: {self._failure}; correct it, or what it needs")

    def task_names(self) -> set[str]:
        """Return the names of the tasks that end with this lifespan."""
        return {task.get_name() for task in (self.main, *self.gate.tasks) if task is not None}

    async def _until_started(self) -> None:
        began = asyncio.get_running_loop().time()
        while not self._started.is_set():
            if not self.gate.closed:
                await self._started.wait()
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._started.wait()
            self._free_awaited(all_of_them=asyncio.get_running_loop().time() - began > FREE_ALL_SECONDS)

    def _free_awaited(self, *, all_of_them: bool) -> None:
        """Let the parked tasks run for which the startup waits. With `all_of_them`, let all parked tasks run."""
        parked = [task for task in self.gate.tasks if not _coroutine(task).freed]
        if self._started.is_set() or self.main is None or not parked:
            return
        awaited = awaited_tasks(self.main)
        ends = [last_future(task) for task in (self.main, *awaited)]
        for task in parked:
            if all_of_them or task in awaited or any(end is not None and may_set(task, end) for end in ends):
                _coroutine(task).freed = True
                self.gate.nudge()

    async def shutdown(self, seconds: float = SHUTDOWN_SECONDS) -> None:
        """Run the application's shutdown, for at most `seconds`, and end the lifespan. Failures are logged."""
        main = self.main
        if main is None or main.done() or not self.supported:
            await self.end_at_once()
            return
        self._events.put_nowait({"type": "lifespan.shutdown"})
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            self._shutdown_failure = f"it did not end within {seconds:g} s"
        if self._shutdown_failure is not None:
            logger.error(
                "the shutdown of %s failed, and what was left of it was cancelled: %s",
                self.reference,
                self._shutdown_failure,
            )
        await self.end_at_once()

    async def end_at_once(self) -> None:
        """Cancel what is left of the lifespan and of its tasks."""
        main, self.main = self.main, None
        self.gate.cancel()
        if main is not None and not main.done():
            main.cancel()
            await asyncio.wait([main], timeout=SHUTDOWN_SECONDS)
        self.application = None

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self.application(scope, self._receive, self._send)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._note(f"{type(error).__name__}: {error}")
        finally:
            if not self._started.is_set() and self._failure is None:
                self.supported = False
            self._started.set()
            self._ended.set()

    def _note(self, why: str) -> None:
        """Note why the application's startup has failed or, if the startup has ended, why the shutdown has failed."""
        if self._started.is_set():
            self._shutdown_failure = self._shutdown_failure or why
        elif self._received and not self._misused:
            self._failure = self._failure or why

    async def _receive(self) -> Message:
        self._received = True
        return await self._events.get()

    async def _send(self, message: Message) -> None:
        match message["type"]:
            case "lifespan.startup.complete":
                self._started.set()
            case "lifespan.startup.failed":
                self._failure = _last_line(message.get("message")) or "it sent lifespan.startup.failed"
                self._started.set()
            case "lifespan.shutdown.complete":
                self._ended.set()
            case "lifespan.shutdown.failed":
                self._shutdown_failure = _last_line(message.get("message")) or "it sent lifespan.shutdown.failed"
                self._ended.set()
            case other:
                self._misused = True
                raise RuntimeError(f"{other} is not an event of the lifespan protocol")


def _coroutine(task: asyncio.Task[Any]) -> GatedCoroutine:
    coroutine: Any = task.get_coro()
    assert isinstance(coroutine, GatedCoroutine)
    return coroutine


def _last_line(text: str | None) -> str:
    """Return the last line of a text, which in a traceback says what happened."""
    lines = [line for line in (text or "").splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
