"""The panel above the overview: what is wrong now, and the keys of the views that show more."""

from __future__ import annotations

from typing import Final

from hotdash.actions import key_of
from hotdash.model.alerts.troubles import Trouble, troubles
from hotdash.model.styled_text import Line, line, span, width_of, wrap
from hotdash.model.view_state import ViewState
from hotdash.widgets.bars import StaticLines

MAX_SHOWN: Final = 6
MAX_LOW: Final = 3
"""The number of lines that the panel has in a low terminal."""


class TroublePanel(StaticLines):
    """One line for each trouble, the worst first; without a trouble, the panel takes no height.

    In a low terminal, the long sentences of several troubles are cut, so that more than one trouble is seen.
    """

    SCOPED_CSS = False  # the rules for small screens begin with a class of the screen
    DEFAULT_CSS = """
    TroublePanel { max-height: 8; border-bottom: solid $foreground 20%; }
    .-low TroublePanel { max-height: 4; }
    """

    def draw(self, view_state: ViewState) -> None:
        """Draw what is wrong now."""
        found = troubles(view_state.node, view_state.now)
        key = key_of("trouble", view_state.dashboard.keymap)
        lines = [_line(one, view_state) for one in found[:MAX_SHOWN]]
        if lines:
            more = f", {len(found) - MAX_SHOWN} more" if len(found) > MAX_SHOWN else ""
            head = line(span(f"wrong now: {len(found)}", "strong"), span(f"  {key} goes to each{more}", "muted"))
            lines.insert(0, head)
        self.show(lines)

    def _folded(self, width: int) -> list[Line]:
        folded = super()._folded(width)
        if len(folded) <= MAX_LOW or not self.screen.has_class("-low"):
            return folded
        return [one if width_of(one) <= width else (*wrap(one, width - 2)[0], span(" …")) for one in self.lines]


def _line(trouble: Trouble, view_state: ViewState) -> Line:
    view_key = key_of(f"view_{trouble.view}", view_state.dashboard.keymap)
    return line(span(f"{view_key} ", "name"), span(trouble.sentence, trouble.tone))
