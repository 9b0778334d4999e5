"""The help dialog: every key, from the registry of actions."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from hotdash.actions import ACTIONS, help_of, key_name, shown_keys
from hotdash.model.styled_text import Line, Span, Tone, line, span
from hotdash.moves import MOVES, Move
from hotdash.widgets.text_lines import ScrollingLines

from .dialog import Dialog

_FIXED = (
    ("enter", "Opens the selected row: a state, a plan, an operation or a difference."),
    ("tab", "Goes to the next panel."),
)
_RULES = (
    (
        "change",
        "Every change needs an armed dashboard and a confirmation, whose default is to do nothing.",
    ),
    ("selection", "The selection is a process, not a row: when the process ends, nothing is selected."),
    ("outcome", "An outcome is shown only after the node has reported it."),
)
_REPLAY = (
    ("space", "Pauses the replay, or resumes it."),
    ("[ ]", "Move the replay by 10 s."),
    ("< >", "Change the speed of the replay."),
)
_TEXT_AT = 24
"""The column of the explanations."""


class HelpDialog(Dialog[None]):
    """The dialog with all keys. It closes with escape, and with the default keys of the actions help and leave."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,question_mark,f1,q", "dismiss", "Close")]

    DEFAULT_CSS = """
    HelpDialog {
        & > Vertical { width: 92; height: 90%; padding: 0 1; }
        & ScrollingLines { height: 1fr; padding: 0 1; }
    }
    """

    def __init__(self, keymap: dict[str, str], *, in_replay: bool = False) -> None:
        super().__init__()
        self._keymap = keymap
        self._in_replay = in_replay

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Keys"
            box.border_subtitle = "esc closes"
            yield ScrollingLines(hang=_TEXT_AT)

    def on_mount(self) -> None:
        lines = self.query_one(ScrollingLines)
        replay = [line(span("Replay", "strong")), *(_row(f"  {keys}", what) for keys, what in _REPLAY), ()]
        lines.show([*(replay if self._in_replay else ()), *help_lines(self._keymap)])
        lines.focus()


def help_lines(keymap: dict[str, str]) -> list[Line]:
    """Return all actions by group, the keys for moving, and the rules of the dashboard."""
    lines: list[Line] = []
    lines += [
        _row("  !", "marks the actions that need the dashboard to be armed.", "bad"),
        _row("  [id]", "is the action's name in keys.toml, where you can give it another key."),
        (),
    ]
    for group in dict.fromkeys(action.group for action in ACTIONS):
        lines += [line(span(group, "strong"))]
        for action in ACTIONS:
            if action.group == group:
                keys = " ".join(shown_keys(action, keymap)).ljust(6)
                needs_arming = action.role == "operator" and not action.changes_nothing
                armed = Span("! ", "bad") if needs_arming else Span("  ")
                lines.append(
                    (
                        span(f"  {keys}", "name"),
                        armed,
                        span(action.label.ljust(14)),
                        span(help_of(action, keymap), "muted"),
                        span(f" [{action.id}]", "name"),
                    )
                )
        lines.append(())
    lines += [line(span("Moving", "strong")), *(_row(f"  {keys}", what) for keys, what in _FIXED)]
    lines += [_move_row(move, keymap) for move in MOVES]
    lines += [(), line(span("Rules", "strong")), *(_row(f"  {about}", rule) for about, rule in _RULES)]
    return lines


def _move_row(move: Move, keymap: dict[str, str]) -> Line:
    keys = " ".join(key_name(key) for key in keymap.get(move.id, move.keys).split(","))
    return line(span(f"  {keys}".ljust(_TEXT_AT), "name"), span(move.help, "muted"), span(f" [{move.id}]", "name"))


def _row(key: str, text: str, tone: Tone = "name") -> Line:
    return line(span(key.ljust(_TEXT_AT), tone), span(text))
