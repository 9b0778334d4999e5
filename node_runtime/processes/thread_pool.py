"""Threads that work for processes. A process that has ended is a zombie while a thread still works for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from threading import get_ident
from types import FrameType
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from .process import Process, task_process

if TYPE_CHECKING:
    from .runtime import Runtime

P = ParamSpec("P")
T = TypeVar("T")


class ProcessThreadPool(ThreadPoolExecutor):
    """The default executor of a runtime's event loop, in which `asyncio.to_thread` runs its function.

    A thread can't be ended from outside. So an ended process is listed as a zombie until the last
    function that it has passed to a thread returns. The runtime refuses calls from such a function.
    """

    def __init__(self, node: Runtime) -> None:
        super().__init__(thread_name_prefix="asyncio")
        self._node = node

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Submit `fn`; the calling process is recorded as having a thread until `fn` returns."""
        node, process = self._node, self._node.calling_process()
        if process is None:
            return super().submit(fn, *args, **kwargs)
        work = ThreadWork(process)
        future = super().submit(work.run, partial(fn, *args, **kwargs))
        process.threads = (*(process.threads or ()), work)

        def forget(_: object) -> None:
            with suppress(RuntimeError):  # the event loop may be closed by now
                node.loop.call_soon_threadsafe(node.thread_ended, process, work)

        future.add_done_callback(forget)
        return future


class ThreadWork:
    """A function that a thread runs for a process."""

    __slots__ = ("process", "thread")

    def __init__(self, process: Process) -> None:
        self.process = process
        self.thread: int | None = None
        """The thread's identifier, once the function has started."""

    def run(self, function: Callable[[], T]) -> T:
        """Call `function` on behalf of the process."""
        self.thread = get_ident()
        token = task_process.set(self.process)
        try:
            return function()
        finally:
            task_process.reset(token)

    def frames(self) -> Iterator[FrameType]:
        """Yield the thread's frames, outermost first, from the frame of the process's function on."""
        frames: list[FrameType] = []
        frame = None if self.thread is None else sys._current_frames().get(self.thread)
        while frame is not None and frame.f_code is not ThreadWork.run.__code__:
            frames.append(frame)
            frame = frame.f_back
        return reversed(frames) if frame is not None else iter(())
