"""The part of the application that receives the messages of the node link, and keeps what is known of the node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .messages import (
    NamesReceived,
    OldCodeReceived,
    ProcessesReceived,
    QueryRefused,
    StateReceived,
    TreeReceived,
)
from .model.node_view import NodeView
from .widgets.key_order import KeyOrderApp


class NodeApp(KeyOrderApp):
    """An application that shows the node `node`. `clock` returns the local time."""

    clock: Callable[[], float]

    def __init__(self, node: NodeView, *, ansi_color: bool | None = None) -> None:
        super().__init__(ansi_color=ansi_color)
        self.node = node

    def draw(self) -> None:
        """Draw the state on every screen that shows the node."""
        raise NotImplementedError

    def show_toast(self, sentence: str, *, bad: bool = False) -> None:
        """Show a toast."""
        raise NotImplementedError

    def _update_needs(self) -> None:
        raise NotImplementedError

    def apply(self, view: NodeView) -> None:
        """Replace the known state of the node, and draw it."""
        self.node = view
        self.draw()

    def on_tree_received(self, message: TreeReceived) -> None:
        self.apply(self.node.with_tree(message.window, self.clock()))
        self._update_needs()

    def on_processes_received(self, message: ProcessesReceived) -> None:
        self.apply(self.node.with_processes(message.window, self.clock()))
        self._update_needs()

    def on_names_received(self, message: NamesReceived) -> None:
        self.apply(replace(self.node, names=message.names))

    def on_query_refused(self, message: QueryRefused) -> None:
        self.show_toast(message.sentence, bad=True)

    def on_old_code_received(self, message: OldCodeReceived) -> None:
        self.apply(replace(self.node, old_code=message.old_code))

    def on_state_received(self, message: StateReceived) -> None:
        if message.state is not None:
            self.apply(self.node.with_state(message.key, message.state))
        else:
            self.apply(self.node.without_state(message.key, message.sentence))
