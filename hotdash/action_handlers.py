"""Handlers of the actions: they ask for confirmation, send a request to the node, and show its answer.

The target of an action, a process or a release, is fixed before the dialog opens. An update from
the node does not change the target while the dialog is open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from textual.command import CommandPalette
from textual.widgets import Input

from node_runtime.protocol.exit_codes import ExitCode, Refused

from .actions import BY_ID, OPERATOR_REMEDY, VIEWER_REFUSAL
from .handlers.approve_action import approve_release
from .handlers.inspection_actions import InspectionActions
from .handlers.module_action import open_module
from .handlers.process_actions import end_processes
from .handlers.purge_action import purge
from .handlers.release_actions import ReleaseActions
from .handlers.remove_action import remove_release
from .handlers.trouble_action import TroubleAction
from .handlers.unused_keys import unused_key_words
from .handlers.view_actions import choose_columns, export_view
from .model.styled_text import line, span
from .model.units import age
from .model.view_state import ARMED_SECONDS
from .screens.confirm import ConfirmDialog, Question

if TYPE_CHECKING:
    from .app import HotdashApp


AT_ONCE: Final = frozenset(
    {"filter", "back", "open_process", "previous_process", "next_process", "trouble", "pause", "help", "palette"}
)
"""The actions that wait neither for the node nor for the operator. They have ended when the next key is handled."""
EXPLAINED_SECONDS: Final = 5.0
"""For so many seconds, the dashboard does not say again that the same key does nothing."""


class ActionHandlers:
    """The handlers of all actions except those that open a view.

    Handlers of actions that are not in AT_ONCE run in a Textual worker, and may await dialogs.
    """

    def __init__(self, app: HotdashApp) -> None:
        self._app = app
        self._explained, self._explained_at = "", 0.0
        releases = self.releases = ReleaseActions(app)
        self._handlers: dict[str, Callable[[], Awaitable[None]]] = {
            "restart": lambda: end_processes(self._app, "restart"),
            "kill": lambda: end_processes(self._app, "kill"),
            **InspectionActions(app).handlers(),
            "open_module": lambda: open_module(self._app),
            "purge": lambda: purge(self._app),
            "stage": releases.stage,
            "plan": releases.plan,
            "upgrade": lambda: releases.install("up"),
            "downgrade": lambda: releases.install("down"),
            "cold": releases.install_cold,
            "commit": releases.commit,
            "rollback": releases.rollback,
            "abort": releases.abort,
            "approve": lambda: approve_release(self._app),
            "remove": lambda: remove_release(self._app),
            "trouble": TroubleAction(app),
            "arm": self._arm,
            "copy": self._copy,
            "filter": self._filter,
            "columns": lambda: choose_columns(self._app),
            "export": lambda: export_view(self._app),
            "pause": self._pause,
            "refresh": self._refresh,
            "next_node": lambda: self._go_to_node(1),
            "previous_node": lambda: self._go_to_node(-1),
            "theme": self._theme,
            "suspend": self._suspend,
            "help": self._help,
            "palette": self._palette,
            "back": self._back,
            "leave": self._leave,
            "quit": self._quit,
        }

    async def run(self, action_id: str) -> None:
        """Run the handler of an action; show a refusal as a toast."""
        may_be_busy = BY_ID[action_id].role == "operator"
        try:
            await self._handlers[action_id]()
        except Refused as refusal:
            self._app.show_toast(refusal.sentence, bad=True)
        except asyncio.CancelledError:
            may_be_busy = False  # another action has begun, and shows what it waits for
            raise
        finally:
            if may_be_busy:
                self._app.set_busy()

    def refresh_operation(self, operation: str) -> None:
        """Request an operation from the node, because its events were missed or did not contain all its results."""
        self._app.run_worker(self.releases.refresh_operation(operation), name="operation", exit_on_error=False)

    def explain_unused_key(self, key: str) -> None:
        """If a key does nothing here, say so: an operator who waits for its effect would wait in vain."""
        app = self._app
        if app.has_dialog or key in app.screen.active_bindings:
            return
        sentence = unused_key_words(key, app.dashboard.keymap)
        now = app.clock()
        if sentence != self._explained or now - self._explained_at > EXPLAINED_SECONDS:  # a key may be held down
            self._explained, self._explained_at = sentence, now
            app.show_toast(sentence)

    # -------------------------------------------------------------- the dashboard itself

    async def _arm(self) -> None:
        app = self._app
        app.clear_notifications()  # a refusal that asks to arm would be out of date
        if app.view_state.armed:
            app.arm(False)
            return
        if app.view_state.role == "viewer":
            raise Refused(f"{VIEWER_REFUSAL} {OPERATOR_REMEDY}", ExitCode.NOT_ALLOWED)
        question = Question(
            title=f"Arm {app.node.name}",
            lines=(
                line("Arming allows the operator's actions on this node for ", span(age(ARMED_SECONDS), "strong"), "."),
                line("Each change still asks for confirmation. The node's audit log records every change."),
            ),
            verb="Arm",
            command_line=lambda answer: "",
        )
        if await app.push_screen_wait(ConfirmDialog(question)) is not None:
            app.arm(True)

    async def _copy(self) -> None:
        command_line = self._app.command_line(self._app.selected())
        self._app.copy_to_clipboard(command_line)
        self._app.show_toast(f"Copied: {command_line}")

    async def _filter(self) -> None:
        self._app.top_screen.open_filter()

    async def _pause(self) -> None:
        self._app.toggle_pause()

    async def _refresh(self) -> None:
        self._app.link.refresh()
        self._app.show_toast(f"Reading the state of {self._app.node.name} now.")

    async def _go_to_node(self, step: int) -> None:
        self._app.go_to_node(step)

    async def _theme(self) -> None:
        self._app.search_themes()

    async def _suspend(self) -> None:
        self._app.suspend_or_explain()

    async def _help(self) -> None:
        self._app.show_help()

    async def _palette(self) -> None:
        if not self._app.has_dialog:  # the palette is a dialog, too
            palette = CommandPalette(id="--command-palette")
            await self._app.push_screen(palette)
            for field in palette.query(Input):
                palette.set_focus(field)  # now: the held letters go to the field right after this key

    async def _back(self) -> None:
        if self._app.top_screen is self._app.main_screen:
            self._app.main_screen.clear_filter()
        elif not self._app.top_screen.clear_filter():
            self._app.pop_screen()

    async def _leave(self) -> None:
        if self._app.top_screen is not self._app.main_screen:
            self._app.pop_screen()
            return
        question = Question(
            title="Quit hotdash",
            lines=(line("The node continues, and so does a running operation."),),
            verb="Quit",
            command_line=lambda answer: "",
            harmful=False,
        )
        if await self._app.push_screen_wait(ConfirmDialog(question)) is not None:
            self._app.exit()

    async def _quit(self) -> None:
        self._app.exit()
