"""Getting a turn on the event loop, from the control thread, and knowing where the loop stands when it gives none."""

from __future__ import annotations

import asyncio
import inspect
import sys
import sysconfig
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final

from node_runtime.processes.errors import CRASHES
from node_runtime.protocol.exit_codes import Refused

PATIENCE: Final = 1.0
"""Seconds in which the loop has to take a piece of work that can be done there only."""
LOOK: Final = 0.05
"""Seconds in which it has to take one that can be done from beside it too."""
STANDARD: Final = sysconfig.get_path("stdlib")
AT_ONCE: Final = 64
"""Pieces of work that may wait for the loop."""

MORE: Final = object()
"""In place of a result: there is another slice."""

Done = Callable[[Any, BaseException | None], None]


class Turns:
    """Runs work on `loop`, whose thread is `thread_id`. `run` and `later` are the endpoint's.

    `ask` is called in the control thread, and there `done(result, error)` is called once.
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

    def ask(self, work: Callable[[], Any], done: Done, otherwise: Callable[[str], Any] | None = None) -> None:
        """Have `work()` done on the loop; it may be async.

        If the loop doesn't take it in time it is never done: `otherwise(sentence)` is, in the control thread, or,
        without that, the answer is Refused. The sentence says where the loop stands.
        """
        if len(self._waiting) >= AT_ONCE:
            done(None, Refused(f"Nothing was done: {self.blocked()}, and {AT_ONCE} requests wait for it."))
            return
        token = object()
        claim = threading.Lock()  # whoever gets it does the work: the loop or, too late for it, the control thread
        self._waiting[token] = time.monotonic()

        def finish(result: Any, error: BaseException | None) -> None:
            self._run(lambda: done(result, error))

        def on_loop() -> None:
            self._waiting.pop(token, None)
            if not claim.acquire(blocking=False):
                return
            try:
                result = work()
            except CRASHES as error:
                finish(None, error)
                return
            if inspect.isawaitable(result):
                self._await(result, finish)
            else:
                finish(result, None)

        def too_late() -> None:
            if not claim.acquire(blocking=False):
                return
            try:
                sentence = self.blocked()
                if otherwise is None:
                    raise Refused(f"Nothing was done: {sentence}.")
                done(otherwise(sentence), None)
            except Exception as error:
                done(None, error)

        try:
            self._loop.call_soon_threadsafe(on_loop)
        except RuntimeError:
            self._waiting.pop(token, None)
            done(None, Refused("The node is stopping, so nothing was done."))
            return
        self._later(PATIENCE if otherwise is None else LOOK, too_late)

    def ask_in_slices(
        self,
        work: Callable[[], Generator[None, None, Any]],
        done: Done,
        otherwise: Callable[[str], Any] | None = None,
    ) -> None:
        """Have what `work()` yields between done on the loop, each slice in a turn of its own, for what it returns.

        If the loop doesn't take the next one in time, `otherwise(sentence)` does it all, as for `ask`.
        """
        slices: Generator[None, None, Any] | None = None

        def go_on() -> Any:
            nonlocal slices
            if slices is None:
                slices = work()
            try:
                next(slices)
            except StopIteration as last:
                return last.value
            return MORE

        def after(result: Any, error: BaseException | None) -> None:
            if result is MORE:
                self.ask(go_on, after, otherwise)
            else:
                done(result, error)

        self.ask(go_on, after, otherwise)

    def blocked(self) -> str:
        """For how long the event loop has not answered, and where it is."""
        now = time.monotonic()
        since = min(list(self._waiting.values()), default=now)
        return f"the event loop has not answered for {now - since:.1f} s, it is in {self._where()}"

    def _where(self) -> str:
        """The innermost frame of the loop's thread, or the one beneath it that is not the standard library's."""
        innermost = frame = sys._current_frames().get(self._thread_id)
        while frame is not None and _is_standard(frame.f_code.co_filename):
            frame = frame.f_back
        shown = frame or innermost
        if shown is None:
            return "a thread that has ended"
        return f"{shown.f_code.co_filename}:{shown.f_lineno} {shown.f_code.co_qualname}"

    def _await(self, awaitable: Awaitable[Any], finish: Done) -> None:
        task = asyncio.ensure_future(awaitable)
        self._tasks.add(task)

        def ended(task: asyncio.Future[Any]) -> None:
            self._tasks.discard(task)
            if task.cancelled():
                finish(None, Refused("The node is stopping, so the outcome is not known."))
            else:
                error = task.exception()
                finish(None if error else task.result(), error)

        task.add_done_callback(ended)


def _is_standard(file: str) -> bool:
    return file.startswith("<frozen") or (file.startswith(STANDARD) and "site-packages" not in file)
