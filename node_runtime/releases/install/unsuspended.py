"""The processes whose modules a script loads or removes, although it does not suspend them.

From the switch to the resume, no callback of them may begin: it would run new code, although the install may still be
undone, or code that the script has removed. A script that never waits needs no hold for this, because nothing else runs
before its end. So these processes are held only when the script waits for the first time after the switch. Coroutines
can't be held: they continue in the version in which they began.
"""

from __future__ import annotations

from time import perf_counter

from node_runtime.behaviours.upgrade.live_processes import Hold
from node_runtime.processes.transaction import Transaction
from node_runtime.releases.planning.transition import Transition


class UnsuspendedProcesses:
    """Holds these processes for one run of a script. `held_at` is the time of `time.perf_counter`; None before it.

    The script's first `load` or `remove` sets `switched`.
    """

    def __init__(self, transition: Transition, hold: Hold, transaction: Transaction) -> None:
        self.held_at: float | None = None
        self.switched = False
        self._transition = transition
        self._hold = hold
        self._transaction = transaction

    def hold(self) -> None:
        """Hold them after the switch, unless they are held already. Waits for none; takes constant time for each.

        The processes of the loaded modules answer requests of the script, which would otherwise wait for itself.
        """
        if self.switched and self.held_at is None:
            self.held_at = perf_counter()
            loaded = frozenset(self._transition.loaded)
            self._transaction.answering_modules = loaded - frozenset(self._transition.suspended)
            self._hold.hold_without_waiting(loaded | frozenset(self._transition.removed))

    def hold_removed(self) -> None:
        """Hold the processes of the removed modules until `release_removed`.

        They have no code any more. Those that the script has stopped exit in the meantime.
        """
        if self._transition.removed:
            self._hold.hold_without_waiting(frozenset(self._transition.removed))

    def release_removed(self) -> None:
        """Resume the processes of the removed modules that the script has not stopped."""
        removed = self._transition.removed
        if removed:
            self._hold.release(but=frozenset(code for code in self._hold.groups if code.module not in removed))
