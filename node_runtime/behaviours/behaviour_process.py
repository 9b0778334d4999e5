"""Processes with a callback class. Each process runs one callback at a time, in the current version of its class.

A plain callback runs in the scheduler's turn or in its caller's turn. An async callback runs in a task. After the
callback, the same task handles the messages that arrived in the meantime.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from inspect import CORO_CREATED, getcoroutinestate
from time import monotonic
from types import CoroutineType
from typing import Any, Final

from node_runtime.processes.errors import NO_REPLY, Exit, Ignore, Stop
from node_runtime.processes.messages import EXIT
from node_runtime.processes.pid import Pid
from node_runtime.processes.process import BUSY, DEAD, HELD, YIELDING, MailItem, Process, task_process
from node_runtime.processes.reply_future import AnyReplyFuture
from node_runtime.processes.scheduler import MAX_MESSAGES_PER_RUN
from node_runtime.processes.transaction import current_transaction, transaction_variable

from .callback_class import CallbackVersion
from .show.process_crash import report_process_crash
from .sys_debug import DebugRecorder
from .system_messages import INIT, STOP
from .versioned_process import VersionedProcess

CALLBACK_ERRORS: Final = BaseException
"""The errors of a callback that end its process: all errors.

If the runtime did not catch an error, the process would be busy forever. Not all errors are derived
from Exception: the CancelledError of a task that the callback awaits is not, and the panics of
libraries written in Rust are not. (A cancellation of the process's own task is handled separately.)
"""

Continuation = Coroutine[Any, Any, Any]


class BehaviourProcess(VersionedProcess):
    """A process with a callback class. Subclasses define how messages are handled: `call_back` and `conclude`."""

    __slots__ = ()

    # ------------------------------------------------------------------ implemented by each behaviour

    def call_back(self, item: MailItem) -> Any:
        """Call the callback for `item` and return its result; an async callback returns a coroutine."""
        raise NotImplementedError

    def conclude(self, item: MailItem, result: Any) -> None:
        """Handle the `result` that the callback for `item` has returned."""
        raise NotImplementedError

    # ------------------------------------------------------------------ turns

    def run(self) -> int:
        self.run_state = BUSY
        self.runtime.current = self
        mail, handled = self.mail, 0
        try:
            while mail and handled < MAX_MESSAGES_PER_RUN and self.run_state is BUSY:
                handled += 1
                item = mail.popleft()
                coroutine = self.step(item)
                if coroutine is not None:
                    self.continue_in_task(coroutine, item)
                    return handled
        finally:
            self.runtime.current = None
            self.handled += handled
        self.pause()
        return handled

    def serve(self, item: MailItem, run_state: str = BUSY) -> None:
        """Handle `item` in the caller's turn.

        `run_state` is YIELDING for a suspended process, which is suspended again after it has handled `item`.
        """
        self.run_state = run_state
        self.handled += 1
        runtime = self.runtime
        before, runtime.current = runtime.current, self
        try:
            coroutine = self.step(item)
        finally:
            runtime.current = before
        if coroutine is not None:
            self.continue_in_task(coroutine, item)
        else:
            self.pause()

    def finish_inline_call(self, item: MailItem, result: Any, failure: BaseException | None) -> None:
        """Finish an inline call whose method raised an error, is async, or changed the run state.

        An inline call runs in its caller's turn.
        """
        if failure is None and type(result) is CoroutineType:
            self.continue_in_task(result, item)
            return
        following = self.finish(item, result) if failure is None else self.failed(item, failure)
        if following is not None:
            self.continue_in_task(following, item)
        else:
            self.pause()

    def step(self, item: MailItem) -> Continuation | None:
        """Handle one message. Returns the coroutine that remains to be awaited, or None."""
        try:
            if self.code.home.__dict__ is not self.code.namespace and not self.suspend_owners:
                self.refresh()
            if self.code.debug is not None:
                self.code.debug.message_taken(self, item, type(self.instance))
            result = self.begin(item)
            if type(result) is CoroutineType:
                return result
            return self.finish(item, result)
        except CALLBACK_ERRORS as error:
            return self.failed(item, error)

    def begin(self, item: MailItem) -> Any:
        """Call the callback for `item`, which may be any kind of message."""
        kind = item[0]
        if kind is INIT:
            return self.instance.init(*item[1], **item[2])
        if kind is STOP:
            raise Stop(item[1])
        if kind is None and type(item[1]) is EXIT and item[1].pid == self.parent:
            raise Stop(item[1].reason)
        return self.call_back(item)

    def finish(self, item: MailItem, result: Any) -> Continuation | None:
        """Handle the `result` of a callback that has ended. `item` is the message that was handled."""
        if self.run_state is DEAD:
            self.runtime.fail(item, Exit(self.reason))
        elif item[0] is INIT:
            self.check_first_state(result)
            self.take_state(result)
            if item[3] is not None and not item[3].done():
                item[3].set_result(None)
            self.on_initialised()
        else:
            self.conclude(item, result)
            if self.code.debug is not None:
                self.code.debug.callback_ended(self, item)
        return None

    def check_first_state(self, state: Any) -> None:
        """Check the `state` that `init` has returned. Subclasses override this. Raises Refused for an invalid state."""

    def on_initialised(self) -> None:
        """Called when `init` has returned; subclasses override it."""

    def continue_in_task(self, coroutine: Continuation, item: MailItem) -> None:
        """Await `coroutine` in a task, then handle the messages that have arrived."""
        self.current_item, self.coroutine, self.callback_began = item, coroutine, monotonic()
        if (inherited := current_transaction()) is None:
            self.task = self.runtime.parked_task(self) or self.runtime.create_task(self._run_in_task())
        else:
            context = self.runtime.context.copy()
            context.run(transaction_variable.set, inherited)
            self.task = self.runtime.create_task(self._run_in_task(), context)

    async def _run_in_task(self) -> None:
        task_process.set(self)
        while True:
            coroutine: Continuation | None
            item: MailItem | None
            following: Continuation | None
            left = MAX_MESSAGES_PER_RUN
            while (coroutine := self.coroutine) is not None and (item := self.current_item) is not None:
                if self.code.home.__dict__ is not self.code.namespace and self._would_begin_in_old_code(
                    coroutine, item
                ):
                    coroutine.close()
                    left = self._begin_again(item, left)
                    continue
                try:
                    following = self.finish(item, await coroutine)
                except GeneratorExit:  # the event loop is closed
                    raise
                except CALLBACK_ERRORS as error:
                    if self.run_state is DEAD:
                        return
                    following = self.failed(item, error)
                self.coroutine = following
                if following is None:
                    self.current_item = None
                    left -= 1
                    if self.mail is not None:
                        left = self._until_async(left)
            coroutine = item = following = None  # a parked task must not keep code or a message alive
            task, self.task = self.task, None
            self.spent += monotonic() - self.callback_began
            self.callback_began = 0.0
            self.pause()
            if task is None or self.run_state is DEAD or task.cancelling() or transaction_variable.get() is not None:
                return
            parked = self.runtime.park(self, task)
            del task
            if not await parked:
                return

    def _would_begin_in_old_code(self, coroutine: Continuation, item: MailItem) -> bool:
        """Return whether an async callback was called but has not begun, and new code was loaded meanwhile."""
        if type(coroutine) is not CoroutineType or transaction_variable.get() is not None:
            return False  # a held process answers a request of the script at once
        name, cls = "handle_info" if item[0] is None else item[0], type(self.instance)
        if type(name) is not str or name in getattr(cls, "__deferred__", ()):  # it has changed something already
            return False
        return (
            getcoroutinestate(coroutine) == CORO_CREATED
            and getattr(getattr(cls, name, None), "__code__", None) is coroutine.cr_code
        )

    def _begin_again(self, item: MailItem, left: int) -> int:
        """Handle `item` anew: at once in the new code, or after the resume if the process is to be suspended."""
        self.coroutine = self.current_item = None
        self.prepend_mail([item])
        self.handled -= 1
        return self._until_async(left)

    def _until_async(self, left: int) -> int:
        """Handle at most `left` messages. Stop earlier if a callback is async, or if the process is no longer BUSY.

        Returns `left` minus the number of handled messages.
        """
        while left > 0 and (mail := self.mail):
            if self.run_state is YIELDING:
                self.run_after_callback()
            if self.run_state is not BUSY:
                break
            left -= 1
            self.handled += 1
            item = mail.popleft()
            coroutine = self.step(item)
            if coroutine is not None:
                self.current_item, self.coroutine = item, coroutine
                self.spent, self.callback_began = self.busy_seconds(), monotonic()
                break
        return left

    def pause(self) -> None:
        """Set the run state after a callback: suspended if an owner has suspended the process, otherwise idle.

        An idle process that has messages is queued in the scheduler.
        """
        if self.run_state is YIELDING:
            self.run_after_callback()
        if not self.mail:
            self.mail = None
        if self.run_state is BUSY:
            self.run_state = None
            if self.mail is not None:
                self.runtime.make_ready(self)
        elif self.run_state is DEAD and self.task is None:
            self.runtime.last_frame_ended(self)

    def run_after_callback(self) -> None:
        """Call the functions in `after_callback`. The callback has ended."""
        functions, self.after_callback = self.after_callback, None
        self.run_state = HELD if self.suspend_owners else BUSY
        for function in functions or ():
            function()

    def in_callback(self) -> bool:
        """Return whether a callback runs or waits at an `await`."""
        return self.run_state is BUSY or self.run_state is YIELDING

    def set_recorder(self, debug: DebugRecorder | None) -> None:
        """Report events to `debug` from the next message on; None ends the recording."""
        cls, needs_call_back = type(self.instance), self.needs_call_back
        self.code = CallbackVersion.of(cls, self.module, self.qualname, debug, needs_call_back=needs_call_back)
        if self.in_callback():  # ends the loop of `run`, whose locals hold the previous methods
            self.call_after_callback(lambda: None)

    def is_held_together_with(self, caller: Process) -> bool:
        """Return whether the owner that has suspended this process is about to suspend `caller`, too.

        If so, this process has to answer calls of `caller` although it is suspended. Otherwise, the callback of
        `caller` would wait for the answer and never end, and `caller` could never be suspended.
        """
        return self.run_state is HELD and bool((self.suspend_owners or set()) & (caller.suspend_owners or set()))

    def call_after_callback(self, function: Callable[[], None]) -> None:
        """Call `function` as soon as the current callback, or the process, has ended."""
        self.run_state = YIELDING
        self.after_callback = [*(self.after_callback or ()), function]

    def prepend_mail(self, items: list[MailItem]) -> None:
        """Put `items` at the head of the mailbox."""
        if self.mail is None:
            self.mail = deque()
        self.mail.extendleft(reversed(items))

    def current_callback(self) -> str | None:
        if self.current_item is None:
            return None
        kind = self.current_item[0]
        return "handle_info" if kind is None else kind and str(kind)

    def on_pending_reply_sent(self, future: AnyReplyFuture, answer: object) -> None:
        if self.code.debug is not None:
            self.code.debug.reply_sent(self, future, answer)

    # ------------------------------------------------------------------ the end

    def failed(self, item: MailItem, error: BaseException) -> Continuation | None:
        """End the process, after `terminate`, because the callback for `item` raised `error`.

        Returns the coroutine that remains to be awaited if `terminate` is async, otherwise None.
        """
        if self.run_state is DEAD:
            self.runtime.fail(item, Exit(self.reason))
            return None
        self.current_item = item
        if isinstance(error, Ignore) and item[0] is INIT:
            self._init_failed(item, error, "normal")
            return None
        reason = error.reason if isinstance(error, Stop) else error
        reply = error.reply if isinstance(error, Stop) else NO_REPLY
        report_process_crash(self, reason, error, item)
        if item[0] is INIT:
            self._init_failed(item, Exit(reason), reason)
            return None
        self.reason = reason
        return self._terminate(reason, reply)

    def _init_failed(self, item: MailItem, error: Exception, reason: object) -> None:
        # The waiting starter gets the error. An exit signal over the link would report the same exit again.
        if item[3] is not None and (starter := self.runtime.processes.get(self.parent)) is not None:
            self.runtime.unlink(self, starter)
        if item[3] is not None and not item[3].done():
            item[3].set_exception(error)
        self.runtime.end(self, reason, inside=True)

    def _terminate(self, reason: object, reply: Any) -> Continuation | None:
        try:
            result = self.instance.terminate(reason)
        except CALLBACK_ERRORS as error:
            self._end(self._terminate_failed(error), reply)
            return None
        if type(result) is CoroutineType:
            return self._terminate_later(result, reason, reply)
        self._end(reason, reply)
        return None

    async def _terminate_later(self, terminating: Continuation, reason: object, reply: Any) -> None:
        try:
            await terminating
        except GeneratorExit:
            raise
        except CALLBACK_ERRORS as error:
            if self.run_state is DEAD:
                raise
            reason = self._terminate_failed(error)
        self._end(reason, reply)

    def _terminate_failed(self, error: BaseException) -> object:
        """Report the `error` that `terminate` raised, and return the reason with which the process ends."""
        reason = error.reason if isinstance(error, Stop) else error
        report_process_crash(self, reason, error, None)
        return reason

    def _end(self, reason: object, reply: Any) -> None:
        future = self.current_item[3] if self.current_item is not None else None
        if future is not None and not future.done() and self.run_state is not DEAD:
            if reply is not NO_REPLY:
                future.set_result(reply)
            elif self.current_item is not None and self.current_item[0] is STOP:
                future.set_result(None)
        self.runtime.end(self, reason, inside=True)

    def take_trapped_exit(self, sender: Pid, reason: object) -> None:
        if self.run_state is HELD and sender == self.parent:
            self.serve((STOP, reason, None, None))
        else:
            super().take_trapped_exit(sender, reason)

    def on_ended(self) -> None:
        super().on_ended()
        functions, self.after_callback = self.after_callback, None
        for function in functions or ():
            function()

    def on_last_frame_ended(self) -> None:
        coroutine, self.coroutine = self.coroutine, None
        if isinstance(coroutine, CoroutineType) and getcoroutinestate(coroutine) == CORO_CREATED:
            _close_inner(coroutine)
        if coroutine is not None:
            coroutine.close()


def _close_inner(coroutine: CoroutineType[Any, Any, Any]) -> None:
    """Close the application's coroutine, such as `terminate`, inside a coroutine of the runtime that has not begun."""
    if (frame := coroutine.cr_frame) and frame.f_globals.get("__name__", "").startswith("node_runtime."):
        for inner in frame.f_locals.values():
            if isinstance(inner, CoroutineType):
                inner.close()
