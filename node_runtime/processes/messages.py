"""Messages that the runtime sends to processes, and the events that it publishes to subscribers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .pid import Pid, Ref


@dataclass(frozen=True, slots=True)
class EXIT:
    """The message that a process gets in place of an exit signal, if it traps exits.

    Follows erlang:process_flag(trap_exit, true).
    """

    pid: Pid
    reason: object


@dataclass(frozen=True, slots=True)
class DOWN:
    """The message that reports the end of the process that the monitor `ref` watches. Follows erlang:monitor/2."""

    ref: Ref
    pid: Pid
    reason: object


@dataclass(frozen=True, slots=True)
class TIMEOUT:
    """The message to a process that has received no other message for `seconds` seconds: see `idle_timeout`.

    OTP: the message `timeout` of gen_server:handle_info/2.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class ProcessEvent:
    """An event that subscribers get at once: a process has started, has ended, or has got or lost its registered name.

    `reason` is set for "ended". In a "registered" event, a `name` of None means that the name was removed. OTP reports
    such events through erlang:trace/3.
    """

    kind: Literal["born", "ended", "registered"]
    pid: Pid
    name: str | None
    reason: object = None
