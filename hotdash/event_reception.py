"""Applies the node's events to the dashboard, and announces the operations that other people begin.

Events that have only a text are applied in batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from node_runtime.protocol import messages as m

from .actions import key_of
from .model.operation_lines import outcome_words, started_words
from .screens.confirm import ConfirmDialog
from .screens.waiting import WaitingDialog

if TYPE_CHECKING:
    from .app import HotdashApp

BATCH_SECONDS: Final = 0.1
"""Seconds for which text events are collected before the screen is drawn, so that a flood costs little."""
_TEXT_KINDS: Final = ("log", "process", "audit", "module")


class EventReception:
    """Receives the events of the link for `app`."""

    def __init__(self, app: HotdashApp) -> None:
        self._app = app
        self._waiting: list[m.NodeEvent] = []

    def receive(self, event: m.NodeEvent) -> None:
        """Apply an event, now or with the next batch. Ignore it if the dashboard is closing: it has no screen then."""
        app, operation = self._app, event.operation
        if not app.is_running:
            return
        if event.kind in _TEXT_KINDS:
            self._waiting.append(event)
            if len(self._waiting) == 1:
                app.set_timer(BATCH_SECONDS, self._apply_batch)
            return
        if operation is not None:
            self._announce(operation)
        app.apply(app.node.with_event(event, app.clock()))
        if event.kind == "rehearsal":
            self._show_progress(f"{event.text[:1].upper()}{event.text[1:]} …")
        if operation is not None and operation.ended is not None:
            app.handlers.releases.report_abort(operation)
            if isinstance(app.screen, ConfirmDialog):
                app.screen.operation_ended(operation.id, outcome_words(operation).text)
            if not operation.results:
                app.read_operation(operation.id)

    def _show_progress(self, sentence: str) -> None:
        """Show the progress of a rehearsal, if the dashboard waits for the rehearsal."""
        if isinstance(self._app.screen, WaitingDialog):
            self._app.screen.show(sentence)
        elif self._app.dashboard.busy:
            self._app.set_busy(sentence)

    def forget(self) -> None:
        """Drop the events of the next batch, because another node is shown now."""
        self._waiting = []

    def _apply_batch(self) -> None:
        events, self._waiting = tuple(self._waiting), []
        if not events:
            return
        self._app.apply(self._app.node.with_texts(events, self._app.clock()))

    def _announce(self, operation: m.Operation) -> None:
        """Announce an operation that has just begun, unless this dashboard has requested it.

        An open dialog that would begin another operation is disabled, and shows the announcement.
        """
        app = self._app
        ours = app.handlers.releases.requesting or operation.id in app.handlers.releases.own
        if ours or operation.ended is not None or app.node.operation(operation.id) is not None:
            return
        sentence = f"{started_words(operation)}."
        if isinstance(app.screen, ConfirmDialog) and app.screen.freeze(sentence):
            return
        app.show_toast(f"{sentence} {key_of('view_upgrades', app.dashboard.keymap)} shows it.")
