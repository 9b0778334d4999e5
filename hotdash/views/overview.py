"""View 1: the supervision tree, and the live state of the selected process."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message

from hotdash.model.process_details import (
    application_lines,
    kind_words,
    mailbox_words,
    process_lines,
    status_mark,
    vacancy_lines,
)
from hotdash.model.process_tree import TreeNode, TreeRow, build_tree, filter_tree, flatten, walk
from hotdash.model.selection import FoldKey, Key, ProcessKey
from hotdash.model.styled_text import Line, Span, line, say
from hotdash.model.term_diff import diff
from hotdash.model.term_lines import term_lines
from hotdash.model.units import age
from hotdash.model.view_state import Picture, Selected, Wants
from hotdash.widgets.bars import Facts
from hotdash.widgets.table import Column, Row, Table
from hotdash.widgets.text_lines import Lines

from .base import View

_COLUMNS = (
    Column("supervision tree", least=24, most=60, grow=True),
    Column("is", most=14, rank=1),
    Column("mail", rank=3, right=True),
    Column("pid", rank=2, right=True),
    Column("up", least=5, rank=4, right=True),
)


class ProcessTree(Table):
    """The tree: a table whose first column is indented, and whose rows open and close."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "open_or_close", show=False),
        Binding("left,h,minus", "close", show=False),
        Binding("right,l,plus", "open", show=False),
        Binding("asterisk", "open_all", show=False),
    ]

    class Unfolded(Message):
        """Something was opened or closed."""

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="tree", empty="The node has not told of any process yet.")
        self._tree_rows: dict[Hashable, TreeRow] = {}
        self.collapsed: frozenset[str] = frozenset()
        self.unfolded: frozenset[str] = frozenset()

    def show_tree(self, rows: list[TreeRow], picture: Picture) -> None:
        """Draw these rows of the tree."""
        self._tree_rows = {row.node.key: row for row in rows}
        empty = "Nothing matches the filter." if picture.node.snapshot is not None else None
        self.show([Row(row.node.key, _cells(row, picture.node_now)) for row in rows], empty)

    def _place(self) -> str | None:
        row = self._tree_rows.get(self.key)
        return row.node.place if row is not None else None

    def action_open_or_close(self) -> None:
        """Open what is closed, close what is open."""
        place = self._place()
        if isinstance(self.key, FoldKey):
            self.unfolded |= {self.key.place}
        elif place is not None:
            self.collapsed ^= {place}
        self.post_message(self.Unfolded())

    def action_close(self) -> None:
        """Hide what is below."""
        if (place := self._place()) is not None:
            self.collapsed |= {place}
            self.unfolded -= {place}
            self.post_message(self.Unfolded())

    def action_open(self) -> None:
        """Show what is below."""
        if (place := self._place()) is not None:
            self.collapsed -= {place}
            self.post_message(self.Unfolded())

    def action_open_all(self) -> None:
        """Show everything, except for long rows of siblings."""
        self.collapsed = frozenset()
        self.post_message(self.Unfolded())


def _cells(row: TreeRow, node_now: float) -> tuple[Line, ...]:
    node = row.node
    fold = ("▾ " if row.expanded else "▸ ") if node.children else ""
    lead = (Span(row.guides, "fact"), Span(fold, "fact"))
    process = node.process
    if process is not None:
        return (
            (*lead, status_mark(process), Span(" "), say(node.title, "strong" if node.hit else "name")),
            (kind_words(process),),
            (mailbox_words(process),),
            (say(f"<{process.pid}>", "fact"),),
            (say(age(node_now - process.started), "fact"),),
        )
    nothing: tuple[Line, ...] = ((), (), ())
    if node.child is not None:
        return ((*lead, Span("○ ", "warn"), say(node.title, "name")), (say(node.child.status, "warn"),), *nothing)
    if node.application is not None:
        return ((*lead, say(node.title, "strong"), say(f" {node.application.vsn}", "fact")), (), *nothing)
    return ((*lead, say(node.title, "fact")), (), *nothing)


class Overview(View):
    """The tree on the left, the selected process on the right."""

    DEFAULT_CSS = """
    Overview {
        & > Horizontal { height: 1fr; }
        & ProcessTree { width: 9fr; }
        & #process { width: 8fr; border-left: vkey $foreground 20%; }
        & #process Lines { height: 1fr; padding: 1 1 0 1; }
    }
    .-low Overview #process Lines { padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__(id="overview")
        self.processes = ProcessTree()  # held, not queried: it may be asked for before it is mounted and after its end
        self._picture: Picture | None = None
        self._roots: tuple[TreeNode, ...] = ()
        self._begun = False
        self._last: TreeNode | None = None

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield self.processes
            with Vertical(id="process"):
                yield Facts()
                yield Lines(id="state")

    def show(self, picture: Picture) -> None:
        before = self._picture.node.snapshot if self._picture is not None else None
        self._picture = picture
        if picture.node.snapshot is not None and picture.node.snapshot is not before:
            self._roots = build_tree(picture.node.snapshot)
        self._show_tree()
        self._show_process()

    def _show_tree(self) -> None:
        assert self._picture is not None
        tree = self.processes
        if self.filtered:
            rows = flatten(filter_tree(self._roots, self.filtered), unfolded=tree.unfolded)
        else:
            rows = flatten(self._roots, tree.collapsed, tree.unfolded)
        tree.show_tree(rows, self._picture)
        if rows and not self._begun:
            self._begin(tree)

    def _begin(self, tree: ProcessTree) -> None:
        """Put the cursor on a worker of the application started last, once: its state is what people come to see."""
        self._begun = True
        newest_first = reversed(self._roots)
        workers = (node for node in walk(list(newest_first)) if node.process and node.process.kind in _WORKERS)
        first = next(workers, None)
        if first is not None:
            tree.select(first.key)

    def _show_process(self) -> None:
        assert self._picture is not None
        facts, state = self._told(self._picture)
        self.query_one(Facts).show(facts)
        self.query_one("#state", Lines).show(state)

    def _told(self, picture: Picture) -> tuple[list[Line], list[Line]]:
        node = next((one for one in walk(self._roots) if one.key == self.processes.key), None)
        if node is None:
            return self._told_of_nothing(picture)
        if node.child is not None:
            return vacancy_lines(node.child), []
        if node.application is not None:
            return application_lines(node.application, sum(1 for one in walk(node.children) if one.process)), []
        if node.process is None:
            return [line(say(node.title, "fact"))], []
        self._last = node
        return process_lines(node.process, picture.node_now), self._state(picture, node.key)

    def _told_of_nothing(self, picture: Picture) -> tuple[list[Line], list[Line]]:
        key = self.processes.key
        if not isinstance(key, ProcessKey):
            return [line(say("Select a process to see its live state.", "fact"))], []
        name = self._last.title if self._last is not None and self._last.key == key else "this process"
        snapshot = picture.node.snapshot
        earlier = snapshot is not None and snapshot.info.boot_id != key.boot_id
        how = "ended with the node's earlier boot" if earlier else "is gone"
        facts = [line(say(f"✖ {name} <{key.pid}> {how}.", "bad"))]
        after = [node for node in walk(self._roots) if node.process is not None and node.title == name]
        if len(after) == 1 and after[0].process is not None:
            facts.append(line(say("In its place runs ", "fact"), say(f"<{after[0].process.pid}>", "name"), "."))
        return facts, self._last_state(picture, key)

    def _last_state(self, picture: Picture, key: ProcessKey) -> list[Line]:
        look = picture.node.look
        if look is None or look.key != key or look.view is None:
            return []
        return [line(say("its last state", "fact")), *term_lines(look.view.state)]

    def _state(self, picture: Picture, key: Key) -> list[Line]:
        look = picture.node.look
        if look is None or look.key != key:
            return [line(say("state …", "fact"))]
        if look.refused:
            return [line(say(look.refused, "warn"))]
        view = look.view
        if view is None:
            return []
        changes = diff(look.before.state, view.state) if look.before is not None else ()
        moved = frozenset(change.path for change in changes)
        lines = [line(say("state", "fact")), *term_lines(view.state, moved)]
        if view.blocked:
            lines.insert(0, line(say(view.blocked, "warn")))
        if view.stack:
            lines += [(), line(say("stands at", "fact")), *(line(say(f"  {frame}")) for frame in view.stack)]
        return lines

    def on_process_tree_unfolded(self) -> None:
        """Draw the tree as it is open now."""
        if self._picture is not None:
            self._show_tree()

    def on_table_moved(self) -> None:
        """Show the process under the cursor at once; its state follows when the node has told it."""
        if self._picture is not None:
            self._show_process()

    def on_table_chosen(self) -> None:
        """Enter goes to the state, and opens or closes what is no process."""
        if isinstance(self.processes.key, ProcessKey):
            self.query_one("#state", Lines).focus()
        else:
            self.processes.action_open_or_close()

    def selected(self) -> Selected:
        key = self.processes.key
        return Selected(process=key) if isinstance(key, ProcessKey) and self.processes.present else Selected()

    def wants(self) -> Wants:
        return Wants(pictures=True, process=self.selected().process)


_WORKERS = ("gen_server", "gen_statem")
