"""The bars of a screen: view tabs, notice, vitals, and the keys at the bottom."""

from __future__ import annotations

from dataclasses import dataclass

from textual.app import RenderResult
from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget

from hotdash.actions import ACTIONS, Action, footer_actions, refusal_of, shown_keys
from hotdash.idle_actions import nothing_to_do, pointless_for
from hotdash.model.styled_text import Line, cut, sanitize, span, wrap
from hotdash.model.view_state import Selection, ViewState
from hotdash.model.vitals import GAUGES, VitalsHistory, gauge_lines

from .painting import content

_MAY_BE_IDLE = ("commit", "rollback", "abort", "approve")
"""The actions that the footer dims while they have nothing to do."""
_ONLY_SOMETIMES = ("abort", "approve")
"""The actions that the footer leaves out while they have nothing to do: no step of a usual upgrade is missing then."""
_REPLAY_KEYS = (("pause", "space", "pause"), ("forward", "[ ]", "10 s"), ("faster", "< >", "speed"))
"""For a key of the replay, or a pair of keys: the step that a click takes, the keys and the label."""
_TAKEN_BY_REPLAY = ("previous_process", "next_process")
"""The actions whose keys belong to the replay."""


class ClickableBar(Widget):
    """A bar with clickable parts, which are not styled as web links."""

    def on_mount(self) -> None:
        self.auto_links = False


class Tabs(ClickableBar):
    """The views with their keys; the open view is highlighted."""

    DEFAULT_CSS = """
    Tabs { height: 1; padding: 0 1; background: $surface; }
    """

    tabs: reactive[tuple[tuple[str, str, str, bool, str], ...]] = reactive(())
    page: reactive[str] = reactive("")

    def show(self, view_state: ViewState) -> None:
        """Draw the state."""
        keymap = view_state.dashboard.keymap
        self.page = sanitize(view_state.dashboard.page)
        self.tabs = tuple(
            (
                action.id,
                shown_keys(action, keymap)[0],
                action.label,
                view == view_state.dashboard.view,
                _badge(view, view_state),
            )
            for action in ACTIONS
            if action.id.startswith("view_")
            for view in (action.id.removeprefix("view_"),)
        )

    def render(self) -> RenderResult:
        tabs = self._tabs(" ")
        if tabs.cell_length + len(self.page) + 2 * bool(self.page) > self.content_size.width:
            tabs = self._tabs("")
        gap = self.content_size.width - tabs.cell_length - len(self.page)
        return Content.assemble(tabs, " " * gap, (self.page, "$foreground 72%")) if self.page and gap > 1 else tabs

    def _tabs(self, margin: str) -> Content:
        highlight = "reverse" if self.app.native_ansi_color else "on $primary 30%"
        parts: list[Content] = []
        for action_id, key, label, is_open, badge in self.tabs:
            shown = f"{margin}{key} {label}", f"{' ' * bool(badge)}{badge}{margin}"
            tab = Content.assemble(
                (shown[0], f"bold $text-primary {highlight}" if is_open else "$foreground 72%"),
                (shown[1], f"bold $text-warning {highlight}" if is_open else "bold $text-warning"),
            )
            parts.append(tab.stylize(Style.from_meta({"@click": f"app.act('{action_id}')"})))
        return Content(" ").join(parts)


def _badge(view: str, view_state: ViewState) -> str:
    """Return the badge of a view that needs attention; an empty string for any other view."""
    if view == "modules" and view_state.node.draining():
        return f"{len(view_state.node.draining())} old"
    if view == "upgrades" and view_state.node.unfinished():
        return "◌"
    return ""


MAX_NOTICE_LINES = 4


class Notice(Widget):
    """The most urgent sentence about the node. It is hidden if there is no such sentence."""

    DEFAULT_CSS = """
    Notice {
        height: auto;
        padding: 0 1;
        display: none;
        color: $text-warning;
        background: $warning 15%;
        &.-shown { display: block; }
        &.-lost { color: $text-error; background: $error 15%; }
    }
    """

    sentence: reactive[str] = reactive("", layout=True)

    def show(self, view_state: ViewState) -> None:
        """Draw the state."""
        self.sentence = view_state.node.notice(view_state.now) or view_state.dashboard.busy
        self.set_class(bool(self.sentence), "-shown")
        self.set_class(view_state.node.connection.state == "lost", "-lost")

    def _folded(self, width: int) -> list[Line]:
        lines = wrap((span(self.sentence),), width, 0)
        if len(lines) <= MAX_NOTICE_LINES:
            return lines
        last = (*lines[MAX_NOTICE_LINES - 1], span(" …"))
        return [*lines[: MAX_NOTICE_LINES - 1], cut(last, width)]

    def get_content_height(self, _container: Size, _viewport: Size, width: int) -> int:
        return len(self._folded(width))

    def render(self) -> RenderResult:
        return content(*self._folded(self.content_size.width))


class VitalsBar(Widget):
    """The vitals of the node, now and over the last minutes."""

    SCOPED_CSS = False  # the rules for small screens begin with a class of the screen
    DEFAULT_CSS = """
    VitalsBar { height: 3; padding: 0 1 1 1; }
    .-low VitalsBar { height: 2; padding: 0 1; }
    """

    history: reactive[VitalsHistory] = reactive(VitalsHistory())

    def show(self, view_state: ViewState) -> None:
        """Draw the state."""
        self.history = view_state.node.history

    def render(self) -> RenderResult:
        width = self.content_size.width
        cells = max(1, min(len(GAUGES), width // 17))
        return content(*gauge_lines(self.history, cells, width // cells))


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A key of the footer. It is dim unless its action is allowed now.

    `useful` is true if the action has something to do, and the cookie's role allows the action. The action may still
    need an armed dashboard. `step` is the step of a replay, for a key without an action.
    """

    action_id: str
    key: str
    label: str
    allowed: bool
    useful: bool
    step: str = ""

    @property
    def clicked(self) -> str:
        """The action of the app that a click runs."""
        return f"app.replay('{self.step}')" if self.step else f"app.act('{self.action_id}')"

    @property
    def cells(self) -> int:
        """The width of the key with its label."""
        return len(self.key) + 1 + len(self.label)


class KeyBar(ClickableBar):
    """The keys of a view. The keys of actions that are not allowed now are dim.

    Where not all keys fit, those of actions that can do nothing are left out first.
    """

    DEFAULT_CSS = """
    KeyBar { height: 1; padding: 0 1; background: $panel; }
    """

    keys: reactive[tuple[ShownKey, ...]] = reactive(())

    def show(self, view_state: ViewState, view: str, selected: Selection) -> None:
        """Draw the keys of `view`. A key that can do nothing with the selection is dim."""
        replay = [ShownKey("", keys, label, True, True, step) for step, keys, label in _REPLAY_KEYS]
        self.keys = (*(replay if view_state.dashboard.replay else ()), *self._of_view(view, view_state, selected))

    def _of_view(self, view: str, view_state: ViewState, selected: Selection) -> list[ShownKey]:
        return [
            ShownKey(
                action.id,
                shown_keys(action, view_state.dashboard.keymap)[0],
                self._label(action.id, action.label, view_state),
                _allowed(action, view_state, armed=view_state.armed) and useful,
                useful,
            )
            for action in footer_actions(view)
            for useful in (_useful(action, view_state, selected),)
            if not (view_state.dashboard.replay and action.id in _TAKEN_BY_REPLAY)
            and not (action.id in _ONLY_SOMETIMES and _idle(action, view_state))
        ]

    @staticmethod
    def _label(action_id: str, label: str, view_state: ViewState) -> str:
        if action_id == "arm" and view_state.armed:
            return "disarm"
        if action_id == "pause" and view_state.dashboard.paused:
            return "resume"
        return label

    def render(self) -> RenderResult:
        parts: list[Content] = []
        for one in self._keys_that_fit(self.content_size.width):
            styles = ("bold $text-primary", "$foreground") if one.allowed else ("$foreground 45%", "$foreground 45%")
            part = Content.assemble((one.key, styles[0]), (f" {one.label}", styles[1]))
            parts.append(part.stylize(Style.from_meta({"@click": one.clicked})))
        return Content("  ").join(parts)

    def _keys_that_fit(self, width: int) -> list[ShownKey]:
        """Return the keys that fit into `width` cells. Useless keys are left out first, from the end. The key of the
        help stays.
        """
        keys = list(self.keys)
        while len(keys) > 1 and sum(one.cells + 2 for one in keys) - 2 > width:
            droppable = [one for one in keys if one.action_id != "help"]
            keys.remove([*(one for one in droppable if one.useful), *(one for one in droppable if not one.useful)][-1])
        return keys


def _useful(action: Action, view_state: ViewState, selected: Selection) -> bool:
    """Return whether an action has something to do, and is allowed once the dashboard is armed."""
    if pointless_for(selected, action.id, view_state.node):
        return False
    cannot_arm = action.id == "arm" and view_state.role == "viewer"
    return not _idle(action, view_state) and not cannot_arm and _allowed(action, view_state, armed=True)


def _idle(action: Action, view_state: ViewState) -> bool:
    """Return whether an action has nothing to do, whatever is selected."""
    return action.id in _MAY_BE_IDLE and bool(nothing_to_do(action.id, view_state.node, {}))


def _allowed(action: Action, view_state: ViewState, *, armed: bool) -> bool:
    return not refusal_of(action, view_state.role, armed=armed, keymap={})


class StaticLines(Widget):
    """A few lines of text that take as much height as they need."""

    DEFAULT_CSS = """
    StaticLines { height: auto; padding: 0 1; }
    """

    lines: reactive[tuple[Line, ...]] = reactive(())

    def show(self, lines: list[Line]) -> None:
        """Replace the lines; without lines the widget takes no height."""
        self.display = bool(lines)
        self.lines = tuple(lines)
        if len(self._folded(self.content_size.width)) != self.content_size.height:
            self.refresh(layout=True)

    def _folded(self, width: int) -> list[Line]:
        return [part for line in self.lines for part in wrap(line, width)]

    def get_content_height(self, _container: Size, _viewport: Size, width: int) -> int:
        return len(self._folded(width))

    def render(self) -> RenderResult:
        return content(*self._folded(self.content_size.width))
