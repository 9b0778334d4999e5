"""The screen of one operation, during and after its run."""

from __future__ import annotations

from textual.app import ComposeResult

from hotdash.model.view_state import Selection, ViewState
from hotdash.views.base import NodeScreen
from hotdash.views.upgrades import OperationPanel
from hotdash.widgets.table import Table


class OperationScreen(NodeScreen):
    """Shows the operation as the node reports it. When the screen is closed, the operation continues."""

    DEFAULT_CSS = """
    OperationScreen OperationPanel { padding-top: 1; }
    OperationScreen.-low OperationPanel { padding-top: 0; }
    """

    footer_name = "operation"

    def __init__(self, operation: str) -> None:
        super().__init__()
        self.operation = operation

    def body(self) -> ComposeResult:
        yield OperationPanel()

    def on_mount(self) -> None:
        self.query_one("#results", Table).focus()

    def draw(self, view_state: ViewState) -> None:
        self.query_one(OperationPanel).show(view_state.node.operation(self.operation), view_state)

    def selected(self) -> Selection:
        return Selection(operation=self.operation)
