"""The coroutines of the modules that a script changes: they have no callbacks, so an install can't suspend them."""

from __future__ import annotations

from collections.abc import Iterator

from node_runtime.processes.process import Process

from . import conditions
from .transition import Transition

MAX_COROUTINES_NAMED = 3
"""A warning names at most this many coroutines of a module."""
CONTINUES = "it runs a coroutine, which can't be suspended: it continues in the old version"


def coroutines_left(transition: Transition) -> Iterator[tuple[str, list[Process]]]:
    """Yield `(module, processes)` for each changed or suspended module whose coroutines live processes run."""
    for module in dict.fromkeys((*transition.suspended, *transition.loaded, *transition.removed)):
        if processes := conditions.coroutine_processes(module):
            yield module, processes


def warnings(transition: Transition) -> list[str]:
    """Return a sentence for each of these modules."""
    return [_sentence(module, processes) for module, processes in coroutines_left(transition)]


def _sentence(module: str, processes: list[Process]) -> str:
    labels = [conditions.process_label(process) for process in processes]
    if len(labels) == 1:
        what = f"{module}:{processes[0].qualname}"
        return f"{labels[0]} runs the coroutine {what}, which can't be suspended: it continues in the old version."
    others = len(labels) - MAX_COROUTINES_NAMED
    named = ", ".join(labels[:MAX_COROUTINES_NAMED]) + (f" and {others} more" if others > 0 else "")
    return f"{named} run coroutines of {module}, which can't be suspended: they continue in the old version."
