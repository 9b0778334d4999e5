"""Calls from the control thread into the event loop, with a fallback for a blocked loop."""

from __future__ import annotations

import asyncio
import inspect
import sys
import sysconfig
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from types import FrameType
from typing import Any, Final, NamedTuple

from node_runtime.processes.errors import CRASH_EXCEPTIONS
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Role

LOOP_TIMEOUT_SECONDS: Final = 1.0
"""Seconds for which a `LoopCall` without a fallback waits for the event loop; then it is refused."""
FALLBACK_TIMEOUT_SECONDS: Final = 0.05
"""Seconds for which a `LoopCall` with a fallback waits for the event loop before the fallback runs."""
CONTINUED_TIMEOUT_SECONDS: Final = 0.5
"""Seconds for which work that has begun waits for its next slice, before its fallback replaces it.

A fallback begins the work again. On a busy machine, this costs more than waiting for a loop that is only slow.
"""
PATIENT_SECONDS: Final = 2.0
"""Seconds after which the slices of a call get the shorter time limit of other calls, because a client waits for the
answer.
"""
MAX_WAITING_REQUESTS: Final[dict[Role, int]] = {"viewer": 32, "operator": 64}
"""Maximum number of requests of a role that wait for the loop."""
MAX_URGENT_REQUESTS: Final = 8
"""Maximum number of an operator's urgent requests that wait for the loop beyond `MAX_WAITING_REQUESTS`."""

_STDLIB: Final = sysconfig.get_path("stdlib")
_NEXT_SLICE: Final = object()
"""The result of a step of a generator that is not finished."""

ReplyCallback = Callable[[Any, BaseException | None], None]


class LoopCall(NamedTuple):
    """A call into the loop, for a client with `role`.

    `work()` runs on the loop, and may be async. `done(result, error)` is called once, in the control thread. If the
    loop does not start the work in time, the work never runs. Then `fallback(clause)` runs in the control thread and
    gives the result. If `fallback` returns a generator, other requests are handled at each `yield`. Without a fallback,
    the error is Refused. `clause` and the error say where the loop is blocked.
    """

    work: Callable[[], Any]
    done: ReplyCallback
    fallback: Callable[[str], Any] | None = None
    role: Role = "operator"
    urgent: bool = False
    timeout: float | None = None
    """Seconds to wait for the loop; None for the usual time."""


@dataclass(slots=True)
class _Lane:
    """The calls of one role.

    `on_loop` has the calls that were passed to the loop and have not run yet, each with its time. A viewer's next calls
    wait in `queue` until `ended` is true: the last call has a result or an error. `fallbacks` has the generators of
    fallbacks with their `done`; the first one is running.
    """

    on_loop: dict[object, float] = field(default_factory=dict)
    queue: deque[LoopCall] = field(default_factory=deque)
    fallbacks: deque[tuple[Generator[None, None, Any], ReplyCallback]] = field(default_factory=deque)
    ended: bool = True


class LoopBridge:
    """Runs work on `loop`, whose thread is `thread_id`. `run` and `later` are methods of `ControlThread`.

    Call `ask` and `ask_in_slices` in the control thread.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        thread_id: int,
        run: Callable[[Callable[[], None]], object],
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self._loop = loop
        self._thread_id = thread_id
        self._run = run
        self._later = later
        self._tasks: set[asyncio.Future[Any]] = set()
        self._lanes: dict[Role, _Lane] = {"viewer": _Lane(), "operator": _Lane()}

    def ask(self, call: LoopCall) -> None:
        """Run a call on the loop as soon as possible."""
        lane = self._lanes[call.role]
        waiting = len(lane.on_loop) + len(lane.queue)
        limit = MAX_WAITING_REQUESTS[call.role]
        if waiting >= limit + MAX_URGENT_REQUESTS * call.urgent:
            if self._waited() < FALLBACK_TIMEOUT_SECONDS:
                call = call._replace(fallback=None)  # the loop isn't blocked, it only gets too many requests
            self._give_up(call, f"; {waiting} requests of {call.role}s wait for the loop (limit {limit})")
        elif lane.ended or call.role == "operator":
            self._hand_over(call, lane)
        else:
            lane.queue.append(call)

    def _hand_over(self, call: LoopCall, lane: _Lane) -> None:
        token = object()
        # Acquired by the thread that handles the call: the loop's thread or, after the timeout, the control thread.
        claim = threading.Lock()
        lane.on_loop[token] = time.monotonic()
        lane.ended = False

        def done(result: Any, error: BaseException | None) -> None:
            lane.ended = True
            if lane.queue:
                self._hand_over(lane.queue.popleft(), lane)
            call.done(result, error)

        def finish(result: Any, error: BaseException | None) -> None:
            self._run(lambda: done(result, error))

        def on_loop() -> None:
            lane.on_loop.pop(token, None)
            if not claim.acquire(blocking=False):
                return
            try:
                result = call.work()
            except CRASH_EXCEPTIONS as error:
                finish(None, error)
                return
            if inspect.isawaitable(result):
                self._await_result(result, finish)
            else:
                finish(result, None)

        def on_timeout() -> None:
            if claim.acquire(blocking=False):
                self._give_up(call._replace(done=done))

        try:
            self._loop.call_soon_threadsafe(on_loop)
        except RuntimeError:
            lane.on_loop.pop(token, None)
            done(None, Refused("The node is stopping, so nothing was done."))
            return
        usual = LOOP_TIMEOUT_SECONDS if call.fallback is None else FALLBACK_TIMEOUT_SECONDS
        self._later(usual if call.timeout is None else call.timeout, on_timeout)

    def _give_up(self, call: LoopCall, why: str = "") -> None:
        """End a call that the loop won't run: call its fallback, or refuse it."""
        clause = self.blocked()
        try:
            if call.fallback is None:
                raise Refused(f"Nothing was done: {clause}{why}.")
            result = call.fallback(clause)
        except Exception as error:
            call.done(None, error)
        else:
            if isinstance(result, Generator):
                self._run_fallback(result, call)
            else:
                call.done(result, None)

    def _run_fallback(self, slices: Generator[None, None, Any], call: LoopCall) -> None:
        """Run a fallback in slices, after the fallbacks that clients of the same role wait for."""
        fallbacks = self._lanes[call.role].fallbacks
        fallbacks.append((slices, call.done))
        if len(fallbacks) == 1:
            self._run_fallback_slice(fallbacks)

    def _run_fallback_slice(self, fallbacks: deque[tuple[Generator[None, None, Any], ReplyCallback]]) -> None:
        slices, done = fallbacks[0]
        result, error, has_ended = None, None, True
        try:
            next(slices)
            has_ended = False
        except StopIteration as last:
            result = last.value
        except Exception as raised:
            error = raised
        if has_ended:
            fallbacks.popleft()
        if fallbacks:
            self._run(partial(self._run_fallback_slice, fallbacks))  # after the requests that have arrived meanwhile
        if has_ended:
            done(result, error)

    def ask_in_slices(self, call: LoopCall) -> None:
        """Run the generator `call.work()` on the loop, and pass its return value to `call.done`.

        Other callbacks may run at each `yield`. If the loop does not continue the generator in time,
        `call.fallback(clause)` replaces the work, as in `ask`.
        """
        slices: Generator[None, None, Any] | None = None
        began = time.monotonic()

        def next_slice() -> Any:
            nonlocal slices
            if slices is None:
                slices = call.work()
            try:
                next(slices)
            except StopIteration as last:
                return last.value
            return _NEXT_SLICE

        def after(result: Any, error: BaseException | None) -> None:
            if result is _NEXT_SLICE:
                patient = time.monotonic() - began < PATIENT_SECONDS
                timeout = CONTINUED_TIMEOUT_SECONDS if patient else None
                self.ask(call._replace(work=next_slice, done=after, timeout=timeout))
            else:
                call.done(result, error)

        self.ask(call._replace(work=next_slice, done=after))

    def blocked(self) -> str:
        """Return a clause that says for how long the loop has not answered, and which line of code it executes."""
        return f"the event loop has not answered for {self._waited():.1f} s and is in {self._where()}"

    def _waited(self) -> float:
        """Return for how many seconds the oldest call has waited for the loop."""
        now = time.monotonic()
        return now - min((at for lane in self._lanes.values() for at in list(lane.on_loop.values())), default=now)

    def short_place(self) -> str:
        """Return the line of code that the loop's thread executes, as `keeper.py:31 (Keeper.handle_info)`."""
        shown = self._frame()
        if shown is None:
            return "a thread that has ended"
        file = shown.f_code.co_filename.rpartition("/")[2]
        return f"{file}:{shown.f_lineno} ({shown.f_code.co_qualname})"

    def _where(self) -> str:
        shown = self._frame()
        if shown is None:
            return "a thread that has ended"
        return f"{shown.f_code.co_filename}:{shown.f_lineno} {shown.f_code.co_qualname}"

    def _frame(self) -> FrameType | None:
        """Return the loop thread's innermost frame, preferably outside the standard library; None if it has ended."""
        innermost = frame = sys._current_frames().get(self._thread_id)
        while frame is not None and _is_standard(frame.f_code.co_filename):
            frame = frame.f_back
        return frame or innermost

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
