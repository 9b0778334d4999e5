"""The look of a dialog: a box in the middle of the screen, with a title in its border."""

from __future__ import annotations

from typing import TypeVar

from textual.screen import ModalScreen

Result = TypeVar("Result")


class Dialog(ModalScreen[Result]):
    """A dialog whose only child is the `Vertical` that is the box. A subclass sets a width or height of its own.

    Toasts must not cover the fields and the buttons, which are at the bottom. The toasts that are there already are
    about earlier keys, so the dialog removes them. Later ones appear at the top.
    """

    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        & > Vertical {
            width: 76; max-width: 96%; height: auto; max-height: 96%;
            background: $surface; border: round $primary; padding: 0 2;
            border-title-color: $foreground; border-title-style: bold; border-subtitle-color: $foreground 72%;
        }
        & StaticLines { padding: 1 0; }
        & > ToastRack { dock: top; align: right top; margin: 0; }
    }
    """

    def on_mount(self) -> None:  # Textual also calls that of the subclass
        """Remove the earlier toasts."""
        self.app.clear_notifications()
