"""What goes wrong between processes, and how a callback ends its own process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from .pid import Pid, Target


class NoReply:
    """The type of `NO_REPLY`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_REPLY"


NO_REPLY: Any = NoReply()
"""Stands for "there is no reply", since None is one."""

CRASHES: Final = (Exception, SystemExit, KeyboardInterrupt)
"""What user code may raise that ends the process that it runs in, or what asked for it, and nothing more."""


def is_cancelled() -> bool:
    """Whether somebody cancels the running task; a CancelledError may else be what the code that it called raised."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def describe_reason(reason: object) -> str:
    """A reason in words: a text as it is, an exception with its type, anything else by `repr`, whatever that does."""
    if issubclass(type(reason), str):
        return str(reason)
    try:
        if isinstance(reason, Exit):
            return str(reason)
        if isinstance(reason, BaseException):
            return f"{type(reason).__name__}: {reason}".removesuffix(": ")
        return repr(reason)
    except BaseException as error:
        return f"a {type(reason).__name__} whose text raised {type(error).__name__}"


class Exit(Exception):
    """The process that was asked ended before it answered, or could not begin; `reason` is its exit reason.

    Its kinds are what gen_server:call/2 and start_link/3 of OTP exit with or return.
    """

    def __init__(self, reason: object, sentence: str | None = None) -> None:
        super().__init__(sentence or describe_reason(reason))
        self.reason = reason


class NoProcess(Exit):
    """There is no such process: it has ended, or nothing is registered under the name; `target` is who was meant.

    OTP: `noproc`.
    """

    def __init__(self, target: Any) -> None:
        if isinstance(target, str):
            what = f"no process is registered as {target!r}"
        elif isinstance(target, int):
            what = f"process {Pid(target)} has ended"
        else:
            what = f"{target!r} is neither a pid nor a name"
        super().__init__("noproc", what)
        self.target = target


class CallTimeout(Exit, TimeoutError):
    """The answer did not come in time. The request stays in the mailbox and may still be served; its answer is lost.

    OTP: `timeout` of gen_server:call/3.
    """

    def __init__(self, target: Target, request: str, seconds: float) -> None:
        who = Pid(target) if isinstance(target, int) else target
        super().__init__("timeout", f"{who} did not answer {request} within {seconds:g} s")


class Deadlock(Exit):
    """The answer could never come: whoever is asked waits, itself or through others, for the one who asks.

    `pids` is the circle: each waits for the next one, and the last for the first. OTP says so of a process that calls
    itself (`calling_self`), and lets a longer circle run into its timeouts.
    """

    def __init__(self, circle: Sequence[tuple[Pid, str]]) -> None:
        names = [name for _, name in circle]
        if len(names) == 1:
            sentence = f"{names[0]} asks itself and would wait for ever; let it do the work without a call"
        else:
            way = ", which waits for ".join([*names[1:], names[0]])
            sentence = f"{names[0]} asks {way}: none of them could ever answer; make one of these calls a cast"
        super().__init__("calling_self" if len(names) == 1 else "deadlock", sentence)
        self.pids = tuple(pid for pid, _ in circle)


class WouldWait(Exit):
    """`call_now` could only be answered later, and a plain callback can't wait. Nothing was asked.

    OTP has no such error, since there every callback may wait.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__("would_wait", sentence)


class NameTaken(Exit):
    """Another process, `pid`, has the `name`. OTP: `{already_started, Pid}`."""

    def __init__(self, name: str, pid: Pid) -> None:
        super().__init__("already_started", f"the name {name!r} belongs to process {pid}")
        self.name = name
        self.pid = pid


class NotInProcess(RuntimeError):
    """The function speaks for the calling process, and no process is calling.

    OTP has no such error, since there all code runs in a process.
    """

    def __init__(self, function: str) -> None:
        super().__init__(f"{function}() speaks for the calling process; call it inside one")


class Stop(Exception):
    """Raised by a callback to end its process with `reason`; in a call, `reply` answers the caller first.

    OTP: `{stop, Reason, Reply, State}` of gen_server:handle_call/3.
    """

    def __init__(self, reason: object = "normal", *, reply: Any = NO_REPLY) -> None:
        super().__init__(describe_reason(reason))
        self.reason = reason
        self.reply = reply


class Ignore(Exception):
    """Raised by `init`: there is nothing to do, so no process stays; the starter gets it. OTP: `ignore`."""


def is_orderly(reason: object) -> bool:
    """Whether a process with this reason ended as it should: normal, shutdown or ("shutdown", why)."""
    if type(reason) is tuple:
        return len(reason) == 2 and is_word(reason[0], "shutdown")
    return is_word(reason, "normal") or is_word(reason, "shutdown")


def is_word(reason: object, word: str) -> bool:
    """Whether the reason is this text. Any other one is not compared: it may do so by code of its own, and fail."""
    return issubclass(type(reason), str) and reason == word
