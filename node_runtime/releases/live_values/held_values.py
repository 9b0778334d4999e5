"""The values that live processes hold: states, queued messages, pending timers, and arguments of restarts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from node_runtime.behaviours.upgrade.live_processes import (
    BehaviourProcess,
    Child,
    ChildTable,
    StatemProcess,
    SupervisorProcess,
)
from node_runtime.processes.process import MailItem, Process, request_arguments
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol.messages import ValuePlace


@dataclass(slots=True)
class HeldValue:
    """A value that a process holds at one place.

    `detail` says more about the place: it is the id of a child or the name of a timeout. If a timer sends the value to
    a registered name, `detail` is that name. Such a timer outlives `process`: when it fires, the process that then has
    the name gets the message.
    """

    process: Process
    place: ValuePlace
    value: Any
    detail: str = ""


def held_values(runtime: Runtime) -> Iterator[HeldValue]:
    """Yield the values that all live processes hold."""
    for process in runtime.processes.values():
        if isinstance(process, SupervisorProcess):
            yield from _of_children(process)
        elif isinstance(process, StatemProcess):
            yield from _of_machine(process)
        elif isinstance(process, BehaviourProcess):
            yield HeldValue(process, "state", process.raw_state())
        if process.mail is not None or process.current_item is not None:
            yield from _of_mailbox(process)
        for timer in process.timer_refs or ():
            yield HeldValue(process, "timer", timer.message)
    yield from _of_named_timers(runtime)


def _of_children(process: SupervisorProcess) -> Iterator[HeldValue]:
    table: ChildTable | None = process.raw_state()
    if table is None:
        return
    yield HeldValue(process, "start arguments", (table.args, table.kwargs))
    children: list[tuple[str, Child]] = list(table.children.items())
    if table.template is not None:
        yield HeldValue(process, "child arguments", table.template.args, table.template.id)
        children += ((table.template.id, child) for child in table.by_pid.values())
    for id, child in children:
        arguments = child.spec.args if child.args is None else child.args
        if arguments and not child.spec.is_forgotten:
            yield HeldValue(process, "child arguments", arguments, id)


def _of_machine(process: StatemProcess) -> Iterator[HeldValue]:
    name, data = process.raw_state()
    yield HeldValue(process, "state", data)
    if type(name) is not str:
        yield HeldValue(process, "state name", name)
    for item in process.postponed:
        yield HeldValue(process, "postponed event", item[1])
    for timeout, (_, _, event) in process.timers.items():
        if event.content is not None:
            yield HeldValue(process, "timeout", event.content, timeout)


def _of_mailbox(process: Process) -> Iterator[HeldValue]:
    if process.current_item is not None:
        yield from _of_item(process, "call", process.current_item)
    for item in process.mail or ():
        yield from _of_item(process, "message", item)


def _of_item(process: Process, place: ValuePlace, item: MailItem) -> Iterator[HeldValue]:
    tag, first, second, _ = item
    if type(tag) is str:
        first, second = request_arguments(item)
    if first is not None:
        yield HeldValue(process, place, first)
    if second:
        yield HeldValue(process, place, second)


def _of_named_timers(runtime: Runtime) -> Iterator[HeldValue]:
    """Yield the messages of the timers that send to a registered name, if a process has this name now."""
    for timer in runtime.named_timers:
        if isinstance(timer.target, str) and (process := runtime.names.get(timer.target)) is not None:
            yield HeldValue(process, "timer", timer.message, timer.target)
