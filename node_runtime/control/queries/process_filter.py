"""Evaluates a filter on processes. The filter compares what would be shown, never a value that redaction hides."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from typing import Final

from node_runtime.processes.process import Process
from node_runtime.protocol.escape import escape
from node_runtime.protocol.process_filter import NUMBER_FIELDS, WORD_FIELDS, FilterTerm, parse_filter

from .activity import IDLE, Activity
from .process_reader import ProcessReader, shown_name, state_name
from .slices import sliced

CHECKED_PROCESSES: Final = 8
"""The clock is read once for this many processes; a long filter costs up to 0.3 ms for one process."""
_FIXED: Final = frozenset({"pid", "name", "kind", "module", "application", "callback", "id", "arguments"})
"""The fields that stay the same while a process lives. The name is one of these fields, because an event reports a new
name.
"""


class ProcessFilter:
    """The filter `text`. `changes` says whether a process may begin or cease to match while it lives.

    `needs_rates` says whether the filter compares rates. Raises Refused if the text is not a filter.
    """

    def __init__(self, text: str, reader: ProcessReader, activity: Activity) -> None:
        self._reader = reader
        self._activity = activity
        self.terms: tuple[FilterTerm, ...] = parse_filter(text)
        fields = {term.field for term in self.terms}
        self.changes = bool(fields - _FIXED)
        self.needs_rates = bool(fields & {"rate", "busy"})
        self._texts: dict[str, Callable[[Process], str]] = {
            "pid": lambda process: str(int(process.pid)),
            "name": lambda process: "" if process.name is None else shown_name(process.name),
            "kind": lambda process: process.kind,
            "module": lambda process: escape(process.module),
            "application": lambda process: reader.application(process) or "",
            "state": lambda process: state_name(process) or "",
            "status": lambda process: process.status,
            "callback": lambda process: escape(process.qualname),
            "id": self._child_id,
            "arguments": reader.arguments,
            "vsn": reader.vsn,
        }

    def accepts(self, process: Process) -> bool:
        """Return whether all terms match."""
        return all(self._accepts(term, process) is not term.negated for term in self.terms)

    def select(self, processes: Iterable[Process]) -> Generator[None, None, list[Process]]:
        """Return the processes that match; yield between short slices of the work."""
        if not self.terms:
            return list(processes)
        found = []
        for process, due in sliced(processes, every=CHECKED_PROCESSES):
            if due:
                yield
            if self.accepts(process):
                found.append(process)
        return found

    def _accepts(self, term: FilterTerm, process: Process) -> bool:
        if not term.field:
            return any(term.accepts_text(self._texts[field](process)) for field in WORD_FIELDS)
        if term.field in NUMBER_FIELDS:
            return term.accepts_number(self._number(term.field, process))
        value = self._texts[term.field](process)
        return value == term.text if term.field == "pid" else term.accepts_text(value)

    def _number(self, field: str, process: Process) -> float:
        match field:
            case "mail":
                return len(process.mail or ())
            case "messages":
                return process.handled
            case "restarts":
                child = self._reader.child(process)
                return 0 if child is None else child.restarts
            case "up":
                return time.time() - process.started
            case "rate":
                return self._activity.rates.get(process.pid, IDLE).messages
            case _:
                return self._activity.rates.get(process.pid, IDLE).busy

    def _child_id(self, process: Process) -> str:
        child = self._reader.child(process)
        return "" if child is None else shown_name(child.spec.id)
