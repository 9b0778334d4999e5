"""State machines: `await gen_statem.call("door", ("digit", "1"))`. Follows module gen_statem of OTP."""

from .behaviours.deferred_reply import From, reply
from .behaviours.gen_statem import GenStatem, call, cast, has_state, start, start_link, states_of
from .behaviours.starting import stop
from .behaviours.statem_events import Call, Cast, Enter, Event, Info, Internal, Next, Timeout, keep

__all__ = [
    "Call",
    "Cast",
    "Enter",
    "Event",
    "From",
    "GenStatem",
    "Info",
    "Internal",
    "Next",
    "Timeout",
    "call",
    "cast",
    "has_state",
    "keep",
    "reply",
    "start",
    "start_link",
    "states_of",
    "stop",
]
