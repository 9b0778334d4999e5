"""Every key, from the registry."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from hotdash.actions import ACTIONS, shown_keys
from hotdash.model.styled_text import Line, Span, Tone, line, span
from hotdash.widgets.text_lines import ScrollingLines

_MOVING = (
    ("↑ ↓  j k", "Move; g and G go to the ends, ^d and ^u a screenful."),
    ("enter", "Open: the state, the plan, the operation, the difference."),
    ("tab", "Go to the next panel."),
    ("space ← →", "Open and close in the tree; * opens all."),
)
_RULES = (
    (
        "change",
        "Nothing is changed before the dashboard is armed and a dialog is confirmed; its default is to do nothing.",
    ),
    ("selection", "A selection is a process for ever: when it ends, nothing else takes its place."),
    ("outcome", "An outcome is shown when the node has reported it, and not before."),
)
_TEXT_AT = 21
"""The column at which every explanation stands."""


class HelpDialog(ModalScreen[None]):
    """Closes with esc, or with the key that opened it."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,question_mark,f1,q", "dismiss", "Close")]

    DEFAULT_CSS = """
    HelpDialog {
        align: center middle;
        & > Vertical {
            width: 92; max-width: 96%; height: 90%;
            background: $surface; border: round $primary; padding: 0 1;
            border-title-color: $foreground; border-title-style: bold;
        }
        & ScrollingLines { height: 1fr; padding: 0 1; }
    }
    """

    def __init__(self, keymap: dict[str, str]) -> None:
        super().__init__()
        self._keymap = keymap

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Keys"
            box.border_subtitle = "esc closes"
            yield ScrollingLines(hang=_TEXT_AT)

    def on_mount(self) -> None:
        lines = self.query_one(ScrollingLines)
        lines.show(help_lines(self._keymap))
        lines.focus()


def help_lines(keymap: dict[str, str]) -> list[Line]:
    """The whole registry, group by group."""
    lines: list[Line] = []
    for group in dict.fromkeys(action.group for action in ACTIONS):
        lines += [line(span(group, "strong"))]
        for action in ACTIONS:
            if action.group == group:
                keys = " ".join(shown_keys(action, keymap)).ljust(6)
                armed = Span("! ", "bad") if action.role == "operator" else Span("  ")
                lines.append(
                    (span(f"  {keys}", "name"), armed, span(action.label.ljust(11)), span(action.help, "muted"))
                )
        lines.append(())
    lines += [_row("  !", "marks what needs the dashboard to be armed.", "bad"), ()]
    lines += [line(span("Moving", "strong")), *(_row(f"  {keys}", what) for keys, what in _MOVING)]
    lines += [(), line(span("Rules", "strong")), *(_row(f"  {about}", rule) for about, rule in _RULES)]
    return lines


def _row(key: str, text: str, tone: Tone = "name") -> Line:
    return line(span(key.ljust(_TEXT_AT), tone), span(text))
