"""Servers: classes whose public methods other processes may call. Follows gen_server of OTP."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from types import CoroutineType, UnionType
from typing import Any, ClassVar, Final, Generic, TypeVar, get_args, get_origin

from node_runtime.processes.errors import Exit
from node_runtime.processes.messages import EXIT, TIMEOUT
from node_runtime.processes.pid import Pid
from node_runtime.processes.process import BUSY, DEAD, MailItem, SparseAttribute, request_arguments
from node_runtime.processes.runtime import runtime
from node_runtime.processes.scheduler import MAX_MESSAGES_PER_RUN
from node_runtime.processes.timers import check_seconds
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import ProcessKind

from .behaviour import Behaviour, Down, Vsn
from .behaviour_process import CALLBACK_ERRORS, BehaviourProcess
from .deferred_reply import From
from .show.log_format import one_line
from .starting import spawn_process, start_process
from .system_messages import MailTag

S = TypeVar("S")

_TURN: Final = range(MAX_MESSAGES_PER_RUN)
logger: Final = logging.getLogger("node_runtime")

CONTINUE: Final = MailTag("handle_continue")
"""The tag of a mailbox entry that contains an argument for `handle_continue`."""


class GenServer(Behaviour, Generic[S]):
    """A server with the state `self.state`, the only attribute of the instance that may be assigned.

    Other processes may call and cast its public methods, which may be async. A method whose name begins with an
    underscore is private. Keep everything that must outlive a callback in the state: when a new version of the class is
    loaded, the process continues with a new instance that gets only the state. The callbacks are those of OTP's
    behaviour `gen_server`.
    """

    __behaviour__ = True
    __slots__ = ("state",)
    state: S

    def init(self, *args: Any, **kwargs: Any) -> Any:
        """Return the first state. May be async, and may raise Stop or Ignore. Follows gen_server:init/1."""
        raise NotImplementedError(f"{type(self).__qualname__} has no init()")

    def handle_info(self, message: Any) -> Any:
        """Handle any message that is not a call or a cast. May be async. Follows gen_server:handle_info/2."""
        logger.warning("%s got a message that it doesn't handle: %s", type(self).__qualname__, one_line(message))

    def handle_continue(self, argument: Any) -> Any:
        """Do the work that `continue_with(argument)` has postponed. May be async.

        Follows gen_server:handle_continue/2.
        """
        raise NotImplementedError(f"{type(self).__qualname__} has no handle_continue()")

    def terminate(self, reason: object) -> Any:
        """Clean up before the process ends. May be async.

        Called when the process ends by itself. If the process traps exits, also called when its parent ends it. Follows
        gen_server:terminate/2.
        """

    @classmethod
    def code_change(cls, old_vsn: Vsn | Down, state: Any, extra: Any) -> Any:
        """Convert `state` from the version `old_vsn` to this version, and return the result.

        The result may share parts with `state`, but `state` must not be mutated. Follows gen_server:code_change/3.
        """
        return state

    def format_status(self) -> object:
        """Return what observers see in place of the state. Follows gen_server:format_status/1."""
        return self.state


class ServerProcess(BehaviourProcess):
    """The process of a server. Its mailbox has plain messages, and requests: tuples (method, args, kwargs, future)."""

    __slots__ = ()
    kind: ClassVar[ProcessKind] = "gen_server"
    behaviour = GenServer
    state_attribute = GenServer.__state_attribute__
    read_state = vars(GenServer)[state_attribute].__get__
    idle_timer = SparseAttribute[asyncio.TimerHandle]()
    """The timer of `idle_timeout`."""

    def run(self) -> int:  # noqa: PLR0912 - inlined to keep each message cheap
        # BehaviourProcess.run, with `step` inlined for the most frequent entries of a mailbox. These are requests for
        # methods that aren't async, and plain messages.
        self.run_state = BUSY
        self.runtime.current = self
        mail, code, instance, handled, extra = self.mail, self.code, self.instance, 0, 0
        home, namespace, methods = code.home, code.namespace, code.methods
        try:
            for handled in _TURN:
                if not mail or self.run_state is not BUSY:
                    break
                item = mail.popleft()
                name, first, kwargs, future = item
                method = methods.get(name)
                if home.__dict__ is not namespace or (
                    method is None and (name is not None or code.debug is not None or type(first) is EXIT)
                ):
                    coroutine = self.step(item)
                    code, instance = self.code, self.instance
                    home, namespace, methods = code.home, code.namespace, code.methods
                else:
                    try:
                        if method is None:
                            result = instance.handle_info(first)
                        elif kwargs is None:  # with one argument, Python makes the call without a C frame
                            result = method(instance, first)
                        else:
                            result = method(instance, *first, **kwargs)
                    except CALLBACK_ERRORS as error:
                        coroutine = self.failed(item, error)
                    else:
                        if type(result) is CoroutineType:
                            coroutine = result
                        elif future is None:
                            continue
                        elif self.run_state is BUSY and self.pending_replies is None:
                            if not future.done():
                                future.set_result(result)
                            continue
                        else:
                            coroutine = self.finish(item, result)
                if coroutine is not None:
                    self.continue_in_task(coroutine, item)
                    extra = 1
                    return handled + 1
            else:
                extra = 1
        finally:
            self.runtime.current = None
            self.handled += handled + extra
        if self.run_state is BUSY and not self.mail:
            self.mail = self.run_state = None
        else:
            self.pause()
        return handled + extra

    def check_first_state(self, state: Any) -> None:
        """Raise Refused if `init` has returned None although the class declares a state that can't be None."""
        if state is None and (declared := _declared_without_none(type(self.instance))) is not None:
            sentence = f"{self.module}:{self.qualname}.init returned None; return the state, which is declared as "
            raise Refused(f"{sentence}{declared}")

    def call_back(self, item: MailItem) -> Any:
        name = item[0]
        if name is None:
            return self.instance.handle_info(item[1])
        method = type(self.instance).__public__.get(name)
        if method is not None:
            args, kwargs = request_arguments(item)
            return method(self.instance, *args, **kwargs)
        if name is CONTINUE:
            return self.instance.handle_continue(item[1])
        method = type(self.instance).__deferred__.get(name)
        if method is None:
            return _BadCall(f"{self.module}:{self.qualname} has no public method {name!r}")
        if item[3] is not None:
            self.add_pending_reply(item[3])
        args, kwargs = request_arguments(item)
        return method(self.instance, From(self.pid, item[3]), *args, **kwargs)

    def conclude(self, item: MailItem, result: Any) -> None:
        future = item[3]
        if self.pending_replies is not None and future in self.pending_replies:
            return
        if type(result) is _BadCall:
            if future is None:
                logger.warning("%s ignored a cast: %s", self.title(), result.sentence)
            else:
                self.runtime.fail(item, Exit("badcall", result.sentence))
        elif future is not None and not future.done():
            future.set_result(result)

    def on_ended(self) -> None:
        if self.idle_timer is not None:
            self.idle_timer.cancel()
        super().on_ended()

    # ------------------------------------------------------------------ requests of the running callback

    def add_continue(self, argument: Any) -> None:
        """Call `handle_continue(argument)` before any other message, but after continuations added earlier."""
        mail = self.mail = deque() if self.mail is None else self.mail
        ahead = 0
        while ahead < len(mail) and mail[ahead][0] is CONTINUE:
            ahead += 1
        mail.insert(ahead, (CONTINUE, argument, None, None))

    def set_idle_timeout(self, seconds: float | None) -> None:
        """If no message arrives for `seconds` after the current callback, handle TIMEOUT(seconds).

        None sets no timeout.
        """
        if self.idle_timer is not None:
            self.idle_timer.cancel()
            self.idle_timer = None
        if seconds is not None:
            check_seconds(seconds)
            # `handled` is up to date only when the callback has ended.
            self.call_after_callback(lambda: self._start_idle_timer(seconds))

    def _start_idle_timer(self, seconds: float) -> None:
        if self.run_state is not DEAD:
            self.idle_timer = self.runtime.call_later(seconds, self._idle_timer_fired, seconds, self.handled)

    def _idle_timer_fired(self, seconds: float, handled: int) -> None:
        self.idle_timer = None
        if self.handled == handled and not self.mail and not self.in_callback():
            self.runtime.post(self, (None, TIMEOUT(seconds), None, None))


def _declared_without_none(cls: type[Any]) -> str | None:
    """Return the state type S of `GenServer[S]` as text; None if S is missing or unknown, or allows None."""
    for base in cls.__mro__:
        for generic in vars(base).get("__orig_bases__", ()):
            if get_origin(generic) is GenServer:
                (declared,) = get_args(generic)
                known = get_origin(declared) or declared
                if isinstance(known, type) and known not in (Any, UnionType, object, type(None)):
                    return known.__qualname__ if known is declared else str(declared)
                return None
    return None


class _BadCall:
    """The result of an invalid request. The caller gets the error; the server keeps running."""

    __slots__ = ("sentence",)

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence


# ------------------------------------------------------------------ starting and stopping


async def start_link(cls: type[GenServer[Any]], *args: Any, name: str | None = None, **kwargs: Any) -> Pid:
    """Start a server linked to the calling process. Returns its pid when its `init` has returned.

    There is no time limit; cancelling the call kills the server. If the caller is not a process, the server is not
    linked. If `init` fails, raises Exit with the reason; the caller gets no exit signal. Also raises NameTaken, Ignore,
    and TypeError for a class that is not a GenServer. Follows gen_server:start_link/4.
    """
    return await start_process(ServerProcess, cls, args, kwargs, name=name, link=True)


async def start(cls: type[GenServer[Any]], *args: Any, name: str | None = None, **kwargs: Any) -> Pid:
    """Like `start_link`, without the link. Follows gen_server:start/4."""
    return await start_process(ServerProcess, cls, args, kwargs, name=name, link=False)


async def spawn_link(cls: type[GenServer[Any]], *args: Any, name: str | None = None, **kwargs: Any) -> Pid:
    """Like `start_link`, but don't wait for `init` to return. Messages wait until `init` has returned.

    If `init` fails, the calling process gets an exit signal with the reason. Raises NameTaken, and TypeError for a
    class that is not a GenServer. Follows proc_lib:spawn_link/3 with gen_server:enter_loop/3.
    """
    return await spawn_process(ServerProcess, cls, args, kwargs, name=name)


# ------------------------------------------------------------------ for callbacks


def continue_with(argument: Any) -> None:
    """Have `handle_continue(argument)` called right after the current callback, before any other message.

    So `init` can return early, and `handle_continue` does the rest of the work before the server takes
    requests. Raises RuntimeError outside of a server's callbacks, and NotInProcess outside of
    processes. Follows the `{continue, Term}` of gen_server.
    """
    _server("continue_with").add_continue(argument)


def idle_timeout(seconds: float | None) -> None:
    """Have `handle_info(TIMEOUT(seconds))` called if no message arrives for `seconds` seconds after this callback.

    Any message cancels the timeout, so each callback that needs the timeout has to set it again. None cancels the
    timeout, too. An inspection of the process does not, because it sends no message. Raises RuntimeError outside of a
    server's callbacks, NotInProcess outside of processes, and ValueError for an invalid time. Follows the timeouts of
    gen_server.
    """
    _server("idle_timeout").set_idle_timeout(seconds)


def _server(function: str) -> ServerProcess:
    process = runtime().require_caller(function)
    if not isinstance(process, ServerProcess) or not process.in_callback():
        raise RuntimeError(f"{function}() works only in a callback of a server, but {process.title()} runs none")
    return process
