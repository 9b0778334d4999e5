"""The coroutines of the modules that a script changes: they have no callbacks, so an install can't suspend them."""

from __future__ import annotations

from collections.abc import Iterator

from node_runtime import code
from node_runtime.code.classes.definitions import names_rebound
from node_runtime.processes.process import Process

from . import affected, conditions
from .staying import ending, restartable
from .transition import Transition

MAX_COROUTINES_NAMED = 3
"""A warning names at most this many coroutines of a module."""
MAX_VARIABLES_NAMED = 3
"""A warning names at most this many global variables of a module."""
CONTINUES = "it runs a coroutine, which can't be suspended; the coroutine continues in the old version"


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
    written = _written(module, "it" if len(labels) == 1 else "they")
    if len(labels) == 1:
        what = f"{module}:{processes[0].qualname}"
        runs = f"{labels[0]} runs the coroutine {what}, which can't be suspended and continues in the old version"
        return " ".join([f"{runs}; {ending(int(processes[0].pid))}.", *written])
    others = len(labels) - MAX_COROUTINES_NAMED
    named = ", ".join(labels[:MAX_COROUTINES_NAMED]) + (f" and {others} more" if others > 0 else "")
    run = f"{named} run coroutines of {module}, which can't be suspended and continue in the old version."
    return " ".join([run, *restartable(processes[:MAX_COROUTINES_NAMED]), *written])


def _written(module: str, subject: str) -> list[str]:
    """Return a sentence about the global variables that functions of the module bind; nothing if there are none.

    From the load on, each version has its own variables. `__carry__` copies a value once, at the load.
    """
    current, _ = code.current().versions(module)
    names = [] if current is None else sorted(names_rebound(current.unit.code))
    if not names:
        return []
    more = f" and {len(names) - MAX_VARIABLES_NAMED} more" if len(names) > MAX_VARIABLES_NAMED else ""
    variables = ", ".join(f"{module}.{name}" for name in names[:MAX_VARIABLES_NAMED]) + more
    assigns = "assigns" if subject == "it" else "assign"
    return [f"Only the old version sees what {subject} {assigns} to {variables} after the upgrade."]
