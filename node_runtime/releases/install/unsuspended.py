"""Holds the processes that a script does not suspend, although it loads or removes their modules.

From the switch to the resume, no callback of these processes may begin. It would run removed code, or new code although
the install may still be undone. If the script never waits, nothing else runs before the script ends. So these processes
are held only when the script waits for the first time after the switch. Coroutines can't be held: they continue in the
version in which they began.
"""

from __future__ import annotations

from time import perf_counter

from node_runtime.behaviours.upgrade.live_processes import Hold
from node_runtime.processes.transaction import Transaction
from node_runtime.releases.planning.transition import Transition


class UnsuspendedProcesses:
    """Holds the unsuspended processes for one run of a script. `held_at` is the time of the hold; None before it.

    The script's first `load` or `remove` sets `switched`. `waited` is whether the script has waited, so that other code
    has run.
    """

    def __init__(self, transition: Transition, hold: Hold, transaction: Transaction) -> None:
        self.held_at: float | None = None
        self.switched = self.waited = False
        self._transition = transition
        self._hold = hold
        self._transaction = transaction

    def hold(self) -> None:
        """Hold the processes after the switch, unless they are held already. Doesn't wait for their callbacks to end.

        Held processes of loaded modules still answer requests from the script: otherwise, the script would wait for
        itself.
        """
        self.waited = True
        if self.switched and self.held_at is None:
            self.held_at = perf_counter()
            loaded = frozenset(self._transition.loaded)
            self._transaction.answering_modules = loaded - frozenset(self._transition.suspended)
            self._hold.hold_without_waiting(loaded | frozenset(self._transition.removed))

    def hold_removed(self) -> None:
        """Hold the processes of the removed modules until `release_removed`.

        These processes have no code any more. Those that the script has stopped exit before `release_removed` is
        called.
        """
        if self._transition.removed:
            self._hold.hold_without_waiting(frozenset(self._transition.removed))

    def release_removed(self) -> None:
        """Resume the processes of the removed modules that the script has not stopped."""
        removed = self._transition.removed
        if removed:
            self._hold.release(but=frozenset(code for code in self._hold.groups if code.module not in removed))
