"""The process behind a behaviour: it finds its class by name before each callback and runs one callback at a time.

Each version of the class gets a fresh instance that is given the state of the one before. So the state lives in
one place, the instance in use, where reading it costs one slot. A callback that stands at an `await` while new code
is loaded goes on with its own instance, which stays the process's one until it ends; only then does the state
move, as the process's next callback begins. Nothing can be lost in between, because there is no second instance
before. (The alternative, a state that all instances reach through the process, would cost every access to it.)

Plain callbacks run in the scheduler's turn or in the caller's; an async one in a task that lives until the
mail is handled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from time import monotonic
from types import CoroutineType
from typing import Any, ClassVar, Final

from node_runtime.processes.errors import NO_REPLY, Exit, Ignore, Stop
from node_runtime.processes.messages import EXIT
from node_runtime.processes.pid import Pid
from node_runtime.processes.process import BUSY, DEAD, HELD, YIELDING, Item, Process, here
from node_runtime.processes.reply_future import Awaited
from node_runtime.processes.runtime import Runtime
from node_runtime.processes.scheduler import QUANTUM
from node_runtime.processes.transaction import barrier, current_barrier

from .behaviour import Behaviour, current_class
from .callback_class import CodeInUse
from .pending_replies import Debtor
from .show.process_crash import report
from .sys_debug import Debug
from .system_messages import INIT, STOP

CRASHES: Final = BaseException
"""What ends a process when a callback raises it: anything, or it would stay busy for ever. A cancellation counts too,
somebody's, but not the process's own; and what libraries derive from BaseException, as those written in Rust do."""

Continuation = Coroutine[Any, Any, Any]


class BehaviourProcess(Debtor):
    """A process with a callback class. Subclasses say what their mail means: `call_back` and `conclude`."""

    __slots__ = ("code", "frame", "instance")
    runs: ClassVar[type[Behaviour]]
    """What its class has to be a subclass of."""
    value: ClassVar[str]
    """The instance's one attribute."""
    tells: ClassVar[bool] = False
    """Whether every request has to go through `call_back`, so that none is answered by its method alone."""

    def __init__(self, runtime: Runtime, parent: Pid, cls: type[Behaviour]) -> None:
        super().__init__(runtime, parent)
        module, qualname = cls.__module__, cls.__qualname__
        current = current_class(module, qualname)
        self._take(current if isinstance(current, type) else cls, module, qualname, None)
        self.frame: Continuation | None = None

    @property
    def module(self) -> str:
        return self.code.module

    @property
    def qualname(self) -> str:
        return self.code.qualname

    @property
    def namespace(self) -> dict[str, Any]:
        """The namespace that its instance comes from."""
        return self.code.namespace

    @property
    def debug(self) -> Debug | None:
        """What sys has been asked to record of it."""
        return self.code.debug

    @property
    def methods(self) -> dict[str, Any]:
        """The requests that it may answer without anybody else being told."""
        return self.code.methods

    # ------------------------------------------------------------------ what kinds of behaviour differ in

    def call_back(self, item: Item) -> Any:
        """Call the callback for `item`; returns what it returned, a coroutine if it is async."""
        raise NotImplementedError

    def conclude(self, item: Item, result: Any) -> None:
        """The callback for `item` has returned `result`."""
        raise NotImplementedError

    def take_state(self, state: Any) -> None:
        """What `init` returned, or `adopt` was given, is the state from now on."""
        setattr(self.instance, self.value, state)

    def raw_state(self) -> Any:
        """The very state object."""
        return getattr(self.instance, self.value, None)

    # ------------------------------------------------------------------ versions

    def take_class(self, cls: Any) -> None:
        """Have a fresh instance of this version of the class."""
        self._take(cls, self.code.module, self.code.qualname, self.code.debug)

    def _take(self, cls: Any, module: str, qualname: str, debug: Debug | None) -> None:
        self.instance: Any = object.__new__(cls)
        self.code = CodeInUse.of(cls, module, qualname, debug, tells=self.tells)

    def refresh(self) -> None:
        """Move to the current version of the class, with the state. Raises LookupError if it has no such class."""
        cls = current_class(self.module, self.qualname)
        if not isinstance(cls, type):
            raise LookupError(f"the current version of {self.module} has no class {self.qualname}")
        before = self.instance
        self.take_class(cls)
        if hasattr(before, self.value):
            setattr(self.instance, self.value, getattr(before, self.value))

    # ------------------------------------------------------------------ turns

    def run(self) -> int:
        self.gate = BUSY
        self.runtime.current = self
        mail, handled = self.mail, 0
        try:
            while mail and handled < QUANTUM and self.gate is BUSY:
                handled += 1
                item = mail.popleft()
                coroutine = self.step(item)
                if coroutine is not None:
                    self.go_on(coroutine, item)
                    return handled
        finally:
            self.runtime.current = None
            self.handled += handled
        self.pause()
        return handled

    def serve(self, item: Item, gate: str = BUSY) -> None:
        """Handle `item` in the caller's turn. With YIELDING, a held process does it and is held again."""
        self.gate = gate
        self.handled += 1
        runtime = self.runtime
        before, runtime.current = runtime.current, self
        try:
            coroutine = self.step(item)
        finally:
            runtime.current = before
        if coroutine is not None:
            self.go_on(coroutine, item)
        else:
            self.pause()

    def resolve(self, item: Item, result: Any, failure: BaseException | None) -> None:
        """The callback for `item` was called in the caller's turn, and came to something that isn't a plain answer."""
        if failure is None and type(result) is CoroutineType:
            self.go_on(result, item)
            return
        follows = self.finish(item, result) if failure is None else self.failed(item, failure)
        if follows is not None:
            self.go_on(follows, item)
        else:
            self.pause()

    def step(self, item: Item) -> Continuation | None:
        """Handle one piece of mail; returns the coroutine that remains to be awaited, if any."""
        try:
            if self.code.home.__dict__ is not self.code.namespace and not self.held:
                self.refresh()
            if self.code.debug is not None:
                self.code.debug.took(self, item, type(self.instance))
            result = self.begin(item)
            if type(result) is CoroutineType:
                return result
            return self.finish(item, result)
        except CRASHES as error:
            return self.failed(item, error)

    def begin(self, item: Item) -> Any:
        """Call back for `item`, whatever kind of mail it is."""
        what = item[0]
        if what is INIT:
            return self.instance.init(*item[1], **item[2])
        if what is STOP:
            raise Stop(item[1])
        if what is None and type(item[1]) is EXIT and item[1].pid == self.parent:
            raise Stop(item[1].reason)
        return self.call_back(item)

    def finish(self, item: Item, result: Any) -> Continuation | None:
        """The callback for `item` is over."""
        if self.gate is DEAD:
            self.runtime.fail(item, Exit(self.reason))
        elif item[0] is INIT:
            self.take_state(result)
            if item[3] is not None and not item[3].done():
                item[3].set_result(None)
            self.initialised()
        else:
            self.conclude(item, result)
            if self.code.debug is not None:
                self.code.debug.ended(self, item)
        return None

    def initialised(self) -> None:
        """`init` has returned."""

    def go_on(self, coroutine: Continuation, item: Item) -> None:
        """Await `coroutine`, and handle what mail there is then, in a task."""
        self.item, self.frame, self.since = item, coroutine, monotonic()
        if (inherited := current_barrier()) is None:
            self.task = self.runtime.parked_task(self) or self.runtime.create_task(self._bursts())
        else:
            context = self.runtime.context.copy()
            context.run(barrier.set, inherited)
            self.task = self.runtime.create_task(self._bursts(), context)

    async def _bursts(self) -> None:
        here.set(self)
        while True:
            coroutine: Continuation | None
            item: Item | None
            follows: Continuation | None
            left = QUANTUM
            while (coroutine := self.frame) is not None and (item := self.item) is not None:
                try:
                    follows = self.finish(item, await coroutine)
                except GeneratorExit:  # the event loop is gone
                    raise
                except CRASHES as error:
                    if self.gate is DEAD:
                        return
                    follows = self.failed(item, error)
                self.frame = follows
                if follows is None:
                    self.item = None
                    left -= 1
                    if self.mail is not None:
                        left = self._until_async(left)
            coroutine = item = follows = None  # what waits must keep no code and no message alive
            task, self.task = self.task, None
            self.spent += monotonic() - self.since
            self.since = 0.0
            self.pause()
            if task is None or self.gate is DEAD or task.cancelling() or barrier.get() is not None:
                return
            seat = self.runtime.park(self, task)
            del task
            if not await seat:
                return

    def _until_async(self, left: int) -> int:
        """Handle mail until a callback is async, the quantum is spent or something else is wanted of the process."""
        while left > 0 and (mail := self.mail):
            if self.gate is YIELDING:
                self.settle()
            if self.gate is not BUSY:
                break
            left -= 1
            self.handled += 1
            item = mail.popleft()
            coroutine = self.step(item)
            if coroutine is not None:
                self.item, self.frame = item, coroutine
                break
        return left

    def pause(self) -> None:
        """No callback runs any more: be idle, held, or get in line for more."""
        if self.gate is YIELDING:
            self.settle()
        if not self.mail:
            self.mail = None
        if self.gate is BUSY:
            self.gate = None
            if self.mail is not None:
                self.runtime.make_ready(self)
        elif self.gate is DEAD and self.task is None:
            self.runtime.bury(self)

    def settle(self) -> None:
        """Between two callbacks: do what was waiting for that."""
        waiting, self.between = self.between, None
        self.gate = HELD if self.held else BUSY
        for function in waiting or ():
            function()

    def in_callback(self) -> bool:
        """Whether a callback runs or waits at an `await`."""
        return self.gate is BUSY or self.gate is YIELDING

    def be_recorded(self, debug: Debug | None) -> None:
        """Have events told to `debug` from the next message on."""
        self.code = CodeInUse.of(type(self.instance), self.module, self.qualname, debug, tells=self.tells)
        if self.in_callback():  # by somebody who may have the methods of before at hand
            self.between_callbacks(lambda: None)

    def held_with(self, caller: Process) -> bool:
        """Whether it is suspended by an owner who also suspends `caller`, which can't be before it is answered."""
        return self.gate is HELD and bool((self.held or set()) & (caller.held or set()))

    def between_callbacks(self, function: Callable[[], None]) -> None:
        """Call `function` as soon as the callback that runs now has ended, or the process has."""
        self.gate = YIELDING
        self.between = [*(self.between or ()), function]

    def put_first(self, items: list[Item]) -> None:
        """Handle `items` before all other mail."""
        if self.mail is None:
            self.mail = deque()
        self.mail.extendleft(reversed(items))

    def current_callback(self) -> str | None:
        what = None if self.item is None else self.item[0]
        return "handle_info" if what is None and self.item is not None else what and str(what)

    def answered(self, future: Awaited, answer: object) -> None:
        if self.code.debug is not None:
            self.code.debug.answered(self, future, answer)

    # ------------------------------------------------------------------ the end

    def failed(self, item: Item, error: BaseException) -> Continuation | None:
        """The callback for `item` raised `error`: that ends the process, by way of `terminate`."""
        if self.gate is DEAD:
            self.runtime.fail(item, Exit(self.reason))
            return None
        self.item = item
        if isinstance(error, Ignore) and item[0] is INIT:
            self._init_failed(item, error, "normal")
            return None
        reason = error.reason if isinstance(error, Stop) else error
        reply = error.reply if isinstance(error, Stop) else NO_REPLY
        report(self, reason, error, item)
        if item[0] is INIT:
            self._init_failed(item, Exit(reason), reason)
            return None
        self.reason = reason
        return self._terminate(reason, reply)

    def _init_failed(self, item: Item, error: Exception, reason: object) -> None:
        # The starter learns of it as an error. An exit signal over the link on top of that would tell it twice.
        if (starter := self.runtime.processes.get(self.parent)) is not None:
            self.runtime.unlink(self, starter)
        if item[3] is not None and not item[3].done():
            item[3].set_exception(error)
        self.runtime.end(self, reason, inside=True)

    def _terminate(self, reason: object, reply: Any) -> Continuation | None:
        try:
            result = self.instance.terminate(reason)
        except CRASHES as error:
            self._over(self._failed_at_last(error), NO_REPLY)
            return None
        if type(result) is CoroutineType:
            return self._terminate_later(result, reason, reply)
        self._over(reason, reply)
        return None

    async def _terminate_later(self, terminating: Continuation, reason: object, reply: Any) -> None:
        try:
            await terminating
        except GeneratorExit:
            raise
        except CRASHES as error:
            if self.gate is DEAD:
                raise
            reason, reply = self._failed_at_last(error), NO_REPLY
        self._over(reason, reply)

    def _failed_at_last(self, error: BaseException) -> object:
        """`terminate` raised `error`: the reason with which the process ends then."""
        reason = error.reason if isinstance(error, Stop) else error
        report(self, reason, error, None)
        return reason

    def _over(self, reason: object, reply: Any) -> None:
        future = self.item[3] if self.item is not None else None
        if future is not None and not future.done() and self.gate is not DEAD:
            if reply is not NO_REPLY:
                future.set_result(reply)
            elif self.item is not None and self.item[0] is STOP:
                future.set_result(None)
        self.runtime.end(self, reason, inside=True)

    def take_exit(self, sender: Pid, reason: object) -> None:
        if self.gate is HELD and sender == self.parent:
            self.serve((STOP, reason, None, None))
        else:
            super().take_exit(sender, reason)

    def ended(self) -> None:
        super().ended()
        waiting, self.between = self.between, None
        for function in waiting or ():
            function()

    def buried(self) -> None:
        frame, self.frame = self.frame, None
        if isinstance(frame, CoroutineType) and frame.cr_code is _TERMINATE_LATER and frame.cr_frame is not None:
            # Killed before it began to terminate: closing the outer coroutine wouldn't close the inner one.
            frame.cr_frame.f_locals["terminating"].close()
        if frame is not None:
            frame.close()


_TERMINATE_LATER: Final = BehaviourProcess._terminate_later.__code__
