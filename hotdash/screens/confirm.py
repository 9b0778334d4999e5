"""The confirmation dialog. Before a change, its default is to do nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.validation import Number
from textual.widgets import Button, Input, Label

from hotdash.model.styled_text import Line, line, span
from hotdash.widgets.bars import StaticLines
from hotdash.widgets.painting import content

from .dialog import Dialog


@dataclass(frozen=True, slots=True)
class Answer:
    """The operator's consent, with the values of the dialog's fields."""

    wait: float = 0.0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """The content of a dialog, which does not change while the dialog is open.

    The operator has to type `typed` before the button `verb` is enabled. `wait` (in seconds) and
    `reason` are the initial values of two fields; if one is None, the dialog does not have that
    field. `command_line` returns the equivalent command line, or an empty string.
    """

    title: str
    lines: tuple[Line, ...]
    verb: str
    command_line: Callable[[Answer], str]
    typed: str | None = None
    wait: float | None = None
    wait_label: str = "Wait up to (s)"
    reason: str | None = None
    harmful: bool = True
    operation: bool = False
    """Whether the answer begins an operation, so that another operation freezes the dialog."""
    aborts: str = ""
    """The id of the operation that the answer aborts; the end of this operation freezes the dialog."""


class ConfirmDialog(Dialog[Answer | None]):
    """The dialog of a Question; its result is an Answer, or None when cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "cancel", "Cancel"),
        ("left,right", "other_button", "Go to the other button"),
        ("pageup", "page(-1)", "Read the lines above"),
        ("pagedown", "page(1)", "Read the lines below"),
    ]

    DEFAULT_CSS = """
    ConfirmDialog {
        & #lines { height: auto; max-height: 100%; }
        & #answer { dock: bottom; height: auto; max-height: 100%; overflow-y: auto; }
        &.-harmful > Vertical { border: round $error; }
        & .field { height: 1; margin-bottom: 1; }
        & .field Label { width: auto; min-width: 26; max-width: 75%; padding-right: 1; color: $foreground 72%; }
        & .field Input { width: 1fr; background: $foreground 10%; }
        & #buttons { height: 3; align-horizontal: right; }
        & #buttons Button { margin-left: 2; }
        & #command-line { color: $foreground 72%; padding: 0 0 1 0; }
    }
    ConfirmDialog.-low {
        & StaticLines { padding: 0; }
        & .field { margin-bottom: 0; }
        & #command-line { padding: 1 0; }
    }
    """

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question
        self._frozen = ""
        self.set_class(question.harmful, "-harmful")

    def compose(self) -> ComposeResult:
        question = self._question
        with Vertical() as box:
            box.border_title = content(line(span(question.title)))
            with VerticalScroll(id="lines", can_focus=False):
                yield StaticLines()
            with Vertical(id="answer"):
                if question.wait is not None:
                    seconds = Input(f"{question.wait:g}", id="wait", validators=[Number(0)], compact=True)
                    yield from _field(question.wait_label, seconds)
                if question.reason is not None:
                    yield from _field("Reason, in the audit log", Input(question.reason, id="reason", compact=True))
                if question.typed is not None:
                    label = f"Type {question.typed} to proceed"
                    yield from _field(label, Input(id="typed", compact=True))
                yield StaticLines(id="command-line")
                with Horizontal(id="buttons"):
                    yield Button("Cancel", id="cancel", flat=True)
                    yield Button(question.verb, id="do", variant="error" if question.harmful else "primary", flat=True)

    def on_mount(self) -> None:
        self.query_one(StaticLines).show(list(self._question.lines))
        self._check()
        button = "#cancel" if self._question.harmful else "#do"
        self.query_one("#typed" if self._question.typed is not None else button).focus()

    def freeze(self, sentence: str) -> bool:
        """If the answer would begin an operation, disable the button, show why, and return True; else return False."""
        if self._question.operation:
            self._frozen = f"{sentence} Close this dialog, and try again when that operation has ended."
            self._check()
        return self._question.operation

    def operation_ended(self, operation: str, outcome: str) -> None:
        """If the answer would abort this operation, disable the button, and show the outcome."""
        if self._question.aborts == operation:
            self._frozen = f"The operation has ended: {outcome}. Close this dialog."
            self._check()

    def on_key(self, event: events.Key) -> None:
        """If a character is typed while a button has the focus, put the character into a field, and focus the field.

        This is the field for the required text. Without one, it is the field for the seconds if the character is a
        digit, else the field for the reason. The field's text is replaced.
        """
        character = event.character or ""
        wanted = ("typed", "wait", "reason") if character.isdecimal() else ("typed", "reason")
        fields = {field.id: field for field in self.query(Input)}
        found = next((fields[name] for name in wanted if name in fields), None)
        if isinstance(self.focused, Button) and event.is_printable and character != " " and found is not None:
            event.stop()
            found.select_on_focus = False
            found.value = character
            found.cursor_position = 1
            found.focus()

    def _answer(self) -> Answer | None:
        """Return the values of the fields; None while a value is invalid."""
        fields = {field.id: field.value.strip() for field in self.query(Input)}
        try:
            wait = float(fields.get("wait") or 0)
        except ValueError:
            return None
        return Answer(wait, fields.get("reason") or None) if 0 <= wait < math.inf else None

    def _typed_correctly(self) -> bool:
        """Return whether the required text is typed, or none is required."""
        typed = self._question.typed
        return typed is None or self.query_one("#typed", Input).value.strip() == typed

    @on(Input.Changed)
    def _check(self) -> None:
        answer = self._answer()
        self.query_one("#do", Button).disabled = bool(self._frozen) or answer is None or not self._typed_correctly()
        command_line = self._question.command_line(answer or Answer())
        below = (
            span(self._frozen, "bad") if self._frozen else span(f"$ {command_line}" if command_line else "", "muted")
        )
        self.query_one("#command-line", StaticLines).show([(below,)] if below.text else [])

    @on(Input.Submitted)
    def _focus_button(self) -> None:
        """On enter in a field, focus the button if the required text is typed. A second enter confirms."""
        self._check()  # a pasted text may contain enter, which arrives before the field has reported its change
        if not self.query_one("#do").disabled:
            self.query_one("#do").focus()
            below = self.query_one("#command-line", StaticLines)
            below.show([*below.lines, line(span("Press enter once more to confirm.", "strong"))])
        elif not self._frozen and not self._typed_correctly():
            self.query_one("#typed").focus()
            wrong = f"To proceed, type exactly {self._question.typed}."
            self.query_one("#command-line", StaticLines).show([line(span(wrong, "bad"))])

    @on(Button.Pressed, "#do")
    def _accept(self) -> None:
        answer = self._answer()
        if answer is not None and self._typed_correctly() and not self._frozen:
            self.dismiss(answer)

    def action_page(self, by: int) -> None:
        """Scroll the lines by one page; the fields and the buttons stay where they are."""
        lines = self.query_one("#lines", VerticalScroll)
        lines.scroll_relative(y=by * max(1, lines.size.height - 1), animate=False)

    def action_other_button(self) -> None:
        """Go from one button to the other; in a field, the arrows move the cursor."""
        others = [button for button in self.query(Button) if not button.disabled and button is not self.focused]
        if isinstance(self.focused, Button) and others:
            others[0].focus()

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Close without an answer."""
        self.dismiss(None)


def _field(label: str, field: Input) -> ComposeResult:
    with Horizontal(classes="field"):
        yield Label(content(line(span(label))))
        yield field
