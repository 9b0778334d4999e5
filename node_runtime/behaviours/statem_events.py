"""What happens to a state machine, its events, and what its states answer: a transition. Values only, all immutable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from node_runtime.processes.errors import NO_REPLY
from node_runtime.processes.timers import check_seconds

from .deferred_reply import From


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody called and waits for the reply. OTP: `{call, From}` of gen_statem:event_type()."""

    request: Any
    from_: From[Any]


@dataclass(frozen=True, slots=True)
class Cast:
    """Somebody cast. OTP: `cast` of gen_statem:event_type()."""

    message: Any


@dataclass(frozen=True, slots=True)
class Info:
    """Any other message. OTP: `info` of gen_statem:event_type()."""

    message: Any


@dataclass(frozen=True, slots=True)
class Internal:
    """The machine has inserted this itself; nobody else can send one. OTP: `internal` of gen_statem:event_type()."""

    message: Any


@dataclass(frozen=True, slots=True)
class Enter:
    """The state has just been entered from `previous`; only for classes with `state_enter = True`.

    Follows gen_statem:state_enter().
    """

    previous: Any


@dataclass(frozen=True, slots=True)
class Timeout:
    """In a transition: fire `name` in `after` seconds; None cancels it. As an event: `name` has fired.

    It ends with the state, unless it is `generic`; if it is an `event` one, also with any event. Setting a name again
    restarts it. `after="same"` lets it run on with another `content`, and fires at once if it doesn't run. One of 0 s
    fires after the events that the machine has inserted or postponed and before all mail. Follows
    gen_statem:timeout_action().
    """

    name: str
    after: float | Literal["same"] | None = None
    generic: bool = False
    event: bool = False
    content: Any = None

    def __post_init__(self) -> None:
        if self.generic and self.event:
            raise ValueError(f"timeout {self.name!r}: an event's timeout ends with any event; it can't be generic")
        if self.after is not None and self.after != "same":
            check_seconds(self.after)


Event: TypeAlias = Call | Cast | Info | Internal | Enter | Timeout


@dataclass(frozen=True, slots=True)
class Next:
    """A transition: to `state` (None and the present state are no change), with what else is to happen.

    `reply` answers the call that the event is, `replies` answer others: pairs of a From and an answer. `postpone` keeps
    the event until the state has changed. `events` are handled next, before what was postponed and before all mail.
    `repeat` enters the present state again, for classes with `state_enter`. `stop` ends the process with that reason,
    after the replies. Follows the transition actions of gen_statem.
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
"""Stay in the state and do nothing else."""
