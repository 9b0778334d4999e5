"""Servers: a class whose public methods others may call. Follows gen_server of OTP.

A call names a method of the class and is checked by the type checker against it, but only the *name* travels: the
server runs the method that its current version has under the name.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any, ClassVar, Concatenate, Final, Generic, ParamSpec, TypeVar, overload

from node_runtime.processes import current_runtime
from node_runtime.processes.crash_report import shown
from node_runtime.processes.errors import Exit, NoProcess
from node_runtime.processes.messages import EXIT, TIMEOUT
from node_runtime.processes.pid import Pid, Target
from node_runtime.processes.process import BUSY, DEAD, Item, Process, SparseAttribute, operands
from node_runtime.processes.reply_future import Answer
from node_runtime.processes.runtime import runtime
from node_runtime.processes.scheduler import CALL_SECONDS, QUANTUM
from node_runtime.processes.timers import check_seconds
from node_runtime.protocol.messages import Kind

from .behaviour import Behaviour, Down, Vsn
from .behaviour_process import CRASHES, BehaviourProcess
from .deferred_reply import From
from .request import answer, apply_exits, ask, name_of, not_a_method
from .starting import start_process
from .system_messages import Tag

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")

ROUND: Final = range(QUANTUM)
NOTHING: Final[Any] = object()
NO_KWARGS: Final[dict[str, Any]] = {}
"""One for all: an empty dict for each cast in a mailbox would make the garbage collector run more often."""
logger: Final = logging.getLogger("node_runtime")

CONTINUE: Final = Tag("handle_continue")
"""Mail: go on with this."""


class GenServer(Behaviour, Generic[S]):
    """A server with the state `self.state`, the only attribute of the instance that may be assigned.

    Public methods, plain or async, are what others may call and cast; names with an underscore are the server's
    own. All that must outlive a callback belongs into the state: each version of the class has its own instance.
    Follows the callbacks of module gen_server.
    """

    __behaviour__ = True
    __slots__ = ("state",)
    state: S

    def init(self, *args: Any, **kwargs: Any) -> Any:
        """Return the first state, plain or async. May raise Stop or Ignore. Follows gen_server:init/1."""
        raise NotImplementedError(f"{type(self).__qualname__} has no init()")

    def handle_info(self, message: Any) -> Any:
        """Take any message that is not a call or a cast, plain or async. Follows gen_server:handle_info/2."""
        logger.warning("%s got a message that it doesn't handle: %s", type(self).__qualname__, shown(message))

    def handle_continue(self, argument: Any) -> Any:
        """Go on with what `continue_with(argument)` has put off, plain or async.

        Follows gen_server:handle_continue/2.
        """
        raise NotImplementedError(f"{type(self).__qualname__} has no handle_continue()")

    def terminate(self, reason: object) -> Any:
        """The process is about to end by itself or by its parent's order, plain or async.

        By its parent's order only if it traps exits. Follows gen_server:terminate/2.
        """

    @classmethod
    def code_change(cls, old_vsn: Vsn | Down, state: Any, extra: Any) -> Any:
        """Turn the state of version `old_vsn` into this one's. May return it or share its parts; must not mutate it.

        Follows gen_server:code_change/3.
        """
        return state

    def format_status(self) -> object:
        """What observers are shown in place of the state. Follows gen_server:format_status/1."""
        return self.state


class ServerProcess(BehaviourProcess):
    """Mail of a server: (method, args, kwargs, future), or a plain message."""

    __slots__ = ()
    kind: ClassVar[Kind] = "gen_server"
    runs = GenServer
    value = "state"
    idle = SparseAttribute[asyncio.TimerHandle]()
    """Fires when no message has come for as long as a callback has asked for."""

    def run(self) -> int:  # noqa: PLR0912 - written out, since each message costs
        # BehaviourProcess.run, with `step` written out for what servers get most: requests with plain methods, and
        # plain messages.
        self.gate = BUSY
        self.runtime.current = self
        mail, code, instance, handled, more = self.mail, self.code, self.instance, 0, 0
        home, namespace, methods = code.home, code.namespace, code.methods
        try:
            for handled in ROUND:
                if not mail or self.gate is not BUSY:
                    break
                item = mail.popleft()
                what, first, kwargs, future = item
                method = methods.get(what)
                if home.__dict__ is not namespace or (
                    method is None and (what is not None or code.debug is not None or type(first) is EXIT)
                ):
                    coroutine = self.step(item)
                    code, instance = self.code, self.instance
                    home, namespace, methods = code.home, code.namespace, code.methods
                else:
                    try:
                        if method is None:
                            result = instance.handle_info(first)
                        elif kwargs is None:  # Python needs no frame of C to call with one argument
                            result = method(instance, first)
                        else:
                            result = method(instance, *first, **kwargs)
                    except CRASHES as error:
                        coroutine = self.failed(item, error)
                    else:
                        if type(result) is CoroutineType:
                            coroutine = result
                        elif future is None:
                            continue
                        elif self.gate is BUSY and self.owed is None:
                            if not future.done():
                                future.set_result(result)
                            continue
                        else:
                            coroutine = self.finish(item, result)
                if coroutine is not None:
                    self.go_on(coroutine, item)
                    more = 1
                    return handled + 1
            else:
                more = 1
        finally:
            self.runtime.current = None
            self.handled += handled + more
        if self.gate is BUSY and not self.mail:
            self.mail = self.gate = None
        else:
            self.pause()
        return handled + more

    def call_back(self, item: Item) -> Any:
        what = item[0]
        if what is None:
            return self.instance.handle_info(item[1])
        method = type(self.instance).__public__.get(what)
        if method is not None:
            args, kwargs = operands(item)
            return method(self.instance, *args, **kwargs)
        if what is CONTINUE:
            return self.instance.handle_continue(item[1])
        method = type(self.instance).__deferred__.get(what)
        if method is None:
            return Refusal(f"{self.module}:{self.qualname} has no public method {what!r}")
        if item[3] is not None:
            self.owe(item[3])
        args, kwargs = operands(item)
        return method(self.instance, From(self.pid, item[3]), *args, **kwargs)

    def conclude(self, item: Item, result: Any) -> None:
        future = item[3]
        if self.owed is not None and future in self.owed:
            return
        if type(result) is Refusal:
            if future is None:
                logger.warning("%s was cast something it can't do: %s", self.title(), result.sentence)
            else:
                self.runtime.fail(item, Exit("badcall", result.sentence))
        elif future is not None and not future.done():
            future.set_result(result)

    def ended(self) -> None:
        if self.idle is not None:
            self.idle.cancel()
        super().ended()

    # ------------------------------------------------------------------ what a callback asks for besides its result

    def go_on_with(self, argument: Any) -> None:
        """Call `handle_continue(argument)` before any other mail, after what was put off before."""
        mail = self.mail = deque() if self.mail is None else self.mail
        ahead = 0
        while ahead < len(mail) and mail[ahead][0] is CONTINUE:
            ahead += 1
        mail.insert(ahead, (CONTINUE, argument, None, None))

    def wait_idle(self, seconds: float | None) -> None:
        """Handle TIMEOUT(seconds) if no message comes for so long after the callback that runs now."""
        if self.idle is not None:
            self.idle.cancel()
            self.idle = None
        if seconds is not None:
            check_seconds(seconds)
            # Only when the callback has ended all of its burst's messages are counted.
            self.between_callbacks(lambda: self._start_idling(seconds))

    def _start_idling(self, seconds: float) -> None:
        if self.gate is not DEAD:
            self.idle = self.runtime.later(seconds, self._idled, seconds, self.handled)

    def _idled(self, seconds: float, handled: int) -> None:
        self.idle = None
        if self.handled == handled and not self.mail and not self.in_callback():
            self.runtime.post(self, (None, TIMEOUT(seconds), None, None))


class Refusal:
    """In place of a result: the request itself was wrong, which is its sender's fault and not the server's."""

    __slots__ = ("sentence",)

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence


# ------------------------------------------------------------------ starting and stopping


async def start_link(cls: type[GenServer[Any]], *args: Any, name: str | None = None, **kwargs: Any) -> Pid:
    """Start a server linked to the calling process and return when its `init` has.

    Returns its pid. There is no time limit; a cancellation kills it. Outside of processes there is nothing to link to,
    and this is `start`. Raises NameTaken, Ignore, Exit with the reason when `init` fails (and sends no exit signal on
    top), and TypeError for a class that is no server's. Follows gen_server:start_link/4.
    """
    return await start_process(ServerProcess, cls, args, kwargs, name=name, link=True)


async def start(cls: type[GenServer[Any]], *args: Any, name: str | None = None, **kwargs: Any) -> Pid:
    """As `start_link`, without the link. Follows gen_server:start/4."""
    return await start_process(ServerProcess, cls, args, kwargs, name=name, link=False)


# ------------------------------------------------------------------ inside of callbacks


def continue_with(argument: Any) -> None:
    """Let `handle_continue(argument)` follow the callback that runs now, before any other message.

    So `init` can return at once and do the rest of its work before anybody is served. Raises RuntimeError outside of
    a server's callbacks, NotInProcess outside of processes. Follows the `{continue, Term}` of gen_server.
    """
    _server("continue_with").go_on_with(argument)


def idle_timeout(seconds: float | None) -> None:
    """Let `handle_info(TIMEOUT(seconds))` follow if no message comes for `seconds` seconds after this callback.

    Any message ends that, so a callback that wants it again asks again; None takes it back. Looking at the process
    is no message. Raises RuntimeError outside of a server's callbacks, NotInProcess outside of processes, ValueError
    for what is no time. Follows the timeouts of gen_server.
    """
    _server("idle_timeout").wait_idle(seconds)


def _server(function: str) -> ServerProcess:
    process = runtime().caller(function)
    if not isinstance(process, ServerProcess) or not process.in_callback():
        raise RuntimeError(f"{function}() belongs into a callback of a server; {process.title()} runs none")
    return process


# ------------------------------------------------------------------ calls


def _request(name: str, argument: Any, args: tuple[Any, ...], kwargs: dict[str, Any], answer: Answer | None) -> Item:
    """A request as a piece of mail."""
    if argument is NOTHING:
        return (name, (), kwargs or NO_KWARGS, answer)
    if args or kwargs:
        return (name, (argument, *args), kwargs or NO_KWARGS, answer)
    return (name, argument, None, answer)


@overload
async def call(
    target: Target, method: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
) -> R: ...
@overload
async def call(target: Target, method: Callable[Concatenate[Any, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
async def call(  # noqa: PLR0912
    target: Target, method: Callable[..., Any], argument: Any = NOTHING, /, *args: Any, **kwargs: Any
) -> Any:
    """Ask a server and wait for the answer, at most 5 s: `await call("counter", Counter.add, 3)`.

    Returns what the method does. Raises NoProcess at once when there is no such process, CallTimeout, Exit with the
    reason when the server ends before it answers ("badcall" when it has no such method, and goes on), Deadlock at once
    when it waits for the caller, itself or through others, and TypeError for what is no method. A call to an idle
    server whose method is plain runs in the caller's turn, with the caller's context variables. Follows
    gen_server:call/2.
    """
    node = current_runtime.node or runtime()
    if node.zombies:
        node.refuse_zombie()
    known: dict[Any, Any] = node.names if isinstance(target, str) else node.processes
    try:
        name = method.__name__
        process: Any = known[target]
    except KeyError:
        raise NoProcess(target) from None
    except AttributeError:
        raise not_a_method(method) from None
    mail, began = process.mail, 0.0
    # `gate` is None for processes with callbacks only, and `methods` has no requests but a server's.
    if (
        process.gate is not None
        or mail is not None
        or (code := process.code).home.__dict__ is not code.namespace
        or (function := code.methods.get(name)) is None
        or (node.inline_calls <= node.look_at and not (began := node.look()))
    ):
        return await ask(node, process, _request(name, argument, args, kwargs, Answer(node)), CALL_SECONDS)
    node.inline_calls -= 1
    # From here on it is BehaviourProcess.serve, without a future for the answer.
    failure: BaseException | None = None
    result: Any = None
    process.gate = BUSY
    process.handled += 1
    node.current = process
    try:
        if argument is NOTHING:
            result = function(process.instance, **kwargs)
        elif args or kwargs:
            result = function(process.instance, argument, *args, **kwargs)
        else:  # Python needs no frame of C to call with one argument
            result = function(process.instance, argument)
    except CRASHES as error:
        failure = error
    finally:
        node.current = None
        if began:
            node.charge(process, began)
    if failure is None and process.gate is BUSY and type(result) is not CoroutineType:
        process.gate = None
        if process.mail is not None:
            node.make_ready(process)
        if node.zombies:
            await apply_exits(node)
        return result
    item = _request(name, argument, args, kwargs, Answer(node))
    if failure is None and type(result) is CoroutineType:
        process.go_on(result, item)
    else:
        process.resolve(item, result, failure)
    return await answer(node, process, item, CALL_SECONDS)


@overload
async def call_within(
    seconds: float | None,
    target: Target,
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R: ...
@overload
async def call_within(
    seconds: float | None,
    target: Target,
    method: Callable[Concatenate[Any, P], R],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R: ...
async def call_within(
    seconds: float | None, target: Target, method: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> Any:
    """As `call`, with a time limit of `seconds` seconds; None waits for ever.

    Raises ValueError for what is no time, too. Follows gen_server:call/3.
    """
    node, name = runtime(), name_of(method)
    if seconds is not None:
        check_seconds(seconds)
    process = node.find(target)
    return await ask(node, process, (name, args, kwargs, Answer(node)), seconds)


@overload
def cast(
    target: Target,
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, Any]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> None: ...
@overload
def cast(target: Target, method: Callable[Concatenate[Any, P], Any], /, *args: P.args, **kwargs: P.kwargs) -> None: ...
def cast(target: Target, method: Callable[..., Any], argument: Any = NOTHING, /, *args: Any, **kwargs: Any) -> None:
    """Ask a server to do something and don't wait, nor learn what came of it. Nobody may be there.

    Raises TypeError for what is no method. Follows gen_server:cast/2.
    """
    node = current_runtime.node or runtime()
    if node.zombies:
        node.refuse_zombie()
    known: dict[Any, Process] = node.names if isinstance(target, str) else node.processes
    try:
        process = known[target]
        if not (args or kwargs) and argument is not NOTHING:
            item: Item = (method.__name__, argument, None, None)
        else:
            item = _request(method.__name__, argument, args, kwargs, None)
    except KeyError:
        name_of(method)
        return
    except AttributeError:
        raise not_a_method(method) from None
    if (mail := process.mail) is not None:
        mail.append(item)
    else:
        node.post(process, item)
