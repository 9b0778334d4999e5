"""Windows: the rows of the process list and of the tree that the dashboard has read, around the visible ones.

Each page that the node sends brings a window up to date; the page has only the rows that have changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from msgspec.structs import replace

from node_runtime.protocol import messages as m

Q = TypeVar("Q", m.ProcessQuery, m.TreeQuery)


@dataclass(frozen=True, slots=True)
class ProcessWindow:
    """A query for processes, and its newest page. `page` has only the rows that have changed; `rows` has all rows."""

    query: m.ProcessQuery
    page: m.ProcessPage
    rows: dict[int, m.ProcessRow]

    @property
    def ordered(self) -> tuple[m.ProcessRow, ...]:
        """The rows in the order of the page."""
        return tuple(self.rows[pid] for pid in self.page.pids if pid in self.rows)


@dataclass(frozen=True, slots=True)
class TreeWindow:
    """A query for the tree, and its newest page. `page` has only the rows that have changed; `rows` has all rows."""

    query: m.TreeQuery
    page: m.TreePage
    rows: dict[int, m.ProcessRow]

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes of the page, from top to bottom."""
        return tuple(line.pid for line in self.page.lines if line.pid is not None)


def same_question(one: m.ProcessQuery | m.TreeQuery | None, other: m.ProcessQuery | m.TreeQuery | None) -> bool:
    """Return whether two queries ask for the same rows: they differ at most in which rows are shown."""
    return _bare(one) == _bare(other)


def _bare(query: m.ProcessQuery | m.TreeQuery | None) -> m.ProcessQuery | m.TreeQuery | None:
    return None if query is None else replace(query, follow=None, lead=0, since=0)


def next_query(wanted: Q, before: ProcessWindow | TreeWindow | None, boot_id: str) -> Q:
    """Return the query to send. If the known window `before` belongs to the same query, ask only for changes."""
    known = before is not None and before.page.boot_id == boot_id and before.page.blocked is None
    if before is not None and known and same_question(wanted, before.query):
        return replace(wanted, since=before.page.generation)
    return replace(wanted, since=0)


def process_window(query: m.ProcessQuery, page: m.ProcessPage, before: ProcessWindow | None) -> ProcessWindow:
    """Return the window of a page; rows that the page leaves out are taken from the previous window."""
    return ProcessWindow(query, page, _merged(page.rows, page.pids, None if before is None else before.rows))


def tree_window(query: m.TreeQuery, page: m.TreePage, before: TreeWindow | None) -> TreeWindow:
    """Return the window of a page of the tree."""
    pids = tuple(line.pid for line in page.lines if line.pid is not None)
    return TreeWindow(query, page, _merged(page.rows, pids, None if before is None else before.rows))


def is_incomplete(window: ProcessWindow | TreeWindow) -> bool:
    """Return whether rows are missing: the page left them out as unchanged, but the previous window lacked them."""
    pids = window.page.pids if isinstance(window, ProcessWindow) else window.pids
    return window.query.since > 0 and any(pid not in window.rows for pid in pids)


def _merged(
    rows: tuple[m.ProcessRow, ...], pids: tuple[int, ...], before: dict[int, m.ProcessRow] | None
) -> dict[int, m.ProcessRow]:
    known = {**(before or {}), **{row.pid: row for row in rows}}
    return {pid: known[pid] for pid in pids if pid in known}
