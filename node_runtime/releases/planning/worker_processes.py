"""The worker processes of `multiprocessing` and of process pools, which keep the code with which they were started."""

from __future__ import annotations

import sys
from typing import Any

from .transition import Transition


def worker_warnings(transition: Transition) -> list[str]:
    """Return a sentence if `multiprocessing` runs processes that may have imported code that `transition` replaces.

    Such a process looks up a function by name in its own modules, so it calls the older function.
    """
    modules = [*transition.loaded, *transition.removed]
    workers = _workers() if modules else []
    if not workers:
        return []
    first = f"The worker process {workers[0].name} (OS pid {workers[0].pid})"
    keeps = f"{first} keeps the code with which it was started: shut its pool down"
    if len(workers) > 1:
        keeps = f"{first} and {len(workers) - 1} more keep the code with which they were started: shut their pools down"
    return [f"{keeps} after the upgrade, so that new workers have the code of release {transition.target.vsn}."]


def _workers() -> list[Any]:
    """Return the processes that `multiprocessing` has started and that have not been seen to end."""
    module = sys.modules.get("multiprocessing.process")
    # multiprocessing.active_children would also reap ended processes, but a plan must change nothing.
    return [one for one in list(getattr(module, "_children", ())) if one._popen.returncode is None]
