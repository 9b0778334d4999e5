"""Answers that a process owes: the callback for a call is over or under way, and its answer may come from elsewhere."""

from __future__ import annotations

from node_runtime.processes.errors import Exit
from node_runtime.processes.pid import Pid
from node_runtime.processes.process import Item, Process
from node_runtime.processes.reply_future import Awaited
from node_runtime.processes.runtime import Runtime


class Debtor(Process):
    """Remembers which callers still wait, so that none of them waits for an answer that nobody can give any more."""

    __slots__ = ("owed",)

    def __init__(self, runtime: Runtime, parent: Pid) -> None:
        super().__init__(runtime, parent)
        self.owed: dict[Awaited, None] | None = None
        """Calls whose answers may come from elsewhere."""

    def owe(self, future: Awaited) -> None:
        """The answer that `future` waits for may come from elsewhere: tell the caller if the process ends first."""
        if self.owed is None:
            self.owed = {}
        elif len(self.owed) % 64 == 63:  # callers that have given up are forgotten now and then
            self.owed = {waiting: None for waiting in self.owed if not waiting.done()}
        self.owed[future] = None

    def owes(self, item: Item) -> bool:
        return self.owed is not None and item[3] in self.owed

    def settle_debt(self, future: Awaited) -> None:
        if self.owed is not None:
            self.owed.pop(future, None)

    def ended(self) -> None:
        owed, self.owed = self.owed, None
        for future in owed or ():
            if not future.done():
                future.set_exception(Exit(self.reason))
