"""Finds the running children, of all supervisors, that run one of the given modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess, Child, ChildTable
from node_runtime.processes.pid import Pid
from node_runtime.processes.runtime import runtime


def running_children(modules: Iterable[str]) -> Iterator[tuple[Pid, Child, frozenset[str]]]:
    """Yield `(supervisor, child, its modules)` for each running child that runs one of `modules`.

    The children of a supervisor are in start order. The modules of a child are its callback module and the `modules`
    of its specification.
    """
    known = runtime().processes
    for process in list(known.values()):
        table = process.raw_state() if process.kind == "supervisor" and isinstance(process, BehaviourProcess) else None
        if isinstance(table, ChildTable):
            for child in list((table.children if table.template is None else table.by_pid).values()):
                if child.pid is not None and (running := known.get(child.pid)) is not None:
                    of = frozenset((*child.spec.modules, running.module))
                    if not of.isdisjoint(modules):
                        yield process.pid, child, of
