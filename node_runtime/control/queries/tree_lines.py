"""The visible lines of the supervision tree. A page is a range of these lines.

A row of siblings without children is stored as one item, a run. The lines of a run are made only when a page shows
them. So the cost of the tree depends on the number of branches, and the cost of a page on the number of its lines.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator
from operator import attrgetter
from time import monotonic
from typing import Final

import msgspec
from msgspec.structs import replace

from node_runtime.behaviours.application_controller import Applications
from node_runtime.behaviours.upgrade.live_processes import ChildSpecChangeCounter
from node_runtime.processes.process import Process
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol.escape import escape
from node_runtime.protocol.messages import ApplicationInfo, ChildInfo, TreeLine

from .membership import Membership
from .process_list import MatchingProcesses
from .process_reader import ProcessReader, shown_name
from .slices import Repetition, SliceClock, sliced, sort_in_slices
from .tree_children import TreeChildren, TreeEntry

MAX_SIBLINGS: Final = 50
"""Siblings beyond this number are folded into one line, unless the client has opened them."""
UNSUPERVISED: Final = "not supervised"


class Folding(msgspec.Struct, frozen=True):
    """Which children the tree shows. The children of a path in `closed` are hidden.

    A path in `open` shows all its children; any other path shows at most MAX_SIBLINGS. With `unfolded`, every path
    shows all its children.
    """

    closed: frozenset[str] = frozenset()
    open: frozenset[str] = frozenset()
    unfolded: bool = False

    def shows_all(self, path: str) -> bool:
        """Return whether all children of a path are shown."""
        return self.unfolded or path in self.open


class _Run(msgspec.Struct, frozen=True):
    """Siblings without children, from the line `first` on; `last` says whether they end the row of siblings."""

    first: int
    entries: list[TreeEntry]
    levels: str
    path: str
    last: bool


class _Single(msgspec.Struct, frozen=True):
    """One line of the tree, with its number `first`. It is made before a page shows it, unlike a line of a run."""

    first: int
    line: TreeLine


_FIRST: Final = attrgetter("first")
_PID: Final = attrgetter("pid")


class _Pending(msgspec.Struct, frozen=True):
    """A part of the tree that is still to be laid out: a process, siblings without children, or a finished line."""

    levels: str
    path: str
    last: bool
    entries: list[TreeEntry]
    is_run: bool = False
    line: TreeLine | None = None


class VisibleTree:
    """The tree as one client wants it: closed and opened by `folding`, with only the processes in `matching`."""

    def __init__(
        self,
        runtime: Runtime,
        membership: Membership,
        reader: ProcessReader,
        matching: MatchingProcesses,
        folding: Folding,
    ) -> None:
        self._runtime = runtime
        self._membership = membership
        self._reader = reader
        self._matching = matching
        self._folding = folding
        self._children = TreeChildren(runtime, membership)
        self._repetition = Repetition()
        self._versions: tuple[object, ...] | None = None
        self._parts: list[_Run | _Single] = []
        self._matched: frozenset[int] = frozenset()
        self._shown: set[int] | None = None
        self._shown_below: dict[int, list[Process]] | None = None
        self._last_found = (0, 0)
        self.used_at = 0.0
        self.length = 0

    @property
    def matched(self) -> int:
        """The number of processes that match the filter."""
        return len(self._matching.processes)

    @property
    def age(self) -> float:
        """Seconds since the filter was evaluated."""
        return self._matching.age

    def refresh(self) -> Generator[None, None, None]:
        """Lay the tree out anew if processes, child specifications or applications have changed.

        A large tree is laid out less often.
        """
        self.used_at = monotonic()
        yield from self._matching.refresh()
        specs = self._runtime.singleton(ChildSpecChangeCounter).changes
        running = [(one.spec.name, one.spec.vsn) for one in self._runtime.singleton(Applications).running.values()]
        versions = self._membership.version, self._matching.version, specs, running
        if self._versions is None or (versions != self._versions and self._repetition.due):
            yield from self._repetition.run(self._lay_out())
            self._versions = versions

    def page(self, offset: int, limit: int) -> tuple[TreeLine, ...]:
        """Return the lines from `offset` on, at most `limit`."""
        lines: list[TreeLine] = []
        at = bisect_right(self._parts, offset, key=_FIRST) - 1
        while 0 <= at < len(self._parts) and len(lines) < limit:
            part = self._parts[at]
            if isinstance(part, _Single):
                lines.append(part.line)
            else:
                begin = max(0, offset - part.first)
                end = min(len(part.entries), begin + limit - len(lines))
                lines += [self._leaf(part, number) for number in range(begin, end)]
            at += 1
        return tuple(lines)

    def index(self, pid: int) -> Generator[None, None, int | None]:
        """Return the line of a process; None if it has no visible line. Yields between short slices of the work."""
        known, line = self._last_found
        if known == pid and self._pid_at(line) == pid:
            return line
        for part, part_due in sliced(self._parts):
            if part_due:
                yield
            if isinstance(part, _Single):
                if part.line.pid == pid:
                    self._last_found = pid, part.first
                    return part.first
                continue
            for (number, entry), due in sliced(enumerate(part.entries)):
                if due:
                    yield
                process = self._children.current(entry)
                if process is not None and process.pid == pid:
                    self._last_found = pid, part.first + number
                    return part.first + number
        return None

    # ------------------------------------------------------------------ the layout

    def _lay_out(self) -> Generator[None, None, None]:
        yield from self._find_shown()
        parts: list[_Run | _Single] = []
        length = 0
        pending = (yield from self._roots())[::-1]
        clock = SliceClock()
        while pending:
            if clock.due():
                yield
            one = pending.pop()
            if one.is_run:
                parts.append(_Run(length, one.entries, one.levels, one.path, one.last))
                length += len(one.entries)
                continue
            below, line = one.entries, one.line
            if line is None:
                line = self._line(one.entries[0], one.levels, one.path, one.last)
                process = one.entries[0].process
                below, total = ([], 0) if process is None else (yield from self._below(process, line.path))
                line = replace(line, below=total)
            parts.append(_Single(length, line))
            length += 1
            if below and line.path not in self._folding.closed:
                pending += (yield from self._siblings(below, line))[::-1]
        self._parts, self.length = parts, length

    def _roots(self) -> Generator[None, None, list[_Pending]]:
        running = list(self._runtime.singleton(Applications).running.values())
        roots: list[_Pending] = []
        known = {int(pid) for one in running for pid in (one.master, one.top) if pid is not None}
        for one in running:
            info = ApplicationInfo(
                name=escape(one.spec.name), vsn=escape(one.spec.vsn), top=None if one.top is None else int(one.top)
            )
            top = None if one.top is None else self._runtime.processes.get(one.top)
            others = () if one.master is None else self._membership.below.get(one.master, ())
            below = [TreeEntry(process, None) for process in ((top,) if top else ()) if self._is_shown(process)]
            below += [TreeEntry(other, None) for other in others if other is not top and self._is_shown(other)]
            if below or self._shown is None:
                line = TreeLine(path=info.name, application=info, below=len(below))
                roots.append(_Pending("", info.name, False, below, line=line))
        loose: list[TreeEntry] = []
        alive = self._runtime.processes
        for parent, due in sliced(list(self._membership.below)):
            if due:
                yield
            if parent not in alive:
                found = self._membership.below.get(parent, ())
                loose += [TreeEntry(one, None) for one in found if one.pid not in known and self._is_shown(one)]
        if loose:
            line = TreeLine(path=UNSUPERVISED, below=len(loose))
            roots.append(_Pending("", UNSUPERVISED, False, loose, line=line))
        return [_with_level(root, "|" if root is not roots[-1] else " ") for root in roots]

    def _below(self, process: Process, path: str) -> Generator[None, None, tuple[list[TreeEntry], int]]:
        """Return children of a process, at most as many as may be shown, and the number of all children that match."""
        if self._shown_below is not None:
            found = yield from self._children.of_these(process, self._shown_below.get(process.pid, []))
            return found, len(found)
        if not self._children.has_any(process):
            return [], 0
        return (yield from self._children.of(process, None if self._folding.shows_all(path) else MAX_SIBLINGS))

    def _siblings(self, entries: list[TreeEntry], parent: TreeLine) -> Generator[None, None, list[_Pending]]:
        """Return siblings as runs and single processes, and at the end a line for the hidden siblings, if any."""
        shown = entries if self._folding.shows_all(parent.path) else entries[:MAX_SIBLINGS]
        hidden = max(parent.below, len(entries)) - len(shown)
        found: list[_Pending] = []
        run: list[TreeEntry] = []
        for entry, due in sliced(shown):
            if due:
                yield
            if entry.process is None or not self._has_children(entry.process):
                run.append(entry)
                continue
            if run:
                found.append(_Pending(parent.levels, parent.path, False, run, is_run=True))
                run = []
            last = entry is shown[-1] and not hidden
            found.append(_Pending(parent.levels, parent.path, last, [entry]))
        if run:
            found.append(_Pending(parent.levels, parent.path, not hidden, run, is_run=True))
        if hidden:
            line = TreeLine(path=parent.path, levels=f"{parent.levels} ", hidden=hidden)
            found.append(_Pending(parent.levels, parent.path, True, [], line=line))
        return found

    def _leaf(self, run: _Run, number: int) -> TreeLine:
        last = run.last and number == len(run.entries) - 1
        entry = run.entries[number]
        current = entry._replace(process=self._children.current(entry))
        return self._line(current, run.levels, run.path, last)

    def _line(self, entry: TreeEntry, levels: str, path: str, last: bool) -> TreeLine:
        own = f"{levels}{' ' if last else '|'}"
        process, child = entry.process, entry.child
        if process is None:
            assert child is not None
            id = shown_name(child.spec.id)
            info = ChildInfo(
                supervisor=entry.supervisor,
                child_id=id,
                kind="supervisor" if child.spec.type == "supervisor" else "process",
                status="restarting" if child.restarting else "undefined",
            )
            return TreeLine(path=f"{path}/{id}", levels=own, child=info)
        known = self._reader.child(process) if child is None else child
        name = (known.spec.id if known is not None and known.args is None else None) or process.name
        title = str(int(process.pid)) if name is None else shown_name(name)
        return TreeLine(
            path=f"{path}/{title}",
            levels=own,
            pid=int(process.pid),
            matched=process.pid in self._matched,
        )

    # ------------------------------------------------------------------ the filter

    def _find_shown(self) -> Generator[None, None, None]:
        """Find the processes that match, and their ancestors."""
        if not self._matching.filter.terms:
            self._matched, self._shown, self._shown_below = frozenset(), None, None
            return
        shown: set[int] = set()
        matched: set[int] = set()
        below: dict[int, list[Process]] = {}
        for process, due in sliced(list(self._matching.processes)):
            if due:
                yield
            matched.add(process.pid)
            above: Process | None = process
            while above is not None and above.pid not in shown:
                shown.add(above.pid)
                below.setdefault(above.parent, []).append(above)
                above = self._runtime.processes.get(above.parent)
        in_order: dict[int, list[Process]] = {}
        for (parent, siblings), due in sliced(below.items()):
            if due:
                yield
            in_order[parent] = yield from sort_in_slices(siblings, _PID)
        self._matched = frozenset(matched)
        self._shown, self._shown_below = shown, in_order

    def _has_children(self, process: Process) -> bool:
        if self._shown_below is not None:
            return process.pid in self._shown_below
        return self._children.has_any(process)

    def _is_shown(self, process: Process) -> bool:
        return self._shown is None or process.pid in self._shown

    def _pid_at(self, line: int) -> int | None:
        at = bisect_right(self._parts, line, key=_FIRST) - 1
        if not 0 <= at < len(self._parts):
            return None
        part = self._parts[at]
        if isinstance(part, _Single):
            return part.line.pid
        if line - part.first >= len(part.entries):
            return None
        process = self._children.current(part.entries[line - part.first])
        return None if process is None else int(process.pid)


def _with_level(root: _Pending, level: str) -> _Pending:
    return replace(root, line=None if root.line is None else replace(root.line, levels=level))
