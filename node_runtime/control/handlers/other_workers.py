"""The method table of a worker other than worker 1: it refuses the methods that concern the whole node."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from node_runtime.control.dispatch import Caller, MethodEntry
from node_runtime.protocol import methods
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import StopNode
from node_runtime.releases.workers import WorkerPlace

OF_THE_NODE: Final = frozenset(
    method.name
    for method in (
        methods.PLAN,
        methods.STAGE_BEGIN,
        methods.STAGE_CHUNK,
        methods.STAGE_END,
        methods.APPROVE,
        methods.INSTALL,
        methods.COMMIT,
        methods.ROLLBACK,
        methods.ABORT,
        methods.REMOVE,
    )
)
"""The methods that change the releases of the node, which only worker 1 does."""


def entries_of_worker(
    entries: Iterable[MethodEntry[Any, Any]], place: WorkerPlace, name: str
) -> list[MethodEntry[Any, Any]]:
    """Return the method table of a worker. `name` is the name of the node, by which clients reach worker 1."""
    if place.leads:
        return list(entries)

    def refuse(caller: Caller, request: object) -> None:
        raise Refused(
            f"This is worker {place.number} of {name}, but this request concerns the whole node; send it to {name}."
        )

    def stop(entry: MethodEntry[Any, Any]) -> Callable[[Caller, StopNode], Any]:
        return lambda caller, request: (entry.handler if request.restart else refuse)(caller, request)

    return [
        replace(entry, handler=refuse, where="control", subject=None, unaudited=None)
        if entry.method.name in OF_THE_NODE
        else replace(entry, handler=stop(entry))
        if entry.method.name == methods.STOP.name
        else entry
        for entry in entries
    ]
