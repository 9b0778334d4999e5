"""The coroutines of the modules that a script changes: they have no callbacks, so an install can't suspend them."""

from __future__ import annotations

from collections.abc import Iterator

from node_runtime.processes.process import Process

from . import affected, conditions
from .staying import ending, restartable
from .transition import Transition

MAX_COROUTINES_NAMED = 3
"""A warning names at most this many coroutines of a module."""
CONTINUES = "it runs a coroutine, which can't be suspended: it continues in the old version"


def coroutines_left(transition: Transition) -> Iterator[tuple[str, list[Process]]]:
    """Yield the changed or suspended modules, each with the live processes that run its coroutines.

    Processes that the script stops are left out. So is a module if no other process runs its coroutines.
    """
    stopped = affected.pids_of_stopped(transition.script)
    for module in dict.fromkeys((*transition.suspended, *transition.loaded, *transition.removed)):
        running = conditions.coroutine_processes(module)
        if processes := [process for process in running if process.pid not in stopped]:
            yield module, processes


def warnings(transition: Transition) -> list[str]:
    """Return a sentence for each module that `coroutines_left` yields."""
    return [_sentence(module, processes) for module, processes in coroutines_left(transition)]


def _sentence(module: str, processes: list[Process]) -> str:
    labels = [conditions.process_label(process) for process in processes]
    if len(labels) == 1:
        what = f"{module}:{processes[0].qualname}"
        runs = f"{labels[0]} runs the coroutine {what}, which can't be suspended: it continues in the old version"
        return f"{runs}; {ending(int(processes[0].pid))}."
    others = len(labels) - MAX_COROUTINES_NAMED
    named = ", ".join(labels[:MAX_COROUTINES_NAMED]) + (f" and {others} more" if others > 0 else "")
    run = f"{named} run coroutines of {module}, which can't be suspended: they continue in the old version."
    return " ".join([run, *restartable(processes[:MAX_COROUTINES_NAMED])])
