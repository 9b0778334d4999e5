"""State machines: classes with one method for each state, or one for all states. Follows gen_statem of OTP.

The method that handles an event returns the transition. Before the next event, the runtime carries out the transition:
it replies, changes the state, retries postponed events and sets timeouts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from types import CoroutineType
from typing import Any, ClassVar, Final, Generic, Literal, TypeAlias, TypeVar, assert_never, get_args

from node_runtime.processes.errors import NO_REPLY, Exit, Stop
from node_runtime.processes.pid import Pid, Target
from node_runtime.processes.process import BUSY, DEAD, MailItem
from node_runtime.processes.reply_future import ReplyFuture
from node_runtime.processes.runtime import Runtime, runtime
from node_runtime.processes.scheduler import DEFAULT_CALL_SECONDS
from node_runtime.processes.timers import check_seconds
from node_runtime.protocol.messages import ProcessKind

from .behaviour import Behaviour, Down, Vsn
from .behaviour_process import BehaviourProcess
from .callback_class import CallbackVersion
from .deferred_reply import From, reply
from .request import send_request, wait_for_reply
from .show.log_format import message_line, one_line
from .starting import start_process
from .statem_events import ENTER, INSERTED, Call, Cast, Enter, Event, Info, Next, Timeout, inserted, last_of_each_name
from .system_messages import MailTag

D = TypeVar("D")
CallbackMode: TypeAlias = Literal["state_functions", "handle_event_function"]

REQUEST: Final = MailTag("request")
"""The tag of a call, or of a cast if the entry has no future."""
TIMEOUT: Final = MailTag("timeout")
"""The tag of a timeout. Setting or cancelling the timeout again makes the token in the entry outdated."""


class GenStatem(Behaviour, Generic[D]):
    """A state machine with the data `self.data`, the only attribute of the instance that may be assigned.

    With `callback_mode = "state_functions"`, the public methods are the states, and may be async: `def locked(self,
    event: Event) -> Next`. With "handle_event_function", the method `handle_event` handles the events of all states,
    and a state may be any value but None. With `state_enter`, the first event of a state is Enter. Names that start
    with `_` are private. The callback mode and the methods are looked up in the current version of the class at each
    event, so an upgrade may change them. Follows gen_statem:callback_mode/0.
    """

    __behaviour__ = True
    __slots__ = ("data",)
    __state_attribute__ = "data"
    callback_mode: ClassVar[CallbackMode] = "state_functions"
    state_enter: ClassVar[bool] = False
    data: D

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.callback_mode not in get_args(CallbackMode):
            raise TypeError(
                f"{cls.__name__}: callback_mode is {cls.callback_mode!r}; use one of {get_args(CallbackMode)}"
            )

    def init(self, *args: Any, **kwargs: Any) -> Any:
        """Return `(state, data)`, or `(state, data, Next(...))` to begin with timeouts and events.

        May be async, and may raise Stop or Ignore. Follows gen_statem:init/1.
        """
        raise NotImplementedError(f"{type(self).__qualname__} has no init()")

    def handle_event(self, event: Event, state: Any) -> Any:
        """Handle an event in any state and return a Next. May be async. Follows gen_statem:handle_event/4."""
        raise NotImplementedError(f"{type(self).__qualname__} has no handle_event()")

    def terminate(self, reason: object) -> Any:
        """Clean up before the process ends. May be async.

        Called when the process ends by itself. If the process traps exits, also called when its parent ends it. Follows
        gen_statem:terminate/3.
        """

    @classmethod
    def code_change(cls, old_vsn: Vsn | Down, state: tuple[Any, Any], extra: Any) -> tuple[Any, Any]:
        """Convert `state`, a pair `(state, data)`, from the version `old_vsn` to this version, and return the result.

        `state` must not be mutated. A changed state causes no Enter event and no retry of postponed events; timeouts
        keep running. Follows gen_statem:code_change/4.
        """
        return state

    def format_status(self) -> object:
        """Return what observers see in place of the data. Follows gen_statem:format_status/1."""
        return self.data

    @classmethod
    def __name_and_data__(cls, raw_state: object) -> tuple[object, object] | None:
        return raw_state if isinstance(raw_state, tuple) and len(raw_state) == 2 else None


def has_state(cls: type[GenStatem[Any]], state: object) -> bool:
    """Return whether a state machine's class handles events in the given state. OTP has no such function."""
    match cls.callback_mode:
        case "handle_event_function":
            return True
        case "state_functions":
            return isinstance(state, str) and state in cls.__public__
        case _ as unknown:
            assert_never(unknown)


def states_of(cls: type[Any]) -> frozenset[str]:
    """Return the names of the states that a state machine's class defines; none if one method handles all states.

    OTP has no such function.
    """
    machine: type[GenStatem[Any]] = cls
    match machine.callback_mode:
        case "handle_event_function":
            return frozenset()
        case "state_functions":
            return frozenset(machine.__public__)
        case _ as unknown:
            assert_never(unknown)


class NoSuchState(LookupError):
    """The machine is in a state that the current version of its class does not define."""


class StatemProcess(BehaviourProcess):
    """A state machine's process. Its mailbox contains requests, timeouts and plain messages."""

    __slots__ = ("own_mail_count", "postponed", "state_name", "timers")
    kind: ClassVar[ProcessKind] = "gen_statem"
    behaviour = GenStatem
    state_attribute = GenStatem.__state_attribute__
    read_state = vars(GenStatem)[state_attribute].__get__
    needs_call_back = True

    def __init__(self, node: Runtime, parent: Pid, cls: type[Behaviour]) -> None:
        super().__init__(node, parent, cls)
        self.state_name: Any = ""
        self.postponed: list[MailItem] = []
        self.timers: dict[str, tuple[object, asyncio.TimerHandle | None, Timeout]] = {}
        self.own_mail_count = 0
        """The number of items that the machine itself has put at the head of the mailbox."""

    def raw_state(self) -> Any:
        return (self.state_name, super().raw_state())

    def take_state(self, state: Any) -> None:
        if type(state) is not tuple or len(state) not in (2, 3):
            raise TypeError(f"{self.qualname} was given {one_line(state)} as its state; pass (state, data)")
        name, data, *begin = state
        if begin:
            self._begin_with(name, *begin)
        super().take_state(data)
        self.state_name = name

    def make_instance(self, cls: Any, state: Any) -> Any:
        if type(state) is not tuple or len(state) != 2:
            raise TypeError(f"{self.qualname} was given {one_line(state)} as its state; pass (state, data)")
        return super().make_instance(cls, state[1])

    def take_instance(self, instance: Any, code: CallbackVersion, state: Any) -> None:
        super().take_instance(instance, code, state)
        self.state_name = state[0]

    def _begin_with(self, name: Any, transition: Any) -> None:
        if type(transition) is not Next or transition.postpone or transition.state is not None:
            raise TypeError(
                f"init of {self.qualname} returned {transition!r}; its Next may only set timeouts and insert events"
            )
        self._queue([inserted(event) for event in transition.events])
        if type(self.instance).state_enter:
            self._queue([(ENTER, name, transition.timeouts, None)])
        else:
            self._set_last(transition.timeouts)

    def on_initialised(self) -> None:
        if type(self.instance).state_enter and not (self.mail and self.mail[0][0] is ENTER):
            self._queue([(ENTER, self.state_name, (), None)])

    def on_ended(self) -> None:
        for _, handle, _ in self.timers.values():
            if handle is not None:
                handle.cancel()
        for item in self.postponed:
            self.runtime.fail(item, Exit(self.reason))
        super().on_ended()

    # ------------------------------------------------------------------ events

    def serve(self, item: MailItem, run_state: str = BUSY) -> None:
        self.own_mail_count += 1  # `begin` subtracts 1 for each item, but `item` is not in the mailbox
        super().serve(item, run_state)

    def begin(self, item: MailItem) -> Any:
        if self.own_mail_count:
            self.own_mail_count -= 1
        return super().begin(item)

    def call_back(self, item: MailItem) -> Any:
        event = self._event(item)
        return None if event is None else self._transition(event, item)

    def conclude(self, item: MailItem, result: Any) -> None:
        """Do nothing, because `call_back` has carried out the transition."""

    def _event(self, item: MailItem) -> Event | None:
        kind, first, token, future = item
        event: Event
        if kind is None:
            event = Info(first)
        elif kind is REQUEST:
            event = Cast(first) if future is None else Call(first, From(self.pid, future))
        elif kind is INSERTED:
            event = first
        elif kind is ENTER:
            return Enter(first)
        elif kind is TIMEOUT:
            if first not in self.timers or self.timers[first][0] is not token:
                return None
            event = self.timers.pop(first)[2]
        else:
            self.runtime.fail(item, Exit("badcall", f"{self.title()} is a state machine; use gen_statem.call"))
            return None
        for name in [name for name, (_, _, timeout) in self.timers.items() if timeout.event]:
            self._cancel(name)
        return event

    def _transition(self, event: Event, item: MailItem) -> Any:
        """Handle `event` and the Enter events that follow. Returns a coroutine for the rest if a callback is async."""
        next_event: Event | None = event
        timeouts: list[Timeout] = list(item[2] or ()) if item[0] is ENTER else []
        while next_event is not None:
            result = self._handle(next_event)
            if type(result) is CoroutineType:
                return self._transition_later(result, next_event, item, timeouts)
            next_event = self._apply(result, next_event, item, timeouts)
        self._set_last(timeouts)
        return None

    async def _transition_later(self, coroutine: Any, event: Event, item: MailItem, timeouts: list[Timeout]) -> None:
        next_event = self._apply(await coroutine, event, item, timeouts)
        while next_event is not None:
            result = self._handle(next_event)
            if type(result) is CoroutineType:
                result = await result
            next_event = self._apply(result, next_event, item, timeouts)
        self._set_last(timeouts)

    def _handle(self, event: Event) -> Any:
        machine: Any = self.instance
        mode: CallbackMode = type(machine).callback_mode
        match mode:
            case "handle_event_function":
                return machine.handle_event(event, self.state_name)
            case "state_functions":
                if not has_state(type(machine), self.state_name):
                    vsn = self.runtime.vsn_of(self.module, self.namespace)
                    code = f"{self.module}:{self.qualname}" + (f" version {vsn}" if vsn else "")
                    raise NoSuchState(f"{code} does not define the state {self.state_name!r}")
                return getattr(machine, self.state_name)(event)
            case _ as unknown:
                assert_never(unknown)

    # ------------------------------------------------------------------ transitions

    def _apply(self, transition: Any, event: Event, item: MailItem, timeouts: list[Timeout]) -> Enter | None:
        """Carry out the transition and add its timeouts to `timeouts`; return an Enter event if the class wants one."""
        if self.run_state is DEAD:
            return None
        previous = self.state_name
        self._check(transition, event)
        for caller, answer_to_caller in transition.replies:
            reply(caller, answer_to_caller)
        if transition.stop is not None:
            raise Stop(transition.stop, reply=transition.reply)
        if transition.postpone:
            # A timeout that has fired is no longer set, so it is retried as an inserted event.
            self.postponed.append((INSERTED, event, None, None) if type(event) is Timeout else item)
            if self.debug is not None:
                self.debug.record(self, "postpone", event, lambda: message_line(item, type(self.instance)))
        elif type(event) is Call:
            self._answer(transition, event, item)
        changed = transition.state is not None and transition.state != previous
        retried: list[MailItem] = []
        if changed:
            self.state_name = transition.state
            if self.debug is not None:
                self.debug.record(self, "state", transition.state, lambda: f"{previous} => {transition.state}")
            retried, self.postponed = self.postponed, []
            for name in [name for name, (_, _, timeout) in self.timers.items() if not timeout.generic]:
                self._cancel(name)
        self._queue([inserted(event) for event in transition.events] + retried)
        timeouts += transition.timeouts
        if not ((changed or transition.repeat) and type(self.instance).state_enter):
            return None
        return event if type(event) is Enter else Enter(previous)

    def _check(self, transition: Any, event: Event) -> None:
        if type(transition) is not Next:
            raise TypeError(f"state {self.state_name!r} returned {transition!r}; it must return `Next(...)` or `keep`")
        if type(event) is not Enter:
            return
        if transition.postpone or transition.events or transition.state not in (None, self.state_name):
            raise ValueError(
                f"state {self.state_name!r} can't postpone or insert events or change the state "
                f"while it is being entered, but it returned {transition!r}"
            )

    def _answer(self, transition: Next, call: Call, item: MailItem) -> None:
        if transition.reply is not NO_REPLY:
            reply(call.from_, transition.reply)
        elif item[3] is not None and not item[3].done() and call.from_.pid == self.pid:
            self.add_pending_reply(item[3])

    def _queue(self, items: list[MailItem]) -> None:
        """Put `items` at the head of the mailbox: the inserted events, then the postponed events."""
        if items:
            self.prepend_mail(items)
            self.own_mail_count += len(items)

    def _set_last(self, timeouts: Iterable[Timeout]) -> None:
        """Set the timeouts of an event and of its Enter events; the last one of each name counts."""
        if self.run_state is not DEAD:
            for timeout in last_of_each_name(timeouts):
                self._set(timeout)

    def _set(self, timeout: Timeout) -> None:
        name, after = timeout.name, timeout.after
        if after == "same" and name in self.timers:
            token, handle, before = self.timers[name]
            self.timers[name] = (token, handle, replace(before, content=timeout.content))
            return
        self._cancel(name)
        if after is None:
            return
        token, handle = object(), None
        item: MailItem = (TIMEOUT, name, token, None)
        if after == "same" or after <= 0:
            self.prepend_mail([])
            assert self.mail is not None
            self.mail.insert(self.own_mail_count, item)
            self.own_mail_count += 1
        else:
            handle = self.runtime.call_later(after, self.runtime.post, self, item)
        self.timers[name] = (token, handle, timeout)

    def _cancel(self, name: str) -> None:
        _, handle, _ = self.timers.pop(name, (None, None, None))
        if handle is not None:
            handle.cancel()


# ------------------------------------------------------------------ functions


async def start_link(cls: type[GenStatem[Any]], *args: Any, name: str | None = None, **kwargs: Any) -> Pid:
    """Like `gen_server.start_link`, for a subclass of GenStatem. Follows gen_statem:start_link/4."""
    return await start_process(StatemProcess, cls, args, kwargs, name=name, link=True)


async def start(cls: type[GenStatem[Any]], *args: Any, name: str | None = None, **kwargs: Any) -> Pid:
    """Like `start_link`, without the link. Follows gen_statem:start/4."""
    return await start_process(StatemProcess, cls, args, kwargs, name=name, link=False)


async def call(target: Target, request: Any, timeout: float | None = DEFAULT_CALL_SECONDS) -> Any:
    """Send the event Call(request) and wait at most `timeout` seconds for the reply; None waits forever.

    Returns the reply. Raises NoProcess, CallTimeout, Deadlock and Exit like `gen_server.call`, and ValueError for an
    invalid time. Follows gen_statem:call/3.
    """
    node = runtime()
    if timeout is not None and timeout is not DEFAULT_CALL_SECONDS:
        check_seconds(timeout)
    process = node.find(target)
    item: MailItem = (REQUEST, request, None, ReplyFuture(node))
    if process.run_state is None and process.mail is None and isinstance(process, StatemProcess) and node.may_inline():
        node.refuse_zombie()
        process.serve(item)
        return await wait_for_reply(node, process, item, timeout)
    return await send_request(node, process, item, timeout)


def cast(target: Target, message: Any) -> None:
    """Send the event Cast(message). Does nothing if there is no such process. Follows gen_statem:cast/2."""
    node = runtime()
    node.refuse_zombie()
    process = node.names.get(target) if isinstance(target, str) else node.processes.get(target)
    if process is not None:
        node.post(process, (REQUEST, message, None, None))
