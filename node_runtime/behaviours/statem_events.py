"""The events of state machines, and the transitions that their states return, as immutable values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from node_runtime.processes.errors import NO_REPLY
from node_runtime.processes.process import MailItem
from node_runtime.processes.timers import check_seconds

from .deferred_reply import From
from .system_messages import MailTag

ENTER: Final = MailTag("enter")
"""The tag of the Enter event of the machine's first state. The entry also has the timeouts that `init` has set."""
INSERTED: Final = MailTag("inserted")
"""The tag of an event that a transition has inserted."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call. The caller waits for the reply. OTP: `{call, From}` of gen_statem:event_type()."""

    request: Any
    from_: From[Any]


@dataclass(frozen=True, slots=True)
class Cast:
    """A cast. OTP: `cast` of gen_statem:event_type()."""

    message: Any


@dataclass(frozen=True, slots=True)
class Info:
    """A message that is neither a call nor a cast. OTP: `info` of gen_statem:event_type()."""

    message: Any


@dataclass(frozen=True, slots=True)
class Internal:
    """An event that only the machine itself can insert. OTP: `internal` of gen_statem:event_type()."""

    message: Any


@dataclass(frozen=True, slots=True)
class Enter:
    """The state has just been entered from the state `previous`; only for classes with `state_enter = True`.

    Follows gen_statem:state_enter().
    """

    previous: Any


@dataclass(frozen=True, slots=True)
class Timeout:
    """A timeout. In a transition, it is set to fire in `after` seconds; an `after` of None cancels it.

    As an event, a Timeout means that the timeout has fired.

    `name` identifies the timeout. A change of the state cancels a timeout that is not `generic`; any event cancels an
    `event` timeout. Setting the same name again restarts the timeout. `after="same"` keeps the remaining time and
    replaces `content`; if the timeout isn't set, it fires at once. A timeout of 0 s fires after the events that the
    machine has inserted or postponed, and before all other messages. Follows gen_statem:timeout_action().
    """

    name: str
    after: float | Literal["same"] | None = None
    generic: bool = False
    event: bool = False
    content: Any = None

    def __post_init__(self) -> None:
        if self.generic and self.event:
            raise ValueError(
                f"timeout {self.name!r}: any event cancels an event timeout, so set either event or generic"
            )
        if self.after is not None and self.after != "same":
            check_seconds(self.after)


Event: TypeAlias = Call | Cast | Info | Internal | Enter | Timeout
"""What a state machine's methods get: a message, an inserted event, the entry of a state, or a timeout."""


@dataclass(frozen=True, slots=True)
class Next:
    """A transition to `state`, with further actions. None and the present state mean that the state doesn't change.

    `reply` answers the call that is being handled. `replies` answers other calls: it has pairs of a From and an answer.
    `postpone` retries the event after the next change of the state. `events` are handled before postponed events and
    all messages. `repeat` enters the present state again, for classes with `state_enter`. If `stop` is given, the
    process ends with this reason after the replies. Follows the transition actions of gen_statem.
    """

    state: Any = None
    reply: Any = NO_REPLY
    timeouts: tuple[Timeout, ...] = ()
    postpone: bool = False
    stop: Any = None
    replies: tuple[tuple[From[Any], Any], ...] = ()
    events: tuple[Cast | Info | Internal | Call, ...] = ()
    repeat: bool = False


keep: Final = Next()
"""The transition that keeps the state and has no other effect."""


def last_of_each_name(timeouts: Iterable[Timeout]) -> list[Timeout]:
    """Return the last timeout of each name, in the given order. Follows the timeout actions of gen_statem."""
    chosen: dict[str, Timeout] = {}
    for timeout in timeouts:
        chosen.pop(timeout.name, None)
        chosen[timeout.name] = timeout
    return list(chosen.values())


def inserted(event: Event) -> MailItem:
    """Return the mailbox item of an event that a transition inserts. Raises TypeError for another kind of event."""
    if type(event) not in (Cast, Info, Internal, Call):
        raise TypeError(f"{event!r} can't be inserted; insert Internal, Cast, Info or Call events")
    return (INSERTED, event, None, event.from_._future if type(event) is Call else None)
