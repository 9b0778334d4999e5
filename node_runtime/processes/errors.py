"""The errors of calls and of functions on processes, and the exceptions with which a callback ends its process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from .exit_reasons import DescribedError, describe_reason
from .pid import Pid, Target


class NoReply:
    """The type of `NO_REPLY`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_REPLY"


NO_REPLY: Any = NoReply()
"""Marks a missing reply, because None is a valid reply."""

CRASH_EXCEPTIONS: Final = (Exception, SystemExit, KeyboardInterrupt)
"""Exceptions that never end the node when user code raises them.

They end only the process, or fail only the request, whose code raises them.
"""


def is_being_cancelled() -> bool:
    """Return whether the running task is being cancelled.

    False if the task catches a CancelledError that the called code itself has raised: then nobody has cancelled the
    task.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Exit(DescribedError):
    """A call failed, or a process could not start; `reason` says why.

    If the called process has ended without a reply, or a process could not start, `reason` is the exit reason of that
    process. If the called process can't handle the request, `reason` is "badcall". In a zombie, the functions of the
    runtime raise Exit with the zombie's own exit reason.

    Most subclasses correspond to a reason with which OTP's gen_server:call/2 exits, or to an error that
    gen_server:start_link/3 returns.
    """

    def __init__(self, reason: object, sentence: str | None = None) -> None:
        super().__init__(sentence or describe_reason(reason))
        self.reason = reason


class NoProcess(Exit):
    """There is no such process: it has ended, or nothing is registered under the name.

    `target` is the pid or the name that was passed. OTP: `noproc`.
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
    """The reply did not come in time. The request stays in the mailbox and may still be handled; its reply is lost.

    OTP: `timeout` of gen_server:call/3.
    """

    def __init__(self, target: Target, request: str, seconds: float) -> None:
        name = Pid(target) if isinstance(target, int) else target
        super().__init__("timeout", f"{name} did not answer {request} within {seconds:g} s")


class Deadlock(Exit):
    """The reply could never come: the called process waits for the calling process, directly or through others.

    `pids` is the cycle: each process waits for the next one, and the last waits for the first. OTP reports only a
    process that calls itself (`calling_self`); in a longer cycle the calls time out.
    """

    def __init__(self, cycle: Sequence[tuple[Pid, str]]) -> None:
        names = [name for _, name in cycle]
        if len(names) == 1:
            sentence = f"{names[0]} would wait for itself forever; do the work without a call"
        else:
            path = ", which waits for ".join([*names[1:], names[0]])
            sentence = (
                f"{names[0]} would wait for {path}: none of them could ever continue; make one of these calls a cast"
            )
        super().__init__("calling_self" if len(names) == 1 else "deadlock", sentence)
        self.pids = tuple(pid for pid, _ in cycle)


class WouldWait(Exit):
    """`call_now` would have to wait for the reply, but a callback that isn't async can't wait.

    The method was not called, unless the text of the error says that the method continues. OTP has no such error,
    because there every callback may wait.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__("would_wait", sentence)


class NameTaken(Exit):
    """The `name` is registered already, by the process `pid`. OTP: `{already_started, Pid}`."""

    def __init__(self, name: str, pid: Pid) -> None:
        super().__init__("already_started", f"the name {name!r} belongs to process {pid}")
        self.name = name
        self.pid = pid


class NotInProcess(RuntimeError):
    """A function that acts for the calling process was called outside of processes.

    OTP has no such error, because there all code runs in a process.
    """

    def __init__(self, function: str) -> None:
        super().__init__(f"{function}() acts for the calling process; call it in a process")


class Stop(Exception):
    """Raised by a callback to end its process with `reason`; in a call, `reply` is sent to the caller first.

    OTP: `{stop, Reason, Reply, State}` of gen_server:handle_call/3.
    """

    def __init__(self, reason: object = "normal", *, reply: Any = NO_REPLY) -> None:
        super().__init__(describe_reason(reason))
        self.reason = reason
        self.reply = reply


class Ignore(Exception):
    """Raised by `init` to end its process, because the process would have nothing to do.

    The code that starts the process gets this error. OTP: `ignore`.
    """
