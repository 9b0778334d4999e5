"""Messages that the runtime sends to processes, and the events that it publishes to subscribers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .pid import Pid, Ref


@dataclass(frozen=True, slots=True)
class EXIT:
    """An exit signal as a message, for a process that traps exits. Follows erlang:process_flag(trap_exit, true)."""

    pid: Pid
    reason: object


@dataclass(frozen=True, slots=True)
class DOWN:
    """The process that the monitor `ref` watches has ended. Follows erlang:monitor/2."""

    ref: Ref
    pid: Pid
    reason: object


@dataclass(frozen=True, slots=True)
class TIMEOUT:
    """No message has arrived within `seconds` seconds after the callback that set the timeout: see `idle_timeout`.

    OTP: the message `timeout` of gen_server:handle_info/2.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class ProcessEvent:
    """Published to subscribers in the turn in which it happens; `reason` is the exit reason of "ended".

    OTP reports such events through erlang:trace/3.
    """

    kind: Literal["born", "ended", "registered"]
    pid: Pid
    name: str | None
    reason: object = None
