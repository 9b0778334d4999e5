"""Finds running processes whose start function registers another name in the new version.

A process keeps its registered name, because an upgrade does not start it anew. New code that calls the process by its
new name would find no process.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any, Final, TypeGuard

from node_runtime.code import Batch
from node_runtime.code.classes.definitions import names_mentioned
from node_runtime.releases.planning import affected, conditions
from node_runtime.releases.planning.transition import Transition

_STARTS: Final = frozenset({"start_link", "start"})
"""The runtime's functions that start a process and register its name."""


def other_names(transition: Transition, batch: Batch) -> list[str]:
    """Return a sentence for each process that keeps a name which the new version of its start function lacks."""
    stopped = affected.stopped_before_their_change(transition.script)
    replaced = batch.replaced_namespaces()
    found = []
    for process in conditions.callback_processes(*transition.loaded):
        before = replaced.get(process.module)
        if before is None or process.name is None or process.pid in stopped:
            continue
        for function, lost, new in _changed_names(before, batch.namespace(process.module)):
            if process.name in lost:
                names = f" ({', '.join(sorted(new))})" if new else ""
                found.append(
                    f"{process.module}.{function} has another name in release {transition.target.vsn}{names} than "
                    f"{process.title()}, which keeps its name: no process has the new name until it is restarted. Keep "
                    f"the name, or let the appup restart the process by `restart_child`."
                )
    return found


def _changed_names(before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, set[str], set[str]]]:
    """Yield each start function with the texts that only its old and only its new version have."""
    for name, old in list(before.items()):
        new = after.get(name)
        if _starts(old) and _starts(new):
            texts, new_texts = _texts(old), _texts(new)
            yield name, texts - new_texts, new_texts - texts


def _starts(thing: Any) -> TypeGuard[FunctionType]:
    return type(thing) is FunctionType and not _STARTS.isdisjoint(names_mentioned(thing.__code__))


def _texts(function: FunctionType) -> set[str]:
    """Return the texts that a function has as constants, as default values, or by a global variable."""
    code: CodeType = function.__code__
    values = [*code.co_consts, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    values += [function.__globals__.get(name) for name in code.co_names]
    return {value for value in values if type(value) is str}
