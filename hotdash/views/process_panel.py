"""The panel of the selected process: its details, and below them its live state."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from hotdash.model.process_details import process_lines
from hotdash.model.process_tree import label_of
from hotdash.model.selection import ProcessKey
from hotdash.model.styled_text import Line, line, span
from hotdash.model.term_diff import diff
from hotdash.model.term_lines import term_lines
from hotdash.model.units import age
from hotdash.model.view_state import ViewState
from hotdash.widgets.bars import StaticLines
from hotdash.widgets.text_lines import ScrollingLines
from node_runtime.protocol import messages as m


class ProcessPanel(Vertical):
    """Details and state of one process.

    The panel keeps the label of the shown process, to show the label after the process has ended, and to find its
    successor: the only known process with the same label.
    """

    SCOPED_CSS = False  # the rules for small screens begin with a class of the screen
    DEFAULT_CSS = """
    ProcessPanel { width: 8fr; border-left: vkey $foreground 20%; }
    ProcessPanel ScrollingLines { height: 1fr; padding: 1 1 0 1; }
    .-low ProcessPanel ScrollingLines { padding: 0 1; }
    """

    def __init__(self, id: str = "process") -> None:
        super().__init__(id=id)
        self._details = StaticLines()
        self._state = ScrollingLines(classes="state")
        self._last_shown: tuple[ProcessKey, str] | None = None
        self.successor: ProcessKey | None = None
        """The successor of the shown process, if the shown process has ended."""
        self.ended: list[Line] = []
        """The lines about the end of the shown process; none while it lives."""

    def compose(self) -> ComposeResult:
        yield self._details
        yield self._state

    def show_lines(self, details: list[Line], state: list[Line] | None = None) -> None:
        """Show lines about an object that is not a live process."""
        self.successor, self.ended = None, []
        self._show(details, state or [])

    def _show(self, details: list[Line], state: list[Line]) -> None:
        self._details.show(details)
        self._state.show(state)

    def show_process(self, key: ProcessKey, row: m.ProcessSummary | None, view_state: ViewState) -> None:
        """Show a process. `row` is None if the process is not among the known rows any more."""
        sample = view_state.node.sample
        own = sample if sample is not None and sample.key == key else None
        snapshot = view_state.node.snapshot
        earlier = snapshot is not None and snapshot.info.boot_id != key.boot_id
        if earlier or (row is None and (own is None or own.refused)):
            self.successor = self._successor(key, view_state)
            self.ended = self._ended_lines(key, earlier=earlier)
            self._show(self.ended, _last_state(own))
            return
        process = own.view.process if own is not None and own.view is not None and not own.refused else row
        if process is None:
            return
        if row is not None or self._last_shown is None or self._last_shown[0] != key:
            self._last_shown = key, label_of(process if row is None else row)
        details = process_lines(process, view_state.node_now)
        if own is None:  # keep room for links and monitors: the lines below must not move when they arrive
            details += [()] * (len(self._details.lines) - len(details))
        self.show_lines(details, state_lines(view_state, key))

    def _label(self, key: ProcessKey) -> str:
        return self._last_shown[1] if self._last_shown is not None and self._last_shown[0] == key else ""

    def _successor(self, key: ProcessKey, view_state: ViewState) -> ProcessKey | None:
        snapshot, label = view_state.node.snapshot, self._label(key)
        boot_id = key.boot_id if snapshot is None else snapshot.info.boot_id
        labels = view_state.node.labels().items()
        found = [one for pid, other in labels if other == label and (one := ProcessKey(boot_id, pid)) != key]
        return found[0] if label and len(found) == 1 else None

    def _ended_lines(self, key: ProcessKey, *, earlier: bool) -> list[Line]:
        how = "ended with the node's earlier boot" if earlier else "has ended"
        lines = [line(span(f"✖ {self._label(key) or 'this process'} <{key.pid}> {how}.", "bad"))]
        if self.successor is not None:
            lines.append(line(span("Its successor is ", "muted"), span(f"<{self.successor.pid}>", "name"), "."))
        return lines


def _last_state(sample: object) -> list[Line]:
    view = getattr(sample, "view", None)
    if not isinstance(view, m.StateView):
        return []
    return [line(span("its last state", "muted")), *term_lines(view.state)]


def activity_lines(view: m.StateView, view_state: ViewState) -> list[Line]:
    """Return what the process does, and for which processes it waits."""
    if view.running is None:
        return []
    titles = view_state.node.titles()
    lines = [line(span("in the callback ", "muted"), span(view.running, "warn"))]
    if view.waits_for:
        waits = ", ".join(f"{titles.get(pid, 'process')} <{pid}>" for pid in view.waits_for[:4])
        lines.append(line(span("waits for ", "muted"), span(waits, "warn")))
    return [*lines, ()]


def _mail_title(view: m.StateView) -> str:
    more = view.process.mailbox - len(view.mail)
    return f"mailbox, oldest first{f', {more:,} more' if more > 0 else ''}"


def _exit_line(end: m.ProcessExit, node_now: float) -> Line:
    when = f"<{end.pid}> ended {age(node_now - end.ended)} ago: "
    return line(span(f"  {when}", "muted"), span(end.reason, "plain" if end.orderly else "bad"))


def state_lines(view_state: ViewState, key: ProcessKey) -> list[Line]:
    """Return the live state of a process; what has just changed is marked."""
    sample = view_state.node.sample
    if sample is None or sample.key != key:
        return [line(span("state …", "muted"))]
    if sample.refused:
        return [line(span(sample.refused, "warn"))]
    view = sample.view
    if view is None:
        return []
    changes = diff(sample.before.state, view.state) if sample.before is not None else ()
    moved = frozenset(change.path for change in changes)
    lines = [*activity_lines(view, view_state), line(span("state", "muted")), *term_lines(view.state, moved)]
    if view.mail:
        lines += [(), line(span(_mail_title(view), "muted"))]
        lines += [part for one in view.mail for part in term_lines(one)]
    if view.exits:
        lines += [(), line(span("earlier processes in its place", "muted"))]
        lines += [_exit_line(one, view_state.node_now) for one in view.exits]
    if view.blocked:
        lines.insert(0, line(span(view.blocked, "warn")))
    if view.stack:
        lines += [(), line(span("stack", "muted")), *(line(span(f"  {frame}")) for frame in view.stack)]
    return lines
