"""Questions about processes: pages of a sorted and filtered list, and pages of the supervision tree.

The node sorts and filters the list, and cuts it into pages. For newer values, a client sends the same query again, with
the `generation` of the last page as `since`. Then the new page has only the rows that have changed.
"""

from __future__ import annotations

from typing import Literal

from .node import ApplicationInfo, ChildInfo, ProcessSummary
from .struct import WireStruct

ProcessOrder = Literal[
    "pid", "name", "kind", "module", "application", "state", "status", "mail", "messages", "rate", "busy", "restarts",
]  # fmt: skip
"""The sort key of a list. "rate" is messages per second; "busy" is the share of the time spent in callbacks.

Words and "pid" are in ascending order, all other numbers in descending order.
"""
ProcessDetail = Literal["arguments", "links"]
"""Parts of a row that are costly to read. A row has them only if the query requests them."""


class ProcessRow(ProcessSummary, frozen=True):
    """One process in a page, with its rates between the last two readings, at least half a second apart.

    The rates are None for a process that was read for the first time. `busy` is a share from 0 to 1. `arguments` are
    the arguments with which the supervisor has started the process, as text. `children` is the number of the process's
    child processes.
    """

    rate: float | None = None
    busy: float | None = None
    arguments: str = ""
    children: int = 0


class ProcessQuery(WireStruct, frozen=True):
    """The request for a page of the processes that match `filter`, sorted by `order`.

    If `pids` or `names` (at most 10) are given, only these processes are considered. The page has at most `limit` rows,
    and begins at the row `offset`. If the process `follow` matches, the page begins `lead` rows before that process,
    and not at `offset`. `since` is the generation of an earlier page, or 0: rows that have not changed since that page
    are left out. `details` names the costly fields that the rows should have.
    """

    filter: str = ""
    order: ProcessOrder = "pid"
    reverse: bool = False
    offset: int = 0
    limit: int = 100
    follow: int | None = None
    lead: int = 0
    since: int = 0
    pids: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    details: tuple[ProcessDetail, ...] = ()


class ProcessPage(WireStruct, frozen=True):
    """A page of processes. `pids` are all processes of the page in their order; `rows` are the changed ones.

    `total` is the number of processes, `matched` the number of processes that match the filter. `index` is the position
    of the followed process among the matching processes. `age` is the age of the order in seconds: if sorting is
    costly, the node sorts less often. For `blocked` see NodeSummary.
    """

    boot_id: str
    generation: int
    total: int
    matched: int
    offset: int
    pids: tuple[int, ...]
    rows: tuple[ProcessRow, ...]
    index: int | None = None
    age: float = 0.0
    blocked: str | None = None


class TreeQuery(WireStruct, frozen=True):
    """The request for a page of the supervision tree: its visible lines from `offset` on, at most `limit` of them.

    A path is the names of an application and of the processes below it, joined by slashes. The lines below a path in
    `closed` are hidden. If there are more than 50 siblings, only the first 50 are shown, unless their parent's path is
    in `open` or `unfolded` is set. With a `filter`, only the processes that match and their ancestors are shown. For
    `follow`, `lead` and `since` see ProcessQuery.
    """

    filter: str = ""
    closed: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    unfolded: bool = False
    offset: int = 0
    limit: int = 100
    follow: int | None = None
    lead: int = 0
    since: int = 0
    details: tuple[ProcessDetail, ...] = ()


class TreeLine(WireStruct, frozen=True):
    """One visible line of the tree: a process, a child that does not run, an application, or folded siblings.

    `levels` has one character for each ancestor, beginning with the application, and one for the line itself: "|" if
    more siblings follow, else " ". `below` is the number of children of the process or the application. `hidden` is the
    number of siblings that a line of folded siblings replaces.
    """

    path: str
    levels: str = ""
    pid: int | None = None
    child: ChildInfo | None = None
    application: ApplicationInfo | None = None
    below: int = 0
    hidden: int = 0
    matched: bool = False


class TreePage(WireStruct, frozen=True):
    """A page of the tree. `lines` are all lines of the page; `rows` has the changed processes of these lines.

    `total` is the number of processes, `matched` the number of processes that match the filter, and `length` the number
    of visible lines. `index` is the line of the followed process. For `age` and `blocked` see ProcessPage.
    """

    boot_id: str
    generation: int
    total: int
    matched: int
    length: int
    offset: int
    lines: tuple[TreeLine, ...]
    rows: tuple[ProcessRow, ...]
    index: int | None = None
    age: float = 0.0
    blocked: str | None = None
