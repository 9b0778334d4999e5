"""Finds the timers, tasks and subscriptions that a new `init` or `start` begins, but that an upgrade does not begin.

An upgrade calls neither `init` of running processes nor `start` of running applications. So a timer that only the new
code begins would be missing until the process or the node restarts, and nothing would report this.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FunctionType
from typing import Any, Final

from node_runtime.behaviours.application_controller import applications
from node_runtime.behaviours.show.raw_reads import mro_of, namespace_of
from node_runtime.code import Batch
from node_runtime.code.classes.definition_equality import same_code
from node_runtime.code.classes.definitions import names_mentioned
from node_runtime.processes.process import Process
from node_runtime.releases.files.relup_instructions import Apply
from node_runtime.releases.planning import affected, conditions
from node_runtime.releases.planning.transition import Transition

BEGINNINGS: Final = frozenset({
    "send_after", "monitor", "link", "register", "trap_exit", "spawn", "spawn_link", "spawn_monitor", "spawn_task",
    "create_task", "ensure_future", "call_later", "call_at", "add_reader", "add_writer", "add_signal_handler",
    "subscribe",
})  # fmt: skip
"""Functions and methods whose calls begin something that goes on after `init` has returned."""


def unrepeated_calls(transition: Transition, batch: Batch) -> list[str]:
    """Return a sentence for each class and each application that begins more in the new version.

    If the script applies a function, the author has probably thought of this, so the result is empty.
    """
    if any(isinstance(step, Apply) for step in transition.script):
        return []
    return [*_of_processes(transition, batch), *_of_applications(batch)]


def _of_processes(transition: Transition, batch: Batch) -> Iterator[str]:
    stopped = affected.stopped_before_their_change(transition.script)
    by_class: dict[type[Any], list[Process]] = {}
    for process in conditions.callback_processes(*transition.loaded):
        if process.pid not in stopped:
            by_class.setdefault(type(process.instance), []).append(process)
    for old, processes in by_class.items():
        first = processes[0]
        new = conditions.class_in(batch.namespace(first.module), first.qualname)
        begun = set() if new is None else _begun(new, "init") - _begun(old, "init") - _begun(new, "code_change")
        if begun:
            more = f" and {len(processes) - 1:,} more" if len(processes) > 1 else ""
            yield (
                f"init of {first.module}:{first.qualname} calls {', '.join(sorted(begun))} in release "
                f"{transition.target.vsn}, but an upgrade does not call init of running processes "
                f"({conditions.process_label(first)}{more}): let the appup apply a function that does what init would "
                f"do, or restart the processes."
            )


def _of_applications(batch: Batch) -> Iterator[str]:
    for name, running in applications().running.items():
        module, _, qualname = (running.spec.mod or "").partition(":")
        if module not in batch.modules or module not in sys.modules:
            continue
        old = _method(conditions.class_in(vars(sys.modules[module]), qualname), "start")
        new = _method(conditions.class_in(batch.namespace(module), qualname), "start")
        if old is not None and new is not None and not same_code(old.__code__, new.__code__):
            yield (
                f"The start of application {name} has changed, but an upgrade does not call it: listeners, routes and "
                f"processes that only the new start begins are missing until the node restarts. Let the appup apply a "
                f"function that begins them."
            )


def _begun(cls: type[Any], callback: str) -> set[str]:
    """Return which of `BEGINNINGS` a callback mentions, itself or in the methods that it mentions."""
    function = _method(cls, callback)
    if function is None:
        return set()
    names = names_mentioned(function.__code__)
    methods = (_method(cls, name) for name in names - {callback})
    return names.union(*(names_mentioned(one.__code__) for one in methods if one is not None)) & BEGINNINGS


def _method(cls: type[Any] | None, name: str) -> FunctionType | None:
    """Return the function of a method that a class or a base outside of the runtime defines."""
    for base in () if cls is None else mro_of(cls):
        found = namespace_of(base).get(name)
        found = getattr(found, "__func__", found)
        if isinstance(found, FunctionType):
            return None if str(found.__module__).startswith("node_runtime.") else found
    return None
