"""The values that processes will handle later: queued messages, pending timers, and a state machine's own events.

An upgrade reads these values, converts the instances of replaced classes, and replaces the values. Nothing here sends a
message or restarts a timer: a replaced message keeps its place, its caller and its time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, TypeAlias

from node_runtime.behaviours.gen_statem import StatemProcess
from node_runtime.processes.process import DEAD, MailItem, Process
from node_runtime.processes.runtime import Runtime
from node_runtime.processes.timers import TimerRef

from .holding import Hold

PENDING_KINDS: Final = ("message", "postponed event", "timeout", "timer")
"""The name of a value in each of the four parts of `PendingValues.values`, for messages."""
Operands: TypeAlias = "list[tuple[Any, Any]]"
"""The two operands of each entry of a mailbox."""


class PendingValues:
    """The values that one process will handle later.

    `values` has four parts: the two operands (see `MailItem`) of each queued message, the two operands of each
    postponed event, the contents of a state machine's timeouts by name, and the messages of timers.
    """

    __slots__ = ("process", "timers", "values")

    def __init__(self, process: Process, timers: Iterable[TimerRef]) -> None:
        self.process = process
        self.timers = tuple(timers)
        postponed: Operands = []
        contents: dict[str, Any] = {}
        if isinstance(process, StatemProcess):
            postponed = _operands(process.postponed)
            contents = {name: timeout.content for name, (_, _, timeout) in process.timers.items()}
        messages = [timer.message for timer in self.timers]
        self.values = (_operands(process.mail or ()), postponed, contents, messages)

    def replace(self, values: tuple[Operands, Operands, dict[str, Any], list[Any]]) -> None:
        """Replace the values of the process by `values`, which correspond to the old values one by one. Can't fail.

        No code of the node may have run between the reading of the old values and this call.
        """
        process, mail = self.process, self.process.mail
        messages, postponed, contents, timer_messages = values
        if mail is not None:
            items = _with_operands(mail, messages)
            mail.clear()  # the same queue object: its reader may hold a reference to it
            mail.extend(items)
        if isinstance(process, StatemProcess):
            process.postponed = _with_operands(process.postponed, postponed)
            for name, content in contents.items():
                token, handle, timeout = process.timers[name]
                process.timers[name] = (token, handle, replace(timeout, content=content))
        for timer, message in zip(self.timers, timer_messages, strict=True):
            timer.message = message


def pending_values(node: Runtime, hold: Hold | None = None) -> list[PendingValues]:
    """Return the pending values of all live processes that have any.

    If `hold` has just visited each process, it knows which processes may have pending values. Only these are visited
    again, because visiting 100,000 processes twice would noticeably prolong the hold.
    """
    candidates = None if hold is None else hold.processes_with_extras()
    found = [
        process
        for process in (node.processes.values() if candidates is None else dict.fromkeys(candidates))
        if process.run_state is not DEAD
        and (
            process.mail is not None
            or (process.sparse is not None and "timer_refs" in process.sparse)
            or (type(process) is StatemProcess and (process.timers or process.postponed))
        )
    ]
    named: dict[Process, list[TimerRef]] = {}
    for timer in node.named_timers:
        if isinstance(timer.target, str) and (process := node.names.get(timer.target)) is not None:
            named.setdefault(process, []).append(timer)
    pending = [PendingValues(process, (*(process.timer_refs or ()), *named.pop(process, ()))) for process in found]
    return [*pending, *(PendingValues(process, timers) for process, timers in named.items())]


def _operands(items: Iterable[MailItem]) -> Operands:
    return [(first, second) for _, first, second, _ in items]


def _with_operands(items: Iterable[MailItem], operands: Operands) -> list[MailItem]:
    return [(tag, first, second, future) for (tag, _, _, future), (first, second) in zip(items, operands, strict=True)]
