"""Calls from the control thread into the event loop, with a fallback for a blocked loop."""

from __future__ import annotations

import asyncio
import inspect
import sys
import sysconfig
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final

from node_runtime.processes.errors import CRASH_EXCEPTIONS
from node_runtime.protocol.exit_codes import Refused

LOOP_TIMEOUT_SECONDS: Final = 1.0
"""Seconds for which a call without a fallback waits for the loop."""
FALLBACK_TIMEOUT_SECONDS: Final = 0.05
"""Seconds for which a call waits for the loop before its fallback runs in the control thread."""
MAX_WAITING_REQUESTS: Final = 64
"""Maximum number of requests that wait for the loop."""

_STDLIB: Final = sysconfig.get_path("stdlib")
_NEXT_SLICE: Final = object()
"""The result of a step of a generator that is not finished."""

ReplyCallback = Callable[[Any, BaseException | None], None]


class LoopBridge:
    """Runs work on `loop`, whose thread is `thread_id`. `run` and `later` are methods of `ControlSockets`.

    Call `ask` and `ask_in_slices` in the control thread; each calls `done(result, error)` once, in the same thread.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        thread_id: int,
        run: Callable[[Callable[[], None]], None],
        later: Callable[[float, Callable[[], None]], None],
    ) -> None:
        self._loop = loop
        self._thread_id = thread_id
        self._run = run
        self._later = later
        self._tasks: set[asyncio.Future[Any]] = set()
        self._waiting: dict[object, float] = {}

    def ask(self, work: Callable[[], Any], done: ReplyCallback, fallback: Callable[[str], Any] | None = None) -> None:
        """Run `work()`, which may be async, on the loop.

        If the loop doesn't start the work in time, the work never runs. Then the control thread
        calls `fallback(clause)`, which returns the result; without a fallback, the error is
        Refused. `clause` and the error say where the loop is blocked.
        """
        if len(self._waiting) >= MAX_WAITING_REQUESTS:
            done(
                None,
                Refused(
                    f"Nothing was done: {self.blocked()}; "
                    f"{len(self._waiting)} requests wait for the loop (limit {MAX_WAITING_REQUESTS})."
                ),
            )
            return
        token = object()
        claim = threading.Lock()  # its holder runs the work: the loop or, after the timeout, the control thread
        self._waiting[token] = time.monotonic()

        def finish(result: Any, error: BaseException | None) -> None:
            self._run(lambda: done(result, error))

        def on_loop() -> None:
            self._waiting.pop(token, None)
            if not claim.acquire(blocking=False):
                return
            try:
                result = work()
            except CRASH_EXCEPTIONS as error:
                finish(None, error)
                return
            if inspect.isawaitable(result):
                self._await_result(result, finish)
            else:
                finish(result, None)

        def on_timeout() -> None:
            if not claim.acquire(blocking=False):
                return
            try:
                clause = self.blocked()
                if fallback is None:
                    raise Refused(f"Nothing was done: {clause}.")
                done(fallback(clause), None)
            except Exception as error:
                done(None, error)

        try:
            self._loop.call_soon_threadsafe(on_loop)
        except RuntimeError:
            self._waiting.pop(token, None)
            done(None, Refused("The node is stopping, so nothing was done."))
            return
        self._later(LOOP_TIMEOUT_SECONDS if fallback is None else FALLBACK_TIMEOUT_SECONDS, on_timeout)

    def ask_in_slices(
        self,
        work: Callable[[], Generator[None, None, Any]],
        done: ReplyCallback,
        fallback: Callable[[str], Any] | None = None,
    ) -> None:
        """Run the generator `work()` on the loop, and pass its return value to `done`.

        Other callbacks may run at each `yield`. If the loop does not continue the generator in time,
        `fallback(clause)` replaces the work, as in `ask`.
        """
        slices: Generator[None, None, Any] | None = None

        def next_slice() -> Any:
            nonlocal slices
            if slices is None:
                slices = work()
            try:
                next(slices)
            except StopIteration as last:
                return last.value
            return _NEXT_SLICE

        def after(result: Any, error: BaseException | None) -> None:
            if result is _NEXT_SLICE:
                self.ask(next_slice, after, fallback)
            else:
                done(result, error)

        self.ask(next_slice, after, fallback)

    def blocked(self) -> str:
        """Return a clause that says for how long the loop has not answered, and which line of code it is in."""
        now = time.monotonic()
        since = min(list(self._waiting.values()), default=now)
        return f"the event loop has not answered for {now - since:.1f} s and is in {self._where()}"

    def _where(self) -> str:
        """Return the loop thread's innermost frame, preferably outside the standard library."""
        innermost = frame = sys._current_frames().get(self._thread_id)
        while frame is not None and _is_standard(frame.f_code.co_filename):
            frame = frame.f_back
        shown = frame or innermost
        if shown is None:
            return "a thread that has ended"
        return f"{shown.f_code.co_filename}:{shown.f_lineno} {shown.f_code.co_qualname}"

    def _await_result(self, awaitable: Awaitable[Any], finish: ReplyCallback) -> None:
        task = asyncio.ensure_future(awaitable)
        self._tasks.add(task)

        def ended(task: asyncio.Future[Any]) -> None:
            self._tasks.discard(task)
            if task.cancelled():
                finish(None, Refused("The node is stopping, so the outcome is unknown."))
            else:
                error = task.exception()
                finish(None if error else task.result(), error)

        task.add_done_callback(ended)


def _is_standard(file: str) -> bool:
    return file.startswith("<frozen") or (file.startswith(_STDLIB) and "site-packages" not in file)
