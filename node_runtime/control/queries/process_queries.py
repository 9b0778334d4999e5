"""Answers queries for pages of processes and of the tree, and summaries.

Requests are answered one after the other, so that no request sees data that another request has updated only in part.
The node remembers nothing about clients: a client that asks again says which page it has. The answer to a question is
kept only as long as clients ask this question.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from time import monotonic
from typing import Final, TypeVar

from node_runtime.code import CodeServer
from node_runtime.processes.process import Process
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol import messages as m

from .activity import Activity
from .membership import KEPT_SECONDS, Membership
from .orders import RATE_ORDERS, Orders
from .process_filter import ProcessFilter
from .process_list import MatchingProcesses, ProcessList
from .process_reader import ProcessReader, shown_name
from .rows import Rows
from .slices import Repetition, sliced
from .tree_lines import Folding, VisibleTree

K = TypeVar("K")

MAX_LIMIT: Final = 1000
"""The maximum number of rows in a page."""
MAX_NAMES: Final = 10
"""The maximum number of names in a query."""
MAX_QUESTIONS: Final = 8
"""The maximum number of answers that are kept for the clients of one role: one for each filter with an order."""


class ProcessQueries:
    """The queries of the clients of one role. Use it on the event loop.

    If `torn`, it answers queries from the control thread, because the event loop is blocked. The processes may change
    while it reads them.
    """

    def __init__(self, runtime: Runtime, code: CodeServer, boot_id: str, *, torn: bool = False) -> None:
        self._runtime = runtime
        self._boot_id = boot_id
        self._reader = ProcessReader(runtime, code)
        self._reader_refresh = Repetition()
        self._membership = Membership(runtime, tidy=self._tidy, follow=not torn)
        self._activity = Activity(runtime, self._membership)
        self._orders = Orders(self._reader, self._activity)
        self._rows = Rows(self._reader, self._membership, self._activity)
        self._lists: dict[tuple[str, m.ProcessOrder], ProcessList] = {}
        self._trees: dict[tuple[object, ...], VisibleTree] = {}
        self._busy = False

    def processes(self, query: m.ProcessQuery) -> Generator[None, None, m.ProcessPage]:
        """Return a page of processes; yield between short slices of the work. Raises Refused for a wrong filter."""
        filter = ProcessFilter(query.filter, self._reader, self._activity)
        yield from self._begin()
        try:
            yield from self._refresh(rates=filter.needs_rates or query.order in RATE_ORDERS)
            listed = yield from self._list(query, filter)
            yield from listed.refresh()
            return (yield from self._page(query, listed))
        finally:
            self._busy = False

    def tree(self, query: m.TreeQuery) -> Generator[None, None, m.TreePage]:
        """Return a page of the tree; yield between short slices of the work. Raises Refused for a wrong filter."""
        filter = ProcessFilter(query.filter, self._reader, self._activity)
        yield from self._begin()
        try:
            yield from self._refresh(rates=filter.needs_rates)
            tree = self._tree(query, filter)
            yield from tree.refresh()
            offset, limit = _window(query.offset, query.limit)
            index = None if query.follow is None else (yield from tree.index(query.follow))
            if index is not None:
                offset = max(0, index - max(0, query.lead))
            offset = min(offset, max(0, tree.length - 1))
            lines = tree.page(offset, limit)
            processes = [found for line in lines if (found := self._process(line.pid)) is not None]
            rows = yield from self._rows.changed(processes, query.details, query.since)
            return m.TreePage(
                boot_id=self._boot_id,
                generation=self._rows.generation,
                total=len(self._membership.processes),
                matched=tree.matched,
                length=tree.length,
                offset=offset,
                lines=lines,
                rows=rows,
                index=index,
                age=tree.age,
            )
        finally:
            self._busy = False

    def module_users(self) -> Generator[None, None, dict[str, int]]:
        """Return the number of processes of each module; yield between short slices of the work."""
        yield from self._begin()
        try:
            yield from self._membership.refresh()
            return dict(self._membership.users)
        finally:
            self._busy = False

    def drop_ended(self) -> None:
        """Drop the processes that have ended, unless a query is being answered: they would keep old code in memory."""
        if not self._busy:
            self._lists.clear()
            self._trees.clear()
            self._membership.drop_ended()
            self._activity.drop_ended()

    # ------------------------------------------------------------------ inside

    def _begin(self) -> Generator[None, None, None]:
        while self._busy:
            yield
        self._busy = True

    def _refresh(self, *, rates: bool) -> Generator[None, None, None]:
        yield from self._membership.refresh()
        if self._reader_refresh.due:
            yield from self._reader_refresh.run(self._refresh_reader())
        if rates:
            yield from self._activity.refresh()

    def _refresh_reader(self) -> Generator[None, None, None]:
        self._reader.refresh()
        yield

    def _list(self, query: m.ProcessQuery, filter: ProcessFilter) -> Generator[None, None, ProcessList]:
        if query.pids or query.names:
            return ProcessList((yield from self._some(query, filter)), query.order, self._orders)
        key = query.filter, query.order
        if (known := self._lists.get(key)) is None:
            self._drop_unused()
            known = self._lists[key] = ProcessList(
                MatchingProcesses(filter, self._membership), query.order, self._orders
            )
        return known

    def _some(self, query: m.ProcessQuery, filter: ProcessFilter) -> Generator[None, None, MatchingProcesses]:
        matching = MatchingProcesses(filter, self._membership)
        named = yield from self._named(query.names[:MAX_NAMES])
        asked = [*map(self._process, query.pids[:MAX_LIMIT]), *named]
        found = {int(one.pid): one for one in asked if one is not None}
        yield from matching.only([found[pid] for pid in sorted(found)])
        return matching

    def _named(self, wanted: Iterable[str]) -> Generator[None, None, list[Process]]:
        """Return the processes whose names are displayed as `wanted` (escaped, and without secrets)."""
        names = self._runtime.names
        found = [names[name] for name in wanted if name in names]
        unknown = {name for name in wanted if name not in names}
        for name, due in sliced(list(names) if unknown else ()):
            if due:
                yield
            if shown_name(name) in unknown and (process := names.get(name)) is not None:
                found.append(process)
        return found

    def _tree(self, query: m.TreeQuery, filter: ProcessFilter) -> VisibleTree:
        key = query.filter, query.closed, query.open, query.unfolded
        if (known := self._trees.get(key)) is None:
            self._drop_unused()
            matching = MatchingProcesses(filter, self._membership)
            known = self._trees[key] = VisibleTree(
                self._runtime,
                self._membership,
                self._reader,
                matching,
                Folding(frozenset(query.closed), frozenset(query.open), query.unfolded),
            )
        return known

    def _tidy(self) -> None:
        """Drop answers and rates that nobody has asked for lately, unless a query is being answered."""
        if not self._busy:
            self._drop_unused()
            self._activity.forget_if_unused(KEPT_SECONDS)

    def _drop_unused(self) -> None:
        """Drop the answers that nobody has asked for lately, and the oldest answers if there are too many."""
        _drop(self._lists)
        _drop(self._trees)

    def _page(self, query: m.ProcessQuery, listed: ProcessList) -> Generator[None, None, m.ProcessPage]:
        ordered = listed.ordered
        offset, limit = _window(query.offset, query.limit)
        index = None
        if query.follow is not None:
            index = yield from ordered.index(query.follow, reverse=query.reverse)
        if index is not None:
            offset = max(0, index - max(0, query.lead))
        offset = min(offset, max(0, len(ordered) - 1))
        page = yield from ordered.page(offset, limit, reverse=query.reverse)
        alive = [process for process in page if self._membership.alive(process)]
        rows = yield from self._rows.changed(alive, query.details, query.since)
        return m.ProcessPage(
            boot_id=self._boot_id,
            generation=self._rows.generation,
            total=len(self._membership.processes),
            matched=len(ordered),
            offset=offset,
            pids=tuple(int(process.pid) for process in alive),
            rows=rows,
            index=index,
            age=listed.age,
        )

    def _process(self, pid: int | None) -> Process | None:
        if pid is None:
            return None
        return self._runtime.processes.get(pid) or self._runtime.zombies.get(pid)


def _window(offset: int, limit: int) -> tuple[int, int]:
    return max(0, offset), max(0, min(limit, MAX_LIMIT))


def _drop(kept: dict[K, ProcessList] | dict[K, VisibleTree]) -> None:
    oldest = monotonic() - KEPT_SECONDS
    by_use = sorted(kept, key=lambda key: kept[key].used_at)
    for number, key in enumerate(by_use):
        if kept[key].used_at < oldest or len(by_use) - number >= MAX_QUESTIONS:
            del kept[key]
